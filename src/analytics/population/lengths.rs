//! The lengths of the vectors: their mean and their spread.

use super::design::{Design, class};
use crate::analytics::geometry::norm;

/// Lengths whose range is less than this share of the longest are equal: half-precision vectors
/// that were scaled to the length 1 before differ by less.
const EQUAL: f64 = 1e-3;

/// Lengths of the compared points.
pub(crate) struct Lengths(Vec<f64>);

impl Lengths {
    pub fn new(rows: &[f64], dim: usize) -> Self {
        Lengths(rows.chunks_exact(dim).map(norm).collect())
    }

    /// True when no test of lengths has a meaning.
    pub fn are_equal(&self) -> bool {
        let (low, high) = self.0.iter().fold((f64::INFINITY, 0.0f64), |(a, b), &v| (a.min(v), b.max(v)));
        high - low <= EQUAL * high
    }

    /// The length, standardised over all points, and its square less 1: two features a point
    /// whose means tell of a change of the mean and of the spread.
    pub fn features(&self, design: &Design) -> Vec<f64> {
        let (mean, variance) = moments(&self.0, design, &|_| true);
        let sd = variance.sqrt();
        let feature = |v: &f64| {
            let z = if sd > 0.0 { (v - mean) / sd } else { 0.0 };
            [z, (z * z - 1.0) / std::f64::consts::SQRT_2]
        };
        self.0.iter().flat_map(feature).collect()
    }

    /// Relative changes of the mean and the standard deviation, as one distance; each entity has
    /// the same weight in a window. `None` where a window's lengths do not vary.
    pub fn change(&self, design: &Design) -> Option<f64> {
        let reference = |c: usize| c == class::PAIRED_REF || c == class::SINGLE_REF;
        let (mean_ref, variance_ref) = moments(&self.0, design, &reference);
        let (mean_cur, variance_cur) = moments(&self.0, design, &|c| !reference(c));
        let relative = |new: f64, old: f64| if new == old { 0.0 } else { (new - old) / old };
        let change = relative(mean_cur, mean_ref).hypot(relative(variance_cur.sqrt(), variance_ref.sqrt()));
        change.is_finite().then_some(change)
    }
}

/// Weighted mean and variance of the values of the points of some classes.
fn moments(values: &[f64], design: &Design, of: &dyn Fn(usize) -> bool) -> (f64, f64) {
    let chosen = || {
        let points = values.iter().zip(&design.weight).zip(&design.class);
        points.filter(|(_, c)| **c != class::NONE && of(**c)).map(|((v, w), _)| (v, w))
    };
    let total: f64 = chosen().map(|(_, w)| w).sum();
    let mean = chosen().map(|(v, w)| v * w).sum::<f64>() / total;
    (mean, chosen().map(|(v, w)| w * (v - mean).powi(2)).sum::<f64>() / total)
}
