//! Which input files were ingested, how far, and what their bytes were.
//!
//! Owns `results/ledger`: a line with the checksum of the rest, then one JSON object a file. It
//! is a shortcut: a run that does without it, or with a damaged one, ends in the same state,
//! because rows that are stored already change nothing.

use crate::error::{Error, Result};
use crate::format::checksum::{hash64, holds};
use crate::fsio::{self, Publish, TempFile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const HEAD: &str = "cvx-ledger 1 ";
/// Largest ledger that is read.
const MAX_LEN: u64 = 1 << 30;

/// What is known of an input file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Length in bytes when it was read.
    pub size: u64,
    /// Time of last change, microseconds.
    pub mtime_us: i64,
    /// Hash of the options that decide what the bytes mean.
    pub options: u64,
    /// Rows that are durable, bad ones included.
    pub rows: u64,
    /// Bytes that hold them; 0 for binary formats.
    pub byte: u64,
    /// XXH3-128 of those bytes, or of the whole file for binary formats; hexadecimal.
    pub hash: String,
    /// Of these, rows that were refused. Until a file is done, it is read again from its start, so that
    /// they are told again.
    pub rejected: u64,
    /// True when the whole file was taken.
    pub done: bool,
    /// The last row, when it came from a line of a table without a line end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
}

/// A row that may be a part of what its writer meant: when the file has grown, and the line with
/// it, the row is taken back and the line read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Rows before it.
    pub rows: u64,
    /// Where its line begins.
    pub byte: u64,
    /// XXH3-128 of the bytes before its line; hexadecimal.
    pub hash: String,
    /// The entity that it was stored for.
    pub entity: u64,
    /// Its time, microseconds.
    pub t: i64,
    /// XXH3-128 of its vector and metadata; hexadecimal.
    pub content: String,
}

/// The ledger of a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    #[serde(flatten)]
    entry: Entry,
}

impl Ledger {
    /// Reads the ledger of the dataset in `dir`. The error is for a warning: an empty ledger
    /// serves as well.
    pub fn read(dir: &Path) -> Result<Ledger> {
        let path = dir.join("results/ledger");
        if !path.exists() {
            return Ok(Ledger::default());
        }
        let damaged = || Error::damaged(&path, "the ledger is not as it was written");
        let text = String::from_utf8(fsio::read_file(&path, MAX_LEN)?).map_err(|_| damaged())?;
        let (head, body) = text.split_once('\n').ok_or_else(damaged)?;
        if !holds(format!("{HEAD}{:016x}", hash64(body.as_bytes())).as_str(), head) {
            return Err(damaged());
        }
        let mut entries = BTreeMap::new();
        for line in body.lines() {
            let line: Line = serde_json::from_str(line).map_err(|_| damaged())?;
            entries.insert(line.path, line.entry);
        }
        Ok(Ledger { entries })
    }

    /// Writes the ledger, atomically.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let mut body = String::new();
        for (path, entry) in &self.entries {
            let line = Line { path: path.clone(), entry: entry.clone() };
            body += &serde_json::to_string(&line).map_err(|e| Error::internal(format!("the ledger: {e}")))?;
            body.push('\n');
        }
        let mut t = TempFile::create(dir.join("tmp/ledger"))?;
        t.write_all(format!("{HEAD}{:016x}\n{body}", hash64(body.as_bytes())).as_bytes())?;
        t.publish(&dir.join("results/ledger"), Publish::Replace)
    }

    /// Forgets all files, after points were deleted: giving a file again shall bring them back.
    pub fn forget(dir: &Path) -> Result<()> {
        fsio::remove_file(&dir.join("results/ledger"))?;
        fsio::sync_dir(&dir.join("results"))
    }

    /// What is known of a file.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Notes a file.
    pub fn set(&mut self, path: String, entry: Entry) {
        self.entries.insert(path, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn round_trip_and_damage() {
        let dir = tempfile::tempdir().unwrap();
        for d in ["tmp", "results"] {
            std::fs::create_dir(dir.path().join(d)).unwrap();
        }
        let mut l = Ledger::read(dir.path()).unwrap();
        assert_eq!(l, Ledger::default());
        let entry = Entry {
            size: 1,
            mtime_us: -2,
            options: 3,
            rows: 4,
            byte: 5,
            rejected: 0,
            hash: "ff".into(),
            done: true,
            tail: Some(Tail {
                rows: 3,
                byte: 4,
                hash: "aa".into(),
                entity: u64::MAX,
                t: i64::MIN,
                content: "bb".into(),
            }),
        };
        l.set("/a \"b\"\n".into(), entry);
        l.write(dir.path()).unwrap();
        assert_eq!(Ledger::read(dir.path()).unwrap(), l);
        let path = dir.path().join("results/ledger");
        let good = std::fs::read(&path).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 4;
            std::fs::write(&path, bad).unwrap();
            assert_eq!(Ledger::read(dir.path()).unwrap_err().code(), Code::Damaged, "byte {i}");
        }
        Ledger::forget(dir.path()).unwrap();
        assert_eq!(Ledger::read(dir.path()).unwrap(), Ledger::default());
    }
}
