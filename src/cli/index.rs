//! The options of `cvx index`.

use super::values::{Metrics, time};
use crate::commands::index::Request;
use crate::time::TimeExpr;
use clap::{Subcommand, ValueEnum};

/// Make queries fast: build, inspect or drop the index
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    pub command: IndexCommand,
}

/// What is done with the index.
#[derive(Subcommand, Debug)]
pub enum IndexCommand {
    Build(BuildArgs),
    /// A row a part of the index
    #[command(after_long_help = "Examples:\n  cvx index status\n  cvx index status -f csv")]
    Status,
    /// Remove the index; queries scan
    #[command(after_long_help = "Examples:\n  cvx index drop -d news")]
    Drop,
}

/// Work the points that the index lacks into it
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Queries never need an index: points that it lacks are scanned. A build takes the lock only to
publish, so ingest and queries go on beside it; interrupted, it leaves the old index.

A build measures the recall of its own searches: it puts stored points, points halfway between two, and moved points to
each new part, over all times, in windows, at instants, without one entity and for the best point of each entity, and
compares the ten nearest with those by exact distances. Paths that find too few are made deeper or not taken. A part
that cannot reach 0.95 is scanned by queries, and the build says so. `cvx index status` shows the figures.

Examples:
  cvx index build -d news
  cvx index build --check-recall 0.95
  cvx index build --rebuild --metric l2 --lean"
)]
pub struct BuildArgs {
    /// Structures: a graph where it pays beside the lists, or lists alone
    #[arg(long, value_enum, default_value_t = Kinds::Graph)]
    kind: Kinds,
    /// Distance; without it that of the index there is, else the dataset's
    #[arg(long, value_enum)]
    metric: Option<Metrics>,
    /// Work in only what is new (usual)
    #[arg(long, conflicts_with = "rebuild")]
    incremental: bool,
    /// Build everything anew
    #[arg(long)]
    rebuild: bool,
    /// Only points from this time on
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    from: Option<TimeExpr>,
    /// Only points before this time
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    to: Option<TimeExpr>,
    /// Keep codes of the points only: about a fifth of the size; exact distances are read from the points' own files, and
    /// searches without a window look at more rows
    #[arg(long)]
    lean: bool,
    /// Measure recall@10 afterwards; below this share the index stays and the exit status is 4
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "0.95")]
    check_recall: Option<f64>,
    /// Stored points that stand in for queries
    #[arg(long, value_name = "N", default_value_t = 1000)]
    recall_sample: usize,
}

/// `--kind`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    /// Lists, and a graph for large parts
    Graph,
    /// Lists alone: smaller and faster to build
    Lists,
}

impl Args {
    /// True for what changes the dataset.
    pub fn writes(&self) -> bool {
        !matches!(self.command, IndexCommand::Status)
    }
}

impl BuildArgs {
    /// For the library.
    pub fn request(&self) -> Request {
        Request {
            graph: self.kind == Kinds::Graph,
            metric: self.metric.map(Into::into),
            rebuild: self.rebuild,
            from: self.from,
            to: self.to,
            lean: self.lean,
            check_recall: self.check_recall,
            recall_sample: self.recall_sample,
        }
    }
}
