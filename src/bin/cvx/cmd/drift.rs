//! `cvx drift`: how far entities have moved, or whole populations.

use crate::context::Context;
use crate::gate::Gated;
use cvx::cli::drift::{Args, Asked, EntityArgs, Whole, population as options};
use cvx::commands::drift::{instants, periods};
use cvx::commands::population::{self, Current};
use cvx::error::Result;
use cvx::hidden;
use cvx::rows::{DriftRow, PeriodRow, PopulationRow};

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    match &args.population {
        Some(Whole::Population(args)) => populations(context, args),
        None => entities(context, &args.entity),
    }
}

fn entities(context: &Context, args: &EntityArgs) -> Result<()> {
    let gate = &args.batch.gate;
    let sparks = context.outputs.sparks()?;
    match args.asked(sparks)? {
        Asked::Instants(request) => {
            let hidden = hidden!(DriftRow: scale, roughness).when(request.each.scales.is_empty());
            let hidden = hidden.and(hidden!(DriftRow: path).when(sparks.is_none()));
            let mut out = Gated::new(context.rows_of(hidden)?, gate)?;
            let outcome = instants::run(&context.session, &request, &context.console, &mut out)?;
            out.verdict()?;
            outcome.into_result()
        }
        Asked::Periods(request) => {
            let hidden = hidden!(PeriodRow: q_value).when(!request.q_values);
            let mut out = Gated::new(context.rows_of(hidden)?, gate)?;
            let outcome = periods::run(&context.session, &request, &context.console, &mut out)?;
            out.verdict()?;
            outcome.into_result()
        }
    }
}

fn populations(context: &Context, args: &options::Args) -> Result<()> {
    let request = args.request()?;
    if request.current == Current::None {
        // Nothing is compared: the sample alone is stored.
        let report = population::run(&context.session, &request, &context.console, &mut Vec::new())?;
        report.saved.as_ref().map_or(Ok(()), |row| context.outputs.record(row))?;
        return report.outcome.into_result();
    }
    let hidden = hidden!(PopulationRow: group).when(request.by.is_none());
    let mut out = Gated::new(context.rows_of(hidden)?, &args.gate)?;
    let report = population::run(&context.session, &request, &context.console, &mut out)?;
    if report.drifted > 0 && args.gate.fail_on.is_none() {
        context.console.note(&format!(
            "{} of {} tests see a drift; --fail-on EXPR makes findings end with exit status 4",
            report.drifted, report.tests
        ));
    }
    out.verdict()?;
    report.outcome.into_result()
}
