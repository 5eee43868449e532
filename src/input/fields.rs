//! The usual names of columns and fields, and those that a mapping gives.

use super::derived::TIME;
use super::options::{IdKind, InputOptions};

/// Columns that only an export has, all of them.
pub(super) const EXPORT: [&str; 4] = ["source", "model", "seq", "approx"];

/// Names of the column of times.
pub(super) fn time_names(options: &InputOptions) -> Vec<String> {
    match options.time {
        Some(_) => vec![TIME.to_owned()],
        None => names(&options.map.t, &["timestamp", "t"]),
    }
}

/// Names of the entity's column: that of the mapped names, else that of the ids.
pub(super) fn entity_names(options: &InputOptions) -> Vec<String> {
    match &options.map.name {
        Some(name) => vec![name.clone()],
        None => id_names(options),
    }
}

/// Names of the column of ids; of the usual ones the dataset's kind of id first.
pub(super) fn id_names(options: &InputOptions) -> Vec<String> {
    let usual = match options.ids {
        IdKind::U64 => ["entity_id", "entity"],
        IdKind::Name => ["entity", "entity_id"],
    };
    names(&options.map.entity, &usual)
}

/// A mapped column, or the usual ones.
pub(super) fn names(mapped: &Option<String>, usual: &[&str]) -> Vec<String> {
    match mapped {
        Some(name) => vec![name.clone()],
        None => usual.iter().map(|s| (*s).to_owned()).collect(),
    }
}
