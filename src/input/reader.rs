//! What a reader of one format is: how it is opened, and how it hands out rows.

use super::options::InputOptions;
use super::rows::{BadRow, InputRows};
use crate::error::Result;
use std::path::Path;

/// Takes bad rows; an error ends the reading.
pub type BadSink<'a> = dyn FnMut(BadRow) -> Result<()> + 'a;

/// How large a batch may be. One row is always taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows.
    pub rows: usize,
    /// Bytes in memory, as [`InputRows::size_bytes`] counts them.
    pub bytes: usize,
}

/// How far a file has been read, to go on from there in a later run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Rows or records before it, bad ones too.
    pub rows: u64,
    /// Bytes before it; 0 for binary formats, which go on by row.
    pub byte: u64,
    /// XXH3-128 of those bytes.
    pub prefix: u128,
}

/// What there is to know about a format.
pub(super) struct Spec {
    /// As `--input-format` takes it.
    pub name: &'static str,
    /// Endings of its files, in lower case.
    pub endings: &'static [&'static str],
    /// True when a row has a line.
    pub is_text: bool,
    /// Opens a file, at a checkpoint where there is one.
    pub open: fn(&Path, &InputOptions, Option<&Checkpoint>) -> Result<Opened>,
    /// The dimension of its vectors, `None` without any.
    pub dimension: fn(&Path, &InputOptions) -> Result<Option<usize>>,
}

/// An open file.
pub(super) struct Opened {
    pub rows: Box<dyn RowReader>,
    /// True when reading goes on from the checkpoint.
    pub resumed: bool,
}

/// A reader of one file, whatever its format.
pub(super) trait RowReader {
    /// Appends the next rows to `rows`, which is empty, and hands bad ones to `bad` in their order.
    /// False when there are none.
    fn next_batch(&mut self, rows: &mut InputRows, limits: Limits, bad: &mut BadSink<'_>) -> Result<bool>;

    /// How far the last batch reached.
    fn checkpoint(&mut self) -> Checkpoint;

    /// Where the last row begins, if its line may be a part of what its writer meant.
    fn tail(&self) -> Option<Checkpoint> {
        None
    }
}
