//! Taking batches: each row held against what is stored, then made durable.

use super::Writer;
use crate::dataset::content::{self, Conflict, OnConflict, Verdict, Verdicts};
use crate::dataset::options::Sync;
use crate::dataset::part::Part;
use crate::error::Result;
use crate::model::{EntityId, TimeRange};
use crate::points::{Points, Texts};
use crate::wal::{Batch, LogId, LogWriter, NewName};

/// A log is sealed into a segment when it passes this many bytes. Every reader decodes the whole log when
/// it opens the dataset, so this bounds what an ingest that is under way costs each query.
const LOG_BYTES: u64 = 8 << 20;
/// A batch of at least this size is a segment of its own: writing it twice buys nothing, and a log of it
/// would be sealed at once.
const DIRECT_BYTES: usize = LOG_BYTES as usize;
/// Rows without a log, which no reader sees, are sealed when they pass this many bytes.
const SEAL_BYTES: u64 = 64 << 20;

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

impl Writer {
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
        let fresh = self.name_entities(points, names)?;
        let judged = self.judge(points, on_conflict, on_row);
        if judged.is_err() {
            // The names were given out in memory only; nothing stands for them.
            fresh.iter().for_each(|n| self.dict.forget_new(n.id));
        }
        let (verdicts, report) = judged?;
        if report.added + report.replaced == 0 {
            return Ok(report);
        }
        let batch = taken(points, &verdicts, fresh);
        self.change(|w| {
            for (slot, row) in &verdicts.replaced {
                w.kill(*slot, *row)?;
            }
            w.store(batch)?;
            w.delta.added += report.added;
            w.delta.replaced += report.replaced;
            if w.should_seal() { w.seal_now() } else { Ok(()) }
        })?;
        Ok(report)
    }

    /// Fills in the ids of entities; those that are new.
    fn name_entities(&mut self, points: &mut Points, names: Option<&Texts>) -> Result<Vec<NewName>> {
        let mut fresh: Vec<NewName> = Vec::new();
        for (i, name) in names.into_iter().flat_map(Texts::iter).enumerate() {
            match self.dict.id_or_new(name) {
                Ok((id, new)) => {
                    points.entity[i] = id;
                    if new {
                        fresh.push(NewName { id, name: name.to_owned() });
                    }
                }
                Err(e) => {
                    fresh.iter().for_each(|n| self.dict.forget_new(n.id));
                    return Err(e);
                }
            }
        }
        Ok(fresh)
    }

    /// What becomes of each row, and the numbers of it.
    fn judge(
        &mut self,
        points: &mut Points,
        on_conflict: OnConflict,
        on_row: &mut dyn FnMut(Conflict) -> Result<()>,
    ) -> Result<(Verdicts, Appended)> {
        let verdicts = self.compare(points, on_conflict)?;
        for (row, origin) in &verdicts.relabelled {
            points.origin[*row] = points.intern(origin);
        }
        let mut report = Appended::default();
        for (row, v) in verdicts.rows.iter().enumerate() {
            match v {
                Verdict::Add => report.added += 1,
                Verdict::Replace => report.replaced += 1,
                Verdict::Keep => report.unchanged += 1,
                Verdict::Conflict => {
                    report.conflicts += 1;
                    on_row(Conflict { row, key: points.key(row) })?;
                }
            }
        }
        if report.added > 0 {
            report.new_entities = self.count_new_entities(points, &verdicts)?;
        }
        Ok((verdicts, report))
    }

    fn compare(&mut self, points: &Points, on_conflict: OnConflict) -> Result<Verdicts> {
        let Some((entities, time)) = content::bounds(points) else {
            return Ok(Verdicts {
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
    fn count_new_entities(&mut self, points: &Points, verdicts: &Verdicts) -> Result<u64> {
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
            self.seal_now()?;
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
}

/// The rows of a batch that are to be stored.
fn taken(points: &mut Points, verdicts: &Verdicts, names: Vec<NewName>) -> Batch {
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
