//! A new, empty dataset.

use crate::config::{self, IdKind, Settings};
use crate::dataset;
use crate::error::Result;
use crate::rows::Made;
use std::path::Path;

/// Makes an empty dataset in `dir`; in a dry run only checks the settings. With `exist_ok` a dataset with the same
/// settings may be there.
///
/// # Errors
/// Fails for settings that no dataset can have, a directory that is not empty or holds other settings, and when the
/// files cannot be written.
pub fn run(dir: &Path, settings: &Settings, exist_ok: bool, dry_run: bool) -> Result<Made> {
    if dry_run {
        settings.check()?;
    } else {
        dataset::init(dir, settings, exist_ok)?;
    }
    Ok(Made {
        dataset: dir.display().to_string(),
        dim: settings.dim,
        metric: settings.metric.to_string(),
        ids: match settings.ids {
            IdKind::U64 => "u64",
            IdKind::String => "string",
        }
        .to_owned(),
        format: config::FORMAT,
        buckets: settings.buckets.to_string(),
        partition: settings.partition.to_string(),
    })
}
