//! The options of `cvx drift`.

mod asked;
mod entity;
mod periods;
pub mod population;

pub use asked::Asked;
pub use entity::EntityArgs;

use clap::Subcommand;

/// How far each entity has moved, by which path, and in which dimensions
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "Two instants, --from 1990 --to 2010: an entity's state at each is its latest point at or before
it. Without them: first and last point. direction_p asks whether the steps between share one
direction, not whether the two states differ; steps that remember the ones before are flipped in
blocks. An entity without a point between the two has drift 0 and the status untouched.

Two periods, --from 1850..1900 --to 1950..2000 (1990..1990 is the year 1990): the means of an
entity's points in each. `change` and `cosine_corrected` are what is left when noise is taken off:
zero in the mean without a change, however few the points. p_value relabels blocks of consecutive
points, as long as points remember the ones before (--block), or clusters (--cluster author);
q_value is Benjamini and Hochberg's over all entities of the run. Status few_blocks: too few
independent blocks for any p up to 0.05.

Ends with 3 when an entity could not be computed (model_break), or when none could be.

Examples:
  cvx drift --from 1990 --to 2010 --sort cosine --top-rows 20
  cvx drift --entity cell --reference centroid
  cvx drift --reference apple@1990 --to 2010 -f csv
  cvx drift --from 1850..1900 --to 1950..2000 --cluster author --fail-on 'q_value < 0.05'
  cvx drift population --ref 2023 --cur 2024"
)]
pub struct Args {
    #[command(subcommand)]
    pub population: Option<Whole>,
    #[command(flatten)]
    pub entity: EntityArgs,
}

/// What is compared as a whole.
#[derive(Subcommand, Debug)]
pub enum Whole {
    Population(population::Args),
}

impl Args {
    /// True when the dataset is to keep something of the run.
    pub fn stores(&self) -> bool {
        matches!(&self.population, Some(Whole::Population(args)) if args.stores())
    }
}
