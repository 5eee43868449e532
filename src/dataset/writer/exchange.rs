//! New files in the place of old ones, in one version: what `compact` and `tier` publish.
//!
//! The files were built from a pinned version without the lock. Points that died meanwhile die
//! in the new files too; when an input is no longer live, the exchange is off.

use super::{Slot, Writer};
use crate::cold::Store;
use crate::dataset::gc;
use crate::dataset::part::{Part, RowId};
use crate::dataset::snapshot::Snapshot;
use crate::dataset::workshop::Workshop;
use crate::error::{Error, Result};
use crate::fsio::{self, Publish, TempFile};
use crate::manifest::{FileEntry, FileKind, HOME, Manifest, Placement};
use crate::model::Key;
use roaring::RoaringBitmap;
use std::collections::HashSet;
use std::path::Path;

/// A finished file that waits for its name.
#[derive(Debug)]
pub struct Made {
    /// The file, complete.
    pub file: TempFile,
    /// What the manifest will say of it.
    pub entry: FileEntry,
    /// Where it goes. Its store is the exchange's target.
    pub place: Placement,
}

/// Files in the place of others.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The version that the new files were made from.
    pub pinned: &'a Snapshot,
    /// Files whose live rows are all in the new ones.
    pub replaced: Vec<u64>,
    /// Rows of other files that are in the new ones.
    pub moved: Vec<(u64, RoaringBitmap)>,
    /// The new files.
    pub made: Vec<Made>,
    /// Warm files among the replaced ones that are kept as originals of a new block: both ids.
    pub kept: Vec<(u64, u64)>,
    /// Where cold files go; `None` for the dataset's directory.
    pub target: Option<String>,
}

impl<'a> Exchange<'a> {
    /// An exchange of nothing.
    pub fn new(pinned: &'a Snapshot) -> Exchange<'a> {
        Exchange {
            pinned,
            replaced: Vec::new(),
            moved: Vec::new(),
            made: Vec::new(),
            kept: Vec::new(),
            target: None,
        }
    }

    fn inputs(&self) -> impl Iterator<Item = u64> {
        self.replaced.iter().copied().chain(self.moved.iter().map(|(id, _)| *id))
    }
}

impl Writer {
    /// Sets aside `ids` file ids and a directory for a build without the lock.
    pub fn workshop(&mut self, ids: u64) -> Result<Workshop> {
        let first = self.manifest.next_file;
        self.manifest.next_file += ids;
        Workshop::create(&self.dir, first, self.manifest.next_file)
    }

    /// Puts the new files in the place of the old ones and publishes. `None`, and nothing is
    /// changed, when an old one, or the codebook of a new one, is no longer live.
    pub fn exchange(&mut self, x: Exchange<'_>) -> Result<Option<u64>> {
        self.seal()?;
        let then = x.pinned.manifest();
        let same = |id: u64| {
            let find = |m: &Manifest| m.point_files().find(|f| f.id == id).copied();
            find(then).is_some() && find(then) == find(&self.manifest)
        };
        let coded = |m: &Made| {
            let book = m.place.codebook;
            book == 0
                || x.made.iter().any(|other| other.entry.id == book)
                || self.manifest.find(FileKind::Codebook, book).is_some()
        };
        if !x.inputs().all(same) || !x.made.iter().all(coded) {
            return Ok(None);
        }
        let died = self.died_meanwhile(&x)?;
        let leaving = self.leaving(&x)?;
        let covered = self.still_covered(&x);
        self.change(|w| w.put_files(x, &died, leaving, covered))?;
        Ok(Some(self.manifest.commit))
    }

    fn put_files(
        &mut self,
        x: Exchange<'_>,
        died: &[Key],
        leaving: Vec<RowId>,
        covered: Vec<u64>,
    ) -> Result<()> {
        let store = self.store_number(x.target.as_deref());
        self.keep_originals(&x, store)?;
        let before = self.slots.len();
        for made in x.made {
            self.place_file(made, store)?;
        }
        self.bury(died, before)?;
        for (id, rows) in &x.moved {
            self.take_rows(*id, rows)?;
        }
        let kept: Vec<u64> = x.kept.iter().map(|(warm, _)| *warm).collect();
        self.drop_files(&x.replaced.iter().copied().filter(|id| !kept.contains(id)).collect());
        self.drop_empty();
        self.manifest.covered.extend(covered);
        self.manifest.arrange();
        self.unindex(leaving)?;
        self.write_deletions()?;
        self.publish()
    }

    /// Points of the inputs that were alive in the pinned version and are not any more.
    fn died_meanwhile(&mut self, x: &Exchange<'_>) -> Result<Vec<Key>> {
        let mut keys = Vec::new();
        for id in x.inputs() {
            let seal = |m: &Manifest| m.deletions_of(id).map(|d| (d.id, d.seal));
            if seal(x.pinned.manifest()) == seal(&self.manifest) {
                continue;
            }
            let dead_then = x.pinned.part_of(id)?.map(|p| p.dead.clone()).unwrap_or_default();
            let Some(i) = self.slots.iter().position(|s| s.entry.id == id) else { continue };
            let part = self.part(i)?;
            for row in &part.dead - dead_then {
                keys.push(crate::model::VectorSource::key(part, row as usize));
            }
        }
        Ok(keys)
    }

    /// Rows that go to cold: they leave the index and are scanned.
    fn leaving(&self, x: &Exchange<'_>) -> Result<Vec<RowId>> {
        let mut rows = Vec::new();
        if self.manifest.of(FileKind::Index).next().is_none()
            || !x.made.iter().any(|m| m.entry.kind == FileKind::Cold)
        {
            return Ok(rows);
        }
        for id in &x.replaced {
            let Some(part) = x.pinned.part_of(*id)? else { continue };
            let alive = (0..part.rows() as u32).filter(|r| part.is_live(*r as usize));
            rows.extend(alive.map(|r| part.row_id(r)));
        }
        Ok(rows)
    }

    /// New files whose rows the index holds: all that was taken came from files that it holds.
    fn still_covered(&self, x: &Exchange<'_>) -> Vec<u64> {
        let held = |id: &u64| self.manifest.covered.binary_search(id).is_ok();
        match x.moved.is_empty() && !x.replaced.is_empty() && x.replaced.iter().all(held) {
            true => x.made.iter().filter(|m| m.entry.kind == FileKind::Warm).map(|m| m.entry.id).collect(),
            false => Vec::new(),
        }
    }

    /// Number of a target in the manifest, where it is added when new.
    fn store_number(&mut self, target: Option<&str>) -> u32 {
        let Some(target) = target else { return HOME };
        let stores = &mut self.manifest.stores;
        let at = stores.iter().position(|s| s == target).unwrap_or_else(|| {
            stores.push(target.to_owned());
            stores.len() - 1
        });
        at as u32 + 1
    }

    /// Gives a file its name, reads it back, and names it in the manifest.
    fn place_file(&mut self, made: Made, store: u32) -> Result<()> {
        let Made { file, entry, mut place } = made;
        place.store = if entry.kind == FileKind::Warm { HOME } else { store };
        let name = place.path(entry.kind, &self.config.id);
        self.written += entry.seal.len;
        if place.store == HOME {
            create_dirs(&self.dir, &name)?;
            file.publish(&self.dir.join(name), Publish::New)?;
        } else {
            self.put(store, &name, file.path())?;
        }
        self.manifest.add(entry, Some(place));
        self.manifest.arrange();
        if entry.kind.holds_points() {
            let part = self.shelf.part(&self.manifest, &entry, &RoaringBitmap::new())?;
            part.check_written()?;
            check_entry(&part, &entry)?;
            self.slots.push(Slot { entry, part: None, dirty: false });
        }
        self.unpublished = true;
        Ok(())
    }

    /// Moves exact files to the target of their blocks.
    fn keep_originals(&mut self, x: &Exchange<'_>, store: u32) -> Result<()> {
        for (warm, block) in &x.kept {
            let entry = self.manifest.find(FileKind::Warm, *warm).copied();
            let place = self.manifest.placement(*warm).cloned();
            let (Some(entry), Some(place)) = (entry, place) else {
                return Err(Error::internal("an original that is not live"));
            };
            let from = self.dir.join(self.manifest.path_of(&entry));
            self.drop_files(&HashSet::from([*warm]));
            let entry = FileEntry { kind: FileKind::Original, target: *block, ..entry };
            let place = Placement { store, ..place };
            let name = place.path(entry.kind, &self.config.id);
            if store == HOME {
                create_dirs(&self.dir, &name)?;
                fsio::link(&from, &self.dir.join(&name))?;
            } else {
                self.put(store, &name, &from)?;
            }
            self.manifest.add(entry, Some(place));
        }
        Ok(())
    }

    /// Puts a file into another store. What has its name there is left from a run that died before
    /// it published: ids that a version names are not given out again.
    fn put(&self, store: u32, name: &str, file: &Path) -> Result<()> {
        if let Some(target) = self.manifest.stores.get((store as usize).wrapping_sub(1)) {
            Store::make(target)?;
        }
        let store = self.shelf.store(&self.manifest, store)?;
        store.remove(name)?;
        store.put_file(name, file)
    }

    /// Marks the rows of some keys as dead in the files from slot `first` on.
    fn bury(&mut self, keys: &[Key], first: usize) -> Result<()> {
        for key in keys {
            for i in first..self.slots.len() {
                if let Some(row) = self.part(i)?.live_row_of(*key) {
                    self.kill(i, row as u32)?;
                }
            }
        }
        Ok(())
    }

    /// Marks rows of a file as dead that live elsewhere now.
    fn take_rows(&mut self, id: u64, rows: &RoaringBitmap) -> Result<()> {
        let slot = self.slots.iter().position(|s| s.entry.id == id);
        let slot = slot.ok_or_else(|| Error::internal("rows of a file that is not live"))?;
        self.part(slot)?.dead |= rows;
        self.slots[slot].dirty = true;
        Ok(())
    }

    fn drop_files(&mut self, ids: &HashSet<u64>) {
        self.slots.retain(|s| !ids.contains(&s.entry.id));
        ids.iter().for_each(|id| self.manifest.drop_file(*id));
    }

    /// Takes out files of points without a live row, what belonged to dropped blocks, and
    /// stores that nothing lies in.
    fn drop_empty(&mut self) {
        let gone = |s: &Slot| s.part.as_ref().is_some_and(|p| p.live() == 0);
        let gone: HashSet<u64> = self.slots.iter().filter(|s| gone(s)).map(|s| s.entry.id).collect();
        self.drop_files(&gone);
        let m = &self.manifest;
        let orphaned = |f: &&FileEntry| match f.kind {
            FileKind::Original => m.find(FileKind::Cold, f.target).is_none(),
            FileKind::Codebook => m.placements.iter().all(|p| p.codebook != f.id),
            _ => false,
        };
        let orphans: HashSet<u64> = m.files.iter().filter(orphaned).map(|f| f.id).collect();
        self.drop_files(&orphans);
    }

    /// Collects garbage as [`Writer::finish`] does, without ending.
    pub fn collect(&self) -> Result<gc::Collected> {
        gc::collect(&self.dir, &self.manifest, self.options.keep_for)
    }
}

/// The bounds of a file that was read back are those that its writer named.
fn check_entry(part: &Part, e: &FileEntry) -> Result<()> {
    let entities = part.entities();
    let seen = (entities.first().copied(), entities.last().copied());
    let times = (part.times().iter().min().copied(), part.times().iter().max().copied());
    if seen == (Some(e.entity_min), Some(e.entity_max)) && times == (Some(e.t_min), Some(e.t_max)) {
        Ok(())
    } else {
        Err(part.damaged("the file just written does not hold the rows that were given to it"))
    }
}

/// Makes the directories of a path in the dataset.
fn create_dirs(dir: &Path, name: &str) -> Result<()> {
    let mut at = dir.to_owned();
    let parts: Vec<&str> = name.split('/').collect();
    for part in &parts[..parts.len() - 1] {
        at.push(part);
        if !at.is_dir() {
            fsio::create_dir(&at)?;
        }
    }
    Ok(())
}
