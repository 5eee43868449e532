//! A file of many questions.

use super::question::{Asked, like_state, state};
use crate::commands::Session;
use crate::error::{Code, Error, Result};
use crate::input::{ListFormat, Record, for_each_record, is_export, matrix, vector_of};
use crate::model::TimestampUs;
use crate::output::Label;
use crate::rows::Answer;
use crate::time::parse_absolute;
use serde_json::Value;
use std::path::Path;

/// What a query may have beside its vector, which may also be in columns `v0`, `v1`, ...
const FIELDS: [&str; 8] = ["query", "vector", "entity", "entity_id", "k", "from", "to", "at"];

/// The queries of a file: an array of vectors, or records. `at` is the instant of states whose time
/// is not given.
pub fn read(session: &Session, path: &Path, at: Option<TimestampUs>) -> Result<Vec<Asked>> {
    let mut asked = Vec::new();
    if path.extension().is_some_and(|e| e == "npy") {
        matrix(path, session.snapshot()?.settings().dim, &mut |vector| {
            asked.push(Asked::plain(Label::Number(asked.len() as u64), vector.to_vec(), None));
            Ok(())
        })?;
        return Ok(asked);
    }
    let format = ListFormat::of_path(path).unwrap_or(ListFormat::Jsonl);
    for_each_record(path, format, &mut |record| {
        let number = asked.len() as u64;
        asked.push(one(session, &record, number, at)?);
        Ok(())
    })?;
    Ok(asked)
}

fn one(session: &Session, record: &Record, number: u64, at: Option<TimestampUs>) -> Result<Asked> {
    let given = |name: &str| record.get(name).filter(|v| !v.is_null() && v.as_str() != Some(""));
    let export = is_export(record);
    if !export && let Some(name) = record.keys().find(|name| !is_field(name)) {
        return Err(Error::usage(format!("unknown field \"{name}\""))
            .fix("a query has vector or entity, and may have query, k, from, to and at"));
    }
    let label = match given("query") {
        None => Label::Number(number),
        Some(Value::String(name)) => Label::Name(name.clone()),
        Some(other) => other.as_u64().map_or_else(|| Label::Name(other.to_string()), Label::Number),
    };
    let (from, to) = (instant(given("from"), "from")?, instant(given("to"), "to")?);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Error::usage("the range is empty: from is not before to").column("from"));
    }
    let mut out = Asked::plain(label, Vec::new(), None);
    (out.k, out.from, out.to, out.at) = (count(given("k"))?, from, to, instant(given("at"), "at")?);
    // The entity of an export says whose the vector is.
    let entity = given("entity").or_else(|| given("entity_id")).filter(|_| !export);
    match (vector_of(record, session.snapshot()?.settings().dim)?, entity) {
        (Some(vector), None) => out.vector = vector,
        (None, Some(entity)) => of_entity(session, entity, at, &mut out)?,
        _ => return Err(Error::usage("a query has either vector or entity").fix("give one of the two")),
    }
    Ok(out)
}

/// The state of an entity as the question; one that is not there is noted for its row.
fn of_entity(session: &Session, entity: &Value, at: Option<TimestampUs>, out: &mut Asked) -> Result<()> {
    let name = entity.as_str().map_or_else(|| entity.to_string(), str::to_string);
    let (id, t) = match like_state(session, &name) {
        Ok(found) => found,
        Err(e) if e.code() == Code::NotFound => {
            out.lost = Some(Answer::NotFound);
            return Ok(());
        }
        Err(e) => return Err(e.column("entity")),
    };
    out.entity = Some(id);
    match state(session.snapshot()?, id, t.or(out.at).or(at)) {
        Ok((vector, model)) => (out.vector, out.model) = (vector, Some(model)),
        Err(e) if e.code() == Code::NotFound => out.lost = Some(Answer::NoState),
        Err(e) => return Err(e),
    }
    Ok(())
}

fn is_field(name: &str) -> bool {
    let component = || name.strip_prefix('v').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    FIELDS.contains(&name) || component()
}

fn count(value: Option<&Value>) -> Result<Option<usize>> {
    let Some(value) = value else { return Ok(None) };
    let whole = |v: &f64| v.fract() == 0.0 && (0.0..9e15).contains(v);
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(whole);
    let number = number.ok_or_else(|| {
        Error::usage(format!("k is {value}, not a number of neighbours")).column("k").fix("write k as in 10")
    })?;
    Ok(Some(number as usize))
}

/// A time as text. The unit of a bare number is never guessed.
fn instant(value: Option<&Value>, field: &str) -> Result<Option<TimestampUs>> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(parse_absolute(text).map_err(|e| e.column(field))?.from)),
        Some(Value::Number(n)) => {
            let e = Error::usage(format!("the time {n} is a bare number: which unit?")).column(field);
            let year = n.as_u64().filter(|n| (1000..=9999).contains(n));
            Err(e.fix(match year {
                Some(year) => format!("write \"{year}\" for the year, \"@{year}s\" for seconds since 1970"),
                None => format!("write it as text with its unit: \"@{n}us\", \"@{n}ms\" or \"@{n}s\""),
            }))
        }
        Some(other) => Err(Error::usage(format!("{other} is not a time"))
            .column(field)
            .fix("write times as text, e.g. \"2024-03-01\"")),
    }
}
