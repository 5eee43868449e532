//! The numbers that change points are searched in: a matrix of f64 rows, centred.

use super::super::rng::Random;
use crate::simd::double::products;
use rayon::prelude::*;

/// Rows that are projected at once.
const BLOCK: usize = 256;

/// Fewer rows a direction do not show the shape of the noise.
const ROWS_PER_DIRECTION: usize = 4;
/// Share of a column's variance that may be rounding: vectors come in single precision.
const RANK_TOLERANCE: f64 = 1e-9;

/// `n` rows of `dim` values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub dim: usize,
    /// Row-major values.
    pub x: Vec<f64>,
}

impl Series {
    /// Takes row-major values.
    pub fn new(x: Vec<f64>, dim: usize) -> Self {
        debug_assert!(dim > 0 && x.len() % dim == 0);
        Series { dim, x }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.x.len() / self.dim
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.x[i * self.dim..(i + 1) * self.dim]
    }

    /// Rows `range` as a series of their own.
    pub fn part(&self, range: std::ops::Range<usize>) -> Series {
        Series::new(self.x[range.start * self.dim..range.end * self.dim].to_vec(), self.dim)
    }

    /// Mean of rows `a..b`, which is not empty.
    pub fn mean(&self, a: usize, b: usize) -> Vec<f64> {
        let mut mean = vec![0.0; self.dim];
        for row in self.x[a * self.dim..b * self.dim].chunks_exact(self.dim) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
        }
        mean.iter_mut().for_each(|m| *m /= (b - a) as f64);
        mean
    }

    /// Subtracts the mean of all rows, and returns it: prefix sums of large values lose digits.
    pub fn centre(&mut self) -> Vec<f64> {
        if self.x.is_empty() {
            return vec![0.0; self.dim];
        }
        let mean = self.mean(0, self.len());
        for row in self.x.chunks_exact_mut(self.dim) {
            row.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m);
        }
        mean
    }

    /// The rows in coordinates in which the noise, as differences of neighbours show it, has
    /// variance 1 along every direction: rotating, stretching or repeating columns changes nothing
    /// of what distances say then. Directions in which nothing moves are left out. Series too short
    /// to know their noise keep their directions and are scaled as a whole.
    pub fn whitened(&self) -> Series {
        let (n, dim) = (self.len(), self.dim);
        let mut s = vec![0.0; dim * dim];
        for i in 1..n {
            let step: Vec<f64> = self.row(i).iter().zip(self.row(i - 1)).map(|(b, a)| b - a).collect();
            for (row, x) in s.chunks_exact_mut(dim).zip(&step) {
                row.iter_mut().zip(&step).for_each(|(s, y)| *s += x * y / (2.0 * (n - 1) as f64));
            }
        }
        self.scaled_by(s)
    }

    /// The rows in coordinates in which they have variance 1 along every direction, whatever their order.
    pub fn standardised(&self) -> Series {
        let (n, dim) = (self.len(), self.dim);
        let mut s = vec![0.0; dim * dim];
        let mean = self.mean(0, n);
        for x in self.x.chunks_exact(dim) {
            let off: Vec<f64> = x.iter().zip(&mean).map(|(v, m)| v - m).collect();
            for (row, a) in s.chunks_exact_mut(dim).zip(&off) {
                row.iter_mut().zip(&off).for_each(|(s, b)| *s += a * b / n as f64);
            }
        }
        self.scaled_by(s)
    }

    /// The rows in coordinates in which the covariance `s`, row-major, is that of independent columns of variance 1.
    fn scaled_by(&self, s: Vec<f64>) -> Series {
        let (n, dim) = (self.len(), self.dim);
        let trace: f64 = (0..dim).map(|d| s[d * dim + d]).sum();
        if trace <= 0.0 {
            return self.clone();
        }
        if n < ROWS_PER_DIRECTION * dim {
            let scale = (dim as f64 / trace).sqrt();
            return Series::new(self.x.iter().map(|v| v * scale).collect(), dim);
        }
        let (order, root) = pivoted_root(s, dim);
        let rank = order.len();
        let mut out = Vec::with_capacity(n * rank);
        for row in self.x.chunks_exact(dim) {
            let start = out.len();
            for (k, &column) in order.iter().enumerate() {
                let known: f64 = (0..k).map(|l| root[l * dim + column] * out[start + l]).sum();
                out.push((row[column] - known) / root[k * dim + column]);
            }
        }
        Series::new(out, rank)
    }

    /// The rows in `to` random orthonormal directions, scaled to keep squared lengths on average.
    /// The directions depend on the dimensions alone.
    pub fn project(&self, to: usize) -> Series {
        let gain = (self.dim as f64 / to as f64).sqrt();
        let basis: Vec<f64> = orthonormal(to, self.dim).into_iter().map(|v| gain * v).collect();
        let mut out = vec![0.0; self.len() * to];
        let blocks = self.x.par_chunks(BLOCK * self.dim).zip(out.par_chunks_mut(BLOCK * to));
        blocks.for_each(|(rows, out)| products(rows, &basis, self.dim, out, to));
        Series::new(out, to)
    }
}

/// The pivots of a Cholesky factorisation of a covariance, the largest that is left first, and the
/// rows of the factor (Higham 2002, 10.3). Ends where what is left of a column is rounding.
fn pivoted_root(mut s: Vec<f64>, dim: usize) -> (Vec<usize>, Vec<f64>) {
    let first: Vec<f64> = (0..dim).map(|d| s[d * dim + d]).collect();
    let (mut order, mut root) = (Vec::new(), Vec::new());
    for _ in 0..dim {
        // By share, so that the unit of a column does not decide.
        let share = |d: usize| if first[d] > 0.0 { s[d * dim + d] / first[d] } else { 0.0 };
        let free = (0..dim).filter(|d| !order.contains(d));
        let Some(pivot) = free.max_by(|a, b| share(*a).total_cmp(&share(*b)).then(b.cmp(a))) else { break };
        if share(pivot) <= RANK_TOLERANCE {
            break;
        }
        let length = s[pivot * dim + pivot].sqrt();
        let row: Vec<f64> = (0..dim).map(|d| s[pivot * dim + d] / length).collect();
        for a in 0..dim {
            (0..dim).for_each(|b| s[a * dim + b] -= row[a] * row[b]);
        }
        order.push(pivot);
        root.extend(row);
    }
    (order, root)
}

/// `rows` random orthonormal directions in `dim` dimensions (Gram and Schmidt, twice).
fn orthonormal(rows: usize, dim: usize) -> Vec<f64> {
    use super::super::geometry::{dot, norm};
    let mut random = Random::new(0, "change point projection", dim as u64);
    let mut basis: Vec<f64> = Vec::with_capacity(rows * dim);
    for _ in 0..rows {
        let mut v: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
        for _ in 0..2 {
            for b in basis.chunks_exact(dim) {
                let w = dot(b, &v);
                v.iter_mut().zip(b).for_each(|(v, b)| *v -= w * b);
            }
        }
        let length = norm(&v);
        basis.extend(v.iter().map(|v| v / length));
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitening_knows_no_rotation_no_stretch_and_no_idle_column() {
        let mut random = Random::new(5, "test", 0);
        let s = Series::new((0..60 * 3).map(|_| random.normal()).collect(), 3);
        let distance = |s: &Series, i, j| crate::analytics::geometry::squared_distance(s.row(i), s.row(j));
        let mixed = |f: &dyn Fn(&[f64]) -> Vec<f64>| {
            let rows: Vec<Vec<f64>> = s.x.chunks_exact(3).map(f).collect();
            let dim = rows[0].len();
            Series::new(rows.concat(), dim).whitened()
        };
        let plain = s.whitened();
        let turned = mixed(&|r| vec![r[0] + r[1], 40.0 * (r[0] - r[1]), 0.01 * r[2] + r[0]]);
        let idle = mixed(&|r| vec![7.0, r[0], r[1], 2.0 * r[1] - r[0], r[2]]);
        assert_eq!((plain.dim, turned.dim, idle.dim), (3, 3, 3));
        for (i, j) in [(0, 59), (3, 17), (20, 21)] {
            let expected = distance(&plain, i, j);
            assert!((distance(&turned, i, j) / expected - 1.0).abs() < 1e-6);
            assert!((distance(&idle, i, j) / expected - 1.0).abs() < 1e-6);
        }
        let variance: f64 = (1..60).map(|i| distance(&plain, i, i - 1) / 2.0 / 59.0).sum();
        assert!((variance - 3.0).abs() < 1e-9);
    }

    #[test]
    fn projection_keeps_lengths_on_average_and_all_of_them_in_full() {
        let mut random = Random::new(3, "test", 0);
        let s = Series::new((0..40 * 30).map(|_| random.normal()).collect(), 30);
        let squared = |s: &Series| s.x.iter().map(|v| v * v).sum::<f64>();
        let full = s.project(30);
        assert!((squared(&full) / squared(&s) - 1.0).abs() < 1e-12);
        let half = squared(&s.project(15)) / squared(&s);
        assert!((0.9..1.1).contains(&half), "{half}");
    }
}
