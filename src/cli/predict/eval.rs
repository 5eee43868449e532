//! The options of `cvx predict eval`.

use super::basis::{MethodArgs, Methods, PointArgs, level};
use crate::cli::cuts::CutArgs;
use crate::commands::predict::eval::Request;
use crate::error::Result;
use crate::rows::Sparks;

/// How well each method would have done here, by horizon
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "From points of the past each method predicts later points that are known. There is a row for
each median step ahead up to sixteen of them, then for each half octave. Choice and radius of a
case come from other entities only, so coverage should be near --level in every row: by chance
it is off by about sqrt(level (1 - level) / n_radius), more where cases of one entity resemble
each other. A model is tried only where it was not trained. Histories whose points are all equal
are left out.

Examples:
  cvx predict eval
  cvx predict eval --method last --method trend --level 0.5 --level 0.9 -f csv
  cvx predict eval --cases --entity apple --method auto"
)]
pub struct Args {
    /// Methods to compare (repeatable); by default all
    #[arg(long, value_enum)]
    method: Vec<Methods>,
    #[command(flatten)]
    told: MethodArgs,
    /// Probability of the radius (repeatable)
    #[arg(long, value_name = "P", default_value = "0.9", value_parser = level)]
    level: Vec<f64>,
    /// Entities to draw, and cases of each horizon at least, where the data has them
    #[arg(long, value_name = "N", default_value_t = 500)]
    calibrate: u64,
    /// Show each case: the prediction beside what happened
    #[arg(long)]
    pub cases: bool,
    #[command(flatten)]
    cuts: CutArgs,
    #[command(flatten)]
    points: PointArgs,
}

impl Args {
    /// For the library.
    pub fn request(&self, sparks: Option<Sparks>) -> Result<Request> {
        Ok(Request {
            selection: self.points.selection()?,
            methods: self.method.iter().map(|m| (*m).into()).collect(),
            basis: self.told.basis(),
            levels: self.level.clone(),
            calibrate: self.calibrate,
            cases: self.cases,
            sparks,
            cuts: self.cuts.cuts(),
        })
    }
}
