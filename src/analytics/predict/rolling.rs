//! Rolling origin: forecasts made from the past of stored points, against what came next.
//!
//! From each sampled trajectory some origins are drawn. The history up to an origin is carried to
//! later points of the same trajectory: to each point within `DENSE_STEPS` median steps, and to
//! a few points of each octave beyond. All methods face the same cases.
//!
//! Two choices make the cases resemble the forecasts that they stand for. Origins lie near the
//! end of the trajectory, so that histories are nearly as long as those that will be forecast
//! from; and where the trajectories repeat themselves, origins lie a whole
//! number of periods ([`Settings::period_s`]) before the end, at the phase from which the next forecast will start.

use super::{Method, Settings, forecast, piece, rate, steps};
use crate::analytics::geometry::squared_distance;
use crate::analytics::rng::Random;
use crate::error::Result;
use crate::model::{EntityId, TimestampUs, Trajectory, seconds_between};
use crate::watch::{Unwatched, Watch};
use rayon::prelude::*;

/// Dimensions per case whose own errors are kept.
pub const DIMS_KEPT: usize = 2;
/// Up to this many median steps ahead every point is a target: sixteen mean steps, where gaps are
/// exponential.
const DENSE_STEPS: f64 = 24.5;
/// Most targets of one origin in the dense part; bursts of points have more.
const DENSE_TARGETS: usize = 32;
/// Targets of one origin in each octave beyond.
const OCTAVE_TARGETS: usize = 6;
/// Origins drawn from each trajectory, at least: one is often too near the end for long horizons.
const MIN_ROUNDS: usize = 3;

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
    /// Seconds from the last point of history to the target.
    pub horizon_s: f64,
    /// Root mean square length of the history's steps; 0 for a history that stands still.
    pub step: f64,
    /// Mean time between the points of history, in seconds.
    pub step_s: f64,
    /// By [`Method::ordinal`].
    pub(super) outcomes: [Outcome; Method::ALL.len()],
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

    /// True when all points of the history are equal. Such a case has errors, but no scale.
    pub fn still(&self) -> bool {
        self.step == 0.0
    }

    /// Makes a method as far off as `last`, times a factor.
    #[cfg(test)]
    pub(super) fn pretend(&mut self, method: Method, factor: f64) {
        if let Some(e) = self.error(Method::Last).copied() {
            let distance = factor * e.distance;
            self.outcomes[method.ordinal()] = Outcome::Answer(MethodError { distance, ..e });
        }
    }

    /// How far the history's own rate of diffusion carries it over the horizon.
    pub fn reach(&self) -> f64 {
        self.step * (self.horizon_s / self.step_s).sqrt()
    }
}

/// What came of a method in a case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    NotTried,
    NoAnswer,
    Answer(MethodError),
}

/// How far one forecast was off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MethodError {
    /// Euclidean distance between forecast and truth.
    pub distance: f64,
    /// Absolute errors of some dimensions over those dimensions' own steps, see [`super::steps`];
    /// NaN where there are fewer dimensions, or nothing moved.
    pub dim_scores: [f32; DIMS_KEPT],
}

/// The octave of a horizon: the rounded binary logarithm of `horizon_s / unit_s`.
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
    let middle = values.len().saturating_sub(1) / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// One history and the points it is to be carried to.
struct Origin {
    series: usize,
    /// First point of the history.
    from: usize,
    /// One past its last point.
    to: usize,
    targets: Vec<usize>,
}

/// What decides the origins, beside the trajectory.
struct Plan {
    rounds: usize,
    unit_s: f64,
    period_s: Option<f64>,
    /// Lengths of the sample's trajectories, ascending.
    lengths: Vec<usize>,
    seed: u64,
}

/// Runs `methods` on about `per_horizon` cases of each horizon or more (fewer where the sample
/// holds fewer), spread evenly over the entities. Trajectories of fewer than three points or of
/// several embedding models give none.
pub fn evaluate(
    sample: &[Trajectory],
    methods: &[Method],
    per_horizon: usize,
    seed: u64,
    settings: &Settings,
) -> Vec<Case> {
    // Nobody stops it, and it has no errors of its own.
    evaluate_watched(sample, methods, per_horizon, seed, settings, &Unwatched).unwrap_or_default()
}

/// As [`evaluate`], for as long as the watch does not stop it.
///
/// # Errors
/// Only those of the watch.
pub fn evaluate_watched(
    sample: &[Trajectory],
    methods: &[Method],
    per_horizon: usize,
    seed: u64,
    settings: &Settings,
    watch: &dyn Watch,
) -> Result<Vec<Case>> {
    let Some(unit_s) = median_step_s(sample) else { return Ok(Vec::new()) };
    let usable = |i: &usize| sample[*i].len() > 2 && !sample[*i].mixes_models();
    let series: Vec<usize> = (0..sample.len()).filter(usable).collect();
    if series.is_empty() || per_horizon == 0 {
        return Ok(Vec::new());
    }
    let mut lengths: Vec<usize> = series.iter().map(|&i| sample[i].len()).collect();
    lengths.sort_unstable();
    let plan = Plan {
        rounds: per_horizon.div_ceil(series.len()).max(MIN_ROUNDS),
        unit_s,
        period_s: settings.period_s,
        lengths,
        seed,
    };
    let origins: Vec<Origin> = series.iter().flat_map(|&i| plan.origins(&sample[i], i)).collect();
    let run = |o: &Origin| {
        watch.stop()?;
        Ok(cases_of(&sample[o.series], o, methods, seed, settings))
    };
    Ok(origins.par_iter().map(run).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

impl Plan {
    /// Up to `rounds` origins of one trajectory, in its last two thirds.
    fn origins(&self, tr: &Trajectory, series: usize) -> Vec<Origin> {
        let n = tr.len();
        let mut random = Random::new(self.seed, "predict origins", tr.entity);
        let most = n - (n / 3).max(2);
        let ahead = match self.period_s {
            Some(period_s) => at_phase(tr, period_s, most, self.rounds, &mut random),
            None => spread(most, self.rounds, &mut random),
        };
        let mut new = |left: usize| {
            let to = n - left;
            // A long trajectory also stands for entities with short histories.
            let wanted = self.lengths[random.below(self.lengths.len())].max(2);
            let from = to.saturating_sub(wanted);
            let targets = self.targets(tr, to, &mut random);
            Origin { series, from, to, targets }
        };
        ahead.into_iter().map(&mut new).collect()
    }

    /// The points to predict from the point before `to`, ascending.
    fn targets(&self, tr: &Trajectory, to: usize, random: &mut Random) -> Vec<usize> {
        let steps = |j: usize| seconds_between(tr.t[to - 1], tr.t[j]) / self.unit_s;
        let mut out = Vec::new();
        let (mut at, mut until, mut room) = (to, DENSE_STEPS, DENSE_TARGETS);
        while at < tr.len() {
            let end = at + (at..tr.len()).take_while(|&j| steps(j) <= until).count();
            let mut here: Vec<usize> = (at..end).collect();
            random.shuffle(&mut here);
            here.truncate(room);
            out.extend(here);
            (at, until, room) = (end, until * 2.0, OCTAVE_TARGETS);
        }
        out.sort_unstable();
        out
    }
}

/// How many points are left out: up to `rounds` numbers in `1..=most`. `h` steps ahead can be tried
/// only from `h` points before the end, so the octaves farther away get more origins; and the later
/// the origin, the more the history resembles the whole, so each octave gets them at its near end.
/// The last octave gets them everywhere: its histories differ in length, which shows what that does.
fn spread(most: usize, rounds: usize, random: &mut Random) -> Vec<usize> {
    if rounds.saturating_mul(2) >= most {
        let mut all: Vec<usize> = (1..=most).collect();
        random.shuffle(&mut all);
        all.truncate(rounds);
        return all;
    }
    let mut out = Vec::new();
    let octaves = most.ilog2() as usize + 1;
    let weights: Vec<usize> = (0..octaves).flat_map(|k| std::iter::repeat_n(k, k + 1)).collect();
    for attempt in 0..16 * rounds {
        if out.len() == rounds {
            break;
        }
        let near = 1 << weights[random.below(weights.len())];
        // After many tries the near ends are used up.
        let far = near * 2 > most || attempt >= 8 * rounds;
        let width = if far { (most - near + 1).min(near) } else { near / 4 + 1 };
        let left = (near + random.below(width)).min(most);
        if !out.contains(&left) {
            out.push(left);
        }
    }
    out
}

/// As [`spread`], among the points a whole number of periods before the end.
fn at_phase(tr: &Trajectory, period_s: f64, most: usize, rounds: usize, random: &mut Random) -> Vec<usize> {
    let n = tr.len();
    let end = tr.t[n - 1];
    let mut at: Vec<usize> = Vec::new();
    for periods in 1..=n {
        let wanted = periods as f64 * period_s;
        let gone = |i: usize| seconds_between(tr.t[i], end);
        let above = tr.t.partition_point(|&t| seconds_between(t, end) > wanted);
        let nearest = match above {
            0 => 0,
            i if i < n && wanted - gone(i) < gone(i - 1) - wanted => i,
            i => i - 1,
        };
        let left = n - 1 - nearest;
        if left > most || above == 0 {
            break;
        }
        if left > 0 && at.last() != Some(&left) {
            at.push(left);
        }
    }
    if at.is_empty() {
        return spread(most, rounds, random);
    }
    spread(at.len(), rounds, random).into_iter().map(|k| at[k - 1]).collect()
}

fn cases_of(
    tr: &Trajectory,
    origin: &Origin,
    methods: &[Method],
    seed: u64,
    settings: &Settings,
) -> Vec<Case> {
    let history = piece(tr, origin.from, origin.to);
    let n = history.len();
    let from = tr.t[origin.to - 1];
    let Some(rate) = rate(&history) else { return Vec::new() };
    let step_s = seconds_between(history.t[0], from) / (n - 1) as f64;
    let horizons: Vec<f64> = origin.targets.iter().map(|&j| seconds_between(from, tr.t[j])).collect();
    let new_case = |(&j, &horizon_s): (&usize, &f64)| Case {
        entity: tr.entity,
        history: n,
        t_last: from,
        t: tr.t[j],
        horizon_s,
        step: rate * step_s.sqrt(),
        step_s,
        outcomes: [Outcome::NotTried; Method::ALL.len()],
    };
    let mut cases: Vec<Case> = origin.targets.iter().zip(&horizons).map(new_case).collect();
    let mut random = Random::new(seed, "predict dimensions", tr.entity ^ from as u64);
    let dims: Vec<usize> = (0..DIMS_KEPT.min(tr.dim)).map(|_| random.below(tr.dim)).collect();
    let own = steps(&history);
    let idle = |m: &Method| match m {
        Method::Node => settings.model.is_none_or(|m| m.knows(tr.entity, from)),
        Method::Season => settings.period_s.is_none(),
        _ => false,
    };
    for &method in methods.iter().filter(|m| !idle(m)) {
        let forecast = forecast(method, &history, &horizons, settings);
        for (k, case) in cases.iter_mut().enumerate() {
            let error = forecast.at(k).map(|ahead| error_of(ahead, tr.row(origin.targets[k]), &dims, &own));
            let error = error.filter(|e| e.distance.is_finite());
            case.outcomes[method.ordinal()] = error.map_or(Outcome::NoAnswer, Outcome::Answer);
        }
    }
    cases
}

fn error_of(ahead: &[f64], truth: &[f32], dims: &[usize], steps: &[f64]) -> MethodError {
    let mut dim_scores = [f32::NAN; DIMS_KEPT];
    for (score, &d) in dim_scores.iter_mut().zip(dims).filter(|(_, d)| steps[**d] > 0.0) {
        *score = ((ahead[d] - f64::from(truth[d])).abs() / steps[d]) as f32;
    }
    MethodError { distance: squared_distance(ahead, truth).sqrt(), dim_scores }
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
            let origin = tr.t.binary_search(&case.t_last).unwrap();
            let j = tr.t.binary_search(&case.t).unwrap();
            let error = case.error(Method::Last).unwrap();
            assert_eq!(case.horizon_s, seconds_between(case.t_last, case.t));
            assert_eq!(error.distance, squared_distance(tr.row(origin), tr.row(j)).sqrt());
            assert!(error.dim_scores.iter().all(|s| *s >= 0.0));
            assert!(case.error(Method::Ou).is_none() && !case.still());
        }
    }

    #[test]
    fn every_horizon_up_to_sixteen_steps_has_cases_with_long_histories() {
        let set = synthetic::regular(600, 40, |_, _| 0.0, 1);
        let cases = evaluate(&synthetic::views(&set), &[Method::Last], 500, 7, &Settings::default());
        for h in 1..=16u32 {
            let at: Vec<_> = cases.iter().filter(|c| c.horizon_s == f64::from(h) * 3600.0).collect();
            assert!(at.len() >= 250, "{h}: {}", at.len());
            // The longest history from which the truth is known has 40 - h points.
            let longest = at.iter().map(|c| c.history).max().unwrap();
            assert!(longest as u32 >= 40 - h.next_power_of_two() - 1, "{h}: {longest}");
        }
    }

    #[test]
    fn long_trajectories_stand_for_short_ones() {
        let mut set = synthetic::regular(4, 400, |_, _| 0.0, 1);
        set.extend(synthetic::regular(100, 12, |_, _| 0.0, 2));
        set.iter_mut().enumerate().for_each(|(i, o)| o.entity = i as u64);
        let cases = evaluate(&synthetic::views(&set), &[Method::Last], 500, 7, &Settings::default());
        let long: Vec<_> = cases.iter().filter(|c| c.horizon_s == 16.0 * 3600.0).collect();
        assert!(long.iter().all(|c| c.entity < 4), "only the long ones have such horizons");
        assert!(long.iter().any(|c| c.history == 12), "{long:?}");
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let set = synthetic::walks(10, 20, 3, 2);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| evaluate(&synthetic::views(&set), &Method::ALL, 30, 7, &Settings::default()))
        };
        assert_eq!(format!("{:?}", run(1)), format!("{:?}", run(4)));
    }

    #[test]
    fn short_and_mixed_trajectories_give_no_case_and_still_ones_no_scale() {
        let set = synthetic::walks(2, 2, 3, 1);
        assert!(evaluate(&synthetic::views(&set), &Method::ALL, 10, 1, &Settings::default()).is_empty());
        assert!(evaluate(&[], &Method::ALL, 10, 1, &Settings::default()).is_empty());
        let t: Vec<i64> = (0..9).collect();
        let still = Trajectory { entity: 1, t: &t, x: &[0.5; 9], dim: 1, model: &[] };
        let cases = evaluate(&[still], &Method::ALL, 10, 1, &Settings::default());
        assert!(!cases.is_empty() && cases.iter().all(Case::still));
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
    fn origins_of_seasonal_trajectories_lie_whole_periods_back() {
        let t: Vec<i64> = (0..60).map(|i| i * 3_600_000_000).collect();
        let x = vec![0.0f32; 60];
        let tr = Trajectory { entity: 1, t: &t, x: &x, dim: 1, model: &[] };
        let mut found = at_phase(&tr, 12.0 * 3600.0, 40, 9, &mut Random::new(1, "test", 0));
        found.sort_unstable();
        assert_eq!(found, [12, 24, 36]);
        assert!(!at_phase(&tr, 50.0 * 3600.0, 40, 9, &mut Random::new(1, "test", 0)).is_empty());
    }

    #[test]
    fn classes_are_octaves_of_the_median_step() {
        assert_eq!([0.3, 0.75, 1.0, 1.4, 1.5, 8.0].map(|h| class_of(h, 1.0)), [-2, 0, 0, 0, 1, 3]);
        assert_eq!(median([3.0, 1.0, 2.0, 9.0].into_iter()), Some(2.0));
        assert_eq!(median(std::iter::empty()), None);
    }
}
