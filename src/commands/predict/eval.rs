//! How well each method would have done in the past of a dataset.

use super::basis::{Basis, Node, check_calibrate};
use super::kept::{self, Sample};
use super::{Forecaster, TRYING};
use crate::analytics::Cuts;
use crate::analytics::predict::rolling::{self, Case};
use crate::analytics::predict::table::{Judge, Judged, Row};
use crate::analytics::predict::{Method, Settings, forecast, piece, season};
use crate::commands::{Level, Outcome, Rows, Selection, Session, Watch};
use crate::dataset::{self, Select, Snapshot};
use crate::error::Result;
use crate::model::{EntityId, Trajectory};
use crate::output::{Id, Time};
use crate::rows::{CaseRow, EvalRow, Sparks};
use crate::time::span_text;
use std::collections::{BTreeMap, BTreeSet};

/// Vector values of a sample that are read into memory: 256 MiB.
const MAX_VALUES: usize = 64 << 20;

/// How well each method would have done.
#[derive(Debug, Clone)]
pub struct Request {
    /// On which points.
    pub selection: Selection,
    /// Methods to compare; none for all.
    pub methods: Vec<Forecaster>,
    /// What the methods are told.
    pub basis: Basis,
    /// Probabilities of radii.
    pub levels: Vec<f64>,
    /// Entities to draw, and cases of each horizon at least, where the data has them.
    pub calibrate: u64,
    /// Each case, in place of the table by horizon.
    pub cases: bool,
    /// Draw errors by horizon.
    pub sparks: Option<Sparks>,
    /// Where trajectories are cut.
    pub cuts: Cuts,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            selection: Selection::default(),
            methods: Vec::new(),
            basis: Basis::default(),
            levels: vec![0.9],
            calibrate: 500,
            cases: false,
            sparks: None,
            cuts: Cuts::default(),
        }
    }
}

/// A row of an evaluation.
#[derive(Debug, Clone)]
pub enum Eval {
    /// One method at one horizon.
    Horizon(EvalRow),
    /// One prediction beside what happened.
    Case(Box<CaseRow>),
}

/// Runs the command.
///
/// # Errors
/// Fails when the dataset or the selection cannot be read, when the watch stops the run, and when `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<Eval>,
) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve(session, watch)?;
    check_calibrate(request.calibrate)?;
    let node = request.node(snapshot, watch)?;
    let settings = node.settings(&request.basis);
    watch.progress(&TRYING);
    let (sample, chosen) = request.sample(snapshot, &selected.select, session.seed())?;
    let views = sample.views(&request.cuts);
    let unit_s = rolling::median_step_s(&views).unwrap_or(1.0);
    let settings = Settings { period_s: season::period(&views, unit_s, session.seed()), ..settings };
    let works = |m: &Method| match m {
        Method::Node => settings.model.is_some(),
        Method::Season => settings.period_s.is_some(),
        _ => true,
    };
    let tried: Vec<Method> = Method::ALL.into_iter().filter(works).collect();
    let per_horizon = usize::try_from(request.calibrate).unwrap_or(usize::MAX);
    let cases = rolling::evaluate_watched(&views, &tried, per_horizon, session.seed(), &settings, watch)?;
    let counted = |c: &Case| !c.still() && chosen.as_ref().is_none_or(|s| s.contains(&c.entity));
    let choosable = node.choosable();
    let judge = Judge::new(&cases, unit_s, &request.levels, &settings, session.seed());
    let methods = request.shown(&tried);
    if request.cases {
        let pick = Pick { judge: &judge, methods: &methods, choosable: &choosable, levels: &request.levels };
        let kept: Vec<usize> = (0..cases.len()).filter(|&i| counted(&cases[i])).collect();
        let writer = Writer { request, watch, snapshot, settings, views: &views };
        writer.write(&cases, &kept, &pick, out)?;
        out.end()?;
    } else {
        let rows = judge.table(&methods, &choosable, counted);
        table(request, &rows, out)?;
        out.end()?;
        note_worse(watch, &rows);
    }
    if cases.iter().filter(|c| counted(c)).count() == 0 {
        watch.note(
            Level::Note,
            "no entity has a past to try the methods on: three points that differ are needed",
        );
    }
    Ok(selected.outcome())
}

impl Request {
    /// The model to evaluate: the named one, or the newest if there is any.
    fn node(&self, snapshot: &Snapshot, watch: &dyn Watch) -> Result<Node> {
        let wanted = self.basis.model.is_some() || self.methods.contains(&Forecaster::Fixed(Method::Node));
        let there = || Ok(!kept::models::list(snapshot)?.is_empty());
        if wanted || (self.methods.is_empty() && there()?) {
            Node::find(snapshot, &self.basis, true, watch)
        } else {
            Ok(Node::default())
        }
    }

    fn shown(&self, tried: &[Method]) -> Vec<Option<Method>> {
        if self.methods.is_empty() {
            return tried.iter().copied().map(Some).chain([None]).collect();
        }
        let mut asked: Vec<_> = self.methods.clone();
        asked.sort();
        asked.dedup();
        // The choice stands last, as in the whole table.
        let (choice, fixed): (Vec<_>, Vec<_>) = asked.into_iter().partition(|m| *m == Forecaster::Auto);
        fixed.into_iter().chain(choice).map(Forecaster::fixed).collect()
    }

    /// The selected entities, at most `calibrate` of them; and where only some are selected,
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

fn table(request: &Request, rows: &[Row], out: &mut dyn Rows<Eval>) -> Result<()> {
    // A line through two points can be off by so much that nothing else would be seen beside it.
    let of_last = rows.iter().filter_map(|r| Some(r.error_median / r.vs_last?));
    let most = 1.5 * of_last.fold(0.0, f64::max);
    let bins: BTreeSet<i32> = rows.iter().map(|r| r.bin).collect();
    let mut errors: BTreeMap<Option<Method>, BTreeMap<i32, f64>> = BTreeMap::new();
    for r in rows {
        errors.entry(r.method).or_default().insert(r.bin, r.error_median);
    }
    let sparks = request.sparks;
    let drawn = |method: &Option<Method>| {
        let by_bin = errors.get(method);
        let at = |bin| by_bin.and_then(|e| e.get(bin)).copied();
        sparks.map(|s| s.draw(bins.iter().map(at), most))
    };
    for r in rows {
        for (k, &level) in request.levels.iter().enumerate() {
            out.row(Eval::Horizon(EvalRow {
                method: r.method.map_or("auto", Method::as_str),
                horizon_s: r.horizon_s,
                horizon: span_text(r.horizon_s),
                n: r.n,
                error_median: r.error_median,
                vs_last: r.vs_last,
                coverage: r.levels[k].coverage,
                n_radius: r.levels[k].n,
                radius_median: r.levels[k].radius_median,
                level,
                by_horizon: drawn(&r.method),
            }))?;
        }
    }
    Ok(())
}

/// Names the horizons at which the choice, made from other entities, did worse than `last`.
fn note_worse(watch: &dyn Watch, rows: &[Row]) {
    let worse = |r: &&Row| r.method.is_none() && r.vs_last.is_some_and(|v| v > 1.0);
    let at = |r: &Row| format!("{} ({:.2})", span_text(r.horizon_s), r.vs_last.unwrap_or(1.0));
    let found: Vec<String> = rows.iter().filter(worse).map(at).collect();
    if !found.is_empty() {
        watch.note(
            Level::Note,
            &format!("auto did worse than repeating the last point at {} (vs_last)", found.join(", ")),
        );
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
struct Judgement {
    case: usize,
    /// Position in the methods.
    method: usize,
    judged: Judged,
}

/// Writes cases: the prediction beside what happened.
struct Writer<'a> {
    request: &'a Request,
    watch: &'a dyn Watch,
    snapshot: &'a Snapshot,
    settings: Settings<'a>,
    views: &'a [Trajectory<'a>],
}

impl Writer<'_> {
    fn write(&self, cases: &[Case], kept: &[usize], pick: &Pick<'_>, out: &mut dyn Rows<Eval>) -> Result<()> {
        let judge = |&case: &usize| {
            let one = move |(method, m): (usize, &Option<Method>)| {
                let judged = pick.judge.case(case, *m, pick.choosable)?;
                Some(Judgement { case, method, judged })
            };
            pick.methods.iter().enumerate().filter_map(one)
        };
        let judged: Vec<Judgement> = kept.iter().flat_map(judge).collect();
        let largest = judged.iter().map(|t| t.judged.distance).fold(0.0, f64::max);
        // The errors from one origin under one method, by horizon.
        let mut from: BTreeMap<(EntityId, i64, usize), Vec<Option<f64>>> = BTreeMap::new();
        for t in &judged {
            let c = &cases[t.case];
            from.entry((c.entity, c.t_last, t.method)).or_default().push(Some(t.judged.distance));
        }
        let sparks = self.request.sparks;
        for t in &judged {
            self.watch.stop()?;
            let c = &cases[t.case];
            let drawn = &from[&(c.entity, c.t_last, t.method)];
            let drawn = sparks.map(|s| s.draw(drawn.iter().copied(), largest));
            for (k, &level) in pick.levels.iter().enumerate() {
                if let Some(row) = self.row(c, &t.judged, (level, t.judged.radii[k]), drawn.clone())? {
                    out.row(Eval::Case(Box::new(row)))?;
                }
            }
        }
        Ok(())
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
