//! The options of drift of entities: between two instants, or two periods.

use super::periods::PeriodArgs;
use crate::cli::cuts::{BatchArgs, PerArg};
use crate::cli::select::SelectArgs;
use crate::commands::drift::SortBy;
use clap::ValueEnum;

/// Drift of entities.
#[derive(clap::Args, Debug)]
pub struct EntityArgs {
    #[command(flatten)]
    pub(super) select: SelectArgs,
    /// What the last state is compared with: first, centroid, or ENTITY@T
    #[arg(long, value_name = "REF", default_value = "first")]
    pub(super) reference: String,
    /// Dimensions to name
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) top: usize,
    #[command(flatten)]
    pub(super) per: PerArg,
    /// Random sign flips for direction_p; 0 for none [default: 999]
    #[arg(long, value_name = "N")]
    pub(super) flips: Option<usize>,
    /// Order the rows by this, largest first
    #[arg(long, value_enum, value_name = "FIELD")]
    pub(super) sort: Option<SortBys>,
    /// Only the first N rows, after sorting
    #[arg(long, value_name = "N")]
    pub(super) top_rows: Option<usize>,
    #[command(flatten)]
    pub(super) period: PeriodArgs,
    #[command(flatten)]
    pub batch: BatchArgs,
}

/// `--sort`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortBys {
    /// Euclidean distance
    L2,
    /// Cosine distance
    Cosine,
    /// Angle
    Angle,
    /// Distance per --per
    Rate,
    /// Length of the path
    Path,
    /// Distance of two periods, corrected for noise
    Change,
}

impl From<SortBys> for SortBy {
    fn from(by: SortBys) -> SortBy {
        match by {
            SortBys::L2 => SortBy::L2,
            SortBys::Cosine => SortBy::Cosine,
            SortBys::Angle => SortBy::Angle,
            SortBys::Rate => SortBy::Rate,
            SortBys::Path => SortBy::Path,
            SortBys::Change => SortBy::Change,
        }
    }
}
