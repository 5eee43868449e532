//! What forecasts start from: points, a trained model. The same for predicting, evaluating and
//! training.

use crate::context::Context;
use crate::select::SelectArgs;
use clap::{ArgMatches, Command, FromArgMatches};
use cvx::analytics::predict::{Method, Settings, node};
use cvx::dataset::Snapshot;
use cvx::error::{Error, Result};
use cvx::forecast::models::{self, Stored};
use cvx::model::TimestampUs;
use std::ops::Deref;
use std::time::SystemTime;

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

/// The trained model that a command uses, or why there is none.
#[derive(Debug, Default)]
pub struct Node {
    stored: Option<Stored>,
    /// Why the model that was asked for cannot be used.
    pub missing: Option<String>,
}

impl Node {
    /// The model of `--model`; without it, the one trained last, which must be useful unless
    /// `named`: somebody asked for node itself.
    pub fn find(context: &Context, snapshot: &Snapshot, args: &MethodArgs, named: bool) -> Result<Node> {
        let dim = snapshot.settings().dim;
        let fits = |m: &node::Model| m.dim() == dim && (named || m.useful());
        let stored = match &args.model {
            Some(name) => models::find(snapshot, name)?,
            None => models::latest(snapshot, fits)?,
        };
        let missing = match (&stored, &args.model) {
            (None, Some(name)) => Some(format!("model {name} is missing")),
            (None, None) => named.then(|| "no model is trained".to_string()),
            (Some(s), _) => unusable(s, dim),
        };
        if let Some(why) = &missing {
            context.warn(&format!("{why}: the best of the other methods is used instead"));
            return Ok(Node { stored: None, missing });
        }
        Ok(Node { stored, missing })
    }

    /// The model.
    pub fn model(&self) -> Option<&node::Model> {
        self.stored.as_ref().and_then(|s| s.found.as_ref().ok()).map(|t| &t.model)
    }

    /// For the library; the period is not known yet.
    pub fn settings(&self, args: &MethodArgs) -> Settings<'_> {
        Settings { window: args.window as usize, model: self.model(), period_s: None }
    }

    /// What the automatic choice may choose: all, but a model only when it is useful.
    pub fn choosable(&self) -> Vec<Method> {
        let useful = self.model().is_some_and(node::Model::useful);
        Method::ALL.into_iter().filter(|m| *m != Method::Node || useful).collect()
    }
}

fn unusable(stored: &Stored, dim: usize) -> Option<String> {
    let label = stored.label();
    match &stored.found {
        Err(e) => Some(format!("model {label} cannot be read ({})", e.message())),
        Ok(t) if t.model.dim() != dim => {
            Some(format!("model {label} has dimension {}, the dataset {dim}", t.model.dim()))
        }
        Ok(_) => None,
    }
}

/// Reads `--level`.
pub fn level(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(level) if level > 0.0 && level < 1.0 => Ok(level),
        _ => Err("expected a probability between 0 and 1, e.g. 0.9".to_string()),
    }
}

/// An error unless the level is one that some calibration can hold.
pub fn check_calibrate(entities: u64) -> Result<()> {
    match entities {
        0..=100_000 => Ok(()),
        n => Err(Error::usage(format!("{n} entities are more than a calibration needs"))
            .what("option --calibrate")
            .fix("some hundreds are enough; at most 100000")),
    }
}

/// A number with its noun.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Now, for what stored results say of themselves; nothing is decided by it.
pub fn clock_us() -> TimestampUs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A length of time in a unit that fits it.
pub fn span(seconds: f64) -> String {
    const YEAR: f64 = 31_556_952.0;
    let (unit, letter) = match seconds {
        s if s >= 2.0 * YEAR => (YEAR, "y"),
        s if s >= 86_400.0 => (86_400.0, "d"),
        s if s >= 3_600.0 => (3_600.0, "h"),
        s if s >= 60.0 => (60.0, "m"),
        s if s >= 1.0 => (1.0, "s"),
        _ => (1e-3, "ms"),
    };
    let value = seconds / unit;
    let digits = if value >= 10.0 { 0 } else { 1 };
    let text = format!("{value:.digits$}");
    format!("{}{letter}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let texts = [0.5, 30.0, 5_400.0, 86_400.0, 31.5e6, 505e6].map(span);
        assert_eq!(texts, ["500ms", "30s", "1.5h", "1d", "365d", "16y"]);
    }
}
