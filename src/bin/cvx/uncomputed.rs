//! Entities of which a run of an analytic can say nothing, and the exit status that follows.

use cvx::analytics::Status;
use cvx::error::{Code, Error, Result};
use std::collections::BTreeMap;

/// Counts the entities of a run.
#[derive(Default)]
pub struct Uncomputed {
    entities: u64,
    without: BTreeMap<&'static str, u64>,
}

impl Uncomputed {
    /// Counts an entity; `status` is that of its row when it holds no number.
    pub fn count(&mut self, status: Option<&'static str>) {
        self.entities += 1;
        if let Some(status) = status {
            *self.without.entry(status).or_default() += 1;
        }
    }

    /// An entity with too few points has no answer, which is one: the run is partial when an entity
    /// could not be computed for another reason, or when none could be.
    pub fn finish(&self) -> Result<()> {
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
            true => {
                "their points come from several embedding models: --model NAME selects one, --align off takes all for one space"
            }
            false => "`cvx info --entities` shows how many points entities have, and when",
        };
        Err(Error::new(Code::Partial, message).fix(fix))
    }
}
