//! `cvx query range`: the nearest points of a window, or all within a radius.

use super::neighbours::{self, NeighbourArgs, Plan};
use crate::context::Context;
use crate::select::time;
use cvx::error::{Error, Result};
use cvx::metric::Metric;
use cvx::time::TimeExpr;

/// The nearest points in a window of time, or all within a radius
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx query range --like apple@1990 --in 1990..1999 -k 5
  cvx query range --vector '[0.1, 0.2]' --from 2024-01-01 --radius 0.05")]
pub struct Args {
    #[command(flatten)]
    common: NeighbourArgs,
    /// Every point at this distance or nearer, instead of the first k
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    radius: Option<f64>,
    /// What distances in time count from, with --alpha; without it now
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    at: Option<TimeExpr>,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let own = args.common.vectors.queries.is_some();
    if !args.common.select.has_window() && !own {
        return Err(Error::usage("a range query needs a window of time")
            .fix("give --from and --to, or --in; `cvx query knn` looks at all times"));
    }
    let snapshot = context.snapshot()?;
    let metric = args.common.metric(&snapshot);
    if let Some(r) = args.radius.filter(|r| r.is_nan() || (*r < 0.0 && metric != Metric::Dot)) {
        return Err(Error::usage(format!("{r} is not a radius"))
            .what("option --radius")
            .fix("cosine and l2 distances are 0 or more; only dot has negative ones"));
    }
    let selection = args.common.select.resolve(context, &snapshot)?;
    let now = context.now(&snapshot, &selection.select, &[args.at], None)?;
    let at = args.at.map_or(Ok(now.now), |t| t.resolve(&now))?;
    let plan = Plan { select: &selection.select, at, states: None, radius: args.radius };
    neighbours::run(context, &snapshot, &args.common, &plan)?;
    selection.finish()
}
