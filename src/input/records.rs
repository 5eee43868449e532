//! Lists that a command reads beside its dataset, entities or queries: each record as a JSON
//! object, one at a time.

use super::arrow::{Batches, json};
use super::fields::EXPORT;
use super::numbers::{cell, json_array, list};
use super::options::Format;
use super::rows::{Fault, check_count};
use super::sources::{has_extension, open_bytes};
use super::{ipc, parquet};
use crate::error::{Code, Error, Result};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

/// The fields of a record by name.
pub type Record = Map<String, Value>;

/// Takes the records; an error is given the record's place and ends the reading.
pub type RecordSink<'a> = dyn FnMut(Record) -> Result<()> + 'a;

/// Longest value of a Parquet list as text: a vector of the largest dimension, all digits of f64.
const MAX_VALUE: usize = crate::model::MAX_DIM * 32;
/// Longest line or table cell: a query with a vector of the largest dimension is far below it.
const MAX_LINE: u64 = 4 << 20;
/// Rows of a Parquet list that are decoded at once.
const BATCH: usize = 1024;
/// Memory that decoding a list may take.
const MEMORY: usize = 512 << 20;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    /// A JSON object a line.
    Jsonl,
    /// A table with a header; the byte separates its cells, which are all text.
    Table(u8),
    /// Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl ListFormat {
    /// What the extension says; `None` for others and for none.
    pub fn of_path(path: &Path) -> Option<ListFormat> {
        match Format::of_path(path)? {
            Format::Jsonl if has_extension(path, "json") => None,
            Format::Jsonl => Some(ListFormat::Jsonl),
            Format::Csv => Some(ListFormat::Table(b',')),
            Format::Tsv => Some(ListFormat::Table(b'\t')),
            Format::Parquet => Some(ListFormat::Parquet),
            Format::Arrow => Some(ListFormat::Arrow),
            _ => None,
        }
    }
}

/// Hands every record of a list to `sink`, in order. Lines and cells begin where the text does,
/// behind a byte order mark; blank lines are passed over.
///
/// # Errors
/// `io`; `bad_file` with the line or row for what cannot be read; whatever `sink` gives.
pub fn for_each_record(path: &Path, format: ListFormat, sink: &mut RecordSink<'_>) -> Result<()> {
    match format {
        ListFormat::Jsonl => lines(path, sink),
        ListFormat::Table(separator) => table(path, separator, sink),
        ListFormat::Parquet => parquet_rows(path, sink),
        ListFormat::Arrow => rows(path, ipc::Table::open(path, MEMORY)?.batches, sink),
    }
}

/// True for a record that `export` wrote.
pub fn is_export(record: &Record) -> bool {
    EXPORT.iter().all(|name| record.contains_key(*name))
}

/// The vector of a record: a list, its text, base64, or a field a component `v0`, `v1`, ...; `None`
/// without any.
///
/// # Errors
/// `dim_mismatch` for another length than `dim`; `bad_row` and `not_finite` for what are no such
/// numbers.
pub fn vector_of(record: &Record, dim: usize) -> Result<Option<Vec<f32>>> {
    let mut out = Vec::with_capacity(dim);
    let placed = |f: Fault| {
        let e = Error::new(f.code, f.message).column("vector");
        match f.hint {
            Some(h) => e.fix(h),
            None => e,
        }
    };
    match record.get("vector") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => {
            list(text.as_bytes(), dim, &mut out).map_err(placed)?;
            return Ok(Some(out));
        }
        Some(json) => {
            if let Some(vector) = numbers(json).filter(|v| v.len() == dim) {
                return Ok(Some(vector));
            }
            let text = json.to_string();
            if !text.starts_with('[') {
                return Err(placed(Fault::new(Code::BadRow, "the vector is not a list of numbers")));
            }
            json_array(text.as_bytes(), dim, &mut out).map_err(placed)?;
            return Ok(Some(out));
        }
    }
    for i in 0.. {
        let Some(value) = record.get(&format!("v{i}")) else { break };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out.push(cell(text.as_bytes(), i + 1).map_err(placed)?);
    }
    if out.is_empty() {
        return Ok(None);
    }
    check_count(out.len(), dim).map_err(placed)?;
    Ok(Some(out))
}

/// A list of numbers that single precision holds; `None` for everything else.
fn numbers(json: &Value) -> Option<Vec<f32>> {
    let one = |v: &Value| v.as_f64().map(|v| v as f32 + 0.0).filter(|v| v.is_finite());
    json.as_array()?.iter().map(one).collect()
}

/// Opens a text without its byte order mark.
fn text(path: &Path) -> Result<impl BufRead> {
    let mut source = BufReader::with_capacity(1 << 16, open_bytes(path)?);
    let start = source.fill_buf().map_err(|e| Error::io("read", path, &e))?;
    if start.starts_with(b"\xef\xbb\xbf") {
        source.consume(3);
    }
    Ok(source)
}

fn lines(path: &Path, sink: &mut RecordSink<'_>) -> Result<()> {
    for_each_line(path, &mut |line| {
        let record = serde_json::from_str(line).map_err(|e| {
            Error::new(Code::BadFile, super::meta::reason(&e)).fix("each line holds one JSON object")
        })?;
        sink(record)
    })
}

/// Hands every line that is not blank to `sink`, trimmed.
///
/// # Errors
/// `io`; `bad_file` for lines that are too long or not UTF-8; whatever `sink` gives, with the line.
pub fn for_each_line(path: &Path, sink: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    let mut source = text(path)?;
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = (&mut source).take(MAX_LINE + 1).read_until(b'\n', &mut line);
        if read.map_err(|e| Error::io("read", path, &e))? == 0 {
            return Ok(());
        }
        number += 1;
        let here = |e: Error| e.file(path).line(number);
        if line.len() as u64 > MAX_LINE {
            return Err(here(too_long()));
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| here(Error::new(Code::BadFile, "not UTF-8").fix("write the list as UTF-8 text")))?;
        if !text.trim().is_empty() {
            sink(text.trim()).map_err(here)?;
        }
    }
}

fn too_long() -> Error {
    Error::new(Code::BadFile, format!("the line is longer than {} MiB", MAX_LINE >> 20))
        .fix("each line holds one record; is this the right file?")
}

/// A source that ends with an error inside a record that goes on and on.
struct Bounded<R> {
    source: R,
    /// Bytes that may come before the next record is whole.
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.source.read(out)?;
        let left = self.left.get().checked_sub(n as u64);
        self.left.set(
            left.ok_or_else(|| std::io::Error::other(format!("a record is longer than {MAX_LINE} bytes")))?,
        );
        Ok(n)
    }
}

fn table(path: &Path, separator: u8, sink: &mut RecordSink<'_>) -> Result<()> {
    let bad = |e: csv::Error| {
        let line = e.position().map_or(1, |p| p.line());
        Error::new(Code::BadFile, e.to_string()).file(path).line(line).fix("is a quote missing?")
    };
    let left = Rc::new(Cell::new(MAX_LINE));
    let source = Bounded { source: text(path)?, left: left.clone() };
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(source);
    let header = reader.headers().map_err(bad)?.clone();
    for cells in reader.records() {
        let cells = cells.map_err(bad)?;
        left.set(MAX_LINE);
        let line = cells.position().map_or(0, |p| p.line());
        let texts = cells.iter().map(|c| Value::String(c.to_owned()));
        let record = header.iter().map(str::to_owned).zip(texts).collect();
        sink(record).map_err(|e| e.file(path).line(line))?;
    }
    Ok(())
}

fn rows(path: &Path, mut batches: Box<dyn Batches>, sink: &mut RecordSink<'_>) -> Result<()> {
    let mut number = 0;
    while let Some(batch) = batches.next()? {
        for i in 0..batch.num_rows() {
            number += 1;
            let record = record(&batch, i).map_err(|e| e.file(path).row(number))?;
            sink(record).map_err(|e| e.file(path).row(number))?;
        }
    }
    Ok(())
}

fn parquet_rows(path: &Path, sink: &mut RecordSink<'_>) -> Result<()> {
    let table = parquet::Table::open(path, MEMORY)?;
    let all: Vec<usize> = (0..table.schema().fields().len()).collect();
    rows(path, table.batches(&all, BATCH, 0)?, sink)
}

fn record(batch: &arrow_array::RecordBatch, i: usize) -> Result<Record> {
    let mut fields = Record::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let mut json = json::Json::default();
        let value = json::write(column, i, &mut json, 0, MAX_VALUE).map_err(|f| f.message);
        let value = value.and_then(|()| serde_json::from_str(&json.text).map_err(|e| e.to_string()));
        fields.insert(
            field.name().clone(),
            value.map_err(|m| Error::new(Code::BadFile, m).column(field.name().clone()))?,
        );
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(path: &Path) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        let format = ListFormat::of_path(path).unwrap();
        for_each_record(path, format, &mut |r| {
            records.push(r);
            Ok(())
        })?;
        Ok(records)
    }

    #[test]
    fn texts_with_marks_blanks_and_broken_lines() {
        let dir = tempfile::tempdir().unwrap();
        let jsonl = dir.path().join("a.jsonl");
        fs::write(&jsonl, "\u{feff}{\"k\":1}\n\n{\"k\":\"two\"}").unwrap();
        let records = read(&jsonl).unwrap();
        assert_eq!((records[0]["k"].as_u64(), records[1]["k"].as_str()), (Some(1), Some("two")));
        fs::write(&jsonl, "{\"k\":1}\n{\"k\":").unwrap();
        let e = read(&jsonl).unwrap_err();
        assert_eq!((e.code(), e.place().line), (Code::BadFile, Some(2)));
        let csv = dir.path().join("a.csv");
        fs::write(&csv, "\u{feff}entity,x\n\"a\nb\",1\nc,2\n").unwrap();
        assert_eq!(read(&csv).unwrap()[0]["entity"], "a\nb");
        fs::write(&csv, format!("entity,x\n\"{}", "a".repeat(5 << 20))).unwrap();
        assert!(read(&csv).unwrap_err().message().contains("longer than"));
        fs::write(&csv, "entity,x\na,1\nc\n").unwrap();
        assert_eq!(read(&csv).unwrap_err().place().line, Some(3));
    }

    #[test]
    fn parquet_rows_are_objects() {
        use arrow_array::{ArrayRef, Float32Array, RecordBatch, StringArray};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.parquet");
        let names: ArrayRef = std::sync::Arc::new(StringArray::from(vec![Some("a"), None]));
        let values: ArrayRef = std::sync::Arc::new(Float32Array::from(vec![0.1, f32::NAN]));
        let batch = RecordBatch::try_from_iter([("entity", names), ("x", values)]).unwrap();
        let file = fs::File::create(&path).unwrap();
        let mut writer = ::parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let records = read(&path).unwrap();
        assert_eq!((records[0]["entity"].as_str(), records[0]["x"].as_f64()), (Some("a"), Some(0.1)));
        assert!(records[1]["entity"].is_null() && records[1]["x"].is_null());
        let stop = for_each_record(&path, ListFormat::Parquet, &mut |_| Err(Error::usage("no")));
        assert_eq!(stop.unwrap_err().place().row, Some(1));
        fs::write(&path, "PAR1 and no more").unwrap();
        assert_eq!(read(&path).unwrap_err().code(), Code::BadFile);
        assert_eq!(read(Path::new("nothing.parquet")).unwrap_err().code(), Code::Io);
    }
}
