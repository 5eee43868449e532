//! `cvx merge`: the first byte chooses the format, and whether the rest is one file or two.

use crate::{dir, file};
use cvx::output::Target;
use cvx::output::merge::{format as format_of, merge as merged};

/// Merges tables.
pub fn merge(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let endings = ["jsonl", "csv", "tsv", "parquet", "arrow", "json"];
    let ending = endings[choice as usize % endings.len()];
    let (a, b) = bytes.split_at(bytes.len() / 2);
    let files = match choice & 64 {
        0 => vec![file(&format!("a.{ending}"), a), file(&format!("b.{ending}"), b)],
        _ => vec![file(&format!("a.{ending}"), bytes)],
    };
    if format_of(&files).is_err() {
        return;
    }
    if let Ok(target) = Target::file(&dir().join(format!("merged.{ending}"))) {
        let _ = merged(&files, target, &|| Ok(()));
    }
}
