//! The options of `cvx export`.

use super::select::SelectArgs;
use super::values::time;
use crate::commands::export::Request;
use crate::error::Result;
use crate::time::TimeExpr;
use clap::ValueHint;
use std::path::PathBuf;

/// Write points as Parquet, Arrow, jsonl, csv or npy
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "The rows are ordered by entity and time and hold everything a point has: ingesting
them into an empty dataset gives the same points. Parquet unless -f or the
extension of -o says otherwise; vectors as lists unless --vectors says otherwise.

Examples:
  cvx export -o points.parquet
  cvx export --where \"lang = 'en'\" --in 2024 -o english.jsonl
  cvx export --as-of 2020-01-01 -f csv --vectors columns -o states.csv
  cvx export --npy arrays/
  cvx export --duckdb | duckdb -init /dev/stdin"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// One point an entity: its state at T
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true, conflicts_with_all = ["from", "to", "in_"])]
    as_of: Option<TimeExpr>,
    /// Write DIR/vectors.npy, an array of f32, and DIR/ids.csv with the key of each row
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "out")]
    pub npy: Option<PathBuf>,
    /// Print the SQL that opens the Parquet files of this version as a view in DuckDB, and export nothing
    #[arg(long, conflicts_with_all = ["npy", "as_of"])]
    pub duckdb: bool,
}

impl Args {
    /// For the library.
    pub fn request(&self) -> Result<Request> {
        Ok(Request { selection: self.select.selection()?, as_of: self.as_of })
    }
}
