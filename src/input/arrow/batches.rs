//! Where record batches come from.

use crate::error::Result;
use arrow_array::RecordBatch;

/// Where record batches come from.
pub(in crate::input) trait Batches: Send {
    /// The next one, `None` at the end.
    fn next(&mut self) -> Result<Option<RecordBatch>>;
}
