//! What of a request could not be answered although the run ended.

use crate::analytics::Status;
use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;

/// The end of a run whose rows are all out.
#[derive(Debug, Default)]
#[must_use = "a run can end without having answered all of its request"]
pub struct Outcome {
    incomplete: Option<Error>,
}

impl Outcome {
    /// Everything was answered.
    pub const COMPLETE: Outcome = Outcome { incomplete: None };

    /// An outcome with what `check` found incomplete, if anything.
    pub fn of(check: Result<()>) -> Outcome {
        Outcome { incomplete: check.err() }
    }

    /// This, or the other where this one is complete.
    pub fn and(self, other: Outcome) -> Outcome {
        if self.incomplete.is_some() { self } else { other }
    }

    /// # Errors
    /// Returns what was left unanswered, as a rule with [`Code::Partial`].
    pub fn into_result(self) -> Result<()> {
        self.incomplete.map_or(Ok(()), Err)
    }
}

/// Counts the entities of an analytic that have no answer.
pub(crate) struct Uncomputed {
    /// The option that selects one embedding model.
    model: &'static str,
    entities: u64,
    without: BTreeMap<&'static str, u64>,
}

impl Uncomputed {
    /// Nothing is counted yet; `model` is the option that selects one embedding model.
    pub fn new(model: &'static str) -> Uncomputed {
        Uncomputed { model, entities: 0, without: BTreeMap::new() }
    }

    /// Counts an entity; `status` is that of its row when the row holds no number.
    pub fn count(&mut self, status: Option<Status>) {
        self.entities += 1;
        if let Some(status) = status {
            *self.without.entry(status.as_str()).or_default() += 1;
        }
    }

    /// An entity with too few points has no answer, and that is an answer: the run is incomplete when an
    /// entity could not be computed for another reason, or when none could be. A selection without a point
    /// is incomplete too, so that a monitor of an empty window does not pass. `may_be_empty` is for one shard
    /// of several, and for a limit of 0.
    pub fn finish(&self, may_be_empty: bool) -> Result<()> {
        if self.entities == 0 && !may_be_empty {
            return Err(Error::new(Code::Partial, "no selected entity has a point: nothing was computed")
                .fix("`cvx info` shows when points are; check ‹entity›, ‹where›, ‹model› and the times"));
        }
        let few = Status::FewPoints.as_str();
        let without: u64 = self.without.values().sum();
        let hard = self.without.keys().any(|s| *s != few);
        if without == 0 || !(hard || without == self.entities) {
            return Ok(());
        }
        let counts: Vec<String> = self.without.iter().map(|(status, n)| format!("{n} {status}")).collect();
        let (n, all) = (without, self.entities);
        let message = format!("{n} of {all} entities could not be computed: {}", counts.join(", "));
        let fix = match self.without.contains_key(Status::ModelBreak.as_str()) {
            true => format!(
                "their points come from several embedding models: ‹{} NAME› selects one, ‹align off› takes all for one space",
                self.model
            ),
            false => "`cvx info ‹entities›` shows how many points entities have, and when".to_owned(),
        };
        Err(Error::new(Code::Partial, message).fix(fix))
    }
}
