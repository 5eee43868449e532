//! Steps in time that are far longer than an entity's usual one: where data is missing.

use super::each::{Job, Options, Order};
use super::{Outcome, Rows, Selection, Session, Watch};
use crate::analytics::gaps;
use crate::dataset;
use crate::error::Result;
use crate::output::{Id, Time};
use crate::rows::GapRow;
use crate::time::Duration;

/// Long steps between points that follow each other.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which trajectories.
    pub selection: Selection,
    /// Only steps longer than this.
    pub longer_than: Option<Duration>,
    /// Only steps longer than so many median steps of their entity.
    pub times: f64,
    /// In which order rows leave.
    pub order: Order,
}

impl Default for Request {
    fn default() -> Self {
        Request { selection: Selection::default(), longer_than: None, times: 5.0, order: Order::Entity }
    }
}

/// Runs the command. Only times are read, and no vectors.
///
/// # Errors
/// Fails when the dataset or the selection cannot be read, when the watch stops the run, and when `out` does.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<GapRow>,
) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve(session, watch)?;
    let least_s = request.longer_than.map_or(0.0, |d| d.seconds());
    let one = |rows: &dataset::Rows<'_>, _: &mut Vec<f32>| {
        let name = snapshot.entity_name(rows.entity)?;
        let median_s = gaps::median_step_s(&rows.t);
        let row = |g: gaps::Gap| GapRow {
            entity_id: Id(rows.entity),
            entity: name.clone(),
            t_before: Time(g.t_before),
            t: Time(g.t),
            index: g.index as u64,
            gap_s: g.seconds,
            median_s: median_s.unwrap_or(f64::NAN),
            times: g.times,
        };
        Ok(gaps::gaps(&rows.t, least_s, request.times).into_iter().map(row).collect::<Vec<_>>())
    };
    let options = Options::default();
    let job = Job { session, snapshot, selected: &selected, options: &options, bytes_a_value: 0, watch };
    job.for_each_rows(request.order, one, |rows| rows.into_iter().try_for_each(|row| out.row(row)))?;
    out.end()?;
    Ok(selected.outcome())
}
