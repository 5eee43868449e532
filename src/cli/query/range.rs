//! The options of `cvx query range`.

use super::neighbours::NeighbourArgs;
use crate::cli::values::time;
use crate::commands::query::neighbours::{Among, Request};
use crate::error::Result;
use crate::time::TimeExpr;

/// The nearest points in a window of time, or all within a radius
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx query range --like apple@1990 --in 1990..1999 -k 5
  cvx query range --vector '[0.1, 0.2]' --from 2024-01-01 --radius 0.05")]
pub struct Args {
    #[command(flatten)]
    pub common: NeighbourArgs,
    /// Every point at this distance or nearer, instead of the first k
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    radius: Option<f64>,
    /// What distances in time count from, with --alpha; without it now
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    at: Option<TimeExpr>,
}

impl Args {
    /// For the library; `vectors` says that rows show vectors.
    pub fn request(&self, vectors: bool) -> Result<Request> {
        self.common.request(Among::Within { radius: self.radius }, self.at, vectors)
    }
}
