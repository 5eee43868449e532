//! The write-ahead log: batches that are durable before they are worth a segment.
//!
//! Owns `wal/NNNNNNNNNN.wal`: a 64-byte header, then frames, one batch each, of which at most
//! one is not yet synced. Anything valid after something broken is therefore damage, and a
//! broken end without anything valid behind it is a torn write that was never acknowledged.
//! FORMAT.md gives the bytes.

mod batch;
mod frame;
mod reader;
mod writer;

pub use batch::{Batch, NewName};
pub use reader::{Log, read};
pub use writer::LogWriter;

use crate::format::DatasetId;

/// First four bytes of a log.
pub const MAGIC: [u8; 4] = *b"CVXL";
/// Newest log format.
pub const VERSION: u16 = 1;
/// Bytes of the header.
pub const HEADER_LEN: usize = 64;
/// Bytes before a frame's payload.
pub const FRAME_HEAD_LEN: usize = 24;
/// Largest payload.
pub const MAX_PAYLOAD: usize = 64 << 20;

/// What a log is: mixed into the checksum of each frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogId {
    /// The dataset.
    pub dataset: DatasetId,
    /// The file's id.
    pub file: u64,
    /// Dimension.
    pub dim: usize,
    /// Sequence number of the first row.
    pub first_seq: u64,
}

/// Path relative to the dataset directory.
pub fn path(id: u64) -> String {
    format!("wal/{id:010}.wal")
}

#[cfg(test)]
mod tests;
