//! `cvx query asof`: the world as it was at an instant.

use super::neighbours::{self, NeighbourArgs, Plan};
use crate::context::Context;
use crate::mixed::Mixed;
use crate::rows::StateRow;
use crate::select::time;
use crate::signals;
use crate::values::duration;
use cvx::dataset::{Select, Snapshot, Trajectories, asof_rows};
use cvx::error::Result;
use cvx::model::{TimestampUs, seconds_between};
use cvx::output::{Id, Meta, Time};
use cvx::simd::wide;
use cvx::time::{Duration, TimeExpr};

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
    common: NeighbourArgs,
    /// The instant; with --queries for those without one of their own, by default the newest
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true, required_unless_present = "queries")]
    at: Option<TimeExpr>,
    /// Leave out states older than this
    #[arg(long, value_name = "DUR", value_parser = duration)]
    max_age: Option<Duration>,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let snapshot = context.snapshot()?;
    let selection = args.common.select.resolve(context, &snapshot)?;
    let now = context.now(&snapshot, &selection.select, &[args.at], None)?;
    let at = args.at.map_or(Ok(TimestampUs::MAX), |at| at.resolve(&now))?;
    let max_age = args.max_age.map(|d| d.mean_us());
    if args.common.vectors.is_empty() {
        states(context, &snapshot, &selection.select, at, max_age, args.common.meta)?;
    } else {
        let plan = Plan { select: &selection.select, at, states: Some(max_age), radius: None };
        neighbours::run(context, &snapshot, &args.common, &plan)?;
    }
    selection.finish()
}

fn states(
    context: &Context,
    snapshot: &Snapshot,
    select: &Select,
    at: TimestampUs,
    max_age: Option<i64>,
    meta: bool,
) -> Result<()> {
    let hidden: &[&str] = if meta { &[] } else { &["meta"] };
    let mut out = context.rows_of::<StateRow>(snapshot, hidden)?;
    let (mut x, mut mixed) = (Vec::new(), Mixed::default());
    for rows in Trajectories::new(asof_rows(snapshot, select, at, max_age)?) {
        signals::check()?;
        rows.read(0..rows.len(), &mut x)?;
        for (i, t) in rows.t.iter().enumerate() {
            let text = if meta { rows.meta(i)? } else { String::new() };
            let model = &rows.origin(i).model;
            mixed.note(model);
            out.row(&StateRow {
                entity_id: Id(rows.entity),
                entity: snapshot.entity_name(rows.entity)?,
                t: Time(*t),
                age_s: seconds_between(*t, at),
                norm: wide::norm(&x),
                model: (!model.is_empty()).then(|| model.clone()),
                approx: rows.is_approx(i),
                vector: x.clone(),
                meta: (!text.is_empty()).then_some(Meta(text)),
            })?;
        }
    }
    mixed.tell(context);
    out.finish()
}
