//! How fast entities move, and where they turn.

use super::each::{Job, Options, Per, Subject};
use super::outcome::Uncomputed;
use super::{Outcome, Rows, Selection, Session, Watch};
use crate::analytics::velocity::{self, Params, Scheme, Velocity};
use crate::error::Result;
use crate::model::Trajectory;
use crate::output::{Id, Time};
use crate::rows::VelocityRow;
use crate::time::TimeExpr;

/// Speed, acceleration and turning angle along each trajectory.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which trajectories.
    pub selection: Selection,
    /// One row an entity: its motion at this instant, between points too. `None` for one row a point.
    pub at: Option<TimeExpr>,
    /// Acceleration too.
    pub acceleration: bool,
    /// The unit of time of speeds.
    pub per: Per,
    /// How derivatives are taken.
    pub scheme: Scheme,
    /// The vectors of velocity and acceleration too.
    pub vectors: bool,
    /// What every analytic takes.
    pub each: Options,
}

/// Bytes of a value of a trajectory while it is analysed.
const BYTES_A_VALUE: usize = 4;

/// Runs the command.
///
/// # Errors
/// Fails when the dataset or the selection cannot be read, when the watch stops the run, and when `out` does.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<VelocityRow>,
) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve(session, watch)?;
    let at = session.instant(&selected.select, request.at.as_ref())?;
    let params = Params {
        scheme: request.scheme,
        acceleration: request.acceleration,
        per_s: request.per.seconds,
        vectors: request.vectors,
        cuts: request.each.cuts,
    };
    let work = |trajectory: &Trajectory<'_>, subject: &Subject| {
        let row = |v| row(request, subject, trajectory.len(), v);
        match at {
            Some(t) => vec![row(velocity::at(trajectory, t, &params))],
            None => velocity::rows(trajectory, &params).map(row).collect(),
        }
    };
    let job = Job {
        session,
        snapshot,
        selected: &selected,
        options: &request.each,
        bytes_a_value: BYTES_A_VALUE,
        watch,
    };
    let mut uncomputed = Uncomputed::new("model");
    job.for_each_counted(work, |scales| {
        let none = scales.iter().flatten().all(|r| r.speed.is_none());
        uncomputed.count(scales.iter().flatten().next().filter(|_| none).map(|r| r.status));
        scales.into_iter().flatten().try_for_each(|row| out.row(row))
    })?;
    out.end()?;
    Ok(Outcome::of(uncomputed.finish(selected.may_be_empty())).and(selected.outcome()))
}

fn row(request: &Request, subject: &Subject, n: usize, v: Velocity) -> VelocityRow {
    let single = |x: Option<Vec<f64>>| x.map(|x| x.into_iter().map(|v| v as f32).collect());
    VelocityRow {
        entity_id: Id(subject.id),
        entity: subject.name.clone(),
        t: Time(v.t),
        n,
        dt_before_s: v.dt_before_s,
        dt_after_s: v.dt_after_s,
        speed: v.speed,
        accel: v.accel,
        turn_deg: v.turn_deg,
        per: request.per.text.clone(),
        approx: subject.is_approx(v.used),
        status: v.status,
        vector_velocity: single(v.velocity),
        vector_accel: single(v.acceleration),
        scale: request.each.scale_name(subject.scale),
    }
}
