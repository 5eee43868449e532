//! Reads a segment in place.

use super::delta::{self, Coding};
use super::meta::{Block, Texts};
use super::*;
use crate::error::{Error, Result};
use crate::format::codec::{Decoder, Malformed};
use crate::format::container::{Container, Expect};
use crate::fsio::Bytes;
use crate::model::{EntityId, Key, TimestampUs, VectorSource};
use crate::points::Origin;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// An open segment. Keys, norms and provenance were checked on open; vectors and metadata are
/// checked block by block as they are read.
#[derive(Debug)]
pub struct Segment {
    c: Container,
    rows: usize,
    dim: usize,
    keyframe_interval: usize,
    tolerance: f64,
    seq_min: u64,
    entities: Range<usize>,
    runs: Range<usize>,
    times: Range<usize>,
    seqs: Seqs,
    norms: Range<usize>,
    origin: Option<Range<usize>>,
    origins: Vec<Origin>,
    /// The rows that do not hold their original, and the hashes of these.
    altered: Option<(Range<usize>, Range<usize>)>,
    places: Option<Range<usize>>,
    whole: Range<usize>,
    deltas: Range<usize>,
    meta_table: Option<Range<usize>>,
    meta_data: Range<usize>,
    last_meta: Mutex<Option<Arc<Texts>>>,
}

#[derive(Debug)]
enum Seqs {
    Relative(Range<usize>),
    Absolute(Range<usize>),
}

impl Segment {
    /// Maps the file and checks all but vectors and metadata. `dim` is the dataset's.
    pub fn open(path: &Path, expect: &Expect, dim: usize) -> Result<Segment> {
        Segment::new(Container::open(path, expect)?, dim)
    }

    /// As [`Segment::open`] over bytes in memory.
    pub fn from_memory(path: &Path, bytes: &[u8], expect: &Expect, dim: usize) -> Result<Segment> {
        Segment::new(Container::from_bytes(path, Bytes::from_vec(bytes), expect)?, dim)
    }

    fn new(c: Container, dim: usize) -> Result<Segment> {
        let head = Head::read(&c)?;
        if head.dim != dim {
            return Err(c.damaged(format!("the segment has dimension {}, the dataset {dim}", head.dim)));
        }
        let rows = head.rows;
        let sized = |range: Range<usize>, bytes: usize| {
            if range.len() == bytes {
                Ok(range)
            } else {
                Err(c.damaged("a section does not have an entry for each row"))
            }
        };
        let entities = c.require::<u64>(ENTITIES)?;
        let runs = sized(c.require::<u32>(RUNS)?, entities.len() / 2 + 4)?;
        let seqs = match c.require::<u32>(SEQS) {
            Ok(r) => Seqs::Relative(sized(r, rows * 4)?),
            Err(_) => Seqs::Absolute(sized(c.require::<u64>(SEQS)?, rows * 8)?),
        };
        let origins = read_origins(&c)?;
        let places = optional::<u32>(&c, PLACES)?.map(|r| sized(r, rows * 4)).transpose()?;
        let whole = c.require::<f32>(WHOLE)?;
        if places.is_none() {
            sized(whole.clone(), rows * dim * 4)?;
        }
        let altered = match optional::<u32>(&c, ALTERED)? {
            None => None,
            Some(of) => {
                let hashes = sized(c.require::<[u8; 16]>(HASHES)?, of.len() * 4)?;
                Some((of, hashes))
            }
        };
        let this = Segment {
            rows,
            dim,
            keyframe_interval: head.keyframe_interval.max(1),
            tolerance: head.tolerance,
            seq_min: head.seq_min,
            times: sized(c.require::<i64>(TIMES)?, rows * 8)?,
            norms: sized(c.require::<f32>(NORMS)?, rows * 4)?,
            origin: optional::<u32>(&c, ORIGIN)?.map(|r| sized(r, rows * 4)).transpose()?,
            altered,
            deltas: c.section(DELTAS).unwrap_or(0..0),
            meta_table: optional::<Block>(&c, META_TABLE)?,
            meta_data: c.section(META_DATA).unwrap_or(0..0),
            last_meta: Mutex::new(None),
            entities,
            runs,
            seqs,
            origins,
            places,
            whole,
            c,
        };
        this.check_small_sections()?;
        Ok(this)
    }

    /// Checks the sections that are later read without asking again.
    fn check_small_sections(&self) -> Result<()> {
        let runs = self.c.slice::<u32>(self.runs.clone())?;
        let entities = self.c.slice::<u64>(self.entities.clone())?;
        if runs.first() != Some(&0)
            || runs.last().map(|r| *r as usize) != Some(self.rows)
            || !runs.windows(2).all(|w| w[0] < w[1])
            || !entities.windows(2).all(|w| w[0] < w[1])
        {
            return Err(self.c.damaged("the runs of entities are not in order"));
        }
        self.c.bytes(self.times.clone())?;
        self.c.bytes(self.norms.clone())?;
        let (Seqs::Relative(seqs) | Seqs::Absolute(seqs)) = &self.seqs;
        self.c.bytes(seqs.clone())?;
        if let Some(r) = &self.origin
            && self.c.slice::<u32>(r.clone())?.iter().any(|o| *o as usize >= self.origins.len())
        {
            return Err(self.c.damaged("a row names an origin that does not exist"));
        }
        if let Some(r) = &self.places {
            self.c.bytes(r.clone())?;
        }
        if let Some((of, _)) = &self.altered {
            let of = self.c.slice::<u32>(of.clone())?;
            if !of.windows(2).all(|w| w[0] < w[1]) || of.last().is_some_and(|r| *r as usize >= self.rows) {
                return Err(self.c.damaged("the rows with a hash are not in order"));
            }
        }
        if let Some(r) = &self.meta_table {
            let table = self.c.slice::<Block>(r.clone())?;
            let ends =
                |b: &Block| b.offset.checked_add(b.len).is_some_and(|e| e <= self.meta_data.len() as u64);
            if table.first().is_none_or(|b| b.first != 0)
                || !table.windows(2).all(|w| w[0].first < w[1].first)
                || table.last().is_some_and(|b| b.first as usize >= self.rows)
                || !table.iter().all(ends)
            {
                return Err(self.c.damaged("the table of metadata is not in order"));
            }
        }
        Ok(())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Dimension.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Bytes of the file.
    pub fn size_bytes(&self) -> u64 {
        self.c.len()
    }

    /// The file's name, for errors.
    pub fn path(&self) -> &Path {
        self.c.path()
    }

    /// Bytes that the vectors take, deltas and their places included.
    pub fn vector_bytes(&self) -> u64 {
        (self.whole.len() + self.deltas.len() + self.places.as_ref().map_or(0, Range::len)) as u64
    }

    /// The underlying container.
    pub fn container(&self) -> &Container {
        &self.c
    }

    /// Entities, ascending: one for each run.
    pub fn entities(&self) -> &[EntityId] {
        self.small(&self.entities)
    }

    /// First row of each run, and the number of rows.
    pub fn runs(&self) -> &[u32] {
        self.small(&self.runs)
    }

    /// The rows of run `i`.
    pub fn run(&self, i: usize) -> Range<usize> {
        let runs: &[u32] = self.small(&self.runs);
        runs[i] as usize..runs[i + 1] as usize
    }

    /// The run of an entity.
    pub fn find(&self, entity: EntityId) -> Option<usize> {
        self.entities().binary_search(&entity).ok()
    }

    /// Timestamps of all rows.
    pub fn times(&self) -> &[TimestampUs] {
        self.small(&self.times)
    }

    /// The run that holds a row.
    pub fn run_of(&self, row: usize) -> usize {
        let runs: &[u32] = self.small(&self.runs);
        runs.partition_point(|r| *r as usize <= row) - 1
    }

    /// The row with a key.
    pub fn row_of(&self, key: Key) -> Option<usize> {
        let rows = self.run(self.find(key.entity)?);
        let start = rows.start;
        self.times()[rows].binary_search(&key.t).ok().map(|i| start + i)
    }

    /// Sequence number of a row.
    pub fn seq(&self, row: usize) -> u64 {
        match &self.seqs {
            Seqs::Relative(r) => self.seq_min.saturating_add(u64::from(self.small::<u32>(r)[row])),
            Seqs::Absolute(r) => self.small::<u64>(r)[row],
        }
    }

    /// Where a row came from.
    pub fn origin(&self, row: usize) -> &Origin {
        &self.origins[self.origin_ordinal(row)]
    }

    /// Ordinal of a row's origin in [`Segment::origins`].
    pub fn origin_ordinal(&self, row: usize) -> usize {
        self.origin.as_ref().map_or(0, |r| self.small::<u32>(r)[row] as usize)
    }

    /// All origins.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Hash of the original content of a row, where the row does not hold the original itself.
    pub fn original_hash(&self, row: usize) -> Result<Option<u128>> {
        let Some((of, hashes)) = &self.altered else { return Ok(None) };
        let Ok(place) = self.small::<u32>(of).binary_search_by_key(&row, |r| *r as usize) else {
            return Ok(None);
        };
        let at = hashes.start + place * 16;
        let b = self.c.bytes(at..at + 16)?;
        let mut a = [0; 16];
        a.copy_from_slice(b);
        Ok(Some(u128::from_le_bytes(a)))
    }

    /// A section that was checked on open.
    fn small<T: bytemuck::AnyBitPattern>(&self, range: &Range<usize>) -> &[T] {
        self.c.trusted(range.clone())
    }

    /// The stored `1 / |x|` of some rows.
    pub fn stored_inverse_norms(&self, rows: Range<usize>) -> Result<&[f32]> {
        self.small::<f32>(&self.norms).get(rows).ok_or_else(|| Error::internal("rows outside a segment"))
    }

    /// Appends the vectors of `rows` to `out`.
    fn decode_into(&self, rows: Range<usize>, places: &[u32], out: &mut Vec<f32>) -> Result<()> {
        let bad = || self.c.damaged("a vector is not coded as it was written");
        // Walk back to the whole vector that the first delta hangs on.
        let mut first = rows.start;
        let mut steps = 0;
        while !matches!(delta::unpack(places[first]), Some((Coding::Whole, _))) {
            steps += 1;
            if first == 0 || steps >= self.keyframe_interval {
                return Err(bad());
            }
            first -= 1;
        }
        let start = out.len();
        out.reserve((rows.end - first) * self.dim);
        for place in &places[first..rows.end] {
            let (coding, at) = delta::unpack(*place).ok_or_else(bad)?;
            let here = out.len();
            if coding == Coding::Whole {
                out.extend_from_slice(self.whole_rows(at..at + 1)?);
                continue;
            }
            if here == start {
                return Err(bad());
            }
            out.extend_from_within(here - self.dim..);
            let from = at.checked_mul(4).and_then(|o| o.checked_add(self.deltas.start)).ok_or_else(bad)?;
            // The longest delta is a list of all dimensions.
            let to = from.saturating_add(6 * self.dim + 8).min(self.deltas.end);
            if from >= to {
                return Err(bad());
            }
            delta::apply(coding, self.c.bytes(from..to)?, self.tolerance, &mut out[here..])
                .ok_or_else(bad)?;
        }
        out.drain(start..start + (rows.start - first) * self.dim);
        Ok(())
    }

    fn whole_rows(&self, rows: Range<usize>) -> Result<&[f32]> {
        let width = self.dim * 4;
        let at = |row: usize| row.checked_mul(width).and_then(|o| o.checked_add(self.whole.start));
        match (at(rows.start), at(rows.end)) {
            (Some(a), Some(b)) if b <= self.whole.end => self.c.slice(a..b),
            _ => Err(self.c.damaged("a vector lies outside its section")),
        }
    }

    /// The metadata of a row, empty for none.
    pub fn meta(&self, row: usize) -> Result<String> {
        let mut out = String::new();
        self.metas(row..row + 1, &mut |_, text| {
            out.push_str(text);
            Ok(())
        })?;
        Ok(out)
    }

    /// Hands the metadata of a run of rows to `f`, in order.
    pub fn metas(&self, rows: Range<usize>, f: &mut dyn FnMut(usize, &str) -> Result<()>) -> Result<()> {
        let Some(table) = &self.meta_table else {
            return rows.into_iter().try_for_each(|row| f(row, ""));
        };
        let table: &[Block] = self.small(table);
        let mut row = rows.start;
        while row < rows.end {
            let texts = self.meta_block(table, row)?;
            while row < rows.end.min(texts.end()) {
                f(row, texts.get(row))?;
                row += 1;
            }
        }
        Ok(())
    }

    fn meta_block(&self, table: &[Block], row: usize) -> Result<Arc<Texts>> {
        let mut last = self.last_meta.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(t) = last.as_ref()
            && (t.first..t.end()).contains(&row)
        {
            return Ok(t.clone());
        }
        let before = table.partition_point(|b| b.first as usize <= row);
        let Some((i, block)) = before.checked_sub(1).and_then(|i| Some((i, table.get(i)?))) else {
            return Err(self.c.damaged("the table of metadata does not begin with the first row"));
        };
        let next = table.get(i + 1).map_or(self.rows, |b| b.first as usize);
        let from = self.meta_data.start + block.offset as usize;
        let frame = self.c.bytes(from..from + block.len as usize)?;
        let texts =
            Texts::decode(frame, block, next - block.first as usize).map_err(|e| self.c.damaged(e))?;
        let texts = Arc::new(texts);
        *last = Some(texts.clone());
        Ok(texts)
    }
}

impl VectorSource for Segment {
    fn rows(&self) -> usize {
        self.rows
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn vectors<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        if rows.start > rows.end || rows.end > self.rows {
            return Err(Error::internal("rows outside a segment"));
        }
        match &self.places {
            None => self.whole_rows(rows),
            Some(places) => {
                buffer.clear();
                if !rows.is_empty() {
                    self.decode_into(rows, self.small(places), buffer)?;
                }
                Ok(buffer)
            }
        }
    }

    fn inverse_norms(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        out.extend_from_slice(self.stored_inverse_norms(rows)?);
        Ok(())
    }

    fn key(&self, row: usize) -> Key {
        Key { entity: self.entities()[self.run_of(row)], t: self.times()[row] }
    }
}

struct Head {
    rows: usize,
    seq_min: u64,
    tolerance: f64,
    dim: usize,
    keyframe_interval: usize,
}

impl Head {
    fn read(c: &Container) -> Result<Head> {
        let bytes = c.bytes(c.require::<u8>(HEAD)?)?;
        let read = || -> Result<Head, Malformed> {
            let mut d = Decoder::new(bytes);
            let (rows, seq_min, tolerance) = (d.u64()?, d.u64()?, d.f64()?);
            let (dim, keyframe_interval) = (d.u32()? as usize, d.u32()? as usize);
            d.end()?;
            if rows > u64::from(u32::MAX)
                || !(0.0..1.0).contains(&tolerance)
                || dim == 0
                || dim > crate::model::MAX_DIM
            {
                return d.malformed("a number is out of bounds");
            }
            Ok(Head { rows: rows as usize, seq_min, tolerance, dim, keyframe_interval })
        };
        read().map_err(|m| c.damaged(format!("the segment's head: {m}")))
    }
}

fn optional<T>(c: &Container, tag: crate::format::container::Tag) -> Result<Option<Range<usize>>> {
    c.section(tag).map(|_| c.require::<T>(tag)).transpose()
}

fn read_origins(c: &Container) -> Result<Vec<Origin>> {
    let bytes = c.bytes(c.require::<u8>(ORIGINS)?)?;
    let read = || -> Result<Vec<Origin>, Malformed> {
        let mut d = Decoder::new(bytes);
        let n = d.count(8)?;
        let mut out = Vec::with_capacity(n);
        for _ in 0..n {
            out.push(Origin { source: d.text()?.to_owned(), model: d.text()?.to_owned() });
        }
        d.end()?;
        Ok(out)
    };
    let out = read().map_err(|m| c.damaged(format!("the origins: {m}")))?;
    if out.is_empty() { Err(c.damaged("the segment has no origin")) } else { Ok(out) }
}
