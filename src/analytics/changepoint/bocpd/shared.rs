//! Many columns with one shared scale: a run knows its level, and how far vectors lie from it is
//! judged as in as many dimensions as the noise effectively fills.
//!
//! A product of one belief a column is blind or over-confident from some sixteen columns on.
//! Here noise of trace `sigma2` and memory `phi` counts as `d_eff` dimensions, with tails of a
//! Student t; the level may walk by a share `q` of the noise.

use super::super::level::Model;
use super::runs::{Predictive, Runs};
use crate::analytics::geometry::squared_distance;
use serde::{Deserialize, Serialize};

/// Degrees of freedom of the tails.
const TAILS: f64 = 8.0;
/// What a new run knows of its level before its first observation, in observations.
const PRIOR_WEIGHT: f64 = 0.25;

/// What all runs share; from the warm-up, but for `last` and `level`, which move along.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Context {
    pub phi: f64,
    pub q: f64,
    pub sigma2: f64,
    pub d_eff: f64,
    /// The observation before.
    pub last: Vec<f64>,
    /// Where the level is believed to be: new runs start around it.
    pub level: Vec<f64>,
}

impl Context {
    /// Log density, up to a constant that all runs share, of squared distance `square` where the
    /// noise's scale is `s`.
    fn log_density(&self, square: f64, s: f64) -> f64 {
        let u = square / (self.sigma2 * s);
        -self.d_eff / 2.0 * s.ln() - (TAILS + self.d_eff) / 2.0 * (self.d_eff * u / TAILS).ln_1p()
    }

    /// Scale of the first observation of a new run: the level may lie as far off as four times the
    /// usual one-step error.
    fn prior_scale(&self) -> f64 {
        let usual = Model { phi: self.phi, q: self.q }.steady_factor();
        usual * (1.0 + 1.0 / PRIOR_WEIGHT) / (1.0 - self.phi * self.phi)
    }

    /// After an observation: remembers it, and moves the level to what the runs believe.
    pub fn advance(&mut self, runs: &Runs<Level>, x: &[f64]) {
        self.level.iter_mut().for_each(|l| *l = 0.0);
        for run in &runs.runs {
            let weight = run.log_mass.exp() / (1.0 - self.phi);
            self.level.iter_mut().zip(&run.belief.m).for_each(|(l, m)| *l += weight * m);
        }
        self.last.copy_from_slice(x);
    }
}

/// A run's belief about `(1 - phi)` times its level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Level {
    pub m: Vec<f64>,
    /// Precision, in observations of the prewhitened series.
    pub k: f64,
}

impl Predictive for Level {
    type Context = Context;

    /// The first observation of a run shows the level itself, under the noise's whole variance.
    fn start(c: &Context, x: &[f64]) -> Self {
        let noise = 1.0 / (1.0 - c.phi * c.phi);
        let gain = 1.0 - noise / c.prior_scale();
        let m = x.iter().zip(&c.level).map(|(x, l)| (1.0 - c.phi) * (l + gain * (x - l))).collect();
        Level { m, k: (1.0 + c.phi) / (1.0 - c.phi) / gain }
    }

    fn log_prior(c: &Context, x: &[f64]) -> f64 {
        c.log_density(squared_distance(x, &c.level), c.prior_scale())
    }

    fn log_density(&self, c: &Context, x: &[f64]) -> f64 {
        c.log_density(squared_distance(&whitened(c, x), &self.m), 1.0 + 1.0 / self.k)
    }

    fn update(&mut self, c: &Context, x: &[f64]) {
        let gain = 1.0 / (self.k + 1.0);
        self.m.iter_mut().zip(whitened(c, x)).for_each(|(m, y)| *m += gain * (y - *m));
        self.k = (self.k + 1.0) / (1.0 + c.q * (self.k + 1.0));
    }
}

/// `x - phi last`.
fn whitened(c: &Context, x: &[f64]) -> Vec<f64> {
    x.iter().zip(&c.last).map(|(x, l)| x - c.phi * l).collect()
}
