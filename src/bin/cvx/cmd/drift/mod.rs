//! `cvx drift`: how far entities have moved, or whole populations.

mod entity;
mod population;

pub use entity::top_dims;

use crate::context::Context;
use clap::Subcommand;
use cvx::error::Result;

/// How far each entity has moved, by which path, and in which dimensions
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "--from and --to name two instants; an entity's state at each is its latest point at
or before it. They select no points here. Without them: first and last point.

Examples:
  cvx drift --from 1990 --to 2010 --sort cosine --top-rows 20
  cvx drift --entity cell --reference centroid
  cvx drift --reference apple@1990 --to 2010 -f csv
  cvx drift population --ref 2023 --cur 2024"
)]
pub struct Args {
    #[command(subcommand)]
    population: Option<Whole>,
    #[command(flatten)]
    entity: entity::EntityArgs,
}

/// What is compared as a whole.
#[derive(Subcommand, Debug)]
enum Whole {
    Population(population::Args),
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    match args.population {
        Some(Whole::Population(args)) => population::run(context, args),
        None => entity::run(context, args.entity),
    }
}
