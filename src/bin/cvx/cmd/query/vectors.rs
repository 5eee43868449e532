//! What is asked: a vector, an entity's state, or a file of many.

use crate::context::Context;
use crate::select::{known_entity, time};
use clap::ValueHint;
use cvx::dataset::{Select, Snapshot, Trajectories};
use cvx::error::{Code, Error, Result};
use cvx::input::{ListFormat, Record, for_each_record, matrix};
use cvx::model::{EntityId, TimestampUs, VectorSource};
use cvx::output::Label;
use cvx::time::{TimeExpr, format_time, parse_absolute};
use serde::Deserialize;
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The options that name the vectors of a query.
#[derive(clap::Args, Debug, Clone, Default)]
#[group(multiple = false)]
pub struct VectorArgs {
    /// The query vector: a JSON array, a comma list, or a file that holds one (- for standard input)
    #[arg(long, value_name = "[..]|FILE", allow_hyphen_values = true)]
    pub vector: Option<String>,
    /// The state of an entity, ENTITY or ENTITY@TIME; it is not its own neighbour
    #[arg(long, value_name = "ENTITY[@T]")]
    pub like: Option<String>,
    /// Many queries: jsonl or Parquet with vector or entity, and query, k, from, to, at where they differ; or npy
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub queries: Option<PathBuf>,
}

/// One query, as far as it differs from the options.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What rows call it.
    pub label: Label,
    /// The vector.
    pub vector: Vec<f32>,
    /// The entity whose state it is.
    pub entity: Option<EntityId>,
    /// Answers wanted.
    pub k: Option<usize>,
    /// First instant of its window.
    pub from: Option<TimestampUs>,
    /// Where its window ends.
    pub to: Option<TimestampUs>,
    /// Its instant.
    pub at: Option<TimestampUs>,
}

impl Asked {
    /// A query that differs from the options in its vector alone.
    fn plain(label: Label, vector: Vec<f32>, entity: Option<EntityId>) -> Asked {
        Asked { label, vector, entity, k: None, from: None, to: None, at: None }
    }
}

/// A line of a queries file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    query: Option<Value>,
    vector: Option<Vec<f32>>,
    entity: Option<Value>,
    k: Option<usize>,
    from: Option<Value>,
    to: Option<Value>,
    at: Option<Value>,
}

impl VectorArgs {
    /// True when nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.vector.is_none() && self.like.is_none() && self.queries.is_none()
    }

    /// The queries. `at` is the instant of states whose time is not given.
    pub fn read(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        at: Option<TimestampUs>,
    ) -> Result<Vec<Asked>> {
        if let Some(path) = &self.queries {
            return many(context, snapshot, path, at);
        }
        let (vector, entity) = match (&self.vector, &self.like) {
            (Some(text), _) => (vector(text)?, None),
            (None, Some(like)) => {
                let (entity, t) = like_state(context, snapshot, like)?;
                (state(snapshot, entity, t.or(at))?, Some(entity))
            }
            (None, None) => {
                return Err(Error::usage("what is asked for is missing")
                    .fix("give --vector, --like ENTITY[@TIME], or --queries FILE"));
            }
        };
        Ok(vec![Asked::plain(Label::Number(0), vector, entity)])
    }
}

/// Longest text of a vector; one of the largest dimension is far below it.
const MAX_TEXT: u64 = 4 << 20;

/// `[1, 2]`, `1,2`, or a file with either.
fn vector(text: &str) -> Result<Vec<f32>> {
    if let Some(values) = numbers(text) {
        return checked(values, Error::what, "option --vector");
    }
    let path = Path::new(text);
    let mut content = String::new();
    let mut within = |source: &mut dyn Read| source.take(MAX_TEXT + 1).read_to_string(&mut content);
    let read = match text == "-" {
        true => within(&mut std::io::stdin().lock()),
        false => std::fs::File::open(path).and_then(|mut f| within(&mut f)),
    };
    if content.len() as u64 > MAX_TEXT {
        let what = format!("the file of a query vector is longer than {} MiB", MAX_TEXT >> 20);
        return Err(Error::usage(what).file(path).fix("name a file that holds one vector"));
    }
    read.map_err(|_| {
        Error::usage(format!("\"{text}\" is neither a vector nor a file"))
            .what("option --vector")
            .fix("write '[0.1, -2]', or name a file that holds it")
    })?;
    let values = numbers(&content)
        .ok_or_else(|| Error::usage("the file holds no JSON array of numbers").file(path))?;
    checked(values, |e, p: &str| e.file(p), text)
}

fn numbers(text: &str) -> Option<Vec<f32>> {
    let text = text.trim();
    let list = if text.starts_with('[') { text.to_string() } else { format!("[{text}]") };
    // A number beyond f32 is no f32 to the parser; as f64 it is one, and refused by its place.
    let wide =
        || serde_json::from_str(&list).ok().map(|v: Vec<f64>| v.into_iter().map(|x| x as f32).collect());
    serde_json::from_str(&list).ok().or_else(wide).filter(|v: &Vec<f32>| !v.is_empty())
}

fn checked<'a>(values: Vec<f32>, place: impl Fn(Error, &'a str) -> Error, at: &'a str) -> Result<Vec<f32>> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values),
        Some(i) => Err(place(Error::usage(format!("value {i} of the query vector is beyond f32")), at)),
    }
}

/// `ENTITY` or `ENTITY@TIME`; a name may itself hold an `@`.
fn like_state(context: &Context, snapshot: &Snapshot, like: &str) -> Result<(EntityId, Option<TimestampUs>)> {
    let whole = known_entity(snapshot, like);
    let Some((name, text)) = like.rsplit_once('@').filter(|_| whole.is_err()) else {
        return Ok((whole?, None));
    };
    let Ok(expr) = time(text) else { return Ok((whole?, None)) };
    let expr: TimeExpr = expr;
    let t = context.instant(snapshot, &Select::default(), Some(&expr))?;
    Ok((known_entity(snapshot, name)?, t))
}

/// The vector of an entity's latest point at or before `t`.
fn state(snapshot: &Snapshot, entity: EntityId, t: Option<TimestampUs>) -> Result<Vec<f32>> {
    let at = t.unwrap_or(TimestampUs::MAX);
    let Some((part, row)) = snapshot.state_at(entity, at)? else {
        let label = snapshot.entity_label(entity)?;
        let text = |t| format_time(t, cvx::time::TimeFormat::Rfc3339);
        let first = first_of(snapshot, entity)?.map(|t| format!(" (its first is {})", text(t)));
        let what = format!("entity {label} has no point at or before {}", text(at));
        return Err(Error::new(Code::NotFound, what + &first.unwrap_or_default())
            .fix("`cvx query trajectory --entity` shows its points"));
    };
    let mut buffer = Vec::new();
    Ok(part.vectors(row..row + 1, &mut buffer)?.to_vec())
}

/// Time of an entity's first point.
fn first_of(snapshot: &Snapshot, entity: EntityId) -> Result<Option<TimestampUs>> {
    let only = Select { entities: Some([entity].into()), ..Select::default() };
    Ok(Trajectories::new(only.resolve(snapshot)?).next().and_then(|rows| rows.t.first().copied()))
}

/// The queries of a file: an array of vectors, or records.
fn many(context: &Context, snapshot: &Snapshot, path: &Path, at: Option<TimestampUs>) -> Result<Vec<Asked>> {
    let mut asked = Vec::new();
    if path.extension().is_some_and(|e| e == "npy") {
        matrix(path, snapshot.settings().dim, &mut |vector| {
            asked.push(Asked::plain(Label::Number(asked.len() as u64), vector.to_vec(), None));
            Ok(())
        })?;
        return Ok(asked);
    }
    let format = match ListFormat::of_path(path) {
        Some(ListFormat::Table(_)) => {
            return Err(Error::usage("queries in tables cannot be read")
                .file(path)
                .fix("write them as jsonl, Parquet or npy"));
        }
        format => format.unwrap_or(ListFormat::Jsonl),
    };
    for_each_record(path, format, &mut |record| {
        let number = asked.len() as u64;
        asked.push(one(context, snapshot, record, number, at)?);
        Ok(())
    })?;
    Ok(asked)
}

fn one(
    context: &Context,
    snapshot: &Snapshot,
    record: Record,
    number: u64,
    at: Option<TimestampUs>,
) -> Result<Asked> {
    let line: Line = serde_json::from_value(Value::Object(record)).map_err(|e| {
        Error::usage(e.to_string())
            .fix("a query has vector or entity, and may have query, k, from, to and at")
    })?;
    let label = match line.query {
        None | Some(Value::Null) => Label::Number(number),
        Some(Value::String(name)) => Label::Name(name),
        Some(other) => other.as_u64().map_or_else(|| Label::Name(other.to_string()), Label::Number),
    };
    let at_own = instant(line.at.as_ref(), "at")?;
    let (vector, entity) = match (line.vector, line.entity) {
        (Some(values), None) => (checked(values, Error::column, "vector")?, None),
        (None, Some(entity)) => {
            let name = entity.as_str().map_or_else(|| entity.to_string(), str::to_string);
            let (id, t) = like_state(context, snapshot, &name)?;
            (state(snapshot, id, t.or(at_own).or(at))?, Some(id))
        }
        _ => return Err(Error::usage("a query has either vector or entity").fix("give one of the two")),
    };
    let (from, to) = (instant(line.from.as_ref(), "from")?, instant(line.to.as_ref(), "to")?);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Error::usage("the range is empty: from is not before to").column("from"));
    }
    Ok(Asked { k: line.k, from, to, at: at_own, ..Asked::plain(label, vector, entity) })
}

/// RFC 3339 text, or an integer in microseconds.
fn instant(value: Option<&Value>, field: &str) -> Result<Option<TimestampUs>> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(parse_absolute(text).map_err(|e| e.column(field))?.from)),
        Some(number) => number.as_i64().map(Some).ok_or_else(|| {
            Error::usage("a time is RFC 3339 text or an integer in microseconds").column(field)
        }),
    }
}
