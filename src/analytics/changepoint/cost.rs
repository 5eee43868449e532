//! What it costs to explain a stretch of the series by one mean, or by one straight line.
//!
//! Both costs are residual sums of squares over all dimensions, so splitting a stretch never
//! costs more: `cost(a, c) >= cost(a, b) + cost(b, c)`. The search relies on this, or on a weaker
//! form of it.

use super::series::Series;
use crate::analytics::geometry::{dot, squared_distance};
use pulp::{Arch, Simd, WithSimd};

/// Partial sums: fixed, so that results never depend on the machine.
pub(crate) const LANES: usize = 8;

/// The cost of rows `start..end`.
pub(crate) trait SegmentCost {
    /// Number of rows.
    fn len(&self) -> usize;
    /// The cost of rows `start..end`, at least 0.
    fn cost(&self, start: usize, end: usize) -> f64;

    /// What rows `b..c` add at least to the cost of any stretch that begins before `b`.
    fn rest(&self, b: usize, c: usize) -> f64 {
        self.cost(b, c)
    }

    /// Penalties by which a candidate must be worse before it is given up for good: 0 where
    /// splitting never costs more.
    fn patience(&self) -> f64 {
        0.0
    }
}

/// Residuals around the mean, by prefix sums: `Q_b - Q_a - |S_b - S_a|^2 / (b - a)`, O(dim).
pub(crate) struct MeanCost {
    dim: usize,
    /// `n + 1` rows of sums.
    sums: Vec<f64>,
    /// Sums of squared lengths.
    squares: Vec<f64>,
}

impl MeanCost {
    /// Expects a centred series.
    pub fn new(series: &Series) -> Self {
        let dim = series.dim;
        let mut sums = vec![0.0; (series.len() + 1) * dim];
        for i in 0..series.len() {
            let (before, after) = sums.split_at_mut((i + 1) * dim);
            let last = &before[i * dim..];
            for ((s, l), v) in after.iter_mut().zip(last).zip(series.row(i)) {
                *s = l + v;
            }
        }
        MeanCost { dim, sums, squares: prefix_squares(series) }
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.sums[i * self.dim..(i + 1) * self.dim]
    }
}

/// `|x_0|^2 + .. + |x_{i-1}|^2` for every i.
fn prefix_squares(series: &Series) -> Vec<f64> {
    let mut out = vec![0.0];
    let mut sum = 0.0;
    for i in 0..series.len() {
        sum += dot(series.row(i), series.row(i));
        out.push(sum);
    }
    out
}

impl SegmentCost for MeanCost {
    fn len(&self) -> usize {
        self.squares.len() - 1
    }

    fn cost(&self, a: usize, b: usize) -> f64 {
        let within = self.squares[b] - self.squares[a];
        (within - squared_distance(self.row(b), self.row(a)) / (b - a) as f64).max(0.0)
    }
}

/// Residuals around a least-squares line in the index, by prefix sums of x, |x|^2 and i x; O(dim).
pub(crate) struct LineCost {
    dim: usize,
    /// `n + 1` rows: sums of x, then sums of (i - mid) x.
    sums: Vec<f64>,
    squares: Vec<f64>,
    mid: f64,
}

impl LineCost {
    /// Expects a centred series.
    pub fn new(series: &Series) -> Self {
        let (n, dim) = (series.len(), series.dim);
        let mid = (n as f64 - 1.0) / 2.0;
        let mut sums = vec![0.0; (n + 1) * 2 * dim];
        for i in 0..n {
            let (before, after) = sums.split_at_mut((i + 1) * 2 * dim);
            let (s0, c0) = before[i * 2 * dim..].split_at(dim);
            let (s1, c1) = after[..2 * dim].split_at_mut(dim);
            let along = i as f64 - mid;
            for ((to, from), v) in s1.iter_mut().zip(s0).zip(series.row(i)) {
                *to = from + v;
            }
            for ((to, from), v) in c1.iter_mut().zip(c0).zip(series.row(i)) {
                *to = from + along * v;
            }
        }
        LineCost { dim, sums, squares: prefix_squares(series), mid }
    }
}

/// The sums over the rows between two rows of `LineCost::sums`: `|s|^2` and `|c|^2`, s of x, and c
/// of x times its distance from `middle`.
struct LineSums<'a> {
    from: &'a [f64],
    to: &'a [f64],
    middle: f64,
}

impl WithSimd for LineSums<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f64, f64) {
        let dim = self.from.len() / 2;
        let ((s0, c0), (s1, c1)) = (self.from.split_at(dim), self.to.split_at(dim));
        let (s0, s1, c0, c1) = (chunks(s0), chunks(s1), chunks(c0), chunks(c1));
        // One sum at a time: two in one loop are not turned into vector instructions.
        let (mut around_mean, mut along) = ([0.0f64; LANES], [0.0f64; LANES]);
        for (s0, s1) in s0.0.iter().zip(s1.0) {
            for l in 0..LANES {
                let s = s1[l] - s0[l];
                around_mean[l] += s * s;
            }
        }
        for ((s0, s1), (c0, c1)) in s0.0.iter().zip(s1.0).zip(c0.0.iter().zip(c1.0)) {
            for l in 0..LANES {
                let c = c1[l] - c0[l] - self.middle * (s1[l] - s0[l]);
                along[l] += c * c;
            }
        }
        let (mut around_mean, mut along) = (around_mean.iter().sum::<f64>(), along.iter().sum::<f64>());
        for ((s0, s1), (c0, c1)) in s0.1.iter().zip(s1.1).zip(c0.1.iter().zip(c1.1)) {
            let s = s1 - s0;
            let c = c1 - c0 - self.middle * s;
            around_mean += s * s;
            along += c * c;
        }
        (around_mean, along)
    }
}

#[inline(always)]
pub(crate) fn chunks(x: &[f64]) -> (&[[f64; LANES]], &[f64]) {
    x.as_chunks()
}

impl SegmentCost for LineCost {
    fn len(&self) -> usize {
        self.squares.len() - 1
    }

    fn cost(&self, a: usize, b: usize) -> f64 {
        let m = (b - a) as f64;
        // Index of the stretch's middle, in the centred index of the sums; spread of the index.
        let middle = (a + b - 1) as f64 / 2.0 - self.mid;
        let spread = m * (m * m - 1.0) / 12.0;
        let width = 2 * self.dim;
        let (from, to) = (&self.sums[a * width..(a + 1) * width], &self.sums[b * width..(b + 1) * width]);
        let (around_mean, along) = Arch::new().dispatch(LineSums { from, to, middle });
        let explained = around_mean / m + if spread > 0.0 { along / spread } else { 0.0 };
        (self.squares[b] - self.squares[a] - explained).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::rng::Random;

    fn noise(n: usize, dim: usize) -> Series {
        let mut random = Random::new(1, "test", 0);
        let mut s = Series::new((0..n * dim).map(|i| random.normal() + i as f64 * 0.01).collect(), dim);
        s.centre();
        s
    }

    fn around(series: &Series, a: usize, b: usize, line: bool) -> f64 {
        let m = series.mean(a, b);
        let centre = (a + b - 1) as f64 / 2.0;
        let spread: f64 = (a..b).map(|i| (i as f64 - centre).powi(2)).sum();
        let slope: Vec<f64> = (0..series.dim)
            .map(|d| (a..b).map(|i| (i as f64 - centre) * series.row(i)[d]).sum::<f64>() / spread)
            .collect();
        (a..b)
            .flat_map(|i| (0..series.dim).map(move |d| (i, d)))
            .map(|(i, d)| {
                let fit = m[d] + if line { slope[d] * (i as f64 - centre) } else { 0.0 };
                (series.row(i)[d] - fit).powi(2)
            })
            .sum()
    }

    #[test]
    fn costs_are_residual_sums_of_squares() {
        let s = noise(40, 3);
        let (mean, line) = (MeanCost::new(&s), LineCost::new(&s));
        for (a, b) in [(0, 40), (3, 9), (10, 12), (39, 40), (0, 1)] {
            let expected = around(&s, a, b, false);
            assert!((mean.cost(a, b) - expected).abs() < 1e-10);
            if b - a > 2 {
                assert!((line.cost(a, b) - around(&s, a, b, true)).abs() < 1e-10);
            } else {
                assert!(line.cost(a, b) < 1e-10);
            }
        }
        assert_eq!((mean.len(), line.len()), (40, 40));
    }

    #[test]
    fn splitting_never_costs_more() {
        let s = noise(30, 2);
        let (mean, line) = (MeanCost::new(&s), LineCost::new(&s));
        for (a, b, c) in [(0, 10, 30), (5, 6, 9), (2, 20, 21)] {
            assert!(mean.cost(a, c) >= mean.cost(a, b) + mean.cost(b, c) - 1e-10);
            assert!(line.cost(a, c) >= line.cost(a, b) + line.cost(b, c) - 1e-10);
        }
    }

    #[test]
    fn digits_survive_a_large_mean() {
        let mut s = Series::new((0..200).map(|i| 1e6 + f64::from(i % 2) * 1e-3).collect(), 1);
        s.centre();
        assert!((MeanCost::new(&s).cost(50, 150) - 100.0 * 2.5e-7).abs() < 1e-9);
    }
}
