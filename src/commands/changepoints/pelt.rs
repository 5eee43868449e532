//! Whole trajectories, looking back.

use super::Request;
use super::report::{Collector, Found, Report};
use crate::analytics::Status;
use crate::analytics::changepoint::{self, Change, Cost, Outlier, Params, Segment, detect};
use crate::commands::each::{Job, Subject};
use crate::commands::{Session, Watch};
use crate::error::Result;
use crate::model::Trajectory;
use crate::output::{Id, Time};
use crate::rows::{ChangeRow, SearchRow, SegmentRow, top_dims};

/// Above this lag-one correlation the residuals themselves are the doubt.
const STRONG: f64 = 0.8;

/// Bytes of a value of a trajectory while it is searched: as it is stored, in f64, and in sums.
const BYTES_A_VALUE: usize = 48;

/// Runs the command.
pub(super) fn run(
    session: &Session,
    request: &Request,
    params: &Params,
    watch: &dyn Watch,
    mut collector: Collector<'_>,
) -> Result<Report> {
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve(session, watch)?;
    let work = |trajectory: &Trajectory<'_>, subject: &Subject| {
        let mut found = rows(request, params.best.is_some(), subject, detect(trajectory, params));
        found.summary.path = request.sparks.filter(|_| request.summary).map(|s| s.of(trajectory));
        found
    };
    let job = Job {
        session,
        snapshot,
        selected: &selected,
        options: &request.each,
        bytes_a_value: BYTES_A_VALUE,
        watch,
    };
    job.for_each(work, |scales| collector.take(scales))?;
    collector.finish(&selected, || Ok(()))
}

fn rows(request: &Request, best: bool, subject: &Subject, report: changepoint::Report) -> Found {
    let warning = warning(&report);
    let hint = if report.drifts { ". Try ‹signal increment›" } else { "" };
    let scale = request.each.scale_name(subject.scale);
    let searched = if report.penalty.is_some() || !report.segments.is_empty() { report.n } else { 0 };
    let approx = subject.is_approx(0..searched);
    let summary = SearchRow {
        entity_id: Id(subject.id),
        entity: subject.name.clone(),
        n: report.n as u64,
        changepoints: report.changes.len() as u64,
        penalty: report.penalty,
        noise_sd: report.noise_sd,
        lag1: report.lag1,
        warning,
        cost: report.penalty.map(|_| cost(report.cost)),
        p_recent: None,
        approx,
        status: report.status,
        scale: scale.clone(),
        path: None,
    };
    let segments = if request.segments { report.segments } else { Vec::new() };
    let segment = |(i, s)| segment_row(subject, scale.clone(), approx, (i, s));
    let row = Row { subject, scale: scale.clone(), approx };
    let mut changes: Vec<ChangeRow> = report.changes.into_iter().map(|c| row.change(c)).collect();
    if best && changes.is_empty() {
        let status = if report.status == Status::Ok { Status::FewPoints } else { report.status };
        changes.push(ChangeRow { status, ..row.empty() });
    }
    changes.extend(report.outliers.into_iter().map(|o| row.outlier(o)));
    changes.sort_by_key(|c| c.t.as_ref().map(|t| t.0));
    let segments = segments.into_iter().enumerate().map(segment).collect();
    Found { changes, segments, summary, hint }
}

/// What makes a result doubtful.
fn warning(report: &changepoint::Report) -> Option<String> {
    let season =
        |points| format!("the series repeats itself every {points} points; its changes may be a season");
    let season = report.repeats.map(season);
    let apart = "jumps and slow drift cannot be told apart";
    let wanders = report.lag1.filter(|_| report.drifts).map(|lag1| match lag1 >= STRONG {
        true => format!("residuals are strongly autocorrelated (lag 1: {lag1:.2}); {apart}"),
        false => format!("the level wanders by itself; {apart}"),
    });
    // A walk, too, looks now and then as if it repeated itself.
    match (wanders, season) {
        (Some(wanders), Some(season)) => Some(format!("{wanders}; {season}")),
        (one, other) => one.or(other),
    }
}

/// What makes a single change doubtful.
fn doubt(c: &Change) -> Option<&'static str> {
    match (c.repeats, c.doubtful) {
        (true, _) => Some("the series repeats itself: a season explains it as well"),
        (false, true) => Some("a level that wanders explains it as well (p_wander)"),
        (false, false) => None,
    }
}

fn cost(cost: Cost) -> &'static str {
    match cost {
        Cost::Auto => "auto",
        Cost::Mean => "mean",
        Cost::Line => "line",
        Cost::Level => "level",
    }
}

/// What all rows of a trajectory have in common.
struct Row<'a> {
    subject: &'a Subject,
    scale: Option<String>,
    approx: bool,
}

impl Row<'_> {
    fn empty(&self) -> ChangeRow {
        ChangeRow {
            entity_id: Id(self.subject.id),
            entity: self.subject.name.clone(),
            t: None,
            index: None,
            t_before: None,
            method: "pelt",
            kind: None,
            severity: None,
            gain: None,
            p_recent: None,
            n_before: None,
            n_after: None,
            l2: None,
            cosine: None,
            top_dims: None,
            warning: None,
            t_low: None,
            t_high: None,
            p_any_order: None,
            p_wander: None,
            status: Status::Ok,
            detected_at: None,
            approx: self.approx,
            scale: self.scale.clone(),
            scales: None,
        }
    }

    fn change(&self, c: Change) -> ChangeRow {
        ChangeRow {
            t: Some(Time(c.t)),
            index: Some(c.index as u64),
            t_before: Some(Time(c.t_before)),
            kind: Some(if c.reported { "change" } else { "split" }),
            severity: c.severity,
            gain: Some(c.gain),
            n_before: Some(c.n_before as u64),
            n_after: Some(c.n_after as u64),
            l2: Some(c.l2),
            cosine: c.cosine,
            top_dims: Some(top_dims(&c.top_dims)),
            warning: doubt(&c),
            t_low: Some(Time(c.t_low)),
            t_high: Some(Time(c.t_high)),
            p_any_order: c.p_any_order,
            p_wander: c.p_wander,
            ..self.empty()
        }
    }

    fn outlier(&self, o: Outlier) -> ChangeRow {
        ChangeRow {
            t: Some(Time(o.t)),
            index: Some(o.index as u64),
            t_before: o.t_before.map(Time),
            kind: Some("outlier"),
            severity: Some(o.severity),
            ..self.empty()
        }
    }
}

fn segment_row(
    subject: &Subject,
    scale: Option<String>,
    approx: bool,
    (i, s): (usize, Segment),
) -> SegmentRow {
    SegmentRow {
        entity_id: Id(subject.id),
        entity: subject.name.clone(),
        segment: i as u64,
        t_first: Time(s.t_first),
        t_last: Time(s.t_last),
        start: s.start as u64,
        n: (s.end - s.start) as u64,
        spread: s.spread,
        norm: s.mean.iter().map(|v| v * v).sum::<f64>().sqrt(),
        approx,
        vector_mean: Some(s.mean.into_iter().map(|v| v as f32).collect()),
        scale,
    }
}
