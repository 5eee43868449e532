//! The one writer of a dataset: takes batches, makes them durable, seals them, publishes.

mod add;
mod exchange;
mod forget;

pub use exchange::{Exchange, Made};
pub use forget::Forgotten;

use super::content::{self, Verdict};
use super::live_log;
use super::memory::Memory;
use super::part::{Part, may_hold};
use super::shelf::Shelf;
use super::snapshot::open_dictionary;
use super::{RowId, deletions, gc};
use crate::config::Config;
use crate::dict::{self, Dictionary};
use crate::error::{Error, Result};
use crate::format::container::Finished;
use crate::fsio::{self, Lock, Publish, TempFile};
use crate::manifest::{self, FileEntry, FileKind, Manifest};
use crate::model::{EntityId, Key, TimeRange};
use crate::points::{Origin, Points, Texts};
use crate::segment::{SegmentWriter, Spec};
use crate::time::clock_us;
use crate::wal::{self, Batch, LogId, LogWriter, NewName};
use roaring::RoaringBitmap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A log is sealed into a segment when it passes this many bytes. Every reader decodes the whole log when
/// it opens the dataset, so this bounds what an ingest that is under way costs each query.
const LOG_BYTES: u64 = 8 << 20;
/// A batch of at least this size is a segment of its own: writing it twice buys nothing, and a log of it
/// would be sealed at once.
const DIRECT_BYTES: usize = LOG_BYTES as usize;
/// Rows without a log, which no reader sees, are sealed when they pass this many bytes.
const SEAL_BYTES: u64 = 64 << 20;

/// What to do with other content for a key that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// Tell the caller.
    #[default]
    Error,
    /// Keep what is stored.
    Skip,
    /// Take the new content.
    Replace,
    /// Take the new content; of the same content too, where a part of the provenance that counts is another.
    Relabel {
        /// The embedding model counts.
        model: bool,
        /// The source counts.
        source: bool,
    },
}

impl OnConflict {
    /// The provenance that the same content gets, where it is another than what is stored: the parts that
    /// count from `given`.
    pub(super) fn relabelled(self, stored: &Origin, given: &Origin) -> Option<Origin> {
        let OnConflict::Relabel { model, source } = self else { return None };
        let part = |counts, given: &String, stored: &String| if counts { given } else { stored }.clone();
        let out = Origin {
            source: part(source, &given.source, &stored.source),
            model: part(model, &given.model, &stored.model),
        };
        (out != *stored).then_some(out)
    }
}

/// When rows become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// With each batch.
    #[default]
    Commit,
    /// All at the end: no log, one new version.
    End,
    /// As `End`, without waiting for the disk: for scratch data.
    None,
}

/// How to open a writer.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long to wait for the lock.
    pub lock_timeout: Duration,
    /// The command, for the lock's message and the manifest.
    pub command: String,
    /// When rows become durable.
    pub sync: Sync,
    /// How long versions that nobody reads are kept.
    pub keep_for: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            lock_timeout: Duration::ZERO,
            command: "library".into(),
            sync: Sync::Commit,
            keep_for: Duration::from_secs(3600),
        }
    }
}

/// Other content for a stored key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// Row of the batch.
    pub row: usize,
    /// Its key.
    pub key: Key,
}

/// What a batch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows with a new key.
    pub added: u64,
    /// Rows that were stored already, or skipped in a conflict.
    pub unchanged: u64,
    /// Rows that took the place of other content.
    pub replaced: u64,
    /// Rows in conflict.
    pub conflicts: u64,
    /// Entities without a point before.
    pub new_entities: u64,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) entry: FileEntry,
    part: Option<Part>,
    /// Dead rows have been added since the deletion set was written.
    dirty: bool,
}

/// An open dataset with the writer's lock. Dropped without [`Writer::finish`], it leaves what a
/// crash would: the next writer recovers.
#[derive(Debug)]
pub struct Writer {
    pub(super) dir: PathBuf,
    pub(super) config: Config,
    options: Options,
    lock: Lock,
    pub(super) manifest: Manifest,
    sum: u128,
    /// Largest commit number seen, published or left behind.
    highest: u64,
    shelf: Shelf,
    pub(super) slots: Vec<Slot>,
    dict: Dictionary,
    new_names: Vec<(EntityId, String)>,
    log: Option<LogWriter>,
    memory: Memory,
    next_seq: u64,
    recovered: Recovered,
    /// A write failed: nothing is known about what reached the disk.
    pub(super) broken: bool,
    /// Changes since the last publish, for the manifest.
    delta: (u64, u64, u64),
    pub(super) unpublished: bool,
    /// Rows that died since the deletion sets of the index were written.
    pub(super) unindexed: Vec<RowId>,
    /// The log that the newest published version names.
    published_log: u64,
    written: u64,
}

/// What opening a writer mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Rows of an earlier writer's log that were sealed.
    pub rows: u64,
    /// Bytes of a torn write that were dropped.
    pub torn: u64,
}

impl Writer {
    /// Takes the lock, seals what an earlier writer left in its log, and sweeps leftovers.
    pub fn open(dir: &Path, options: Options) -> Result<Writer> {
        let config = Config::read(dir)?;
        let lock = super::publish::lock(dir, options.lock_timeout, &owner(&options.command))?;
        let (manifest, sum) = manifest::load(dir)?;
        config.check_against(&manifest, dir)?;
        let mut this = Writer {
            highest: manifest::highest(dir)?.max(manifest.commit),
            shelf: Shelf::new(dir, &config),
            slots: manifest.point_files().map(|e| Slot { entry: *e, part: None, dirty: false }).collect(),
            dict: open_dictionary(dir, &config, &manifest)?,
            new_names: Vec::new(),
            log: None,
            memory: Memory::new(config.settings.dim),
            next_seq: manifest.next_seq,
            dir: dir.to_owned(),
            recovered: Recovered::default(),
            broken: false,
            delta: (0, 0, 0),
            unpublished: false,
            unindexed: Vec::new(),
            published_log: manifest.log,
            written: 0,
            config,
            options,
            lock,
            manifest,
            sum,
        };
        this.manifest.next_file = this.manifest.next_file.max(gc::largest_id(dir)? + 1);
        gc::sweep(dir)?;
        // What nobody needs goes first: the log can then be sealed on a disk that was full. Nothing is
        // removed because of a version whose name may still be lost with the power.
        if this.lock.was_abandoned() {
            fsio::sync_dir(&dir.join("manifest"))?;
            fsio::sync_dir(dir)?;
        }
        gc::collect(&this.dir, &this.manifest, this.options.keep_for)?;
        this.recover()?;
        gc::collect(&this.dir, &this.manifest, this.options.keep_for)?;
        Ok(this)
    }

    /// Reads the live log into memory and seals it. A log that was written to is never
    /// continued: after a failed sync its pages may be in memory and not on disk.
    fn recover(&mut self) -> Result<()> {
        if self.manifest.log != 0 {
            let id = live_log(&self.config, &self.manifest);
            let log = wal::read(&self.dir, &id)?;
            self.recovered = Recovered { rows: log.rows(), torn: log.torn };
            for (seq, batch) in log.batches {
                for n in &batch.names {
                    self.dict.record(n.id, &n.name);
                    self.new_names.push((n.id, n.name.clone()));
                }
                self.delta.0 += batch.points.len() as u64;
                self.next_seq = seq + batch.points.len() as u64;
                self.memory.extend(batch.points, &batch.replaces, seq);
            }
            for key in self.memory.replaced_keys().collect::<Vec<_>>() {
                if let Some((slot, row)) = self.sealed_row(key)? {
                    self.kill(slot, row as u32)?;
                }
            }
            self.unpublished = true;
            return self.seal();
        }
        // The last writer may have died between writing CURRENT and syncing it.
        if self.lock.was_abandoned() {
            self.publish()?;
        }
        Ok(())
    }

    /// What opening mended.
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Identity and settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The newest published version.
    pub fn commit(&self) -> u64 {
        self.manifest.commit
    }

    /// Sequence number of the next row.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// When rows become durable.
    pub fn sync(&self) -> Sync {
        self.options.sync
    }

    /// Bytes written to the log and to sealed files so far.
    pub fn bytes_written(&self) -> u64 {
        self.written
    }

    /// Points that count.
    pub fn points(&self) -> u64 {
        let sealed = |s: &Slot| s.part.as_ref().map_or_else(|| self.live_rows(&s.entry), Part::live);
        self.slots.iter().map(sealed).sum::<u64>() + self.memory.len() as u64
    }

    fn live_rows(&self, entry: &FileEntry) -> u64 {
        entry.rows - self.manifest.deletions_of(entry.id).map_or(0, |d| d.rows)
    }

    /// Entity names.
    pub fn dict(&self) -> &Dictionary {
        &self.dict
    }

    pub(super) fn sealed_row(&mut self, key: Key) -> Result<Option<(usize, usize)>> {
        let time = TimeRange::closed(key.t, key.t);
        for i in 0..self.slots.len() {
            if self.may_hold(i, (key.entity, key.entity), &time)
                && let Some(row) = self.part(i)?.live_row_of(key)
            {
                return Ok(Some((i, row)));
            }
        }
        Ok(None)
    }

    fn may_hold(&self, slot: usize, entities: (EntityId, EntityId), time: &TimeRange) -> bool {
        let entry = &self.slots[slot].entry;
        may_hold(entry, self.manifest.placement(entry.id), entities, time)
    }

    pub(super) fn part(&mut self, i: usize) -> Result<&mut Part> {
        let slot = &mut self.slots[i];
        if slot.part.is_none() {
            slot.part = Some(self.shelf.part(&self.manifest, &slot.entry, &RoaringBitmap::new())?);
        }
        slot.part.as_mut().ok_or_else(|| Error::internal("a part that was just opened"))
    }

    /// The dead rows of a sealed file.
    pub(super) fn dead_of(&mut self, slot: usize) -> Result<RoaringBitmap> {
        match &self.slots[slot].part {
            Some(part) => Ok(part.dead.clone()),
            None => self.shelf.dead(&self.manifest, &self.slots[slot].entry),
        }
    }

    fn kill(&mut self, slot: usize, row: u32) -> Result<()> {
        self.kill_all(slot, &RoaringBitmap::from_iter([row])).map(|_| ())
    }

    /// Marks rows of a sealed file as dead; returns how many were alive.
    fn kill_all(&mut self, slot: usize, rows: &RoaringBitmap) -> Result<u64> {
        let part = self.part(slot)?;
        let alive = rows - &part.dead;
        part.dead |= &alive;
        let died: Vec<RowId> = alive.iter().map(|row| part.row_id(row)).collect();
        if self.manifest.of(FileKind::Index).next().is_some() {
            self.unindexed.extend(died);
        }
        self.slots[slot].dirty = true;
        Ok(alive.len())
    }

    /// Takes a batch; `points` may be empty afterwards. With [`Sync::Commit`] it is durable when this
    /// returns. `names` are the
    /// entities' names, one a row, where entities have names; `points.entity` is then filled in.
    ///
    /// Conflicts are told to `on_row` in input order before anything is written; its error ends
    /// the call with nothing taken.
    pub fn append(
        &mut self,
        points: &mut Points,
        names: Option<&Texts>,
        on_conflict: OnConflict,
        on_row: &mut dyn FnMut(Conflict) -> Result<()>,
    ) -> Result<Appended> {
        if self.broken {
            return Err(Error::internal("the dataset is used after a failed write"));
        }
        let mut fresh = Vec::new();
        if let Some(names) = names {
            for (i, name) in names.iter().enumerate() {
                let (id, new) = self.dict.id_or_new(name)?;
                points.entity[i] = id;
                if new {
                    fresh.push(NewName { id, name: name.to_owned() });
                }
            }
        }
        let verdicts = self.compare(points, on_conflict)?;
        for (row, origin) in &verdicts.relabelled {
            points.origin[*row] = points.intern(origin);
        }
        let mut report = Appended::default();
        let mut conflicts = Ok(());
        for (row, v) in verdicts.rows.iter().enumerate() {
            match v {
                Verdict::Add => report.added += 1,
                Verdict::Replace => report.replaced += 1,
                Verdict::Keep => report.unchanged += 1,
                Verdict::Conflict => {
                    report.conflicts += 1;
                    conflicts = conflicts.and_then(|()| on_row(Conflict { row, key: points.key(row) }));
                }
            }
        }
        if let Err(e) = conflicts {
            // The names were given out in memory only; nothing stands for them.
            fresh.iter().for_each(|n| self.dict.forget_new(n.id));
            return Err(e);
        }
        if report.added + report.replaced == 0 {
            return Ok(report);
        }
        report.new_entities = self.count_new_entities(points, &verdicts)?;
        let batch = taken(points, &verdicts, fresh);
        for (slot, row) in &verdicts.replaced {
            self.kill(*slot, *row)?;
        }
        self.broken = true;
        self.store(batch)?;
        self.broken = false;
        self.delta.0 += report.added;
        self.delta.1 += report.replaced;
        if self.should_seal() {
            self.seal()?;
        }
        Ok(report)
    }

    fn compare(&mut self, points: &Points, on_conflict: OnConflict) -> Result<content::Verdicts> {
        let Some((entities, time)) = content::bounds(points) else {
            return Ok(content::Verdicts {
                rows: Vec::new(),
                relabelled: Vec::new(),
                replaces_sealed: Vec::new(),
                replaced: Vec::new(),
            });
        };
        let near: Vec<usize> = (0..self.slots.len()).filter(|i| self.may_hold(*i, entities, &time)).collect();
        for i in &near {
            self.part(*i)?;
        }
        let parts: Vec<(usize, &Part)> =
            near.iter().filter_map(|i| self.slots[*i].part.as_ref().map(|p| (*i, p))).collect();
        content::compare(points, &self.memory, &parts, on_conflict)
    }

    /// Entities of added rows that no part and no row in memory has.
    fn count_new_entities(&mut self, points: &Points, verdicts: &content::Verdicts) -> Result<u64> {
        let added = verdicts.rows.iter().zip(&points.entity).filter(|(v, _)| **v == Verdict::Add);
        let mut entities: Vec<EntityId> =
            added.map(|(_, e)| *e).filter(|e| !self.memory.has_entity(*e)).collect();
        entities.sort_unstable();
        entities.dedup();
        let (Some(first), Some(last)) = (entities.first().copied(), entities.last().copied()) else {
            return Ok(0);
        };
        let near: Vec<usize> =
            (0..self.slots.len()).filter(|i| self.may_hold(*i, (first, last), &TimeRange::ALL)).collect();
        for i in &near {
            self.part(*i)?;
        }
        Ok(content::unknown(&entities, near.iter().filter_map(|i| self.slots[*i].part.as_ref())))
    }

    /// Puts a batch into log and memory, or into memory alone when it is sealed right after.
    fn store(&mut self, batch: Batch) -> Result<()> {
        let size = batch.points.size_bytes();
        let logged = self.log.as_ref().map_or(0, LogWriter::len);
        let direct = size >= DIRECT_BYTES || logged + size as u64 >= 2 * LOG_BYTES;
        if self.options.sync == Sync::Commit && !direct {
            if self.log.is_none() {
                self.start_log()?;
            }
            if let Some(log) = &mut self.log {
                let before = log.len();
                log.append(&batch)?;
                self.written += log.len() - before;
            }
        }
        let rows = batch.points.len() as u64;
        self.memory.extend(batch.points, &batch.replaces, self.next_seq);
        self.next_seq += rows;
        self.new_names.extend(batch.names.into_iter().map(|n| (n.id, n.name)));
        if self.options.sync == Sync::Commit && direct {
            self.seal()?;
        }
        Ok(())
    }

    fn should_seal(&self) -> bool {
        match &self.log {
            Some(log) => log.len() >= LOG_BYTES,
            None => self.memory.points.size_bytes() as u64 >= SEAL_BYTES,
        }
    }

    fn start_log(&mut self) -> Result<()> {
        let id = LogId {
            dataset: self.config.id,
            file: self.take_id(),
            dim: self.config.settings.dim,
            first_seq: self.next_seq,
        };
        let log = LogWriter::create(&self.dir, id)?;
        self.manifest.log = id.file;
        self.publish()?;
        self.log = Some(log);
        Ok(())
    }

    pub(super) fn take_id(&mut self) -> u64 {
        self.manifest.next_file += 1;
        self.manifest.next_file - 1
    }

    /// Moves all rows of the log into a sealed segment and publishes it. Nothing to do without rows.
    pub fn seal(&mut self) -> Result<()> {
        self.broken = true;
        self.write_segment()?;
        if self.options.sync == Sync::Commit && self.unpublished {
            self.publish()?;
        }
        self.broken = false;
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
    fn replace_names(&mut self, mut names: Vec<(EntityId, String)>, replaced: &[u64]) -> Result<()> {
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

    fn write_deletions(&mut self) -> Result<()> {
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
            rows_added: self.delta.0,
            rows_replaced: self.delta.1,
            rows_deleted: self.delta.2,
            ..self.manifest.clone()
        };
        self.sum = manifest::publish(&self.dir, &next)?;
        let retired_log = self.published_log != 0 && self.published_log != next.log;
        self.published_log = next.log;
        self.highest = next.commit;
        self.manifest = next;
        self.delta = (0, 0, 0);
        self.unpublished = false;
        // A log that was sealed holds its rows a second time; everything else waits for the end.
        if retired_log {
            gc::collect(&self.dir, &self.manifest, self.options.keep_for)?;
        }
        Ok(())
    }

    /// Marks rows of sealed files as deleted, in one new version. `rows`: file id and its rows.
    /// Returns how many rows were alive before.
    pub fn delete(&mut self, rows: &[(u64, RoaringBitmap)]) -> Result<u64> {
        self.seal()?;
        self.broken = true;
        let mut deleted = 0;
        for (file, set) in rows {
            let i = self
                .slots
                .iter()
                .position(|s| s.entry.id == *file)
                .ok_or_else(|| Error::internal("rows of a file that is not live are to be deleted"))?;
            deleted += self.kill_all(i, set)?;
        }
        self.write_deletions()?;
        self.delta.2 += deleted;
        self.publish()?;
        self.broken = false;
        Ok(deleted)
    }

    /// Seals, publishes, removes what nobody needs, and frees the lock.
    pub fn finish(self) -> Result<(u64, gc::Collected)> {
        self.finish_with(|| Ok(()))
    }

    /// As [`Writer::finish`], and does `then` under the lock once everything is published.
    pub fn finish_with(mut self, then: impl FnOnce() -> Result<()>) -> Result<(u64, gc::Collected)> {
        self.seal()?;
        if self.unpublished {
            self.broken = true;
            self.publish()?;
        }
        then()?;
        let collected = gc::collect(&self.dir, &self.manifest, self.options.keep_for)?;
        self.lock.release()?;
        Ok((self.manifest.commit, collected))
    }
}

/// The rows of a batch that are to be stored.
fn taken(points: &mut Points, verdicts: &content::Verdicts, names: Vec<NewName>) -> Batch {
    let stored = |v: &Verdict| matches!(v, Verdict::Add | Verdict::Replace);
    if verdicts.rows.iter().all(stored) {
        let points = std::mem::replace(points, Points::new(points.dim));
        return Batch { names, points, replaces: verdicts.replaces_sealed.clone() };
    }
    let mut out = Batch { names, points: Points::new(points.dim), replaces: Vec::new() };
    out.points.origins = points.origins.clone();
    for i in (0..points.len()).filter(|i| stored(&verdicts.rows[*i])) {
        out.points.push(points.key(i), points.row(i), points.meta.get(i), points.origin[i]);
        out.replaces.push(verdicts.replaces_sealed[i]);
    }
    out
}

/// One line that says who holds the lock.
pub(super) fn owner(command: &str) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let since = crate::time::format_time(clock_us(), crate::time::TimeFormat::Rfc3339);
    format!("process {} on {host} (cvx {command}, since {since})", std::process::id())
}
