//! A dataset directory as one thing: made by [`init`], read through a [`Snapshot`], changed
//! through a [`Writer`].
//!
//! This module composes log, segments, dictionary, index and manifest, which do not know each
//! other, and keeps the promises of ARCHITECTURE.md: what was acknowledged stays, one writer,
//! readers that are never disturbed, old or new and nothing between.
//!
//! The index knows points by sequence number, so files of points may be rewritten without it.
//! Whoever moves a point from the exact files to a cold block takes it out of the index with
//! [`Writer::unindex`] in the same version; such points are scanned.

mod chunks;
mod content;
mod coverage;
mod deletions;
mod gc;
mod index;
mod info;
mod init;
mod loaded;
mod memory;
mod options;
mod part;
mod publish;
mod select;
mod shard;
mod shelf;
mod snapshot;
mod staging;
mod trajectories;
mod verify;
mod workshop;
mod writer;

pub use content::{Conflict, OnConflict};
pub use coverage::{Coverage, Place};
pub use gc::Collected;
pub use index::{FILE_ID, IndexPart, NewIndex};
pub use info::{EntityInfo, Info, ModelInfo, TierInfo};
pub use init::{Initialised, init};
pub use loaded::Loaded;
pub use options::{Options, Sync};
pub use part::{Body, Part, RowId};
pub use publish::{lock, publish};
pub use select::{Select, Selected, asof_rows, is_of_model};
pub use shard::{Sample, Shard, entity_hash};
pub use snapshot::Snapshot;
pub use staging::Staging;
pub use trajectories::{Rows, Trajectories};
pub use verify::{Finding, Level, STORE, Status, verify};
pub use workshop::Workshop;
pub use writer::{Appended, Exchange, Forgotten, Made, Writer};

use crate::config::Config;
use crate::manifest::Manifest;
use crate::wal::LogId;

/// Directories of a dataset.
pub(crate) const DIRS: [&str; 7] = ["manifest", "wal", "hot", "dict", "index", "results", "tmp"];
/// Those whose files a manifest names; what no kept one names is collected.
const NAMED: [&str; 4] = ["hot", "dict", "index", "wal"];

/// Now, for information in manifests; nothing is decided by it.
fn clock_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The log that a version names as live.
fn live_log(config: &Config, manifest: &Manifest) -> LogId {
    LogId { dataset: config.id, file: manifest.log, dim: config.settings.dim, first_seq: manifest.next_seq }
}

#[cfg(test)]
pub(crate) mod powercut;
#[cfg(test)]
pub(crate) mod tests;
