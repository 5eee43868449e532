//! The one writer of a dataset: takes batches, makes them durable, seals them, publishes.

mod append;
mod exchange;
mod forget;
mod parts;
mod rows;
mod seal;

pub use append::Appended;
pub use exchange::{Exchange, Made};
pub use forget::Forgotten;

use super::memory::Memory;
use super::options::{Options, Sync, owner};
use super::part::{Part, RowId};
use super::shelf::Shelf;
use super::snapshot::open_dictionary;
use super::{gc, live_log};
use crate::config::Config;
use crate::dict::Dictionary;
use crate::error::{Error, Result};
use crate::fsio::{self, Lock};
use crate::manifest::{self, FileEntry, Manifest};
use crate::model::EntityId;
use crate::wal::{self, LogWriter};
use std::path::{Path, PathBuf};

/// A live file of points.
#[derive(Debug)]
struct Slot {
    entry: FileEntry,
    part: Option<Part>,
    /// Dead rows have been added since the deletion set was written.
    dirty: bool,
}

/// An open dataset with the writer's lock. Dropped without [`Writer::finish`], it leaves what a
/// crash would: the next writer recovers.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    config: Config,
    options: Options,
    lock: Lock,
    manifest: Manifest,
    sum: u128,
    /// Largest commit number seen, published or left behind.
    highest: u64,
    shelf: Shelf,
    slots: Vec<Slot>,
    dict: Dictionary,
    new_names: Vec<(EntityId, String)>,
    log: Option<LogWriter>,
    memory: Memory,
    next_seq: u64,
    recovered: Recovered,
    /// A change is under way, or one failed: nothing is known then about what reached the disk.
    poisoned: bool,
    /// Changes since the last publish, for the manifest.
    delta: Delta,
    unpublished: bool,
    /// Rows that died since the deletion sets of the index were written.
    unindexed: Vec<RowId>,
    /// The log that the newest published version names.
    published_log: u64,
    written: u64,
}

/// Rows that a version adds, replaces and deletes.
#[derive(Debug, Clone, Copy, Default)]
struct Delta {
    added: u64,
    replaced: u64,
    deleted: u64,
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
            poisoned: false,
            delta: Delta::default(),
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
                self.delta.added += batch.points.len() as u64;
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

    /// Runs a change of the state in memory and on disk. When it fails, or panics, the two may differ, and whatever
    /// would write after it fails: the next writer recovers from what is on disk.
    fn change<T>(&mut self, change: impl FnOnce(&mut Writer) -> Result<T>) -> Result<T> {
        if self.poisoned {
            return Err(Error::internal("the dataset is used after a failed write"));
        }
        self.poisoned = true;
        let out = change(self)?;
        self.poisoned = false;
        Ok(out)
    }

    /// Seals, publishes, removes what nobody needs, and frees the lock.
    pub fn finish(self) -> Result<(u64, gc::Collected)> {
        self.finish_with(|| Ok(()))
    }

    /// As [`Writer::finish`], and does `then` under the lock once everything is published.
    pub fn finish_with(mut self, then: impl FnOnce() -> Result<()>) -> Result<(u64, gc::Collected)> {
        self.seal()?;
        if self.unpublished {
            self.change(Writer::publish)?;
        }
        then()?;
        let collected = gc::collect(&self.dir, &self.manifest, self.options.keep_for)?;
        self.lock.release()?;
        Ok((self.manifest.commit, collected))
    }
}
