//! Which files are live: one immutable manifest for each committed version, and CURRENT,
//! which names the newest.
//!
//! Owns `manifest/NNNNNNNNNN.cvxm` and `CURRENT`. A version is published by linking its
//! manifest under the next number and then replacing CURRENT; a reader pins the version it
//! opened with a shared lock on the manifest file. FORMAT.md gives the bytes.

mod current;
mod encode;
mod file;
mod placement;

pub use current::{commits, highest, load, manifest_path, pin, publish, read_commit, read_sum};
pub use file::{FileEntry, FileKind};
pub use placement::{HOME, Placement};

use crate::error::{Code, Error, Result};
use crate::format::DatasetId;
use crate::model::TimestampUs;

/// Newest manifest format.
pub const VERSION: u16 = 1;
/// Most files a manifest may name.
pub const MAX_FILES: usize = 1_000_000;
/// Largest manifest in bytes.
pub const MAX_LEN: u64 = 64 << 20;
/// Feature: the manifest ends with stores and placements, of warm and cold files.
pub const FEATURE_TIERS: u64 = 1;
/// Feature: the manifest lists the files whose points the index holds; index parts carry sequence numbers.
pub const FEATURE_COVERED: u64 = 2;
/// Features this program knows, as bits of `required_features`.
pub const KNOWN_FEATURES: u64 = FEATURE_TIERS | FEATURE_COVERED;

fn unknown_features(bits: u64) -> Error {
    let text = format!("the dataset needs features {bits:#x}, this program knows {KNOWN_FEATURES:#x}");
    Error::new(Code::Version, text).fix("use a newer cvx")
}

/// One committed version of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Number of this version; 1 is the empty dataset.
    pub commit: u64,
    /// Checksum of the version before, 0 for the first.
    pub parent: u128,
    /// Names the dataset.
    pub dataset: DatasetId,
    /// Dimension.
    pub dim: u32,
    /// Metric, as `Metric::number`.
    pub metric: u8,
    /// 1 when entities have names.
    pub named: bool,
    /// Bits of features a reader must know.
    pub required_features: u64,
    /// When it was committed, by the writer's clock; information only.
    pub created_us: TimestampUs,
    /// The command that made it, e.g. `ingest`; information only.
    pub command: String,
    /// Rows this version added.
    pub rows_added: u64,
    /// Rows this version replaced.
    pub rows_replaced: u64,
    /// Rows this version deleted.
    pub rows_deleted: u64,
    /// The next file id is at least this.
    pub next_file: u64,
    /// Sequence number of the next sealed row; the live log counts from here.
    pub next_seq: u64,
    /// Live log, 0 for none.
    pub log: u64,
    /// Live files, ordered by kind and id.
    pub files: Vec<FileEntry>,
    /// Cold targets outside the dataset directory: directories and URLs.
    pub stores: Vec<String>,
    /// Where warm and cold files lie, ordered by file id.
    pub placements: Vec<Placement>,
    /// Segments and warm files all of whose live rows are held by parts of the index, ascending.
    /// A file that is not listed may still be held in part or as a whole: its rows are looked up.
    pub covered: Vec<u64>,
}

impl Manifest {
    /// Live files of points, by kind and id.
    pub fn point_files(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().filter(|f| f.kind.holds_points())
    }

    /// Where a warm or cold file lies.
    pub fn placement(&self, id: u64) -> Option<&Placement> {
        self.placements.binary_search_by_key(&id, |p| p.id).ok().map(|i| &self.placements[i])
    }

    /// Path of a live file relative to the dataset directory; for files in another store, its
    /// name there.
    pub fn path_of(&self, f: &FileEntry) -> String {
        self.placement(f.id).map_or_else(|| f.kind.path(f.id), |p| p.path(f.kind, &self.dataset))
    }

    /// How a live file is called in rows and messages: its path, with the store's in front.
    pub fn label_of(&self, f: &FileEntry) -> String {
        match self.placement(f.id).and_then(|p| self.stores.get((p.store as usize).checked_sub(1)?)) {
            Some(store) => format!("{store}/{}", self.path_of(f)),
            None => self.path_of(f),
        }
    }

    /// The kept originals of a cold block.
    pub fn original_of(&self, block: u64) -> Option<&FileEntry> {
        self.of(FileKind::Original).find(|f| f.target == block)
    }

    /// Adds a file; the order is restored when the manifest is published.
    pub fn add(&mut self, entry: FileEntry, placement: Option<Placement>) {
        self.files.push(entry);
        self.placements.extend(placement);
    }

    /// Takes a file out, with its deletion set.
    pub fn drop_file(&mut self, id: u64) {
        self.files.retain(|f| f.id != id && !(f.kind == FileKind::Deletions && f.target == id));
        self.placements.retain(|p| p.id != id);
    }

    /// Puts files and placements in order, and states the features that they need.
    pub fn arrange(&mut self) {
        self.files.sort_unstable_by_key(|f| (f.kind, f.id));
        self.placements.sort_unstable_by_key(|p| p.id);
        self.covered.sort_unstable();
        self.covered.dedup();
        let listed = std::mem::take(&mut self.covered);
        self.covered = listed.into_iter().filter(|id| self.may_be_covered(*id)).collect();
        self.required_features &= !FEATURE_COVERED;
        if self.of(FileKind::Index).next().is_some() {
            self.required_features |= FEATURE_COVERED;
        }
        let tiers = !self.placements.is_empty() || !self.stores.is_empty();
        self.required_features &= !FEATURE_TIERS;
        if tiers {
            self.required_features |= FEATURE_TIERS;
        }
    }

    /// Live files of a kind, by id.
    pub fn of(&self, kind: FileKind) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().filter(move |f| f.kind == kind)
    }

    /// A live file.
    pub fn find(&self, kind: FileKind, id: u64) -> Option<&FileEntry> {
        self.files.binary_search_by_key(&(kind, id), |f| (f.kind, f.id)).ok().map(|i| &self.files[i])
    }

    /// The deletion set of a file.
    pub fn deletions_of(&self, target: u64) -> Option<&FileEntry> {
        self.of(FileKind::Deletions).find(|f| f.target == target)
    }

    /// Points in sealed files; exact, because superseded rows are known.
    pub fn sealed_points(&self) -> u64 {
        let rows: u64 = self.point_files().map(|f| f.rows).sum();
        let of_points = |f: &&FileEntry| self.find(FileKind::Index, f.target).is_none();
        let dead: u64 = self.of(FileKind::Deletions).filter(of_points).map(|f| f.rows).sum();
        rows.saturating_sub(dead)
    }

    /// True for files whose points the index can hold: cold blocks are always scanned.
    fn may_be_covered(&self, id: u64) -> bool {
        self.find(FileKind::Segment, id).or_else(|| self.find(FileKind::Warm, id)).is_some()
    }

    /// Rejects a manifest that contradicts itself or that this program must not touch.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str| Err(Error::new(Code::Damaged, what.to_owned()));
        if self.required_features & !KNOWN_FEATURES != 0 {
            return Err(unknown_features(self.required_features));
        }
        if self.commit == 0 || self.dim == 0 || self.dim as usize > crate::model::MAX_DIM {
            return bad("the manifest names an impossible version or dimension");
        }
        if !self.files.windows(2).all(|w| (w[0].kind, w[0].id) < (w[1].kind, w[1].id)) {
            return bad("the manifest's files are not in order");
        }
        let mut ids: Vec<u64> =
            self.files.iter().map(|f| f.id).chain((self.log != 0).then_some(self.log)).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|w| w[0] == w[1]) || ids.last().is_some_and(|id| *id >= self.next_file) {
            return bad("the manifest uses a file id twice");
        }
        self.check_placements()?;
        let with_rows = self.point_files().chain(self.of(FileKind::Index));
        let rows: std::collections::HashMap<u64, u64> = with_rows.map(|f| (f.id, f.rows)).collect();
        for f in &self.files {
            if f.kind == FileKind::Deletions && rows.get(&f.target).is_none_or(|n| f.rows > *n) {
                return bad("the manifest deletes rows of a file that it does not name");
            }
            if f.rows > 0 && (f.entity_min > f.entity_max || f.t_min > f.t_max || f.seq_min > f.seq_max) {
                return bad("the manifest has bounds in the wrong order");
            }
        }
        let ascending = self.covered.windows(2).all(|w| w[0] < w[1]);
        if !ascending || !self.covered.iter().all(|id| self.may_be_covered(*id)) {
            return bad("the manifest says that the index holds a file that it does not name");
        }
        if self.required_features & FEATURE_COVERED == 0 && !self.covered.is_empty() {
            return bad("the manifest has files in the index without the feature for it");
        }
        Ok(())
    }

    /// Every warm and cold file has one placement that makes sense, and nothing else has.
    fn check_placements(&self) -> Result<()> {
        let bad = |what: &str| Err(Error::new(Code::Damaged, what.to_owned()));
        if !self.placements.windows(2).all(|w| w[0].id < w[1].id) {
            return bad("the manifest's placements are not in order");
        }
        let placed = self.files.iter().filter(|f| f.kind.is_placed());
        if placed.clone().count() != self.placements.len() {
            return bad("the manifest has placements of files that it does not name");
        }
        for f in placed {
            let Some(p) = self.placement(f.id) else {
                return bad("the manifest names a warm or cold file without its place");
            };
            if p.check(f.kind).is_none() || p.store as usize > self.stores.len() {
                return bad("the manifest has an impossible placement");
            }
            if f.kind == FileKind::Cold
                && p.codebook != 0
                && self.find(FileKind::Codebook, p.codebook).is_none()
            {
                return bad("the manifest names a cold block without its codebook");
            }
            if f.kind == FileKind::Original && self.find(FileKind::Cold, f.target).is_none() {
                return bad("the manifest keeps originals of a block that it does not name");
            }
        }
        Ok(())
    }
}
