//! Where rows come from that do not say so themselves.

use super::derived;
use super::options::InputOptions;
use super::sources::STDIN;
use crate::error::{Code, Error, Result};
use crate::points::Origin;
use std::path::Path;

/// The origin of rows that bring none of their own.
pub(super) fn origin_of(path: &Path, options: &InputOptions) -> Origin {
    let name = || match path.file_name() {
        Some(name) if path.as_os_str() != STDIN => name.to_string_lossy().into_owned(),
        _ => "stdin".to_owned(),
    };
    Origin {
        source: options.source.clone().unwrap_or_else(name),
        model: options.model.clone().unwrap_or_default(),
    }
}

/// Where all points of a file without columns come from: `--map` can only name keys of its path.
pub(super) fn origin_without_columns(path: &Path, options: &InputOptions) -> Result<Origin> {
    let mut origin = origin_of(path, options);
    for (name, slot) in [(&options.map.model, &mut origin.model), (&options.map.source, &mut origin.source)] {
        let Some(name) = name else { continue };
        *slot = derived::constant(options, path, std::slice::from_ref(name)).ok_or_else(|| {
            Error::new(Code::BadFile, format!("there is no column \"{name}\": this format has none"))
                .file(path)
                .fix("give all points one with ‹model› or ‹source›, or name a directory KEY=VALUE by its key")
        })?;
    }
    Ok(origin)
}
