//! `cvx query`: neighbours, states and trajectories.

use crate::context::Context;
use crate::printer::Printer;
use cvx::cli::query::{Args, NeighbourArgs, Query, asof, trajectory};
use cvx::commands::query::neighbours::{self, Request};
use cvx::commands::query::{states, trajectory as points};
use cvx::error::Result;
use cvx::hidden;
use cvx::rows::{NeighbourRow, StateRow, TrajectoryRow};

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let vectors = context.outputs.shows_vectors();
    match &args.command {
        Query::Knn(args) => nearest(context, &args.common, &args.request(vectors)?),
        Query::Range(args) => nearest(context, &args.common, &args.request(vectors)?),
        Query::Asof(args) if args.common.vectors.is_empty() => states_at(context, args),
        Query::Asof(args) => nearest(context, &args.common, &args.request(vectors)?),
        Query::Trajectory(args) => trajectories(context, args),
    }
}

fn nearest(context: &Context, args: &NeighbourArgs, request: &Request) -> Result<()> {
    request.check()?;
    let single = args.vectors.queries.is_none() && context.outputs.shows_table()?;
    let hidden = hidden!(NeighbourRow: meta).when(!request.meta);
    let hidden = hidden.and(hidden!(NeighbourRow: query, status).when(single));
    let mut out = Printer::new(context.rows_of(hidden)?);
    neighbours::run(&context.session, request, &context.console, &mut out)?.into_result()
}

fn states_at(context: &Context, args: &asof::Args) -> Result<()> {
    let request = args.states()?;
    let mut out = Printer::new(context.rows_of(hidden!(StateRow: meta).when(!request.meta))?);
    states::run(&context.session, &request, &context.console, &mut out)?.into_result()
}

fn trajectories(context: &Context, args: &trajectory::Args) -> Result<()> {
    let request = args.request()?;
    request.check()?;
    let mut out = Printer::new(context.rows_of(hidden!(TrajectoryRow: meta).when(!request.meta))?);
    points::run(&context.session, &request, &context.console, &mut out)?.into_result()
}
