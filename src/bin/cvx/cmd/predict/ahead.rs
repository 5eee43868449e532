//! `cvx predict` without a further word: the forecasts.

use super::basis::{MethodArgs, Node, PointArgs, check_calibrate, clock_us, counted, level, span};
use super::nearest::Nearest;
use crate::batch::{Sink, tell_mixed};
use crate::context::Context;
use crate::cuts::{CutArgs, GateArgs};
use crate::progress::Progress;
use crate::rows::PredictRow;
use crate::select::time;
use crate::signals;
use crate::uncomputed::Uncomputed;
use crate::values::duration;
use clap::ValueEnum;
use cvx::analytics::predict::table::bin_of;
use cvx::analytics::predict::{
    Calibration, Choice, Method, Options, Outlooks, Prediction, Settings, predict,
};
use cvx::analytics::{Cuts, Status};
use cvx::batch::{self, Order};
use cvx::dataset::{Rows, Select, Snapshot, Trajectories};
use cvx::error::{Code, Error, Result};
use cvx::forecast::calibrations::Question;
use cvx::model::{TimestampUs, Trajectory};
use cvx::output::{Id, Output, Time};
use cvx::time::{Duration, TimeExpr, TimeFormat, format_time};
use std::collections::BTreeMap;

/// Rows whose nearest states are looked for in one scan.
const NEAREST_AT_ONCE: usize = 256;

/// Options of the forecasts.
#[derive(clap::Args, Debug)]
pub struct AheadArgs {
    /// Predict this instant (repeatable); it must lie after the last selected point of an entity
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    at: Vec<TimeExpr>,
    /// Predict this long after each entity's last point (repeatable)
    #[arg(long, value_name = "DUR", value_parser = duration)]
    horizon: Vec<Duration>,
    /// How to predict
    #[arg(long, value_enum, default_value_t = Methods::Auto)]
    method: Methods,
    #[command(flatten)]
    told: MethodArgs,
    /// Probability with which the radius holds the truth
    #[arg(long, value_name = "P", default_value = "0.9", value_parser = level)]
    level: f64,
    /// Entities on whose past the methods are tried; 0 for no radius and no choice
    #[arg(long, value_name = "N", default_value_t = 500)]
    calibrate: u64,
    /// Try the methods again, even where a calibration is kept
    #[arg(long)]
    recalibrate: bool,
    /// Also the K other entities whose newest states are nearest to the prediction
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rank_like: Option<u32>,
    #[command(flatten)]
    cuts: CutArgs,
    #[command(flatten)]
    gate: GateArgs,
    #[command(flatten)]
    points: PointArgs,
}

/// `--method`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Methods {
    /// The one that did best on the past of this dataset
    Auto,
    /// The last point again
    Last,
    /// The mean of all points
    Mean,
    /// The line through the last two points
    Linear,
    /// The least-squares line through the last --window points
    Trend,
    /// Holt's damped trend for irregular times
    Holt,
    /// An Ornstein-Uhlenbeck process: drawn back to a mean
    Ou,
    /// A trained neural ODE, see `cvx predict train`
    Node,
    /// A level and waves of the period that was found in the past of this dataset
    Season,
}

impl Methods {
    /// For the library; `None` for auto.
    pub fn fixed(self) -> Option<Method> {
        match self {
            Methods::Auto => None,
            Methods::Last => Some(Method::Last),
            Methods::Mean => Some(Method::Mean),
            Methods::Linear => Some(Method::Linear),
            Methods::Trend => Some(Method::Trend),
            Methods::Holt => Some(Method::Holt),
            Methods::Ou => Some(Method::Ou),
            Methods::Node => Some(Method::Node),
            Methods::Season => Some(Method::Season),
        }
    }

    /// The model that this method needs, or might choose.
    pub fn node(self, context: &Context, snapshot: &Snapshot, told: &MethodArgs) -> Result<Node> {
        match self {
            Methods::Auto | Methods::Node => Node::find(context, snapshot, told, self == Methods::Node),
            _ if told.model.is_some() => {
                Err(Error::usage("--model is for --method node or auto").fix("leave out one of the two"))
            }
            _ => Ok(Node::default()),
        }
    }
}

impl AheadArgs {
    /// True when an instant is asked for.
    pub fn says_when(&self) -> bool {
        !self.at.is_empty() || !self.horizon.is_empty()
    }
}

/// The instants that are asked for.
struct Targets {
    at: Vec<TimestampUs>,
    after: Vec<Duration>,
}

impl Targets {
    fn new(context: &Context, snapshot: &Snapshot, select: &Select, args: &AheadArgs) -> Result<Targets> {
        if !args.says_when() {
            return Err(Error::usage("nothing says when")
                .fix("add --horizon 30d (after each entity's last point) or --at 2030-01-01"));
        }
        if args.horizon.iter().any(Duration::is_zero) {
            return Err(
                Error::usage("a horizon of no time is the last point itself").what("option --horizon")
            );
        }
        let instant = |t: &TimeExpr| context.instant(snapshot, select, Some(t));
        let at = args.at.iter().filter_map(|t| instant(t).transpose()).collect::<Result<_>>()?;
        Ok(Targets { at, after: args.horizon.clone() })
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
            .what(format!("option --at; the last point is of {}", text(last)))
            .entity(snapshot.entity_label(entity)?)
            .fix("predict from the past with --to, or use --horizon, which counts from each entity's last point"))
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
pub fn run(context: &Context, args: AheadArgs) -> Result<()> {
    let snapshot = context.snapshot()?;
    let selection = args.points.resolve(context, &snapshot)?;
    let select = &selection.select;
    check_calibrate(args.calibrate)?;
    let targets = Targets::new(context, &snapshot, select, &args)?;
    targets.check(&snapshot, select)?;
    let node = args.method.node(context, &snapshot, &args.told)?;
    let settings = node.settings(&args.told);
    let cuts = args.cuts.cuts();
    let question = Question { select, cuts, entities: args.calibrate, settings, seed: context.seed() };
    let calibration = calibration(context, &snapshot, &question, args.recalibrate)?;
    let levels = [args.level];
    let outlooks = calibration.map(|c| Outlooks::new(c, &levels, settings.window));
    let settings = Settings { period_s: outlooks.as_ref().and_then(Outlooks::period_s), ..settings };
    if args.method == Methods::Season && settings.period_s.is_none() {
        context
            .note("no period was found in the past of this dataset: --method season predicts nothing here");
    }
    let choosable = node.choosable();
    let options = Options {
        choice: match args.method.fixed().filter(|_| node.missing.is_none()) {
            Some(method) => Choice::Fixed(method),
            None => Choice::Auto,
        },
        allowed: &choosable,
        half_widths: context.shows_vectors(),
        outlooks: outlooks.as_ref(),
        settings,
    };
    let nearest = args.rank_like.map(|k| Nearest::new(&snapshot, select, k as usize));
    let sink = Sink::new(open(context, &snapshot, &args, &node)?, &args.gate)?;
    let mut outlet = Outlet { sink, nearest, rows: Vec::new(), counts: Counts::default() };
    let mut chosen = Chosen::default();
    let mut progress = Progress::new(context);
    let (mut entities, mut points, mut mixed) = (0, 0, 0);
    let mut uncomputed = Uncomputed::new("--embedding-model");
    let dim = snapshot.settings().dim;
    let work = |rows: &Rows<'_>, x: &mut Vec<f32>| {
        rows.read(0..rows.len(), x)?;
        let models = rows.models();
        let trajectory = rows.trajectory(x, &models, dim);
        let found = one(&trajectory, &cuts, &targets, &options)?;
        let name = snapshot.entity_name(rows.entity)?;
        let approx = rows.any_approx();
        let row = |(n, t_last, p)| PredictRow {
            approx,
            ..row(rows.entity, name.clone(), n, t_last, args.level, &node, p)
        };
        Ok((rows.len() as u64, trajectory.mixes_models(), found.into_iter().map(row).collect::<Vec<_>>()))
    };
    let trajectories = Trajectories::new(select.resolve(&snapshot)?);
    batch::for_each(trajectories, dim, Order::Entity, work, |(n, mixes, rows)| {
        signals::check()?;
        (entities, points, mixed) = (entities + 1, points + n, mixed + u64::from(mixes));
        progress.analysed(entities, points);
        let broken = Status::ModelBreak.as_str();
        uncomputed.count(rows.iter().any(|r| r.status == broken).then_some(broken));
        rows.iter().for_each(|r| chosen.count(r, outlooks.as_ref()));
        rows.into_iter().try_for_each(|r| outlet.take(r))
    })?;
    drop(progress);
    outlet.flush()?;
    let counts = outlet.counts;
    let verdict = outlet.sink.finish();
    tell_mixed(context, args.cuts.align, "--embedding-model", mixed);
    counts.tell(context);
    if options.choice == Choice::Auto {
        chosen.tell(context, outlooks.as_ref());
    }
    verdict?;
    uncomputed.finish(context, selection.select.limit)?;
    selection.finish()
}

fn open(context: &Context, snapshot: &Snapshot, args: &AheadArgs, node: &Node) -> Result<Output<PredictRow>> {
    let mut hidden = Vec::new();
    if args.rank_like.is_none() {
        hidden.push("nearest");
    }
    if node.missing.is_none() && context.shows_table()? {
        hidden.push("fallback");
    }
    context.rows_of::<PredictRow>(snapshot, &hidden)
}

/// The kept calibration, or a new one, which is kept if nobody is writing.
fn calibration(
    context: &Context,
    snapshot: &Snapshot,
    question: &Question<'_>,
    again: bool,
) -> Result<Option<Calibration>> {
    if question.entities == 0 {
        return Ok(None);
    }
    if !again {
        match question.stored(snapshot) {
            Ok(Some(kept)) => {
                context.detail(&format!("calibration of commit {}", kept.commit));
                return Ok(Some(kept.calibration));
            }
            Ok(None) => {}
            Err(e) => context.warn(&format!("{e}: a new calibration is made")),
        }
    }
    let mut progress = Progress::new(context);
    progress.begin("trying the methods on the past");
    let answer = question.answer(snapshot)?;
    drop(progress);
    signals::check()?;
    context.detail(&format!("calibrated on {}", counted(answer.entities.into(), "entity", "entities")));
    // What an older version says must not replace what the newest says.
    if context.run.dry_run || context.run.read_at.is_some() {
        return Ok(Some(answer));
    }
    match question.store(snapshot, &answer, clock_us(), &context.writing("predict")) {
        Ok(()) => {}
        Err(e) if matches!(e.code(), Code::Locked | Code::ReadOnly) => {
            context.detail(&format!("the calibration is not kept: {}", e.message()));
        }
        Err(e) => context.warn(&format!("the calibration is not kept: {e}")),
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
        status: p.status.as_str(),
        lower: end(-1.0),
        upper: end(1.0),
        vector: p.vector.map(single),
        fallback: node.missing.clone(),
        nearest: None,
        approx: false,
    }
}

/// Rows out, after a look around where it is asked for.
struct Outlet<'a> {
    sink: Sink<'a, PredictRow>,
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
    fn add(&mut self, status: &str, has_vector: bool) {
        let is = |s: Status| status == s.as_str();
        self.uncalibrated += u64::from(is(Status::Uncalibrated));
        self.not_future += u64::from(is(Status::NotFuture));
        self.without += u64::from(!has_vector && !is(Status::NotFuture) && !is(Status::ModelBreak));
    }

    fn tell(&self, context: &Context) {
        let told = |n: u64| counted(n, "prediction", "predictions");
        if self.not_future > 0 {
            context.note(&format!(
                "{} not made: the entity has points at or after --at (status not_future); \
                 predict from the past with --to",
                told(self.not_future)
            ));
        }
        if self.without > 0 {
            context.note(&format!("{} could not be made: status says why", told(self.without)));
        }
        if self.uncalibrated > 0 {
            context.note(&format!(
                "{} without a radius (status uncalibrated): the past has too few independent cases of \
                 such horizons for --level, or the entity has one point",
                told(self.uncalibrated)
            ));
        }
    }
}

impl Outlet<'_> {
    fn take(&mut self, row: PredictRow) -> Result<()> {
        if self.nearest.is_none() {
            return self.put(&row);
        }
        self.rows.push(row);
        if self.rows.len() >= NEAREST_AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn put(&mut self, row: &PredictRow) -> Result<()> {
        self.counts.add(row.status, row.vector.is_some());
        self.sink.row(row)
    }

    fn flush(&mut self) -> Result<()> {
        let mut rows = std::mem::take(&mut self.rows);
        if let Some(nearest) = &self.nearest {
            nearest.fill(&mut rows)?;
        }
        rows.iter().try_for_each(|r| self.put(r))
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

    fn tell(&self, context: &Context, outlooks: Option<&Outlooks>) {
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
            context.note(&format!("auto, about {} ahead: {} ({known})", span(*horizon_s), names(methods)));
        }
    }
}
