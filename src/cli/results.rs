//! The options of `cvx results`.

use crate::commands::results::What;
use clap::{Subcommand, ValueEnum};

/// List, show and drop baselines, detector states, saved changes and calibrations
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    pub what: Verb,
}

/// What is done with results.
#[derive(Subcommand, Debug)]
pub enum Verb {
    List(ListArgs),
    Show(NameArgs),
    Drop(NameArgs),
}

/// A row for each result
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Trained models are listed by `cvx predict models`.

Examples:
  cvx results list
  cvx results list --kind baseline -f csv")]
pub struct ListArgs {
    /// Only results of this kind
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
}

/// One result, by kind and name; drop removes it, and the command that made it can make it again
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "A state that is dropped is lost with what its detectors learnt: the next run under
its name begins with all points.

Examples:
  cvx results show baseline spring -f json
  cvx results drop states daily"
)]
pub struct NameArgs {
    /// What it is
    #[arg(value_enum)]
    pub kind: Kind,
    /// The name that it was saved under
    pub name: String,
}

/// Kinds of results.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Saved change points: changepoints --save
    Changepoints,
    /// States of detectors: changepoints --state, ingest --detect
    States,
    /// Reference samples: drift population --baseline
    Baseline,
    /// Past errors of forecasts, which predict keeps
    Calibration,
    /// Trained models of older programs
    Model,
    /// Trainings that were broken off
    Checkpoint,
}

impl Kind {
    /// For the library.
    pub fn what(self) -> What {
        match self {
            Kind::Changepoints => What::Changepoints,
            Kind::States => What::States,
            Kind::Baseline => What::Baseline,
            Kind::Calibration => What::Calibration,
            Kind::Model => What::Model,
            Kind::Checkpoint => What::Checkpoint,
        }
    }
}

impl Args {
    /// True for what changes the dataset.
    pub fn writes(&self) -> bool {
        matches!(self.what, Verb::Drop(_))
    }
}
