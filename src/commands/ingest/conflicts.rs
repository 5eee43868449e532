//! Rows whose entity and time are taken: what is said of them.

use super::reading::Job;
use crate::dataset::Conflict;
use crate::error::Code;
use crate::input::{BadRow, InputRows, RAW_KEPT};
use crate::points::Texts;
use crate::time::{TimeFormat, format_time};
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The bad rows of a batch's conflicts, each with the name of its entity.
pub(super) fn rows(
    job: &Job,
    rows: &InputRows,
    names: Option<&Texts>,
    conflicts: &[Conflict],
) -> Vec<(String, BadRow)> {
    if conflicts.is_empty() {
        return Vec::new();
    }
    let mut first = HashMap::with_capacity(rows.points.len());
    for i in 0..rows.points.len() {
        first.entry(rows.points.key(i)).or_insert(i);
    }
    let twin = |c: &Conflict| first.get(&c.key).filter(|i| **i < c.row).map(|i| rows.place[*i]);
    conflicts.iter().map(|c| row(job, rows, names, c, twin(c))).collect()
}

/// `twin`: the place of an earlier row of the batch with the same key.
fn row(
    job: &Job,
    rows: &InputRows,
    names: Option<&Texts>,
    c: &Conflict,
    twin: Option<u64>,
) -> (String, BadRow) {
    let label = match names {
        Some(names) => names.get(c.row).to_owned(),
        None => c.key.entity.to_string(),
    };
    let t = format_time(c.key.t, TimeFormat::Rfc3339);
    let (text, place) = (job.text, rows.place[c.row]);
    let byte = rows.byte.get(c.row).copied().filter(|_| text);
    let kind = if text { "line" } else { "row" };
    let (message, hint) = match twin {
        Some(other) => (
            format!("({label}, {t}) stands in {kind} {other} too, with another vector or metadata"),
            "times are kept in microseconds, finer ones are cut: give each row of an entity a time of its own, or choose with ‹on-conflict replace› or skip",
        ),
        None => (
            format!("({label}, {t}) is already stored with another vector or metadata"),
            "‹on-conflict replace› takes the new one, ‹on-conflict skip› keeps the old one",
        ),
    };
    let raw = byte.filter(|_| job.key.is_some() && job.content.is_none());
    let bad = BadRow {
        file: job.path.clone(),
        line: text.then_some(place),
        row: (!text).then_some(place),
        byte,
        column: None,
        code: Code::Conflict,
        message,
        hint: Some(hint.into()),
        raw: raw.map_or_else(String::new, |at| line_at(&job.path, at)),
    };
    (label, bad)
}

/// The line that begins at a byte of a file, as far as a report shows it; empty where it cannot
/// be read again.
fn line_at(path: &Path, byte: u64) -> String {
    let read = || {
        let mut file = std::fs::File::open(path)?;
        file.seek(SeekFrom::Start(byte))?;
        let mut bytes = Vec::new();
        file.take(RAW_KEPT).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read().unwrap_or_default();
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).trim_end().to_owned()
}
