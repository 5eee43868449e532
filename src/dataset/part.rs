//! One file of points as a snapshot sees it: a segment and its dead rows.

use crate::error::Result;
use crate::manifest::FileEntry;
use crate::model::{EntityId, Key, TimeRange, VectorSource};
use crate::segment::Segment;
use roaring::RoaringBitmap;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A segment, sealed or in memory, and which of its rows no longer count.
#[derive(Debug, Clone)]
pub struct Part {
    /// The segment.
    pub segment: Arc<Segment>,
    /// Rows that are superseded or deleted.
    pub dead: RoaringBitmap,
    /// The manifest's entry; `None` for the rows of the live log.
    pub entry: Option<FileEntry>,
}

impl Part {
    /// Points that count.
    pub fn live(&self) -> u64 {
        self.segment.rows() as u64 - self.dead.len()
    }

    /// The rows of a run whose times lie in a range; dead rows included.
    pub fn window(&self, run: usize, time: &TimeRange) -> Range<usize> {
        let rows = self.segment.run(run);
        if *time == TimeRange::ALL {
            return rows;
        }
        let times = &self.segment.times()[rows.clone()];
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
        self.segment.row_of(key).filter(|r| self.is_live(*r))
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

impl Deref for Part {
    type Target = Segment;

    fn deref(&self) -> &Segment {
        &self.segment
    }
}

impl VectorSource for Part {
    fn rows(&self) -> usize {
        self.segment.rows()
    }

    fn dim(&self) -> usize {
        self.segment.dim()
    }

    fn vectors<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        self.segment.vectors(rows, buffer)
    }

    fn inverse_norms(&self, rows: Range<usize>) -> Result<&[f32]> {
        self.segment.inverse_norms(rows)
    }

    fn key(&self, row: usize) -> Key {
        self.segment.key(row)
    }
}

/// True when a file with these bounds can hold a point of an entity range and a time range.
pub(super) fn may_hold(e: &FileEntry, entities: (EntityId, EntityId), time: &TimeRange) -> bool {
    e.rows > 0 && e.entity_min <= entities.1 && entities.0 <= e.entity_max && e.time().overlaps(time)
}
