//! One file of points as a snapshot sees it, in whatever tier: its rows and which of them are dead.

use super::loaded::Loaded;
use super::shard::entity_hash;
use crate::cold::ColdBlock;
use crate::error::Result;
use crate::manifest::{FileEntry, Placement};
use crate::model::{EntityId, Key, TimeRange, TimestampUs, VectorSource};
use crate::points::Origin;
use crate::pq::Quantizer;
use crate::segment::Segment;
use roaring::RoaringBitmap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Where the rows are.
#[derive(Debug, Clone)]
pub enum Body {
    /// A hot segment, sealed or in memory.
    Hot(Arc<Segment>),
    /// A warm or cold file.
    Tier(Arc<Loaded>),
}

/// Rows of one file, sorted by (entity, time), and which of them no longer count.
#[derive(Debug, Clone)]
pub struct Part {
    /// The rows.
    pub body: Body,
    /// Rows that are superseded or deleted.
    pub dead: RoaringBitmap,
    /// The manifest's entry; `None` for the rows of the live log.
    pub entry: Option<FileEntry>,
}

/// A stored row, whatever file holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowId {
    /// Its sequence number.
    pub seq: u64,
    /// Its key.
    pub key: Key,
}

impl Part {
    /// What a row is called wherever it moves.
    pub fn row_id(&self, row: u32) -> RowId {
        RowId { seq: self.seq(row as usize), key: self.key(row as usize) }
    }
}

/// Calls a method that both kinds of body have.
macro_rules! either {
    ($part:expr, $body:ident => $call:expr) => {
        match &$part.body {
            Body::Hot($body) => $call,
            Body::Tier($body) => $call,
        }
    };
}

impl Part {
    /// Number of rows, dead ones included.
    pub fn rows(&self) -> usize {
        self.times().len()
    }

    /// Points that count.
    pub fn live(&self) -> u64 {
        self.rows() as u64 - self.dead.len()
    }

    /// The file's name, for errors.
    pub fn path(&self) -> &Path {
        either!(self, b => b.path())
    }

    /// Entities, ascending: one for each run.
    pub fn entities(&self) -> &[EntityId] {
        either!(self, b => b.entities())
    }

    /// Timestamps of all rows.
    pub fn times(&self) -> &[TimestampUs] {
        either!(self, b => b.times())
    }

    /// First row of each run, and the number of rows.
    fn runs(&self) -> &[u32] {
        either!(self, b => b.runs())
    }

    /// The rows of run `i`.
    pub fn run(&self, i: usize) -> Range<usize> {
        let runs = self.runs();
        runs[i] as usize..runs[i + 1] as usize
    }

    /// The run of an entity.
    pub fn find(&self, entity: EntityId) -> Option<usize> {
        self.entities().binary_search(&entity).ok()
    }

    /// The run that holds a row.
    pub fn run_of(&self, row: usize) -> usize {
        self.runs().partition_point(|r| *r as usize <= row) - 1
    }

    /// The row with a key, dead or alive.
    pub fn row_of(&self, key: Key) -> Option<usize> {
        let rows = self.run(self.find(key.entity)?);
        let start = rows.start;
        self.times()[rows].binary_search(&key.t).ok().map(|i| start + i)
    }

    /// Sequence number of a row.
    pub fn seq(&self, row: usize) -> u64 {
        either!(self, b => b.seq(row))
    }

    /// Where a row came from.
    pub fn origin(&self, row: usize) -> &Origin {
        &self.origins()[self.origin_ordinal(row)]
    }

    /// Ordinal of a row's origin in [`Part::origins`].
    pub fn origin_ordinal(&self, row: usize) -> usize {
        either!(self, b => b.origin_ordinal(row))
    }

    /// All origins.
    pub fn origins(&self) -> &[Origin] {
        either!(self, b => b.origins())
    }

    /// True when a row's vector is not the one that was ingested, but comes from a lossy block.
    pub fn is_approx(&self, row: usize) -> bool {
        match &self.body {
            Body::Hot(_) => false,
            Body::Tier(b) => b.is_approx(row),
        }
    }

    /// The hash of the content that was ingested, of a row whose vector is not the original.
    pub fn original(&self, row: usize) -> Result<Option<u128>> {
        match &self.body {
            Body::Hot(_) => Ok(None),
            Body::Tier(b) => b.original(row),
        }
    }

    /// The cold block and its codec.
    pub fn block(&self) -> Option<(&ColdBlock, &Arc<Quantizer>)> {
        match &self.body {
            Body::Hot(_) => None,
            Body::Tier(b) => b.block(),
        }
    }

    /// True for a cold block whose codec loses something.
    pub fn is_lossy(&self) -> bool {
        self.block().is_some_and(|(block, _)| !block.head().codec.is_lossless())
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
        either!(self, b => b.metas(rows, f))
    }

    /// True when a row is the point with this content: bit for bit, or by the hash of the
    /// original where only that is left of it.
    pub fn same_content(&self, row: usize, x: &[f32], meta: &str, buffer: &mut Vec<f32>) -> Result<bool> {
        either!(self, b => b.same_content(row, x, meta, buffer))
    }

    /// Checks every checksum and the order of keys.
    pub(super) fn check_written(&self) -> Result<()> {
        match &self.body {
            Body::Hot(b) => b.check_written(),
            Body::Tier(b) => b.check_all(),
        }
    }

    /// Checks every checksum and decodes every row.
    pub(super) fn verify(&self) -> Result<()> {
        either!(self, b => b.verify())
    }

    /// An error that names the file.
    pub fn damaged(&self, what: &str) -> crate::Error {
        crate::Error::damaged(self.path(), what)
    }

    /// The rows of a run whose times lie in a range; dead rows included.
    pub fn window(&self, run: usize, time: &TimeRange) -> Range<usize> {
        let rows = self.run(run);
        if *time == TimeRange::ALL {
            return rows;
        }
        let times = &self.times()[rows.clone()];
        let a = times.partition_point(|t| *t < time.first());
        let b = times.partition_point(|t| *t <= time.last());
        rows.start + a..rows.start + b.max(a)
    }

    /// True when a row counts.
    pub fn is_live(&self, row: usize) -> bool {
        !self.dead.contains(row as u32)
    }

    /// The live row with a key.
    pub fn live_row_of(&self, key: Key) -> Option<usize> {
        self.row_of(key).filter(|r| self.is_live(*r))
    }

    /// Splits a range of rows at its dead rows.
    pub fn live_ranges(&self, rows: Range<usize>, out: &mut Vec<Range<u32>>) {
        let mut start = rows.start as u32;
        let end = rows.end as u32;
        if !self.dead.is_empty() {
            for d in self.dead.range(start..end) {
                if start < d {
                    out.push(start..d);
                }
                start = d + 1;
            }
        }
        if start < end {
            out.push(start..end);
        }
    }

    /// The latest live row of a run with a time of at most `t`.
    pub fn latest(&self, run: usize, t: i64) -> Option<usize> {
        let rows = self.window(run, &TimeRange::closed(i64::MIN, t));
        rows.rev().find(|r| self.is_live(*r))
    }
}

impl VectorSource for Part {
    fn rows(&self) -> usize {
        Part::rows(self)
    }

    fn dim(&self) -> usize {
        either!(self, b => b.dim())
    }

    fn vectors<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        either!(self, b => b.vectors(rows, buffer))
    }

    fn inverse_norms(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        either!(self, b => b.inverse_norms(rows, out))
    }

    fn key(&self, row: usize) -> Key {
        Key { entity: self.entities()[self.run_of(row)], t: self.times()[row] }
    }
}

/// True when a file with these bounds can hold a point of an entity range and a time range.
pub(super) fn may_hold(
    e: &FileEntry,
    place: Option<&Placement>,
    entities: (EntityId, EntityId),
    time: &TimeRange,
) -> bool {
    let in_bounds =
        e.rows > 0 && e.entity_min <= entities.1 && entities.0 <= e.entity_max && e.time().overlaps(time);
    let one = entities.0 == entities.1;
    in_bounds && (!one || place.is_none_or(|p| p.holds_hash(entity_hash(entities.0))))
}
