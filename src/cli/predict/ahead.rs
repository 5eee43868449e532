//! The options of the forecasts.

use super::basis::{MethodArgs, Methods, PointArgs, level};
use crate::cli::cuts::{CutArgs, GateArgs};
use crate::cli::values::{duration, time};
use crate::commands::predict::ahead::Request;
use crate::error::Result;
use crate::time::{Duration, TimeExpr};

/// Options of the forecasts.
#[derive(clap::Args, Debug)]
pub struct AheadArgs {
    /// Predict this instant (repeatable); it must lie after the last selected point of an entity
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    at: Vec<TimeExpr>,
    /// Predict this long after each entity's last point (repeatable)
    #[arg(long, value_name = "DUR", value_parser = duration)]
    horizon: Vec<Duration>,
    /// How to predict
    #[arg(long, value_enum, default_value_t = Methods::Auto)]
    method: Methods,
    #[command(flatten)]
    told: MethodArgs,
    /// Probability with which the radius holds the truth
    #[arg(long, value_name = "P", default_value = "0.9", value_parser = level)]
    level: f64,
    /// Entities on whose past the methods are tried; 0 for no radius and no choice
    #[arg(long, value_name = "N", default_value_t = 500)]
    calibrate: u64,
    /// Try the methods again, even where a calibration is kept
    #[arg(long)]
    recalibrate: bool,
    /// Also the K other entities whose newest states are nearest to the prediction
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rank_like: Option<u32>,
    #[command(flatten)]
    cuts: CutArgs,
    #[command(flatten)]
    pub gate: GateArgs,
    #[command(flatten)]
    points: PointArgs,
}

impl AheadArgs {
    /// True when an instant is asked for.
    pub fn says_when(&self) -> bool {
        !self.at.is_empty() || !self.horizon.is_empty()
    }

    /// For the library; `half_widths` says that rows show vectors.
    pub fn request(&self, half_widths: bool) -> Result<Request> {
        Ok(Request {
            selection: self.points.selection()?,
            at: self.at.clone(),
            horizon: self.horizon.clone(),
            method: self.method.into(),
            basis: self.told.basis(),
            level: self.level,
            calibrate: self.calibrate,
            recalibrate: self.recalibrate,
            rank_like: self.rank_like.map(|k| k as usize),
            half_widths,
            cuts: self.cuts.cuts(),
        })
    }
}
