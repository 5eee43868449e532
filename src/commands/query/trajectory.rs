//! The points of entities in time order, with the steps between them.

use crate::analytics::{cosine_distance, l2_distance};
use crate::commands::{Outcome, Rows, Selection, Session, Watch};
use crate::dataset::{self, Select, Snapshot, Trajectories};
use crate::error::{Error, Result};
use crate::model::{EntityId, TimeRange, TimestampUs, Trajectory, seconds_between};
use crate::output::{Id, Meta, Time};
use crate::query::{Interpolate, Sample, resample};
use crate::rows::TrajectoryRow;
use crate::simd::wide;
use crate::time::{Duration, Grid};

/// The points of entities in time order.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Whose; it has to select something.
    pub selection: Selection,
    /// One row every so often, by the calendar; `None` for every point.
    pub every: Option<Duration>,
    /// With `every`: what stands between the points.
    pub interpolate: Interpolate,
    /// Metadata of the points too.
    pub meta: bool,
}

impl Request {
    /// Refuses a request that selects nothing. [`run`] does so too; a front end that opens outputs may want to know
    /// before.
    ///
    /// # Errors
    /// Fails with [`crate::Code::Usage`].
    pub fn check(&self) -> Result<()> {
        match self.selection.is_all() {
            false => Ok(()),
            true => Err(Error::usage("whose trajectory?")
                .fix("select with ‹entity› or any other selection; `cvx export` writes all points")),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Fails when nothing is selected, when the dataset or the selection cannot be read, when the watch stops the run, and
/// when `out` does.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<TrajectoryRow>,
) -> Result<Outcome> {
    request.check()?;
    let grid = request.every.map(Grid::new).transpose()?;
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve(session, watch)?;
    let mut walk = Walk {
        snapshot,
        watch,
        meta: request.meta,
        out,
        name: None,
        linear: request.interpolate == Interpolate::Linear,
        from: selected.select.time.first(),
        before: None,
        approx_before: false,
        n: 0,
    };
    let select = match request.interpolate {
        Interpolate::Locf => with_earlier(snapshot, &selected.select)?,
        _ => selected.select.clone(),
    };
    for rows in Trajectories::new(select.resolve(snapshot)?) {
        walk.start(rows.entity)?;
        match &grid {
            None => walk.points(&rows)?,
            Some(grid) => walk.samples(&rows, grid, request.interpolate)?,
        }
    }
    walk.out.end()?;
    Ok(selected.outcome())
}

/// The chosen entities' points before the window too: the last one is the state at its start.
fn with_earlier(snapshot: &Snapshot, select: &Select) -> Result<Select> {
    let chosen = select.resolve(snapshot)?.counts().into_keys().collect();
    Ok(Select {
        entities: Some(chosen),
        time: TimeRange::closed(TimestampUs::MIN, select.time.last()),
        filter: select.filter.clone(),
        model: select.model.clone(),
        source: select.source.clone(),
        ..Select::default()
    })
}

/// Points whose vectors are read at once.
const CHUNK: usize = 1_024;

/// Writes one trajectory after the other.
struct Walk<'a> {
    snapshot: &'a Snapshot,
    watch: &'a dyn Watch,
    meta: bool,
    out: &'a mut dyn Rows<TrajectoryRow>,
    name: Option<String>,
    /// True when rows lie on the line between points.
    linear: bool,
    /// Start of the window.
    from: TimestampUs,
    /// Time and vector of the row before, of the same entity.
    before: Option<(TimestampUs, Vec<f32>)>,
    /// True when that vector comes from a lossy block.
    approx_before: bool,
    n: usize,
}

impl Walk<'_> {
    fn start(&mut self, entity: EntityId) -> Result<()> {
        self.name = self.snapshot.entity_name(entity)?;
        self.before = None;
        self.n = 0;
        Ok(())
    }

    fn points(&mut self, rows: &dataset::Rows<'_>) -> Result<()> {
        let dim = self.snapshot.settings().dim;
        let mut x = Vec::new();
        for start in (0..rows.len()).step_by(CHUNK) {
            rows.read(start..rows.len().min(start + CHUNK), &mut x)?;
            for (point, vector) in (start..).zip(x.chunks_exact(dim)) {
                self.row(rows, point, rows.t[point], vector.to_vec())?;
            }
        }
        Ok(())
    }

    fn samples(&mut self, rows: &dataset::Rows<'_>, grid: &Grid, how: Interpolate) -> Result<()> {
        let mut x = Vec::new();
        let start = rows.t.partition_point(|t| *t <= self.from).saturating_sub(1);
        rows.read(start..rows.len(), &mut x)?;
        let dim = self.snapshot.settings().dim;
        let t = &rows.t[start..];
        let trajectory = Trajectory { entity: rows.entity, t, x: &x, dim, model: &[] };
        let from = self.from;
        let mut emit = |s: Sample| self.row(rows, start + s.point, s.t, s.vector);
        resample(&trajectory, grid, how, from, &mut emit)
    }

    /// One row; model and metadata are those of the latest point.
    fn row(
        &mut self,
        rows: &dataset::Rows<'_>,
        point: usize,
        t: TimestampUs,
        vector: Vec<f32>,
    ) -> Result<()> {
        self.watch.stop()?;
        let text = if self.meta { rows.meta(point)? } else { String::new() };
        let model = &rows.origin(point).model;
        let step = self.before.as_ref();
        let here = rows.is_approx(point);
        let between =
            self.linear && rows.t[point] != t && point + 1 < rows.len() && rows.is_approx(point + 1);
        // A step depends on the row before.
        let approx = here || between || (step.is_some() && self.approx_before);
        let row = TrajectoryRow {
            entity_id: Id(rows.entity),
            entity: self.name.clone(),
            t: Time(t),
            n: self.n,
            norm: wide::norm(&vector),
            step_l2: step.map(|(_, b)| l2_distance(b, &vector)),
            step_cosine: step.and_then(|(_, b)| cosine_distance(b, &vector)),
            dt_s: step.map(|(before, _)| seconds_between(*before, t)),
            model: (!model.is_empty()).then(|| model.clone()),
            approx,
            vector,
            meta: (!text.is_empty()).then_some(Meta(text)),
        };
        self.before = Some((t, row.vector.clone()));
        self.out.row(row)?;
        self.approx_before = here || between;
        self.n += 1;
        Ok(())
    }
}
