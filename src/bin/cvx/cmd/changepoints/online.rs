//! `--method bocpd`: point after point, with states that are kept from run to run.

use super::Args;
use super::found::{Found, Printer};
use crate::batch::{Job, Subject};
use crate::context::Context;
use crate::cuts::Aligns;
use crate::progress::Progress;
use crate::rows::{ChangeRow, SearchRow};
use crate::select::Selection;
use crate::signals;
use crate::stored::Storing;
use cvx::analytics::Status;
use cvx::analytics::changepoint::bocpd::Doubt;
use cvx::dataset::Snapshot;
use cvx::error::{Error, Result};
use cvx::model::Trajectory;
use cvx::online::{self, Resume, Settings, Step};
use cvx::output::{Id, Time};
use cvx::results::states::NextStates;
use cvx::results::stored::What;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let settings = Settings {
        normalize: args.normalize,
        max_gap_us: args.batch.cuts.max_gap.map(|d| d.mean_us()),
        mix_models: args.batch.cuts.align == Aligns::Off,
        points: args.select.points(),
        ..Settings::new(args.bocpd())
    };
    let storing = Storing::begin(context, What::States, args.state.as_deref())?;
    let saving = Storing::begin(context, What::Changepoints, args.save.as_deref())?;
    let snapshot = context.snapshot()?;
    let selection = args.select.resolve(context, &snapshot)?;
    let printer = Printer::new(context, &snapshot, args, saving)?;
    match &args.state {
        Some(name) => resume(context, args, &settings, (&snapshot, &selection), printer, (name, storing))?,
        None => whole(context, args, &settings, (&snapshot, &selection), printer)?,
    }
    selection.finish()
}

type Place<'a> = (&'a Snapshot, &'a Selection);

/// All points of each trajectory, without a state.
fn whole(
    context: &Context,
    args: &Args,
    settings: &Settings,
    (snapshot, selection): Place<'_>,
    mut printer: Printer<'_>,
) -> Result<()> {
    let sparks = context.sparks()?;
    let work = |trajectory: &Trajectory<'_>, subject: &Subject| {
        let step = online::detect(trajectory, settings);
        let approx = step.status != Status::ModelBreak && subject.is_approx(0..trajectory.len());
        let mut found = rows(args, subject, Step { approx, ..step });
        // An alarm has seen nothing that came after it.
        for row in &mut found.changes {
            let seen = trajectory.t.partition_point(|t| row.detected_at.is_none_or(|at| *t <= at.0));
            row.approx = subject.is_approx(0..seen);
        }
        found.summary.path = sparks.as_ref().filter(|_| args.summary).map(|s| s.of(trajectory));
        found
    };
    let job = Job { context, snapshot, selection, args: &args.batch, bytes_a_value: 4 };
    job.for_each(work, |scales| printer.take(scales))?;
    printer.finish(snapshot, || Ok(()))
}

/// Only points that came since the state of this name was stored.
fn resume(
    context: &Context,
    args: &Args,
    settings: &Settings,
    (snapshot, selection): Place<'_>,
    mut printer: Printer<'_>,
    (name, storing): (&str, Option<Storing>),
) -> Result<()> {
    let (dir, id) = (snapshot.dir(), snapshot.config().id);
    let states = settings.open(dir, id, name)?;
    let before = settings.open(dir, id, name)?;
    let mut next = match &storing {
        Some(_) => Some(NextStates::create(dir, id, name, before)?),
        None => None,
    };
    let selected = selection.select.resolve(snapshot)?;
    let mut progress = Progress::new(context);
    let (mut entities, mut points, mut late) = (0, 0, 0);
    let run = Resume { snapshot, settings, states: states.as_ref() };
    run.run(selected, |step, packed| {
        signals::check()?;
        (entities, points, late) = (entities + 1, points + step.seen, late + step.late);
        progress.analysed(entities, points);
        if let Some(next) = &mut next {
            next.put(step.entity, &packed)?;
        }
        let subject = Subject {
            id: step.entity,
            name: snapshot.entity_name(step.entity)?,
            scale: 0,
            approx: Vec::new(),
        };
        printer.take(vec![rows(args, &subject, step)])
    })?;
    drop(progress);
    if late > 0 {
        context.warn(&format!(
            "{late} points came late, at times that the state had passed, and were left out; another --state NAME begins anew"
        ));
    }
    let parameters = serde_json::to_value(settings).map_err(|e| Error::internal(format!("settings: {e}")))?;
    printer.finish(snapshot, || match (storing, next) {
        (Some(storing), Some(next)) => {
            let head = storing.head(context, snapshot, parameters);
            storing.finish(|| next.finish(head))
        }
        _ => Ok(()),
    })
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

fn rows(args: &Args, subject: &Subject, step: Step) -> Found {
    let scale = args.batch.scale_name(subject.scale);
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
        status: step.status.as_str(),
        scale: scale.clone(),
        path: None,
    };
    let change = |a: cvx::analytics::changepoint::bocpd::Alarm| ChangeRow {
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
        status: cvx::analytics::Status::Ok.as_str(),
        detected_at: Some(Time(a.detected_at)),
        approx: step.approx,
        scale: scale.clone(),
        scales: None,
    };
    Found { changes: step.alarms.into_iter().map(change).collect(), summary, segments: Vec::new() }
}
