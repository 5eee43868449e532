//! The nearest of many centroids: the inner loop of training, encoding and table building.
//!
//! Centroids are kept transposed, one plane a component, so that a register holds the same
//! component of neighbouring centroids. Each score is one chain of fused multiply-adds in
//! the order of the components: the same bits on every instruction set.

use pulp::{Arch, Simd, WithSimd};

/// Planes are padded to this many centroids, the widest register.
const PAD: usize = 16;
/// Registers of scores worked on at a time.
const TILE: usize = 4;

/// Centroids of one subspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Centroids {
    k: usize,
    dim: usize,
    /// Row-major, `k * dim`.
    rows: Vec<f32>,
    /// `dim` planes of `padded` values.
    planes: Vec<f32>,
    /// Squared norms; infinite in the padding, which is therefore never nearest.
    norms: Vec<f32>,
}

impl Centroids {
    /// From `k * dim` values, row-major.
    pub fn new(rows: Vec<f32>, dim: usize) -> Centroids {
        let k = rows.len() / dim;
        let padded = k.next_multiple_of(PAD);
        let mut planes = vec![0.0; dim * padded];
        let mut norms = vec![f32::INFINITY; padded];
        for (c, row) in rows.chunks_exact(dim).enumerate() {
            for (d, x) in row.iter().enumerate() {
                planes[d * padded + c] = *x;
            }
            norms[c] = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>() as f32;
        }
        Centroids { k, dim, rows, planes, norms }
    }

    /// Number of centroids.
    pub fn len(&self) -> usize {
        self.k
    }

    /// Components.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All centroids, row-major.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// One centroid.
    pub fn row(&self, c: usize) -> &[f32] {
        &self.rows[c * self.dim..(c + 1) * self.dim]
    }

    /// Squared norm of a centroid.
    pub fn norm2(&self, c: usize) -> f32 {
        self.norms[c]
    }

    /// For each row, gives its number, the nearest centroid (the first of equals) and
    /// `|c|² - 2<x, c>`, that is the squared distance less `|x|²`. Rows are the `dim` values
    /// from `start` on in each `stride` of `x`.
    pub fn nearest(&self, x: &[f32], stride: usize, start: usize, emit: impl FnMut(usize, usize, f32)) {
        Arch::new().dispatch(Nearest { x, stride, start, centroids: self, emit });
    }

    /// `|c|² - 2<x, c>` for every centroid, into the first `len()` of `out`.
    pub fn scores(&self, x: &[f32], out: &mut [f32]) {
        let mut all = vec![0.0; self.norms.len()];
        Arch::new().dispatch(Scores { x, centroids: self, out: &mut all });
        out[..self.k].copy_from_slice(&all[..self.k]);
    }

    /// Scores of `N` registers of centroids from register `at` on.
    #[inline(always)]
    fn tile<S: Simd, const N: usize>(&self, simd: S, x: &[f32], at: usize) -> [S::f32s; N] {
        let padded = self.norms.len();
        let mut acc = [simd.splat_f32s(0.0); N];
        let (norms, _) = S::as_simd_f32s(&self.norms);
        acc.copy_from_slice(&norms[at..at + N]);
        for (x, plane) in x.iter().zip(self.planes.chunks_exact(padded)) {
            let (plane, _) = S::as_simd_f32s(plane);
            let plane = &plane[at..at + N];
            let x = simd.splat_f32s(-2.0 * x);
            for (acc, c) in acc.iter_mut().zip(plane) {
                *acc = simd.mul_add_f32s(x, *c, *acc);
            }
        }
        acc
    }
}

struct Scores<'a> {
    x: &'a [f32],
    centroids: &'a Centroids,
    out: &'a mut [f32],
}

impl WithSimd for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (out, _) = S::as_mut_simd_f32s(self.out);
        for (at, out) in out.iter_mut().enumerate() {
            let [score] = self.centroids.tile::<S, 1>(simd, self.x, at);
            *out = score;
        }
    }
}

struct Nearest<'a, F> {
    x: &'a [f32],
    stride: usize,
    start: usize,
    centroids: &'a Centroids,
    emit: F,
}

impl<F: FnMut(usize, usize, f32)> WithSimd for Nearest<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for (i, x) in self.x.chunks_exact(self.stride).enumerate() {
            let x = &x[self.start..self.start + self.centroids.dim];
            let (c, score) = nearest_of(simd, self.centroids, x);
            (self.emit)(i, c, score);
        }
    }
}

#[inline(always)]
fn nearest_of<S: Simd>(simd: S, centroids: &Centroids, x: &[f32]) -> (usize, f32) {
    let registers = centroids.norms.len() / S::F32_LANES;
    let mut best = simd.splat_f32s(f32::INFINITY);
    // Indices as floats: exact, and selected by the same mask.
    let mut best_at = simd.splat_f32s(0.0);
    let mut keep = |at: usize, scores: &[S::f32s]| {
        for (j, s) in scores.iter().enumerate() {
            let less = simd.less_than_f32s(*s, best);
            best = simd.select_f32s(less, *s, best);
            best_at = simd.select_f32s(less, simd.splat_f32s((at + j) as f32), best_at);
        }
    };
    let mut at = 0;
    while at + TILE <= registers {
        keep(at, &centroids.tile::<S, TILE>(simd, x, at));
        at += TILE;
    }
    while at < registers {
        keep(at, &centroids.tile::<S, 1>(simd, x, at));
        at += 1;
    }
    let (mut c, mut score) = (usize::MAX, f32::INFINITY);
    let lanes: &[f32] = bytemuck::cast_slice(std::slice::from_ref(&best));
    let ats: &[f32] = bytemuck::cast_slice(std::slice::from_ref(&best_at));
    for (lane, (s, at)) in lanes.iter().zip(ats).enumerate() {
        let this = *at as usize * S::F32_LANES + lane;
        if *s < score || (*s == score && this < c) {
            (c, score) = (this, *s);
        }
    }
    // Only rows that are not finite reach no centroid; the first is as good as any.
    (if c < centroids.k { c } else { 0 }, score)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pq::random::Draws;
    use pulp::Scalar;

    fn random(n: usize, seed: u64) -> Vec<f32> {
        let mut d = Draws::new(seed, 0);
        (0..n).map(|_| d.unit() as f32 - 0.5).collect()
    }

    #[test]
    fn agrees_with_plain_distances_for_all_small_sizes() {
        for dim in [1, 2, 3, 5, 8, 17] {
            for k in [1, 2, 15, 16, 17, 70, 256] {
                let c = Centroids::new(random(k * dim, 1), dim);
                let x = random(9 * (dim + 2), 2);
                c.nearest(&x, dim + 2, 1, |i, got, score| {
                    let x = &x[i * (dim + 2) + 1..][..dim];
                    let d2 = |c: &[f32]| c.iter().zip(x).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
                    let best = (0..k).map(|j| d2(c.row(j))).fold(f64::INFINITY, f64::min);
                    assert!((d2(c.row(got)) - best).abs() < 1e-5);
                    let x2: f64 = x.iter().map(|v| f64::from(*v).powi(2)).sum();
                    assert!((f64::from(score) + x2 - best).abs() < 1e-5);
                });
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let c = Centroids::new(random(256 * 7, 3), 7);
        let x = random(50 * 7, 4);
        let mut fast = Vec::new();
        c.nearest(&x, 7, 0, |i, c, s| fast.push((i, c, s.to_bits())));
        let mut plain = Vec::new();
        let emit = |i: usize, c: usize, s: f32| plain.push((i, c, s.to_bits()));
        let op = Nearest { x: &x, stride: 7, start: 0, centroids: &c, emit };
        Simd::vectorize(Scalar::new(), op);
        assert_eq!(fast, plain);
        let mut out = vec![0.0; 256];
        c.scores(&x[..7], &mut out);
        assert_eq!(out[fast[0].1].to_bits(), fast[0].2);
    }
}
