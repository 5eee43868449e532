//! Holt's method with a damped trend, for points at irregular times.
//!
//! Smoothing constants that depend on the spacing: Wright (1986), "Forecasting data published at
//! irregular time intervals using an extension of Holt's method", Management Science 32; damping
//! over the elapsed time as in Cipra (2006), "Exponential smoothing for irregular data",
//! Applications of Mathematics 51. On a regular grid it is the usual damped-trend method.
//!
//! Time runs in units of the mean step. With `D(u) = phi (1 - phi^u) / (1 - phi)`, the sum of the
//! damped slopes over `u` steps, and weights `v <- v / (v + (1 - alpha)^u)`,
//! `w <- w / (w + (1 - gamma)^u)` that start at alpha and gamma:
//!
//! ```text
//! level  <- (1 - v) (level + D(u) slope) + v x
//! slope  <- phi^u ((1 - w) slope + w (change of level) / D(u))
//! x(h)    = level + D(h) slope
//! ```
//!
//! The level starts at the first point and the slope at zero: there is no trend until it shows,
//! and `alpha = 1, gamma = 0` is the forecast by the last point.

use crate::model::{Trajectory, seconds_between};

/// Smoothing constants per mean step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constants {
    /// Of the level, in (0, 1].
    pub alpha: f64,
    /// Of the slope, in [0, 1].
    pub gamma: f64,
    /// What is left of the slope after one step, in (0, 1).
    pub phi: f64,
}

/// A smoothed history.
#[derive(Debug, Clone, PartialEq)]
pub struct Smoothed {
    /// The constants used.
    pub constants: Constants,
    /// Level at the last point.
    pub level: Vec<f64>,
    /// Slope at the last point, per mean step.
    pub slope: Vec<f64>,
    /// Mean step in seconds.
    pub step_s: f64,
    /// Sum of squared one-step errors over all points but the first, and all dimensions.
    pub squared_errors: f64,
}

impl Smoothed {
    /// One vector per horizon, row-major.
    pub fn forecast(&self, horizons_s: &[f64]) -> Vec<f64> {
        let carry = |h: f64| {
            let d = damped_sum(self.constants.phi, h / self.step_s);
            self.level.iter().zip(&self.slope).map(move |(l, s)| l + d * s)
        };
        horizons_s.iter().flat_map(|&h| carry(h)).collect()
    }
}

/// `phi + phi^2 + … + phi^u`, continued to real `u`.
fn damped_sum(phi: f64, u: f64) -> f64 {
    -phi * f64::exp_m1(u * phi.ln()) / (1.0 - phi)
}

/// Runs the smoothing with given constants over a history of at least two points.
pub fn smooth(history: &Trajectory, constants: Constants) -> Smoothed {
    let n = history.len();
    let Constants { alpha, gamma, phi } = constants;
    let step_s = seconds_between(history.t[0], history.t[n - 1]) / (n - 1) as f64;
    let mut level: Vec<f64> = history.row(0).iter().map(|&v| f64::from(v)).collect();
    let mut slope = vec![0.0; history.dim];
    let (mut v, mut w) = (alpha, gamma);
    let mut squared_errors = 0.0;
    for i in 1..n {
        let u = seconds_between(history.t[i - 1], history.t[i]) / step_s;
        v /= v + (1.0 - alpha).powf(u);
        w /= w + (1.0 - gamma).powf(u);
        let reach = damped_sum(phi, u);
        let keep = phi.powf(u);
        let mut squares = 0.0;
        for ((level, slope), &x) in level.iter_mut().zip(&mut slope).zip(history.row(i)) {
            let error = f64::from(x) - (*level + reach * *slope);
            squares += error * error;
            let change = reach * *slope + v * error;
            *level += change;
            *slope = keep * ((1.0 - w) * *slope + w * change / reach);
        }
        squared_errors += squares;
    }
    Smoothed { constants, level, slope, step_s, squared_errors }
}

/// Smooths with the constants that minimise the entity's own squared one-step errors: a coarse
/// grid, then a compass search around its best point. Same history, same constants.
pub fn fit(history: &Trajectory) -> Smoothed {
    let mut best = smooth(history, Constants { alpha: 1.0, gamma: 0.0, phi: 0.8 });
    let consider = |best: &mut Smoothed, alpha: f64, gamma: f64, phi: f64| {
        let constants = Constants {
            alpha: alpha.clamp(0.02, 1.0),
            gamma: gamma.clamp(0.0, 1.0),
            phi: phi.clamp(0.5, 0.98),
        };
        if constants == best.constants {
            return false;
        }
        let tried = smooth(history, constants);
        let better = tried.squared_errors < best.squared_errors;
        if better {
            *best = tried;
        }
        better
    };
    for alpha in [0.1, 0.3, 0.6, 1.0] {
        consider(&mut best, alpha, 0.0, 0.8);
        for (gamma, phi) in [(0.1, 0.7), (0.1, 0.95), (0.5, 0.7), (0.5, 0.95)] {
            consider(&mut best, alpha, gamma, phi);
        }
    }
    let mut reach = 0.2;
    while reach > 0.004 {
        let Constants { alpha, gamma, phi } = best.constants;
        let moved = [1.0, -1.0].into_iter().any(|sign| {
            let d = sign * reach;
            consider(&mut best, alpha + d, gamma, phi)
                || consider(&mut best, alpha, gamma + d, phi)
                || consider(&mut best, alpha, gamma, phi + d / 2.0)
        });
        if !moved {
            reach /= 2.0;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::golden;

    #[test]
    fn agrees_with_the_reference_at_given_constants() {
        let golden = golden::load();
        for case in golden["series"].as_array().unwrap() {
            let series = golden::Series::of(case);
            let c = golden::numbers(&case["holt_constants"]);
            let s = smooth(&series.view(), Constants { alpha: c[0], gamma: c[1], phi: c[2] });
            golden::assert_close(
                "holt",
                &s.forecast(&series.horizons_s),
                &golden::numbers(&case["holt"]),
                1e-9,
            );
        }
    }

    #[test]
    fn on_a_regular_grid_agrees_with_statsmodels() {
        let golden = golden::load();
        let case = &golden["holt_regular"];
        let series = golden::Series::of(case);
        let c = golden::numbers(&case["holt_constants"]);
        let s = smooth(&series.view(), Constants { alpha: c[0], gamma: c[1], phi: c[2] });
        golden::assert_close(
            "holt",
            &s.forecast(&series.horizons_s),
            &golden::numbers(&case["statsmodels"]),
            1e-9,
        );
    }

    #[test]
    fn fitted_errors_are_near_the_best_that_scipy_finds() {
        let golden = golden::load();
        for case in golden["series"].as_array().unwrap() {
            let best = case["holt_best_squared_errors"].as_f64().unwrap();
            let found = fit(&golden::Series::of(case).view()).squared_errors;
            assert!(found <= best * 1.002, "{}: {found} against {best}", case["name"]);
        }
    }
}
