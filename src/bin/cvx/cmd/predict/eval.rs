//! `cvx predict eval`: how well each method would have done in the past of this dataset.

use super::ahead::Methods;
use super::basis::{MethodArgs, Node, PointArgs, check_calibrate, level, span};
use crate::context::Context;
use crate::cuts::CutArgs;
use crate::progress::Progress;
use crate::rows::{CaseRow, EvalRow};
use crate::signals;
use cvx::analytics::predict::rolling::{self, Case};
use cvx::analytics::predict::table::{Judge, Judged, Row};
use cvx::analytics::predict::{Method, Settings, forecast, piece, season};
use cvx::dataset::{self, Select, Snapshot};
use cvx::error::Result;
use cvx::forecast::Sample;
use cvx::model::{EntityId, Trajectory};
use cvx::output::{Id, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Vector values of a sample that are read into memory: 256 MiB.
const MAX_VALUES: usize = 64 << 20;

/// How well each method would have done here, by horizon
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "From points of the past each method predicts later points that are known. There is a row for
each median step ahead up to sixteen of them, then for each half octave. Choice and radius of a
case come from other entities only, so coverage should be near --level in every row: by chance
it is off by about sqrt(level (1 - level) / n_radius), more where cases of one entity resemble
each other. A model is tried only where it was not trained. Histories whose points are all equal
are left out.

Examples:
  cvx predict eval
  cvx predict eval --method last --method trend --level 0.5 --level 0.9 -f csv
  cvx predict eval --cases --entity apple --method auto"
)]
pub struct Args {
    /// Methods to compare (repeatable); by default all
    #[arg(long, value_enum)]
    method: Vec<Methods>,
    #[command(flatten)]
    told: MethodArgs,
    /// Probability of the radius (repeatable)
    #[arg(long, value_name = "P", default_value = "0.9", value_parser = level)]
    level: Vec<f64>,
    /// Entities to draw, and cases of each horizon at least, where the data has them
    #[arg(long, value_name = "N", default_value_t = 500)]
    calibrate: u64,
    /// Show each case: the prediction beside what happened
    #[arg(long)]
    cases: bool,
    #[command(flatten)]
    cuts: CutArgs,
    #[command(flatten)]
    points: PointArgs,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let snapshot = context.snapshot()?;
    let selection = args.points.resolve(context, &snapshot)?;
    check_calibrate(args.calibrate)?;
    let node = args.node(context, &snapshot)?;
    let settings = node.settings(&args.told);
    let mut progress = Progress::new(context);
    progress.begin("trying the methods on the past");
    let (sample, shown) = args.sample(&snapshot, &selection.select, context.seed())?;
    let views = sample.views(&args.cuts.cuts());
    let unit_s = rolling::median_step_s(&views).unwrap_or(1.0);
    let settings = Settings { period_s: season::period(&views, unit_s, context.seed()), ..settings };
    let works = |m: &Method| match m {
        Method::Node => settings.model.is_some(),
        Method::Season => settings.period_s.is_some(),
        _ => true,
    };
    let tried: Vec<Method> = Method::ALL.into_iter().filter(works).collect();
    let per_horizon = usize::try_from(args.calibrate).unwrap_or(usize::MAX);
    let cases = rolling::evaluate(&views, &tried, per_horizon, context.seed(), &settings);
    drop(progress);
    signals::check()?;
    let counted = |c: &Case| !c.still() && shown.as_ref().is_none_or(|s| s.contains(&c.entity));
    let choosable = node.choosable();
    let judge = Judge::new(&cases, unit_s, &args.level, &settings, context.seed());
    let methods = args.methods(&tried);
    if args.cases {
        let pick = Pick { judge: &judge, methods: &methods, choosable: &choosable, levels: &args.level };
        let kept: Vec<usize> = (0..cases.len()).filter(|&i| counted(&cases[i])).collect();
        let teller = Teller { context, snapshot: &snapshot, settings, views: &views };
        teller.tell(&cases, &kept, &pick)?;
    } else {
        let rows = judge.table(&methods, &choosable, counted);
        table(context, &snapshot, &rows, &args.level)?;
        tell_worse(context, &rows);
    }
    if cases.iter().filter(|c| counted(c)).count() == 0 {
        context.note("no entity has a past to try the methods on: three points that differ are needed");
    }
    selection.finish()
}

impl Args {
    /// The model to evaluate: the named one, or the newest if there is any.
    fn node(&self, context: &Context, snapshot: &Snapshot) -> Result<Node> {
        let wanted = self.told.model.is_some() || self.method.contains(&Methods::Node);
        let there = || Ok(!cvx::forecast::models::list(snapshot)?.is_empty());
        if wanted || (self.method.is_empty() && there()?) {
            Node::find(context, snapshot, &self.told, true)
        } else {
            Ok(Node::default())
        }
    }

    fn methods(&self, tried: &[Method]) -> Vec<Option<Method>> {
        if self.method.is_empty() {
            return tried.iter().copied().map(Some).chain([None]).collect();
        }
        let mut asked: Vec<_> = self.method.clone();
        asked.sort();
        asked.dedup();
        // The choice stands last, as in the whole table.
        let (choice, fixed): (Vec<_>, Vec<_>) = asked.into_iter().partition(|m| *m == Methods::Auto);
        fixed.into_iter().chain(choice).map(Methods::fixed).collect()
    }

    /// The selected entities, at most `--calibrate` of them; and where only some are selected,
    /// others beside them, by which they are judged. The second value is what to show, if not all.
    fn sample(
        &self,
        snapshot: &Snapshot,
        select: &Select,
        seed: u64,
    ) -> Result<(Sample, Option<BTreeSet<EntityId>>)> {
        let draw = |s: &Select| {
            let sample = s.sample.or(Some(dataset::Sample::Count(self.calibrate)));
            Sample::read(snapshot, &Select { sample, ..s.clone() }, MAX_VALUES)
        };
        let whole = Select { entities: None, limit: None, shard: None, sample: None, seed, ..select.clone() };
        let chosen = draw(select)?;
        let some = select.entities.is_some()
            || select.limit.is_some()
            || select.shard.is_some()
            || select.sample.is_some();
        if !some {
            return Ok((chosen, None));
        }
        let shown = chosen.ids().collect();
        Ok((chosen.join(draw(&whole)?), Some(shown)))
    }
}

/// Drawings are for tables.
fn hidden(draws: bool) -> &'static [&'static str] {
    if draws { &[] } else { &["by_horizon"] }
}

fn table(context: &Context, snapshot: &Snapshot, rows: &[Row], levels: &[f64]) -> Result<()> {
    // A line through two points can be off by so much that nothing else would be seen beside it.
    let of_last = rows.iter().filter_map(|r| Some(r.error_median / r.vs_last?));
    let most = 1.5 * of_last.fold(0.0, f64::max);
    let bins: BTreeSet<i32> = rows.iter().map(|r| r.bin).collect();
    let mut errors: BTreeMap<Option<Method>, BTreeMap<i32, f64>> = BTreeMap::new();
    for r in rows {
        errors.entry(r.method).or_default().insert(r.bin, r.error_median);
    }
    let sparks = context.sparks()?;
    let drawn = |method: &Option<Method>| {
        let by_bin = errors.get(method);
        let at = |bin| by_bin.and_then(|e| e.get(bin)).copied();
        sparks.as_ref().map(|s| s.draw(bins.iter().map(at), most))
    };
    let mut out = context.rows_of::<EvalRow>(snapshot, hidden(sparks.is_some()))?;
    for r in rows {
        for (k, &level) in levels.iter().enumerate() {
            out.row(&EvalRow {
                method: r.method.map_or("auto", Method::as_str),
                horizon_s: r.horizon_s,
                horizon: span(r.horizon_s),
                n: r.n,
                error_median: r.error_median,
                vs_last: r.vs_last,
                coverage: r.levels[k].coverage,
                n_radius: r.levels[k].n,
                radius_median: r.levels[k].radius_median,
                level,
                by_horizon: drawn(&r.method),
            })?;
        }
    }
    out.finish()
}

/// Names the horizons at which the choice, made from other entities, did worse than `last`.
fn tell_worse(context: &Context, rows: &[Row]) {
    let worse = |r: &&Row| r.method.is_none() && r.vs_last.is_some_and(|v| v > 1.0);
    let at = |r: &Row| format!("{} ({:.2})", span(r.horizon_s), r.vs_last.unwrap_or(1.0));
    let found: Vec<String> = rows.iter().filter(worse).map(at).collect();
    if !found.is_empty() {
        context
            .note(&format!("auto did worse than repeating the last point at {} (vs_last)", found.join(", ")));
    }
}

/// Which cases are judged, and how.
struct Pick<'a> {
    judge: &'a Judge<'a>,
    methods: &'a [Option<Method>],
    choosable: &'a [Method],
    levels: &'a [f64],
}

/// A case under one method.
struct Told {
    case: usize,
    /// Position in the methods.
    method: usize,
    judged: Judged,
}

/// Writes cases: the prediction beside what happened.
struct Teller<'a> {
    context: &'a Context,
    snapshot: &'a Snapshot,
    settings: Settings<'a>,
    views: &'a [Trajectory<'a>],
}

impl Teller<'_> {
    fn tell(&self, cases: &[Case], kept: &[usize], pick: &Pick<'_>) -> Result<()> {
        let judged = |&case: &usize| {
            let one = move |(method, m): (usize, &Option<Method>)| {
                let judged = pick.judge.case(case, *m, pick.choosable)?;
                Some(Told { case, method, judged })
            };
            pick.methods.iter().enumerate().filter_map(one)
        };
        let told: Vec<Told> = kept.iter().flat_map(judged).collect();
        let largest = told.iter().map(|t| t.judged.distance).fold(0.0, f64::max);
        // The errors from one origin under one method, by horizon.
        let mut from: BTreeMap<(EntityId, i64, usize), Vec<Option<f64>>> = BTreeMap::new();
        for t in &told {
            let c = &cases[t.case];
            from.entry((c.entity, c.t_last, t.method)).or_default().push(Some(t.judged.distance));
        }
        let sparks = self.context.sparks()?;
        let mut out = self.context.rows_of::<CaseRow>(self.snapshot, hidden(sparks.is_some()))?;
        for t in &told {
            signals::check()?;
            let c = &cases[t.case];
            let drawn = &from[&(c.entity, c.t_last, t.method)];
            let drawn = sparks.as_ref().map(|s| s.draw(drawn.iter().copied(), largest));
            for (k, &level) in pick.levels.iter().enumerate() {
                if let Some(row) = self.row(c, &t.judged, (level, t.judged.radii[k]), drawn.clone())? {
                    out.row(&row)?;
                }
            }
        }
        out.finish()
    }

    fn row(
        &self,
        c: &Case,
        judged: &Judged,
        (level, radius): (f64, Option<f64>),
        by_horizon: Option<String>,
    ) -> Result<Option<CaseRow>> {
        let holds = |tr: &&Trajectory<'_>| tr.entity == c.entity && tr.t.binary_search(&c.t).is_ok();
        let Some(tr) = self.views.iter().find(holds) else { return Ok(None) };
        let Ok(at) = tr.t.binary_search(&c.t) else { return Ok(None) };
        let Ok(last) = tr.t.binary_search(&c.t_last) else { return Ok(None) };
        let history = piece(tr, (last + 1).saturating_sub(c.history), last + 1);
        let ahead = forecast(judged.method, &history, &[c.horizon_s], &self.settings);
        let Some(vector) = ahead.at(0) else { return Ok(None) };
        let moved = judged.last.unwrap_or(f64::NAN);
        let predicted = history.row(history.len() - 1).iter().zip(vector);
        let moved_predicted = predicted.map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>().sqrt();
        Ok(Some(CaseRow {
            entity_id: Id(c.entity),
            entity: self.snapshot.entity_name(c.entity)?,
            t_last: Time(c.t_last),
            t: Time(c.t),
            horizon_s: c.horizon_s,
            method: judged.method.as_str(),
            n: c.history,
            moved,
            moved_predicted,
            error: judged.distance,
            vs_last: (moved > 0.0).then(|| judged.distance / moved),
            radius,
            level,
            inside: radius.map(|r| judged.distance <= r),
            by_horizon,
            vector: Some(vector.iter().map(|v| *v as f32).collect()),
            truth: Some(tr.row(at).to_vec()),
        }))
    }
}
