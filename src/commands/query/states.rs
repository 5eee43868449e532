//! The world as it was at an instant.

use crate::commands::mixed::Mixed;
use crate::commands::{Outcome, Rows, Selection, Session, Watch};
use crate::dataset::{Trajectories, asof_rows};
use crate::error::Result;
use crate::model::{TimestampUs, seconds_between};
use crate::output::{Id, Meta, Time};
use crate::rows::StateRow;
use crate::simd::wide;
use crate::time::TimeExpr;

/// Each entity's state at an instant: its latest point at or before it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The instant; `None` for the newest states.
    pub at: Option<TimeExpr>,
    /// Largest age of a state, in microseconds.
    pub max_age_us: Option<i64>,
    /// Metadata of the points too.
    pub meta: bool,
    /// Which entities.
    pub selection: Selection,
}

/// Runs the command.
///
/// # Errors
/// Fails when the dataset or the selection cannot be read, when the watch stops the run, and when `out` does.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<StateRow>,
) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve(session, watch)?;
    let at = session.instant(&selected.select, request.at.as_ref())?.unwrap_or(TimestampUs::MAX);
    let (mut x, mut mixed) = (Vec::new(), Mixed::default());
    for rows in Trajectories::new(asof_rows(snapshot, &selected.select, at, request.max_age_us)?) {
        watch.stop()?;
        rows.read(0..rows.len(), &mut x)?;
        for (i, t) in rows.t.iter().enumerate() {
            let text = if request.meta { rows.meta(i)? } else { String::new() };
            let model = &rows.origin(i).model;
            mixed.note(model);
            out.row(StateRow {
                entity_id: Id(rows.entity),
                entity: snapshot.entity_name(rows.entity)?,
                t: Time(*t),
                age_s: seconds_between(*t, at),
                norm: wide::norm(&x),
                model: (!model.is_empty()).then(|| model.clone()),
                approx: rows.is_approx(i),
                vector: x.clone(),
                meta: (!text.is_empty()).then_some(Meta(text)),
            })?;
        }
    }
    mixed.warn(watch);
    out.end()?;
    Ok(selected.outcome())
}
