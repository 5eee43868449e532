//! The numbers that change points are searched in: a matrix of f64 rows, centred.

use super::super::rng::Random;
use crate::simd::double::products;
use rayon::prelude::*;

/// Rows that are projected at once.
const BLOCK: usize = 256;

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

    /// Divides each column by its standard deviation; columns that do not vary become 0.
    /// Expects a centred series.
    pub fn scale_columns(&mut self) {
        let n = self.len() as f64;
        let mut squares = vec![0.0; self.dim];
        for row in self.x.chunks_exact(self.dim) {
            squares.iter_mut().zip(row).for_each(|(s, v)| *s += v * v);
        }
        let factors: Vec<f64> = squares.iter().map(|&s| if s > 0.0 { (n / s).sqrt() } else { 0.0 }).collect();
        for row in self.x.chunks_exact_mut(self.dim) {
            row.iter_mut().zip(&factors).for_each(|(v, f)| *v *= f);
        }
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
    fn columns_are_centred_and_scaled() {
        let mut s = Series::new(vec![1.0, 5.0, 3.0, 5.0], 2);
        s.centre();
        s.scale_columns();
        assert_eq!(s.x, [-1.0, 0.0, 1.0, 0.0]);
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
