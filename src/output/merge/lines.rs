//! Shards in text files: records of CSV and TSV, lines of JSON.

use super::shard;
use crate::error::{Code, Error, Result};
use crate::output::csv::push;
use crate::output::style::Format;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Rows of a file, one after the other.
pub struct Lines {
    path: PathBuf,
    /// Fields of the header; empty for JSON.
    header: Vec<Vec<u8>>,
    source: Source,
    entity: Option<u64>,
}

enum Source {
    Records { reader: Box<csv::Reader<File>>, record: csv::ByteRecord, id: usize },
    Objects { reader: BufReader<File>, line: String },
}

/// What a JSON row is merged by.
#[derive(Deserialize)]
struct Row {
    entity_id: Id,
}

/// A number, or a text where the dataset says so.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

fn separator(format: Format) -> u8 {
    if format == Format::Tsv { b'\t' } else { b',' }
}

fn unreadable(path: &Path, e: impl std::fmt::Display) -> Error {
    Error::new(Code::BadFile, format!("the file cannot be read: {e}")).file(path)
}

fn no_id(path: &Path) -> Error {
    unreadable(path, "its rows have no entity_id to be merged by")
}

impl Lines {
    /// Opens a file at its first row.
    pub fn open(path: &Path, format: Format) -> Result<Lines> {
        let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
        let mut header = Vec::new();
        let source = match format {
            Format::Csv | Format::Tsv => {
                let mut reader = csv::ReaderBuilder::new().delimiter(separator(format)).from_reader(file);
                let fields = reader.byte_headers().map_err(|e| unreadable(path, e))?;
                header = fields.iter().map(<[u8]>::to_vec).collect();
                let id = header.iter().position(|f| f == b"entity_id").ok_or_else(|| no_id(path))?;
                Source::Records { reader: Box::new(reader), record: csv::ByteRecord::new(), id }
            }
            _ => Source::Objects { reader: BufReader::new(file), line: String::new() },
        };
        let mut out = Lines { path: path.to_path_buf(), header, source, entity: None };
        shard::Rows::advance(&mut out)?;
        Ok(out)
    }
}

impl shard::Rows for Lines {
    fn entity(&self) -> Option<u64> {
        self.entity
    }

    fn advance(&mut self) -> Result<()> {
        let path = &self.path;
        self.entity = match &mut self.source {
            Source::Records { reader, record, id } => {
                match reader.read_byte_record(record).map_err(|e| unreadable(path, e))? {
                    false => None,
                    true => {
                        let text = record.get(*id).and_then(|f| std::str::from_utf8(f).ok());
                        Some(text.and_then(|t| t.parse().ok()).ok_or_else(|| no_id(path))?)
                    }
                }
            }
            Source::Objects { reader, line } => next_object(reader, line, path)?,
        };
        Ok(())
    }
}

/// Reads the next object of a JSON array or of JSON lines into `line`, and its entity.
fn next_object(reader: &mut BufReader<File>, line: &mut String, path: &Path) -> Result<Option<u64>> {
    loop {
        line.clear();
        let read = reader.read_line(line).map_err(|e| Error::io("read", path, &e))?;
        line.truncate(line.trim_end().trim_end_matches(',').len());
        match line.as_str() {
            _ if read == 0 => return Ok(None),
            "[" | "]" | "[]" | "" => {}
            object => {
                let row: Row = serde_json::from_str(object).map_err(|_| no_id(path))?;
                return match row.entity_id {
                    Id::Number(id) => Ok(Some(id)),
                    Id::Text(text) => text.parse().map(Some).map_err(|_| no_id(path)),
                };
            }
        }
    }
}

/// Writes rows as a run without shards does.
pub struct Sink {
    format: Format,
    header: Vec<Vec<u8>>,
    rows: u64,
}

impl Sink {
    pub fn new(files: &[PathBuf], sources: &[Lines], format: Format) -> Result<Sink> {
        let header = sources.first().map(|s| s.header.clone()).unwrap_or_default();
        match files.iter().zip(sources).find(|(_, s)| s.header != header) {
            Some((path, _)) => Err(unreadable(path, "its columns are not those of the other shards")),
            None => Ok(Sink { format, header, rows: 0 }),
        }
    }

    fn record<'a>(&self, fields: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
        for (i, field) in fields.enumerate() {
            if i > 0 {
                out.push(separator(self.format));
            }
            push(out, field, separator(self.format), false);
        }
        out.push(b'\n');
    }
}

impl shard::Sink<Lines> for Sink {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match self.format {
            Format::Json => out.push(b'['),
            Format::Jsonl => {}
            _ => self.record(self.header.iter().map(Vec::as_slice), out),
        }
        Ok(())
    }

    fn row(&mut self, from: &Lines, out: &mut Vec<u8>) -> Result<()> {
        match &from.source {
            Source::Records { record, .. } => self.record(record.iter(), out),
            Source::Objects { line, .. } if self.format == Format::Json => {
                out.extend_from_slice(if self.rows > 0 { b",\n" } else { b"\n" });
                out.extend_from_slice(line.as_bytes());
            }
            Source::Objects { line, .. } => {
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.format == Format::Json {
            out.extend_from_slice(if self.rows > 0 { b"\n]\n" } else { b"]\n" });
        }
        Ok(())
    }
}
