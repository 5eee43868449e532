//! Points as warm and cold files keep them: with their place in the log, and what is known of
//! content that a lossy codec took.

use super::Points;
use crate::model::{Key, TimestampUs};

/// Points with what long-term files keep beside them. All columns have the same number of rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeptPoints {
    /// The points. A read fills in only the columns that were asked for.
    pub points: Points,
    /// Sequence number of each row.
    pub seq: Vec<u64>,
    /// The hash of the content that was ingested, where the vector is not the original any more.
    pub original: Vec<Option<u128>>,
}

impl KeptPoints {
    /// No rows of a dimension.
    pub fn new(dim: usize) -> KeptPoints {
        KeptPoints { points: Points::new(dim), ..KeptPoints::default() }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.seq.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.seq.is_empty()
    }

    /// Removes all rows, keeping the memory.
    pub fn clear(&mut self) {
        self.points.clear();
        self.seq.clear();
        self.original.clear();
    }
}

/// What a file's rows are as a whole: what a manifest wants to know, and what reading the
/// file back must give again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Rows.
    pub rows: u64,
    /// First and last key; `None` without rows.
    pub keys: Option<(Key, Key)>,
    /// Earliest and latest timestamp.
    pub times: Option<(TimestampUs, TimestampUs)>,
    /// Least and largest sequence number.
    pub seqs: Option<(u64, u64)>,
}

impl Summary {
    /// Adds a row. False when its key does not follow the one before.
    pub fn add(&mut self, key: Key, seq: u64) -> bool {
        match &mut self.keys {
            None => self.keys = Some((key, key)),
            Some((_, last)) if *last < key => *last = key,
            Some(_) => return false,
        }
        let (t0, t1) = self.times.unwrap_or((key.t, key.t));
        self.times = Some((t0.min(key.t), t1.max(key.t)));
        let (s0, s1) = self.seqs.unwrap_or((seq, seq));
        self.seqs = Some((s0.min(seq), s1.max(seq)));
        self.rows += 1;
        true
    }
}
