//! The options of `cvx query asof`.

use super::neighbours::NeighbourArgs;
use crate::cli::values::{duration, time};
use crate::commands::query::neighbours::{Among, Request};
use crate::commands::query::states;
use crate::error::Result;
use crate::time::{Duration, TimeExpr};

/// Each entity's state at an instant; with a vector, the nearest of these states
#[derive(clap::Args, Debug)]
#[command(
    visible_alias = "snapshot",
    after_long_help = "An entity's state at T is its latest point at or before T.

Examples:
  cvx query asof --at 1990-06-01 --vectors list -o states.parquet
  cvx query asof --at 1990-06-01 --entity apple --meta
  cvx query asof --at 1990-06-01 --like apple -k 5 --max-age 2y"
)]
pub struct Args {
    #[command(flatten)]
    pub common: NeighbourArgs,
    /// The instant; with --queries for those without one of their own, by default the newest
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true, required_unless_present = "queries")]
    at: Option<TimeExpr>,
    /// Leave out states older than this
    #[arg(long, value_name = "DUR", value_parser = duration)]
    max_age: Option<Duration>,
}

impl Args {
    /// For the library, where the states nearest to a vector are asked for.
    pub fn request(&self, vectors: bool) -> Result<Request> {
        let max_age_us = self.max_age.map(|d| d.mean_us());
        self.common.request(Among::States { max_age_us }, self.at, vectors)
    }

    /// For the library, where the states themselves are asked for.
    pub fn states(&self) -> Result<states::Request> {
        Ok(states::Request {
            at: self.at,
            max_age_us: self.max_age.map(|d| d.mean_us()),
            meta: self.common.meta,
            selection: self.common.select.selection()?,
        })
    }
}
