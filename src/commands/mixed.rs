//! Answers whose points come from several embedding models, and the newest of the models.

use super::{Level, Watch};
use crate::dataset::{Select, Snapshot};
use crate::error::{Code, Error, Result};
use std::collections::BTreeSet;

/// The name that stands for the newest model.
const LATEST: &str = "latest";

/// The models of the points in an answer.
#[derive(Default)]
pub struct Mixed {
    models: BTreeSet<String>,
}

impl Mixed {
    /// Notes the model of a point; empty where none was said.
    pub fn note(&mut self, model: &str) {
        if !self.models.contains(model) {
            self.models.insert(model.to_owned());
        }
    }

    /// Warns when there are several.
    pub fn warn(&self, watch: &dyn Watch) {
        if self.models.len() < 2 {
            return;
        }
        let name = |m: &String| if m.is_empty() { "none named".to_owned() } else { m.clone() };
        let names: Vec<String> = self.models.iter().map(name).collect();
        watch.note(Level::Warning, &format!(
            "the answer holds points of {} embedding models ({}), whose distances mean nothing to each other; \
             ‹model NAME› selects one, ‹model latest› the newest",
            names.len(),
            names.join(", ")
        ));
    }
}

/// Puts the name of the newest model in the place of `latest`: that of the latest point of the selected entities
/// and times that names one.
pub fn resolve_latest(snapshot: &Snapshot, select: &mut Select) -> Result<()> {
    if select.model.as_deref() != Some(LATEST) {
        return Ok(());
    }
    let every = Select { model: None, ..select.clone() };
    let mut newest: Option<(i64, &str)> = None;
    for (part, ranges) in every.resolve(snapshot)?.parts {
        for row in ranges.into_iter().flatten().map(|r| r as usize) {
            let (t, model) = (part.times()[row], part.origin(row).model.as_str());
            if !model.is_empty() && newest.is_none_or(|n| (t, model) > n) {
                newest = Some((t, model));
            }
        }
    }
    let Some((_, model)) = newest else {
        return Err(Error::new(Code::NotFound, "no selected point names its embedding model")
            .what("option ‹model latest›")
            .fix("leave the option out; `cvx info ‹models›` lists the models"));
    };
    select.model = Some(model.to_owned());
    Ok(())
}
