//! What it costs to explain a stretch by one level under noise that remembers its last value.
//!
//! The level's filter with a walk of 0 is a weighted least-squares fit: with
//! `y_t = x_t - phi x_{t-1}` and `z = (1 - phi) x` of the first row, which counts
//! `(1 + phi) / (1 - phi)` times, the cost is what the weighted mean leaves over. So prefix sums
//! give it in O(dim), whatever the length.

use super::cost::{LANES, SegmentCost, chunks};
use super::series::Series;
use crate::analytics::geometry::{dot, squared_distance};
use pulp::{Arch, Simd, WithSimd};

/// Residuals around a level under autoregressive noise, in squared innovations.
pub(crate) struct RecallingCost<'a> {
    series: &'a Series,
    phi: f64,
    /// `n + 1` rows of sums of y; the first row of all has no y and adds nothing.
    sums: Vec<f64>,
    /// Sums of squared lengths of y.
    squares: Vec<f64>,
}

impl<'a> RecallingCost<'a> {
    /// Expects a centred series.
    pub fn new(series: &'a Series, phi: f64) -> Self {
        let dim = series.dim;
        let mut sums = vec![0.0; (series.len() + 1) * dim];
        let mut squares = vec![0.0; series.len() + 1];
        let mut y = vec![0.0; dim];
        for i in 1..series.len() {
            let pair = series.row(i).iter().zip(series.row(i - 1));
            y.iter_mut().zip(pair).for_each(|(y, (x, before))| *y = x - phi * before);
            squares[i + 1] = squares[i] + dot(&y, &y);
            let (before, after) = sums.split_at_mut((i + 1) * dim);
            let last = &before[i * dim..];
            after.iter_mut().zip(last).zip(&y).for_each(|((s, l), v)| *s = l + v);
        }
        RecallingCost { series, phi, sums, squares }
    }

    fn sum(&self, i: usize) -> &[f64] {
        let dim = self.series.dim;
        &self.sums[i * dim..(i + 1) * dim]
    }
}

/// `|to - from + weight first|^2`.
struct Total<'a> {
    from: &'a [f64],
    to: &'a [f64],
    first: &'a [f64],
    weight: f64,
}

impl WithSimd for Total<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let (from, to, first) = (chunks(self.from), chunks(self.to), chunks(self.first));
        let mut acc = [0.0f64; LANES];
        for ((from, to), first) in from.0.iter().zip(to.0).zip(first.0) {
            for l in 0..LANES {
                let s = to[l] - from[l] + self.weight * first[l];
                acc[l] += s * s;
            }
        }
        let rest = from.1.iter().zip(to.1).zip(first.1);
        let square = |((from, to), first): ((&f64, &f64), &f64)| (to - from + self.weight * first).powi(2);
        acc.iter().sum::<f64>() + rest.map(square).sum::<f64>()
    }
}

impl SegmentCost for RecallingCost<'_> {
    fn len(&self) -> usize {
        self.series.len()
    }

    fn cost(&self, a: usize, b: usize) -> f64 {
        let weight = (1.0 + self.phi) / (1.0 - self.phi);
        let scale = 1.0 - self.phi;
        let first = self.series.row(a);
        let squares = self.squares[b] - self.squares[a + 1] + weight * scale * scale * dot(first, first);
        let (from, to) = (self.sum(a + 1), self.sum(b));
        let total = Arch::new().dispatch(Total { from, to, first, weight: weight * scale });
        (squares - total / ((b - a - 1) as f64 + weight)).max(0.0)
    }

    /// Rows `b..c` of a stretch that began before: the best level for them alone.
    fn rest(&self, b: usize, c: usize) -> f64 {
        let within = self.squares[c] - self.squares[b];
        (within - squared_distance(self.sum(c), self.sum(b)) / (c - b) as f64).max(0.0)
    }

    /// A stretch that begins at b also pays for its first row, which its own past predicted: by
    /// how much is not bounded.
    fn patience(&self) -> f64 {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::rng::Random;

    /// The filter's recursion: squared errors of predicting each row, over their variances.
    fn filtered(s: &Series, phi: f64, a: usize, b: usize) -> f64 {
        let mut p = (1.0 - phi) / (1.0 + phi);
        let mut level: Vec<f64> = s.row(a).iter().map(|x| (1.0 - phi) * x).collect();
        let mut cost = 0.0;
        for i in a + 1..b {
            let gain = p / (1.0 + p);
            for (d, m) in level.iter_mut().enumerate() {
                let v = s.row(i)[d] - phi * s.row(i - 1)[d] - *m;
                cost += v * v / (1.0 + p);
                *m += gain * v;
            }
            p = gain;
        }
        cost
    }

    #[test]
    fn is_the_cost_of_the_filter_and_the_rest_is_a_bound() {
        let mut random = Random::new(1, "test", 0);
        let mut s = Series::new((0..120).map(|_| random.normal()).collect(), 3);
        s.centre();
        for phi in [0.0, 0.3, 0.9] {
            let cost = RecallingCost::new(&s, phi);
            for (a, b, c) in [(0, 1, 40), (0, 7, 40), (5, 6, 9), (12, 30, 31), (3, 20, 39)] {
                assert!((cost.cost(a, b) - filtered(&s, phi, a, b)).abs() < 1e-9, "{phi} {a}..{b}");
                let added = cost.cost(a, c) - cost.cost(a, b);
                assert!(cost.rest(b, c) <= added + 1e-9, "{phi} {a} {b} {c}");
            }
        }
    }
}
