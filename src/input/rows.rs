//! What readers hand out: batches of good rows, and bad rows one by one.

use crate::error::{Code, Error};
use crate::model::Key;
use crate::points::{Origin, Points, Texts};
use std::path::PathBuf;

/// Rows of one batch, in input order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InputRows {
    /// The points. With named entities `entity` is 0 until the caller has looked the names up.
    pub points: Points,
    /// The entities' names, where the dataset has names; else empty.
    pub names: Texts,
    /// 1-based line (text) or row (binary formats) of each point.
    pub place: Vec<u64>,
    /// Byte offset of each point's line, 0 for binary formats.
    pub byte: Vec<u64>,
    /// Floats of their metadata that JSON does not have, NaN and infinities: they are left out.
    pub lost: u64,
}

impl InputRows {
    /// No rows of a dimension.
    pub fn new(dim: usize) -> InputRows {
        InputRows { points: Points::new(dim), ..InputRows::default() }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Bytes that the rows take in memory, about.
    pub fn size_bytes(&self) -> usize {
        self.points.size_bytes() + self.names.size_bytes() + self.len() * 16
    }

    /// Removes all rows and origins, keeping the memory.
    pub fn clear(&mut self) {
        self.points.clear();
        self.points.origins.clear();
        self.names.clear();
        self.place.clear();
        self.byte.clear();
        self.lost = 0;
    }

    /// Keeps the rows for which `keep` holds, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let kept: Vec<usize> = (0..self.len()).filter(|i| keep(*i)).collect();
        if kept.len() < self.len() {
            let mut rows = InputRows::new(self.points.dim);
            kept.into_iter().for_each(|i| rows.push_from(self, i));
            *self = rows;
        }
    }

    /// Appends a row; `name` is kept where there are names.
    pub(super) fn push(&mut self, row: &Row, origin: &Origin, named: bool, place: u64, byte: u64) {
        let ordinal = self.ordinal(origin);
        let key = Key { entity: row.entity, t: row.t };
        self.points.push(key, &row.vector, &row.meta, ordinal);
        if named {
            self.names.push(&row.name);
        }
        self.place.push(place);
        self.byte.push(byte);
        self.lost += row.lost;
    }

    /// The ordinal of an origin, most often that of the row before.
    fn ordinal(&mut self, origin: &Origin) -> u32 {
        match self.points.origin.last() {
            Some(&last) if self.points.origins.get(last as usize) == Some(origin) => last,
            _ => self.points.intern(origin),
        }
    }

    /// Bytes that row `i` takes in memory, about.
    pub(super) fn row_bytes(&self, i: usize) -> usize {
        let name = if self.names.is_empty() { 0 } else { self.names.get(i).len() };
        self.points.dim * 4 + 44 + self.points.meta.get(i).len() + name
    }

    /// Appends row `i` of another batch.
    pub(super) fn push_from(&mut self, other: &InputRows, i: usize) {
        let points = &other.points;
        let origin = self.ordinal(&points.origins[points.origin[i] as usize]);
        self.points.push(points.key(i), points.row(i), points.meta.get(i), origin);
        if !other.names.is_empty() {
            self.names.push(other.names.get(i));
        }
        self.place.push(other.place[i]);
        self.byte.push(other.byte[i]);
    }
}

/// One row while it is put together. Its buffers are used again for the next.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub entity: u64,
    pub name: String,
    pub t: i64,
    pub vector: Vec<f32>,
    pub meta: String,
    /// Floats that the metadata could not hold.
    pub lost: u64,
}

/// A row that cannot be taken: where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The file, `-` for standard input.
    pub file: PathBuf,
    /// 1-based line of a text file: the first of its record.
    pub line: Option<u64>,
    /// 1-based row of a binary file.
    pub row: Option<u64>,
    /// Byte offset of the fault, or of the line where the fault has no one place.
    pub byte: Option<u64>,
    /// Column or field.
    pub column: Option<String>,
    /// Why, as a stable word.
    pub code: Code,
    /// Why, in words.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// The line as it stands (invalid UTF-8 replaced); of binary formats the row as a JSON object.
    pub raw: String,
}

impl BadRow {
    /// The error that ends a run which tolerates no more bad rows.
    pub fn into_error(self) -> Error {
        let mut e = Error::new(self.code, self.message).file(self.file);
        if let Some(n) = self.line {
            e = e.line(n);
        }
        if let Some(n) = self.row {
            e = e.row(n);
        }
        if let Some(n) = self.byte {
            e = e.byte(n);
        }
        if let Some(c) = self.column {
            e = e.column(c);
        }
        match self.hint {
            Some(h) => e.fix(h),
            None => e,
        }
    }
}

/// Why a row cannot be taken, before its place in the file is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub code: Code,
    pub message: String,
    pub hint: Option<String>,
    pub column: Option<String>,
    /// Offset within the record.
    pub at: Option<usize>,
}

impl Fault {
    pub fn new(code: Code, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into(), hint: None, column: None, at: None }
    }

    pub fn fix(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    pub fn column(mut self, name: &str) -> Fault {
        self.column.get_or_insert_with(|| name.to_owned());
        self
    }

    pub fn at(mut self, offset: usize) -> Fault {
        self.at = Some(offset);
        self
    }

    /// The bad row of a text file whose record starts at `start` and `line`.
    pub fn in_text(self, file: &std::path::Path, line: u64, start: u64, raw: &[u8]) -> BadRow {
        BadRow {
            file: file.to_owned(),
            line: Some(line),
            row: None,
            byte: Some(start + self.at.unwrap_or(0) as u64),
            column: self.column,
            code: self.code,
            message: self.message,
            hint: self.hint,
            raw: String::from_utf8_lossy(raw).into_owned(),
        }
    }

    /// The bad row of a binary file, whose content is `raw`.
    pub fn in_rows(self, file: &std::path::Path, row: u64, raw: String) -> BadRow {
        BadRow {
            file: file.to_owned(),
            line: None,
            row: Some(row),
            byte: None,
            column: self.column,
            code: self.code,
            message: self.message,
            hint: self.hint,
            raw,
        }
    }
}

/// The fault of a vector with another number of values than the dataset's dimension.
pub(super) fn check_count(count: usize, dim: usize) -> Result<(), Fault> {
    if count == dim {
        return Ok(());
    }
    let message = format!("vector has {count} values, the dataset has dimension {dim}");
    let hint = if count == 0 {
        "leave the row out".to_owned()
    } else {
        format!("check the model that wrote this, or create another dataset: cvx init DIR ‹dim {count}›")
    };
    Err(Fault::new(Code::DimMismatch, message).fix(hint))
}

/// The fault of NaN or an infinity; `ordinal` counts from 1.
pub(super) fn infinite(value: impl std::fmt::Display, ordinal: usize) -> Fault {
    Fault::new(Code::NotFinite, format!("vector holds {value} at value {ordinal}"))
        .fix("every value must be a finite 32-bit float")
}
