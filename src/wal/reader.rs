//! Reads a log to its last whole frame and tells a torn end from damage.

use super::frame::{BadHeader, Found, decode_frame, decode_header, is_moved_frame};
use super::{Batch, HEADER_LEN, LogId, VERSION};
use crate::error::{Code, Error, Result};
use crate::fsio;
use std::path::Path;

/// Largest log: one that passes 64 MiB is sealed, and the frame that passes it may hold as much.
const MAX_LOG: u64 = 512 << 20;

/// What a log holds.
#[derive(Debug, Default)]
pub struct Log {
    /// The batches with the sequence number of their first row.
    pub batches: Vec<(u64, Batch)>,
    /// Bytes behind the last whole frame: a torn write that was never acknowledged.
    pub torn: u64,
}

impl Log {
    /// Rows in all batches.
    pub fn rows(&self) -> u64 {
        self.batches.iter().map(|(_, b)| b.points.len() as u64).sum()
    }
}

/// Reads the live log `expect.file` of the dataset in `dir`.
pub fn read(dir: &Path, expect: &LogId) -> Result<Log> {
    let path = dir.join(super::path(expect.file));
    let bytes = fsio::read_file(&path, MAX_LOG)?;
    parse(&path, &bytes, expect)
}

pub(super) fn parse(path: &Path, bytes: &[u8], expect: &LogId) -> Result<Log> {
    let id = match decode_header(bytes) {
        Ok(id) => id,
        Err(BadHeader::Version(v)) => {
            return Err(Error::new(
                Code::Version,
                format!("log format {v}, this program reads up to {VERSION}"),
            )
            .file(path)
            .fix("use a newer cvx"));
        }
        Err(BadHeader::Damaged(what)) => return Err(Error::damaged(path, what).byte(0)),
    };
    if id != *expect {
        return Err(Error::damaged(path, "the log is not the one that the manifest names").byte(8));
    }
    let mut log = Log::default();
    let mut at = HEADER_LEN;
    let mut next_seq = id.first_seq;
    while at < bytes.len() {
        match decode_frame(&id, at as u64, &bytes[at..]) {
            Found::Whole(f) => {
                let here = |what: String| Error::damaged(path, what).byte(at as u64);
                if f.first_seq != next_seq {
                    return Err(here(format!("rows {next_seq} to {} are missing from the log", f.first_seq)));
                }
                let batch = Batch::decode(f.payload, id.dim).map_err(|m| here(m.to_string()))?;
                if batch.points.len() as u64 != u64::from(f.rows) {
                    return Err(here("a frame does not hold the rows it announces".into()));
                }
                log.batches.push((next_seq, batch));
                next_seq += u64::from(f.rows);
                at += f.len;
            }
            Found::TooLong(n) => {
                return Err(
                    Error::damaged(path, format!("a frame of {n} bytes is longer than any")).byte(at as u64)
                );
            }
            Found::Broken => {
                if let Some(later) = whole_frame_after(&id, bytes, at) {
                    return Err(Error::damaged(
                        path,
                        format!("a broken frame with a whole one behind it, at byte {later}"),
                    )
                    .byte(at as u64));
                }
                log.torn = (bytes.len() - at) as u64;
                break;
            }
        }
    }
    Ok(log)
}

/// Offset of a whole frame behind the broken one at `at`. Frames start at multiples of 8 unless bytes were
/// put in or taken out in front of them, so they are looked for everywhere.
fn whole_frame_after(id: &LogId, bytes: &[u8], at: usize) -> Option<usize> {
    let whole = |o: &usize| match decode_frame(id, *o as u64, &bytes[*o..]) {
        Found::Broken => is_moved_frame(&bytes[*o..]),
        _ => true,
    };
    (at + 1..bytes.len()).find(whole)
}
