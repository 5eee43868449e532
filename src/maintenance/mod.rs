//! What runs from cron: moving points to cheaper tiers without losing or hiding any.
//!
//! [`compact`] moves log and hot segments into warm Parquet and merges small files; [`tier`]
//! moves old Parquet into cold blocks and back. Each makes a plan, a pure value from a manifest
//! and a policy, and then applies it job by job: new files are built in `tmp/` from a pinned
//! version, without the writer's lock, which is taken only to publish.

mod attempt;
pub mod compact;
mod limits;
mod merge;
mod period;
pub mod tier;

pub use limits::Limits;

use crate::dataset::{Options, Writer};
use crate::error::{Code, Error, Result};
use crate::format::container::Seal;
use crate::manifest::{FileEntry, FileKind};
use crate::points::Summary;
use std::path::Path;

/// What a manifest says of a finished file of points.
fn entry_of(kind: FileKind, id: u64, seal: Seal, rows: &Summary) -> Result<FileEntry> {
    let (Some(keys), Some(times), Some(seqs)) = (rows.keys, rows.times, rows.seqs) else {
        return Err(Error::internal("a file without rows"));
    };
    Ok(FileEntry {
        rows: rows.rows,
        entity_min: keys.0.entity,
        entity_max: keys.1.entity,
        t_min: times.0,
        t_max: times.1,
        seq_min: seqs.0,
        seq_max: seqs.1,
        ..FileEntry::bare(kind, id, seal)
    })
}

/// Removes what the files of a run took the place of, once its own version of them is let go.
/// Another writer that holds the lock does it as well.
fn collect(dir: &Path, writing: &Options) -> Result<()> {
    match Writer::open(dir, writing.clone()).and_then(Writer::finish) {
        Err(e) if e.code() != Code::Locked => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tier_tests;
