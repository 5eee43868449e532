//! Deleting points: they are gone from every answer at once, and from the files when these are
//! next rewritten.

use super::{Outcome, Selection, Session, Watch};
use crate::dataset::{Options, Select, Snapshot, Writer};
use crate::error::{Error, Result};
use crate::results::ledger::Ledger;
use crate::rows::DeleteRow;
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

/// Which points.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which; all of them only with `all`.
    pub selection: Selection,
    /// All points.
    pub all: bool,
}

/// Deletes the selected points; in a dry run counts them. `confirm` sees the numbers first, and ends the run with an
/// error.
///
/// # Errors
/// Fails when nothing is selected, when the dataset cannot be read or written, and when `confirm` does.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    confirm: &mut dyn FnMut(&Deleted) -> Result<()>,
) -> Result<(DeleteRow, Outcome)> {
    if request.selection.is_all() && !request.all {
        return Err(Error::usage("delete needs a selection")
            .fix("select with ‹entity›, ‹where›, ‹from› and ‹to› .., or delete everything with ‹all›"));
    }
    let reading = session.reading();
    let selected = request.selection.resolve(&reading, watch)?;
    let done = match session.settings().dry_run {
        true => plan(reading.snapshot()?, &selected.select)?,
        false => {
            drop(reading);
            let ask = |plan: &Deleted| if plan.points > 0 { confirm(plan) } else { Ok(()) };
            delete(session.dir(), session.writing("delete"), &selected.select, ask)?
        }
    };
    let row = DeleteRow { points: done.points, entities: done.entities, commit: done.commit };
    Ok((row, selected.outcome()))
}

/// Counts what a selection would delete.
fn plan(snapshot: &Snapshot, select: &Select) -> Result<Deleted> {
    let selected = select.resolve(snapshot)?;
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
