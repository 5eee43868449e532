//! Typed rows out: a table for people, JSON, CSV, Parquet and Arrow for programs.
//!
//! A command declares its rows with [`row!`](crate::row), opens an [`Output`] and hands over one
//! row after the other; the format is chosen once, here. Rows stream: at most a batch is held.

mod arrow;
mod csv;
mod encode;
mod hidden;
mod json;
mod layout;
pub mod merge;
mod npy;
mod row;
mod stored;
mod style;
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
pub use style::{Format, Stamp, Style, Vectors};
pub use table::terminal_width;
pub use target::{Pipe, Target};

use crate::error::Result;
use arrow::{Batches, Columnar};
use encode::{BUFFER, Encode};
use std::marker::PhantomData;

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
