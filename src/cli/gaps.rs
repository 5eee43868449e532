//! The options of `cvx gaps`.

use super::cuts::GateArgs;
use super::select::SelectArgs;
use super::values::duration;
use crate::commands::each::Order;
use crate::commands::gaps::Request;
use crate::error::Result;
use crate::time::Duration;

/// Steps in time that are far longer than an entity's usual one
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "A row is a step between two points that follow each other. It is longer than --times median steps
of its entity, and than --longer-than. Only times are read, so this is quick on large datasets.

Examples:
  cvx gaps --longer-than 2d
  cvx gaps --in 2024 --times 10 -f csv
  cvx gaps --longer-than 1d --from now-7d --fail-on 'count(gap_s > 0) > 0'"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// Only steps longer than this
    #[arg(long, value_name = "DUR", value_parser = duration)]
    longer_than: Option<Duration>,
    /// Only steps longer than so many median steps of their entity
    #[arg(long, value_name = "X", default_value = "5", value_parser = times)]
    times: f64,
    /// Rows as they are ready, not in the order of entities
    #[arg(long)]
    unordered: bool,
    #[command(flatten)]
    pub gate: GateArgs,
}

fn times(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
    number.ok_or_else(|| "expected a number of at least 0".to_string())
}

impl Args {
    /// For the library.
    pub fn request(&self) -> Result<Request> {
        Ok(Request {
            selection: self.select.selection()?,
            longer_than: self.longer_than,
            times: self.times,
            order: if self.unordered { Order::Any } else { Order::Entity },
        })
    }
}
