//! The options of `cvx predict`.

mod ahead;
mod basis;
pub mod eval;
pub mod models;
pub mod train;

pub use ahead::AheadArgs;

use crate::error::{Error, Result};
use clap::Subcommand;

/// Where each entity will be, and within which radius
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "The radius holds the true vector with the probability of --level at each horizon: it comes from
the errors that the same method made at that horizon in the past of --calibrate entities. These
are kept in the dataset and reused until a tenth of its points have changed. lower and upper hold
each dimension with that probability, on average over the dimensions.

The probability is one over all entities together. It assumes that the next stretch of time is
like those before it. It does not hold across a change that strikes all entities at once. A
radius needs about 1 / (1 - level) stretches of the past, as long as the horizon, that do not
overlap; without them status is uncalibrated and there is no radius.

vs_last below 1 means better than repeating the last point; auto never takes a method above 1.
`cvx predict eval` shows how well each method does here, and whether the radii hold.

Examples:
  cvx predict --horizon 30d
  cvx predict --entity apple --at 2030 --vectors list
  cvx predict --to 2019 --horizon 1y --horizon 2y --method trend -f csv
  cvx predict --entity apple --horizon 10y --rank-like 3"
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Predict>,
    #[command(flatten)]
    pub ahead: AheadArgs,
}

/// What is done with forecasts beside making them.
#[derive(Subcommand, Debug)]
pub enum Predict {
    Eval(eval::Args),
    Models(models::Args),
    Train(train::Args),
}

impl Args {
    /// True for `predict train`.
    pub fn trains(&self) -> bool {
        matches!(self.command, Some(Predict::Train(_)))
    }

    /// Refuses instants beside a further word.
    pub fn check(&self) -> Result<()> {
        if self.command.is_some() && self.ahead.says_when() {
            return Err(Error::usage("--at and --horizon belong to cvx predict itself")
                .fix("leave out them, or the word after predict"));
        }
        Ok(())
    }
}
