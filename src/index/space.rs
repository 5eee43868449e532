//! One Euclidean space for all metrics: where codes are made and graphs are walked.
//!
//! Cosine works on unit vectors, L2 on vectors scaled into the unit ball, and dot adds one
//! coordinate that brings every row to unit length, so that the nearest row is the one of the
//! largest product (Bachrach et al., RecSys 2014). A seeded rotation then spreads the variance
//! over all coordinates, which is what makes the codes of [`super::sq8`] and
//! [`super::onebit`] accurate for any spectrum.

use crate::metric::Metric;
use crate::simd::hadamard::walsh_hadamard;
use crate::simd::wide::norm;
use pulp::{Arch, NullaryFnOnce};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Coordinates come in multiples of this.
const PAD: usize = 64;

/// Maps rows and queries of a metric into the unit ball of a rotated space.
#[derive(Debug, Clone)]
pub struct Space {
    metric: Metric,
    dim: usize,
    padded: usize,
    /// Largest norm of a row; 1 for cosine.
    max_norm: f64,
    /// Signs of the rotation's rounds, +1 or -1, each `padded` long.
    signs: Vec<Vec<f32>>,
}

impl Space {
    /// A space for rows of `dim` values whose norms are at most `max_norm` (ignored by cosine).
    pub fn new(metric: Metric, dim: usize, max_norm: f64, seed: u64) -> Space {
        let coordinates = dim + usize::from(metric == Metric::Dot);
        let padded = coordinates.next_multiple_of(PAD);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x726f_7461_7465);
        let signs = (0..4)
            .map(|_| (0..padded).map(|_| if rng.random_bool(0.5) { 1.0 } else { -1.0 }).collect())
            .collect();
        let max_norm = match metric {
            Metric::Cosine => 1.0,
            _ if max_norm > 0.0 && max_norm.is_finite() => max_norm,
            _ => 1.0,
        };
        Space { metric, dim, padded, max_norm, signs }
    }

    /// Coordinates of the space, a multiple of 64.
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// Dimension of rows and queries.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Writes a row's place into `out`, `padded` long. False for a row without a place: a zero
    /// vector under cosine, which is nobody's neighbour.
    pub fn place_row(&self, x: &[f32], out: &mut [f32]) -> bool {
        let norm = norm(x);
        if norm == 0.0 && self.metric == Metric::Cosine {
            out.fill(0.0);
            return false;
        }
        let scale = if self.metric == Metric::Cosine { 1.0 / norm } else { 1.0 / self.max_norm };
        self.copy_scaled(x, scale, out);
        if self.metric == Metric::Dot {
            let share = (norm / self.max_norm).min(1.0);
            out[self.dim] = (1.0 - share * share).sqrt() as f32;
        }
        self.rotate(out);
        true
    }

    /// Writes a query's place into `out`. False when it has none: a zero vector, except under L2.
    pub fn place_query(&self, x: &[f32], out: &mut [f32]) -> bool {
        let norm = norm(x);
        if norm == 0.0 && self.metric != Metric::L2 {
            return false;
        }
        let scale = if self.metric == Metric::L2 { 1.0 / self.max_norm } else { 1.0 / norm };
        self.copy_scaled(x, scale, out);
        self.rotate(out);
        true
    }

    /// The metric's distance at a squared distance in the space; `query_norm` is the query's
    /// Euclidean norm, which only dot needs.
    pub fn distance(&self, squared: f64, query_norm: f64) -> f64 {
        match self.metric {
            Metric::Cosine => squared / 2.0,
            Metric::L2 => squared.max(0.0).sqrt() * self.max_norm,
            Metric::Dot => (squared / 2.0 - 1.0) * query_norm * self.max_norm,
        }
    }

    /// The inverse of [`Space::distance`].
    pub fn squared(&self, distance: f64, query_norm: f64) -> f64 {
        match self.metric {
            Metric::Cosine => 2.0 * distance,
            Metric::L2 => {
                let d = distance.max(0.0) / self.max_norm;
                d * d
            }
            Metric::Dot => 2.0 * (1.0 + distance / (query_norm * self.max_norm)),
        }
    }

    fn copy_scaled(&self, x: &[f32], scale: f64, out: &mut [f32]) {
        for (o, x) in out.iter_mut().zip(x) {
            *o = (f64::from(*x) * scale) as f32;
        }
        out[x.len()..].fill(0.0);
    }

    /// Random sign flips and Hadamard transforms over the first and the last power of two of
    /// coordinates, which overlap: an orthogonal map in O(n log n).
    fn rotate(&self, x: &mut [f32]) {
        Arch::new().dispatch(Rotation { space: self, x });
    }
}

struct Rotation<'a> {
    space: &'a Space,
    x: &'a mut [f32],
}

impl NullaryFnOnce for Rotation<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Rotation { space, x } = self;
        let power = 1 << space.padded.ilog2();
        for (round, signs) in space.signs.iter().enumerate() {
            for (x, s) in x.iter_mut().zip(signs) {
                *x *= s;
            }
            let start = if round % 2 == 0 { 0 } else { space.padded - power };
            walsh_hadamard(&mut x[start..start + power]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(n: usize, dim: usize) -> Vec<Vec<f32>> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        (0..n).map(|_| (0..dim).map(|_| rng.random_range(-3.0f32..3.0)).collect()).collect()
    }

    fn true_distance(metric: Metric, q: &[f32], x: &[f32]) -> f64 {
        let dot: f64 = q.iter().zip(x).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        match metric {
            Metric::Cosine => 1.0 - dot / norm(q) / norm(x),
            Metric::L2 => {
                q.iter().zip(x).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
            }
            Metric::Dot => -dot,
        }
    }

    #[test]
    fn squared_distances_in_the_space_are_those_of_the_metric() {
        for metric in [Metric::Cosine, Metric::L2, Metric::Dot] {
            for dim in [1, 3, 63, 64, 65, 200, 384] {
                let rows = sample(6, dim);
                let max = rows[1..].iter().map(|r| norm(r)).fold(0.0, f64::max);
                let space = Space::new(metric, dim, max, 7);
                let (mut q, mut x) = (vec![0.0; space.padded()], vec![0.0; space.padded()]);
                assert!(space.place_query(&rows[0], &mut q));
                for row in &rows[1..] {
                    assert!(space.place_row(row, &mut x));
                    let squared: f64 = q.iter().zip(&x).map(|(a, b)| f64::from(a - b).powi(2)).sum();
                    let want = true_distance(metric, &rows[0], row);
                    let got = space.distance(squared, norm(&rows[0]));
                    assert!((got - want).abs() < 1e-4 * (1.0 + want.abs()), "{metric:?} {dim}: {got} {want}");
                    let back = space.squared(got, norm(&rows[0]));
                    assert!((back - squared).abs() < 1e-6 * (1.0 + squared));
                }
            }
        }
    }

    #[test]
    fn a_zero_vector_has_no_place_under_cosine() {
        let space = Space::new(Metric::Cosine, 4, 1.0, 0);
        let mut out = vec![1.0; space.padded()];
        assert!(!space.place_row(&[0.0; 4], &mut out));
        assert!(Space::new(Metric::L2, 4, 0.0, 0).place_row(&[0.0; 4], &mut out));
    }
}
