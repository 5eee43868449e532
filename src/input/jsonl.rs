//! JSON lines: one object a line.
//!
//! The object's own level is read here, so that the vector goes from text to f32 in one pass;
//! everything else is cut out by serde_json and kept as text until its role is known.

use super::derived::{self, From};
use super::fields::{EXPORT, entity_names, id_names, names, time_names};
use super::meta::{self, Entry};
use super::numbers::{json_array, list};
use super::options::{IdKind, InputOptions, MetaColumns};
use super::origin::origin_of;
use super::reader::Checkpoint;
use super::reader::{Opened, Spec};
use super::rows::{Fault, Row};
use super::text::text_blocks;
use super::text::{Grammar, Split, TextReader, check_text, split_line, trim_line};
use super::value::{finish, set_entity, time_from_number, time_from_text, whole_part};
use super::{dimension, nested};
use crate::error::{Code, Error};
use crate::points::Origin;
use crate::text::shorten;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

pub(super) const JSONL: Spec = Spec {
    name: "jsonl",
    endings: &["jsonl", "ndjson", "json"],
    is_text: true,
    open,
    dimension: dimension::of_jsonl,
};

fn open(path: &Path, options: &InputOptions, from: Option<&Checkpoint>) -> crate::Result<Opened> {
    if options.vector_cols.is_some() {
        return Err(Error::usage("‹vector-cols› is for tables").file(path).fix("use ‹map vector=FIELD›"));
    }
    let (blocks, resumed) = text_blocks(path, options, from)?;
    let rows = resumed.map_or(0, |c| c.rows);
    let grammar = Jsonl::new(options, path);
    let reader = TextReader::new(blocks, grammar, origin_of(path, options), options, rows);
    Ok(Opened { rows: Box::new(reader), resumed: resumed.is_some() })
}

/// The grammar, with what the user said about columns.
pub(super) struct Jsonl<'a> {
    options: Cow<'a, InputOptions>,
    /// Names of each part, the first that is there counts.
    entity: Vec<String>,
    t: Vec<String>,
    vector: Vec<String>,
    /// Ids beside the names that entities go by.
    ids: Vec<String>,
    /// Fields with one value for the whole file, as JSON.
    constants: Vec<(String, String)>,
}

impl Jsonl<'_> {
    pub(super) fn new(options: &InputOptions, path: &Path) -> Jsonl<'static> {
        let constants = derived::constants(options, path).into_iter().filter_map(|d| match d.from {
            From::Text(text) => Some((d.name, serde_json::Value::from(text).to_string())),
            From::Field { .. } => None,
        });
        Jsonl {
            ids: if options.map.name.is_some() { id_names(options) } else { Vec::new() },
            constants: constants.collect(),
            entity: entity_names(options),
            t: time_names(options),
            vector: names(&options.map.vector, &["vector", "embedding"]),
            options: Cow::Owned(options.clone()),
        }
    }
}

/// Fields of an object from which on their names are kept in a set.
const MANY: usize = 24;

/// A field of the line's object: its key and its value as text.
struct Field<'a> {
    key: Cow<'a, str>,
    json: Cow<'a, str>,
    /// Its role is settled, so that it is no metadata.
    taken: bool,
    /// What is left of it as JSON, when a field inside it is a part of the point.
    left: Option<String>,
}

impl<'a> Field<'a> {
    fn new(key: Cow<'a, str>, json: &'a str) -> Field<'a> {
        Field { key, json: Cow::Borrowed(json), taken: false, left: None }
    }

    /// Its value as far as it becomes metadata.
    fn left(&self) -> &str {
        self.left.as_deref().unwrap_or(&self.json)
    }
}

impl Grammar for Jsonl<'_> {
    fn split(&self, text: &[u8], last: bool) -> Split {
        split_line(text, last, self.options.max_line)
    }

    fn parse(&self, record: &[u8], row: &mut Row, origin: &mut Origin) -> Option<Result<(), Fault>> {
        let line = trim_line(record);
        if line.trim_ascii().is_empty() {
            return None;
        }
        Some(check_text(line).and_then(|text| self.row(text, row, origin)))
    }
}

impl Jsonl<'_> {
    fn row(&self, text: &str, row: &mut Row, origin: &mut Origin) -> Result<(), Fault> {
        let (mut fields, parsed) = self.fields(text, row)?;
        let parts = [&self.entity, &self.t, &self.vector];
        parts.iter().for_each(|names| dig(&mut fields, names));
        let map = &self.options.map;
        map.source.iter().chain(&map.model).for_each(|name| dig(&mut fields, std::slice::from_ref(name)));
        let constants = self.constants.iter().filter(|(name, _)| fields.iter().all(|f| f.key != *name));
        let constants: Vec<_> = constants.map(|(name, json)| Field::new(Cow::Borrowed(name), json)).collect();
        fields.extend(constants);
        take(&mut fields, &self.ids);
        let entity = take(&mut fields, &self.entity)
            .ok_or_else(|| missing(Code::BadEntity, &self.entity, "‹map entity=FIELD›"))?;
        self.set_entity(&fields[entity], row)
            .map_err(|f| f.column(&fields[entity].key).at(offset(text, &fields[entity].json)))?;
        let t = take(&mut fields, &self.t).ok_or_else(|| {
            missing(Code::BadTime, &self.t, "‹map t=FIELD›, or give all points one with ‹at›")
        })?;
        row.t = self
            .time(&fields[t].json)
            .map_err(|f| f.column(&fields[t].key).at(offset(text, &fields[t].json)))?;
        let vector = take(&mut fields, &self.vector)
            .ok_or_else(|| missing(Code::BadRow, &self.vector, "‹map vector=FIELD›"))?;
        if parsed != Some(vector) {
            let field = &fields[vector];
            self.vector(&field.json, &field.key, offset(text, &field.json), row)?;
        }
        self.finish(text, fields, row, origin)
    }

    /// The fields of the line's object, and which of them has been read into `row.vector`.
    fn fields<'a>(&self, text: &'a str, row: &mut Row) -> Result<(Vec<Field<'a>>, Option<usize>), Fault> {
        let mut fields: Vec<Field<'a>> = Vec::with_capacity(8);
        let mut seen: HashSet<Cow<'a, str>> = HashSet::new();
        let mut parsed = None;
        let mut at = space(text, 0);
        if text.as_bytes().get(at) != Some(&b'{') {
            let hint = match text.as_bytes().get(at) {
                Some(b'[') => "each line holds one object; for a file that is one array: jq -c '.[]' FILE",
                _ => "each line holds one object with the fields of one point",
            };
            return Err(Fault::new(Code::BadRow, "the line is not a JSON object").fix(hint).at(at));
        }
        at = space(text, at + 1);
        if text.as_bytes().get(at) == Some(&b'}') {
            return Ok((fields, parsed));
        }
        loop {
            let (key, next) = key(text, at)?;
            at = space(text, next);
            let start = at;
            let is_vector = text.as_bytes().get(at) == Some(&b'[') && self.vector.iter().any(|v| *v == key);
            if is_vector {
                at += self.vector(&text[at..], &key, at, row)?;
                parsed = Some(fields.len());
            } else {
                at += value_len(text, at, &key)?;
            }
            // A set only where a walk over all fields would be quadratic.
            if fields.len() == MANY {
                seen.extend(fields.iter().map(|f| f.key.clone()));
            }
            let again = match fields.len() < MANY {
                true => fields.iter().any(|f| f.key == key),
                false => !seen.insert(key.clone()),
            };
            if again {
                return Err(Fault::new(Code::BadRow, "the field is given twice")
                    .fix("keep one of the two")
                    .column(&key)
                    .at(start));
            }
            fields.push(Field::new(key, &text[start..at]));
            at = space(text, at);
            match text.as_bytes().get(at) {
                Some(b',') => at = space(text, at + 1),
                Some(b'}') => break,
                _ => return Err(broken(text, at, "`,` or `}` expected")),
            }
        }
        at = space(text, at + 1);
        if at != text.len() {
            return Err(broken(text, at, "more text after the object"));
        }
        Ok((fields, parsed))
    }

    /// Reads a vector into the row, returns the bytes taken.
    fn vector(&self, json: &str, key: &str, at: usize, row: &mut Row) -> Result<usize, Fault> {
        if json.starts_with('"') {
            // A list as text, or base64: as in a cell of a table.
            let text = string(json).map_err(|f| f.column(key).at(at))?;
            return list(text.as_bytes(), self.options.dim, &mut row.vector)
                .map(|()| json.len())
                .map_err(|f| f.column(key).at(at));
        }
        if !json.starts_with('[') {
            let message = format!("the vector is `{}`, not an array of numbers", shorten(json));
            return Err(Fault::new(Code::BadRow, message)
                .fix("write [0.1, -2], its text, or the little-endian f32 bytes in base64")
                .column(key)
                .at(at));
        }
        json_array(json.as_bytes(), self.options.dim, &mut row.vector).map_err(|f| {
            let within = f.at.unwrap_or(0);
            f.column(key).at(at + within)
        })
    }

    fn set_entity(&self, field: &Field<'_>, row: &mut Row) -> Result<(), Fault> {
        match field.json.as_bytes().first() {
            Some(b'"') => set_entity(&string(&field.json)?, self.options.ids, row),
            Some(b'-' | b'0'..=b'9') => {
                let whole = whole_part(&field.json);
                if self.options.ids == IdKind::Name && !is_integer(whole) {
                    return Err(Fault::new(
                        Code::BadEntity,
                        format!("entity `{}` is neither a name nor a whole number", shorten(&field.json)),
                    )
                    .fix("write names as text"));
                }
                set_entity(whole, self.options.ids, row)
            }
            _ => Err(Fault::new(Code::BadEntity, format!("the entity is `{}`", shorten(&field.json)))
                .fix("give every row an entity")),
        }
    }

    fn time(&self, json: &str) -> Result<i64, Fault> {
        match json.as_bytes().first() {
            Some(b'"') => time_from_text(&string(json)?, self.options.time_unit),
            Some(b'-' | b'0'..=b'9') => time_from_number(json, self.options.time_unit),
            _ => Err(Fault::new(
                Code::BadTime,
                format!("timestamp `{}` is neither text nor a number", shorten(json)),
            )
            .fix("write 2024-03-01T12:00:00Z, or a number and ‹time-unit›")),
        }
    }

    /// Metadata and origin, once the point itself is read.
    fn finish(
        &self,
        text: &str,
        mut fields: Vec<Field<'_>>,
        row: &mut Row,
        origin: &mut Origin,
    ) -> Result<(), Fault> {
        let exported = EXPORT.iter().all(|name| fields.iter().any(|f| f.key == *name));
        let map = &self.options.map;
        mapped(&mut fields, map.source.as_ref(), "‹map source=FIELD›", &mut origin.source)?;
        mapped(&mut fields, map.model.as_ref(), "‹map model=FIELD›", &mut origin.model)?;
        self.set_origin(&mut fields, exported, origin)?;
        let meta = match self.options.meta {
            MetaColumns::None => None,
            _ => take(&mut fields, &["metadata".to_owned(), "meta".to_owned()]),
        };
        let in_meta = |f: Fault, field: &Field<'_>| f.column(&field.key).at(offset(text, &field.json));
        let held;
        let mut entries: Vec<Entry<'_>> = match meta.map(|i| &fields[i]) {
            None => Vec::new(),
            Some(field) if field.left().starts_with('"') => {
                held = string(field.left()).map_err(|f| in_meta(f, field))?;
                meta::entries(&held).map_err(|f| in_meta(f, field))?
            }
            Some(field) => meta::entries(field.left()).map_err(|f| in_meta(f, field))?,
        };
        for field in fields.iter().filter(|f| !f.taken && f.json != "null") {
            if self.options.meta.takes(&field.key) {
                entries.push((Cow::Borrowed(&field.key), Cow::Borrowed(field.left())));
            }
        }
        finish(row, entries, &self.options).map_err(|f| match meta {
            Some(i) => in_meta(f, &fields[i]),
            None => f,
        })
    }

    /// Of an exported row, restores the origin and drops what the dataset makes itself.
    fn set_origin(&self, fields: &mut [Field<'_>], exported: bool, origin: &mut Origin) -> Result<(), Fault> {
        if !exported {
            return Ok(());
        }
        for field in fields.iter_mut().filter(|f| !f.taken) {
            let slot = match &*field.key {
                "source" => (&mut origin.source, &self.options.source),
                "model" => (&mut origin.model, &self.options.model),
                "commit" | "approx" | "seq" | "entity" | "entity_id" => {
                    field.taken = true;
                    continue;
                }
                _ => continue,
            };
            field.taken = true;
            let mapped = match &*field.key {
                "source" => self.options.map.source.is_some(),
                _ => self.options.map.model.is_some(),
            };
            if slot.1.is_none() && !mapped {
                *slot.0 = match &*field.json {
                    "null" => String::new(),
                    json => string(json).map_err(|f| f.column(&field.key))?.into_owned(),
                };
            }
        }
        Ok(())
    }
}

/// Takes a part of the provenance from the field that `--map` names; null is none.
fn mapped(
    fields: &mut [Field<'_>],
    name: Option<&String>,
    option: &str,
    slot: &mut String,
) -> Result<(), Fault> {
    let Some(name) = name else { return Ok(()) };
    let names = std::slice::from_ref(name);
    let field = take(fields, names).ok_or_else(|| missing(Code::BadRow, names, option))?;
    *slot = match &*fields[field].json {
        "null" => String::new(),
        json if json.starts_with('"') => string(json).map_err(|f| f.column(name))?.into_owned(),
        json => {
            let message = format!("`{}` is no text", shorten(json));
            return Err(Fault::new(Code::BadRow, message)
                .fix("names of models and sources are texts")
                .column(name));
        }
    };
    Ok(())
}

/// The first of `names` that is a field and not null (or, failing that, one that is null).
fn take(fields: &mut [Field<'_>], names: &[String]) -> Option<usize> {
    let find = |fields: &[Field<'_>], null: bool| {
        names.iter().find_map(|n| fields.iter().position(|f| f.key == *n && (f.json == "null") == null))
    };
    let at = find(fields, false).or_else(|| find(fields, true))?;
    fields[at].taken = true;
    Some(at)
}

fn missing(code: Code, names: &[String], hint: &str) -> Fault {
    let list: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    Fault::new(code, format!("the line has no field {}", list.join(" or ")))
        .fix(format!("add it, or name the field that holds it with {hint}"))
        .column(names.first().map_or("", |n| n))
}

/// Makes a field of one that lies inside another, `a.b`, unless a field has that very name.
fn dig(fields: &mut Vec<Field<'_>>, names: &[String]) {
    for name in names.iter().filter(|n| n.contains('.')) {
        if fields.iter().any(|f| f.key == *name) {
            continue;
        }
        let found = derived::splits(name).find_map(|(root, path)| {
            let at = fields.iter().position(|f| f.key == root)?;
            let json = nested::find(&fields[at].json, &path)?.into_owned();
            Some((at, nested::without(fields[at].left(), &path), json))
        });
        if let Some((at, left, json)) = found {
            fields[at].left = left;
            let key = Cow::Owned(name.clone());
            fields.push(Field { key, json: Cow::Owned(json), taken: false, left: None });
        }
    }
}

/// Offset of a part of `text`; 0 for what is no part of it.
fn offset(text: &str, part: &str) -> usize {
    let at = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    if at < text.len() { at } else { 0 }
}

fn space(text: &str, mut at: usize) -> usize {
    while matches!(text.as_bytes().get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

fn broken(text: &str, at: usize, what: &str) -> Fault {
    let message = if at >= text.len() {
        "the line ends inside the object".to_owned()
    } else {
        format!("broken JSON: {what}")
    };
    let rest = text.get(at..).unwrap_or_default();
    let word = |words: &[&str]| words.iter().any(|w| rest.starts_with(w));
    let hint = if at >= text.len() {
        "the line seems to be cut off; for a file that is one document over many lines: jq -c . FILE"
    } else if word(&["NaN", "nan", "Infinity", "-Infinity", "inf", "-inf"]) {
        "NaN and infinities are not JSON: write null, or leave the field out"
    } else if word(&["None", "True", "False", "'"]) {
        "this is Python's notation: write it with json.dumps"
    } else {
        "each line holds one JSON object"
    };
    Fault::new(Code::BadRow, message).fix(hint).at(at)
}

/// The key at `at` and the place behind its colon.
fn key(text: &str, at: usize) -> Result<(Cow<'_, str>, usize), Fault> {
    let rest = text.get(at..).unwrap_or_default();
    if !rest.starts_with('"') {
        return Err(broken(text, at, "a field's name expected"));
    }
    let body = &rest.as_bytes()[1..];
    let stop = body.iter().position(|b| *b == b'"' || *b == b'\\' || *b < b' ');
    let (key, len) = match stop {
        Some(n) if body[n] == b'"' => (Cow::Borrowed(&rest[1..=n]), n + 2),
        _ => {
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            match stream.next() {
                Some(Ok(key)) => (Cow::Owned(key), stream.byte_offset()),
                _ => return Err(broken(text, at, "a field's name expected")),
            }
        }
    };
    let colon = space(text, at + len);
    match text.as_bytes().get(colon) {
        Some(b':') => Ok((key, colon + 1)),
        _ => Err(broken(text, colon, "`:` expected")),
    }
}

/// Bytes of the JSON value at `at`.
fn value_len(text: &str, at: usize, key: &str) -> Result<usize, Fault> {
    let rest = text.get(at..).unwrap_or_default();
    let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
    match stream.next() {
        Some(Ok(value)) => Ok(value.get().len()),
        Some(Err(e)) if e.is_eof() => Err(broken(text, text.len(), "").column(key)),
        Some(Err(e)) => {
            let within = e.column().saturating_sub(1).min(rest.len());
            Err(broken(text, at + within, &meta::reason(&e)).column(key))
        }
        None => Err(broken(text, text.len(), "").column(key)),
    }
}

fn string(json: &str) -> Result<Cow<'_, str>, Fault> {
    let inner = json.strip_prefix('"').and_then(|s| s.strip_suffix('"'));
    match inner {
        Some(plain) if !plain.bytes().any(|b| b == b'\\') => Ok(Cow::Borrowed(plain)),
        _ => serde_json::from_str(json)
            .map(Cow::Owned)
            .map_err(|e| Fault::new(Code::BadRow, format!("text expected: {}", meta::reason(&e)))),
    }
}

fn is_integer(json: &str) -> bool {
    let digits = json.strip_prefix('-').unwrap_or(json);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
