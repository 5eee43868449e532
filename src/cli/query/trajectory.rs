//! The options of `cvx query trajectory`.

use crate::cli::select::SelectArgs;
use crate::cli::values::duration;
use crate::commands::query::trajectory::Request;
use crate::error::Result;
use crate::query::Interpolate;
use crate::time::Duration;
use clap::ValueEnum;

/// The points of an entity in time order, with the steps between them
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx query trajectory --entity apple
  cvx query trajectory --entity apple --every 1mo --interpolate linear -f csv
  cvx query trajectory --entity 42,43 --from 2024-01-01 --vectors list -f jsonl --meta")]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// One row every DUR, by the calendar: 1d, 1w, 1mo, 10y
    #[arg(long, value_name = "DUR", value_parser = duration)]
    every: Option<Duration>,
    /// With --every: what stands between the points
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Between::None, requires = "every")]
    interpolate: Between,
    /// Show metadata
    #[arg(long)]
    meta: bool,
}

/// `--interpolate`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    /// Nothing: the last point of each step, at its own time
    None,
    /// The straight line, at every step
    Linear,
    /// The latest point, at every step from the start of the window; it may lie before
    Locf,
}

impl Args {
    /// For the library.
    pub fn request(&self) -> Result<Request> {
        Ok(Request {
            selection: self.select.selection()?,
            every: self.every,
            interpolate: match self.interpolate {
                Between::None => Interpolate::None,
                Between::Linear => Interpolate::Linear,
                Between::Locf => Interpolate::Locf,
            },
            meta: self.meta,
        })
    }
}
