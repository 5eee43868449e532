//! The Ornstein-Uhlenbeck process, `dx = theta (mu - x) dt + sigma dW`, by maximum likelihood.
//!
//! Isotropic, with the exact discretisation for any spacing: `x_i | x_{i-1}` is normal with mean
//! `mu + (x_{i-1} - mu) p_i`, `p_i = exp(-theta dt_i)`, and variance `sigma^2 q_i` a dimension,
//! `q_i = (1 - p_i^2) / (2 theta)`. Given theta, the best mu and sigma have closed forms; what is
//! left is minimised over `ln theta`.

use super::minimize::scan_then_brent;
use crate::model::{Trajectory, seconds_between};

/// Fewest points that are fitted.
pub const MIN_POINTS: usize = 10;

/// A fitted process.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// Rate of return to the mean, per second.
    pub theta: f64,
    /// Mean.
    pub mu: Vec<f64>,
    /// Noise per square root of a second, a dimension.
    pub sigma: f64,
    /// The rate lies at a bound of the search: the data show no return, or nothing but noise.
    pub at_bound: bool,
}

impl Process {
    /// Time in which a deviation from the mean halves, in seconds; `None` at a bound.
    pub fn half_life_s(&self) -> Option<f64> {
        (!self.at_bound).then(|| std::f64::consts::LN_2 / self.theta)
    }

    /// The expected states `mu + (x - mu) exp(-theta h)`, one per horizon, row-major.
    pub fn forecast(&self, x: &[f32], horizons_s: &[f64]) -> Vec<f64> {
        let carry = |h: f64| {
            // Written from x, so that nothing is lost at short horizons.
            let gone = -f64::exp_m1(-self.theta * h);
            x.iter().zip(&self.mu).map(move |(&x, m)| f64::from(x) + (m - f64::from(x)) * gone)
        };
        horizons_s.iter().flat_map(|&h| carry(h)).collect()
    }

    /// Variance of a forecast a dimension, `sigma^2 (1 - exp(-2 theta h)) / (2 theta)`.
    pub fn variance(&self, horizon_s: f64) -> f64 {
        self.sigma.powi(2) * spread(self.theta, horizon_s)
    }
}

/// `(1 - exp(-2 theta dt)) / (2 theta)`.
fn spread(theta: f64, dt: f64) -> f64 {
    -f64::exp_m1(-2.0 * theta * dt) / (2.0 * theta)
}

/// Fits a history of at least two points that are not all equal. The rate is sought between
/// `0.01 / (t_last - t_first)` and `50 / min dt`.
pub fn fit(history: &Trajectory) -> Process {
    let n = history.len();
    let dt: Vec<f64> = history.t.windows(2).map(|w| seconds_between(w[0], w[1])).collect();
    let low = (0.01 / seconds_between(history.t[0], history.t[n - 1])).ln();
    let high = (50.0 / dt.iter().copied().fold(f64::INFINITY, f64::min)).ln();
    let objective = |ln_theta: f64| profile(history, &dt, ln_theta.exp()).objective;
    let points = ((high - low).ceil() as usize).clamp(8, 64);
    let ln_theta = scan_then_brent(objective, low, high, points, 1e-9);
    let at = profile(history, &dt, ln_theta.exp());
    let margin = 1e-3 * (high - low);
    Process {
        theta: ln_theta.exp(),
        mu: at.mu,
        sigma: at.sigma,
        at_bound: ln_theta - low < margin || high - ln_theta < margin,
    }
}

/// The best mean and noise at one rate.
struct Profile {
    mu: Vec<f64>,
    sigma: f64,
    /// `ln sigma^2 + mean ln q_i`: minus twice the log likelihood per number, without constants.
    objective: f64,
}

fn profile(history: &Trajectory, dt: &[f64], theta: f64) -> Profile {
    let p: Vec<f64> = dt.iter().map(|d| (-theta * d).exp()).collect();
    let gone: Vec<f64> = dt.iter().map(|d| -f64::exp_m1(-theta * d)).collect();
    let q: Vec<f64> = dt.iter().map(|&d| spread(theta, d)).collect();
    let mut mu = vec![0.0; history.dim];
    let mut weights = 0.0;
    for i in 0..dt.len() {
        let w = gone[i] / q[i];
        weights += w * gone[i];
        for ((m, &x0), &x1) in mu.iter_mut().zip(history.row(i)).zip(history.row(i + 1)) {
            *m += w * (f64::from(x1) - p[i] * f64::from(x0));
        }
    }
    mu.iter_mut().for_each(|m| *m /= weights);
    let mut squares = 0.0;
    for i in 0..dt.len() {
        let row: f64 = mu
            .iter()
            .zip(history.row(i))
            .zip(history.row(i + 1))
            .map(|((m, &x0), &x1)| (f64::from(x1) - p[i] * f64::from(x0) - gone[i] * m).powi(2))
            .sum();
        squares += row / q[i];
    }
    let variance = squares / (dt.len() * history.dim) as f64;
    let objective = variance.ln() + q.iter().map(|q| q.ln()).sum::<f64>() / q.len() as f64;
    Profile { mu, sigma: variance.sqrt(), objective }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::golden;

    #[test]
    fn agrees_with_scipy() {
        let golden = golden::load();
        let mut inside = 0;
        for case in golden["series"].as_array().unwrap() {
            let expected = &case["ou"];
            if expected.is_null() {
                continue;
            }
            let series = golden::Series::of(case);
            let p = fit(&series.view());
            let name = case["name"].as_str().unwrap();
            assert_eq!(p.at_bound, expected["at_bound"].as_bool().unwrap(), "{name}: {p:?}");
            if p.at_bound {
                assert_eq!(p.half_life_s(), None);
                continue;
            }
            inside += 1;
            golden::assert_relative(name, p.theta, expected["theta"].as_f64().unwrap(), 1e-6);
            golden::assert_relative(name, p.sigma, expected["sigma"].as_f64().unwrap(), 1e-6);
            golden::assert_close(name, &p.mu, &golden::numbers(&expected["mu"]), 1e-6);
            let last = series.view().row(series.t.len() - 1).to_vec();
            golden::assert_close(
                name,
                &p.forecast(&last, &series.horizons_s),
                &golden::numbers(&expected["forecast"]),
                1e-6,
            );
            golden::assert_relative(
                name,
                p.variance(series.horizons_s[0]),
                expected["variance"].as_f64().unwrap(),
                1e-6,
            );
        }
        assert!(inside >= 2, "only {inside} processes inside the bounds");
    }
}
