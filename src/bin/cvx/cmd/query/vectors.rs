//! What is asked: a vector, an entity's state, or a file of many.

use super::queries;
use crate::context::Context;
use crate::select::known_entity;
use clap::ValueHint;
use cvx::dataset::{Select, Snapshot, Trajectories};
use cvx::error::{Code, Error, Result};
use cvx::model::{EntityId, TimestampUs, VectorSource};
use cvx::output::Label;
use cvx::time::{TimeExpr, format_time};
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
    /// Many queries: jsonl, csv, Parquet or Arrow with vector or entity, and query, k, from, to, at where they differ; or npy
    ///
    /// An export is a file of queries too: its vectors are asked. Times are text, such as "2012" or
    /// "@1700000000s"; a bare number is refused. A query whose entity is unknown, or has no point at or
    /// before its time, gets a row with a status, and the run ends with exit code 3.
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
    /// The embedding model of that state.
    pub model: Option<String>,
    /// Answers wanted.
    pub k: Option<usize>,
    /// First instant of its window.
    pub from: Option<TimestampUs>,
    /// Where its window ends.
    pub to: Option<TimestampUs>,
    /// Its instant.
    pub at: Option<TimestampUs>,
    /// Why it cannot be asked: the status of its row.
    pub lost: Option<&'static str>,
}

impl Asked {
    /// A query that differs from the options in its vector alone.
    pub(super) fn plain(label: Label, vector: Vec<f32>, entity: Option<EntityId>) -> Asked {
        Asked { label, vector, entity, model: None, k: None, from: None, to: None, at: None, lost: None }
    }
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
            return queries::read(context, snapshot, path, at);
        }
        let plain = |vector, entity| Asked::plain(Label::Number(0), vector, entity);
        let asked = match (&self.vector, &self.like) {
            (Some(text), _) => plain(vector(text)?, None),
            (None, Some(like)) => {
                let (entity, t) = like_state(context, snapshot, like)?;
                let (vector, model) = state(snapshot, entity, t.or(at))?;
                Asked { model: Some(model), ..plain(vector, Some(entity)) }
            }
            (None, None) => {
                return Err(Error::usage("what is asked for is missing")
                    .fix("give --vector, --like ENTITY[@TIME], or --queries FILE"));
            }
        };
        Ok(vec![asked])
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
pub(super) fn like_state(
    context: &Context,
    snapshot: &Snapshot,
    like: &str,
) -> Result<(EntityId, Option<TimestampUs>)> {
    let whole = known_entity(snapshot, like);
    let Some((name, text)) = like.rsplit_once('@').filter(|_| whole.is_err()) else {
        return Ok((whole?, None));
    };
    let expr = match TimeExpr::parse(text) {
        Ok(expr) => expr,
        // Of an entity that is there, what follows is meant as a time.
        Err(e) if known_entity(snapshot, name).is_ok() => return Err(e),
        Err(_) => return Ok((whole?, None)),
    };
    let t = context.instant(snapshot, &Select::default(), Some(&expr))?;
    Ok((known_entity(snapshot, name)?, t))
}

/// The vector of an entity's latest point at or before `t`, and its embedding model.
pub(super) fn state(
    snapshot: &Snapshot,
    entity: EntityId,
    t: Option<TimestampUs>,
) -> Result<(Vec<f32>, String)> {
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
    let model = part.origin(row).model.clone();
    Ok((part.vectors(row..row + 1, &mut buffer)?.to_vec(), model))
}

/// Time of an entity's first point.
fn first_of(snapshot: &Snapshot, entity: EntityId) -> Result<Option<TimestampUs>> {
    let only = Select { entities: Some([entity].into()), ..Select::default() };
    Ok(Trajectories::new(only.resolve(snapshot)?).next().and_then(|rows| rows.t.first().copied()))
}
