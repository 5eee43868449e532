//! How errors grow, learned from the errors themselves.
//!
//! Within the window of a horizon the logarithm of the error over the history's step is fitted
//! by weighted least squares on three things in which a new case can differ from the old ones:
//! its exact horizon, the time between its points, and the length of its history. What is left
//! is nearly exchangeable, and its quantile becomes the radius (normalised conformal prediction,
//! Papadopoulos et al. 2008). Nothing is assumed of the process: errors of a walk grow with the
//! root of time, those around a level stand still, and the fit says which.

use super::Method;
use super::minimize::inverse;
use super::rolling::Case;
use super::window::Weights;

/// Coefficients whose square is below this many times their variance count as nothing.
const SHRINK: f64 = 4.0;
/// Differences of a regressor below this teach nothing: of horizons, steps and lengths. From 20 to
/// 24 points of history nothing can be carried to 40.
const MIN_SPREAD: [f64; 3] = [1e-4, 1e-4, 0.03];
/// What a coefficient can be: errors that stand still or grow up to the square of time; steps that
/// matter as for a walk or a line; and longer histories that help at most as if a sixteenth of
/// their points were independent.
const BOUNDS: [[f64; 2]; 3] = [[-1.0, 2.0], [-1.5, 0.5], [-0.5, 2.0]];
/// Multiples of the range seen by which a new history may lie outside it.
const REACH: f64 = 3.0;
/// Errors smaller than the median by this factor (of e) count as that small.
const FLOOR: f64 = 5.0;

/// What length of history does to errors.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Length {
    /// As where the points are noise around what the method fits.
    Noise,
    /// As where the points wander.
    Wander,
}

/// What of a case the errors depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    /// Points of history.
    pub points: usize,
    /// Mean time between them, in seconds.
    pub step_s: f64,
    /// Seconds ahead.
    pub horizon_s: f64,
}

impl Traits {
    pub fn of(case: &Case) -> Traits {
        Traits { points: case.history, step_s: case.step_s, horizon_s: case.horizon_s }
    }

    /// What the log of the error is linear in, nearly, as a history of `n` points grows. For a
    /// line, the log of the standard error of the prediction under white noise. For what is
    /// averaged or fitted otherwise the root of 1 / n: independent points would have 1 / n, points
    /// that remember something nearer to ln n; carried from 13 to 24 points of an Ornstein-Uhlenbeck
    /// process to 40, the three are off by 0.5, 1.4 and -1.0 % (mean of all points, 16 steps ahead,
    /// forgetting 22 % a step). For the mean of a walk, the distance from it.
    fn length(&self, kind: Length, method: Method, window: usize) -> f64 {
        let n = self.points as f64;
        let ahead = self.horizon_s / self.step_s;
        match (kind, method) {
            (Length::Noise, Method::Trend) => {
                let n = self.points.min(window) as f64;
                let leverage = (ahead + (n - 1.0) / 2.0).powi(2) * 12.0 / (n * (n * n - 1.0));
                0.5 * (1.0 + 1.0 / n + leverage).ln()
            }
            (Length::Noise, _) => n.powf(-0.5),
            (Length::Wander, _) => 0.5 * (ahead + n / 3.0).ln(),
        }
    }
}

/// Log of the standard error that `terms` fitted numbers add where points are independent, by
/// [`Traits::length`] of [`Length::Noise`]. The fit starts from it, so that where histories of one
/// length only could be tried it is not zero.
fn fitted(method: Method, length: f64) -> f64 {
    let terms = match method {
        Method::Mean | Method::Ou | Method::Holt => 1.0,
        // Two waves and a level; three waves have seven, a period of few steps fewer.
        Method::Season => 5.0,
        Method::Last | Method::Linear | Method::Trend | Method::Node => 0.0,
    };
    0.5 * (1.0 + terms * length * length).ln()
}

/// A regressor: where it was centred, its coefficient and the range in which it may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Slope {
    centre: f64,
    by: f64,
    range: [f64; 2],
}

impl Slope {
    fn at(&self, value: f64) -> f64 {
        if self.by == 0.0 { 0.0 } else { self.by * (value.clamp(self.range[0], self.range[1]) - self.centre) }
    }
}

/// The fitted growth of one method's errors around a horizon.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Growth {
    horizon: Slope,
    step: Slope,
    length: Slope,
    kind: Length,
}

impl Growth {
    /// Fits the logarithms `y` of the scores of `cases`; `horizon_s` is what they stand for.
    pub fn fit(
        cases: &[&Case],
        y: &[f64],
        weights: &Weights,
        horizon_s: f64,
        method: Method,
        window: usize,
    ) -> Growth {
        let traits: Vec<Traits> = cases.iter().map(|c| Traits::of(c)).collect();
        let horizon: Vec<f64> = traits.iter().map(|t| (t.horizon_s / horizon_s).ln()).collect();
        let step: Vec<f64> = traits.iter().map(|t| t.step_s.ln()).collect();
        let mut y = floored(y);
        for (y, t) in y.iter_mut().zip(&traits) {
            *y -= fitted(method, t.length(Length::Noise, method, window));
        }
        let with = |kind: Length| {
            let length = traits.iter().map(|t| t.length(kind, method, window)).collect();
            let (slopes, rest) = least_squares(&[horizon.clone(), step.clone(), length], &y, weights);
            (Growth { horizon: slopes[0], step: slopes[1], length: slopes[2], kind }, rest)
        };
        let (mut best, rest) = with(Length::Noise);
        // Only the mean of all points gets worse with a longer history, where points wander.
        if method == Method::Mean {
            let (wander, other) = with(Length::Wander);
            if other < rest * (1.0 - SHRINK / weights.effective) {
                best = wander;
            }
        }
        // Scores are carried to this horizon, wherever the cases lie.
        best.horizon.centre = 0.0;
        best
    }

    /// What is to be added to the logarithm of a score at the window's horizon, for these traits.
    pub fn at(&self, t: &Traits, horizon_s: f64, method: Method, window: usize) -> f64 {
        self.horizon.at((t.horizon_s / horizon_s).ln())
            + self.step.at(t.step_s.ln())
            + self.length.at(t.length(self.kind, method, window))
            + fitted(method, t.length(Length::Noise, method, window))
    }
}

/// One error that happens to be next to nothing must not bend the fit.
fn floored(y: &[f64]) -> Vec<f64> {
    let middle = super::rolling::median(y.iter().copied()).unwrap_or(0.0);
    y.iter().map(|v| v.max(middle - FLOOR)).collect()
}

/// Weighted least squares with an intercept. Coefficients are drawn to 0 by their uncertainty
/// (as by James and Stein, 1961, one by one). Also the weighted sum of squares that is left.
fn least_squares(columns: &[Vec<f64>; 3], y: &[f64], weights: &Weights) -> ([Slope; 3], f64) {
    let w = &weights.each;
    let whole: f64 = w.iter().sum();
    let mean = |v: &[f64]| v.iter().zip(w).map(|(v, w)| v * w).sum::<f64>() / whole;
    let mut slopes = [Slope::default(); 3];
    let y_mean = mean(y);
    for (slope, column) in slopes.iter_mut().zip(columns) {
        slope.centre = mean(column);
        let (low, high) =
            column.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
        slope.range = [low - REACH * (high - low), high + REACH * (high - low)];
    }
    let wide = |k: &usize| slopes[*k].range[1] - slopes[*k].range[0] > (1.0 + 2.0 * REACH) * MIN_SPREAD[*k];
    let mut used: Vec<usize> = (0..3).filter(wide).collect();
    let product = |a: &dyn Fn(usize) -> f64, b: &dyn Fn(usize) -> f64| {
        (0..y.len()).map(|i| w[i] * a(i) * b(i)).sum::<f64>() / whole
    };
    let centres = slopes.map(|s| s.centre);
    let centred = |k: usize| move |i: usize| columns[k][i] - centres[k];
    let off = |i: usize| y[i] - y_mean;
    let total = product(&off, &off);
    while !used.is_empty() {
        let spare = weights.effective - used.len() as f64 - 1.0;
        let row = |&i: &usize| used.iter().map(|&j| product(&centred(i), &centred(j))).collect();
        let right: Vec<f64> = used.iter().map(|&i| product(&centred(i), &off)).collect();
        let Some(inverse) = inverse(used.iter().map(row).collect()).filter(|_| spare > 1.0) else {
            used.pop();
            continue;
        };
        let by: Vec<f64> =
            inverse.iter().map(|row| row.iter().zip(&right).map(|(a, b)| a * b).sum()).collect();
        let rest = (total - by.iter().zip(&right).map(|(a, b)| a * b).sum::<f64>()).max(0.0);
        for (a, &k) in used.iter().enumerate() {
            let variance = rest * inverse[a][a] / spare;
            let square = by[a] * by[a];
            if square > SHRINK * variance {
                let [low, high] = BOUNDS[k];
                slopes[k].by = (by[a] * (1.0 - SHRINK * variance / square)).clamp(low, high);
            }
        }
        return (slopes, rest);
    }
    (slopes, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::rng::Random;

    fn columns(n: usize, seed: u64) -> ([Vec<f64>; 3], Random) {
        let mut random = Random::new(seed, "growth", 0);
        let columns = [(); 3].map(|()| (0..n).map(|_| random.unit()).collect());
        (columns, random)
    }

    fn weights(n: usize) -> Weights {
        Weights { each: vec![1.0; n], effective: n as f64 }
    }

    #[test]
    fn clear_slopes_are_found_and_noise_has_none() {
        let (x, mut random) = columns(400, 1);
        let y: Vec<f64> =
            (0..400).map(|i| 2.0 + 0.5 * x[0][i] + 1.5 * x[2][i] + 0.03 * random.normal()).collect();
        let (slopes, rest) = least_squares(&x, &y, &weights(400));
        assert!((slopes[0].by - 0.5).abs() < 0.02 && (slopes[2].by - 1.5).abs() < 0.02, "{slopes:?}");
        assert!(slopes[1].by.abs() < 0.02 && (rest.sqrt() - 0.03).abs() < 0.01, "{slopes:?} {rest}");
        let noise: Vec<f64> = (0..400).map(|_| random.normal()).collect();
        let (slopes, _) = least_squares(&x, &noise, &weights(400));
        assert!(slopes.iter().filter(|s| s.by == 0.0).count() >= 2, "{slopes:?}");
    }

    #[test]
    fn equal_and_dependent_regressors_are_left_out() {
        let (mut x, _) = columns(50, 2);
        x[1] = vec![3.0; 50];
        let y = x[0].clone();
        let (slopes, _) = least_squares(&x, &y, &weights(50));
        assert!((slopes[0].by - 1.0).abs() < 1e-9 && slopes[1].by == 0.0, "{slopes:?}");
        x[2] = x[0].clone();
        let (slopes, _) = least_squares(&x, &y, &weights(50));
        assert!((slopes[0].by - 1.0).abs() < 1e-9 && slopes[2].by == 0.0, "{slopes:?}");
        let few = x.map(|c| c[..2].to_vec());
        assert!(least_squares(&few, &y[..2], &weights(2)).0.iter().all(|s| s.by == 0.0));
    }

    #[test]
    fn theory_of_lengths() {
        let t = Traits { points: 5, step_s: 2.0, horizon_s: 8.0 };
        // A line through 5 points, 4 steps ahead of the last: 1 + 1/5 + 6^2 / 10.
        assert!((t.length(Length::Noise, Method::Trend, 20) - 0.5 * 4.8f64.ln()).abs() < 1e-12);
        assert!((t.length(Length::Noise, Method::Mean, 20) - 0.2f64.sqrt()).abs() < 1e-12);
        assert!((t.length(Length::Wander, Method::Mean, 20) - 0.5 * (4.0 + 5.0 / 3.0f64).ln()).abs() < 1e-12);
    }
}
