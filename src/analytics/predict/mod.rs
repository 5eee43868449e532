//! Where will it be: forecasts of a trajectory, and how far off they usually are.
//!
//! [`forecast`] extrapolates one history by one [`Method`]; [`rolling`] tries the
//! methods on the past of many entities, [`Calibration`] keeps their errors, [`outlook`] turns them
//! into radii and a choice for each horizon, [`table`] shows them, and [`predict`] makes the rows of
//! an answer. Pure functions over trajectories: no file, no clock.

pub mod baseline;
pub mod calibrate;
mod growth;
pub mod holt;
mod method;
mod minimize;
pub mod node;
pub mod ode;
pub mod ou;
pub mod outlook;
mod report;
pub mod rolling;
pub mod season;
pub mod table;
mod window;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod synthetic;

pub use calibrate::Calibration;
pub use method::{Forecast, Method};
pub use outlook::Outlooks;
pub use report::{Choice, Options, Prediction, predict};

use super::Status;
use super::geometry::squared_distance;
use crate::model::{Trajectory, seconds_between};

/// What the methods can be told.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// Number of last points that `trend` looks at.
    pub window: usize,
    /// The model of `node`.
    pub model: Option<&'a node::Model>,
    /// The period of `season`, in seconds, see [`season::period`].
    pub period_s: Option<f64>,
}

impl Settings<'_> {
    /// The model, if it predicts vectors of `dim` values.
    fn model_for(&self, dim: usize) -> Option<&node::Model> {
        self.model.filter(|m| m.dim() == dim)
    }
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Settings { window: 20, model: None, period_s: None }
    }
}

/// Extrapolates `history` to `horizons_s` seconds past its last point (each finite and not
/// negative). Status `few_points` below [`Method::min_points`], `model_break` when the points come from several
/// embedding models, `constant` when they are all equal (the forecast is that point), and
/// `not_converged` when the rate of `ou` lies at a bound (the forecast is the bound's), or when
/// `node` has no model of this dimension or its integration fails, or `season` has no period or too
/// short a history for it (no vectors).
pub fn forecast(method: Method, history: &Trajectory, horizons_s: &[f64], settings: &Settings) -> Forecast {
    let dim = history.dim;
    if history.mixes_models() {
        return Forecast::none(Status::ModelBreak, dim);
    }
    if history.len() < method.min_points() {
        return Forecast::none(Status::FewPoints, dim);
    }
    let (status, vectors) = match method {
        _ if is_constant(history) => (Status::Constant, baseline::last(history, horizons_s)),
        Method::Last => (Status::Ok, baseline::last(history, horizons_s)),
        Method::Mean => (Status::Ok, baseline::mean(history, horizons_s)),
        Method::Linear => (Status::Ok, baseline::trend(history, 2, horizons_s)),
        Method::Trend => (Status::Ok, baseline::trend(history, settings.window, horizons_s)),
        Method::Holt => (Status::Ok, holt::fit(history).forecast(horizons_s)),
        Method::Ou => {
            let process = ou::fit(history);
            let status = if process.at_bound { Status::NotConverged } else { Status::Ok };
            (status, process.forecast(history.row(history.len() - 1), horizons_s))
        }
        Method::Season => {
            let ahead = settings.period_s.and_then(|p| season::forecast(history, p, horizons_s));
            return ahead.map_or(Forecast::none(Status::NotConverged, dim), |vectors| Forecast {
                status: Status::Ok,
                vectors,
                dim,
            });
        }
        Method::Node => {
            let none = || Forecast::none(Status::NotConverged, dim);
            return settings.model_for(dim).map_or_else(none, |m| m.forecast(history, horizons_s));
        }
    };
    Forecast { status, vectors, dim }
}

/// The first `n` points.
pub fn prefix<'a>(tr: &Trajectory<'a>, n: usize) -> Trajectory<'a> {
    let n = n.min(tr.len());
    Trajectory {
        entity: tr.entity,
        t: &tr.t[..n],
        x: &tr.x[..n * tr.dim],
        dim: tr.dim,
        model: tr.model.get(..n).unwrap_or(tr.model),
    }
}

/// The points `from..to`.
pub fn piece<'a>(tr: &Trajectory<'a>, from: usize, to: usize) -> Trajectory<'a> {
    let head = prefix(tr, to);
    let from = from.min(head.len());
    Trajectory {
        t: &head.t[from..],
        x: &head.x[from * tr.dim..],
        model: head.model.get(from..).unwrap_or(head.model),
        ..head
    }
}

/// True when all points are equal; one point is not called constant.
pub fn is_constant(tr: &Trajectory) -> bool {
    tr.len() > 1 && (1..tr.len()).all(|i| tr.row(i) == tr.row(0))
}

/// The entity's own rate of diffusion, `sqrt(sum |dx_i|^2 / sum dt_i)`, per square root of a
/// second; `None` with fewer than two points.
pub fn rate(tr: &Trajectory) -> Option<f64> {
    let n = tr.len();
    if n < 2 {
        return None;
    }
    let squares: f64 = (1..n).map(|i| squared_distance(tr.row(i - 1), tr.row(i))).sum();
    Some((squares / seconds_between(tr.t[0], tr.t[n - 1])).sqrt())
}

/// Root mean square step of each dimension, drawn towards the mean over the dimensions by the
/// weight of one step: few steps say little about one dimension, and one that did not move yet may
/// still move. The squares add up to the mean squared step. Empty with fewer than two points.
pub fn steps(tr: &Trajectory) -> Vec<f64> {
    let n = tr.len();
    if n < 2 {
        return Vec::new();
    }
    let mut squares = vec![0.0; tr.dim];
    for i in 1..n {
        for ((s, &a), &b) in squares.iter_mut().zip(tr.row(i - 1)).zip(tr.row(i)) {
            *s += (f64::from(b) - f64::from(a)).powi(2);
        }
    }
    let mean = squares.iter().sum::<f64>() / tr.dim as f64;
    let weight = 1.0 / (n - 1) as f64;
    let all = (n - 1) as f64 * (1.0 + weight);
    squares.iter().map(|s| ((s + weight * mean) / all).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::rng::Random;
    use proptest::prelude::*;

    /// A random walk of 30 points at irregular times.
    fn walk(seed: u64, dim: usize) -> (Vec<i64>, Vec<f32>) {
        let mut r = Random::new(seed, "walk", 0);
        let (mut t, mut at) = (Vec::new(), vec![0.0; dim]);
        let mut x = Vec::new();
        for i in 0..30 {
            t.push(i * 1_000_000 + r.below(900_000) as i64);
            at.iter_mut().for_each(|v| *v += r.normal());
            x.extend(at.iter().map(|&v| v as f32));
        }
        (t, x)
    }

    fn view<'a>(t: &'a [i64], x: &'a [f32], dim: usize) -> Trajectory<'a> {
        Trajectory { entity: 1, t, x, dim, model: &[] }
    }

    #[test]
    fn too_few_points_give_no_answer_and_constant_ones_themselves() {
        let (t, x) = walk(1, 3);
        for m in Method::ALL {
            let full = view(&t, &x, 3);
            let short = prefix(&full, m.min_points() - 1);
            let f = forecast(m, &short, &[1.0], &Settings::default());
            assert_eq!((f.status, f.at(0)), (Status::FewPoints, None), "{m:?}");
            if matches!(m, Method::Node | Method::Season) {
                continue;
            }
            let f = forecast(m, &prefix(&full, m.min_points()), &[1.0], &Settings::default());
            assert!(f.at(0).is_some_and(|v| v.iter().all(|v| v.is_finite())), "{m:?}");
            let same = [0.25f32; 36];
            let f = forecast(m, &view(&t[..12], &same, 3), &[1.0, 9.0], &Settings::default());
            assert_eq!((f.status, f.at(1)), (Status::Constant, Some(&[0.25; 3][..])), "{m:?}");
        }
    }

    #[test]
    fn points_of_two_models_are_not_mixed() {
        let (t, x) = walk(1, 3);
        let models: Vec<u32> = (0..30).map(|i| u32::from(i > 20)).collect();
        let tr = Trajectory { model: &models, ..view(&t, &x, 3) };
        let f = forecast(Method::Trend, &tr, &[1.0], &Settings::default());
        assert_eq!((f.status, f.vectors.len()), (Status::ModelBreak, 0));
        assert_eq!(
            forecast(Method::Trend, &prefix(&tr, 20), &[1.0], &Settings::default()).status,
            Status::Ok
        );
    }

    #[test]
    fn one_point_has_no_rate_and_a_step_of_one_in_a_second_rate_one() {
        assert_eq!(rate(&view(&[5], &[1.0], 1)), None);
        assert_eq!(rate(&view(&[0, 1_000_000], &[1.0, 2.0], 1)), Some(1.0));
    }

    #[test]
    fn steps_of_dimensions_add_up_to_the_rate() {
        let (t, x) = walk(3, 5);
        let tr = view(&t, &x, 5);
        let sum: f64 = steps(&tr).iter().map(|r| r * r).sum();
        let mean_s = seconds_between(t[0], t[29]) / 29.0;
        assert!((sum.sqrt() / (rate(&tr).unwrap() * mean_s.sqrt()) - 1.0).abs() < 1e-12);
        let two = view(&[0, 9_000_000], &[0.0, 0.0, 1.0, 0.0], 2);
        assert_eq!(steps(&two), [0.75f64.sqrt(), 0.25f64.sqrt()]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Methods that start from the last state tend to it as the horizon goes to 0, and all
        /// that know a direction differ between horizons.
        #[test]
        fn horizons_matter(seed in 0u64..1000) {
            let (t, x) = walk(seed, 4);
            let tr = view(&t, &x, 4);
            let last: Vec<f64> = tr.row(29).iter().map(|&v| f64::from(v)).collect();
            for m in [Method::Last, Method::Linear, Method::Ou] {
                let f = forecast(m, &tr, &[1e-9], &Settings::default());
                prop_assert!(squared_distance(f.at(0).unwrap(), &last) < 1e-12, "{m:?}");
            }
            for m in [Method::Linear, Method::Trend, Method::Ou] {
                let f = forecast(m, &tr, &[1.0, 3.0], &Settings::default());
                prop_assert!(f.at(0) != f.at(1), "{m:?}");
            }
        }

        /// Shifting all times changes nothing; scaling time and horizon together changes nothing.
        #[test]
        fn only_time_differences_count(seed in 0u64..1000, shift in -1_000_000_000i64..1_000_000_000) {
            let (t, x) = walk(seed, 2);
            let shifted: Vec<i64> = t.iter().map(|v| v + shift).collect();
            let slower: Vec<i64> = t.iter().map(|v| v * 1000).collect();
            for m in Method::ALL {
                let f = |t: &[i64], h| forecast(m, &view(t, &x, 2), &[h], &Settings::default()).vectors;
                prop_assert_eq!(f(&t, 2.0), f(&shifted, 2.0));
                golden::assert_close(m.as_str(), &f(&t, 2.0), &f(&slower, 2000.0), 1e-5);
            }
        }
    }
}
