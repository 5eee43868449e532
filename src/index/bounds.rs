//! How far a distance from 8-bit codes can be from the true one.
//!
//! With unit-free errors `e_q` and `e_x` of both codes, orthogonal to their rows ([`super::sq8`]), the squared distance
//! `s` is off by `2 (e_q . x + q . e_x + e_q . e_x)`, of which only the parts of `q` and `x` orthogonal to each
//! other count; these are no longer than the rows, and no longer than `sqrt(s)`. The rotation makes the errors
//! point anywhere, so each product is about a `sqrt(P)`-th of the product of lengths, in `P` coordinates. Rows nearer to
//! each other than what their codes are off by are rounded alike: there `e_q . e_x` counts whole.

use super::sq8::{self, Terms};

/// Standard deviations of the error that are allowed for, where calibration saw no need for more.
pub const WIDTH: f32 = 4.0;
/// Rows within this many lengths of a code's error may be rounded alike: with independent Gaussian coordinates the errors
/// correlate by `exp(-1.64 (apart / e)^2)`, 4e-5 here.
const ALIKE: f32 = 2.5;
/// Rounding of f32 in a squared distance, over the squared norms of both rows.
const ROUNDING: f32 = 5e-7;

/// What a part knows of its codes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resolution {
    /// The largest error of a row's code over the row's norm.
    pub rough: f32,
    /// The largest norm of a row.
    pub largest: f32,
    /// Standard deviations of the error that are allowed for.
    pub width: f32,
}

impl Default for Resolution {
    fn default() -> Self {
        Resolution { rough: 0.0, largest: 0.0, width: WIDTH }
    }
}

/// Bounds on the squared distances of one query.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    of: Resolution,
    /// Norm of the query.
    norm: f32,
    /// Error of its code.
    error: f32,
    /// `2 width / sqrt(P)`.
    share: f32,
}

impl Bounds {
    /// For a query with this code.
    pub fn new(of: Resolution, code: &[i8], terms: Terms) -> Bounds {
        let share = 2.0 * of.width / (code.len().max(1) as f32).sqrt();
        Bounds { of, norm: terms.norm2.sqrt(), error: sq8::error(code, terms), share }
    }

    /// How far a squared distance `squared` by codes can be off, but for one row in some thousands.
    #[inline]
    pub fn likely(&self, squared: f32) -> f32 {
        let [a, b, c, rounding] = self.products(squared);
        let alike = ALIKE * ALIKE * (self.error * self.error).max(c);
        self.share * (a * a + b * b + c * c).sqrt() + rounding + if squared < alike { 2.0 * c } else { 0.0 }
    }

    /// How far it can be off at all.
    pub fn at_most(&self, squared: f32) -> f32 {
        let [a, b, c, rounding] = self.products(squared);
        2.0 * (a + b + c) + rounding
    }

    /// No row's squared distance is above this.
    pub fn farthest(&self) -> f64 {
        (f64::from(self.norm) + f64::from(self.of.largest)).powi(2) * 1.01
    }

    /// Lengths of the three products, and the rounding.
    #[inline]
    fn products(&self, squared: f32) -> [f32; 4] {
        let apart = squared.max(0.0).sqrt();
        // No row at this distance is longer.
        let longest = (self.norm + apart).min(self.of.largest);
        let error = self.of.rough * longest;
        let rounding = ROUNDING * (self.norm * self.norm + longest * longest);
        [self.error * longest.min(apart), error * self.norm.min(apart), self.error * error, rounding]
    }

    /// The squared distance by codes below which every row lies whose true one is below `limit`, as likely
    /// as [`Bounds::likely`] says.
    #[inline]
    pub fn reach(&self, limit: f32) -> f32 {
        if limit == f32::INFINITY {
            return limit;
        }
        // `s - likely(s)` grows with `s`: three rounds come within a thousandth of the error.
        let mut reach = limit;
        for _ in 0..3 {
            reach = limit + self.likely(reach);
        }
        reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::int8::Int8;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Near and far rows, long and short ones: the likely bound holds with room, and is not far too wide.
    #[test]
    fn errors_stay_within_their_bounds() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
        let d = 128;
        let mut gauss = |scale: f32| -> Vec<f32> {
            (0..d).map(|_| scale * (0..12).map(|_| rng.random_range(-0.5f32..0.5)).sum::<f32>()).collect()
        };
        for (query, row) in [(1.0f32, 1.0f32), (1.0, 0.01), (0.1, 1.0), (1.0, -0.1), (1.0, -0.003)] {
            let mut worst = 0.0f32;
            for _ in 0..300 {
                let q = gauss(query);
                // Negative: a row that near to the query.
                let mut x = gauss(row.abs());
                if row < 0.0 {
                    x.iter_mut().zip(&q).for_each(|(x, q)| *x += q);
                }
                let (mut cq, mut cx) = (vec![0i8; d], vec![0i8; d]);
                let (tq, tx) = (sq8::encode(&q, &mut cq), sq8::encode(&x, &mut cx));
                let length = tx.norm2.sqrt();
                let of = Resolution { rough: sq8::error(&cx, tx) / length, largest: length, width: WIDTH };
                let bounds = Bounds::new(of, &cq, tq);
                let got = sq8::squared(tq, tx, Int8::detect().dot(&cq, &cx));
                let want: f32 = q.iter().zip(&x).map(|(a, b)| (a - b) * (a - b)).sum();
                worst = worst.max((got - want).abs() / bounds.likely(got));
                assert!((got - want).abs() <= bounds.at_most(want.max(got)), "{query} {row}: {got} {want}");
                assert!(bounds.reach(want) >= got * (1.0 - 1e-6), "{want} {got}");
            }
            assert!(worst > 0.1 && worst < 1.0, "{query} {row}: {worst} of the bound");
        }
    }
}
