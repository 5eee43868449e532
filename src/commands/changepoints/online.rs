//! Point after point, with states that are kept from run to run.

use super::Request;
use super::detector::{self, Resume, Settings, Step};
use super::report::{Collector, Found, Report};
use crate::analytics::Status;
use crate::analytics::changepoint::bocpd::Doubt;
use crate::commands::each::{Job, Subject};
use crate::commands::storing::Storing;
use crate::commands::{Level, Progress, Session, Watch};
use crate::error::{Error, Result};
use crate::model::Trajectory;
use crate::output::{Id, Time};
use crate::results::states::NextStates;
use crate::rows::{ChangeRow, SearchRow};

/// Bytes of a value of a trajectory while it is read.
const BYTES_A_VALUE: usize = 4;

/// A run of the detector.
pub(super) struct Run<'a> {
    pub session: &'a Session,
    pub request: &'a Request,
    pub settings: Settings,
    pub watch: &'a dyn Watch,
}

impl Run<'_> {
    /// All points of each trajectory, without a state.
    pub fn whole(&self, mut collector: Collector<'_>) -> Result<Report> {
        let (request, snapshot) = (self.request, self.session.snapshot()?);
        let selected = request.selection.resolve(self.session, self.watch)?;
        let work = |trajectory: &Trajectory<'_>, subject: &Subject| {
            let step = detector::detect(trajectory, &self.settings);
            let approx = step.status != Status::ModelBreak && subject.is_approx(0..trajectory.len());
            let mut found = rows(request, subject, Step { approx, ..step });
            // An alarm has seen nothing that came after it.
            for row in &mut found.changes {
                let seen = trajectory.t.partition_point(|t| row.detected_at.is_none_or(|at| *t <= at.0));
                row.approx = subject.is_approx(0..seen);
            }
            found.summary.path = request.sparks.filter(|_| request.summary).map(|s| s.of(trajectory));
            found
        };
        let job = Job {
            session: self.session,
            snapshot,
            selected: &selected,
            options: &request.each,
            bytes_a_value: BYTES_A_VALUE,
            watch: self.watch,
        };
        job.for_each(work, |scales| collector.take(scales))?;
        collector.finish(&selected, || Ok(()))
    }

    /// Only points that came since the state of this name was stored.
    pub fn resume(
        &self,
        name: &str,
        storing: Option<Storing>,
        mut collector: Collector<'_>,
    ) -> Result<Report> {
        let (session, settings, watch) = (self.session, &self.settings, self.watch);
        let snapshot = session.snapshot()?;
        let selection = self.request.selection.resolve(session, watch)?;
        let (dir, id) = (snapshot.dir(), snapshot.config().id);
        let states = settings.open(dir, id, name)?;
        let before = settings.open(dir, id, name)?;
        let mut next = match &storing {
            Some(_) => Some(NextStates::create(dir, id, name, before)?),
            None => None,
        };
        let selected = selection.select.resolve(snapshot)?;
        let (mut entities, mut points, mut late) = (0, 0, 0);
        let run = Resume { snapshot, settings, states: states.as_ref() };
        run.run(selected, |step, packed| {
            watch.stop()?;
            (entities, points, late) = (entities + 1, points + step.seen, late + step.late);
            watch.progress(&Progress::Analysed { entities, points });
            if let Some(next) = &mut next {
                next.put(step.entity, &packed)?;
            }
            let name = snapshot.entity_name(step.entity)?;
            let subject = Subject { id: step.entity, name, scale: 0, approx: Vec::new() };
            collector.take(vec![rows(self.request, &subject, step)])
        })?;
        if late > 0 {
            watch.note(
                Level::Warning,
                &format!(
                    "{late} points came late, at times that the state had passed, and were left out; another \
                     ‹state NAME› begins anew"
                ),
            );
        }
        let parameters =
            serde_json::to_value(settings).map_err(|e| Error::internal(format!("settings: {e}")))?;
        collector.finish(&selection, || match (storing, next) {
            (Some(storing), Some(next)) => {
                let head = storing.head(session, snapshot, parameters);
                storing.finish(|| next.finish(head))
            }
            _ => Ok(()),
        })
    }
}

/// What makes a result doubtful, in words.
fn doubt(doubt: Doubt) -> String {
    match doubt {
        Doubt::Wanders => {
            "the level wanders by itself: only steps that are large for it are alarms".to_owned()
        }
        Doubt::Varies(times) => format!(
            "over 64 points the level varies {times:.0} times as much as the noise explains: small changes are missed"
        ),
    }
}

fn rows(request: &Request, subject: &Subject, step: Step) -> Found {
    let scale = request.each.scale_name(subject.scale);
    let summary = SearchRow {
        entity_id: Id(subject.id),
        entity: subject.name.clone(),
        n: step.seen,
        changepoints: step.alarms.len() as u64,
        penalty: None,
        noise_sd: None,
        lag1: None,
        warning: step.doubt.map(doubt),
        cost: None,
        p_recent: step.p_recent,
        approx: step.approx,
        status: step.status,
        scale: scale.clone(),
        path: None,
    };
    let change = |a: crate::analytics::changepoint::bocpd::Alarm| ChangeRow {
        entity_id: Id(subject.id),
        entity: subject.name.clone(),
        t: Some(Time(a.t)),
        index: Some(a.index),
        t_before: Some(Time(a.t_before)),
        method: "bocpd",
        kind: Some(a.kind.as_str()),
        severity: a.severity,
        gain: None,
        p_recent: Some(a.p_recent),
        n_before: Some(a.stretches.n_before),
        n_after: Some(a.stretches.n_after),
        l2: Some(a.stretches.l2),
        cosine: a.stretches.cosine,
        top_dims: None,
        warning: None,
        t_low: None,
        t_high: None,
        p_any_order: None,
        p_wander: None,
        status: Status::Ok,
        detected_at: Some(Time(a.detected_at)),
        approx: step.approx,
        scale: scale.clone(),
        scales: None,
    };
    Found { changes: step.alarms.into_iter().map(change).collect(), summary, segments: Vec::new(), hint: "" }
}
