//! `--saved`: change points that an earlier run stored.

use super::Args;
use crate::batch::Sink;
use crate::context::Context;
use crate::rows::{ChangeRow, SavedRow};
use crate::signals;
use cvx::error::{Error, Result};
use cvx::output::{Cell, Kept, Time};
use cvx::results::lines;
use cvx::results::stored::{Stored, What, names};

/// Lists what is stored.
pub fn list(context: &Context) -> Result<()> {
    let snapshot = context.snapshot()?;
    let mut out = context.rows_of::<SavedRow>(&snapshot, &[])?;
    for name in names(snapshot.dir(), What::Changepoints)? {
        let head = Stored::require(snapshot.dir(), snapshot.config().id, What::Changepoints, &name)?.head;
        out.row(&SavedRow {
            name,
            rows: head.rows,
            commit: head.commit,
            created: Time(head.created_us),
            command: head.command,
        })?;
    }
    out.finish()
}

/// Prints the stored rows of the selected entities and times.
pub fn print(context: &Context, args: &Args, name: &str) -> Result<()> {
    let snapshot = context.snapshot()?;
    let selection = args.select.resolve(context, &snapshot)?;
    let select = &selection.select;
    if args.select.chooses_points() {
        return Err(Error::usage("--saved prints rows that are stored: points are not looked at")
            .fix("select with --entity, --entities-from, --from, --to and --in"));
    }
    let stored = Stored::require(snapshot.dir(), snapshot.config().id, What::Changepoints, name)?;
    let out = context.rows_of::<ChangeRow>(&snapshot, &["scale", "scales"])?;
    let mut sink = Sink::<ChangeRow>::new(out, &args.batch.gate)?;
    lines::read(&stored, |line| {
        signals::check()?;
        let kept = Kept::read::<ChangeRow>(line)?;
        let cells = kept.cells();
        let entity = cells.iter().find_map(|c| if let Cell::Id(e) = c { Some(*e) } else { None });
        let t = cells.iter().find_map(|c| if let Cell::Time(t) = c { Some(*t) } else { None });
        let wanted = entity.is_some_and(|e| select.entities.as_ref().is_none_or(|set| set.contains(&e)))
            && t.is_some_and(|t| select.time.contains(t));
        if wanted { sink.cells(&cells) } else { Ok(()) }
    })?;
    sink.finish()?;
    selection.finish()
}
