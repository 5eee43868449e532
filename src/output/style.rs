//! What is chosen of an output: its format, and the text of values.

use crate::time::TimeFormat;
use std::path::Path;

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
