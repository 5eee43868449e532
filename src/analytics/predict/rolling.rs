//! Rolling origin: forecasts made from the past of stored points, against what came next.
//!
//! From each sampled trajectory some origins are drawn; the history up to an origin is carried
//! to later points of the same trajectory, at most one in each horizon class. A class `c` holds
//! the horizons within half an octave of `2^c` median steps. All methods face the same cases.

use super::{Method, Settings, forecast, prefix, rate, rates};
use crate::analytics::geometry::squared_distance;
use crate::analytics::rng::Random;
use crate::model::{EntityId, TimestampUs, Trajectory, seconds_between};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Dimensions per case whose own errors are kept.
const DIMS_KEPT: usize = 32;

/// Errors of all methods on one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The entity.
    pub entity: EntityId,
    /// Points of history.
    pub history: usize,
    /// The last of their times.
    pub t_last: TimestampUs,
    /// Time of the target.
    pub t: TimestampUs,
    /// Horizon class, see [`class_of`].
    pub class: i32,
    /// Seconds from the last point of history to the target.
    pub horizon_s: f64,
    /// `s sqrt(h)`: how far the history's own rate of diffusion carries it over the horizon.
    pub reach: f64,
    /// By [`Method::ordinal`].
    outcomes: [Outcome; Method::ALL.len()],
}

impl Case {
    /// How far a method was off; `None` without a forecast.
    pub fn error(&self, method: Method) -> Option<&MethodError> {
        match &self.outcomes[method.ordinal()] {
            Outcome::Answer(e) => Some(e),
            Outcome::NotTried | Outcome::NoAnswer => None,
        }
    }

    /// True when the method was asked for a forecast. A model is not asked where it was trained.
    pub fn tried(&self, method: Method) -> bool {
        self.outcomes[method.ordinal()] != Outcome::NotTried
    }
}

/// What came of a method in a case.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    NotTried,
    NoAnswer,
    Answer(MethodError),
}

/// How far one forecast was off.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodError {
    /// Euclidean distance between forecast and truth.
    pub distance: f64,
    /// Absolute errors of some dimensions over those dimensions' own reach.
    pub dim_scores: Vec<f32>,
}

/// The class of a horizon: the rounded binary logarithm of `horizon_s / unit_s`.
pub fn class_of(horizon_s: f64, unit_s: f64) -> i32 {
    (horizon_s / unit_s).log2().round() as i32
}

/// The median over trajectories of their median step, in seconds; `None` when none has two points.
pub fn median_step_s(sample: &[Trajectory]) -> Option<f64> {
    let steps = |tr: &Trajectory| median(tr.t.windows(2).map(|w| seconds_between(w[0], w[1])));
    median(sample.iter().filter_map(steps))
}

/// The middle value (the lower of two); `None` of nothing.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// One history and the points it is to be carried to.
struct Origin {
    series: usize,
    history: usize,
    targets: BTreeMap<i32, usize>,
}

/// Runs `methods` on about `per_class` cases in each horizon class (fewer where the sample holds
/// fewer), spread evenly over the entities. Trajectories of fewer than three points, of several
/// embedding models, or that stand still up to the origin give none.
pub fn evaluate(
    sample: &[Trajectory],
    methods: &[Method],
    per_class: usize,
    seed: u64,
    settings: &Settings,
) -> Vec<Case> {
    let Some(unit_s) = median_step_s(sample) else { return Vec::new() };
    let usable = |i: &usize| sample[*i].len() > 2 && !sample[*i].mixes_models();
    let series: Vec<usize> = (0..sample.len()).filter(usable).collect();
    let rounds = per_class.div_ceil(series.len().max(1));
    let draw = |&i: &usize| origins(sample, i, rounds, unit_s, seed);
    let origins: Vec<Origin> = series.iter().flat_map(draw).collect();
    let run = |o: &Origin| cases_of(&sample[o.series], o, unit_s, methods, seed, settings);
    origins.par_iter().map(run).collect::<Vec<_>>().into_iter().flatten().collect()
}

/// Up to `rounds` origins of one trajectory, in its last two thirds: histories about as long as
/// those that will be forecast from.
fn origins(sample: &[Trajectory], series: usize, rounds: usize, unit_s: f64, seed: u64) -> Vec<Origin> {
    let tr = &sample[series];
    let mut random = Random::new(seed, "predict origins", tr.entity);
    let mut lengths: Vec<usize> = ((tr.len() / 3).max(2)..tr.len()).collect();
    random.shuffle(&mut lengths);
    lengths.truncate(rounds);
    lengths
        .into_iter()
        .map(|history| Origin { series, history, targets: targets(tr, history, unit_s) })
        .collect()
}

/// In each class the point nearest to its centre.
fn targets(tr: &Trajectory, history: usize, unit_s: f64) -> BTreeMap<i32, usize> {
    let octaves = |j: usize| (seconds_between(tr.t[history - 1], tr.t[j]) / unit_s).log2();
    let mut best: BTreeMap<i32, (f64, usize)> = BTreeMap::new();
    for j in history..tr.len() {
        let off = (octaves(j) - octaves(j).round()).abs();
        let entry = best.entry(octaves(j).round() as i32).or_insert((off, j));
        if off < entry.0 {
            *entry = (off, j);
        }
    }
    best.into_iter().map(|(class, (_, j))| (class, j)).collect()
}

fn cases_of(
    tr: &Trajectory,
    origin: &Origin,
    unit_s: f64,
    methods: &[Method],
    seed: u64,
    settings: &Settings,
) -> Vec<Case> {
    let history = prefix(tr, origin.history);
    let Some(rate) = rate(&history).filter(|&s| s > 0.0) else { return Vec::new() };
    let points: Vec<usize> = origin.targets.values().copied().collect();
    let from = tr.t[origin.history - 1];
    let horizons: Vec<f64> = points.iter().map(|&j| seconds_between(from, tr.t[j])).collect();
    let new_case = |(&j, &horizon_s): (&usize, &f64)| Case {
        entity: tr.entity,
        history: origin.history,
        t_last: from,
        t: tr.t[j],
        class: class_of(horizon_s, unit_s),
        horizon_s,
        reach: rate * horizon_s.sqrt(),
        outcomes: [const { Outcome::NotTried }; Method::ALL.len()],
    };
    let mut cases: Vec<Case> = points.iter().zip(&horizons).map(new_case).collect();
    let mut random = Random::new(seed, "predict dimensions", tr.entity);
    let mut dims: Vec<usize> = (0..tr.dim).collect();
    random.shuffle(&mut dims);
    dims.truncate(DIMS_KEPT);
    let rates = rates(&history);
    let knows = |m: &Method| *m == Method::Node && settings.model.is_none_or(|m| m.knows(tr.entity, from));
    for &method in methods.iter().filter(|m| !knows(m)) {
        let forecast = forecast(method, &history, &horizons, settings);
        for (k, case) in cases.iter_mut().enumerate() {
            let answer =
                |ahead| Outcome::Answer(error_of(ahead, tr.row(points[k]), case.horizon_s, &dims, &rates));
            case.outcomes[method.ordinal()] = forecast.at(k).map_or(Outcome::NoAnswer, answer);
        }
    }
    cases
}

fn error_of(ahead: &[f64], truth: &[f32], horizon_s: f64, dims: &[usize], rates: &[f64]) -> MethodError {
    let score = |&d: &usize| ((ahead[d] - f64::from(truth[d])).abs() / (rates[d] * horizon_s.sqrt())) as f32;
    MethodError {
        distance: squared_distance(ahead, truth).sqrt(),
        dim_scores: dims.iter().map(score).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::synthetic;

    #[test]
    fn errors_of_last_are_the_steps_of_the_trajectory() {
        let set = synthetic::walks(20, 12, 4, 1);
        let sample = synthetic::views(&set);
        let cases = evaluate(&sample, &[Method::Last], 40, 7, &Settings::default());
        assert!(cases.len() > 40);
        for case in &cases {
            let tr = sample.iter().find(|tr| tr.entity == case.entity).unwrap();
            let from = tr.t[case.history - 1];
            let j =
                (case.history..tr.len()).find(|&j| seconds_between(from, tr.t[j]) == case.horizon_s).unwrap();
            let error = case.error(Method::Last).unwrap();
            assert_eq!(error.distance, squared_distance(tr.row(case.history - 1), tr.row(j)).sqrt());
            assert_eq!(error.dim_scores.len(), 4);
            assert_eq!(case.class, class_of(case.horizon_s, median_step_s(&sample).unwrap()));
            assert!(case.error(Method::Ou).is_none());
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let set = synthetic::walks(10, 20, 3, 2);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| evaluate(&synthetic::views(&set), &Method::ALL, 30, 7, &Settings::default()))
        };
        assert_eq!(run(1), run(4));
    }

    #[test]
    fn short_constant_and_mixed_trajectories_give_no_case() {
        let set = synthetic::walks(2, 2, 3, 1);
        assert!(evaluate(&synthetic::views(&set), &Method::ALL, 10, 1, &Settings::default()).is_empty());
        assert!(evaluate(&[], &Method::ALL, 10, 1, &Settings::default()).is_empty());
        let t: Vec<i64> = (0..9).collect();
        let still = Trajectory { entity: 1, t: &t, x: &[0.5; 9], dim: 1, model: &[] };
        assert!(evaluate(&[still], &Method::ALL, 10, 1, &Settings::default()).is_empty());
        let mixed = Trajectory {
            model: &[0, 0, 0, 0, 0, 0, 0, 0, 1],
            x: &[0., 1., 2., 3., 4., 5., 6., 7., 8.],
            ..still
        };
        assert!(evaluate(&[mixed], &Method::ALL, 10, 1, &Settings::default()).is_empty());
    }

    #[test]
    fn three_points_make_one_case() {
        let set = synthetic::walks(1, 3, 3, 1);
        let cases = evaluate(&synthetic::views(&set), &Method::ALL, 10, 1, &Settings::default());
        assert_eq!((cases.len(), cases[0].history), (1, 2));
        assert!(cases[0].error(Method::Linear).is_some());
        assert!(cases[0].error(Method::Holt).is_none());
    }

    #[test]
    fn classes_are_octaves_of_the_median_step() {
        assert_eq!([0.3, 0.75, 1.0, 1.4, 1.5, 8.0].map(|h| class_of(h, 1.0)), [-2, 0, 0, 0, 1, 3]);
        assert_eq!(median([3.0, 1.0, 2.0, 9.0].into_iter()), Some(2.0));
        assert_eq!(median(std::iter::empty()), None);
    }
}
