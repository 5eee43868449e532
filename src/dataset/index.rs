//! The index as the dataset sees it: its parts, which of their rows no longer count, and new parts.
//!
//! Owns `index/NNNNNNNNNN.idx`, written by [`crate::index`]. A point that is superseded or deleted, or
//! that moves to a cold block, has its row in the deletion set of its part, written with the version
//! that says so. `coverage.rs` says which points the parts hold.

use super::deletions;
use super::part::RowId;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::container::{Expect, Finished, Kind, Seal};
use crate::fsio::TempFile;
use crate::index::{Part, Reader};
use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::model::TimeRange;
use roaring::RoaringBitmap;
use std::path::Path;

/// The file id in the header of every index part: parts are built before they have an id.
pub const FILE_ID: u64 = 0;

/// An open part of the index and its dead rows.
#[derive(Debug)]
pub struct IndexPart {
    /// The manifest's entry.
    pub entry: FileEntry,
    /// The file.
    pub part: Part,
    /// Rows that are superseded, deleted, or no longer in the exact files.
    pub dead: RoaringBitmap,
}

impl FileEntry {
    /// False when a part of the index cannot hold a point.
    pub(super) fn may_hold(&self, point: &RowId) -> bool {
        self.seq_min <= point.seq && point.seq <= self.seq_max && self.time().contains(point.key.t)
    }
}

impl Manifest {
    /// Parts of the index, those that were built first in front.
    pub fn index_parts(&self) -> Vec<FileEntry> {
        self.of(FileKind::Index).copied().collect()
    }
}

pub(super) fn open(dir: &Path, config: &Config, manifest: &Manifest, entry: &FileEntry) -> Result<IndexPart> {
    let expect = Expect { kind: Kind::Index, dataset: config.id, id: FILE_ID, seal: entry.seal };
    let path = dir.join(entry.path());
    let part = Part::open(&path, &expect)?;
    if part.rows() as u64 != entry.rows || part.dim() != config.settings.dim {
        return Err(Error::damaged(&path, "the index has other rows than the manifest says"));
    }
    let dead = match manifest.deletions_of(entry.id) {
        None => RoaringBitmap::new(),
        Some(d) => {
            let expect = Expect { kind: Kind::Deletions, dataset: config.id, id: d.id, seal: d.seal };
            deletions::read(&dir.join(d.path()), &expect, d.rows, entry.rows)?
        }
    };
    Ok(IndexPart { entry: *entry, part, dead })
}

/// The rows of a part that stand for some of `points`.
pub(super) fn rows_of(reader: &Reader<'_>, entry: &FileEntry, points: &[RowId]) -> Result<RoaringBitmap> {
    let mut rows = RoaringBitmap::new();
    for point in points.iter().filter(|p| entry.may_hold(p)) {
        if let Some(row) = reader.row(point.key)?
            && reader.is_point(row, point.seq)?
        {
            rows.insert(row);
        }
    }
    Ok(rows)
}

/// A finished part, not yet published.
#[derive(Debug)]
pub struct NewIndex {
    /// The file.
    pub file: TempFile,
    /// What it is.
    pub seal: Seal,
    /// Number of rows.
    pub rows: u64,
    /// Least and largest sequence number of its rows.
    pub seqs: (u64, u64),
    /// The times that it was built for.
    pub time: TimeRange,
}

impl NewIndex {
    /// A part from what its container became.
    pub fn new(finished: (Finished, Seal), rows: u64, seqs: (u64, u64), time: TimeRange) -> Result<NewIndex> {
        match finished {
            (Finished::File(file), seal) => Ok(NewIndex { file, seal, rows, seqs, time }),
            (Finished::Memory(_), _) => Err(Error::internal("an index part that was written to memory")),
        }
    }
}
