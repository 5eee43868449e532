//! Reading a table of ids and names.

use super::names::Names;
use super::records::{ListFormat, Record, for_each_record};
use super::value::{MAX_NAME, whole_part};
use crate::error::{Code, Error, Result};
use crate::format::checksum::Hasher128;
use crate::text::shorten;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// Columns that may hold the id, and the name.
const COLUMNS: [&[&str]; 2] = [&["id", "entity_id"], &["name", "entity"]];

impl Names {
    /// Reads a table of ids and names: csv, tsv, jsonl, Parquet or Arrow with columns `id` (or
    /// `entity_id`) and `name` (or `entity`).
    ///
    /// # Errors
    /// `usage` for a file of another kind; `bad_file` with the line or row for a record without one
    /// of the two, and for an id with two names.
    pub fn read(path: &Path) -> Result<Names> {
        let format = ListFormat::of_path(path).ok_or_else(|| {
            Error::usage("names are read from csv, tsv, jsonl, Parquet or Arrow")
                .file(path)
                .fix("name the file so")
        })?;
        let (mut names, mut hasher) = (HashMap::new(), Hasher128::new());
        for_each_record(path, format, &mut |record| {
            let [id, name] = COLUMNS.map(|columns| field(&record, columns));
            let (id, name) = (id?, name?);
            if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
                let message = format!("`{}` is not a name of 1 to {MAX_NAME} bytes", shorten(&name));
                return Err(Error::new(Code::BadFile, message));
            }
            hasher.update(format!("{id}\0{name}\0").as_bytes());
            match names.get(&id) {
                Some(known) if *known != name => {
                    let message = format!("id {id} has two names, `{known}` and `{name}`");
                    Err(Error::new(Code::BadFile, message).fix("keep one of them"))
                }
                _ => {
                    names.insert(id, name);
                    Ok(())
                }
            }
        })?;
        Ok(Names::new(names, path, hasher.finish()))
    }
}

fn field(record: &Record, columns: &[&str]) -> Result<String> {
    let value = columns.iter().find_map(|c| record.get(*c)).filter(|v| !v.is_null());
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value) => Ok(whole_part(&value.to_string()).to_owned()),
        None => Err(Error::new(Code::BadFile, format!("there is no {}", columns.join(" or ")))
            .fix("the columns are id and name")),
    }
}
