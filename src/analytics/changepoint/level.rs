//! Segments whose level may itself wander, under noise that may remember: the cost of local-level
//! segments, and the search for the best of them.
//!
//! With `y_t = x_t - phi x_{t-1}` the cost of a segment is the sum of squared one-step errors of
//! the Kalman filter of a level that walks with variance `q` (in units of the noise), each over
//! its variance factor F. With `phi = q = 0` it is the residual sum of squares around the mean.
//! Jumps in a wandering, autocorrelated signal: Romano, Rigaill, Runge and Fearnhead 2022 (DeCAFS).

use super::cost::MeanCost;
use super::local_level::{Model, Schedule};
use super::recalling::RecallingCost;
use super::series::Series;
use super::walk::WalkCost;
use super::{pelt, scan};
use crate::analytics::gram::Gram;

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
