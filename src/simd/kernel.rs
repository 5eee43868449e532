//! The step of a kernel: what happens to one register of each vector.

use pulp::Simd;

/// A sum over dimensions of a function of the two values there; 0 where both are 0, so
/// that padding with zeros changes nothing.
pub trait Kernel {
    /// `acc` plus the terms of the lanes of `a` and `b`.
    fn step<S: Simd>(simd: S, a: S::f32s, b: S::f32s, acc: S::f32s) -> S::f32s;
}

/// `sum a_i b_i`.
pub struct Dot;

/// `sum (a_i - b_i)^2`, from the differences: `|a|^2 + |b|^2 - 2 a.b` would cancel.
pub struct L2Squared;

impl Kernel for Dot {
    #[inline(always)]
    fn step<S: Simd>(simd: S, a: S::f32s, b: S::f32s, acc: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(a, b, acc)
    }
}

impl Kernel for L2Squared {
    #[inline(always)]
    fn step<S: Simd>(simd: S, a: S::f32s, b: S::f32s, acc: S::f32s) -> S::f32s {
        let d = simd.sub_f32s(a, b);
        simd.mul_add_e_f32s(d, d, acc)
    }
}
