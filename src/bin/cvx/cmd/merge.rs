//! `cvx merge`: the outputs of several jobs, each with its shard, as one.

use crate::context::Context;
use crate::signals;
use clap::ValueHint;
use cvx::error::{Error, Result};
use cvx::output::{Format, Pipe, merge};
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
    files: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let format = merge::format(&args.files)?;
    let wanted = context.run.out.as_deref().and_then(Format::of_path);
    if wanted.is_some_and(|w| w != format) {
        return Err(Error::usage("the output's name says another format than the shards have")
            .what("option --out")
            .fix("give it the shards' extension"));
    }
    if let Some(out) = context.run.out.as_deref().filter(|out| args.files.iter().any(|f| f == out)) {
        return Err(Error::usage("the output is one of the shards").file(out).fix("choose another name"));
    }
    let rows = merge::merge(&args.files, context.target(Pipe::Ends)?, &signals::check)?;
    context.detail(&format!("{rows} rows of {} shards", args.files.len()));
    Ok(())
}
