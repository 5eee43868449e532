//! Results without the erased entities: samples, states and saved rows are copied without them; calibrations and unfinished
//! trainings, which mix the points of many entities, are dropped and made again when needed.

use super::Subjects;
use crate::error::Result;
use crate::format::DatasetId;
use crate::fsio;
use crate::model::EntityId;
use crate::results::baseline::{Baseline, Sample};
use crate::results::lines::{self, NextLines};
use crate::results::states::{NextStates, States};
use crate::results::stored::{self, Head, Stored, What};
use std::collections::BTreeSet;
use std::path::Path;

/// What became of the results.
#[derive(Debug, Default)]
pub struct Rewritten {
    pub rewritten: u64,
    pub dropped: u64,
    /// Trained models, which stay.
    pub models: Vec<String>,
}

/// Takes the subjects out of all results; the caller holds the writer's lock.
pub fn rewrite(dir: &Path, dataset: DatasetId, subjects: &Subjects) -> Result<Rewritten> {
    let mut out = Rewritten::default();
    for what in What::ALL {
        for name in stored::names(dir, what)? {
            let file = File { dir, dataset, what, name: &name, subjects };
            match what {
                What::Baseline => out.rewritten += u64::from(file.baseline()?),
                What::States => out.rewritten += u64::from(file.states()?),
                What::Changepoints => out.rewritten += u64::from(file.lines()?),
                What::Calibration | What::Checkpoint => {
                    fsio::remove_file(&stored::path(dir, what, &name)?)?;
                    out.dropped += 1;
                }
                What::Model => out.models.push(name),
            }
        }
    }
    fsio::sync_dir(&dir.join("results"))?;
    Ok(out)
}

/// True when a result holds something of the subjects; for the proof.
pub fn holds(dir: &Path, dataset: DatasetId, what: What, name: &str, subjects: &Subjects) -> Result<bool> {
    let file = File { dir, dataset, what, name, subjects };
    match what {
        What::Baseline => Ok(file.baseline_without()?.is_some()),
        What::States => file.held_states(),
        What::Changepoints => file.held_lines(),
        What::Calibration | What::Checkpoint | What::Model => Ok(false),
    }
}

struct File<'a> {
    dir: &'a Path,
    dataset: DatasetId,
    what: What,
    name: &'a str,
    subjects: &'a Subjects,
}

impl File<'_> {
    fn stored(&self) -> Result<Stored> {
        Stored::require(self.dir, self.dataset, self.what, self.name)
    }

    fn gone(&self) -> &BTreeSet<EntityId> {
        &self.subjects.entities
    }

    /// The description without the names: a command line may hold one.
    fn head(&self, head: &Head) -> Head {
        let names: Vec<&str> = self.subjects.names().collect();
        let clean = |text: &str| names.iter().fold(text.to_owned(), |t, name| t.replace(name, "[erased]"));
        let parameters = serde_json::from_str(&clean(&head.parameters.to_string()));
        Head {
            command: clean(&head.command),
            parameters: parameters.unwrap_or_else(|_| head.parameters.clone()),
            ..head.clone()
        }
    }

    /// True when the description holds a name of the subjects.
    fn names_subjects(&self, head: &Head) -> bool {
        let clean = self.head(head);
        clean.command != head.command || clean.parameters != head.parameters
    }

    fn baseline_without(&self) -> Result<Option<Baseline>> {
        let before = Baseline::read(&self.stored()?)?;
        let dim = before.dim;
        let without = |s: &Sample| {
            let mut kept = Sample { entity: Vec::new(), x: Vec::new(), ..s.clone() };
            for (e, x) in s.entity.iter().zip(s.x.chunks_exact(dim.max(1))) {
                if !self.gone().contains(e) {
                    kept.entity.push(*e);
                    kept.x.extend_from_slice(x);
                }
            }
            kept
        };
        let after = Baseline { samples: before.samples.iter().map(without).collect(), ..before.clone() };
        Ok((after != before).then_some(after))
    }

    fn baseline(&self) -> Result<bool> {
        let head = self.stored()?.head;
        let Some(after) = self.baseline_without()? else {
            if !self.names_subjects(&head) {
                return Ok(false);
            }
            Baseline::read(&self.stored()?)?.write(self.dir, self.dataset, self.head(&head))?;
            return Ok(true);
        };
        after.write(self.dir, self.dataset, self.head(&head))?;
        Ok(true)
    }

    fn held_states(&self) -> Result<bool> {
        let Some(states) = States::open(self.dir, self.dataset, self.name)? else { return Ok(false) };
        Ok(states.entities()?.iter().any(|e| self.gone().contains(e)))
    }

    fn states(&self) -> Result<bool> {
        if !self.held_states()? && !self.names_subjects(&self.stored()?.head) {
            return Ok(false);
        }
        let before = States::open(self.dir, self.dataset, self.name)?;
        let Some(head) = before.as_ref().map(|s| self.head(s.head())) else { return Ok(false) };
        let mut next = NextStates::create(self.dir, self.dataset, self.name, before)?;
        self.gone().iter().try_for_each(|e| next.leave_out(*e))?;
        next.finish(head)?;
        Ok(true)
    }

    fn held_lines(&self) -> Result<bool> {
        let mut held = false;
        lines::read(&self.stored()?, |line| {
            held |= self.is_gone(line);
            Ok(())
        })?;
        Ok(held)
    }

    fn lines(&self) -> Result<bool> {
        let stored = self.stored()?;
        if !self.held_lines()? && !self.names_subjects(&stored.head) {
            return Ok(false);
        }
        let mut next = NextLines::create(self.dir, self.dataset, self.what, self.name)?;
        lines::read(&stored, |line| if self.is_gone(line) { Ok(()) } else { next.push(line.as_bytes()) })?;
        next.finish(self.head(&stored.head))?;
        Ok(true)
    }

    /// True for a saved row of an erased entity. A row that cannot be read goes with them.
    fn is_gone(&self, line: &str) -> bool {
        let row: Result<serde_json::Value, _> = serde_json::from_str(line);
        row.map_or(true, |row| row["entity_id"].as_u64().is_none_or(|id| self.gone().contains(&id)))
    }
}
