//! Change points that an earlier run stored.

use crate::commands::{Outcome, Rows, Selection, Session, Watch};
use crate::error::{Error, Result};
use crate::output::{Cell, Kept, Time};
use crate::results::lines;
use crate::results::stored::{Stored, What, names};
use crate::rows::{ChangeRow, SavedRow};

/// The names under which change points are stored.
///
/// # Errors
/// Fails when the dataset or one of the results cannot be read.
pub fn list(session: &Session, out: &mut dyn Rows<SavedRow>) -> Result<()> {
    let snapshot = session.snapshot()?;
    for name in names(snapshot.dir(), What::Changepoints)? {
        let head = Stored::require(snapshot.dir(), snapshot.config().id, What::Changepoints, &name)?.head;
        out.row(SavedRow {
            name,
            rows: head.rows,
            commit: head.commit,
            created: Time(head.created_us),
            command: head.command,
        })?;
    }
    out.end()
}

/// Stored change points.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The name under which they are stored.
    pub name: String,
    /// Of which entities and times.
    pub selection: Selection,
}

/// The stored rows of the selected entities and times, as the cells of [`ChangeRow`].
///
/// # Errors
/// Fails when nothing is stored under the name, when the selection chooses points by more than entity and time, and
/// when the watch stops the run or `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<Kept>,
) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve(session, watch)?;
    let select = &selected.select;
    if request.selection.chooses_points() {
        return Err(Error::usage("‹saved› prints rows that are stored: points are not looked at")
            .fix("select with ‹entity›, ‹entities-from›, ‹from›, ‹to› and ‹in›"));
    }
    let stored = Stored::require(snapshot.dir(), snapshot.config().id, What::Changepoints, &request.name)?;
    lines::read(&stored, |line| {
        watch.stop()?;
        let kept = Kept::read::<ChangeRow>(line)?;
        let cells = kept.cells();
        let entity = cells.iter().find_map(|c| if let Cell::Id(e) = c { Some(*e) } else { None });
        let t = cells.iter().find_map(|c| if let Cell::Time(t) = c { Some(*t) } else { None });
        let wanted = entity.is_some_and(|e| select.entities.as_ref().is_none_or(|set| set.contains(&e)))
            && t.is_some_and(|t| select.time.contains(t));
        drop(cells);
        if wanted { out.row(kept) } else { Ok(()) }
    })?;
    out.end()?;
    Ok(selected.outcome())
}
