//! The splits among which the date of a change lies.
//!
//! Near a change the sum of squares that a split leaves is a random walk with a drift away from it
//! (Bai 1997). Read as a likelihood, its normalised values are the law of the date when every date
//! was as likely before; the likeliest dates that hold the stated share are taken.

use crate::analytics::changepoint::cost::{LineCost, MeanCost, SegmentCost};
use crate::analytics::changepoint::noise::within;
use crate::analytics::changepoint::series::Series;
use crate::analytics::geometry::{dot, norm};

/// First and last split of a stretch that belong to the interval of `level` around the split `at`.
/// `d_eff` is the number of directions that the noise fills.
pub(crate) fn splits(
    x: &Series,
    at: usize,
    min: usize,
    line: bool,
    d_eff: f64,
    level: f64,
) -> (usize, usize) {
    let n = x.len();
    let mut centred = x.clone();
    centred.centre();
    let cost: Box<dyn SegmentCost> =
        if line { Box::new(LineCost::new(&centred)) } else { Box::new(MeanCost::new(&centred)) };
    let variance = variance(x, at, d_eff);
    let left: Vec<f64> = (min..=n - min).map(|k| cost.cost(0, k) + cost.cost(k, n)).collect();
    let least = left.iter().copied().fold(f64::INFINITY, f64::min);
    if variance <= 0.0 || !variance.is_finite() {
        return (at, at);
    }
    let mut weights: Vec<(f64, usize)> =
        left.iter().enumerate().map(|(i, l)| ((-(l - least) / (2.0 * variance)).exp(), i + min)).collect();
    let total: f64 = weights.iter().map(|w| w.0).sum();
    weights.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let (mut low, mut high, mut held) = (at, at, 0.0);
    for (weight, split) in weights {
        if held >= level * total {
            break;
        }
        held += weight;
        low = low.min(split);
        high = high.max(split);
    }
    (low, high)
}

/// Variance of the noise along the change, summed over all lags, with what the error of the means
/// adds in many directions.
fn variance(x: &Series, at: usize, d_eff: f64) -> f64 {
    let n = x.len();
    let (before, after) = (x.mean(0, at), x.mean(at, n));
    let mut way: Vec<f64> = after.iter().zip(&before).map(|(b, a)| b - a).collect();
    let length = norm(&way);
    let (trace, rho) = within(x, &[at]);
    if length == 0.0 {
        return trace;
    }
    way.iter_mut().for_each(|v| *v /= length);
    let steps = (1..n).filter(|&i| i != at);
    let squares: Vec<f64> = steps.map(|i| (dot(x.row(i), &way) - dot(x.row(i - 1), &way)).powi(2)).collect();
    let along = squares.iter().sum::<f64>() / 2.0 / squares.len().max(1) as f64 / (1.0 - rho);
    let own = along.max(trace / d_eff);
    let means = 1.0 / at as f64 + 1.0 / (n - at) as f64;
    let jump = (length * length - trace * means).max(means * own);
    let error = trace * trace / d_eff * means / (own * jump);
    own * (1.0 + error) * (1.0 + rho) / (1.0 - rho)
}
