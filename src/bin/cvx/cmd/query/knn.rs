//! `cvx query knn`: the nearest points.

use super::neighbours::{self, NeighbourArgs, Plan};
use crate::context::Context;
use crate::select::time;
use cvx::error::Result;
use cvx::time::TimeExpr;

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
    common: NeighbourArgs,
    /// What distances in time count from, with --alpha; without it now
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    at: Option<TimeExpr>,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let snapshot = context.snapshot()?;
    let selection = args.common.select.resolve(context, &snapshot)?;
    let now = context.now(&snapshot, &selection.select, &[args.at], None)?;
    let at = args.at.map_or(Ok(now.now), |t| t.resolve(&now))?;
    let plan = Plan { select: &selection.select, at, states: None, radius: None };
    neighbours::run(context, &snapshot, &args.common, &plan)?;
    selection.finish()
}
