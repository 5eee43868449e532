//! The options of `cvx query`.

pub mod asof;
pub mod knn;
mod neighbours;
pub mod range;
pub mod trajectory;
mod vectors;

pub use neighbours::NeighbourArgs;

use clap::Subcommand;

/// Ask the dataset: nearest points, states at an instant, trajectories
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    pub command: Query,
}

/// The queries.
#[derive(Subcommand, Debug)]
pub enum Query {
    Knn(knn::Args),
    Range(range::Args),
    Asof(asof::Args),
    Trajectory(trajectory::Args),
}
