//! Typed rows out: a table for people, JSON, CSV, Parquet and Arrow for programs.
//!
//! A command declares its rows with [`row!`](crate::row), opens an [`Output`] and hands over one
//! row after the other; the format is chosen once, here. Rows stream: at most a batch is held.

mod arrow;
mod csv;
mod hidden;
mod json;
mod layout;
pub mod merge;
mod npy;
mod row;
mod stored;
mod table;
mod target;
mod text;

#[cfg(test)]
mod tests;

pub use hidden::Hidden;
pub use layout::Slot;
pub use npy::NpyWriter;
pub use row::{Cell, Column, Field, Id, Json, Label, Meta, Row, Time, Type, is_among};
pub use stored::{Kept, Lines};
pub use table::terminal_width;
pub use target::{Pipe, Target};

use crate::error::Result;
use crate::time::TimeFormat;
use arrow::{Batches, Columnar};
use std::marker::PhantomData;
use std::path::Path;

/// Bytes held before they are written.
const BUFFER: usize = 64 << 10;

/// The formats of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for reading.
    Table,
    /// One JSON array.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// A Parquet file.
    Parquet,
    /// Arrow IPC: a file in a file, a stream elsewhere.
    Arrow,
}

impl Format {
    /// The format that a file's extension asks for.
    pub fn of_path(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" => Some(Format::Table),
            "json" => Some(Format::Json),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "csv" => Some(Format::Csv),
            "tsv" => Some(Format::Tsv),
            "parquet" | "pq" => Some(Format::Parquet),
            "arrow" | "arrows" | "feather" | "ipc" => Some(Format::Arrow),
            _ => None,
        }
    }

    /// True for bytes that no terminal should see.
    pub fn is_binary(self) -> bool {
        matches!(self, Format::Parquet | Format::Arrow)
    }
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vectors {
    /// Not at all.
    #[default]
    None,
    /// As a list.
    List,
    /// A column a component.
    Columns,
    /// The little-endian f32 bytes in base64.
    Base64,
}

/// The choices that shape the text of values.
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// Times.
    pub time: TimeFormat,
    /// Vectors.
    pub vectors: Vectors,
    /// Significant digits of floats; none for the shortest that read back.
    pub digits: Option<usize>,
    /// Entity ids as texts in JSON, for readers that round integers above 2^53.
    pub ids_as_text: bool,
    /// Lines and ellipses beyond ASCII in tables.
    pub unicode: bool,
    /// Columns of the terminal; none for no limit.
    pub width: Option<usize>,
    /// Bold headings in tables.
    pub color: bool,
}

/// What Parquet and Arrow files say about the run that made them, as key and value.
pub type Stamp = Vec<(String, String)>;

/// What an output is opened with.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// The format.
    pub format: Format,
    /// Text of values.
    pub style: Style,
    /// Length of the rows' vectors; 0 where there are none.
    pub dim: usize,
    /// Columns to leave out.
    pub hidden: &'a [&'a str],
    /// Metadata of binary formats.
    pub stamp: Stamp,
    /// True for the output of a shard: text files then have their metadata beside them.
    pub shard: bool,
}

impl Options<'_> {
    /// Plain options for a format.
    pub fn new(format: Format) -> Self {
        Options { format, style: Style::default(), dim: 0, hidden: &[], stamp: Stamp::new(), shard: false }
    }
}

/// Turns rows into bytes.
trait Encode {
    /// What comes before the first row.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()>;
    /// One row.
    fn row(&mut self, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Result<()>;
    /// What comes after the last row.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<()>;
}

/// An open output for rows of one type.
pub struct Output<R> {
    encoder: Box<dyn Encode>,
    buffer: Vec<u8>,
    target: Target,
    /// What goes into the file beside a text file.
    beside: Option<Vec<u8>>,
    rows: PhantomData<fn(&R)>,
}

impl<R: Row> Output<R> {
    /// Opens an output and writes what comes before the first row.
    pub fn open(options: Options<'_>, target: Target) -> Result<Self> {
        let Options { format, style, dim, hidden, stamp, shard } = options;
        let beside = (shard && !format.is_binary()).then(|| merge::sidecar_text(&stamp)).transpose()?;
        let slots = layout::slots(R::COLUMNS, hidden, style.vectors, dim);
        let arrow = match target {
            Target::Stdout { .. } | Target::Stream { .. } => Columnar::ArrowStream,
            Target::File { .. } => Columnar::ArrowFile,
        };
        let mut encoder: Box<dyn Encode> = match format {
            Format::Table => Box::new(table::Tables::new(slots, style)),
            Format::Json => Box::new(json::Json::new(slots, style, false)),
            Format::Jsonl => Box::new(json::Json::new(slots, style, true)),
            Format::Csv => Box::new(csv::Csv::new(slots, style, b',')),
            Format::Tsv => Box::new(csv::Csv::new(slots, style, b'\t')),
            Format::Parquet => Box::new(Batches::new(slots, dim, &stamp, Columnar::Parquet)),
            Format::Arrow => Box::new(Batches::new(slots, dim, &stamp, arrow)),
        };
        let mut buffer = Vec::new();
        encoder.begin(&mut buffer)?;
        Ok(Output { encoder, buffer, target, beside, rows: PhantomData })
    }

    /// Writes one row.
    pub fn row(&mut self, row: &R) -> Result<()> {
        self.cells(&row.cells())
    }

    /// Writes one row that is given by its cells, one for each of the columns of `R`.
    pub fn cells(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        self.encoder.row(cells, &mut self.buffer)?;
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Writes the rows held back so far, where the format allows it.
    pub fn flush(&mut self) -> Result<()> {
        self.target.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the output; a file gets its name now.
    pub fn finish(mut self) -> Result<()> {
        self.encoder.end(&mut self.buffer)?;
        self.flush()?;
        if let (Some(text), Target::File { dest, .. }) = (&self.beside, &self.target) {
            let mut beside = Target::file(&merge::sidecar(dest))?;
            beside.write(text)?;
            beside.finish()?;
        }
        self.target.finish()
    }
}
