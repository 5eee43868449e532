//! The options of `cvx velocity`.

use super::cuts::{BatchArgs, PerArg};
use super::select::SelectArgs;
use super::values::time;
use crate::analytics::velocity::Scheme;
use crate::commands::velocity::Request;
use crate::error::Result;
use crate::time::TimeExpr;
use clap::ValueEnum;

/// Speed, acceleration and turning angle along each trajectory
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Derivatives are those of the parabola through a point and its neighbours, exact for
irregular times; see --scheme.

Examples:
  cvx velocity --entity user42 --order 2
  cvx velocity --at 2024-06-01 --per 30d -f csv
  cvx velocity --in 2024 --vectors list -o velocity.parquet"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// 1 for velocity, 2 for acceleration too
    #[arg(long, value_name = "1|2", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    order: u8,
    /// One row an entity: its motion at T, between points too
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    at: Option<TimeExpr>,
    #[command(flatten)]
    per: PerArg,
    /// How derivatives are taken
    #[arg(long, value_enum, default_value_t = Schemes::ThreePoint)]
    scheme: Schemes,
    #[command(flatten)]
    pub batch: BatchArgs,
}

/// `--scheme`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Schemes {
    /// Second order: the parabola through three points
    ThreePoint,
    /// First order: the step in
    TwoPoint,
}

impl Args {
    /// For the library; `vectors` says that rows show vectors.
    pub fn request(&self, vectors: bool) -> Result<Request> {
        Ok(Request {
            selection: self.select.selection()?,
            at: self.at,
            acceleration: self.order == 2,
            per: self.per.per.clone(),
            scheme: match self.scheme {
                Schemes::ThreePoint => Scheme::ThreePoint,
                Schemes::TwoPoint => Scheme::TwoPoint,
            },
            vectors,
            each: self.batch.options(),
        })
    }
}
