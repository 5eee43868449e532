//! Names for ids: a table of both, so that a dataset with names takes rows that know ids only.

use super::records::{ListFormat, Record, for_each_record};
use super::rows::{Fault, Row};
use super::value::{MAX_NAME, shorten, whole_part};
use crate::error::{Code, Error, Result};
use crate::format::checksum::Hasher128;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Columns that may hold the id, and the name.
const COLUMNS: [&[&str]; 2] = [&["id", "entity_id"], &["name", "entity"]];

/// The names of ids. Equal tables are equal, wherever they were read from.
#[derive(Clone)]
pub struct Names {
    names: Arc<HashMap<String, String>>,
    path: PathBuf,
    hash: u128,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Names({:032x})", self.hash)
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Names) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Names {}

impl Names {
    /// Hash of ids and names.
    pub(crate) fn hash(&self) -> u128 {
        self.hash
    }

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
        Ok(Names { names: Arc::new(names), path: path.to_owned(), hash: hasher.finish() })
    }

    /// Puts the name in the place of the id that a row has.
    pub(super) fn give(&self, row: &mut Row) -> std::result::Result<(), Fault> {
        match self.names.get(&row.name) {
            Some(name) => {
                row.name.clone_from(name);
                Ok(())
            }
            None => {
                let message = format!("id `{}` has no name in {}", shorten(&row.name), self.path.display());
                Err(Fault::new(Code::BadEntity, message).fix("add a line for it there"))
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Names> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names.csv");
        std::fs::write(&path, text).unwrap();
        Names::read(&path)
    }

    #[test]
    fn ids_get_their_names() {
        let names = read("id,name\n7,seven\n8,eight\n7,seven\n").unwrap();
        let mut row = Row { name: "7".into(), ..Row::default() };
        names.give(&mut row).unwrap();
        assert_eq!(row.name, "seven");
        let fault = names.give(&mut Row { name: "9".into(), ..Row::default() }).unwrap_err();
        assert!(fault.code == Code::BadEntity && fault.message.contains("`9` has no name"));
        assert_eq!(read("entity,entity_id\nseven,7\neight,8\nseven,7\n").unwrap(), names);
        for (text, line) in [("id,name\n7,a\n7,b\n", 3), ("id,x\n7,a\n", 2), ("id,name\n7,\n", 2)] {
            assert_eq!(read(text).unwrap_err().place().line, Some(line), "{text}");
        }
    }
}
