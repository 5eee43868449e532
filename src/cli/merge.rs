//! The options of `cvx merge`.

use clap::ValueHint;
use std::path::PathBuf;

/// Join the outputs of --shard 1/N to N/N into that of a run without shards
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "All shards of one run have to be there, once each, of the same commit, command, seed and
version. Parquet and Arrow files say in their metadata which they are; beside csv, tsv,
json and jsonl files stands FILE.shard.json, which `--shard I/N -o FILE` writes.

Examples:
  cvx merge drift.1.parquet drift.2.parquet -o drift.parquet
  cvx merge changes.*.csv -o changes.csv"
)]
pub struct Args {
    /// The shards, in any order
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}
