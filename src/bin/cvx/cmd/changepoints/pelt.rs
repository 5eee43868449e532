//! `--method pelt`: whole trajectories, looking back.

use super::Args;
use super::found::{Found, Printer};
use crate::batch::{Job, Subject};
use crate::cmd::drift::top_dims;
use crate::context::Context;
use crate::rows::{ChangeRow, SearchRow, SegmentRow};
use crate::stored::Storing;
use cvx::analytics::changepoint::{Change, Cost, Report, Segment, detect};
use cvx::error::Result;
use cvx::model::Trajectory;
use cvx::output::{Id, Json, Time};
use cvx::results::stored::What;

/// Above this lag-one correlation the residuals themselves are the doubt.
const STRONG: f64 = 0.8;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let storing = Storing::begin(context, What::Changepoints, args.save.as_deref())?;
    let snapshot = context.snapshot()?;
    let selection = args.select.resolve(context, &snapshot)?;
    args.check_dim(snapshot.config().settings.dim)?;
    let params = args.pelt();
    let sparks = context.sparks()?;
    let mut printer = Printer::new(context, &snapshot, args, storing)?;
    let work = |trajectory: &Trajectory<'_>, subject: &Subject| {
        let mut found = rows(args, subject, detect(trajectory, &params));
        found.summary.path = sparks.as_ref().filter(|_| args.summary).map(|s| s.of(trajectory));
        found
    };
    let job =
        Job { context, snapshot: &snapshot, selection: &selection, args: &args.batch, bytes_a_value: 48 };
    job.for_each(work, |scales| printer.take(scales))?;
    printer.finish(&snapshot, || Ok(()))?;
    selection.finish()
}

fn rows(args: &Args, subject: &Subject, report: Report) -> Found {
    let warning = warning(&report);
    let scale = args.batch.scale_name(subject.scale);
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
        status: report.status.as_str(),
        scale: scale.clone(),
        path: None,
    };
    let segments = if args.segments { report.segments } else { Vec::new() };
    let segment = |(i, s)| segment_row(subject, scale.clone(), approx, (i, s));
    Found {
        changes: report.changes.into_iter().map(|c| change_row(subject, scale.clone(), approx, c)).collect(),
        segments: segments.into_iter().enumerate().map(segment).collect(),
        summary,
    }
}

/// What makes a result doubtful.
fn warning(report: &Report) -> Option<String> {
    let lag1 = report.lag1.filter(|_| report.drifts)?;
    let apart = "jumps and slow drift cannot be told apart";
    Some(if lag1 >= STRONG {
        format!("residuals are strongly autocorrelated (lag 1: {lag1:.2}); {apart}")
    } else {
        format!("the level wanders by itself; {apart}")
    })
}

fn cost(cost: Cost) -> &'static str {
    match cost {
        Cost::Auto => "auto",
        Cost::Mean => "mean",
        Cost::Line => "line",
        Cost::Level => "level",
    }
}

fn change_row(subject: &Subject, scale: Option<String>, approx: bool, c: Change) -> ChangeRow {
    ChangeRow {
        entity_id: Id(subject.id),
        entity: subject.name.clone(),
        t: Time(c.t),
        index: c.index as u64,
        t_before: Time(c.t_before),
        method: "pelt",
        kind: None,
        severity: c.severity,
        gain: Some(c.gain),
        p_recent: None,
        n_before: Some(c.n_before as u64),
        n_after: Some(c.n_after as u64),
        l2: Some(c.l2),
        cosine: c.cosine,
        top_dims: Some(Json(top_dims(&c.top_dims))),
        warning: c.doubtful.then_some("a level that wanders explains it as well (--cost level)"),
        detected_at: None,
        approx,
        scale,
        scales: None,
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
