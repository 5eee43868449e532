//! The options of `cvx query knn`.

use super::neighbours::NeighbourArgs;
use crate::cli::values::time;
use crate::commands::query::neighbours::{Among, Request};
use crate::error::Result;
use crate::time::TimeExpr;

/// The points nearest to a vector, or to an entity's state
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Distances are exact. With an index (cvx index build) a few of the nearest may be missed;
--exact looks at every selected point. Equal distances are ordered by entity, then time.

Examples:
  cvx query knn --like apple@1990 -k 3 --in 2000..2010 --per-entity best
  cvx query knn --vector '[0.1, -0.2, 0.3]' --metric l2 --where \"lang = 'en'\" --meta
  cvx query knn --queries queries.jsonl -k 20 -f parquet -o answers.parquet
  cvx query knn --like apple --alpha 0.7 --at 2020-01-01 --half-life 2y"
)]
pub struct Args {
    #[command(flatten)]
    pub common: NeighbourArgs,
    /// What distances in time count from, with --alpha; without it now
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    at: Option<TimeExpr>,
}

impl Args {
    /// For the library; `vectors` says that rows show vectors.
    pub fn request(&self, vectors: bool) -> Result<Request> {
        self.common.request(Among::Points, self.at, vectors)
    }
}
