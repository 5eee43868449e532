//! Input files as batches of points, each row valid or named as bad.
//!
//! The formats of `formats` become [`InputRows`]; a row that breaks
//! a rule goes to the caller as a [`BadRow`] with its file, line or row, column and reason, in
//! the order of the input, and the caller decides whether to go on. Reading streams: memory is
//! bounded by the batch and the longest record. What the rules are:
//!
//! - **Entity**: `entity_id` or `entity`, or mapped. Numbered: a whole u64, also as JSON text of
//!   plain decimal digits without leading zeros (what `ids_json = string` writes); spaces
//!   around a CSV id are trimmed. Named: text, or a whole number, which is its own name.
//! - **Time**: `timestamp` or `t`, or mapped. Text in any calendar form of `time::parse_absolute`
//!   (no zone means UTC); an integer only with a unit, it is never guessed.
//! - **Vector**: `vector` or `embedding`, mapped, or a column a component. Exactly `dim` values,
//!   finite as f32; `-0.0` becomes `0.0`. A vector of zeros is taken.
//! - **Metadata**: a column `metadata` or `meta` holds the object itself (an object, or its
//!   text); the other columns join it as keys, nulls and empty cells left out, a key from both
//!   sides refused.
//! - **Exports**: a file or line with `source`, `model`, `seq` and `approx` was exported:
//!   source and model become provenance again, the rest of what a dataset derives is dropped.

mod ahead;
mod arrow;
mod base64;
mod columns;
mod csv;
mod derived;
mod dimension;
mod fields;
mod formats;
mod glob;
mod guard;
mod ipc;
mod jsonl;
mod meta;
mod names;
mod names_file;
mod nested;
mod npy;
mod numbers;
mod options;
mod origin;
mod parquet;
mod reader;
mod records;
mod rows;
mod sources;
mod text;
mod unpack;
mod value;
mod word2vec;
mod word2vec_bin;

pub use meta::{MAX_METADATA, MAX_METADATA_DEPTH};
pub use names::Names;
pub use npy::matrix;
pub use options::{Format, IdKind, InputOptions, Mapping, MetaColumns, TimeUnit};
pub use reader::{BadSink, Checkpoint, Limits};
pub use records::{ListFormat, Record, RecordSink, for_each_line, for_each_record, is_export, vector_of};
pub use rows::{BadRow, InputRows};
pub use sources::{STDIN, Sources, content_hash, expand_sources, is_packed};
pub use text::RAW_KEPT;
pub use value::MAX_NAME;

use crate::error::{Code, Error, Result};
use std::path::Path;

/// A reader of one source.
pub struct Reader(reader::Opened);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("resumed", &self.0.resumed).finish_non_exhaustive()
    }
}

/// The format that a source will be read as.
pub fn format_of(path: &Path, options: &InputOptions) -> Result<Format> {
    if let Some(format) = options.format {
        return Ok(format);
    }
    if path.as_os_str() == STDIN {
        return Ok(Format::Jsonl);
    }
    Format::of_path(path).ok_or_else(|| {
        let other = ["xz", "zip", "lz4", "7z", "tar"].into_iter().any(|e| sources::has_extension(path, e));
        let e = Error::usage("the file's name does not tell its format").file(path);
        if other {
            return e.fix("it is packed: unpack it first; .gz, .zst and .bz2 are read as they are");
        }
        e.fix(format!("name it with ‹input-format {}›", Format::names()))
    })
}

/// Opens a source. With a checkpoint of an earlier run it goes on from there. Text formats do
/// so only if the bytes before it are still the same ([`Reader::resumed`] tells); of binary
/// formats the caller must know by [`content_hash`] that the file is. Standard input always
/// starts anew.
pub fn open(path: &Path, options: &InputOptions, from: Option<&Checkpoint>) -> Result<Reader> {
    crate::model::check_dim(options.dim)?;
    let from = from.filter(|c| path.as_os_str() != STDIN && c.rows > 0);
    let format = format_of(path, options)?;
    let option = match (&options.names, &options.map.name) {
        (Some(_), Some(_)) => {
            return Err(Error::usage("‹names› and name= in ‹map› both give names").fix("give one of them"));
        }
        (Some(_), None) => Some("option ‹names›"),
        (None, Some(_)) => Some("option ‹map name=›"),
        (None, None) => None,
    };
    if let Some(option) = option.filter(|_| options.ids == IdKind::U64) {
        return Err(Error::usage("entities of this dataset are numbers and have no names")
            .what(option)
            .fix("create a dataset with ‹ids string›"));
    }
    (format.spec().open)(path, options, from).map(Reader)
}

impl Reader {
    /// Fills `rows`, which it clears first, with the next rows in input order. Bad rows between
    /// them go to `bad` as they come; when that fails `rows` holds the good rows before it.
    /// False when the input is at its end and `rows` is empty.
    pub fn next_batch(
        &mut self,
        rows: &mut InputRows,
        limits: Limits,
        bad: &mut BadSink<'_>,
    ) -> Result<bool> {
        rows.clear();
        self.0.rows.next_batch(rows, limits, bad)
    }

    /// How far the last batch reached.
    pub fn checkpoint(&mut self) -> Checkpoint {
        self.0.rows.checkpoint()
    }

    /// Where the last row of a finished text file begins, when it has no line end and may be a part
    /// of what its writer meant: the file may grow, and the row with it.
    pub fn tail(&self) -> Option<Checkpoint> {
        self.0.rows.tail()
    }

    /// True when reading goes on from the checkpoint that was given.
    pub fn resumed(&self) -> bool {
        self.0.resumed
    }
}

/// The dimension of the vectors in a file. `options` say its format and how its vector column is
/// called; the dimension that they hold is not looked at.
pub fn dimension(path: &Path, options: &InputOptions) -> Result<usize> {
    let found = (format_of(path, options)?.spec().dimension)(path, options)?;
    found.filter(|d| *d > 0).ok_or_else(|| {
        Error::new(
            Code::BadFile,
            format!("no vector was found in a column {}", dimension::columns(options).join(" or ")),
        )
        .file(path)
        .fix("give ‹dim N›")
    })
}

#[cfg(test)]
mod binary_tests;
#[cfg(test)]
mod shapes_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod writers_tests;
