//! Entities of which a run of an analytic can say nothing, and the exit status that follows.

use crate::context::Context;
use cvx::analytics::Status;
use cvx::error::{Code, Error, Result};
use std::collections::BTreeMap;

/// Counts the entities of a run.
pub struct Uncomputed {
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

    /// Counts an entity; `status` is that of its row when it holds no number.
    pub fn count(&mut self, status: Option<&'static str>) {
        self.entities += 1;
        if let Some(status) = status {
            *self.without.entry(status).or_default() += 1;
        }
    }

    /// An entity with too few points has no answer, which is one: the run is partial when an entity
    /// could not be computed for another reason, or when none could be. A selection without a point is
    /// partial too, so that a monitor of an empty window is not green; one shard of several may be empty, and a `--limit`
    /// of 0 asks for nothing.
    pub fn finish(&self, context: &Context, limit: Option<u64>) -> Result<()> {
        if self.entities == 0 && limit != Some(0) && !context.is_one_shard() {
            return Err(Error::new(Code::Partial, "no selected entity has a point: nothing was computed")
                .fix("`cvx info` shows when points are; check --entity, --where, --model and the times"));
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
                "their points come from several embedding models: {} NAME selects one, --align off takes all for one space",
                self.model
            ),
            false => "`cvx info --entities` shows how many points entities have, and when".to_owned(),
        };
        Err(Error::new(Code::Partial, message).fix(fix))
    }
}
