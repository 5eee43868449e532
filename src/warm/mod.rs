//! Warm partitions: Parquet files that any tool can open, one row a point.
//!
//! Owns `warm/bucket=HHHH/PERIOD.ID.parquet`. Rows are sorted by (entity, timestamp), each
//! pair once. Columns: `entity_id` u64, `entity` (with named entities), `timestamp`
//! (microseconds, UTC), `vector` (fixed-size list of f32), `metadata` (JSON text), `source`,
//! `model`, `seq` u64, `approx` bool. See `schema`.
//!
//! Parquet itself covers its bytes with no checksum here, so the file carries ours: the
//! footer's key `cvx.blocks` holds an XXH3-64 for each 64 KiB block, the manifest holds the
//! checksum of the footer, and a block is checked on its first touch. Other readers ignore
//! the key. See `seal`.

mod batch;
mod reader;
mod schema;
mod seal;
mod select;
mod sink;
mod source;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::{Columns, Expect, Scan, WarmFile};
pub use writer::{Summary, WarmWriter};

use crate::points::Points;

/// Points with what warm files keep beside them. All columns have the same number of rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// The points. After a read without vectors `x` is empty, without metadata its texts are,
    /// and without origins every ordinal is 0 and means unknown; without keys all of these
    /// columns are empty but the one that was asked for.
    pub points: Points,
    /// Sequence number of each row.
    pub seq: Vec<u64>,
    /// True for rows restored from a lossy block.
    pub approx: Vec<bool>,
}

impl Rows {
    /// No rows of a dimension.
    pub fn new(dim: usize) -> Rows {
        Rows { points: Points::new(dim), ..Rows::default() }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.seq.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.seq.is_empty()
    }
}
