//! A pinned version of a dataset: what a reader sees from beginning to end.

use super::index::{self, IndexPart};
use super::live_log;
use super::memory::Memory;
use super::part::{Body, Part, RowId, may_hold};
use super::shelf::Shelf;
use crate::config::{Config, IdKind, Settings};
use crate::dict::{DictFile, Dictionary};
use crate::error::{Code, Error, Result};
use crate::format::container::{Expect, Kind};
use crate::fsio::SharedLock;
use crate::index::Check;
use crate::manifest::{self, FileEntry, FileKind, Manifest, Placement};
use crate::model::{EntityId, Key, TimeRange};
use crate::pq::Quantizer;
use crate::wal;
use roaring::RoaringBitmap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A file of points that is opened when first needed.
#[derive(Debug)]
struct Slot {
    entry: FileEntry,
    place: Option<Placement>,
    /// Rows that the live log replaces.
    replaced: RoaringBitmap,
    part: OnceLock<Part>,
}

impl Slot {
    fn may_hold(&self, entities: (EntityId, EntityId), time: &TimeRange) -> bool {
        may_hold(&self.entry, self.place.as_ref(), entities, time)
    }
}

/// One version of a dataset, pinned: its files stay while this lives. Cheap to open; files are
/// mapped when first needed. Shared between threads.
#[derive(Debug)]
pub struct Snapshot {
    dir: PathBuf,
    config: Config,
    manifest: Manifest,
    shelf: Shelf,
    slots: Vec<Slot>,
    /// The rows of the live log.
    recent: Option<Part>,
    /// Sequence number behind the newest row.
    next_seq: u64,
    log_bytes: u64,
    torn: u64,
    dict: Dictionary,
    _pin: Option<SharedLock>,
}

impl Snapshot {
    /// Pins the newest version of the dataset in `dir`, or `commit`.
    pub fn open(dir: &Path, commit: Option<u64>) -> Result<Snapshot> {
        let config = Config::read(dir)?;
        let mut last = None;
        // Only where the file system has no locks can a file vanish under a reader.
        for _ in 0..100 {
            let (manifest, pin) = manifest::pin(dir, commit)?;
            let (number, locked) = (manifest.commit, pin.is_some());
            match Snapshot::build(dir, config.clone(), manifest, pin, !locked) {
                Err(e) if !locked && e.code() == Code::Damaged && manifest::load(dir)?.0.commit != number => {
                    last = Some(e)
                }
                other => return other,
            }
        }
        Err(last.unwrap_or_else(|| {
            Error::new(Code::Failed, "the dataset changes faster than it can be opened").file(dir)
        }))
    }

    fn build(
        dir: &Path,
        config: Config,
        manifest: Manifest,
        pin: Option<SharedLock>,
        eager: bool,
    ) -> Result<Snapshot> {
        config.check_against(&manifest, dir)?;
        let slots = manifest
            .point_files()
            .map(|e| Slot {
                entry: *e,
                place: manifest.placement(e.id).cloned(),
                replaced: RoaringBitmap::new(),
                part: OnceLock::new(),
            })
            .collect();
        let mut this = Snapshot {
            dir: dir.to_owned(),
            dict: open_dictionary(dir, &config, &manifest)?,
            next_seq: manifest.next_seq,
            shelf: Shelf::new(dir, &config),
            config,
            manifest,
            slots,
            recent: None,
            log_bytes: 0,
            torn: 0,
            _pin: pin,
        };
        this.read_log()?;
        if eager {
            (0..this.slots.len()).try_for_each(|i| this.part(i).map(|_| ()))?;
        }
        Ok(this)
    }

    fn read_log(&mut self) -> Result<()> {
        if self.manifest.log == 0 {
            return Ok(());
        }
        let id = live_log(&self.config, &self.manifest);
        let log = wal::read(&self.dir, &id)?;
        self.torn = log.torn;
        self.log_bytes = std::fs::metadata(self.dir.join(wal::path(id.file))).map_or(0, |m| m.len());
        let mut memory = Memory::new(id.dim);
        for (seq, batch) in log.batches {
            for n in &batch.names {
                self.dict.record(n.id, &n.name);
            }
            self.next_seq = seq + batch.points.len() as u64;
            memory.extend(batch.points, &batch.replaces, seq);
        }
        if memory.is_empty() {
            return Ok(());
        }
        for key in memory.replaced_keys() {
            if let Some((slot, row)) = self.sealed_row(key)? {
                self.slots[slot].replaced.insert(row as u32);
            }
        }
        // Parts that were opened to find replaced rows do not know of them yet.
        for s in &mut self.slots {
            if let Some(part) = s.part.get_mut() {
                part.dead |= &s.replaced;
            }
        }
        self.recent = Some(Part {
            body: Body::Hot(Arc::new(memory.segment(&self.config)?)),
            dead: RoaringBitmap::new(),
            entry: None,
        });
        Ok(())
    }

    /// The live sealed row with a key: which slot, which row.
    fn sealed_row(&self, key: Key) -> Result<Option<(usize, usize)>> {
        for i in 0..self.slots.len() {
            if self.slots[i].may_hold((key.entity, key.entity), &TimeRange::closed(key.t, key.t))
                && let Some(row) = self.part(i)?.live_row_of(key)
            {
                return Ok(Some((i, row)));
            }
        }
        Ok(None)
    }

    /// Sealed rows that the live log replaces.
    pub(super) fn replaced(&self) -> Result<Vec<RowId>> {
        let mut rows = Vec::new();
        for (i, slot) in self.slots.iter().enumerate().filter(|(_, s)| !s.replaced.is_empty()) {
            let part = self.part(i)?;
            rows.extend(slot.replaced.iter().map(|row| part.row_id(row)));
        }
        Ok(rows)
    }

    /// The live point with a key: its part and row.
    pub fn point(&self, key: Key) -> Result<Option<(&Part, usize)>> {
        if let Some(recent) = &self.recent
            && let Some(row) = recent.live_row_of(key)
        {
            return Ok(Some((recent, row)));
        }
        match self.sealed_row(key)? {
            None => Ok(None),
            Some((slot, row)) => Ok(Some((self.part(slot)?, row))),
        }
    }

    /// The manifest's entry of a part; `None` for the rows of the live log.
    pub fn part_entry(&self, i: usize) -> Option<&FileEntry> {
        self.slots.get(i).map(|s| &s.entry)
    }

    /// The file of a part all of whose rows are alive.
    pub(super) fn whole_entry(&self, i: usize) -> Option<&FileEntry> {
        let slot = self.slots.get(i)?;
        let alive = slot.replaced.is_empty() && self.manifest.deletions_of(slot.entry.id).is_none();
        Some(&slot.entry).filter(|file| alive && file.rows > 0)
    }

    /// The dataset's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Identity, settings and defaults.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What `init` fixed.
    pub fn settings(&self) -> &Settings {
        &self.config.settings
    }

    /// The pinned manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Entity names.
    pub fn dict(&self) -> &Dictionary {
        &self.dict
    }

    /// Sequence number behind the newest durable row.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Bytes of the live log, and how many of them are a torn write.
    pub fn log_bytes(&self) -> (u64, u64) {
        (self.log_bytes, self.torn)
    }

    /// Points that count.
    pub fn points(&self) -> u64 {
        let replaced: u64 = self.slots.iter().map(|s| s.replaced.len()).sum();
        self.manifest.sealed_points() - replaced + self.recent.as_ref().map_or(0, |p| p.rows() as u64)
    }

    /// Points that count in sealed files of a kind.
    pub fn points_of(&self, kind: FileKind) -> u64 {
        let dead = |s: &Slot| self.manifest.deletions_of(s.entry.id).map_or(0, |d| d.rows) + s.replaced.len();
        let of_kind = self.slots.iter().filter(|s| s.entry.kind == kind);
        of_kind.map(|s| s.entry.rows.saturating_sub(dead(s))).sum()
    }

    /// The rows of the live log, if any.
    pub fn recent(&self) -> Option<&Part> {
        self.recent.as_ref()
    }

    /// Number of parts; the rows of the log, if any, are the last.
    pub fn part_count(&self) -> usize {
        self.slots.len() + usize::from(self.recent.is_some())
    }

    /// A part, opened when first asked for.
    pub fn part(&self, i: usize) -> Result<&Part> {
        let Some(slot) = self.slots.get(i) else {
            return self.recent.as_ref().ok_or_else(|| Error::internal("a part that does not exist"));
        };
        if let Some(p) = slot.part.get() {
            return Ok(p);
        }
        let part = self.shelf.part(&self.manifest, &slot.entry, &slot.replaced)?;
        Ok(slot.part.get_or_init(|| part))
    }

    /// The part of a sealed file of points.
    pub fn part_of(&self, file: u64) -> Result<Option<&Part>> {
        let at = self.slots.iter().position(|s| s.entry.id == file);
        at.map(|i| self.part(i)).transpose()
    }

    /// A codec with what it learnt: a codebook of this version, or 0 for codecs without one.
    pub fn quantizer(&self, codec: &str, codebook: u64) -> Result<Arc<Quantizer>> {
        self.shelf.quantizer(&self.manifest, codec, codebook)
    }

    /// The exact rows that were kept of a cold block, if any: all that the file held, so rows are
    /// to be looked up by key.
    pub fn original_of(&self, block: &Part) -> Result<Option<Part>> {
        let Some(entry) = block.entry.and_then(|e| self.manifest.original_of(e.id)) else { return Ok(None) };
        let body = Body::Tier(self.shelf.original(&self.manifest, entry)?);
        Ok(Some(Part { body, dead: RoaringBitmap::new(), entry: Some(*entry) }))
    }

    /// The parts that can hold a point of an entity range and a time range.
    pub fn parts_with(&self, entities: (EntityId, EntityId), time: &TimeRange) -> Result<Vec<&Part>> {
        let mut out = Vec::new();
        for i in 0..self.part_count() {
            if self.slots.get(i).is_none_or(|s| s.may_hold(entities, time)) {
                out.push(self.part(i)?);
            }
        }
        Ok(out)
    }

    /// All parts.
    pub fn parts(&self) -> Result<Vec<&Part>> {
        (0..self.part_count()).map(|i| self.part(i)).collect()
    }

    /// The id of an entity as the user writes it: a number, or a name where entities have names.
    pub fn entity(&self, text: &str) -> Result<EntityId> {
        let unknown = |hint: String| {
            Error::new(Code::NotFound, format!("entity \"{text}\" not found")).entity(text).fix(hint)
        };
        if self.config.settings.ids == IdKind::U64 {
            return text.trim().parse().map_err(|_| {
                Error::usage(format!("\"{text}\" is not an entity id"))
                    .fix("ids of this dataset are whole numbers from 0 to 18446744073709551615")
            });
        }
        if let Some(id) = self.dict.id(text)? {
            return Ok(id);
        }
        let near = self.dict.similar(text, 3)?;
        Err(unknown(match near.len() {
            0 => "`cvx info --entities` lists all".into(),
            1 => format!("one name is close: {}", near[0]),
            n => format!("{n} names are close: {}", near.join(", ")),
        }))
    }

    /// How an entity is called: its name, or its number.
    pub fn entity_label(&self, id: EntityId) -> Result<String> {
        Ok(self.entity_name(id)?.unwrap_or_else(|| id.to_string()))
    }

    /// An entity's name, where entities have names.
    pub fn entity_name(&self, id: EntityId) -> Result<Option<String>> {
        match self.config.settings.ids {
            IdKind::U64 => Ok(None),
            IdKind::String => self.dict.name(id),
        }
    }

    /// True when an entity has a point.
    pub fn has_entity(&self, id: EntityId) -> Result<bool> {
        for p in self.parts_with((id, id), &TimeRange::ALL)? {
            if let Some(run) = p.find(id)
                && p.run(run).any(|r| p.is_live(r))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The entity's state at `t`: the part and row of its latest point at or before it.
    pub fn state_at(&self, id: EntityId, t: i64) -> Result<Option<(&Part, usize)>> {
        let mut best: Option<(i64, &Part, usize)> = None;
        for p in self.parts_with((id, id), &TimeRange::closed(i64::MIN, t))? {
            if let Some(row) = p.find(id).and_then(|run| p.latest(run, t)) {
                let at = p.times()[row];
                if best.is_none_or(|(b, ..)| at > b) {
                    best = Some((at, p, row));
                }
            }
        }
        Ok(best.map(|(_, p, r)| (p, r)))
    }

    /// Opens a part of the index with the rows that are dead in this version.
    pub fn index_part(&self, entry: &FileEntry) -> Result<IndexPart> {
        let mut open = index::open(self.dir(), self.config(), self.manifest(), entry)?;
        let replaced = self.replaced()?;
        if !replaced.is_empty() {
            let rows = index::rows_of(&open.part.reader(Check::Lazy)?, entry, &replaced)?;
            open.dead |= rows;
        }
        Ok(open)
    }
}

/// Opens all dictionary files of a version.
pub(super) fn open_dictionary(dir: &Path, config: &Config, manifest: &Manifest) -> Result<Dictionary> {
    let mut files = Vec::new();
    for e in manifest.of(FileKind::Dictionary) {
        let expect = Expect { kind: Kind::Dictionary, dataset: config.id, id: e.id, seal: e.seal };
        files.push(Arc::new(DictFile::open(&dir.join(e.path()), &expect)?));
    }
    Ok(Dictionary::new(files))
}
