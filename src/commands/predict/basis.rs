//! What forecasts start from: the methods and a trained model.

use super::kept::models::{self, Stored};
use crate::analytics::predict::{Method, Settings, node};
use crate::commands::{Level, Watch};
use crate::dataset::Snapshot;
use crate::error::{Error, Result};

/// What the methods are told.
#[derive(Debug, Clone)]
pub struct Basis {
    /// Last points that `trend` looks at.
    pub window: usize,
    /// The trained model of `node`, `NAME` or `NAME@VERSION`; `None` for the one trained last.
    pub model: Option<String>,
}

impl Default for Basis {
    fn default() -> Self {
        Basis { window: 20, model: None }
    }
}

/// The trained model that a command uses, or why there is none.
#[derive(Debug, Default)]
pub(super) struct Node {
    stored: Option<Stored>,
    /// Why the model that was asked for cannot be used.
    pub missing: Option<String>,
}

impl Node {
    /// The named model; without a name, the one trained last, which must be useful unless `named`: somebody asked for
    /// the method node itself.
    pub fn find(snapshot: &Snapshot, basis: &Basis, named: bool, watch: &dyn Watch) -> Result<Node> {
        let dim = snapshot.settings().dim;
        let fits = |m: &node::Model| m.dim() == dim && (named || m.useful());
        let stored = match &basis.model {
            Some(name) => models::find(snapshot, name)?,
            None => models::latest(snapshot, fits)?,
        };
        let missing = match (&stored, &basis.model) {
            (None, Some(name)) => Some(format!("model {name} is missing")),
            (None, None) => named.then(|| "no model is trained".to_string()),
            (Some(s), _) => unusable(s, dim),
        };
        if let Some(why) = &missing {
            let text = format!("{why}: the best of the other methods is used instead");
            watch.note(Level::Warning, &text);
            return Ok(Node { stored: None, missing });
        }
        Ok(Node { stored, missing })
    }

    /// The model.
    pub fn model(&self) -> Option<&node::Model> {
        self.stored.as_ref().and_then(|s| s.found.as_ref().ok()).map(|t| &t.model)
    }

    /// For the library; the period is not known yet.
    pub fn settings(&self, basis: &Basis) -> Settings<'_> {
        Settings { window: basis.window, model: self.model(), period_s: None }
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

/// Refuses a number of entities that no calibration needs.
pub(super) fn check_calibrate(entities: u64) -> Result<()> {
    match entities {
        0..=100_000 => Ok(()),
        n => Err(Error::usage(format!("{n} entities are more than a calibration needs"))
            .option("calibrate")
            .fix("some hundreds are enough; at most 100000")),
    }
}
