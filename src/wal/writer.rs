//! Appends batches, one sync each.

use super::frame::{encode_frame, encode_header};
use super::{Batch, LogId, MAX_PAYLOAD};
use crate::error::{Error, Result};
use crate::fsio::AppendFile;
use std::path::Path;

/// The log being written. After an error it must be dropped: what reached the disk is unknown.
#[derive(Debug)]
pub struct LogWriter {
    file: AppendFile,
    id: LogId,
    next_seq: u64,
    broken: bool,
}

impl LogWriter {
    /// Creates the log's file durably. It counts only once a manifest names it.
    pub fn create(dir: &Path, id: LogId) -> Result<LogWriter> {
        let file = AppendFile::create(dir.join(super::path(id.file)), &encode_header(&id))?;
        Ok(LogWriter { file, id, next_seq: id.first_seq, broken: false })
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.file.len()
    }

    /// True without a batch.
    pub fn is_empty(&self) -> bool {
        self.next_seq == self.id.first_seq
    }

    /// Sequence number of the next row.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Appends a batch and makes it durable.
    pub fn append(&mut self, batch: &Batch) -> Result<()> {
        if self.broken {
            return Err(Error::internal("the log is used after a failed write"));
        }
        let payload = batch.encode();
        if payload.len() > MAX_PAYLOAD {
            return Err(Error::internal(format!(
                "a batch of {} bytes is too large for the log",
                payload.len()
            )));
        }
        let rows = batch.points.len() as u32;
        let frame = encode_frame(&self.id, self.file.len(), self.next_seq, rows, &payload);
        self.broken = true;
        self.file.append(&frame)?;
        self.file.sync()?;
        self.broken = false;
        self.next_seq += u64::from(rows);
        Ok(())
    }
}
