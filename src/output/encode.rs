//! What every format does.

use super::row::Cell;
use crate::error::Result;

/// Bytes held before they are written.
pub(super) const BUFFER: usize = 64 << 10;

/// Turns rows into bytes.
pub(super) trait Encode {
    /// What comes before the first row.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()>;
    /// One row.
    fn row(&mut self, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Result<()>;
    /// What comes after the last row.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<()>;
}
