//! What the past says of one horizon: the choice of a method, and radii.
//!
//! Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018) at each horizon by
//! itself. The score of a past forecast is its error over the history's own step, carried to the
//! horizon by the learned `Growth`. The radius of a new forecast is its own step times its own
//! growth times a weighted quantile of the scores, which covers the truth with probability
//! `level` when the new case is exchangeable with the old ones: the same kind of movement, at a
//! time like those before, whichever entity it is.

use super::calibrate::Calibration;
use super::growth::{Growth, Traits};
use super::rolling::{Case, MethodError, median};
use super::window::{Weights, Window, around, quantile, share, weigh};
use super::{Method, rate, steps};
use crate::model::{Trajectory, seconds_between};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// A method that answered less than this share of the cases is not chosen.
const MIN_ANSWERED: f64 = 0.8;
/// Fewer cases leave the choice to `last`: a few cases choose by chance.
const MIN_CASES: usize = 20;
/// Another method than `last` must have at most this share of its median error: over short past
/// histories some other one is often better by chance.
const MARGIN: f64 = 0.98;
/// Where waves are fitted with at most this many times the least error, what averages over parts of
/// a period is not chosen: its errors depend on where the history begins.
const NEARLY: f64 = 1.3;
/// Horizons that differ by less are looked up as one (the difference still counts in the radius).
const PER_LOG: f64 = 128.0;

/// How an entity moves: what scales its radii.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    points: usize,
    step_s: f64,
    /// Root mean square step; 0 for a history that stands still.
    step: f64,
    /// The same of each dimension, when intervals of dimensions are wanted.
    steps: Vec<f64>,
}

impl Scale {
    /// Of a history; `None` with fewer than two points.
    pub fn of(history: &Trajectory, dimensions: bool) -> Option<Scale> {
        let n = history.len();
        let rate = rate(history)?;
        let step_s = seconds_between(history.t[0], history.t[n - 1]) / (n - 1) as f64;
        let steps = if dimensions { steps(history) } else { Vec::new() };
        Some(Scale { points: n, step_s, step: rate * step_s.sqrt(), steps })
    }

    /// Of the history of a case.
    pub fn of_case(c: &Case) -> Scale {
        Scale { points: c.history, step_s: c.step_s, step: c.step, steps: Vec::new() }
    }
}

/// One method at one horizon.
#[derive(Debug, Clone)]
pub struct View {
    /// The method.
    pub method: Method,
    /// Cases that it answered.
    pub cases: usize,
    /// Share of the cases in which the method was asked and gave a forecast.
    pub answered: f64,
    /// Median Euclidean error.
    pub error_median: f64,
    /// Median error over that of `last` in the same cases; `None` when `last` was never off.
    pub vs_last: Option<f64>,
    /// Median error, in steps, over that of `last` in the same cases.
    pub score_vs_last: f64,
    growth: Growth,
    window: usize,
    /// Per level: the log of the score.
    scores: Vec<Option<f64>>,
    /// Per level: the same of single dimensions.
    dim_scores: Vec<Option<f64>>,
}

/// All methods at one horizon.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// The horizon that the cases stand for.
    horizon_s: f64,
    /// False beyond the longest horizon of the past: there is a choice, but no radius.
    reached: bool,
    views: Vec<View>,
    /// Per level: the radius of a history that stands still.
    still: Vec<Option<f64>>,
}

impl Outlook {
    fn new(of: &Outlooks, horizon_s: f64) -> Outlook {
        let c = &of.calibration;
        let still = around(&c.still, horizon_s, c.unit_s).filter(|w| w.reached);
        let still = still.map_or(vec![None; of.levels.len()], |w| still_radii(&w, &of.levels));
        let Some(window) = around(&c.moving, horizon_s, c.unit_s) else {
            return Outlook { horizon_s, reached: false, views: Vec::new(), still };
        };
        let view = |&m: &Method| View::new(m, &window, of);
        let views = Method::ALL.iter().filter_map(view).collect();
        Outlook { horizon_s: window.horizon_s, reached: window.reached, views, still }
    }

    /// What is known of a method; `None` beyond the longest horizon of the past.
    pub fn view(&self, method: Method) -> Option<&View> {
        self.views.iter().find(|v| v.method == method && self.reached)
    }

    /// The method with the least median score against that of `last`, among `allowed` ones that
    /// can work from `points` points and whose median error is clearly below that of `last`. `last`
    /// when there is none, or too few cases. Beyond the longest horizon of the past it goes by that one.
    pub fn choose(&self, points: usize, allowed: &[Method]) -> Method {
        let fit = |v: &&View| {
            v.cases >= MIN_CASES
                && v.answered >= MIN_ANSWERED
                && v.method.min_points() <= points
                && allowed.contains(&v.method)
                && (v.method == Method::Last || v.vs_last.is_some_and(|r| r <= MARGIN))
        };
        let best = |wanted: &dyn Fn(Method) -> bool| {
            let views = self.views.iter().filter(fit).filter(|v| wanted(v.method));
            views.min_by(|a, b| a.score_vs_last.total_cmp(&b.score_vs_last))
        };
        let mut chosen = best(&|_| true);
        let season = best(&|m| m == Method::Season);
        if let (Some(first), Some(season)) = (chosen, season)
            && season.score_vs_last <= NEARLY * first.score_vs_last
        {
            chosen = best(&|m| !matches!(m, Method::Mean | Method::Trend | Method::Holt | Method::Ou));
        }
        chosen.map_or(Method::Last, |v| v.method)
    }

    /// The distance within which the truth lies with the `k`-th level; `None` where the past has
    /// too few independent cases. A horizon below the shortest of the past, or in a gap between
    /// two, counts as the next longer one.
    pub fn radius(&self, method: Method, scale: &Scale, horizon_s: f64, k: usize) -> Option<f64> {
        if scale.step == 0.0 {
            return self.still[k];
        }
        let view = self.view(method)?;
        Some(scale.step * (view.scores[k]? + view.grown(scale, horizon_s, self.horizon_s)).exp())
    }

    /// Half-widths of the intervals that hold each dimension with the `k`-th level, on average
    /// over the dimensions; `None` as for the radius, and without the dimensions' scale.
    pub fn half_widths(&self, method: Method, scale: &Scale, horizon_s: f64, k: usize) -> Option<Vec<f64>> {
        if scale.step == 0.0 {
            return self.still[k].map(|r| vec![r; scale.steps.len()]);
        }
        let view = self.view(method)?;
        let factor = (view.dim_scores[k]? + view.grown(scale, horizon_s, self.horizon_s)).exp();
        (!scale.steps.is_empty()).then(|| scale.steps.iter().map(|s| s * factor).collect())
    }
}

impl View {
    /// `None` when the method answered in no case.
    fn new(method: Method, window: &Window, of: &Outlooks) -> Option<View> {
        let tried = window.cases.iter().filter(|c| c.tried(method)).count();
        let (cases, errors): (Vec<&Case>, Vec<&MethodError>) =
            window.cases.iter().filter_map(|c| Some((*c, c.error(method)?))).unzip();
        let error_median = median(errors.iter().map(|e| e.distance))?;
        let weights = weigh(&cases);
        let y: Vec<f64> = cases.iter().zip(&errors).map(|(c, e)| (e.distance / c.step).ln()).collect();
        let growth = Growth::fit(&cases, &y, &weights, window.horizon_s, method, of.window);
        let mut view = View {
            method,
            cases: cases.len(),
            answered: cases.len() as f64 / tried as f64,
            error_median,
            vs_last: against_last(method, &window.cases, |_, distance| distance),
            score_vs_last: against_last(method, &window.cases, |c, distance| distance / c.step)
                .unwrap_or(if method == Method::Last { 0.0 } else { f64::INFINITY }),
            growth,
            window: of.window,
            scores: Vec::new(),
            dim_scores: Vec::new(),
        };
        view.set_scores(&cases, &errors, (&y, &weights), window.horizon_s, &of.levels);
        Some(view)
    }

    fn set_scores(
        &mut self,
        cases: &[&Case],
        errors: &[&MethodError],
        (y, weights): (&[f64], &Weights),
        horizon_s: f64,
        levels: &[f64],
    ) {
        let grown: Vec<f64> =
            cases.iter().map(|c| self.grown(&Scale::of_case(c), c.horizon_s, horizon_s)).collect();
        let w = &weights.each;
        let mut scores: Vec<(f64, f64)> = (0..y.len()).map(|i| (y[i] - grown[i], w[i])).collect();
        let of_dimensions = |i: usize| {
            let (grown, w) = (grown[i], w[i]);
            let known = errors[i].dim_scores.iter().filter(|s| !s.is_nan());
            known.map(move |&s| (f64::from(s).ln() - grown, w))
        };
        let mut dim_scores: Vec<(f64, f64)> = (0..y.len()).flat_map(of_dimensions).collect();
        for &level in levels {
            let share = share(level, weights.effective);
            self.scores.push(share.and_then(|s| quantile(&mut scores, s)));
            self.dim_scores.push(share.and_then(|s| quantile(&mut dim_scores, s)));
        }
    }

    /// By how much the log of a score grows from the window's horizon to a history and a horizon.
    fn grown(&self, scale: &Scale, horizon_s: f64, window_s: f64) -> f64 {
        let t = Traits { points: scale.points, step_s: scale.step_s, horizon_s };
        self.growth.at(&t, window_s, self.method, self.window)
    }
}

/// Per level: the distance that histories which stood still did not leave.
fn still_radii(window: &Window, levels: &[f64]) -> Vec<Option<f64>> {
    let (cases, errors): (Vec<&Case>, Vec<&MethodError>) =
        window.cases.iter().filter_map(|c| Some((*c, c.error(Method::Last)?))).unzip();
    let weights = weigh(&cases);
    let mut values: Vec<(f64, f64)> =
        errors.iter().map(|e| e.distance).zip(weights.each.iter().copied()).collect();
    let radius = |&level: &f64| quantile(&mut values, share(level, weights.effective)?);
    levels.iter().map(radius).collect()
}

/// Median of a measure of the error over that of `last`, in the cases that both answered; `None`
/// when there are none, or `last` was exact.
fn against_last(method: Method, cases: &[&Case], measure: fn(&Case, f64) -> f64) -> Option<f64> {
    let pair = |c: &&Case| {
        let of = |m: Method| c.error(m).map(|e| measure(c, e.distance));
        Some((of(method)?, of(Method::Last)?))
    };
    let (own, last): (Vec<f64>, Vec<f64>) = cases.iter().filter_map(pair).unzip();
    let last = median(last.into_iter()).filter(|&v| v > 0.0)?;
    Some(median(own.into_iter())? / last)
}

/// The outlooks of a calibration, each made when its horizon is first met.
#[derive(Debug)]
pub struct Outlooks {
    calibration: Calibration,
    levels: Vec<f64>,
    /// Number of last points that `trend` looks at.
    window: usize,
    made: RwLock<HashMap<u64, Arc<Outlook>>>,
}

impl Outlooks {
    /// For radii of some levels; `window` is that of [`super::Settings`].
    pub fn new(calibration: Calibration, levels: &[f64], window: usize) -> Outlooks {
        Outlooks { calibration, levels: levels.to_vec(), window, made: RwLock::default() }
    }

    /// Entities whose past is known.
    pub fn entities(&self) -> u32 {
        self.calibration.entities
    }

    /// The period with which the sample repeats itself, for [`super::Settings`].
    pub fn period_s(&self) -> Option<f64> {
        self.calibration.period_s
    }

    /// The sample's median step, in seconds.
    pub fn unit_s(&self) -> f64 {
        self.calibration.unit_s
    }

    /// The outlook at a horizon. Reasonably many horizons are kept: they are rounded to a
    /// hundred an octave, but to one that many cases share exactly.
    pub fn at(&self, horizon_s: f64) -> Arc<Outlook> {
        let horizon_s = self.rounded(horizon_s);
        let key = horizon_s.to_bits();
        // A panic elsewhere leaves the map whole.
        if let Some(found) = self.made.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(found);
        }
        let new = Arc::new(Outlook::new(self, horizon_s));
        self.made.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&new));
        new
    }

    fn rounded(&self, horizon_s: f64) -> f64 {
        const SHARED: usize = 5;
        let cases = &self.calibration.moving;
        let i = cases.partition_point(|c| c.horizon_s < horizon_s * (1.0 - 1e-6));
        let shared = |i: usize| {
            let h = cases.get(i)?.horizon_s;
            let near = (h / horizon_s - 1.0).abs() < 0.5 / PER_LOG;
            let last = cases.get(i + SHARED - 1).is_some_and(|c| c.horizon_s <= h * (1.0 + 1e-6));
            (near && last).then_some(h)
        };
        let before = i
            .checked_sub(1)
            .map(|j| cases.partition_point(|c| c.horizon_s < cases[j].horizon_s * (1.0 - 1e-6)));
        shared(i)
            .or_else(|| shared(before?))
            .unwrap_or_else(|| ((horizon_s.ln() * PER_LOG).round() / PER_LOG).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::synthetic::{self, Kind};
    use crate::analytics::predict::{Settings, prefix, rolling, season};

    const HOUR: f64 = 3600.0;

    fn calibrated(set: &[synthetic::Owned], per_horizon: usize) -> Calibration {
        let sample = synthetic::views(set);
        let cases = rolling::evaluate(&sample, &Method::ALL, per_horizon, 5, &Settings::default());
        Calibration::new(cases, rolling::median_step_s(&sample).unwrap())
    }

    fn scale(step: f64) -> Scale {
        Scale { points: 20, step_s: HOUR, step, steps: Vec::new() }
    }

    /// Share of truths within the radius, and of values within the dimensions' intervals, at each
    /// of 1 to 16 hours after histories of `n` points.
    fn coverage(
        kind: Kind,
        irregular: bool,
        (entities, n, dim): (u64, usize, usize),
        seed: u64,
    ) -> Vec<[f64; 2]> {
        let ahead: Vec<i64> = (1..=16).collect();
        let set = synthetic::with_future(kind, irregular, entities, n, &ahead, dim, seed);
        let views = synthetic::views(&set);
        let sample: Vec<Trajectory> = views.iter().map(|tr| prefix(tr, n)).collect();
        let methods: Vec<Method> =
            Method::ALL.into_iter().filter(|m| !matches!(m, Method::Holt | Method::Node)).collect();
        let unit_s = rolling::median_step_s(&sample).unwrap();
        let settings = Settings { period_s: season::period(&sample, unit_s, seed), ..Settings::default() };
        let cases = rolling::evaluate(&sample, &methods, 500, seed, &settings);
        let c = Calibration::new(cases, unit_s);
        let outlooks = Outlooks::new(c, &[0.9], 20);
        let at = |k: usize| {
            let (mut inside, mut values) = (0, 0);
            for (tr, history) in views.iter().zip(&sample) {
                let h = seconds_between(history.t[n - 1], tr.t[n + k]);
                let o = outlooks.at(h);
                let method = o.choose(n, &methods);
                let ahead = crate::analytics::predict::forecast(method, history, &[h], &settings);
                let scale = Scale::of(history, true).unwrap();
                let off =
                    crate::analytics::geometry::squared_distance(ahead.at(0).unwrap(), tr.row(n + k)).sqrt();
                inside += u32::from(off <= o.radius(method, &scale, h, 0).unwrap());
                let widths = o.half_widths(method, &scale, h, 0).unwrap();
                let errors =
                    ahead.at(0).unwrap().iter().zip(tr.row(n + k)).map(|(a, b)| (a - f64::from(*b)).abs());
                values += errors.zip(&widths).filter(|(e, w)| e <= w).count();
            }
            let all = entities as f64;
            [f64::from(inside) / all, values as f64 / (all * dim as f64)]
        };
        (0..16).map(at).collect()
    }

    #[test]
    fn radii_hold_at_every_horizon_on_many_kinds_of_movement() {
        for kind in [Kind::Walk, Kind::Reverting, Kind::Noise, Kind::Trend, Kind::Season] {
            for (irregular, dim) in [(false, 1), (true, 2), (false, 24), (true, 16)] {
                let found = coverage(kind, irregular, (250, 40, dim), 11);
                // From waves of 12 hours, 13 hours ahead are tried with histories of 16 points only,
                // too few for 40 where many dimensions make the errors nearly equal.
                let (low, seen) = if kind == Kind::Season { (0.74, 12) } else { (0.80, 16) };
                for (k, [radius, dims]) in found.iter().take(seen).enumerate() {
                    let what = format!("{kind:?} irregular {irregular} D {dim} h {}: {found:.2?}", k + 1);
                    // 250 truths of .9 scatter by .019, and the quantile of 100 cases by .03.
                    assert!((low..=0.996).contains(radius), "radius {what}");
                    assert!((0.82..=0.98).contains(dims), "dimensions {what}");
                }
            }
        }
    }

    #[test]
    fn last_is_chosen_on_walks_and_a_line_on_trends() {
        let walks = calibrated(&synthetic::walks(60, 30, 16, 1), 120);
        let o = Outlooks::new(walks, &[0.9], 20).at(HOUR);
        assert!(matches!(o.choose(30, &Method::ALL), Method::Last | Method::Ou | Method::Holt));
        let trends = calibrated(&synthetic::trends(60, 30, 16, 1), 120);
        let o = Outlooks::new(trends, &[0.9], 20).at(4.0 * HOUR);
        assert_eq!(o.choose(30, &Method::ALL), Method::Trend);
        assert_eq!((o.choose(30, &[Method::Last]), o.choose(1, &Method::ALL)), (Method::Last, Method::Last));
        assert!(o.view(Method::Trend).unwrap().vs_last.unwrap() < 0.9);
        assert_eq!(o.view(Method::Last).unwrap().vs_last, Some(1.0));
    }

    #[test]
    fn radii_grow_with_level_and_step_and_end_with_the_data() {
        let c = calibrated(&synthetic::walks(200, 20, 4, 1), 100);
        let outlooks = Outlooks::new(c, &[0.5, 0.9, 0.95, 0.9999], 20);
        let r = |h, k, step| outlooks.at(h).radius(Method::Last, &scale(step), h, k);
        assert!(r(HOUR, 0, 2.0) < r(HOUR, 1, 2.0) && r(HOUR, 1, 2.0) < r(HOUR, 2, 2.0));
        assert!((r(HOUR, 1, 4.0).unwrap() / r(HOUR, 1, 2.0).unwrap() - 2.0).abs() < 1e-12);
        // No entity stood still, and nobody knows ten thousand cases or a horizon of years.
        assert_eq!((r(HOUR, 1, 0.0), r(HOUR, 3, 2.0), r(1e9, 1, 2.0)), (None, None, None));
        assert_eq!(outlooks.at(1e9).view(Method::Last).map(|v| v.cases), None);
        assert!(r(1e-9, 1, 2.0) > Some(0.0));
        let widths = |steps: Vec<f64>| {
            outlooks.at(HOUR).half_widths(Method::Last, &Scale { steps, ..scale(1.0) }, HOUR, 1)
        };
        assert!(widths(vec![0.01, 0.0]).is_some_and(|w| w[0] > 0.0 && w[1] == 0.0));
        assert_eq!(widths(Vec::new()), None);
    }

    #[test]
    fn histories_that_stand_still_have_the_radius_of_their_like() {
        let mut set = synthetic::regular(60, 12, |_, _| 0.0, 1);
        set.iter_mut().for_each(|o| o.x.fill(1.0));
        let radius = |set: &[synthetic::Owned]| {
            let c = calibrated(set, 100);
            let outlooks = Outlooks::new(c, &[0.9], 20);
            outlooks.at(6.0 * HOUR).radius(Method::Last, &scale(0.0), 6.0 * HOUR, 0)
        };
        assert_eq!(radius(&set), Some(0.0));
        // Where a third of them wake up, no move is not a radius of 0.9.
        set.iter_mut().step_by(3).for_each(|o| o.x[5..].fill(4.0));
        assert_eq!(radius(&set), Some(3.0));
        assert_eq!(radius(&set[..3]), None);
    }

    #[test]
    fn a_few_cases_choose_nothing() {
        let c = calibrated(&synthetic::trends(1, 8, 4, 1), 1);
        let o = Outlooks::new(c, &[0.9], 20).at(4.0 * HOUR);
        assert_eq!(o.choose(8, &Method::ALL), Method::Last);
        let none = Calibration::new(Vec::new(), 1.0);
        let o = Outlooks::new(none, &[0.5], 20).at(1.0);
        assert_eq!(
            (o.choose(30, &Method::ALL), o.radius(Method::Last, &scale(1.0), 1.0, 0)),
            (Method::Last, None)
        );
    }

    #[test]
    fn no_method_worse_than_last_is_chosen() {
        for seed in 1..6 {
            let c = calibrated(&synthetic::walks(12, 14, 2, seed), 30);
            let outlooks = Outlooks::new(c, &[0.9], 20);
            for h in 1..12 {
                let o = outlooks.at(f64::from(h) * HOUR);
                let chosen = o.choose(14, &Method::ALL);
                let ratio = o.views.iter().find(|v| v.method == chosen).and_then(|v| v.vs_last);
                assert!(ratio.is_none_or(|r| r <= 1.0), "{chosen:?} {ratio:?}");
            }
        }
    }
}
