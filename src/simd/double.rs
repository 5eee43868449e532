//! f64 in, f64 out, the same bits on every machine: what the analytics add up.
//!
//! As in `wide.rs` the sums run over a fixed number of partial sums without fused operations;
//! only the width of the registers differs between machines.

use pulp::{Arch, Simd, WithSimd};

/// Partial sums of one inner product in [`products`].
const LANES: usize = 4;
/// Rows on either side of a tile of [`products`]: twelve sums and four operands fill sixteen registers.
const TILE_A: usize = 4;
const TILE_B: usize = 3;

/// Inner products of every row of `a` with every row of `b`, `dim` values each: the product of
/// rows i and j goes to `out[i * stride + j]`.
///
/// # Panics
/// When `dim` is 0, or `out` does not hold all products.
pub fn products(a: &[f64], b: &[f64], dim: usize, out: &mut [f64], stride: usize) {
    Arch::new().dispatch(Products { a, b, dim, out, stride });
}

struct Products<'a> {
    a: &'a [f64],
    b: &'a [f64],
    dim: usize,
    out: &'a mut [f64],
    stride: usize,
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Products { a, b, dim, out, stride } = self;
        let (rows_a, rows_b) = (a.len() / dim, b.len() / dim);
        for j in (0..rows_b).step_by(TILE_B) {
            for i in (0..rows_a).step_by(TILE_A) {
                // Rows beyond the end repeat the last one; their products are dropped.
                let (mut from_a, mut from_b) = ([a; TILE_A], [b; TILE_B]);
                for (k, r) in from_a.iter_mut().enumerate() {
                    *r = row(a, dim, (i + k).min(rows_a - 1));
                }
                for (k, r) in from_b.iter_mut().enumerate() {
                    *r = row(b, dim, (j + k).min(rows_b - 1));
                }
                let sums = tile(from_a, from_b);
                for (k, sums) in sums.iter().enumerate().take(rows_a - i) {
                    let start = (i + k) * stride + j;
                    let used = TILE_B.min(rows_b - j);
                    out[start..start + used].copy_from_slice(&sums[..used]);
                }
            }
        }
    }
}

#[inline(always)]
fn row(rows: &[f64], dim: usize, i: usize) -> &[f64] {
    &rows[i * dim..(i + 1) * dim]
}

#[inline(always)]
fn tile(a: [&[f64]; TILE_A], b: [&[f64]; TILE_B]) -> [[f64; TILE_B]; TILE_A] {
    let (a4, b4) = (a.map(|r| r.as_chunks::<LANES>().0), b.map(|r| r.as_chunks::<LANES>().0));
    let chunks = a4[0].len();
    assert!(a4.iter().chain(&b4).all(|r| r.len() == chunks));
    let mut sums = [[[0.0f64; LANES]; TILE_B]; TILE_A];
    for c in 0..chunks {
        let y = [b4[0][c], b4[1][c], b4[2][c]];
        for i in 0..TILE_A {
            let x = a4[i][c];
            for j in 0..TILE_B {
                for l in 0..LANES {
                    sums[i][j][l] += x[l] * y[j][l];
                }
            }
        }
    }
    let mut out = [[0.0; TILE_B]; TILE_A];
    for i in 0..TILE_A {
        for j in 0..TILE_B {
            let s = &mut sums[i][j];
            let tail = a[i][chunks * LANES..].iter().zip(&b[j][chunks * LANES..]);
            s.iter_mut().zip(tail).for_each(|(s, (x, y))| *s += x * y);
            out[i][j] = (s[0] + s[2]) + (s[1] + s[3]);
        }
    }
    out
}

/// `keep * last + add`, value by value, into `out`.
pub fn decay(out: &mut [f64], last: &[f64], keep: f64, add: &[f64]) {
    Arch::new().dispatch(Decay { out, last, keep, add });
}

struct Decay<'a> {
    out: &'a mut [f64],
    last: &'a [f64],
    keep: f64,
    add: &'a [f64],
}

impl WithSimd for Decay<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for ((o, l), a) in self.out.iter_mut().zip(self.last).zip(self.add) {
            *o = self.keep * l + a;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize, seed: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * 0.7 + seed).sin()).collect()
    }

    #[test]
    fn products_of_all_shapes() {
        for (m, n, dim) in [(1, 1, 1), (4, 3, 8), (5, 7, 13), (9, 2, 3), (3, 10, 70)] {
            let (a, b) = (values(m * dim, 0.1), values(n * dim, 2.0));
            let stride = n + 2;
            let mut out = vec![7.0; m * stride];
            products(&a, &b, dim, &mut out, stride);
            for i in 0..m {
                for j in 0..n {
                    let plain: f64 = row(&a, dim, i).iter().zip(row(&b, dim, j)).map(|(x, y)| x * y).sum();
                    assert!((out[i * stride + j] - plain).abs() < 1e-12, "{m} {n} {dim}: {i} {j}");
                }
                assert_eq!(out[i * stride + n..(i + 1) * stride], [7.0, 7.0]);
            }
        }
    }

    #[test]
    fn decay_keeps_a_share() {
        let mut out = [0.0; 5];
        decay(&mut out, &[1.0, 2.0, 3.0, 4.0, 5.0], 0.5, &[1.0; 5]);
        assert_eq!(out, [1.5, 2.0, 2.5, 3.0, 3.5]);
    }
}
