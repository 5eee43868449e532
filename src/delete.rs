//! Deleting points: they are gone from every answer at once, and from the files when these are
//! next rewritten.

use crate::dataset::{Options, Select, Snapshot, Writer};
use crate::error::{Error, Result};
use crate::results::ledger::Ledger;
use roaring::RoaringBitmap;
use std::path::Path;

/// What was, or would be, deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Points.
    pub points: u64,
    /// Entities that have at least one of them.
    pub entities: u64,
    /// The version without them; the newest one when nothing was deleted.
    pub commit: u64,
}

/// Counts what a selection would delete.
pub fn plan(dir: &Path, select: &Select) -> Result<Deleted> {
    let snapshot = Snapshot::open(dir, None)?;
    let selected = select.resolve(&snapshot)?;
    Ok(Deleted {
        points: selected.points(),
        entities: selected.counts().len() as u64,
        commit: snapshot.manifest().commit,
    })
}

/// Deletes the selected points in one new version. `confirm` sees the numbers first, under the
/// lock, and ends it with an error. Files that were ingested are no longer all there: giving one
/// again brings its points back.
pub fn delete(
    dir: &Path,
    options: Options,
    select: &Select,
    confirm: impl FnOnce(&Deleted) -> Result<()>,
) -> Result<Deleted> {
    remove(dir, options, select, confirm, Ledger::forget)
}

/// As [`delete`], for points that must not come back: finished files stay finished.
pub(crate) fn delete_for_good(dir: &Path, options: Options, select: &Select) -> Result<Deleted> {
    remove(dir, options, select, |_| Ok(()), |_| Ok(()))
}

fn remove(
    dir: &Path,
    options: Options,
    select: &Select,
    confirm: impl FnOnce(&Deleted) -> Result<()>,
    then: impl FnOnce(&Path) -> Result<()>,
) -> Result<Deleted> {
    let mut writer = Writer::open(dir, options)?;
    let snapshot = Snapshot::open(dir, None)?;
    let selected = select.resolve(&snapshot)?;
    let mut out = Deleted {
        points: selected.points(),
        entities: selected.counts().len() as u64,
        commit: writer.commit(),
    };
    if let Err(e) = confirm(&out) {
        writer.finish()?;
        return Err(e);
    }
    let mut rows: Vec<(u64, RoaringBitmap)> = Vec::new();
    for (part, ranges) in &selected.parts {
        let Some(entry) = part.entry else {
            return Err(Error::internal("rows of a log that should have been sealed"));
        };
        let mut set = RoaringBitmap::new();
        for r in ranges {
            set.insert_range(r.clone());
        }
        rows.push((entry.id, set));
    }
    if !rows.is_empty() {
        writer.delete(&rows)?;
        then(dir)?;
    }
    drop(selected);
    drop(snapshot);
    out.commit = writer.finish()?.0;
    Ok(out)
}
