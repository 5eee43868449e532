//! Values of options: sizes, counts that may be absent, choices.

use crate::error::{Error, Words};
use crate::metric::Metric;
use crate::output::{self, Vectors};
use crate::time::{Duration, TimeExpr, TimeFormat, parse_duration};
use clap::ValueEnum;

/// `--format`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table on a terminal, else jsonl
    Auto,
    /// Aligned columns for reading
    Table,
    /// One object a line
    Jsonl,
    /// One array
    Json,
    /// Comma-separated values with a header
    Csv,
    /// Tab-separated values with a header
    Tsv,
    /// A Parquet file
    Parquet,
    /// Arrow IPC: a file with -o, else a stream
    Arrow,
}

impl Format {
    /// The format, unless it is to be chosen.
    pub fn fixed(self) -> Option<output::Format> {
        match self {
            Format::Auto => None,
            Format::Table => Some(output::Format::Table),
            Format::Jsonl => Some(output::Format::Jsonl),
            Format::Json => Some(output::Format::Json),
            Format::Csv => Some(output::Format::Csv),
            Format::Tsv => Some(output::Format::Tsv),
            Format::Parquet => Some(output::Format::Parquet),
            Format::Arrow => Some(output::Format::Arrow),
        }
    }
}

/// `--time`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeForm {
    /// 2024-03-01T12:00:00Z
    Rfc3339,
    /// Microseconds since 1970
    Us,
    /// Milliseconds since 1970
    Ms,
    /// Seconds since 1970
    S,
    /// 2024-03-01
    Date,
}

impl From<TimeForm> for TimeFormat {
    fn from(form: TimeForm) -> Self {
        match form {
            TimeForm::Rfc3339 => TimeFormat::Rfc3339,
            TimeForm::Us => TimeFormat::Us,
            TimeForm::Ms => TimeFormat::Ms,
            TimeForm::S => TimeFormat::S,
            TimeForm::Date => TimeFormat::Date,
        }
    }
}

/// `--vectors`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorForm {
    /// Not at all
    None,
    /// A list
    List,
    /// A column a component: v0, v1, ..
    Columns,
    /// f32 little endian in base64
    Base64,
}

impl From<VectorForm> for Vectors {
    fn from(form: VectorForm) -> Self {
        match form {
            VectorForm::None => Vectors::None,
            VectorForm::List => Vectors::List,
            VectorForm::Columns => Vectors::Columns,
            VectorForm::Base64 => Vectors::Base64,
        }
    }
}

/// `--color`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb say no or CLICOLOR_FORCE says yes
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `--errors`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errors {
    /// Three lines: what, where, how to fix
    Text,
    /// One JSON object a line
    Json,
    /// No value: `cvx schema --errors` lists the codes
    #[value(hide = true)]
    List,
}

/// `--ids-json`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdsJson {
    /// Numbers, which some readers round above 2^53
    Number,
    /// Texts
    String,
}

/// Significant digits, or the shortest text that reads back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits(pub Option<usize>);

/// Reads `--digits`.
pub fn digits(text: &str) -> Result<Digits, String> {
    match text {
        "none" | "0" => Ok(Digits(None)),
        _ => match text.parse() {
            Ok(n @ 1..=17) => Ok(Digits(Some(n))),
            _ => Err("expected a number from 1 to 17, or none for the shortest that reads back".to_string()),
        },
    }
}

/// An error of the library in one line, for the parser to put its own words around.
pub fn words(e: &Error) -> String {
    match e.hint() {
        Some(hint) => format!("{} ({})", Words::Options.write(e.message()), Words::Options.write(hint)),
        None => Words::Options.write(e.message()).into_owned(),
    }
}

/// Reads a time.
pub fn time(text: &str) -> Result<TimeExpr, String> {
    TimeExpr::parse(text).map_err(|e| words(&e))
}

/// Reads a duration.
pub fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|e| words(&e))
}

/// Reads a probability strictly between 0 and 1.
pub fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if 0.0 < p && p < 1.0 => Ok(p),
        _ => Err("expected a probability between 0 and 1".to_string()),
    }
}

/// Reads `--read-at`.
pub fn commit(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(n) if n >= 1 => Ok(n),
        _ => Err("expected the number of a commit, from 1".to_string()),
    }
}

/// Reads a size: bytes, or with KiB, MiB, GiB (KB, MB, GB are powers of 1000).
pub fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: usize = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err("expected a size such as 64MiB".to_string()),
    };
    let bytes = digits.trim().parse::<usize>().ok().and_then(|n| n.checked_mul(unit));
    bytes.filter(|n| *n > 0).ok_or_else(|| "expected a size such as 64MiB".to_string())
}

/// Reads `--memory`: a size, or a share of what the process may use.
pub fn memory(text: &str) -> Result<usize, String> {
    let Some(share) = text.strip_suffix('%') else { return size(text) };
    let share = share.parse::<u64>().ok().filter(|n| (1..=100).contains(n));
    let share =
        share.ok_or_else(|| "expected a size such as 2GiB, or a share from 1% to 100%".to_string())?;
    let all = crate::fsio::memory_bytes()
        .ok_or_else(|| "the system does not say how much memory there is; give a size".to_string())?;
    Ok(usize::try_from(all / 100 * share).unwrap_or(usize::MAX))
}

/// `--metric`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// Half the squared chord between unit vectors, which is 1 - cosine
    Cosine,
    /// Euclidean distance
    L2,
    /// Negated inner product
    Dot,
}

impl From<Metrics> for Metric {
    fn from(m: Metrics) -> Metric {
        match m {
            Metrics::Cosine => Metric::Cosine,
            Metrics::L2 => Metric::L2,
            Metrics::Dot => Metric::Dot,
        }
    }
}

/// `--progress`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressForm {
    /// A bar on a terminal, else nothing
    Auto,
    /// A line every 30 seconds
    Plain,
    /// A JSON object after every durable batch
    Json,
    /// Nothing
    Never,
}

/// `--log-format`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// Lines
    Text,
    /// One JSON object a line
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("10kb"), Ok(10_000));
        assert_eq!(size("7"), Ok(7));
        for bad in ["", "0", "MiB", "5 parsecs", "-1", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
