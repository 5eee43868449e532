//! A container read by ranges, without fetching it whole: its table first, then only the
//! checksummed blocks that are asked for.

use super::cache::Cache;
use super::store::Store;
use crate::error::{Code, Error, Result};
use crate::format::checksum::{Identity, hash128, holds};
use crate::format::codec::{Decoder, Malformed};
use crate::format::container::{BLOCK_LEN, END_MAGIC, Expect, HEADER_LEN, MAGIC, SECTION_LEN, Tag};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Objects are fetched, and cached, in pieces of this many bytes.
const PIECE: u64 = 16 * BLOCK_LEN as u64;
const BLOCK: u64 = BLOCK_LEN as u64;

/// Where an object lies, and where its pieces may be kept.
#[derive(Debug, Clone)]
pub struct Place {
    /// The store.
    pub store: Arc<Store>,
    /// The cache, for stores that are not local.
    pub cache: Option<Arc<Cache>>,
    /// The object's name in the store.
    pub name: String,
}

#[derive(Debug)]
struct Section {
    tag: Tag,
    elem: usize,
    range: Range<u64>,
}

/// An open container in a store.
#[derive(Debug)]
pub struct Remote {
    place: Place,
    path: PathBuf,
    id: Identity,
    len: u64,
    /// End of what the block checksums cover.
    body: u64,
    sections: Vec<Section>,
    sums: Vec<u64>,
}

impl Remote {
    /// Reads and checks the table at the object's end, and its header.
    pub fn open(place: Place, expect: &Expect) -> Result<Remote> {
        let path = place.store.path(&place.name);
        let damaged = |what: &str| Error::damaged(&path, what);
        let len = expect.seal.len;
        let Some(found) = place.store.len(&place.name)? else {
            return Err(damaged("the cold object is missing"));
        };
        if found != len || len < 2 * HEADER_LEN as u64 {
            return Err(damaged(&format!("the object has {found} bytes, {len} are expected")));
        }
        let id = Identity { dataset: expect.dataset, kind: expect.kind as u16, file: expect.id };
        let mut this = Remote { place, path, id, len, body: 0, sections: Vec::new(), sums: Vec::new() };
        if !this.table_holds(expect)? {
            // A cached piece may be the damaged one; the store has the last word.
            this.forget(0..len);
            if !this.table_holds(expect)? {
                return Err(Error::damaged(&this.path, "the checksum of the object's table does not hold"));
            }
        }
        this.check_header(expect)?;
        Ok(this)
    }

    /// Reads footer and table. False when they are not what the manifest says.
    fn table_holds(&mut self, expect: &Expect) -> Result<bool> {
        let footer_at = self.len - HEADER_LEN as u64;
        let footer = self.raw(footer_at..self.len)?;
        let mut f = Decoder::new(&footer);
        let malformed = |m: Malformed| Error::damaged(&self.path, m.to_string());
        let body = f.u64().map_err(malformed)?;
        let sections = u64::from(f.u32().map_err(malformed)?);
        let sums = u64::from(f.u32().map_err(malformed)?);
        let root = f.u128().map_err(malformed)?;
        let table = sections * SECTION_LEN as u64 + sums * 8;
        let zeros = footer[32..HEADER_LEN - END_MAGIC.len()].iter().all(|b| *b == 0);
        let fits = zeros && body.checked_add(table) == Some(footer_at) && sums == body.div_ceil(BLOCK);
        if !fits || !footer.ends_with(&END_MAGIC) || !holds(root, expect.seal.root) {
            return Ok(false);
        }
        let table = self.raw(body..footer_at)?;
        let seed = self.id.block_seed(u64::MAX).to_le_bytes();
        if !holds(hash128(&[&table, &footer[..16], &seed].concat()), root) {
            return Ok(false);
        }
        let mut t = Decoder::new(&table);
        let mut read = || -> Result<(Vec<Section>, Vec<u64>), Malformed> {
            let sections = (0..sections).map(|_| section(&mut t, body)).collect::<Result<_, _>>()?;
            let sums = (0..sums).map(|_| t.u64()).collect::<Result<_, _>>()?;
            Ok((sections, sums))
        };
        (self.sections, self.sums) = read().map_err(malformed)?;
        self.body = body;
        Ok(true)
    }

    fn check_header(&self, expect: &Expect) -> Result<()> {
        let header = self.bytes(0..HEADER_LEN as u64)?;
        let version = u16::from_le_bytes([header[6], header[7]]);
        let same = header[..4] == MAGIC
            && header[4..6] == (expect.kind as u16).to_le_bytes()
            && header[8..24] == expect.dataset
            && header[24..32] == expect.id.to_le_bytes();
        if !same || version == 0 {
            return Err(Error::damaged(&self.path, "the object is not what the manifest says"));
        }
        if version > expect.kind.version() {
            let text =
                format!("file format version {version}, this program reads up to {}", expect.kind.version());
            return Err(Error::new(Code::Version, text).file(&self.path).fix("use a newer cvx"));
        }
        Ok(())
    }

    /// The object's name, for errors.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// An error that names this object.
    pub fn damaged(&self, what: impl Into<String>) -> Error {
        Error::damaged(&self.path, what)
    }

    /// Where a section lies. A missing one, or one of other elements, is damage.
    pub fn section(&self, tag: Tag, elem: usize) -> Result<Range<u64>> {
        let found = self.sections.iter().find(|s| s.tag == tag && s.elem == elem);
        let name = || format!("section {} is missing", String::from_utf8_lossy(&tag));
        found.map(|s| s.range.clone()).ok_or_else(|| self.damaged(name()))
    }

    /// Elements `which` of a section, checked.
    pub fn elements<T: bytemuck::Pod>(&self, tag: Tag, which: Range<usize>) -> Result<Vec<T>> {
        let section = self.section(tag, size_of::<T>())?;
        let size = size_of::<T>() as u64;
        let at = |i: usize| (i as u64).checked_mul(size).and_then(|b| section.start.checked_add(b));
        match (at(which.start), at(which.end)) {
            (Some(start), Some(end)) if start <= end && end <= section.end => {
                let bytes = self.bytes(start..end)?;
                let mut out = vec![T::zeroed(); which.len()];
                bytemuck::cast_slice_mut(&mut out).copy_from_slice(&bytes);
                Ok(out)
            }
            _ => Err(self.damaged(format!("section {} is too short", String::from_utf8_lossy(&tag)))),
        }
    }

    /// Number of elements of a section.
    pub fn count<T>(&self, tag: Tag) -> Result<usize> {
        let section = self.section(tag, size_of::<T>())?;
        usize::try_from((section.end - section.start) / size_of::<T>() as u64)
            .map_err(|_| self.damaged("a section is too large for this machine"))
    }

    /// Bytes of the body, checked block by block.
    pub fn bytes(&self, range: Range<u64>) -> Result<Vec<u8>> {
        if range.start > range.end || range.end > self.body {
            return Err(self.damaged(format!("bytes {}..{} lie outside the object", range.start, range.end)));
        }
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let whole = range.start / BLOCK * BLOCK..range.end.next_multiple_of(BLOCK).min(self.body);
        let mut bytes = self.raw(whole.clone())?;
        if let Some(bad) = self.first_bad(&bytes, whole.start) {
            self.forget(whole.clone());
            bytes = self.raw(whole.clone())?;
            if self.first_bad(&bytes, whole.start).is_some() {
                return Err(self.damaged("the checksum of a block does not hold").byte(bad));
            }
        }
        bytes.truncate((range.end - whole.start) as usize);
        bytes.drain(..(range.start - whole.start) as usize);
        Ok(bytes)
    }

    /// Offset of the first block of `bytes` whose checksum does not hold.
    fn first_bad(&self, bytes: &[u8], start: u64) -> Option<u64> {
        let number = |i: usize| start / BLOCK + i as u64;
        let holds = |(i, block): (usize, &[u8])| {
            self.sums
                .get(number(i) as usize)
                .is_some_and(|sum| holds(self.id.block_sum(number(i), block), *sum))
        };
        bytes.chunks(BLOCK_LEN).enumerate().position(|b| !holds(b)).map(|i| number(i) * BLOCK)
    }

    /// Checks every block of the object.
    pub fn check_all(&self) -> Result<()> {
        for start in (0..self.body).step_by(PIECE as usize) {
            self.bytes(start..(start + PIECE).min(self.body))?;
        }
        Ok(())
    }

    fn forget(&self, range: Range<u64>) {
        if let Some(cache) = &self.place.cache {
            (range.start / PIECE..range.end.div_ceil(PIECE)).for_each(|p| cache.forget(&self.path, p));
        }
    }

    /// Bytes as they come, unchecked: from the store, or by whole pieces through the cache.
    fn raw(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let Some(cache) = self.place.cache.as_ref().filter(|_| !self.place.store.is_local()) else {
            return Ok(self.place.store.read(&self.place.name, range)?.to_vec());
        };
        let mut out = Vec::with_capacity((range.end - range.start) as usize);
        for piece in range.start / PIECE..range.end.div_ceil(PIECE) {
            let (start, end) = (piece * PIECE, ((piece + 1) * PIECE).min(self.len));
            let cached = cache.get(&self.path, piece).filter(|b| b.len() as u64 == end - start);
            let bytes = match cached {
                Some(bytes) => bytes,
                None => {
                    let bytes = self.place.store.read(&self.place.name, start..end)?;
                    cache.put(&self.path, piece, &bytes);
                    bytes.to_vec()
                }
            };
            let from = range.start.max(start) - start;
            let to = range.end.min(end) - start;
            out.extend_from_slice(&bytes[from as usize..to as usize]);
        }
        Ok(out)
    }
}

fn section(t: &mut Decoder<'_>, body: u64) -> Result<Section, Malformed> {
    let mut tag = [0; 4];
    tag.copy_from_slice(t.raw(4)?);
    let elem = t.u32()? as usize;
    let (offset, len) = (t.u64()?, t.u64()?);
    match offset.checked_add(len) {
        Some(end) if end <= body && elem > 0 && len % elem as u64 == 0 => {
            Ok(Section { tag, elem, range: offset..end })
        }
        _ => t.malformed("a section lies outside the object"),
    }
}
