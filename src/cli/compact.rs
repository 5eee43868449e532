//! The options of `cvx compact`.

use super::values::{duration, size};
use crate::commands::compact::{Pace, Request};
use crate::maintenance::Limits;
use crate::time::Duration;

/// Turn log and hot segments into sorted Parquet, merge small files, take out dead rows
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Readers are not disturbed: they keep the version they opened, whose files are
removed when nobody reads it and --keep-for has passed. The files lie in
warm/bucket=HHHH/PERIOD.ID.parquet, any Parquet reader can open them, and
`cvx info --partitions` lists those of the newest version. A file holds points of one
period of the dataset's --partition, so that `cvx tier run` can move it by age; only in
one merge of more than 512 periods do small neighbouring ones share a file.

--purge rewrites warm files and cold blocks without their dead rows. A cold block stays
cold and keeps its codec.

Examples:
  cvx compact -d news
  cvx compact --if-needed --max-time 5m --skip-if-locked
  cvx compact --purge --keep-for 0s
  cvx compact --dry-run -f table")]
pub struct Args {
    #[command(flatten)]
    how: CompactArgs,
    /// Do nothing, without taking the lock, when nothing qualifies
    #[arg(long)]
    if_needed: bool,
}

/// What to compact, and how much.
#[derive(clap::Args, Debug, Clone)]
struct CompactArgs {
    /// Only hot segments all of whose points are older than this
    #[arg(long, value_name = "DUR", default_value = "0s", value_parser = duration)]
    older_than: Duration,
    /// Size of a file, about
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    target_file: usize,
    /// Also rewrite files with rows that were replaced or deleted, those in cold included
    #[arg(long)]
    purge: bool,
    /// Rewrite all files
    #[arg(long)]
    rewrite: bool,
    #[command(flatten)]
    pace: PaceArgs,
}

/// How much of a job is done at once, and how long what it replaces stays.
#[derive(clap::Args, Debug, Clone)]
pub struct PaceArgs {
    /// How long versions that nobody reads are kept, with their files
    #[arg(long, value_name = "DUR", default_value = "1h", value_parser = duration)]
    keep_for: Duration,
    /// Begin nothing more after so many bytes of input; the next run goes on
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_bytes: Option<usize>,
    /// Begin nothing more after this time; the next run goes on
    #[arg(long, value_name = "DUR", value_parser = duration)]
    max_time: Option<Duration>,
}

impl PaceArgs {
    /// For the library.
    pub fn pace(&self) -> Pace {
        Pace {
            keep_for: span(&self.keep_for),
            limits: Limits {
                bytes: self.max_bytes.map(|b| b as u64),
                time: self.max_time.as_ref().map(span),
            },
        }
    }
}

impl Args {
    /// For the library.
    pub fn request(&self) -> Request {
        Request {
            older_than: self.how.older_than,
            target_file: self.how.target_file,
            purge: self.how.purge,
            rewrite: self.how.rewrite,
            if_needed: self.if_needed,
            pace: self.how.pace.pace(),
        }
    }
}

/// A duration of the clock.
pub(super) fn span(d: &Duration) -> std::time::Duration {
    std::time::Duration::from_micros(u64::try_from(d.mean_us()).unwrap_or(0))
}
