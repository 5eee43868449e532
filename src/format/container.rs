//! The sectioned container: the shape of every large binary file (segments, dictionaries,
//! deletion sets, indexes, cold blocks).
//!
//! ```text
//! header   64 bytes: magic, kind, version, dataset id, file id
//! sections each aligned to 64 or 4096 bytes, zeros between
//! trailer  section table (24 bytes each), then one XXH3-64 for each 64 KiB block of [0, trailer)
//! footer   64 bytes: where the trailer is, its checksum, the root checksum, magic
//! ```
//!
//! Written front to back without seeking; mapped and used in place. The manifest names a
//! file's length and root, the root covers the trailer, and the trailer covers every block,
//! header and padding included. A block is checked on its first touch, so opening costs
//! nothing that grows with the data.

use super::DatasetId;
use super::checksum::{Identity, hash128, holds};
use super::codec::{Decoder, Encoder};
use crate::error::{Code, Error, Result};
use crate::fsio::{Bytes, TempFile};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// First four bytes of every container.
pub const MAGIC: [u8; 4] = *b"CVXF";
/// Last four bytes of every container.
pub const END_MAGIC: [u8; 4] = *b"FXVC";
/// Bytes of the header and of the footer.
pub const HEADER_LEN: usize = 64;
/// Bytes covered by one checksum.
pub const BLOCK_LEN: usize = 64 * 1024;
/// Bytes of one entry of the section table.
pub const SECTION_LEN: usize = 24;
/// Alignment of a section unless the writer asks for more.
pub const ALIGN: u64 = 64;
/// Alignment of sections that are scanned in bulk.
pub const PAGE: u64 = 4096;

/// What a container holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// A hot segment.
    Segment = 1,
    /// Entity names.
    Dictionary = 2,
    /// Rows of a data file that are superseded or deleted.
    Deletions = 3,
    /// A part of the index.
    Index = 4,
    /// A cold block.
    ColdBlock = 5,
    /// A product-quantisation codebook.
    Codebook = 6,
    /// A saved result: detector states, change points, baselines.
    Result = 7,
    /// A trained model.
    Model = 8,
}

impl Kind {
    /// The newest version of this kind that this program writes and reads.
    pub fn version(self) -> u16 {
        1
    }
}

/// What a finished file is: goes into the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// Length in bytes.
    pub len: u64,
    /// XXH3-128 over trailer and footer fields.
    pub root: u128,
}

/// A four-letter name of a section.
pub type Tag = [u8; 4];

#[derive(Debug, Clone, Copy)]
struct Section {
    tag: Tag,
    elem: u32,
    offset: u64,
    len: u64,
}

/// Where the container's bytes go: a file, or memory.
#[derive(Debug)]
enum Sink {
    File(TempFile),
    Memory(Vec<u8>),
}

/// Writes a container front to back.
#[derive(Debug)]
pub struct Writer {
    sink: Sink,
    id: Identity,
    /// Bytes of the current block, not yet written.
    block: Vec<u8>,
    sums: Vec<u64>,
    sections: Vec<Section>,
    /// Offset of the next byte.
    at: u64,
}

impl Writer {
    /// Starts a container in a new temporary file.
    pub fn create(file: TempFile, kind: Kind, dataset: DatasetId, id: u64) -> Result<Writer> {
        Writer::start(Sink::File(file), kind, dataset, id)
    }

    /// Starts a container in memory.
    pub fn in_memory(kind: Kind, dataset: DatasetId, id: u64) -> Result<Writer> {
        Writer::start(Sink::Memory(Vec::new()), kind, dataset, id)
    }

    fn start(sink: Sink, kind: Kind, dataset: DatasetId, file: u64) -> Result<Writer> {
        let id = Identity { dataset, kind: kind as u16, file };
        let mut w = Writer {
            sink,
            id,
            block: Vec::with_capacity(BLOCK_LEN),
            sums: Vec::new(),
            sections: Vec::new(),
            at: 0,
        };
        let mut h = Encoder::new();
        h.raw(&MAGIC).u16(kind as u16).u16(kind.version()).raw(&dataset).u64(file);
        h.bytes.resize(HEADER_LEN, 0);
        w.put(&h.bytes)?;
        Ok(w)
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.at += bytes.len() as u64;
        while !bytes.is_empty() {
            let n = (BLOCK_LEN - self.block.len()).min(bytes.len());
            self.block.extend_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            if self.block.len() == BLOCK_LEN {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if !self.block.is_empty() {
            self.sums.push(self.id.block_sum(self.sums.len() as u64, &self.block));
            match &mut self.sink {
                Sink::File(f) => f.write_all(&self.block)?,
                Sink::Memory(v) => v.extend_from_slice(&self.block),
            }
            self.block.clear();
        }
        Ok(())
    }

    /// Begins a section; what is written next belongs to it. `elem` is the size of its
    /// elements, which its length must be a multiple of; `align` is [`ALIGN`] or [`PAGE`].
    pub fn section(&mut self, tag: Tag, elem: usize, align: u64) -> Result<()> {
        self.close_section();
        let pad = self.at.next_multiple_of(align) - self.at;
        const ZEROS: [u8; PAGE as usize] = [0; PAGE as usize];
        self.put(&ZEROS[..pad as usize])?;
        self.sections.push(Section { tag, elem: elem as u32, offset: self.at, len: 0 });
        Ok(())
    }

    fn close_section(&mut self) {
        let at = self.at;
        if let Some(s) = self.sections.last_mut()
            && s.len == 0
        {
            s.len = at - s.offset;
        }
    }

    /// Writes bytes into the current section.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(bytes)
    }

    /// Writes a section of plain values at once.
    pub fn write_section<T: bytemuck::NoUninit>(&mut self, tag: Tag, values: &[T]) -> Result<()> {
        self.section(tag, size_of::<T>(), ALIGN)?;
        self.write(bytemuck::cast_slice(values))
    }

    /// Bytes written so far.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Writes trailer and footer. The file still has its temporary name and is not synced.
    pub fn finish(mut self) -> Result<(Finished, Seal)> {
        self.close_section();
        let trailer_at = self.at;
        self.flush()?;
        let mut t = Encoder::new();
        for s in &self.sections {
            t.raw(&s.tag).u32(s.elem).u64(s.offset).u64(s.len);
        }
        for s in &self.sums {
            t.u64(*s);
        }
        let mut f = Encoder::new();
        f.u64(trailer_at).u32(self.sections.len() as u32).u32(self.sums.len() as u32);
        let mut rooted = t.bytes.clone();
        rooted.extend_from_slice(&f.bytes);
        rooted.extend_from_slice(&self.id.block_seed(u64::MAX).to_le_bytes());
        let root = hash128(&rooted);
        f.u128(root);
        f.bytes.resize(HEADER_LEN - END_MAGIC.len(), 0);
        f.raw(&END_MAGIC);
        t.raw(&f.bytes);
        let done = match self.sink {
            Sink::File(mut file) => {
                file.write_all(&t.bytes)?;
                Finished::File(file)
            }
            Sink::Memory(mut v) => {
                v.extend_from_slice(&t.bytes);
                Finished::Memory(v)
            }
        };
        Ok((done, Seal { len: trailer_at + t.bytes.len() as u64, root }))
    }
}

/// A finished container, not yet published.
#[derive(Debug)]
pub enum Finished {
    /// In a temporary file.
    File(TempFile),
    /// In memory.
    Memory(Vec<u8>),
}

/// What a container must be to be opened: from the manifest.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    /// Its kind.
    pub kind: Kind,
    /// The dataset.
    pub dataset: DatasetId,
    /// Its id.
    pub id: u64,
    /// Its length and root checksum.
    pub seal: Seal,
}

/// An open container. Sections are checked block by block on first touch.
#[derive(Debug)]
pub struct Container {
    path: PathBuf,
    bytes: Bytes,
    id: Identity,
    version: u16,
    sections: Vec<Section>,
    sums: Range<usize>,
    checked: Vec<AtomicU64>,
}

impl Container {
    /// Maps the file at `path` and checks header, footer and trailer.
    pub fn open(path: &Path, expect: &Expect) -> Result<Container> {
        let bytes = Bytes::open(path, expect.seal.len)?;
        Container::from_bytes(path, bytes, expect)
    }

    /// Opens a file that no manifest names: its length and root checksum are what it says itself.
    /// Checksums still find damage, and the identity is checked; an older whole file is not told
    /// from a newer one.
    pub fn open_alone(path: &Path, kind: Kind, dataset: DatasetId, id: u64) -> Result<Container> {
        let file = crate::fsio::open_read(path, None)?;
        let len = file.metadata().map_err(|e| Error::io("stat", path, &e))?.len();
        drop(file);
        let bytes = Bytes::open(path, len)?;
        let root = bytes.len().checked_sub(HEADER_LEN).and_then(|at| bytes.get(at + 16..at + 32));
        let root = root.and_then(|b| b.try_into().ok()).map_or(0, u128::from_le_bytes);
        Container::from_bytes(path, bytes, &Expect { kind, dataset, id, seal: Seal { len, root } })
    }

    /// As [`Container::open`] over bytes at hand; `path` names them in errors.
    pub fn from_bytes(path: &Path, bytes: Bytes, expect: &Expect) -> Result<Container> {
        let damaged = |what: String| Error::damaged(path, what);
        if bytes.len() < 2 * HEADER_LEN {
            return Err(damaged(format!("{} bytes are too few for a cvx file", bytes.len())));
        }
        let mut h = Decoder::new(&bytes[..HEADER_LEN]);
        let bad = |m: super::codec::Malformed| damaged(m.to_string());
        let magic = h.raw(4).map_err(bad)?;
        let kind = h.u16().map_err(bad)?;
        let version = h.u16().map_err(bad)?;
        let dataset = h.raw(16).map_err(bad)?;
        let file = h.u64().map_err(bad)?;
        if magic != MAGIC {
            return Err(damaged("the file does not begin as a cvx file does".into()).byte(0));
        }
        if kind != expect.kind as u16 || dataset != expect.dataset || file != expect.id {
            return Err(
                damaged(format!("the file is not what the manifest says (kind {kind}, id {file})")).byte(4)
            );
        }
        let id = Identity { dataset: expect.dataset, kind, file };

        let footer_at = bytes.len() - HEADER_LEN;
        let footer = &bytes[footer_at..];
        let mut f = Decoder::new(footer);
        let trailer_at = f.u64().map_err(bad)?;
        let n_sections = f.u32().map_err(bad)? as usize;
        let n_sums = f.u32().map_err(bad)? as usize;
        let root = f.u128().map_err(bad)?;
        let rest = f.raw(HEADER_LEN - 32).map_err(bad)?;
        let clean = rest[..rest.len() - 4].iter().all(|b| *b == 0) && rest[rest.len() - 4..] == END_MAGIC;
        let trailer_len = n_sections
            .checked_mul(SECTION_LEN)
            .and_then(|a| n_sums.checked_mul(8).and_then(|b| a.checked_add(b)));
        let trailer_at = usize::try_from(trailer_at).unwrap_or(usize::MAX);
        if !clean
            || trailer_len.and_then(|n| n.checked_add(trailer_at)) != Some(footer_at)
            || n_sums != trailer_at.div_ceil(BLOCK_LEN)
        {
            return Err(damaged("the end of the file is not as it was written".into()).byte(footer_at as u64));
        }
        let trailer = &bytes[trailer_at..footer_at];
        let mut rooted = trailer.to_vec();
        rooted.extend_from_slice(&footer[..16]);
        rooted.extend_from_slice(&id.block_seed(u64::MAX).to_le_bytes());
        if !holds(hash128(&rooted), root) || !holds(root, expect.seal.root) {
            return Err(
                damaged("the checksum of the file's table does not hold".into()).byte(trailer_at as u64)
            );
        }
        if version == 0 || version > expect.kind.version() {
            return Err(Error::new(
                Code::Version,
                format!("file format version {version}, this program reads up to {}", expect.kind.version()),
            )
            .file(path)
            .fix("use a newer cvx"));
        }
        let mut sections = Vec::with_capacity(n_sections);
        let mut d = Decoder::new(trailer);
        for _ in 0..n_sections {
            let mut tag = [0; 4];
            tag.copy_from_slice(d.raw(4).map_err(bad)?);
            let elem = d.u32().map_err(bad)?;
            let offset = d.u64().map_err(bad)?;
            let len = d.u64().map_err(bad)?;
            let end = offset.checked_add(len);
            if end.is_none_or(|e| e > trailer_at as u64)
                || elem == 0
                || len % u64::from(elem) != 0
                || offset % ALIGN != 0
            {
                return Err(damaged("a section lies outside the file".into()).byte(trailer_at as u64));
            }
            sections.push(Section { tag, elem, offset, len });
        }
        let sums = trailer_at + n_sections * SECTION_LEN..footer_at;
        let checked = (0..n_sums.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Ok(Container { path: path.to_owned(), bytes, id, version, sections, sums, checked })
    }

    /// The file's name, for errors.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Format version of the file.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Never: a container has at least a header.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Tells the kernel how the file will be read.
    pub fn advise(&self, access: crate::fsio::Access) {
        self.bytes.advise(access);
    }

    /// An error that names this file.
    pub fn damaged(&self, what: impl Into<String>) -> Error {
        Error::damaged(&self.path, what)
    }

    /// Where a section lies, as byte offsets of the file. `None` when the file has none of that name.
    pub fn section(&self, tag: Tag) -> Option<Range<usize>> {
        let s = self.sections.iter().find(|s| s.tag == tag)?;
        Some(s.offset as usize..(s.offset + s.len) as usize)
    }

    /// As [`Container::section`]; a missing section, or one whose elements have another size, is damage.
    pub fn require<T>(&self, tag: Tag) -> Result<Range<usize>> {
        let name = || String::from_utf8_lossy(&tag).into_owned();
        let s = self
            .sections
            .iter()
            .find(|s| s.tag == tag)
            .ok_or_else(|| self.damaged(format!("section {} is missing", name())))?;
        if s.elem as usize != size_of::<T>() {
            return Err(self.damaged(format!("section {} has elements of {} bytes", name(), s.elem)));
        }
        Ok(s.offset as usize..(s.offset + s.len) as usize)
    }

    /// Bytes of the file, checked. `range` must lie inside a section.
    pub fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        self.check(&range)?;
        Ok(&self.bytes[range])
    }

    /// A section's elements from the byte range of some of them, checked.
    pub fn slice<T: bytemuck::AnyBitPattern>(&self, range: Range<usize>) -> Result<&[T]> {
        bytemuck::try_cast_slice(self.bytes(range)?).map_err(|_| self.damaged("a section is not aligned"))
    }

    /// As [`Container::slice`] for a range that the caller has checked before; empty when the
    /// range is not aligned for `T` or outside the file, which such a range never is.
    pub fn trusted<T: bytemuck::AnyBitPattern>(&self, range: Range<usize>) -> &[T] {
        self.bytes.get(range).and_then(|b| bytemuck::try_cast_slice(b).ok()).unwrap_or(&[])
    }

    /// All elements of a section, checked.
    pub fn all<T: bytemuck::AnyBitPattern>(&self, tag: Tag) -> Result<&[T]> {
        self.slice(self.require::<T>(tag)?)
    }

    fn sum(&self, block: usize) -> u64 {
        let at = self.sums.start + block * 8;
        let mut b = [0; 8];
        b.copy_from_slice(&self.bytes[at..at + 8]);
        u64::from_le_bytes(b)
    }

    /// Checks the blocks that `range` touches, each once.
    fn check(&self, range: &Range<usize>) -> Result<()> {
        let body = self.sums.start - self.sections.len() * SECTION_LEN;
        if range.start > range.end || range.end > body {
            return Err(self.damaged(format!("bytes {}..{} lie outside the file", range.start, range.end)));
        }
        if range.is_empty() {
            return Ok(());
        }
        for block in range.start / BLOCK_LEN..=(range.end - 1) / BLOCK_LEN {
            let (word, bit) = (&self.checked[block / 64], 1u64 << (block % 64));
            if word.load(Ordering::Relaxed) & bit == 0 {
                let start = block * BLOCK_LEN;
                let end = (start + BLOCK_LEN).min(body);
                if !holds(self.id.block_sum(block as u64, &self.bytes[start..end]), self.sum(block)) {
                    return Err(self.damaged("the checksum of a block does not hold").byte(start as u64));
                }
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Checks every block that was not checked yet.
    pub fn check_all(&self) -> Result<()> {
        self.check(&(0..self.sums.start - self.sections.len() * SECTION_LEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Vec<u8>, Expect) {
        let mut w = Writer::in_memory(Kind::Segment, [7; 16], 9).unwrap();
        w.write_section(*b"NUMS", &[1u32, 2, 3]).unwrap();
        w.section(*b"BULK", 4, PAGE).unwrap();
        let big: Vec<f32> = (0..40_000).map(|i| i as f32).collect();
        w.write(bytemuck::cast_slice(&big)).unwrap();
        w.write_section::<u64>(*b"NONE", &[]).unwrap();
        let (Finished::Memory(v), seal) = w.finish().unwrap() else { panic!() };
        (v, Expect { kind: Kind::Segment, dataset: [7; 16], id: 9, seal })
    }

    fn open(bytes: &[u8], e: &Expect) -> Result<Container> {
        Container::from_bytes(Path::new("f"), Bytes::from_vec(bytes), e)
    }

    fn read_all(bytes: &[u8], e: &Expect) -> Result<()> {
        let c = open(bytes, e)?;
        assert_eq!(c.all::<u32>(*b"NUMS")?, &[1, 2, 3]);
        let bulk = c.all::<f32>(*b"BULK")?;
        assert!(bulk.iter().enumerate().all(|(i, x)| *x == i as f32));
        assert!(c.all::<u64>(*b"NONE")?.is_empty());
        c.check_all()
    }

    #[test]
    fn round_trip() {
        let (v, e) = sample();
        assert_eq!(v.len() as u64, e.seal.len);
        read_all(&v, &e).unwrap();
        let c = open(&v, &e).unwrap();
        assert_eq!(c.section(*b"BULK").unwrap().start % PAGE as usize, 0);
        assert!(c.section(*b"WHAT").is_none());
        assert!(c.all::<u64>(*b"NUMS").is_err());
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_found() {
        let (v, e) = sample();
        let mut bad = v.clone();
        // All of head, tail and section starts; every 61st byte of the bulk.
        let step = |i: usize| i < 8192 || i + 4096 > v.len() || i % 61 == 0;
        for i in (0..v.len()).filter(|i| step(*i)) {
            bad[i] ^= 1 << (i % 8);
            let r = read_all(&bad, &e).map_err(|e| e.code());
            assert!(matches!(r, Err(Code::Damaged | Code::Version)), "byte {i}: {r:?}");
            bad[i] = v[i];
        }
        for n in (0..v.len()).filter(|i| step(*i)) {
            assert!(open(&v[..n], &e).is_err());
        }
    }

    #[test]
    fn another_files_bytes_are_refused() {
        let (v, e) = sample();
        assert!(open(&v, &Expect { id: 10, ..e }).is_err());
        assert!(open(&v, &Expect { dataset: [8; 16], ..e }).is_err());
        assert!(open(&v, &Expect { kind: Kind::Index, ..e }).is_err());
        assert!(open(&v, &Expect { seal: Seal { root: 1, ..e.seal }, ..e }).is_err());
    }
}
