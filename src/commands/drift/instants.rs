//! How far entities have moved between two instants, by which path, and in which dimensions.

use super::SortBy;
use super::sorted::Sorted;
use crate::analytics::drift::{self, Drift, Params, Reference as From};
use crate::analytics::scales;
use crate::commands::each::{Job, Options, Per, Subject};
use crate::commands::outcome::Uncomputed;
use crate::commands::selection::known_entity;
use crate::commands::{Outcome, Rows, Selection, Session, Watch};
use crate::dataset::Select;
use crate::error::{Code, Error, Result};
use crate::model::{TimestampUs, Trajectory, VectorSource};
use crate::output::{Id, Time};
use crate::rows::{DriftRow, Sparks, top_dims};
use crate::time::TimeExpr;

/// Random sign flips for the p-value of a common direction.
const FLIPS: usize = 999;

/// Bytes of a value of a trajectory: as it is stored, and in f64.
const BYTES_A_VALUE: usize = 12;

/// How far each entity has moved between two instants.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which trajectories; its times are not used.
    pub selection: Selection,
    /// The first instant; `None` for the first point.
    pub from: Option<TimeExpr>,
    /// The second instant; `None` for the last point.
    pub to: Option<TimeExpr>,
    /// What the last state is compared with.
    pub reference: Reference,
    /// Dimensions to name.
    pub top: usize,
    /// The unit of time of rates.
    pub per: Per,
    /// Random sign flips for the p-value of a common direction; 0 for none.
    pub flips: usize,
    /// The order of rows; `None` for that of the entities.
    pub sort: Option<SortBy>,
    /// Rows at most, after sorting.
    pub top_rows: Option<usize>,
    /// Draw each trajectory.
    pub sparks: Option<Sparks>,
    /// What every analytic takes.
    pub each: Options,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            selection: Selection::default(),
            from: None,
            to: None,
            reference: Reference::First,
            top: 10,
            per: Per::default(),
            flips: FLIPS,
            sort: None,
            top_rows: None,
            sparks: None,
            each: Options::default(),
        }
    }
}

/// What an entity's last state is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Its first state.
    First,
    /// The mean of its points.
    Centroid,
    /// The state of an entity at a time.
    State {
        /// The entity.
        entity: String,
        /// The time.
        at: TimeExpr,
    },
}

/// A state, its time, and whether a lossy codec changed it.
struct State {
    vector: Vec<f32>,
    t: TimestampUs,
    approx: bool,
}

/// Runs the command.
///
/// # Errors
/// Fails when the instants are in the wrong order, when the dataset, the selection or the reference cannot be read, when
/// the watch stops the run, and when `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<DriftRow>,
) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve_without_times(session, watch)?;
    let (from, to) = request.instants(session, &selected.select)?;
    let state = request.state(session, &selected.select)?;
    let params = Params {
        from,
        to,
        reference: match (&state, &request.reference) {
            (Some(s), _) => From::State(&s.vector, Some(s.t)),
            (None, Reference::Centroid) => From::Centroid,
            (None, _) => From::First,
        },
        per_s: request.per.seconds,
        top: request.top,
        flips: request.flips,
        seed: session.seed(),
        cuts: request.each.cuts,
    };
    let mut sorted = Sorted::new(out, request.sort, key, request.top_rows);
    let mut uncomputed = Uncomputed::new("model");
    let work = |trajectory: &Trajectory<'_>, subject: &Subject| {
        let mut row = row(request, subject, drift::drift(trajectory, &params));
        row.approx |= state.as_ref().is_some_and(|s| s.approx) && row.l2.is_some();
        row.path = request.sparks.map(|s| s.of(trajectory));
        row
    };
    let job = Job {
        session,
        snapshot,
        selected: &selected,
        options: &request.each,
        bytes_a_value: BYTES_A_VALUE,
        watch,
    };
    job.for_each_counted(work, |mut scales| {
        let none = scales.iter().all(|r| r.l2.is_none());
        uncomputed.count(scales.first().filter(|_| none).map(|r| r.status));
        let roughness = roughness(&request.each, &scales);
        scales.iter_mut().for_each(|r| r.roughness = roughness);
        scales.into_iter().try_for_each(|row| sorted.take(row))
    })?;
    sorted.finish()?;
    Ok(Outcome::of(uncomputed.finish(selected.may_be_empty())).and(selected.outcome()))
}

/// How the length of one entity's path shrinks with the scale.
fn roughness(options: &Options, scales: &[DriftRow]) -> Option<f64> {
    let widths = options.scales.iter().map(|c| c.step.seconds());
    let paths = widths.zip(scales).filter_map(|(w, r)| Some((w, r.path_l2?)));
    scales::roughness(&paths.collect::<Vec<_>>())
}

fn key(by: SortBy, row: &DriftRow) -> f64 {
    let value = match by {
        SortBy::L2 => row.l2,
        SortBy::Cosine => row.cosine,
        SortBy::Angle => row.angle_deg,
        SortBy::Rate => row.rate,
        SortBy::Path => row.path_l2,
        SortBy::Change => None,
    };
    value.unwrap_or(f64::NEG_INFINITY)
}

impl Request {
    fn instants(
        &self,
        session: &Session,
        select: &Select,
    ) -> Result<(Option<TimestampUs>, Option<TimestampUs>)> {
        let from = session.instant(select, self.from.as_ref())?;
        let to = session.instant(select, self.to.as_ref())?;
        match (from, to) {
            (Some(a), Some(b)) if a > b => {
                Err(Error::usage("‹from› lies after ‹to›").fix("exchange the two"))
            }
            pair => Ok(pair),
        }
    }

    /// The state of another entity that is the reference.
    fn state(&self, session: &Session, select: &Select) -> Result<Option<State>> {
        let Reference::State { entity: name, at } = &self.reference else { return Ok(None) };
        let snapshot = session.snapshot()?;
        let entity = known_entity(snapshot, name)?;
        let at = session.instant(select, Some(at))?.unwrap_or(TimestampUs::MAX);
        let Some((part, row)) = snapshot.state_at(entity, at)? else {
            return Err(Error::new(
                Code::NotFound,
                format!("entity {name} has no point at or before that time"),
            )
            .option("reference"));
        };
        let vector = part.vectors(row..row + 1, &mut Vec::new())?.to_vec();
        Ok(Some(State { vector, t: part.times()[row], approx: part.is_approx(row) }))
    }
}

fn row(request: &Request, subject: &Subject, d: Drift) -> DriftRow {
    DriftRow {
        entity_id: Id(subject.id),
        entity: subject.name.clone(),
        t1: d.t1.map(Time),
        t2: d.t2.map(Time),
        n: d.n,
        l2: d.l2,
        cosine: d.cosine,
        angle_deg: d.angle_deg,
        norm_ratio: d.norm_ratio,
        rate_per: request.per.text.clone(),
        rate: d.rate,
        path_l2: d.path_l2,
        efficiency: d.efficiency,
        top_dims: top_dims(&d.top_dims),
        pareto80: d.pareto80,
        t2_stat: d.t2_stat,
        direction_p: d.direction_p,
        approx: subject.is_approx(d.used),
        status: d.status,
        scale: request.each.scale_name(subject.scale),
        roughness: None,
        path: None,
        direction_block: d.direction_block,
    }
}
