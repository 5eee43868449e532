//! What a part is built from.

use crate::error::Result;
use crate::model::{Key, VectorSource};
use std::ops::Range;

/// What a part is built from: rows in the order of (timestamp, entity), no key twice.
pub trait Input: Sync {
    /// Number of rows.
    fn rows(&self) -> usize;
    /// Dimension.
    fn dim(&self) -> usize;
    /// The key of a row.
    fn key(&self, row: usize) -> Key;
    /// The vectors of a run of rows, row-major, borrowed or decoded into `buffer`.
    fn vectors<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]>;
    /// Told what comes next; an error ends the build.
    fn stage(&self, _stage: &str) -> Result<()> {
        Ok(())
    }
}

impl<T: VectorSource> Input for T {
    fn rows(&self) -> usize {
        VectorSource::rows(self)
    }

    fn dim(&self) -> usize {
        VectorSource::dim(self)
    }

    fn key(&self, row: usize) -> Key {
        VectorSource::key(self, row)
    }

    fn vectors<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        VectorSource::vectors(self, rows, buffer)
    }
}
