//! f32 in, f64 accumulated: the exact distances that are printed.
//!
//! The sums run over `LANES` interleaved partial sums, combined in one fixed order, and use no
//! fused operations: every machine, instruction set and thread count gives the same bits.

use pulp::{Arch, NullaryFnOnce};

/// Partial sums, a multiple of the widest register of f64.
const LANES: usize = 8;

/// Inner product of two vectors of equal length.
///
/// # Panics
/// When the lengths differ.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum(
        a,
        b,
        #[inline(always)]
        |a, b| a * b,
    )
}

/// Squared Euclidean distance of two vectors of equal length.
///
/// # Panics
/// When the lengths differ.
pub fn l2_squared(a: &[f32], b: &[f32]) -> f64 {
    sum(
        a,
        b,
        #[inline(always)]
        |a, b| (a - b) * (a - b),
    )
}

/// Euclidean norm. Neither overflows nor underflows for finite f32 values.
pub fn norm(a: &[f32]) -> f64 {
    dot(a, a).sqrt()
}

/// `|a * scale_a - b * scale_b|^2`: with inverse norms as scales, the squared chord between
/// the directions of `a` and `b`.
///
/// # Panics
/// When the lengths differ.
pub fn chord_squared(a: &[f32], scale_a: f64, b: &[f32], scale_b: f64) -> f64 {
    sum(
        a,
        b,
        #[inline(always)]
        |a, b| {
            let d = a * scale_a - b * scale_b;
            d * d
        },
    )
}

/// `|a * scale_a + b * scale_b|^2`.
///
/// # Panics
/// When the lengths differ.
pub fn sum_squared(a: &[f32], scale_a: f64, b: &[f32], scale_b: f64) -> f64 {
    chord_squared(a, scale_a, b, -scale_b)
}

/// Sums a term over all dimensions in the fixed order.
#[inline]
fn sum(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    assert_eq!(a.len(), b.len(), "vectors of different dimension");
    Arch::new().dispatch(Sum { a, b, term })
}

/// A struct, since a closure given to `dispatch` is compiled for the least instruction set.
struct Sum<'a, T> {
    a: &'a [f32],
    b: &'a [f32],
    term: T,
}

impl<T: Fn(f64, f64) -> f64> NullaryFnOnce for Sum<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let (a8, a_tail) = self.a.as_chunks::<LANES>();
        let (b8, b_tail) = self.b.as_chunks::<LANES>();
        let mut acc = [0.0f64; LANES];
        for (a, b) in a8.iter().zip(b8) {
            for i in 0..LANES {
                acc[i] += (self.term)(f64::from(a[i]), f64::from(b[i]));
            }
        }
        for (i, (a, b)) in a_tail.iter().zip(b_tail).enumerate() {
            acc[i] += (self.term)(f64::from(*a), f64::from(*b));
        }
        ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]))
    }
}
