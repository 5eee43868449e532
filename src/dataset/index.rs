//! The index as the dataset sees it: which points its parts cover, which rows of theirs no longer
//! count, how parts come and go.
//!
//! Owns `index/NNNNNNNNNN.idx`, written by [`crate::index`]. A part covers points by sequence
//! number and time, and no two parts cover the same point. A point that is superseded or deleted
//! has its row in the deletion set of its part, written with the version that says so.

use super::deletions;
use super::part::Part as Points;
use super::snapshot::Snapshot;
use super::writer::{Writer, owner};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::format::container::{Expect, Finished, Kind, Seal};
use crate::fsio::{self, Lock, TempFile};
use crate::index::{Check, Part, Reader};
use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::model::{Key, TimeRange, VectorSource};
use roaring::RoaringBitmap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file id in the header of every index part: parts are built before they have an id.
pub const FILE_ID: u64 = 0;

/// A stored row, whatever file holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowId {
    /// Its sequence number.
    pub seq: u64,
    /// Its key.
    pub key: Key,
}

impl Points {
    /// What a row is called wherever it moves.
    pub fn row_id(&self, row: u32) -> RowId {
        RowId { seq: self.seq(row as usize), key: self.key(row as usize) }
    }
}

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
    /// True when a part of the index covers a point.
    pub fn covers(&self, seq: u64, t: i64) -> bool {
        self.seq_min <= seq && seq <= self.seq_max && self.time().contains(t)
    }

    /// True when a part of the index covers every point of a file.
    pub fn covers_all(&self, file: &FileEntry) -> bool {
        self.covers(file.seq_min, file.t_min) && self.covers(file.seq_max, file.t_max)
    }
}

impl Manifest {
    /// Parts of the index, those of the oldest points first.
    pub fn index_parts(&self) -> Vec<FileEntry> {
        let mut parts: Vec<FileEntry> = self.of(FileKind::Index).copied().collect();
        parts.sort_unstable_by_key(|f| f.seq_min);
        parts
    }
}

impl Snapshot {
    /// Opens a part of the index with the rows that are dead in this version.
    pub fn index_part(&self, entry: &FileEntry) -> Result<IndexPart> {
        let mut open = open(self.dir(), self.config(), self.manifest(), entry)?;
        let replaced = self.replaced()?;
        if !replaced.is_empty() {
            let rows = rows_of(&open.part.reader(Check::Lazy)?, entry, &replaced)?;
            open.dead |= rows;
        }
        Ok(open)
    }
}

fn open(dir: &Path, config: &Config, manifest: &Manifest, entry: &FileEntry) -> Result<IndexPart> {
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
fn rows_of(reader: &Reader<'_>, entry: &FileEntry, points: &[RowId]) -> Result<RoaringBitmap> {
    let mut rows = RoaringBitmap::new();
    for point in points.iter().filter(|p| entry.covers(p.seq, p.key.t)) {
        rows.extend(reader.row(point.key)?);
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
    /// First and last sequence number that it covers.
    pub seqs: (u64, u64),
    /// The times that it covers.
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

/// Holds the parts of the index against the points they cover: each point once, in the right
/// part, and nothing else. Returns the number of parts.
pub(super) fn verify(
    s: &Snapshot,
    whole: bool,
    out: &mut dyn FnMut(&FileEntry, Result<String>) -> Result<()>,
) -> Result<()> {
    for entry in s.manifest().index_parts() {
        let look = || -> Result<String> {
            let open = s.index_part(&entry)?;
            let alive = entry.rows - open.dead.len();
            if whole {
                open.part.verify()?;
                let found = points_found(s, &open)?;
                if found != alive {
                    let path = s.dir().join(entry.path());
                    return Err(Error::damaged(
                        &path,
                        format!("{alive} rows count, {found} of them are points"),
                    ));
                }
            }
            Ok(format!("{alive} points, {} dead rows", open.dead.len()))
        };
        out(&entry, look())?;
    }
    Ok(())
}

/// Points that a part covers; each must have a row in it that counts.
fn points_found(s: &Snapshot, open: &IndexPart) -> Result<u64> {
    let reader = open.part.reader(Check::Whole)?;
    let mut found = 0;
    // Cold points are scanned, whatever covers them.
    let cold = |p: &&crate::dataset::Part| p.entry.is_some_and(|f| f.kind == FileKind::Cold);
    for part in s.parts()?.into_iter().filter(|p| !cold(p)) {
        for row in (0..part.rows() as u32).filter(|row| part.is_live(*row as usize)) {
            let point = part.row_id(row);
            if open.entry.covers(point.seq, point.key.t) {
                let row = reader.row(point.key)?;
                if row.is_none_or(|row| open.dead.contains(row)) {
                    // Points of lossy blocks have left the index, and are scanned.
                    if part.is_lossy() {
                        continue;
                    }
                    return Err(Error::damaged(
                        &s.dir().join(open.entry.path()),
                        format!("entity {} at {} is missing", point.key.entity, point.key.t),
                    ));
                }
                found += 1;
            }
        }
    }
    Ok(found)
}

impl Writer {
    /// Takes points out of the index that stay in the dataset: those whose exact vectors leave it.
    /// From the next version on they are found by scanning. The caller publishes.
    pub fn unindex(&mut self, points: impl IntoIterator<Item = RowId>) -> Result<()> {
        self.unindexed.extend(points);
        self.write_unindexed()
    }

    /// Writes the deletion sets of index parts that lost rows since the last time. A part that
    /// cannot be read is given up: queries scan what it covered, and the next build covers it anew.
    pub(super) fn write_unindexed(&mut self) -> Result<()> {
        let points = std::mem::take(&mut self.unindexed);
        if points.is_empty() {
            return Ok(());
        }
        for entry in self.manifest.index_parts() {
            match self.without(&entry, &points) {
                Ok(None) => {}
                Ok(Some(dead)) => self.write_dead(&entry, &dead)?,
                Err(e) if matches!(e.code(), Code::Damaged | Code::Io) => self.remove_index(&[entry.id]),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The dead rows of a part once `points` are dead, if that changes them.
    fn without(&self, entry: &FileEntry, points: &[RowId]) -> Result<Option<RoaringBitmap>> {
        if !points.iter().any(|p| entry.covers(p.seq, p.key.t)) {
            return Ok(None);
        }
        let open = open(&self.dir, &self.config, &self.manifest, entry)?;
        let rows = rows_of(&open.part.reader(Check::Lazy)?, entry, points)?;
        let dead = &open.dead | rows;
        Ok((dead != open.dead).then_some(dead))
    }

    fn write_dead(&mut self, part: &FileEntry, dead: &RoaringBitmap) -> Result<()> {
        let id = self.take_id();
        let (finished, seal) = deletions::write(self.temp(id)?, self.config.id, id, dead)?;
        let entry =
            FileEntry { target: part.id, rows: dead.len(), ..FileEntry::bare(FileKind::Deletions, id, seal) };
        self.publish_file(finished, &entry)?;
        self.manifest.files.retain(|f| f.kind != FileKind::Deletions || f.target != part.id);
        self.manifest.files.push(entry);
        self.unpublished = true;
        Ok(())
    }

    /// Gives up the parts that cover some points which they do not hold: queries scan what they
    /// covered, and the next build covers it anew. The caller publishes.
    pub(super) fn uncover(&mut self, points: &[RowId]) {
        let covers = |f: &&FileEntry| points.iter().any(|p| f.covers(p.seq, p.key.t));
        let ids: Vec<u64> = self.manifest.of(FileKind::Index).filter(covers).map(|f| f.id).collect();
        self.remove_index(&ids);
    }

    /// Takes parts and their deletion sets out of the next version.
    fn remove_index(&mut self, ids: &[u64]) {
        let before = self.manifest.files.len();
        self.manifest.files.retain(|f| match f.kind {
            FileKind::Index => !ids.contains(&f.id),
            FileKind::Deletions => !ids.contains(&f.target),
            _ => true,
        });
        self.unpublished |= self.manifest.files.len() != before;
    }

    /// Puts new parts in the place of some old ones, in one new version. `base` is what the new
    /// parts were built from; what died since is dead in them.
    pub fn publish_index(&mut self, new: Vec<NewIndex>, old: &[u64], base: &Snapshot) -> Result<()> {
        if let Some(id) = old.iter().find(|id| self.manifest.find(FileKind::Index, **id).is_none()) {
            let path = FileKind::Index.path(*id);
            return Err(Error::new(Code::Failed, format!("{path} was dropped while the index was built"))
                .fix("run the command again"));
        }
        let died = self.died_since(base, &new)?;
        self.broken = true;
        self.remove_index(old);
        fsio::create_dir(&self.dir.join("index"))?;
        for part in new {
            let entry = FileEntry {
                rows: part.rows,
                entity_max: u64::MAX,
                t_min: part.time.first(),
                t_max: part.time.last(),
                seq_min: part.seqs.0,
                seq_max: part.seqs.1,
                ..FileEntry::bare(FileKind::Index, self.take_id(), part.seal)
            };
            self.publish_file(Finished::File(part.file), &entry)?;
            self.manifest.files.push(entry);
        }
        self.unpublished = true;
        self.unindex(died)?;
        self.publish()?;
        self.broken = false;
        Ok(())
    }

    /// Rows of `base` that new parts cover and that no longer count.
    fn died_since(&mut self, base: &Snapshot, new: &[NewIndex]) -> Result<Vec<RowId>> {
        let mut died = Vec::new();
        for i in 0..base.part_count() {
            let part = base.part(i)?;
            let Some(entry) = part.entry else { continue };
            let covered = |seq: u64, t: i64| {
                new.iter().any(|n| n.seqs.0 <= seq && seq <= n.seqs.1 && n.time.contains(t))
            };
            let mut put = |row: u32| {
                let row = part.row_id(row);
                if covered(row.seq, row.key.t) {
                    died.push(row);
                }
            };
            match self.slots.iter().position(|s| s.entry.id == entry.id) {
                Some(slot) => (&self.part(slot)?.dead - &part.dead).into_iter().for_each(&mut put),
                // Rewritten meanwhile: its rows are looked up one by one.
                None => {
                    for row in (0..part.rows() as u32).filter(|row| part.is_live(*row as usize)) {
                        if !self.holds(part.row_id(row))? {
                            put(row);
                        }
                    }
                }
            }
        }
        Ok(died)
    }

    /// True when a row is alive in a sealed file.
    fn holds(&mut self, row: RowId) -> Result<bool> {
        match self.sealed_row(row.key)? {
            None => Ok(false),
            Some((slot, at)) => Ok(self.part(slot)?.seq(at) == row.seq),
        }
    }

    /// Drops the index, in one new version. Returns how many parts there were.
    pub fn drop_index(&mut self) -> Result<usize> {
        let ids: Vec<u64> = self.manifest.of(FileKind::Index).map(|f| f.id).collect();
        self.remove_index(&ids);
        if !ids.is_empty() {
            self.broken = true;
            self.publish()?;
            self.broken = false;
        }
        Ok(ids.len())
    }
}

/// A directory below `tmp/` for files that are built without the writer's lock. It is locked
/// while this lives and removed afterwards; after a crash the next writer removes it.
#[derive(Debug)]
pub struct Staging {
    dir: PathBuf,
    lock: Option<Lock>,
}

impl Staging {
    /// Takes the directory `tmp/NAME` of a dataset; [`Code::Locked`] when another process has it.
    pub fn open(dataset: &Path, name: &str, command: &str) -> Result<Staging> {
        let dir = dataset.join("tmp").join(name);
        let path = dir.join("LOCK");
        for _ in 0..10 {
            fsio::create_dir(&dir)?;
            match std::fs::File::options().create_new(true).write(true).open(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io("create", &path, &e)),
                Ok(_) => {}
            }
            let lock = Lock::acquire(&path, Duration::ZERO, &owner(command))?;
            // Unless a writer swept the directory between the two steps.
            if path.exists() && fsio::try_exclusive(&path)?.is_none() {
                for name in fsio::list_dir(&dir)?.iter().filter(|name| *name != "LOCK") {
                    fsio::remove_file(&dir.join(name))?;
                }
                return Ok(Staging { dir, lock: Some(lock) });
            }
        }
        Err(Error::new(Code::Failed, "the directory of temporary files does not stay").file(dir))
    }

    /// A new file in it.
    pub fn file(&self, name: &str) -> Result<TempFile> {
        TempFile::create(self.dir.join(name))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What stays is swept by the next writer.
        let _ = super::gc::clear(&self.dir);
        drop(self.lock.take());
        let _ = fsio::remove_dir(&self.dir);
    }
}
