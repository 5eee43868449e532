//! `cvx query`: neighbours, states and trajectories.

mod asof;
mod knn;
mod neighbours;
mod queries;
mod range;
mod trajectory;
mod vectors;

use crate::context::Context;
use clap::Subcommand;
use cvx::error::Result;

/// Ask the dataset: nearest points, states at an instant, trajectories
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Query,
}

#[derive(Subcommand, Debug)]
enum Query {
    Knn(knn::Args),
    Range(range::Args),
    Asof(asof::Args),
    Trajectory(trajectory::Args),
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    match args.command {
        Query::Knn(args) => knn::run(context, args),
        Query::Range(args) => range::run(context, args),
        Query::Asof(args) => asof::run(context, args),
        Query::Trajectory(args) => trajectory::run(context, args),
    }
}
