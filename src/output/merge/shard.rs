//! What shards of each kind of format have in common.

use crate::error::Result;
use std::collections::BTreeMap;

/// What a run says of itself, by key.
pub(super) type Run = BTreeMap<String, String>;

/// One sorted source of rows.
pub(super) trait Rows {
    /// Entity of the next row.
    fn entity(&self) -> Option<u64>;
    /// Goes on to the row after.
    fn advance(&mut self) -> Result<()>;
}

/// Takes rows one by one.
pub(super) trait Sink<R> {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()>;
    fn row(&mut self, from: &R, out: &mut Vec<u8>) -> Result<()>;
    fn end(&mut self, out: &mut Vec<u8>) -> Result<()>;
}
