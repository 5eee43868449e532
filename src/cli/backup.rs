//! The options of `cvx backup`.

use clap::ValueHint;
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
    pub target: PathBuf,
}
