//! Distances, angles and shares between two vectors, in f64 and in a fixed order.

use pulp::{Arch, Simd, WithSimd};
use std::cmp::Reverse;

/// Number of independent partial sums: fixed, so that results never depend on the machine.
const LANES: usize = 8;

/// Units in the last place of an f32 that a recomputed vector may be away by.
const ROUNDING: f64 = 4.0;

/// One dimension's part in a move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DimShare {
    /// The dimension, 0-based.
    pub dim: usize,
    /// Signed change of this dimension.
    pub delta: f64,
    /// Its part of the squared length of the move; all dimensions add to 1.
    pub share: f64,
}

/// Shorter vectors are summed without a choice of registers, which takes longer than they do.
const DISPATCH_FROM: usize = 16;

/// Sums `term(x_d, y_d)` over the dimensions.
#[inline]
pub(crate) fn sum_pairs<A, B>(x: &[A], y: &[B], term: impl Fn(f64, f64) -> f64) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    debug_assert_eq!(x.len(), y.len());
    if x.len() < DISPATCH_FROM {
        return sum_in_lanes(x, y, term);
    }
    Arch::new().dispatch(SumPairs { x, y, term })
}

struct SumPairs<'a, A, B, F> {
    x: &'a [A],
    y: &'a [B],
    term: F,
}

impl<A, B, F> WithSimd for SumPairs<'_, A, B, F>
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
    F: Fn(f64, f64) -> f64,
{
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        sum_in_lanes(self.x, self.y, self.term)
    }
}

/// The same bits whatever the registers: nothing is fused, and the order is fixed.
#[inline(always)]
fn sum_in_lanes<A, B>(x: &[A], y: &[B], term: impl Fn(f64, f64) -> f64) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let mut lanes = [0.0; LANES];
    let ((xs, x_tail), (ys, y_tail)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    let tail: f64 = x_tail.iter().zip(y_tail).map(|(&a, &b)| term(a.into(), b.into())).sum();
    for (a, b) in xs.iter().zip(ys) {
        for l in 0..LANES {
            lanes[l] += term(a[l].into(), b[l].into());
        }
    }
    lanes.iter().sum::<f64>() + tail
}

/// `|x - y|^2`.
pub(crate) fn squared_distance<A: Copy + Into<f64>, B: Copy + Into<f64>>(x: &[A], y: &[B]) -> f64 {
    sum_pairs(x, y, |a, b| (a - b) * (a - b))
}

/// `x . y`.
pub(crate) fn dot<A: Copy + Into<f64>, B: Copy + Into<f64>>(x: &[A], y: &[B]) -> f64 {
    sum_pairs(x, y, |a, b| a * b)
}

/// `|x|`.
pub(crate) fn norm<A: Copy + Into<f64>>(x: &[A]) -> f64 {
    dot(x, x).sqrt()
}

/// Euclidean distance of two vectors of the same length.
pub fn l2_distance<A: Copy + Into<f64>, B: Copy + Into<f64>>(x: &[A], y: &[B]) -> f64 {
    squared_distance(x, y).sqrt()
}

/// Cosine distance as half the squared chord of the unit vectors, which keeps its digits for
/// near vectors; `None` when either has length zero.
pub fn cosine_distance<A: Copy + Into<f64>, B: Copy + Into<f64>>(x: &[A], y: &[B]) -> Option<f64> {
    chords(x, y).map(|(minus, _)| minus / 2.0)
}

/// Angle in degrees as `2 atan2(|u - v|, |u + v|)` of the unit vectors; `None` when either has
/// length zero.
pub fn angle_deg<A: Copy + Into<f64>, B: Copy + Into<f64>>(x: &[A], y: &[B]) -> Option<f64> {
    chords(x, y).map(angle_of)
}

/// [`cosine_distance`] and [`angle_deg`] at once.
pub(crate) fn cosine_and_angle<A, B>(x: &[A], y: &[B]) -> Option<(f64, f64)>
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    chords(x, y).map(|chords| (chords.0 / 2.0, angle_of(chords)))
}

/// Vectors no longer than `largest` that differ by no more than this differ by rounding alone: they
/// hold f32 values, and the same computation in another order differs in their last digits.
pub(crate) fn rounding(largest: f64) -> f64 {
    ROUNDING * f64::from(f32::EPSILON) * largest
}

/// The angle in degrees between vectors of length 1.
pub(crate) fn angle_of_units(u: &[f64], v: &[f64]) -> f64 {
    let plus = sum_pairs(u, v, |a, b| (a + b) * (a + b));
    angle_of((squared_distance(u, v), plus))
}

fn angle_of((minus, plus): (f64, f64)) -> f64 {
    (2.0 * minus.sqrt().atan2(plus.sqrt())).to_degrees()
}

/// `(|u - v|^2, |u + v|^2)` of the unit vectors.
fn chords<A: Copy + Into<f64>, B: Copy + Into<f64>>(x: &[A], y: &[B]) -> Option<(f64, f64)> {
    let (a, b) = (norm(x), norm(y));
    if a == 0.0 || b == 0.0 {
        return None;
    }
    let part = |sign: f64| {
        sum_pairs(x, y, |p, q| {
            let d = p / a + sign * (q / b);
            d * d
        })
    };
    Some((part(-1.0), part(1.0)))
}

/// The dimensions with the largest shares of the move `delta`, ties to the lower dimension, and
/// the least number of dimensions whose shares add to 0.8. Nothing for a move of length zero.
pub(crate) fn attribute(delta: &[f64], top: usize) -> (Vec<DimShare>, Option<usize>) {
    let total = dot(delta, delta);
    if total == 0.0 {
        return (Vec::new(), None);
    }
    // Shares are not negative: their bits stand in the order of their values.
    let mut order: Vec<(Reverse<u64>, usize)> =
        delta.iter().enumerate().map(|(dim, &d)| (Reverse((d * d / total).to_bits()), dim)).collect();
    order.sort_unstable();
    let mut sum = 0.0;
    let pareto = order.iter().position(|&(Reverse(share), _)| {
        sum += f64::from_bits(share);
        sum >= 0.8
    });
    order.truncate(top);
    let named =
        |(Reverse(share), dim): (_, usize)| DimShare { dim, delta: delta[dim], share: f64::from_bits(share) };
    (order.into_iter().map(named).collect(), pareto.map(|p| p + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_vectors_keep_their_digits() {
        let x: Vec<f64> = (0..768).map(|i| (i as f64 * 0.37).sin()).collect();
        let mut y = x.clone();
        y[3] += 1e-9;
        let n = norm(&x);
        let expected = 0.5 * (1e-9 / n).powi(2) * (1.0 - (x[3] / n).powi(2));
        let found = cosine_distance(&x, &y).unwrap();
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} {expected}");
        assert_eq!(cosine_distance(&x, &x), Some(0.0));
        assert_eq!(angle_deg(&x, &x), Some(0.0));
    }

    #[test]
    fn opposite_and_right_angles() {
        assert_eq!(angle_deg(&[1.0f32, 0.0], &[0.0f32, 2.0]), Some(90.0));
        assert_eq!(angle_deg(&[1.0f32, 0.0], &[-3.0f32, 0.0]), Some(180.0));
        assert_eq!(cosine_distance(&[1.0f32, 0.0], &[-3.0f32, 0.0]), Some(2.0));
        assert_eq!(angle_deg(&[0.0f32, 0.0], &[1.0f32, 0.0]), None);
    }

    #[test]
    fn shares_add_to_one_and_ties_go_down() {
        let (top, pareto) = attribute(&[1.0, -2.0, 0.0, 2.0], 3);
        assert_eq!(top.iter().map(|s| s.dim).collect::<Vec<_>>(), [1, 3, 0]);
        assert_eq!(top[0].delta, -2.0);
        assert!((top.iter().map(|s| s.share).sum::<f64>() - 1.0).abs() < 1e-15);
        assert_eq!(pareto, Some(2));
        assert_eq!(attribute(&[0.0, 0.0], 3), (vec![], None));
    }
}
