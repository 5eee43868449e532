//! Eight-bit codes of rows: one scale a row, integers in -127..=127.

use crate::simd::wide;
use pulp::{Arch, NullaryFnOnce};

/// What a code needs beside its integers.
#[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Terms {
    /// A coordinate is its integer times this.
    pub scale: f32,
    /// Squared norm of the row itself, not of its code.
    pub norm2: f32,
}

/// Rounds `x` to integers in `code`, of equal length.
pub fn encode(x: &[f32], code: &mut [i8]) -> Terms {
    let norm2 = wide::dot(x, x) as f32;
    let scale = Arch::new().dispatch(Rounding { x, code });
    Terms { scale, norm2 }
}

struct Rounding<'a> {
    x: &'a [f32],
    code: &'a mut [i8],
}

impl NullaryFnOnce for Rounding<'_> {
    type Output = f32;

    #[inline(always)]
    fn call(self) -> f32 {
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
        for (c, x) in self.code.iter_mut().zip(self.x) {
            *c = (x * inverse).round() as i8;
        }
        top / 127.0
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

/// Variance of [`squared`] between rows of norm up to 1 in `dim` coordinates: each coordinate
/// is off by a uniform error of up to half a scale, in a direction independent of the other row.
pub fn variance(a: Terms, b: Terms) -> f32 {
    let (a2, b2) = (a.scale * a.scale / 12.0, b.scale * b.scale / 12.0);
    4.0 * (a2 * b.norm2 + b2 * a.norm2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::int8::Int8;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn distances_stay_within_the_stated_error() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        let d = 128;
        let mut worst = 0.0f32;
        for _ in 0..300 {
            let mut row = || -> Vec<f32> { (0..d).map(|_| rng.random_range(-0.1f32..0.1)).collect() };
            let (x, y) = (row(), row());
            let (mut cx, mut cy) = (vec![0i8; d], vec![0i8; d]);
            let (tx, ty) = (encode(&x, &mut cx), encode(&y, &mut cy));
            let want: f32 = x.iter().zip(&y).map(|(a, b)| (a - b) * (a - b)).sum();
            let got = squared(tx, ty, Int8::detect().dot(&cx, &cy));
            worst = worst.max((got - want).abs() / variance(tx, ty).sqrt());
        }
        assert!(worst > 1.0 && worst < 5.0, "{worst} standard deviations");
    }

    #[test]
    fn a_zero_row_has_a_zero_code() {
        let mut code = [1i8; 4];
        assert_eq!(encode(&[0.0; 4], &mut code), Terms::default());
        assert_eq!(code, [0; 4]);
    }
}
