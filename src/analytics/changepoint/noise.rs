//! How large the noise is, along which directions, and how it remembers.
//!
//! Everything comes from differences of near points, which jumps hardly touch, and medians keep
//! the few that they do touch out.

use super::series::Series;
use crate::analytics::geometry::{dot, norm, squared_distance};
use crate::analytics::gram::gram;

/// At most this many pairs or lags of points are looked at; they are spread evenly.
const MAX_PAIRS: usize = 512;
const MAX_LAG_PAIRS: usize = 2048;
/// Largest lag-one coefficient that is told apart from a walk, and values tried up to it.
pub(crate) const MAX_PHI: f64 = 0.95;
const PHI_STEPS: u32 = 20;
/// Rounds of the power iteration for the largest eigenvalue.
const POWER_ROUNDS: usize = 60;

/// The shape of the noise covariance S: how many directions it effectively fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// `(tr S)^2 / tr S^2`, between 1 and the dimension.
    pub d_eff: f64,
    /// Largest eigenvalue over the trace.
    pub top: f64,
    /// 95 % quantile of the squared difference over its median.
    pub spread: f64,
}

impl Shape {
    /// From the directions of differences of disjoint pairs of neighbours. `None` when fewer
    /// than two pairs differ.
    pub fn of(series: &Series) -> Option<Shape> {
        let mut differences: Vec<Vec<f64>> = evenly(series.len() / 2, MAX_PAIRS)
            .map(|i| series.row(2 * i + 1).iter().zip(series.row(2 * i)).map(|(b, a)| b - a).collect())
            .collect();
        let mut squares: Vec<f64> = differences.iter().map(|z: &Vec<f64>| dot(z, z)).collect();
        let limit = 4.0 * median(&mut squares);
        let spread = if limit > 0.0 { 4.0 * squares[(squares.len() - 1) * 95 / 100] / limit } else { 1.0 };
        differences.retain(|z| {
            let s = dot(z, z);
            s > 0.0 && (s <= limit || limit == 0.0)
        });
        let m = differences.len();
        if m < 2 {
            return None;
        }
        let unit: Vec<f64> = differences.iter().flat_map(|z| scaled(z)).collect();
        let mut cosines = gram(&unit, series.dim);
        (0..m).for_each(|i| cosines[i * m + i] = 0.0);
        let mean_square = cosines.iter().map(|c| c * c).sum::<f64>() / (m * (m - 1)) as f64;
        let dim = series.dim as f64;
        let d_eff = (1.0 / mean_square.max(1.0 / dim)).max(1.0);
        let top = largest_eigenvalue(&cosines, m) / (m - 1) as f64;
        Some(Shape { d_eff, top: top.clamp(1.0 / d_eff, 1.0 / d_eff.sqrt()), spread })
    }

    /// The bound that `z'z / tr S`, z ~ N(0, S), exceeds with probability at most `exp(-x)`
    /// (Hsu, Kakade and Zhang 2012).
    pub fn tail(&self, x: f64) -> f64 {
        1.0 + 2.0 * (x / self.d_eff).sqrt() + 2.0 * self.top * x
    }

    /// Median of `z'z / tr S`, taken for a chi-square law with `d_eff` degrees of freedom
    /// (Wilson and Hilferty 1931).
    pub fn median(&self) -> f64 {
        (1.0 - 2.0 / (9.0 * self.d_eff)).powi(3)
    }

    /// True when squared differences spread much wider than Gaussian noise of this shape would.
    pub fn heavy_tails(&self) -> bool {
        self.spread > 1.0 + 2.2 * (2.0 / self.d_eff).sqrt() + 3.0 * self.top
    }
}

fn scaled(z: &[f64]) -> impl Iterator<Item = f64> + '_ {
    let length = norm(z);
    z.iter().map(move |v| v / length)
}

/// `0..n`, or `limit` values spread over it.
fn evenly(n: usize, limit: usize) -> impl Iterator<Item = usize> {
    let used = n.min(limit);
    (0..used).map(move |i| i * n / used)
}

/// Sorts, and returns the middle value (mean of the two middle ones); 0 without values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n == 0 { 0.0 } else { (values[(n - 1) / 2] + values[n / 2]) / 2.0 }
}

/// Largest eigenvalue of a symmetric matrix with a non-negative one, by power iteration on the
/// matrix shifted to be positive definite.
fn largest_eigenvalue(a: &[f64], n: usize) -> f64 {
    let shift = (0..n).map(|i| a[i * n..(i + 1) * n].iter().map(|v| v.abs()).sum()).fold(0.0f64, f64::max);
    let mut v = vec![1.0 / (n as f64).sqrt(); n];
    v.iter_mut().enumerate().for_each(|(i, x)| *x *= 1.0 + 0.1 * (i as f64).sin());
    let mut value = 0.0;
    for _ in 0..POWER_ROUNDS {
        let w: Vec<f64> = (0..n).map(|i| dot(&a[i * n..(i + 1) * n], &v) + shift * v[i]).collect();
        let length = norm(&w);
        if length == 0.0 {
            return 0.0;
        }
        value = length / norm(&v) - shift;
        v = w.into_iter().map(|x| x / length).collect();
    }
    value.max(0.0)
}

/// `V_k = median |x_{t+k} - x_t|^2 / 2` at lag `k`, over the median's own factor for Gaussian
/// noise, so that white noise of trace s gives s.
fn at_lag(series: &Series, lag: usize, shape: &Shape) -> f64 {
    let n = series.len();
    let mut squares: Vec<f64> = evenly(n - lag, MAX_LAG_PAIRS)
        .map(|i| squared_distance(series.row(i + lag), series.row(i)) / 2.0)
        .collect();
    let middle = median(&mut squares);
    // Series that mostly stand still have a median of 0: their mean says more.
    let kept = &squares[..squares.len() - squares.len() / 10];
    let value = if middle > 0.0 { middle } else { kept.iter().sum::<f64>() / kept.len().max(1) as f64 };
    value / shape.median()
}

/// The lags `k` and what [`at_lag`] says there, where it is positive.
pub(crate) fn variogram(series: &Series, shape: &Shape) -> Vec<(f64, f64)> {
    let points = lags(series.len()).into_iter().map(|k| (k as f64, at_lag(series, k, shape)));
    points.filter(|(_, v)| *v > 0.0).collect()
}

/// The lags 1, 2, 3, 4, 6, 8, 12, .. up to a tenth of the series, at least 3 of them.
fn lags(n: usize) -> Vec<usize> {
    let longest = (n / 10).max(4).min(n.saturating_sub(1));
    let mut out = vec![1];
    let mut power = 2;
    while power <= longest {
        out.push(power);
        if power + power / 2 <= longest {
            out.push(power + power / 2);
        }
        power *= 2;
    }
    out
}

/// Noise of variance `s` that forgets by `phi` a step, on a level that walks with variance `w`
/// a step: its variogram is `s (1 - phi^k) + w k / 2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Memory {
    pub phi: f64,
    pub s: f64,
    pub w: f64,
}

impl Memory {
    /// The least-squares fit, in relative errors, with s and w at least 0 and phi on a grid to 0.95.
    pub fn fit(variogram: &[(f64, f64)]) -> Memory {
        let mut best = (f64::INFINITY, Memory { phi: 0.0, s: 0.0, w: 0.0 });
        for step in 0..PHI_STEPS {
            let phi = MAX_PHI * f64::from(step) / f64::from(PHI_STEPS - 1);
            let fit = fit_weights(variogram, phi);
            if fit.0 < best.0 - 1e-12 {
                best = fit;
            }
        }
        best.1
    }
}

/// The best s and w for one phi, and their sum of squared relative errors.
fn fit_weights(points: &[(f64, f64)], phi: f64) -> (f64, Memory) {
    let (mut aa, mut ab, mut bb, mut a1, mut b1) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(k, v) in points {
        let (a, b) = ((1.0 - phi.powf(k)) / v, k / 2.0 / v);
        aa += a * a;
        ab += a * b;
        bb += b * b;
        a1 += a;
        b1 += b;
    }
    let only_s = (if aa > 0.0 { a1 / aa } else { 0.0 }, 0.0);
    let only_w = (0.0, if bb > 0.0 { b1 / bb } else { 0.0 });
    let determinant = aa * bb - ab * ab;
    let both = ((a1 * bb - b1 * ab) / determinant, (b1 * aa - a1 * ab) / determinant);
    let error = |(s, w): (f64, f64)| -> f64 {
        points.iter().map(|&(k, v)| ((s * (1.0 - phi.powf(k)) + w * k / 2.0) / v - 1.0).powi(2)).sum()
    };
    let mut best = (error(only_s), only_s);
    if error(only_w) < best.0 {
        best = (error(only_w), only_w);
    }
    if determinant > 1e-12 * aa * bb && both.0 >= 0.0 && both.1 >= 0.0 {
        best = (error(both), both);
    }
    (best.0, Memory { phi, s: best.1.0, w: best.1.1 })
}

/// Noise variance and lag-one coefficient from differences that cross none of the changes:
/// `trace S = mean |x_{i+1} - x_i|^2 / 2 / (1 - rho)`, rho from lag-two over lag-one differences,
/// in [0, 0.95].
pub(crate) fn within(series: &Series, changes: &[usize]) -> (f64, f64) {
    let mut sums = [(0.0, 0usize); 2];
    let starts = std::iter::once(0).chain(changes.iter().copied());
    let ends = changes.iter().copied().chain(std::iter::once(series.len()));
    for (a, b) in starts.zip(ends) {
        for (lag, (sum, count)) in (1..).zip(&mut sums) {
            for i in a + lag..b {
                *sum += squared_distance(series.row(i), series.row(i - lag));
                *count += 1;
            }
        }
    }
    let [one, two] = sums.map(|(sum, count)| sum / count.max(1) as f64);
    let rho = if one > 0.0 { (two / one - 1.0).clamp(0.0, MAX_PHI) } else { 0.0 };
    (one / 2.0 / (1.0 - rho), rho)
}

/// As [`within`], while the changes are not known: without the tenth of the differences that are
/// the largest, at either lag.
pub(crate) fn robust(series: &Series) -> (f64, f64) {
    let mean = |lag: usize| {
        let mut squares: Vec<f64> =
            (lag..series.len()).map(|i| squared_distance(series.row(i), series.row(i - lag))).collect();
        squares.sort_by(f64::total_cmp);
        let kept = &squares[..squares.len() - squares.len().div_ceil(10)];
        kept.iter().sum::<f64>() / kept.len().max(1) as f64
    };
    let (one, two) = (mean(1), mean(2));
    let rho = if one > 0.0 { (two / one - 1.0).clamp(0.0, MAX_PHI) } else { 0.0 };
    (one / 2.0 / (1.0 - rho), rho)
}
