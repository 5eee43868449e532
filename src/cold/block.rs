//! Reads a cold block: keys without codes, codes by chunks, rows with reconstructed vectors.
//!
//! | section | elements | content |
//! |---|---|---|
//! | `CODE` | bytes | chunks of codes, one after the other |
//! | `OFFS` | u64 | where each chunk begins in `CODE`, and the end of the last |
//! | `ENTI`, `TIME` | u64, i64 | keys, ascending |
//! | `SEQN` | u64 | sequence numbers |
//! | `HASH` | 2 u64 | XXH3-128 of the original content, low half first |
//! | `NORM`, `INVN` | f32 | norm of the original vector, and its inverse (0 for a zero vector) |
//! | `APPR` | u8 | 1 where the vector was approximate before it was coded |
//! | `ORIG` | u32 | ordinal of the origin |
//! | `MEND`, `META` | u64, bytes | ends of the metadata texts, and the texts |
//! | `ORGS` | bytes | origins: count u32, then source and model texts |
//! | `HEAD` | bytes | codec, codebook, dimension, rows, measured errors |

use super::head::Head;
use super::remote::{Place, Remote};
use crate::error::{Error, Result};
use crate::format::codec::{Decoder, Malformed};
use crate::format::container::{Expect, Kind};
use crate::model::{EntityId, Key, TimeRange, TimestampUs};
use crate::points::{KeptPoints, Origin, Points, Summary, Texts};
use crate::pq::{CHUNK_ROWS, Quantizer};
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

/// Names of the sections.
pub mod tags {
    use crate::format::container::Tag;
    pub const CODES: Tag = *b"CODE";
    pub const OFFSETS: Tag = *b"OFFS";
    pub const ENTITIES: Tag = *b"ENTI";
    pub const TIMES: Tag = *b"TIME";
    pub const SEQS: Tag = *b"SEQN";
    pub const HASHES: Tag = *b"HASH";
    pub const NORMS: Tag = *b"NORM";
    pub const INVERSE_NORMS: Tag = *b"INVN";
    pub const APPROX: Tag = *b"APPR";
    pub const ORIGIN: Tag = *b"ORIG";
    pub const META_ENDS: Tag = *b"MEND";
    pub const META: Tag = *b"META";
    pub const ORIGINS: Tag = *b"ORGS";
    pub const HEAD: Tag = *b"HEAD";
}

/// Bytes of codes fetched at a time, about.
const FETCH: u64 = 4 << 20;

/// Keys and norms of a block, all rows.
#[derive(Debug)]
pub struct Keys {
    /// Entity of each row, ascending.
    pub entity: Vec<EntityId>,
    /// Timestamp of each row, ascending within an entity.
    pub t: Vec<TimestampUs>,
    /// Norm of each original vector.
    pub norm: Vec<f32>,
    /// Its inverse, 0 for a zero vector.
    pub inverse_norm: Vec<f32>,
}

/// An open cold block. Rows are named by their ordinal.
#[derive(Debug)]
pub struct ColdBlock {
    remote: Remote,
    head: Head,
    codes_at: u64,
    offsets: Vec<u64>,
    keys: OnceLock<Keys>,
}

impl ColdBlock {
    /// Opens the block at a place: reads its table, its head, and where its chunks lie.
    pub fn open(place: Place, expect: &Expect) -> Result<ColdBlock> {
        if expect.kind != Kind::ColdBlock {
            return Err(Error::internal("a cold block of another kind"));
        }
        let remote = Remote::open(place, expect)?;
        let bytes = remote.elements::<u8>(tags::HEAD, 0..remote.count::<u8>(tags::HEAD)?)?;
        let head = Head::decode(&bytes).map_err(|m| remote.damaged(m.to_string()))?;
        // Every row has its parts in many sections; the smallest one bounds what is claimed.
        if remote.count::<u64>(tags::ENTITIES)? != head.rows {
            return Err(remote.damaged("the number of keys is not that of the rows"));
        }
        let offsets = remote.elements::<u64>(tags::OFFSETS, 0..head.chunks() + 1)?;
        let codes = remote.section(tags::CODES, 1)?;
        let in_order = offsets[0] == 0 && offsets.windows(2).all(|w| w[0] <= w[1]);
        if !in_order || offsets[offsets.len() - 1] != codes.end - codes.start {
            return Err(remote.damaged("the chunks of codes are not in order"));
        }
        Ok(ColdBlock { remote, head, codes_at: codes.start, offsets, keys: OnceLock::new() })
    }

    /// The object's name, for errors.
    pub fn path(&self) -> &Path {
        self.remote.path()
    }

    /// What the block holds.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.head.rows
    }

    fn column<T: bytemuck::Pod>(&self, tag: [u8; 4], rows: Range<usize>) -> Result<Vec<T>> {
        if rows.end > self.head.rows {
            return Err(Error::internal("rows beyond a cold block"));
        }
        self.remote.elements(tag, rows)
    }

    /// Keys and norms of all rows, read on first use.
    pub fn keys(&self) -> Result<&Keys> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let all = 0..self.head.rows;
        let keys = Keys {
            entity: self.column(tags::ENTITIES, all.clone())?,
            t: self.column(tags::TIMES, all.clone())?,
            norm: self.column(tags::NORMS, all.clone())?,
            inverse_norm: self.column(tags::INVERSE_NORMS, all)?,
        };
        Ok(self.keys.get_or_init(|| keys))
    }

    /// The rows of an entity whose timestamps lie in `time`. They are contiguous.
    pub fn find(&self, entity: EntityId, time: &TimeRange) -> Result<Range<usize>> {
        if time.is_empty() {
            return Ok(0..0);
        }
        let keys = self.keys()?;
        let first = keys.entity.partition_point(|e| *e < entity);
        let last = first + keys.entity[first..].partition_point(|e| *e == entity);
        let times = &keys.t[first..last];
        let from = times.partition_point(|t| *t < time.first());
        let to = times.partition_point(|t| *t <= time.last());
        Ok(first + from..first + to)
    }

    /// Sequence numbers of some rows.
    pub fn seqs(&self, rows: Range<usize>) -> Result<Vec<u64>> {
        self.column(tags::SEQS, rows)
    }

    /// Hashes of the original content of some rows.
    pub fn hashes(&self, rows: Range<usize>) -> Result<Vec<u128>> {
        let halves: Vec<[u64; 2]> = self.column(tags::HASHES, rows)?;
        Ok(halves.into_iter().map(|[low, high]| u128::from(low) | u128::from(high) << 64).collect())
    }

    /// Fails unless the quantizer is that of this block.
    fn check_quantizer(&self, quantizer: &Quantizer) -> Result<()> {
        if quantizer.codec() == self.head.codec && quantizer.dim() == self.head.dim {
            Ok(())
        } else {
            Err(self.remote.damaged("the codebook is not that of the block"))
        }
    }

    /// Calls `f` with the first row, the number of rows and the codes of each chunk that holds
    /// some of `rows`, fetching several chunks at a time.
    pub fn each_chunk(
        &self,
        rows: Range<usize>,
        mut f: impl FnMut(usize, usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if rows.end > self.head.rows {
            return Err(Error::internal("rows beyond a cold block"));
        }
        let last = (rows.end - 1) / CHUNK_ROWS + 1;
        let mut chunk = rows.start / CHUNK_ROWS;
        while chunk < last {
            let start = self.offsets[chunk];
            let mut end = chunk + 1;
            while end < last && self.offsets[end + 1] - start <= FETCH {
                end += 1;
            }
            let bytes = self.remote.bytes(self.codes_at + start..self.codes_at + self.offsets[end])?;
            for c in chunk..end {
                let codes =
                    &bytes[(self.offsets[c] - start) as usize..(self.offsets[c + 1] - start) as usize];
                f(c * CHUNK_ROWS, self.head.chunk_rows(c), codes)?;
            }
            chunk = end;
        }
        Ok(())
    }

    /// An error about codes.
    pub fn malformed(&self, m: &Malformed) -> Error {
        self.remote.damaged(m.what.clone())
    }

    /// Appends the reconstructed vectors of some rows.
    pub fn decode(&self, quantizer: &Quantizer, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        self.check_quantizer(quantizer)?;
        self.each_chunk(rows.clone(), |first, n, codes| {
            let which = rows.start.max(first) - first..rows.end.min(first + n) - first;
            quantizer.decode(codes, n, which, out).map_err(|m| self.malformed(&m))
        })
    }

    /// Rows as points, with reconstructed vectors where a quantizer is given.
    pub fn read(&self, rows: Range<usize>, quantizer: Option<&Quantizer>) -> Result<KeptPoints> {
        let mut out = self.table(rows.clone())?;
        out.points.meta = self.metas(rows.clone())?;
        let marks = self.approx(rows.clone())?;
        let hashes = self.hashes(rows.clone())?;
        out.original = marks.into_iter().zip(hashes).map(|(a, h)| a.then_some(h)).collect();
        if let Some(quantizer) = quantizer {
            self.decode(quantizer, rows, &mut out.points.x)?;
        }
        Ok(out)
    }

    /// For each of some rows, whether its vector is not the one that was ingested.
    pub fn approx(&self, rows: Range<usize>) -> Result<Vec<bool>> {
        let lossy = !self.head.codec.is_lossless();
        Ok(self.column::<u8>(tags::APPROX, rows)?.iter().map(|a| lossy || *a != 0).collect())
    }

    /// Keys, sequence numbers and origins of some rows.
    pub fn table(&self, rows: Range<usize>) -> Result<KeptPoints> {
        let mut points = Points::new(self.head.dim);
        points.entity = self.column(tags::ENTITIES, rows.clone())?;
        points.t = self.column(tags::TIMES, rows.clone())?;
        points.origin = self.column(tags::ORIGIN, rows.clone())?;
        points.origins = self.origins()?;
        if points.origin.iter().any(|o| *o as usize >= points.origins.len()) {
            return Err(self.remote.damaged("a row of an origin that is not listed"));
        }
        Ok(KeptPoints { points, seq: self.seqs(rows)?, original: Vec::new() })
    }

    fn origins(&self) -> Result<Vec<Origin>> {
        let bytes = self.remote.elements::<u8>(tags::ORIGINS, 0..self.remote.count::<u8>(tags::ORIGINS)?)?;
        let mut d = Decoder::new(&bytes);
        let mut read = || -> Result<Vec<Origin>, Malformed> {
            let n = d.count(8)?;
            let one = |_| Ok(Origin { source: d.text()?.to_owned(), model: d.text()?.to_owned() });
            (0..n).map(one).collect()
        };
        read().map_err(|m| self.malformed(&m))
    }

    /// Metadata texts of some rows.
    pub fn metas(&self, rows: Range<usize>) -> Result<Texts> {
        let mut out = Texts::new();
        let before = rows.start.saturating_sub(1);
        let mut ends: Vec<u64> = self.column(tags::META_ENDS, before..rows.end)?;
        if rows.start == 0 {
            ends.insert(0, 0);
        }
        let bad = || self.remote.damaged("the metadata texts are not in order");
        let at = |i: usize| usize::try_from(ends[i]).map_err(|_| bad());
        if rows.is_empty() {
            return Ok(out);
        }
        if ends.windows(2).any(|w| w[0] > w[1]) {
            return Err(bad());
        }
        let start = at(0)?;
        let texts: Vec<u8> = self.remote.elements(tags::META, start..at(rows.len())?)?;
        for i in 0..rows.len() {
            let text =
                texts.get(at(i)? - start..at(i + 1)? - start).and_then(|b| std::str::from_utf8(b).ok());
            out.push(text.ok_or_else(bad)?);
        }
        Ok(out)
    }

    /// Checks every byte of the block.
    pub fn check_all(&self) -> Result<()> {
        self.remote.check_all()
    }

    /// Checks every byte, the order of the keys, and, where a quantizer is given, that every
    /// code decodes. What it returns must be what the writer said.
    pub fn verify(&self, quantizer: Option<&Quantizer>) -> Result<Summary> {
        self.remote.check_all()?;
        let mut summary = Summary::default();
        for start in (0..self.head.rows).step_by(8 * CHUNK_ROWS) {
            let rows = self.read(start..(start + 8 * CHUNK_ROWS).min(self.head.rows), quantizer)?;
            for i in 0..rows.seq.len() {
                let key = Key { entity: rows.points.entity[i], t: rows.points.t[i] };
                if !summary.add(key, rows.seq[i]) {
                    return Err(self.remote.damaged("the rows are not in order").row((start + i) as u64 + 1));
                }
            }
            if let Some(i) = rows.points.x.iter().position(|v| !v.is_finite()) {
                let row = start + i / self.head.dim;
                return Err(self.remote.damaged("a code of a value that is not finite").row(row as u64 + 1));
            }
        }
        Ok(summary)
    }
}
