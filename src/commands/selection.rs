//! Which entities and points a command reads: no choice means all of them.

use super::{Outcome, Session, Watch, missing, mixed};
use crate::dataset::{Sample, Select, Shard, Snapshot};
use crate::error::{Code, Error, Result};
use crate::filter::Filter;
use crate::input::{ListFormat, Record, for_each_line, for_each_record};
use crate::model::{EntityId, TimeRange};
use crate::time::{Now, TimeExpr, parse_period, parse_range};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Begins a name in [`Selection::points`]: stored states hold this text and are compared with it.
const MARK: &str = "--";

/// Which entities and points a command reads. The default is every point.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These entities: ids, or names where the dataset has names.
    pub entity: Vec<String>,
    /// And those that are listed in a file: one a line, or csv, jsonl or Parquet with `entity_id` or `entity`.
    pub entities_from: Option<PathBuf>,
    /// Points whose metadata satisfies this.
    pub filter: Option<Filter>,
    /// Points of these times.
    pub times: Times,
    /// Points of this embedding model, `NAME` or `NAME@VERSION`; `latest` for that of the latest selected point.
    pub model: Option<String>,
    /// Points of this source.
    pub source: Option<String>,
    /// Entities with at least this many selected points.
    pub min_points: u64,
    /// The first entities by id, this many.
    pub limit: Option<u64>,
    /// A sample of the entities: whole trajectories, the same for the same seed.
    pub sample: Option<Sample>,
    /// One of several equal parts of the entities, for one of several jobs.
    pub shard: Option<Shard>,
}

/// A range of times. The default is all time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Times {
    /// All time.
    #[default]
    All,
    /// Points at or after the first and before the second; a second of `max` includes the newest point.
    Between(Option<TimeExpr>, Option<TimeExpr>),
    /// A period: `2024`, `2024-03`, `2024-W05` or `A..B`.
    Period(String),
}

/// A selection of a version of a dataset.
#[derive(Debug)]
pub struct Selected {
    /// What to select.
    pub select: Select,
    /// Listed entities that the dataset does not hold.
    unknown: u64,
}

impl Selected {
    /// Unknown entities of a list make a run incomplete.
    pub fn outcome(&self) -> Outcome {
        match self.unknown {
            0 => Outcome::COMPLETE,
            n => Outcome::of(Err(Error::new(
                Code::Partial,
                format!("{n} listed entities are not in the dataset"),
            )
            .option("entities-from")
            .fix("all others are in the output"))),
        }
    }

    /// True when a run may find nothing and still be complete: one shard of several, or a limit of 0.
    pub fn may_be_empty(&self) -> bool {
        self.select.shard.is_some() || self.select.limit == Some(0)
    }
}

impl Selection {
    /// True when it selects every point.
    pub fn is_all(&self) -> bool {
        self.entity.is_empty()
            && self.entities_from.is_none()
            && self.times == Times::All
            && !self.chooses_points()
    }

    /// True when points or entities are chosen by more than name and time.
    pub fn chooses_points(&self) -> bool {
        self.filter.is_some()
            || self.model.is_some()
            || self.source.is_some()
            || self.min_points > 0
            || self.limit.is_some()
            || self.sample.is_some()
            || self.shard.is_some()
    }

    /// Which points count beside their times, for results that remember it: empty for all.
    pub fn points(&self) -> String {
        let filter = self.filter.as_ref().map(|f| f.to_string());
        let named = [("where", &filter), ("model", &self.model), ("source", &self.source)];
        let given =
            named.iter().filter_map(|(name, text)| Some(format!("{MARK}{name} {:?}", text.as_ref()?)));
        given.collect::<Vec<_>>().join(" ")
    }

    /// The entities that are named, when nothing else is selected by; else none.
    ///
    /// # Errors
    /// Fails when the list of entities cannot be read.
    pub fn labels(&self) -> Result<Vec<String>> {
        if self.times != Times::All || self.chooses_points() {
            return Ok(Vec::new());
        }
        let mut labels = self.entity.clone();
        if let Some(path) = &self.entities_from {
            labels.extend(listed(path)?);
        }
        Ok(labels)
    }

    /// The selection on the version of the session. Notes names that no point has.
    ///
    /// # Errors
    /// Fails for an entity without a point, a list or a time that cannot be read, and a dataset that cannot be read.
    pub fn resolve(&self, session: &Session, watch: &dyn Watch) -> Result<Selected> {
        self.resolve_at(session, watch, true)
    }

    /// As [`Selection::resolve`], for all times.
    ///
    /// # Errors
    /// As [`Selection::resolve`].
    pub fn resolve_without_times(&self, session: &Session, watch: &dyn Watch) -> Result<Selected> {
        self.resolve_at(session, watch, false)
    }

    fn resolve_at(&self, session: &Session, watch: &dyn Watch, timed: bool) -> Result<Selected> {
        let snapshot = session.snapshot()?;
        let mut selected = self.chosen(snapshot, session.seed())?;
        if timed {
            selected.select.time = self.times.range(session, &selected.select)?;
        }
        mixed::resolve_latest(snapshot, &mut selected.select)?;
        missing::note(snapshot, &selected.select, watch)?;
        Ok(selected)
    }

    fn chosen(&self, snapshot: &Snapshot, seed: u64) -> Result<Selected> {
        let mut ids = BTreeSet::new();
        for text in &self.entity {
            ids.insert(known_entity(snapshot, text).map_err(|e| self.with_comma(e))?);
        }
        let mut unknown = 0;
        if let Some(path) = &self.entities_from {
            for text in listed(path)? {
                match known_entity(snapshot, &text) {
                    Ok(id) => drop(ids.insert(id)),
                    Err(e) if e.code() == Code::NotFound => unknown += 1,
                    Err(e) => return Err(e.file(path)),
                }
            }
        }
        let named = !self.entity.is_empty() || self.entities_from.is_some();
        let select = Select {
            entities: named.then_some(ids),
            time: TimeRange::ALL,
            filter: self.filter.clone(),
            model: self.model.clone(),
            source: self.source.clone(),
            min_points: self.min_points,
            limit: self.limit,
            sample: self.sample,
            seed,
            shard: self.shard,
        };
        Ok(Selected { select, unknown })
    }

    /// A name may have been cut at its comma.
    fn with_comma(&self, e: Error) -> Error {
        if e.code() != Code::NotFound || self.entity.len() < 2 {
            return e;
        }
        let hint = e.hint().map(|h| format!("{h}; ")).unwrap_or_default();
        e.fix(hint + "a name that holds a comma goes into a file for ‹entities-from›")
    }
}

impl Times {
    fn range(&self, session: &Session, select: &Select) -> Result<TimeRange> {
        match self {
            Times::All => Ok(TimeRange::ALL),
            Times::Between(from, to) => {
                let now = session.now(select, &[*from, *to], None)?;
                now.window(from.as_ref(), to.as_ref())
            }
            Times::Period(text) => {
                let now = session.now(select, &[], Some(text))?;
                period(text, &now)
            }
        }
    }
}

/// The times of a period, `2024` or `A..B`.
fn period(text: &str, now: &Now) -> Result<TimeRange> {
    let read = if text.contains("..") { parse_range } else { parse_period };
    read(text, now).map_err(|e| e.option("in"))
}

/// An entity that has a point.
///
/// # Errors
/// Fails with [`Code::NotFound`] when there is none.
pub fn known_entity(snapshot: &Snapshot, text: &str) -> Result<EntityId> {
    let id = snapshot.entity(text)?;
    if snapshot.has_entity(id)? {
        return Ok(id);
    }
    Err(Error::new(Code::NotFound, format!("entity \"{text}\" not found"))
        .entity(text)
        .fix("`cvx info ‹entities›` lists all"))
}

/// The ids or names in a file: as its extension says, else one a line.
fn listed(path: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    match ListFormat::of_path(path) {
        Some(format) => for_each_record(path, format, &mut |record| {
            found.push(entity_of(&record)?);
            Ok(())
        })?,
        None => for_each_line(path, &mut |line| {
            found.push(line.to_string());
            Ok(())
        })?,
    }
    Ok(found)
}

fn entity_of(record: &Record) -> Result<String> {
    let id = ["entity", "entity_id"].iter().filter_map(|name| record.get(*name)).find(|v| !v.is_null());
    match id {
        Some(Value::String(name)) => Ok(name.clone()),
        Some(id) => Ok(id.to_string()),
        None => Err(Error::new(Code::BadFile, "no field entity_id or entity")
            .fix("name it so, or give a plain text file with one entity a line")),
    }
}
