//! Segments whose level may itself wander, under noise that may remember: the cost of local-level
//! segments, and the search for the best of them.
//!
//! With `y_t = x_t - phi x_{t-1}` the cost of a segment is the sum of squared one-step errors of
//! the Kalman filter of a level that walks with variance `q` (in units of the noise), each over
//! its variance factor F. With `phi = q = 0` it is the residual sum of squares around the mean.
//! Jumps in a wandering, autocorrelated signal: Romano, Rigaill, Runge and Fearnhead 2022 (DeCAFS).

use super::cost::MeanCost;
use super::recalling::RecallingCost;
use super::series::Series;
use super::walk::WalkCost;
use super::{pelt, scan};
use crate::analytics::gram::Gram;

/// The walk of a model that is all walk.
pub(crate) const PURE_WALK: f64 = 1e4;

/// How noise and level move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Model {
    /// Lag-one coefficient of the noise.
    pub phi: f64,
    /// Variance of a step of the level over that of the noise's innovation.
    pub q: f64,
}

impl Model {
    /// A level that stands still under white noise.
    pub const FIXED: Model = Model { phi: 0.0, q: 0.0 };

    /// True when jumps can hardly be told from how the level or the noise moves by itself.
    pub fn wanders(&self) -> bool {
        self.phi >= 0.8 || self.steady_gain() >= 0.5
    }

    /// The filter's gain after a long time.
    pub fn steady_gain(&self) -> f64 {
        1.0 - 1.0 / self.steady_factor()
    }

    /// Variance of a one-step error after a long time, over that of the noise's innovation.
    pub fn steady_factor(&self) -> f64 {
        1.0 + (self.q + (self.q * self.q + 4.0 * self.q).sqrt()) / 2.0
    }
}

/// Gain and variance factor of the filter by age.
pub(crate) struct Schedule {
    pub gain: Vec<f64>,
    pub factor: Vec<f64>,
}

impl Schedule {
    /// For ages 1, 2, .. below `n`.
    pub fn new(model: Model, n: usize) -> Self {
        let mut p = (1.0 - model.phi) / (1.0 + model.phi);
        let (mut gain, mut factor) = (vec![0.0], vec![1.0]);
        for _ in 1..n {
            let ahead = p + model.q;
            factor.push(1.0 + ahead);
            gain.push(ahead / (1.0 + ahead));
            p = ahead / (1.0 + ahead);
        }
        Schedule { gain, factor }
    }

    /// `sum ln F` over a segment of `len` rows.
    fn log_factors(&self, len: usize) -> f64 {
        self.factor[1..len.max(1)].iter().map(|f| f.ln()).sum()
    }
}

/// What is searched: a centred series, by its inner products where they are at hand.
pub(crate) struct Search<'a> {
    pub series: &'a Series,
    pub gram: Option<&'a Gram>,
}

/// What the search found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    pub changes: Vec<usize>,
    /// Sum of the segments' costs, without penalties.
    pub cost: f64,
    /// `sum ln F` over all segments.
    pub log_factors: f64,
}

/// The segmentation of least cost plus `penalty` a change, into segments of at least
/// `min_segment` rows.
pub(crate) fn search(search: &Search<'_>, model: Model, penalty: f64, min_segment: usize) -> Fit {
    let series = search.series;
    let found = match (search.gram, model) {
        (Some(gram), _) => scan::levels(gram, model, penalty, min_segment),
        (None, Model { phi: 0.0, q: 0.0 }) => pelt::search(&MeanCost::new(series), penalty, min_segment),
        (None, Model { phi, q: 0.0 }) => pelt::search(&RecallingCost::new(series, phi), penalty, min_segment),
        (None, _) => pelt::search(&WalkCost::new(series, model), penalty, min_segment),
    };
    let schedule = Schedule::new(model, series.len());
    let edges = found.changes.iter().copied().chain([series.len()]);
    let starts = [0].into_iter().chain(found.changes.iter().copied());
    let log_factors = starts.zip(edges).map(|(a, b)| schedule.log_factors(b - a)).sum();
    Fit { cost: found.objective - penalty * found.changes.len() as f64, changes: found.changes, log_factors }
}

#[cfg(test)]
mod tests;
