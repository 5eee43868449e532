//! The options that select entities and points, the same for queries, analytics, export and delete.

use crate::absent;
use crate::context::Context;
use crate::mixed;
use clap::ValueHint;
use cvx::dataset::{Sample, Select, Shard, Snapshot};
use cvx::error::{Code, Error, Result};
use cvx::filter::Filter;
use cvx::input::{ListFormat, Record, for_each_line, for_each_record};
use cvx::model::{EntityId, TimeRange};
use cvx::time::{Now, TimeExpr, parse_period, parse_range};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The long help of `--where`: the grammar of `cvx::filter`.
const WHERE: &str = "Only points whose metadata satisfies EXPR, e.g. \"lang = 'en' and score >= 0.5\"

  EXPR  = TERM { or TERM }        TERM = FACTOR { and FACTOR }
  FACTOR = not FACTOR | ( EXPR ) | exists(PATH) | TEST
  TEST  = PATH = VALUE   (also != < <= > >=)
        | PATH [not] in (VALUE, ...)
        | PATH has VALUE          the field is an array that holds the value
  PATH  = NAME { . NAME }         a number is a place in an array, from 0
  NAME  = letters, digits, _ and -, or \"any text\" in double quotes
  VALUE = 'text' ('' is a quote), a number, true or false

Keywords, true and false are read in any case; a field with such a name goes in double quotes.
A field that is missing or null satisfies no test, != and not in included; not negates that.
Numbers compare as numbers, texts by their bytes; values of different types are unequal and have
no order.";

/// `SELECT` of the manual: no selection means every entity.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Selection")]
pub struct SelectArgs {
    /// Only these entities: ids, or names where the dataset has names (repeatable, comma list)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub entity: Vec<String>,
    /// Only the entities listed in FILE, or - : one a line, or a csv, jsonl or Parquet file with entity_id or entity
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub entities_from: Option<PathBuf>,
    /// Only points whose metadata satisfies EXPR, e.g. "lang = 'en' and score >= 0.5"
    #[arg(long = "where", value_name = "EXPR", value_parser = filter, long_help = WHERE)]
    pub where_: Option<Filter>,
    /// Only points at or after T: a date, RFC 3339, -30d, now, min, max
    #[arg(long, value_name = "T", value_parser = when, allow_hyphen_values = true)]
    pub from: Option<When>,
    /// Only points before T; with max also the newest one
    #[arg(long, value_name = "T", value_parser = when, allow_hyphen_values = true)]
    pub to: Option<When>,
    /// Only points in PERIOD: 2024, 2024-03, 2024-W05, or A..B
    #[arg(long = "in", value_name = "PERIOD", conflicts_with_all = ["from", "to"], allow_hyphen_values = true)]
    pub in_: Option<String>,
    /// Only points of this embedding model, NAME or NAME@VERSION; latest for that of the latest selected point
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Only points of this source
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Skip entities with fewer selected points
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub min_points: u64,
    /// Only the first N entities by id
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// A sample of N entities, or of P% of them: whole trajectories, the same for the same --seed
    #[arg(long, value_name = "N|P%", value_parser = sample)]
    pub sample: Option<Sample>,
    /// Only the I-th of N equal parts of the entities, for one of several jobs
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<Shard>,
}

/// `--from` and `--to`: times, but for the command that compares two periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// A time.
    At(TimeExpr),
    /// A period `A..B`, as it was written.
    In(String),
}

impl When {
    /// The time; a period is refused with the option that takes one.
    pub fn time(&self, option: &str) -> Result<TimeExpr> {
        match self {
            When::At(t) => Ok(*t),
            When::In(text) => Err(Error::usage(format!("`{text}` is a period, not a time"))
                .what(format!("option {option}"))
                .fix(format!(
                    "select a period with --in {text}; `cvx drift --from A..B --to C..D` compares two, \
                     `cvx drift population --ref A..B --cur C..D` whole populations"
                ))),
        }
    }
}

/// A selection of a snapshot, and what of it could not be found.
pub struct Selection {
    /// What to select.
    pub select: Select,
    /// Listed entities that the dataset does not hold.
    pub unknown: u64,
}

impl Selection {
    /// For the end of a command: unknown entities of a list make the run partial.
    pub fn finish(&self) -> Result<()> {
        match self.unknown {
            0 => Ok(()),
            n => Err(Error::new(Code::Partial, format!("{n} listed entities are not in the dataset"))
                .what("option --entities-from")
                .fix("all others are in the output")),
        }
    }
}

impl SelectArgs {
    /// True without any option.
    pub fn is_empty(&self) -> bool {
        self.entity.is_empty() && self.entities_from.is_none() && !self.has_window() && !self.chooses_points()
    }

    /// True when points or entities are chosen by more than name and time.
    pub fn chooses_points(&self) -> bool {
        self.where_.is_some()
            || self.model.is_some()
            || self.source.is_some()
            || self.min_points > 0
            || self.limit.is_some()
            || self.sample.is_some()
            || self.shard.is_some()
    }

    /// Which points count beside their times, for results that remember it: empty for all.
    pub fn points(&self) -> String {
        let filter = self.where_.as_ref().map(|f| f.to_string());
        let named = [("--where", &filter), ("--model", &self.model), ("--source", &self.source)];
        let given = named.iter().filter_map(|(name, text)| Some(format!("{name} {:?}", text.as_ref()?)));
        given.collect::<Vec<_>>().join(" ")
    }

    /// True when a range of times is given.
    pub fn has_window(&self) -> bool {
        self.from.is_some() || self.to.is_some() || self.in_.is_some()
    }

    /// The selection of everything but times.
    pub fn without_time(&self, context: &Context, snapshot: &Snapshot) -> Result<Selection> {
        let mut selection = self.chosen(context, snapshot)?;
        mixed::resolve_latest(snapshot, &mut selection.select)?;
        absent::tell(context, snapshot, &selection.select)?;
        Ok(selection)
    }

    fn chosen(&self, context: &Context, snapshot: &Snapshot) -> Result<Selection> {
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
        if let Some(shard) = self.shard {
            context.is_shard(shard);
        }
        let chosen = !self.entity.is_empty() || self.entities_from.is_some();
        let select = Select {
            entities: chosen.then_some(ids),
            time: TimeRange::ALL,
            filter: self.where_.clone(),
            model: self.model.clone(),
            source: self.source.clone(),
            min_points: self.min_points,
            limit: self.limit,
            sample: self.sample,
            seed: context.seed(),
            shard: self.shard,
        };
        Ok(Selection { select, unknown })
    }

    /// A name may have been cut at its comma.
    fn with_comma(&self, e: Error) -> Error {
        if e.code() != Code::NotFound || self.entity.len() < 2 {
            return e;
        }
        let hint = e.hint().map(|h| format!("{h}; ")).unwrap_or_default();
        e.fix(hint + "a name that holds a comma goes into a file for --entities-from")
    }

    /// The entities that are named, when nothing else is selected by; else none.
    pub fn labels(&self) -> Result<Vec<String>> {
        if self.has_window() || self.chooses_points() {
            return Ok(Vec::new());
        }
        let mut labels = self.entity.clone();
        if let Some(path) = &self.entities_from {
            labels.extend(listed(path)?);
        }
        Ok(labels)
    }

    /// The whole selection.
    pub fn resolve(&self, context: &Context, snapshot: &Snapshot) -> Result<Selection> {
        let mut selection = self.chosen(context, snapshot)?;
        let times = self.times()?;
        let now = context.now(snapshot, &selection.select, &times, self.in_.as_deref())?;
        selection.select.time = self.window(&now, &times)?;
        mixed::resolve_latest(snapshot, &mut selection.select)?;
        absent::tell(context, snapshot, &selection.select)?;
        Ok(selection)
    }

    /// `--from` and `--to`, both times.
    pub fn times(&self) -> Result<[Option<TimeExpr>; 2]> {
        let time = |when: &Option<When>, option| when.as_ref().map(|w| w.time(option)).transpose();
        Ok([time(&self.from, "--from")?, time(&self.to, "--to")?])
    }

    fn window(&self, now: &Now, [from, to]: &[Option<TimeExpr>; 2]) -> Result<TimeRange> {
        match &self.in_ {
            Some(text) => {
                let read = if text.contains("..") { parse_range } else { parse_period };
                read(text, now).map_err(|e| e.what("option --in"))
            }
            None if self.has_window() => now.window(from.as_ref(), to.as_ref()),
            None => Ok(TimeRange::ALL),
        }
    }
}

/// An entity that has a point; else an error with code `not_found`.
pub fn known_entity(snapshot: &Snapshot, text: &str) -> Result<EntityId> {
    let id = snapshot.entity(text)?;
    if snapshot.has_entity(id)? {
        return Ok(id);
    }
    Err(Error::new(Code::NotFound, format!("entity \"{text}\" not found"))
        .entity(text)
        .fix("`cvx info --entities` lists all"))
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

/// Reads `--where`.
fn filter(text: &str) -> Result<Filter, String> {
    Filter::parse(text).map_err(|e| crate::values::words(&e))
}

/// Reads a time.
pub fn time(text: &str) -> Result<TimeExpr, String> {
    TimeExpr::parse(text).map_err(|e| crate::values::words(&e))
}

/// Reads `--from` and `--to`.
fn when(text: &str) -> Result<When, String> {
    match text.contains("..") {
        true => Ok(When::In(text.to_string())),
        false => time(text).map(When::At),
    }
}

/// Reads `--sample`.
fn sample(text: &str) -> Result<Sample, String> {
    let wrong = || "expected a number of entities, or a share such as 5%".to_string();
    match text.strip_suffix('%') {
        Some(share) => match share.parse::<f64>() {
            Ok(p) if (0.0..=100.0).contains(&p) => Ok(Sample::Share(p / 100.0)),
            _ => Err(wrong()),
        },
        None => text.parse().map(Sample::Count).map_err(|_| wrong()),
    }
}

/// Reads `--shard`.
fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((index, of)) if index >= 1 && index <= of => Ok(Shard { index, of }),
        _ => Err("expected I/N with I from 1 to N, e.g. 3/8".to_string()),
    }
}
