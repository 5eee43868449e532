//! The options of `cvx tier`.

use super::compact::{PaceArgs, span};
use super::select::SelectArgs;
use super::values::{duration, size, words};
use crate::commands::compact::Pace;
use crate::commands::tier::{Request, Restore};
use crate::error::Result;
use crate::pq::Codec;
use crate::time::Duration;
use clap::{Subcommand, ValueEnum};

/// Move old points to compact blocks in a directory or an object store, and back
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    pub what: What,
}

/// What is done with tiers.
#[derive(Subcommand, Debug)]
pub enum What {
    Status(StatusArgs),
    Plan(PlanArgs),
    Run(RunArgs),
    Restore(Box<RestoreArgs>),
}

/// What lies in each tier, by codec, codebook and target
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx tier status -d news -f table")]
pub struct StatusArgs {}

/// Which files would go to cold
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx tier plan --older-than 180d --codec rabitq:1")]
pub struct PlanArgs {
    #[command(flatten)]
    policy: PolicyArgs,
}

/// Send old points to cold, by whole days or weeks
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Points go by whole files, one for each --partition of the dataset. A file with older and
newer points is cut at the start of the week that --older-than falls into (of the day
where partitions are days), and older points that are still hot become warm first. So a
point goes at most a week after it is old enough; points_waiting counts those that are
not cold yet. A run that moves nothing because every file is above --max-error, or not
exact any more, ends with exit code 3.

The error of each block is measured against the exact points before they go. A lossy
codec without --keep-original needs --yes: the exact vectors are lost, and rows that
depend on them say approx.

Examples:
  cvx tier run --older-than 180d --codec zstd
  cvx tier run --older-than 180d --codec rabitq:1 --keep-original
  cvx tier run --older-than 1y --codec opq:96 --max-error 0.5 --yes --skip-if-locked"
)]
pub struct RunArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pace: PaceArgs,
}

#[derive(clap::Args, Debug)]
struct PolicyArgs {
    /// The tier they go to
    #[arg(long, value_enum, value_name = "TIER", default_value_t = To::Cold)]
    to: To,
    /// Points that are older than this, by whole days or weeks
    #[arg(long, value_name = "DUR", value_parser = duration)]
    older_than: Duration,
    /// How vectors are coded: pq:M, pq:Mx4, opq:M, rabitq:BITS, sq8, f16, or zstd, which loses nothing
    #[arg(long, value_name = "CODEC", value_parser = codec)]
    codec: Codec,
    /// A directory or s3://BUCKET/PREFIX; without it the dataset's own directory
    #[arg(long, value_name = "DIR|URL")]
    target: Option<String>,
    /// Leave files warm whose 99th percentile of relative errors is larger
    #[arg(long, value_name = "E", value_parser = share)]
    max_error: Option<f64>,
    /// Keep the exact files at the target too: neighbours are ranked by them again
    #[arg(long)]
    keep_original: bool,
    /// Train a new codebook when the old one's squared error has grown by more than this share
    #[arg(long, value_name = "SHARE", default_value = "0.2", value_parser = share)]
    drift_threshold: f64,
}

/// `--to`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// Blocks of codes
    Cold,
}

/// Bring the selected points of cold blocks back to warm
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Points whose originals were kept come back exactly; of others the codes give an
approximation, and rows go on saying approx.

Examples:
  cvx tier restore --entity 42
  cvx tier restore --from 2024-01-01 --to 2024-07-01 --yes
  cvx tier restore --all --dry-run")]
pub struct RestoreArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// All cold points; without it a selection is needed
    #[arg(long)]
    all: bool,
    /// Size of a warm file, about
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    target_file: usize,
    /// How long versions that nobody reads are kept, with their files
    #[arg(long, value_name = "DUR", default_value = "1h", value_parser = duration)]
    keep_for: Duration,
}

fn codec(text: &str) -> Result<Codec, String> {
    text.parse().map_err(|e| words(&e))
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
    number.ok_or_else(|| "expected a number of at least 0".to_string())
}

impl Args {
    /// True for what changes the dataset.
    pub fn writes(&self) -> bool {
        matches!(self.what, What::Run(_) | What::Restore(_))
    }
}

impl PolicyArgs {
    fn request(&self, pace: Pace) -> Request {
        let To::Cold = self.to;
        Request {
            older_than: self.older_than,
            codec: self.codec,
            target: self.target.clone(),
            max_error: self.max_error,
            keep_original: self.keep_original,
            drift_threshold: self.drift_threshold,
            pace,
        }
    }
}

impl PlanArgs {
    /// For the library.
    pub fn request(&self) -> Request {
        self.policy.request(Pace::default())
    }
}

impl RunArgs {
    /// For the library.
    pub fn request(&self) -> Request {
        self.policy.request(self.pace.pace())
    }
}

impl RestoreArgs {
    /// For the library.
    pub fn request(&self) -> Result<Restore> {
        Ok(Restore {
            selection: self.select.selection()?,
            all: self.all,
            target_file: self.target_file,
            keep_for: span(&self.keep_for),
        })
    }
}
