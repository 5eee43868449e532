//! Where each entity will be, and within which radius.

use super::basis::{Basis, Node, check_calibrate};
use super::kept::calibrations::Question;
use super::nearest::Nearest;
use super::{Forecaster, TRYING};
use crate::analytics::predict::table::bin_of;
use crate::analytics::predict::{
    Calibration, Choice, Method, Options, Outlooks, Prediction, Settings, predict,
};
use crate::analytics::{Cuts, Status};
use crate::commands::each::{Order, note_mixed, pool};
use crate::commands::outcome::Uncomputed;
use crate::commands::{Level, Outcome, Progress, Rows, Selection, Session, Watch};
use crate::dataset::{self, Select, Snapshot, Trajectories};
use crate::error::{Code, Error, Result};
use crate::model::{TimestampUs, Trajectory};
use crate::output::{Id, Time};
use crate::rows::PredictRow;
use crate::text::counted;
use crate::time::{Duration, TimeExpr, TimeFormat, clock_us, format_time, span_text};
use std::collections::BTreeMap;

/// Rows whose nearest states are looked for in one scan.
const NEAREST_AT_ONCE: usize = 256;

/// The name of the option that selects the embedding model of points, since `model` names a trained model here.
const MODEL_OPTION: &str = "embedding-model";

/// Forecasts of every selected entity.
#[derive(Debug, Clone)]
pub struct Request {
    /// From which points.
    pub selection: Selection,
    /// Predict these instants; they must lie after the last selected point of an entity.
    pub at: Vec<TimeExpr>,
    /// Predict so long after each entity's last point.
    pub horizon: Vec<Duration>,
    /// How to predict.
    pub method: Forecaster,
    /// What the methods are told.
    pub basis: Basis,
    /// Probability with which the radius holds the truth.
    pub level: f64,
    /// Entities on whose past the methods are tried; 0 for no radius and no choice.
    pub calibrate: u64,
    /// Try the methods again, even where a calibration is kept.
    pub recalibrate: bool,
    /// Also that many other entities whose newest states are nearest to the prediction.
    pub rank_like: Option<usize>,
    /// Half-widths of each dimension too.
    pub half_widths: bool,
    /// Where trajectories are cut.
    pub cuts: Cuts,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            selection: Selection::default(),
            at: Vec::new(),
            horizon: Vec::new(),
            method: Forecaster::Auto,
            basis: Basis::default(),
            level: 0.9,
            calibrate: 500,
            recalibrate: false,
            rank_like: None,
            half_widths: false,
            cuts: Cuts::default(),
        }
    }
}

/// The instants that are asked for.
struct Targets {
    at: Vec<TimestampUs>,
    after: Vec<Duration>,
}

impl Targets {
    fn new(session: &Session, select: &Select, request: &Request) -> Result<Targets> {
        if request.at.is_empty() && request.horizon.is_empty() {
            return Err(Error::usage("nothing says when")
                .fix("add ‹horizon 30d› (after each entity's last point) or ‹at 2030-01-01›"));
        }
        if request.horizon.iter().any(Duration::is_zero) {
            return Err(Error::usage("a horizon of no time is the last point itself").option("horizon"));
        }
        let instant = |t: &TimeExpr| session.instant(select, Some(t));
        let at = request.at.iter().filter_map(|t| instant(t).transpose()).collect::<Result<_>>()?;
        Ok(Targets { at, after: request.horizon.clone() })
    }

    /// Refuses instants that are after no entity's last point, before any row is out. Entities
    /// that go on longer than others say so in their own rows.
    fn check(&self, snapshot: &Snapshot, select: &Select) -> Result<()> {
        let Some(&first) = self.at.iter().min() else { return Ok(()) };
        let text = |t| format_time(t, TimeFormat::Rfc3339);
        let mut late = None;
        for rows in Trajectories::new(select.resolve(snapshot)?) {
            match rows.t.last() {
                Some(&last) if last >= first => late = late.or(Some((rows.entity, last))),
                _ => return Ok(()),
            }
        }
        let Some((entity, last)) = late else { return Ok(()) };
        Err(Error::usage(format!("{} is not in the future", text(first)))
            .what(format!("option ‹at›; the last point is of {}", text(last)))
            .entity(snapshot.entity_label(entity)?)
            .fix("predict from the past with ‹to›, or use ‹horizon›, which counts from each entity's last point"))
    }

    /// Of one entity, ascending; `None`, last, for a horizon that leads beyond the end of time.
    fn after(&self, last: TimestampUs) -> Vec<Option<TimestampUs>> {
        let mut out: Vec<Option<TimestampUs>> = self.at.iter().copied().map(Some).collect();
        out.extend(self.after.iter().map(|d| d.step(last, 1).ok()));
        out.sort_unstable_by_key(|t| t.unwrap_or(TimestampUs::MAX));
        out.dedup();
        out
    }
}

/// Runs the command.
///
/// # Errors
/// Fails when no instant is given or none lies in the future, when the dataset or the selection cannot be read, when the
/// watch stops the run, and when `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<PredictRow>,
) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve(session, watch)?;
    let select = &selected.select;
    check_calibrate(request.calibrate)?;
    let targets = Targets::new(session, select, request)?;
    targets.check(snapshot, select)?;
    let node = request.method.node(snapshot, &request.basis, watch)?;
    let settings = node.settings(&request.basis);
    let cuts = request.cuts;
    let question = Question { select, cuts, entities: request.calibrate, settings, seed: session.seed() };
    let calibration = calibration(session, &question, request.recalibrate, watch)?;
    let levels = [request.level];
    let outlooks = calibration.map(|c| Outlooks::new(c, &levels, settings.window));
    let settings = Settings { period_s: outlooks.as_ref().and_then(Outlooks::period_s), ..settings };
    if request.method == Forecaster::Fixed(Method::Season) && settings.period_s.is_none() {
        watch.note(
            Level::Note,
            "no period was found in the past of this dataset: ‹method season› predicts nothing here",
        );
    }
    let choosable = node.choosable();
    let options = Options {
        choice: match request.method {
            Forecaster::Fixed(method) if node.missing.is_none() => Choice::Fixed(method),
            _ => Choice::Auto,
        },
        allowed: &choosable,
        half_widths: request.half_widths,
        outlooks: outlooks.as_ref(),
        settings,
    };
    let nearest = request.rank_like.map(|k| Nearest::new(snapshot, select, k, watch));
    let mut outlet = Outlet { out, nearest, rows: Vec::new(), counts: Counts::default() };
    let mut chosen = Chosen::default();
    let (mut entities, mut points, mut mixed) = (0, 0, 0);
    let mut uncomputed = Uncomputed::new(MODEL_OPTION);
    let dim = snapshot.settings().dim;
    let work = |rows: &dataset::Rows<'_>, x: &mut Vec<f32>| {
        rows.read(0..rows.len(), x)?;
        let models = rows.models();
        let trajectory = rows.trajectory(x, &models, dim);
        let found = one(&trajectory, &cuts, &targets, &options)?;
        let name = snapshot.entity_name(rows.entity)?;
        let approx = rows.any_approx();
        let row = |(n, t_last, p)| PredictRow {
            approx,
            ..row(rows.entity, name.clone(), n, t_last, request.level, &node, p)
        };
        Ok((rows.len() as u64, trajectory.mixes_models(), found.into_iter().map(row).collect::<Vec<_>>()))
    };
    let trajectories = Trajectories::new(select.resolve(snapshot)?);
    pool::for_each(trajectories, dim, Order::Entity, work, |(n, mixes, rows)| {
        watch.stop()?;
        (entities, points, mixed) = (entities + 1, points + n, mixed + u64::from(mixes));
        watch.progress(&Progress::Analysed { entities, points });
        let broken = Status::ModelBreak;
        uncomputed.count(rows.iter().any(|r| r.status == broken).then_some(broken));
        rows.iter().for_each(|r| chosen.count(r, outlooks.as_ref()));
        rows.into_iter().try_for_each(|r| outlet.take(r))
    })?;
    outlet.flush()?;
    outlet.out.end()?;
    note_mixed(watch, cuts.align, MODEL_OPTION, mixed);
    outlet.counts.note(watch);
    if options.choice == Choice::Auto {
        chosen.note(watch, outlooks.as_ref());
    }
    Ok(Outcome::of(uncomputed.finish(selected.may_be_empty())).and(selected.outcome()))
}

/// The kept calibration, or a new one, which is kept if nobody is writing.
fn calibration(
    session: &Session,
    question: &Question<'_>,
    again: bool,
    watch: &dyn Watch,
) -> Result<Option<Calibration>> {
    let snapshot = session.snapshot()?;
    if question.entities == 0 {
        return Ok(None);
    }
    if !again {
        match question.stored(snapshot) {
            Ok(Some(kept)) => {
                watch.note(Level::Detail, &format!("calibration of commit {}", kept.commit));
                return Ok(Some(kept.calibration));
            }
            Ok(None) => {}
            Err(e) => watch.note(Level::Warning, &format!("{e}: a new calibration is made")),
        }
    }
    watch.progress(&TRYING);
    let answer = question.answer(snapshot, watch)?;
    watch.note(
        Level::Detail,
        &format!("calibrated on {}", counted(answer.entities.into(), "entity", "entities")),
    );
    // What an older version says must not replace what the newest says.
    if session.settings().dry_run || session.settings().read_at.is_some() {
        return Ok(Some(answer));
    }
    match question.store(snapshot, &answer, clock_us(), &session.writing("predict")) {
        Ok(()) => {}
        Err(e) if matches!(e.code(), Code::Locked | Code::ReadOnly) => {
            watch.note(Level::Detail, &format!("the calibration is not kept: {}", e.message()));
        }
        Err(e) => watch.note(Level::Warning, &format!("the calibration is not kept: {e}")),
    }
    Ok(Some(answer))
}

/// Points of history, the last of their times, and the prediction, for each target.
fn one(
    trajectory: &Trajectory<'_>,
    cuts: &Cuts,
    targets: &Targets,
    options: &Options<'_>,
) -> Result<Vec<(usize, TimestampUs, Prediction)>> {
    let Some(history) = cuts.pieces_of(trajectory).pop() else { return Ok(Vec::new()) };
    let Some(&last) = history.t.last() else { return Ok(Vec::new()) };
    let found = predict(&history, &targets.after(last), options)?;
    Ok(found.into_iter().map(|p| (history.len(), last, p)).collect())
}

fn row(
    entity: u64,
    name: Option<String>,
    n: usize,
    t_last: TimestampUs,
    level: f64,
    node: &Node,
    p: Prediction,
) -> PredictRow {
    // No stored value lies beyond single precision, so an interval may end there.
    let most = f64::from(f32::MAX);
    let single = |x: Vec<f64>| x.into_iter().map(|v| v.clamp(-most, most) as f32).collect::<Vec<f32>>();
    let end = |sign: f64| {
        let (centre, widths) = (p.vector.as_ref()?, p.half_widths.as_ref()?);
        Some(single(centre.iter().zip(widths).map(|(c, w)| c + sign * w).collect()))
    };
    PredictRow {
        entity_id: Id(entity),
        entity: name,
        t: p.t.map(Time),
        horizon_s: p.horizon_s,
        method: p.method.map(Method::as_str),
        level,
        radius: p.radius,
        n,
        t_last: Time(t_last),
        backtest_error: p.backtest_error,
        vs_last: p.vs_last,
        status: p.status,
        lower: end(-1.0),
        upper: end(1.0),
        vector: p.vector.map(single),
        fallback: node.missing.clone(),
        nearest: None,
        approx: false,
    }
}

/// Adds the nearest states to rows where they are asked for, and hands the rows on.
struct Outlet<'a> {
    out: &'a mut dyn Rows<PredictRow>,
    nearest: Option<Nearest<'a>>,
    rows: Vec<PredictRow>,
    counts: Counts,
}

/// Rows so far that lack something.
#[derive(Default)]
struct Counts {
    /// They have a vector and no radius, although there is a calibration.
    uncalibrated: u64,
    /// Their instant is not after the last point.
    not_future: u64,
    /// No other vector could be made; trajectories of several embedding models have a warning of their own.
    without: u64,
}

impl Counts {
    fn add(&mut self, status: Status, has_vector: bool) {
        let is = |s: Status| status == s;
        self.uncalibrated += u64::from(is(Status::Uncalibrated));
        self.not_future += u64::from(is(Status::NotFuture));
        self.without += u64::from(!has_vector && !is(Status::NotFuture) && !is(Status::ModelBreak));
    }

    fn note(&self, watch: &dyn Watch) {
        let predictions = |n: u64| counted(n, "prediction", "predictions");
        if self.not_future > 0 {
            watch.note(
                Level::Note,
                &format!(
                    "{} not made: the entity has points at or after ‹at› (status not_future); \
                 predict from the past with ‹to›",
                    predictions(self.not_future)
                ),
            );
        }
        if self.without > 0 {
            watch.note(
                Level::Note,
                &format!("{} could not be made: status says why", predictions(self.without)),
            );
        }
        if self.uncalibrated > 0 {
            watch.note(
                Level::Note,
                &format!(
                    "{} without a radius (status uncalibrated): the past has too few independent cases of \
                 such horizons for ‹level›, or the entity has one point",
                    predictions(self.uncalibrated)
                ),
            );
        }
    }
}

impl Outlet<'_> {
    fn take(&mut self, row: PredictRow) -> Result<()> {
        if self.nearest.is_none() {
            return self.put(row);
        }
        self.rows.push(row);
        if self.rows.len() >= NEAREST_AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn put(&mut self, row: PredictRow) -> Result<()> {
        self.counts.add(row.status, row.vector.is_some());
        self.out.row(row)
    }

    fn flush(&mut self) -> Result<()> {
        let mut rows = std::mem::take(&mut self.rows);
        if let Some(nearest) = &self.nearest {
            nearest.fill(&mut rows)?;
        }
        rows.into_iter().try_for_each(|r| self.put(r))
    }
}

/// Which methods were chosen, by horizon.
#[derive(Default)]
struct Chosen(BTreeMap<i32, (f64, BTreeMap<&'static str, u64>)>);

impl Chosen {
    fn count(&mut self, row: &PredictRow, outlooks: Option<&Outlooks>) {
        let (Some(horizon_s), Some(method)) = (row.horizon_s, row.method) else { return };
        let bin = outlooks.map_or(0, |o| bin_of(horizon_s, o.unit_s()));
        let (_, methods) = self.0.entry(bin).or_insert((horizon_s, BTreeMap::new()));
        *methods.entry(method).or_default() += 1;
    }

    fn note(&self, watch: &dyn Watch, outlooks: Option<&Outlooks>) {
        let names = |methods: &BTreeMap<&str, u64>| {
            let mut order: Vec<_> = methods.iter().collect();
            order.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
            order.iter().map(|(name, n)| format!("{name} for {n}")).collect::<Vec<_>>().join(", ")
        };
        let known = match outlooks {
            Some(o) if o.entities() > 0 => {
                format!("by the past of {}", counted(o.entities().into(), "entity", "entities"))
            }
            _ => "nothing is known of the past, so last".to_string(),
        };
        for (horizon_s, methods) in self.0.values() {
            watch.note(
                Level::Note,
                &format!("auto, about {} ahead: {} ({known})", span_text(*horizon_s), names(methods)),
            );
        }
    }
}
