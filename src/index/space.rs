//! One Euclidean space for all metrics: where codes are made and graphs are walked.
//!
//! A vector `x` first gets a place: its unit vector under cosine, itself under L2, and under dot
//! `(x / M, sqrt(1 - |x|^2 / M^2))` with the largest norm `M`, so that the nearest row is the one of the
//! largest product (Bachrach et al., RecSys 2014). Then the part's centre is taken away and the rest is
//! divided by its radius, in f64: embeddings lie in a narrow cone, or far from zero, and a code spends its
//! few bits on what tells rows apart only once their common part is gone. A seeded rotation at last spreads the
//! variance over all coordinates, so that the errors of [`super::sq8`] and [`super::onebit`] are accurate for any spectrum.

use crate::metric::Metric;
use crate::simd::hadamard::walsh_hadamard;
use crate::simd::wide::norm;
use pulp::{Arch, NullaryFnOnce};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Coordinates come in multiples of this.
const PAD: usize = 64;
/// A query further than this many radii from the centre is compared exactly: f32 leaves too few digits of
/// the differences between the rows' distances to it.
const FAR: f64 = 1e4;

/// Where a part's rows lie, before the rotation.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Largest norm of a row that has a place, under dot; else 1.
    pub max_norm: f64,
    /// What is taken away: `dim` coordinates, under dot one more.
    pub centre: Vec<f64>,
    /// What the rest is divided by, above 0.
    pub radius: f64,
}

impl Frame {
    /// The frame that changes nothing.
    #[cfg(test)]
    pub fn plain(metric: Metric, dim: usize, max_norm: f64) -> Frame {
        let radius = if metric == Metric::L2 { max_norm } else { 1.0 };
        Frame { max_norm, centre: vec![0.0; coordinates(metric, dim)], radius }
    }

    /// The place of a row before the centre is taken away; false for a row without one: a zero vector under cosine, a
    /// row longer than `max_norm` under dot.
    pub fn lift(&self, metric: Metric, x: &[f32], out: &mut Vec<f64>) -> bool {
        out.clear();
        let scale = match metric {
            Metric::L2 => 1.0,
            Metric::Cosine => norm(x),
            Metric::Dot => self.max_norm,
        };
        if scale == 0.0 {
            return false;
        }
        out.extend(x.iter().map(|x| f64::from(*x) / scale));
        if metric == Metric::Dot {
            let share = norm(x) / scale;
            if share > 1.0 {
                return false;
            }
            out.push(((1.0 - share) * (1.0 + share)).sqrt());
        }
        true
    }
}

/// Coordinates of a place before padding.
pub fn coordinates(metric: Metric, dim: usize) -> usize {
    dim + usize::from(metric == Metric::Dot)
}

/// Where a query lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// Among the rows, or near enough for codes.
    Near,
    /// Too far from all rows for codes, or without a direction under dot, where every product with it is 0.
    Far,
    /// Nowhere: a zero vector under cosine, which has no neighbours.
    Nowhere,
}

/// Maps rows and queries of a metric into a rotated space, near the unit ball.
#[derive(Debug, Clone)]
pub struct Space {
    metric: Metric,
    dim: usize,
    padded: usize,
    frame: Frame,
    /// Signs of the rotation's rounds, +1 or -1, each `padded` long.
    signs: Vec<Vec<f32>>,
}

impl Space {
    /// A space for rows of `dim` values in a frame.
    pub fn new(metric: Metric, dim: usize, frame: Frame, seed: u64) -> Space {
        let padded = coordinates(metric, dim).next_multiple_of(PAD);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x726f_7461_7465);
        let signs = (0..4)
            .map(|_| (0..padded).map(|_| if rng.random_bool(0.5) { 1.0 } else { -1.0 }).collect())
            .collect();
        Space { metric, dim, padded, frame, signs }
    }

    /// Coordinates of the space, a multiple of 64.
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Dimension of rows and queries.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Where the rows lie.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Writes a row's place into `out`, `padded` long. False for a row without a place, see [`Frame::lift`].
    pub fn place_row(&self, x: &[f32], out: &mut [f32]) -> bool {
        let mut lifted = Vec::with_capacity(self.frame.centre.len());
        if !self.frame.lift(self.metric, x, &mut lifted) {
            out.fill(0.0);
            return false;
        }
        self.settle(&lifted, out);
        true
    }

    /// Writes a query's place into `out`.
    pub fn place_query(&self, x: &[f32], out: &mut [f32]) -> Placed {
        let norm = norm(x);
        match self.metric {
            Metric::Cosine if norm == 0.0 => return Placed::Nowhere,
            Metric::Dot if norm == 0.0 => return Placed::Far,
            _ => {}
        }
        let scale = if self.metric == Metric::L2 { 1.0 } else { norm };
        let mut lifted: Vec<f64> = x.iter().map(|x| f64::from(*x) / scale).collect();
        lifted.resize(self.frame.centre.len(), 0.0);
        match self.settle(&lifted, out) <= FAR * FAR {
            true => Placed::Near,
            false => Placed::Far,
        }
    }

    /// The metric's distance at a squared distance in the space; `query_norm` is the query's
    /// Euclidean norm, which only dot needs.
    pub fn distance(&self, squared: f64, query_norm: f64) -> f64 {
        let radius = self.frame.radius;
        match self.metric {
            Metric::Cosine => squared * radius * radius / 2.0,
            Metric::L2 => squared.max(0.0).sqrt() * radius,
            Metric::Dot => (squared * radius * radius / 2.0 - 1.0) * query_norm * self.frame.max_norm,
        }
    }

    /// The inverse of [`Space::distance`].
    pub fn squared(&self, distance: f64, query_norm: f64) -> f64 {
        let radius = self.frame.radius;
        match self.metric {
            Metric::Cosine => 2.0 * distance / radius / radius,
            Metric::L2 => {
                let d = distance.max(0.0) / radius;
                d * d
            }
            Metric::Dot => 2.0 * (1.0 + distance / (query_norm * self.frame.max_norm)) / radius / radius,
        }
    }

    /// Takes the centre away, scales and rotates; returns the squared distance to the centre in radii.
    fn settle(&self, lifted: &[f64], out: &mut [f32]) -> f64 {
        let mut squared = 0.0;
        for ((o, x), c) in out.iter_mut().zip(lifted).zip(&self.frame.centre) {
            let d = (x - c) / self.frame.radius;
            squared += d * d;
            *o = d as f32;
        }
        out[lifted.len()..].fill(0.0);
        self.rotate(out);
        squared
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

    fn sample(n: usize, dim: usize, offset: f32) -> Vec<Vec<f32>> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut value = || offset + rng.random_range(-3.0f32..3.0);
        (0..n).map(|_| (0..dim).map(|_| value()).collect()).collect()
    }

    #[test]
    fn squared_distances_in_the_space_are_those_of_the_metric() {
        for (metric, offset) in Metric::ALL.into_iter().flat_map(|m| [0.0f32, 40.0].map(|offset| (m, offset)))
        {
            for dim in [1, 3, 63, 64, 65, 200, 384] {
                let rows = sample(6, dim, offset);
                let max = rows[1..].iter().map(|r| norm(r)).fold(0.0, f64::max);
                let mut frame = Frame::plain(metric, dim, max);
                let mut lifted = Vec::new();
                assert!(frame.lift(metric, &rows[1], &mut lifted));
                (frame.centre, frame.radius) = (lifted, frame.radius / 3.0);
                let space = Space::new(metric, dim, frame, 7);
                let (mut q, mut x) = (vec![0.0; space.padded()], vec![0.0; space.padded()]);
                assert_eq!(space.place_query(&rows[0], &mut q), Placed::Near);
                for row in &rows[1..] {
                    assert!(space.place_row(row, &mut x));
                    let squared: f64 = q.iter().zip(&x).map(|(a, b)| f64::from(a - b).powi(2)).sum();
                    let want = metric.exact(&rows[0], row).unwrap();
                    let got = space.distance(squared, norm(&rows[0]));
                    assert!((got - want).abs() < 1e-4 * (1.0 + want.abs()), "{metric:?} {dim}: {got} {want}");
                    let back = space.squared(got, norm(&rows[0]));
                    assert!((back - squared).abs() < 1e-6 * (1.0 + squared));
                }
            }
        }
    }

    #[test]
    fn what_has_no_place() {
        let space = |metric| Space::new(metric, 4, Frame::plain(metric, 4, 1.0), 0);
        let mut out = vec![1.0; 64];
        assert!(!space(Metric::Cosine).place_row(&[0.0; 4], &mut out));
        assert!(space(Metric::L2).place_row(&[0.0; 4], &mut out));
        assert!(!space(Metric::Dot).place_row(&[2.0; 4], &mut out));
        assert_eq!(space(Metric::Cosine).place_query(&[0.0; 4], &mut out), Placed::Nowhere);
        assert_eq!(space(Metric::Dot).place_query(&[0.0; 4], &mut out), Placed::Far);
        assert_eq!(space(Metric::L2).place_query(&[1e30; 4], &mut out), Placed::Far);
        assert_eq!(space(Metric::Dot).place_query(&[1e30; 4], &mut out), Placed::Near);
    }
}
