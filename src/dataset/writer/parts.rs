//! The index in the next version: points that leave it, parts that come and go.

use super::Writer;
use crate::dataset::coverage::Coverage;
use crate::dataset::deletions;
use crate::dataset::index::{self, IndexPart, NewIndex};
use crate::dataset::part::{Part, RowId};
use crate::dataset::snapshot::Snapshot;
use crate::error::{Code, Error, Result};
use crate::format::container::Finished;
use crate::fsio;
use crate::index::{Check, Reader};
use crate::manifest::{FileEntry, FileKind};
use roaring::RoaringBitmap;

impl Writer {
    /// Takes points out of the index that stay in the dataset: those whose exact vectors leave it.
    /// From the next version on they are found by scanning. The caller publishes.
    pub fn unindex(&mut self, points: impl IntoIterator<Item = RowId>) -> Result<()> {
        self.unindexed.extend(points);
        self.write_unindexed()
    }

    /// Writes the deletion sets of index parts that lost rows since the last time. A part that
    /// cannot be read is given up: queries scan what it covered, and the next build covers it anew.
    pub(in crate::dataset) fn write_unindexed(&mut self) -> Result<()> {
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
        let open = index::open(&self.dir, &self.config, &self.manifest, entry)?;
        let rows = index::rows_of(&open.part.reader(Check::Lazy)?, entry, points)?;
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
    pub(in crate::dataset) fn drop_index_parts(
        &mut self,
        holds: &dyn Fn(&Reader<'_>) -> Result<bool>,
    ) -> Result<usize> {
        let mut ids = Vec::new();
        for entry in self.manifest.index_parts() {
            let look = || {
                holds(
                    &index::open(&self.dir, &self.config, &self.manifest, &entry)?
                        .part
                        .reader(Check::Lazy)?,
                )
            };
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
    pub(in crate::dataset) fn remove_index(&mut self, ids: &[u64]) {
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
        self.change(|w| w.put_index(new, old, base, (&gone, died)))?;
        Ok(true)
    }

    fn put_index(
        &mut self,
        new: Vec<NewIndex>,
        old: &[u64],
        base: &Snapshot,
        (gone, died): (&[FileEntry], Vec<RowId>),
    ) -> Result<()> {
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
        self.note_covered(base, gone)?;
        self.publish()
    }

    /// Works out which files the index holds as a whole, now that parts have come and others are gone.
    fn note_covered(&mut self, base: &Snapshot, gone: &[FileEntry]) -> Result<()> {
        let parts: Vec<FileEntry> = self.manifest.index_parts();
        let open = parts.iter().map(|e| index::open(&self.dir, &self.config, &self.manifest, e));
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
    fn part_beside(&mut self, base: &Snapshot, file: &FileEntry) -> Result<Part> {
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
            self.change(Writer::publish)?;
        }
        Ok(ids.len())
    }
}
