//! The index as the dataset sees it: which rows of its parts no longer count, how parts come and go.
//!
//! Owns `index/NNNNNNNNNN.idx`, written by [`crate::index`]. A point that is superseded or deleted, or
//! that moves to a cold block, has its row in the deletion set of its part, written with the version
//! that says so. `coverage.rs` says which points the parts hold.

use super::coverage::Coverage;
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
use std::time::{Duration, Instant};

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
    /// False when a part of the index cannot hold a point.
    fn may_hold(&self, point: &RowId) -> bool {
        self.seq_min <= point.seq && point.seq <= self.seq_max && self.time().contains(point.key.t)
    }
}

impl Manifest {
    /// Parts of the index, those that were built first in front.
    pub fn index_parts(&self) -> Vec<FileEntry> {
        self.of(FileKind::Index).copied().collect()
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

/// Holds the parts of the index against the points of the dataset: each row that counts stands for one
/// point, and the files that the manifest says are held are.
pub(super) fn verify(
    s: &Snapshot,
    whole: bool,
    out: &mut dyn FnMut(&FileEntry, Result<String>) -> Result<()>,
) -> Result<()> {
    let mut sound = Vec::new();
    for entry in s.manifest().index_parts() {
        let mut look = || -> Result<String> {
            let open = s.index_part(&entry)?;
            let alive = entry.rows - open.dead.len();
            if !open.part.is_current() {
                let text = "built by an older program and not used; `cvx index build` builds it again";
                return Ok(text.to_owned());
            }
            let told = format!("{alive} points, {} dead rows", open.dead.len());
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
            sound.push(open);
            Ok(told)
        };
        out(&entry, look())?;
    }
    if whole { verify_covered(s, &sound, out) } else { Ok(()) }
}

/// Points that have a row in a part.
fn points_found(s: &Snapshot, open: &IndexPart) -> Result<u64> {
    let readers = [open.part.reader(Check::Whole)?];
    let coverage = Coverage::new(std::slice::from_ref(open), &readers);
    let mut found = 0;
    for part in s.parts()? {
        let mut live = Vec::new();
        part.live_ranges(0..part.rows(), &mut live);
        coverage.places(part, &live, &mut |_, place| found += u64::from(place.is_some()))?;
    }
    Ok(found)
}

/// Reports the files that the manifest says are held by the index and are not.
fn verify_covered(
    s: &Snapshot,
    parts: &[IndexPart],
    out: &mut dyn FnMut(&FileEntry, Result<String>) -> Result<()>,
) -> Result<()> {
    let readers = parts.iter().map(|p| p.part.reader(Check::Lazy)).collect::<Result<Vec<_>>>()?;
    let coverage = Coverage::new(parts, &readers);
    for i in 0..s.part_count() {
        let Some(entry) = s.part_entry(i).copied().filter(|f| s.manifest().is_covered(f, &[])) else {
            continue;
        };
        let part = s.part(i)?;
        if !coverage.holds_all(part)? {
            out(&entry, Err(part.damaged("the index lacks points of this file, and searches miss them")))?;
        }
    }
    Ok(())
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
        if !points.iter().any(|p| entry.may_hold(p)) {
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

    /// Takes the parts whose files hold what `holds` looks for out of the next version: queries scan what they
    /// covered, and the next build covers it again. Returns how many there were. The caller publishes.
    pub(super) fn drop_index_parts(&mut self, holds: &dyn Fn(&Reader<'_>) -> Result<bool>) -> Result<usize> {
        let mut ids = Vec::new();
        for entry in self.manifest.index_parts() {
            let look =
                || holds(&open(&self.dir, &self.config, &self.manifest, &entry)?.part.reader(Check::Lazy)?);
            match look() {
                Ok(false) => {}
                // What cannot be read may hold it.
                Ok(true) => ids.push(entry.id),
                Err(e) if matches!(e.code(), Code::Damaged | Code::Io) => ids.push(entry.id),
                Err(e) => return Err(e),
            }
        }
        self.remove_index(&ids);
        Ok(ids.len())
    }

    /// Takes parts and their deletion sets out of the next version.
    pub(super) fn remove_index(&mut self, ids: &[u64]) {
        let before = self.manifest.files.len();
        let gone: Vec<FileEntry> =
            self.manifest.of(FileKind::Index).filter(|f| ids.contains(&f.id)).copied().collect();
        let m = &self.manifest;
        let held = |id: &u64| m.point_files().any(|f| f.id == *id && m.is_covered(f, &gone));
        let covered: Vec<u64> = m.covered.iter().copied().filter(held).collect();
        self.manifest.covered = covered;
        self.manifest.files.retain(|f| match f.kind {
            FileKind::Index => !ids.contains(&f.id),
            FileKind::Deletions => !ids.contains(&f.target),
            _ => true,
        });
        self.unpublished |= self.manifest.files.len() != before;
    }

    /// Puts new parts in the place of some old ones, in one new version. `base` is what the new
    /// parts were built from; what died or moved since is dead in them. False, and nothing is changed,
    /// when there are parts that `base` does not know: they may hold the same points.
    pub fn publish_index(&mut self, new: Vec<NewIndex>, old: &[u64], base: &Snapshot) -> Result<bool> {
        let known = |f: &FileEntry| base.manifest().find(FileKind::Index, f.id).is_some();
        if !self.manifest.of(FileKind::Index).all(known) {
            return Ok(false);
        }
        let gone: Vec<FileEntry> =
            old.iter().filter_map(|id| self.manifest.find(FileKind::Index, *id)).copied().collect();
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
        self.manifest.arrange();
        self.unpublished = true;
        self.unindex(died)?;
        self.manifest.arrange();
        self.note_covered(base, &gone)?;
        self.publish()?;
        self.broken = false;
        Ok(true)
    }

    /// Works out which files the index holds as a whole, now that parts have come and others are gone.
    fn note_covered(&mut self, base: &Snapshot, gone: &[FileEntry]) -> Result<()> {
        let parts: Vec<FileEntry> = self.manifest.index_parts();
        let open = parts.iter().map(|e| open(&self.dir, &self.config, &self.manifest, e));
        let parts = open.collect::<Result<Vec<IndexPart>>>()?;
        let readers = parts.iter().map(|p| p.part.reader(Check::Lazy)).collect::<Result<Vec<_>>>()?;
        let coverage = Coverage::new(&parts, &readers);
        let files: Vec<FileEntry> =
            self.manifest.point_files().filter(|f| f.kind != FileKind::Cold).copied().collect();
        let mut covered = Vec::new();
        for file in files {
            let held = self.manifest.is_covered(&file, gone)
                || parts.iter().any(|p| p.entry.meets(&file))
                    && coverage.holds_all(&self.part_beside(base, &file)?)?;
            covered.extend(held.then_some(file.id));
        }
        self.manifest.covered = covered;
        Ok(())
    }

    /// A file as it is now, without opening it again when `base` has it.
    fn part_beside(&mut self, base: &Snapshot, file: &FileEntry) -> Result<Points> {
        let Some(slot) = self.slots.iter().position(|s| s.entry.id == file.id) else {
            return Err(Error::internal("a file of points without its place in the writer"));
        };
        let mut part = match base.part_of(file.id)? {
            Some(part) if part.entry == Some(*file) => part.clone(),
            _ => return Ok(self.part(slot)?.clone()),
        };
        part.dead |= self.dead_of(slot)?;
        Ok(part)
    }

    /// Rows of `base` that new parts may hold and that no longer count, or are scanned from now on.
    fn died_since(&mut self, base: &Snapshot, new: &[NewIndex]) -> Result<Vec<RowId>> {
        let mut died = Vec::new();
        for i in 0..base.part_count() {
            let Some(entry) = base.part_entry(i).filter(|f| f.kind != FileKind::Cold) else { continue };
            if !new.iter().any(|n| n.seqs.0 <= entry.seq_max && entry.seq_min <= n.seqs.1) {
                continue;
            }
            let (entry, part) = (*entry, base.part(i)?);
            match self.slots.iter().position(|s| s.entry == entry) {
                Some(slot) => {
                    let dead = self.dead_of(slot)? - &part.dead;
                    died.extend(dead.into_iter().map(|row| part.row_id(row)));
                }
                // Rewritten meanwhile: its rows are looked up one by one.
                None => {
                    for row in (0..part.rows() as u32).filter(|row| part.is_live(*row as usize)) {
                        let point = part.row_id(row);
                        if !self.holds(point, part.is_approx(row as usize))? {
                            died.push(point);
                        }
                    }
                }
            }
        }
        Ok(died)
    }

    /// True when a row is alive in a segment or a warm file, with the same vector. A row that went
    /// through a lossy block and came back keeps its number and has another vector.
    fn holds(&mut self, row: RowId, approx: bool) -> Result<bool> {
        let Some((slot, at)) = self.sealed_row(row.key)? else { return Ok(false) };
        let exact = self.slots[slot].entry.kind != FileKind::Cold;
        let part = self.part(slot)?;
        Ok(exact && part.seq(at) == row.seq && part.is_approx(at) == approx)
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

/// How long a sweep of `tmp/` by another process is waited for in any case.
const SWEEP: Duration = Duration::from_secs(10);
/// As [`SWEEP`], where the lock names a build; it may be one that was killed, whose place is being swept.
const BUILD: Duration = Duration::from_millis(500);

/// A directory below `tmp/` for files that are built without the writer's lock. It is locked
/// while this lives and removed afterwards; after a crash the next writer removes it.
#[derive(Debug)]
pub struct Staging {
    dir: PathBuf,
    lock: Option<Lock>,
}

impl Staging {
    /// Takes the directory `tmp/NAME` of a dataset. Another process that works there is waited for,
    /// at most `timeout`; then the error is [`Code::Locked`]. A writer that sweeps `tmp/` at this moment
    /// may hold the lock, or remove the directory, between any two steps: then they are taken again.
    pub fn open(dataset: &Path, name: &str, command: &str, timeout: Duration) -> Result<Staging> {
        let dir = super::gc::own_tmp(dataset)?.join(name);
        let path = dir.join("LOCK");
        let started = Instant::now();
        loop {
            match Staging::take(&dir, &path, command) {
                Ok(Some(lock)) => {
                    for name in fsio::list_dir(&dir)?.iter().filter(|name| *name != "LOCK") {
                        fsio::remove_file(&dir.join(name))?;
                    }
                    return Ok(Staging { dir, lock: Some(lock) });
                }
                Ok(None) if started.elapsed() < timeout.max(SWEEP) => {}
                Ok(None) => {
                    let text = "the directory of temporary files does not stay";
                    return Err(Error::new(Code::Failed, text).file(dir));
                }
                // A sweep takes milliseconds and writes no name into the lock.
                Err(e) if e.code() == Code::Locked => {
                    let least = if Lock::owner(&path).is_some() { BUILD } else { SWEEP };
                    if started.elapsed() >= timeout.max(least) {
                        return Err(e);
                    }
                }
                Err(e) => return Err(e),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// One attempt; `None` when the directory vanished meanwhile.
    fn take(dir: &Path, path: &Path, command: &str) -> Result<Option<Lock>> {
        fsio::create_dir(dir)?;
        if dir.is_symlink() {
            return Err(Error::damaged(dir, "a link is in the place of a directory of temporary files")
                .fix("remove the link"));
        }
        if !fsio::create_lock(path)? {
            return Ok(None);
        }
        match Lock::acquire(path, Duration::ZERO, &owner(command)) {
            Err(e) if e.errno() == Some(rustix::io::Errno::NOENT.raw_os_error()) => Ok(None),
            Err(e) => Err(e),
            Ok(lock) => Ok(lock.is_current().then_some(lock)),
        }
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
