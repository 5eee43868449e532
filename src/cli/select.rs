//! The options that select entities and points, the same for queries, analytics, export and delete.

use super::values::{time, words};
use crate::commands::Selection;
use crate::commands::selection::Times;
use crate::dataset::{Sample, Shard};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::time::TimeExpr;
use clap::ValueHint;
use std::path::PathBuf;

/// The long help of `--where`: the grammar of `crate::filter`.
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

impl SelectArgs {
    /// For the library.
    pub fn selection(&self) -> Result<Selection> {
        let times = match (&self.in_, self.times()?) {
            (Some(period), _) => Times::Period(period.clone()),
            (None, [None, None]) => Times::All,
            (None, [from, to]) => Times::Between(from, to),
        };
        Ok(Selection { times, ..self.without_times() })
    }

    /// Everything but times, for commands that read these in their own way.
    pub fn without_times(&self) -> Selection {
        Selection {
            entity: self.entity.clone(),
            entities_from: self.entities_from.clone(),
            filter: self.where_.clone(),
            times: Times::All,
            model: self.model.clone(),
            source: self.source.clone(),
            min_points: self.min_points,
            limit: self.limit,
            sample: self.sample,
            shard: self.shard,
        }
    }

    /// `--from` and `--to`, both times.
    pub fn times(&self) -> Result<[Option<TimeExpr>; 2]> {
        let time = |when: &Option<When>, option| when.as_ref().map(|w| w.time(option)).transpose();
        Ok([time(&self.from, "--from")?, time(&self.to, "--to")?])
    }
}

/// Reads `--where`.
fn filter(text: &str) -> Result<Filter, String> {
    Filter::parse(text).map_err(|e| words(&e))
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
