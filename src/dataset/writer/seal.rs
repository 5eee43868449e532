//! From memory to sealed files and a new version.

use super::{Delta, Slot, Writer};
use crate::dataset::memory::Memory;
use crate::dataset::options::Sync;
use crate::dataset::snapshot::open_dictionary;
use crate::dataset::{clock_us, deletions, gc};
use crate::dict;
use crate::error::{Error, Result};
use crate::format::container::Finished;
use crate::fsio::{Publish, TempFile};
use crate::manifest::{self, FileEntry, FileKind, Manifest};
use crate::model::EntityId;
use crate::segment::{SegmentWriter, Spec};
use roaring::RoaringBitmap;

impl Writer {
    pub(super) fn take_id(&mut self) -> u64 {
        self.manifest.next_file += 1;
        self.manifest.next_file - 1
    }

    /// Moves all rows of the log into a sealed segment and publishes it. Nothing to do without rows.
    pub fn seal(&mut self) -> Result<()> {
        self.change(Writer::seal_now)
    }

    pub(super) fn seal_now(&mut self) -> Result<()> {
        self.write_segment()?;
        if self.options.sync == Sync::Commit && self.unpublished {
            self.publish()?;
        }
        Ok(())
    }

    fn write_segment(&mut self) -> Result<()> {
        self.log = None;
        if self.manifest.log != 0 {
            self.manifest.log = 0;
            self.unpublished = true;
        }
        self.write_names()?;
        if !self.memory.is_empty() {
            let s = self.config.settings;
            let id = self.take_id();
            let spec = Spec {
                dataset: self.config.id,
                id,
                dim: s.dim,
                keyframe_interval: s.keyframe_interval,
                tolerance: s.delta_tolerance,
            };
            let mut w = SegmentWriter::create(self.temp(id)?, spec)?;
            self.memory.write(&mut w)?;
            let (finished, written) = w.finish()?;
            let entry = FileEntry {
                kind: FileKind::Segment,
                id,
                seal: written.seal,
                target: 0,
                rows: written.rows,
                entity_min: written.entities.0,
                entity_max: written.entities.1,
                t_min: written.times.0,
                t_max: written.times.1,
                seq_min: written.seqs.0,
                seq_max: written.seqs.1,
            };
            self.publish_file(finished, &entry)?;
            self.memory = Memory::new(s.dim);
            self.shelf.part(&self.manifest, &entry, &RoaringBitmap::new())?.check_written()?;
            // Opened again when needed: the check has touched every page of this map.
            self.slots.push(Slot { entry, part: None, dirty: false });
            self.manifest.files.push(entry);
            self.unpublished = true;
        }
        self.manifest.next_seq = self.next_seq;
        self.write_deletions()
    }

    /// Writes new names, together with files of names that are not much larger, so that their
    /// number stays logarithmic.
    fn write_names(&mut self) -> Result<()> {
        if self.new_names.is_empty() {
            return Ok(());
        }
        let mut names = std::mem::take(&mut self.new_names);
        let mut merged = Vec::new();
        let files: Vec<FileEntry> = self.manifest.of(FileKind::Dictionary).copied().collect();
        for f in files.iter().rev() {
            if f.rows > 2 * names.len() as u64 {
                break;
            }
            names.extend(self.dict.names_of_file(f.id)?);
            merged.push(f.id);
        }
        self.replace_names(names, &merged)
    }

    /// Puts one file of `names` in the place of some dictionary files; none where there are no names.
    pub(super) fn replace_names(
        &mut self,
        mut names: Vec<(EntityId, String)>,
        replaced: &[u64],
    ) -> Result<()> {
        self.manifest.files.retain(|f| f.kind != FileKind::Dictionary || !replaced.contains(&f.id));
        if !names.is_empty() {
            names.sort_unstable();
            let id = self.take_id();
            let spec = dict::Spec { dataset: self.config.id, id };
            let (finished, w) = dict::write(self.temp(id)?, spec, &names)?;
            let entry = FileEntry {
                rows: w.names,
                entity_min: w.entities.0,
                entity_max: w.entities.1,
                ..FileEntry::bare(FileKind::Dictionary, id, w.seal)
            };
            self.publish_file(finished, &entry)?;
            self.manifest.files.push(entry);
        }
        self.dict = open_dictionary(&self.dir, &self.config, &self.manifest)?;
        self.unpublished = true;
        Ok(())
    }

    pub(super) fn write_deletions(&mut self) -> Result<()> {
        for i in 0..self.slots.len() {
            if !self.slots[i].dirty {
                continue;
            }
            let id = self.take_id();
            let target = self.slots[i].entry.id;
            let Some(part) = &self.slots[i].part else { continue };
            let (finished, seal) = deletions::write(self.temp(id)?, self.config.id, id, &part.dead)?;
            let entry =
                FileEntry { target, rows: part.dead.len(), ..FileEntry::bare(FileKind::Deletions, id, seal) };
            self.publish_file(finished, &entry)?;
            self.manifest.files.retain(|f| f.kind != FileKind::Deletions || f.target != target);
            self.manifest.files.push(entry);
            self.slots[i].dirty = false;
            self.unpublished = true;
        }
        self.write_unindexed()
    }

    pub(super) fn temp(&self, id: u64) -> Result<TempFile> {
        TempFile::create(self.dir.join(format!("tmp/{id:010}")))
    }

    pub(super) fn publish_file(&mut self, finished: Finished, entry: &FileEntry) -> Result<()> {
        self.written += entry.seal.len;
        let Finished::File(file) = finished else {
            return Err(Error::internal("a file that was written to memory"));
        };
        let dest = self.dir.join(entry.path());
        match self.options.sync {
            Sync::None => file.publish_unsynced(&dest),
            Sync::Commit | Sync::End => file.publish(&dest, Publish::New),
        }
    }

    /// Publishes the state in memory as the next version.
    pub(super) fn publish(&mut self) -> Result<()> {
        self.manifest.arrange();
        let next = Manifest {
            commit: self.manifest.commit.max(self.highest) + 1,
            parent: self.sum,
            created_us: clock_us(),
            command: self.options.command.clone(),
            rows_added: self.delta.added,
            rows_replaced: self.delta.replaced,
            rows_deleted: self.delta.deleted,
            ..self.manifest.clone()
        };
        self.sum = manifest::publish(&self.dir, &next)?;
        let retired_log = self.published_log != 0 && self.published_log != next.log;
        self.published_log = next.log;
        self.highest = next.commit;
        self.manifest = next;
        self.delta = Delta::default();
        self.unpublished = false;
        // A log that was sealed holds its rows a second time; everything else waits for the end.
        if retired_log {
            gc::collect(&self.dir, &self.manifest, self.options.keep_for)?;
        }
        Ok(())
    }
}
