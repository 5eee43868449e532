//! The options that predicting, evaluating and training share.

use crate::analytics::predict::Method;
use crate::cli::select::SelectArgs;
use crate::commands::predict::{Basis, Forecaster};
use clap::{ArgMatches, Command, FromArgMatches, ValueEnum};
use std::ops::Deref;

/// The usual selection. `--model` names a trained model here, so the embedding model of the points
/// is `--embedding-model`.
#[derive(Debug, Clone)]
pub struct PointArgs(SelectArgs);

impl Deref for PointArgs {
    type Target = SelectArgs;

    fn deref(&self) -> &SelectArgs {
        &self.0
    }
}

impl FromArgMatches for PointArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        SelectArgs::from_arg_matches(matches).map(PointArgs)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl clap::Args for PointArgs {
    fn augment_args(command: Command) -> Command {
        SelectArgs::augment_args(command).mut_arg("model", |a| a.long("embedding-model"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        PointArgs::augment_args(command)
    }
}

/// What the methods are told.
#[derive(clap::Args, Debug, Clone)]
pub struct MethodArgs {
    /// Last points that trend looks at
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..))]
    pub window: u32,
    /// The trained model of node, NAME or NAME@VERSION; without it the one trained last
    #[arg(long = "model", id = "trained", value_name = "NAME")]
    pub model: Option<String>,
}

impl MethodArgs {
    /// For the library.
    pub fn basis(&self) -> Basis {
        Basis { window: self.window as usize, model: self.model.clone() }
    }
}

/// `--method`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Methods {
    /// The one that did best on the past of this dataset
    Auto,
    /// The last point again
    Last,
    /// The mean of all points
    Mean,
    /// The line through the last two points
    Linear,
    /// The least-squares line through the last --window points
    Trend,
    /// Holt's damped trend for irregular times
    Holt,
    /// An Ornstein-Uhlenbeck process: drawn back to a mean
    Ou,
    /// A trained neural ODE, see `cvx predict train`
    Node,
    /// A level and waves of the period that was found in the past of this dataset
    Season,
}

impl From<Methods> for Forecaster {
    fn from(method: Methods) -> Forecaster {
        Forecaster::Fixed(match method {
            Methods::Auto => return Forecaster::Auto,
            Methods::Last => Method::Last,
            Methods::Mean => Method::Mean,
            Methods::Linear => Method::Linear,
            Methods::Trend => Method::Trend,
            Methods::Holt => Method::Holt,
            Methods::Ou => Method::Ou,
            Methods::Node => Method::Node,
            Methods::Season => Method::Season,
        })
    }
}

/// Reads `--level`.
pub fn level(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(level) if level > 0.0 && level < 1.0 => Ok(level),
        _ => Err("expected a probability between 0 and 1, e.g. 0.9".to_string()),
    }
}
