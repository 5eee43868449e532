//! `cvx backup`: a copy of the newest version, beside running jobs.

use crate::context::Context;
use crate::rows::BackupRow;
use crate::signals;
use clap::ValueHint;
use cvx::backup::{self, Report};
use cvx::error::Result;
use std::path::PathBuf;

/// Copy the newest version to a directory, while jobs run
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "The copy is a dataset: `cvx -d TARGET verify --level full` checks it, and copying it back to an
empty directory restores it. Readers and writers go on meanwhile. Results (ledger, baselines, states, saved
changes) are copied too.

TARGET is a new or empty directory, or holds an earlier backup of the same dataset: then only new files are
copied, and files that the version does not need any more are removed. Interrupted, it is the backup before;
the same command again completes it.

Cold blocks in other stores (tier run --target) are not copied: files_elsewhere counts them. Back up the store
as well, and let only one dataset write to it.

Examples:
  cvx backup /mnt/backup/news -d news
  cvx -q backup /mnt/backup/news --lock-timeout 10m"
)]
pub struct Args {
    /// The directory of the copy
    #[arg(value_name = "TARGET", value_hint = ValueHint::DirPath)]
    target: PathBuf,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let writing = context.writing("backup");
    let r = backup::backup(&context.dataset(), &args.target, &writing, &signals::check)?;
    if r.files_elsewhere > 0 {
        context.note(&format!("{} files lie in other stores and were not copied", r.files_elsewhere));
    }
    context.record(&row(&args, &r))
}

fn row(args: &Args, r: &Report) -> BackupRow {
    BackupRow {
        target: args.target.display().to_string(),
        commit: r.commit,
        points: r.points,
        files_copied: r.files_copied,
        files_kept: r.files_kept,
        files_removed: r.files_removed,
        files_elsewhere: r.files_elsewhere,
        bytes_copied: r.bytes_copied,
        seconds: r.seconds,
    }
}
