//! Names in a selection that no point has: without a note the output would only be empty.

use super::{Level, Watch};
use crate::dataset::{Part, Select, Snapshot, is_of_model};
use crate::error::Result;
use crate::filter::lookup;
use crate::points::Origin;
use crate::suggest;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};

/// Points whose metadata is looked at for the keys of `--where`; beyond that nothing is claimed.
const LOOKED_AT: usize = 65_536;

/// Notes the model, source or metadata keys that no selected file knows.
pub fn note(snapshot: &Snapshot, select: &Select, watch: &dyn Watch) -> Result<()> {
    if select.model.is_none() && select.source.is_none() && select.filter.is_none() {
        return Ok(());
    }
    let parts = snapshot.parts_with(select.entity_bounds(), &select.time)?;
    if parts.is_empty() {
        return Ok(());
    }
    let is_model = |o: &Origin, name: &str| is_of_model(&o.model, name);
    let is_source = |o: &Origin, name: &str| o.source == name;
    origin(watch, &parts, "model", select.model.as_deref(), is_model, |o| &o.model);
    origin(watch, &parts, "source", select.source.as_deref(), is_source, |o| &o.source);
    keys(watch, &parts, select)
}

fn origin(
    watch: &dyn Watch,
    parts: &[&Part],
    what: &str,
    asked: Option<&str>,
    is: fn(&Origin, &str) -> bool,
    text: fn(&Origin) -> &String,
) {
    let Some(asked) = asked else { return };
    let origins = || parts.iter().flat_map(|p| p.origins());
    if origins().any(|o| is(o, asked)) {
        return;
    }
    let known: BTreeSet<&str> = origins().map(|o| text(o).as_str()).filter(|t| !t.is_empty()).collect();
    let hint = match known.len() {
        0 => format!("no point says its {what}"),
        1..=5 => format!("there are: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        n => suggest::did_you_mean(asked, known).unwrap_or_else(|| format!("there are {n} others")),
    };
    watch.note(Level::Note, &format!("no point is of the {what} \"{asked}\"; {hint}"));
}

fn keys(watch: &dyn Watch, parts: &[&Part], select: &Select) -> Result<()> {
    let Some(filter) = &select.filter else { return Ok(()) };
    let mut missing = filter.paths();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut left = LOOKED_AT;
    for part in parts {
        for row in 0..part.rows() {
            if missing.is_empty() {
                return Ok(());
            }
            // Too many to know of all.
            let Some(rest) = left.checked_sub(1) else { return Ok(()) };
            left = rest;
            let text = part.meta(row)?;
            missing.retain(|path| lookup(&text, path).is_none());
            if let Ok(members) = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(&text) {
                known.extend(members.into_keys());
            }
        }
    }
    for path in missing {
        let name = path.join(".");
        let near = suggest::did_you_mean(&name, known.iter().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("; {near}"));
        watch.note(Level::Note, &format!("no point has the metadata key \"{name}\"{hint}"));
    }
    Ok(())
}
