//! Eight-bit codes of rows: one scale a row, integers in -127..=127.
//!
//! The scale is not the one that rounds best but the one for which the code's product with its own row is the row's
//! squared norm: what a code is off by is then orthogonal to the row. In the product of two codes the errors count
//! only by the parts of the rows that are orthogonal to each other, which are short between near rows and between short and long ones
//! (Gao and Long, SIGMOD 2024, use the same scaling for one bit). So codes order a tight group far from the origin.

use crate::simd::wide;
use pulp::{Arch, NullaryFnOnce};

/// What a code needs beside its integers.
#[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Terms {
    /// A coordinate is its integer times this, but for an error orthogonal to the row.
    pub scale: f32,
    /// Squared norm of the row itself, not of its code.
    pub norm2: f32,
}

/// Rounds `x` to integers in `code`, of equal length.
pub fn encode(x: &[f32], code: &mut [i8]) -> Terms {
    let norm2 = wide::dot(x, x);
    let along = Arch::new().dispatch(Rounding { x, code });
    // Without a product the row is its own error.
    let scale = if along > 0.0 { norm2 / along } else { 0.0 };
    Terms { scale: scale as f32, norm2: norm2 as f32 }
}

/// How far the point that a code stands for lies from the row.
pub fn error(code: &[i8], terms: Terms) -> f32 {
    // The error is orthogonal to the row.
    (coded_norm2(code, terms) - f64::from(terms.norm2)).max(0.0).sqrt() as f32
}

/// Squared norm of the point that a code stands for.
pub fn coded_norm2(code: &[i8], terms: Terms) -> f64 {
    let sum: i64 = code.iter().map(|c| i64::from(*c) * i64::from(*c)).sum();
    f64::from(terms.scale).powi(2) * sum as f64
}

struct Rounding<'a> {
    x: &'a [f32],
    code: &'a mut [i8],
}

impl NullaryFnOnce for Rounding<'_> {
    /// Product of the row and its integers.
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let mut tops = [0.0f32; 8];
        for x in self.x.chunks(8) {
            for (top, x) in tops.iter_mut().zip(x) {
                *top = top.max(x.abs());
            }
        }
        let top = tops.into_iter().fold(0.0, f32::max);
        if top < f32::MIN_POSITIVE * 128.0 {
            self.code.fill(0);
            return 0.0;
        }
        let inverse = 127.0 / top;
        let mut along = [0.0f64; 8];
        for (code, x) in self.code.chunks_mut(8).zip(self.x.chunks(8)) {
            for ((c, x), along) in code.iter_mut().zip(x).zip(&mut along) {
                let rounded = (x * inverse).round();
                *c = rounded as i8;
                *along += f64::from(rounded) * f64::from(*x);
            }
        }
        along.iter().sum()
    }
}

/// The coordinates that a code stands for.
pub fn decode(code: &[i8], terms: Terms, out: &mut [f32]) {
    for (o, c) in out.iter_mut().zip(code) {
        *o = f32::from(*c) * terms.scale;
    }
}

/// Squared distance of two rows from the dot product of their codes.
#[inline(always)]
pub fn squared(a: Terms, b: Terms, dot: i32) -> f32 {
    a.norm2 + b.norm2 - 2.0 * (a.scale * b.scale) * dot as f32
}

/// [`squared`] of one row against many.
pub fn squares(a: Terms, rows: &[Terms], dots: &[i32], out: &mut Vec<f32>) {
    out.clear();
    out.resize(rows.len(), 0.0);
    Arch::new().dispatch(Squares { a, rows, dots, out });
}

struct Squares<'s> {
    a: Terms,
    rows: &'s [Terms],
    dots: &'s [i32],
    out: &'s mut [f32],
}

impl NullaryFnOnce for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for ((out, row), dot) in self.out.iter_mut().zip(self.rows).zip(self.dots) {
            *out = squared(self.a, *row, *dot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::int8::Int8;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Worst error of squared distances of rows `apart` from each other at a distance from the origin, in the
    /// squared distance itself.
    fn worst(offset: f32, apart: f32) -> f32 {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        let d = 128;
        let home: Vec<f32> = (0..d).map(|_| offset * rng.random_range(-1.0f32..1.0)).collect();
        let mut worst = 0.0f32;
        for _ in 0..300 {
            let mut row =
                || -> Vec<f32> { home.iter().map(|h| h + apart * rng.random_range(-1.0f32..1.0)).collect() };
            let (x, y) = (row(), row());
            let (mut cx, mut cy) = (vec![0i8; d], vec![0i8; d]);
            let (tx, ty) = (encode(&x, &mut cx), encode(&y, &mut cy));
            let want: f32 = x.iter().zip(&y).map(|(a, b)| (a - b) * (a - b)).sum();
            let got = squared(tx, ty, Int8::detect().dot(&cx, &cy));
            worst = worst.max((got - want).abs() / want);
        }
        worst
    }

    #[test]
    fn near_rows_far_from_the_origin_keep_their_order() {
        assert!(worst(0.0, 1.0) < 0.01);
        assert!(worst(1.0, 0.1) < 0.03);
        assert!(worst(1.0, 0.03) < 0.1);
    }

    #[test]
    fn what_a_code_is_off_by_is_orthogonal_to_its_row() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let x: Vec<f32> = (0..64).map(|_| rng.random_range(-1.0f32..1.0)).collect();
        let (mut code, mut back) = (vec![0i8; 64], vec![0.0; 64]);
        let terms = encode(&x, &mut code);
        decode(&code, terms, &mut back);
        assert!((wide::dot(&x, &back) - wide::dot(&x, &x)).abs() < 1e-5);
        assert!((f64::from(error(&code, terms)) - wide::l2_squared(&x, &back).sqrt()).abs() < 1e-3);
    }

    #[test]
    fn a_zero_row_has_a_zero_code() {
        let mut code = [1i8; 4];
        assert_eq!(encode(&[0.0; 4], &mut code), Terms::default());
        assert_eq!(code, [0; 4]);
    }
}
