//! Dense products and the polar factor, for learning a rotation.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Columns packed together: two AVX-512 registers, the pair that is worked on at once.
const PANEL: usize = 32;
/// Rows of the left factor worked on at once.
const ROWS: usize = 6;

/// `a * b` for `a` of `n x k` and `b` of `k x p`, row-major. Each value is one chain of fused
/// multiply-adds over `k`: the same bits for any number of threads and instruction set.
pub fn multiply(a: &[f32], b: &[f32], k: usize, p: usize) -> Vec<f32> {
    let panels: Vec<Vec<f32>> = (0..p)
        .step_by(PANEL)
        .map(|j| {
            let mut panel = vec![0.0; k * PANEL];
            let width = PANEL.min(p - j);
            for (to, from) in panel.chunks_exact_mut(PANEL).zip(b.chunks_exact(p)) {
                to[..width].copy_from_slice(&from[j..j + width]);
            }
            panel
        })
        .collect();
    let mut out = vec![0.0; a.len() / k * p];
    out.par_chunks_mut(ROWS * p).zip(a.par_chunks(ROWS * k)).for_each(|(out, a)| {
        Arch::new().dispatch(Strip { a, panels: &panels, k, p, out });
    });
    out
}

struct Strip<'a> {
    a: &'a [f32],
    panels: &'a [Vec<f32>],
    k: usize,
    p: usize,
    out: &'a mut [f32],
}

impl WithSimd for Strip<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for (j, panel) in self.panels.iter().enumerate() {
            if self.a.len() == ROWS * self.k {
                self.panel::<S, ROWS>(simd, j, panel, 0);
            } else {
                for row in 0..self.a.len() / self.k {
                    self.panel::<S, 1>(simd, j, panel, row);
                }
            }
        }
    }
}

impl Strip<'_> {
    /// `N` rows from `first` on against panel `j`, two registers of columns at a time.
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&mut self, simd: S, j: usize, panel: &[f32], first: usize) {
        let registers = PANEL / S::F32_LANES;
        let width = PANEL.min(self.p - j * PANEL);
        let rows: [&[f32]; N] = std::array::from_fn(|i| &self.a[(first + i) * self.k..][..self.k]);
        let used = width.div_ceil(S::F32_LANES).min(registers);
        for pair in (0..used).step_by(2) {
            let mut acc = [[simd.splat_f32s(0.0); 2]; N];
            for (d, b) in panel.chunks_exact(PANEL).enumerate() {
                let (b, _) = S::as_simd_f32s(b);
                let b = [b[pair], b[pair + 1]];
                for (acc, row) in acc.iter_mut().zip(&rows) {
                    let a = simd.splat_f32s(row[d]);
                    *acc = [simd.mul_add_f32s(a, b[0], acc[0]), simd.mul_add_f32s(a, b[1], acc[1])];
                }
            }
            for (i, acc) in acc.iter().enumerate() {
                let values: &[f32] = bytemuck::cast_slice(acc);
                let start = pair * S::F32_LANES;
                let n = values.len().min(width - start);
                self.out[(first + i) * self.p + j * PANEL + start..][..n].copy_from_slice(&values[..n]);
            }
        }
    }
}

/// The transpose of `rows x cols`.
pub fn transpose(a: &[f32], cols: usize) -> Vec<f32> {
    let rows = a.len() / cols;
    let mut out = vec![0.0; a.len()];
    for (i, row) in a.chunks_exact(cols).enumerate() {
        for (j, v) in row.iter().enumerate() {
            out[j * rows + i] = *v;
        }
    }
    out
}

/// The largest singular value of a square matrix, about (from below): power iteration.
fn largest_singular_value(a: &[f32], n: usize) -> f64 {
    let at = transpose(a, n);
    let mut v: Vec<f32> = (0..n).map(|i| 1.0 + (i % 7) as f32 * 0.1).collect();
    let mut sigma2 = 0.0;
    for _ in 0..30 {
        let norm = v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        if norm == 0.0 {
            return 0.0;
        }
        v.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
        v = multiply(&at, &multiply(a, &v, n, 1), n, 1);
        sigma2 = v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    }
    sigma2.sqrt()
}

/// The orthogonal matrix nearest to a square one (its polar factor), by Newton-Schulz
/// iterations `X <- X (3 I - XᵀX) / 2` (Higham, Functions of Matrices, 2008, 8.3). `None`
/// when they do not converge, which means that the matrix is singular, or nearly so.
pub fn nearest_orthogonal(a: &[f32], n: usize) -> Option<Vec<f32>> {
    let sigma = largest_singular_value(a, n);
    if !sigma.is_finite() || sigma == 0.0 {
        return None;
    }
    // The estimate is from below; the iteration converges for singular values below √3.
    let mut x: Vec<f32> = a.iter().map(|v| (f64::from(*v) / (1.1 * sigma)) as f32).collect();
    for _ in 0..60 {
        let mut factor = multiply(&transpose(&x, n), &x, n, n);
        let mut off = 0.0f32;
        for (i, v) in factor.iter_mut().enumerate() {
            let identity = if i / n == i % n { 1.0 } else { 0.0 };
            off = off.max((*v - identity).abs());
            *v = 1.5 * identity - 0.5 * *v;
        }
        if off < 2e-6 * (n as f32).sqrt().max(1.0) {
            return Some(x);
        }
        x = multiply(&x, &factor, n, n);
    }
    None
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
    fn products_agree_with_plain_sums() {
        for (n, k, p) in [(1, 1, 1), (5, 3, 2), (6, 4, 32), (7, 9, 33), (13, 20, 65), (12, 5, 40)] {
            let (a, b) = (random(n * k, 1), random(k * p, 2));
            let c = multiply(&a, &b, k, p);
            for i in 0..n {
                for j in 0..p {
                    let want: f64 = (0..k).map(|d| f64::from(a[i * k + d]) * f64::from(b[d * p + j])).sum();
                    assert!((f64::from(c[i * p + j]) - want).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let (a, b) = (random(6 * 9, 1), random(9 * PANEL, 2));
        let fast = multiply(&a, &b, 9, PANEL);
        let mut plain = vec![0.0; 6 * PANEL];
        Simd::vectorize(Scalar::new(), Strip { a: &a, panels: &[b], k: 9, p: PANEL, out: &mut plain });
        assert_eq!(fast, plain);
    }

    #[test]
    fn the_polar_factor_is_orthogonal_and_undoes_a_stretch() {
        let n = 24;
        // A rotation by repeated polar factors of noise, then stretched by a positive matrix.
        let r = nearest_orthogonal(&random(n * n, 3), n).unwrap();
        let rtr = multiply(&transpose(&r, n), &r, n, n);
        for (i, v) in rtr.iter().enumerate() {
            let identity = if i / n == i % n { 1.0 } else { 0.0 };
            assert!((v - identity).abs() < 1e-4);
        }
        let mut stretched = r.clone();
        for row in stretched.chunks_exact_mut(n) {
            for (j, v) in row.iter_mut().enumerate() {
                *v *= 0.01 + j as f32;
            }
        }
        let back = nearest_orthogonal(&stretched, n).unwrap();
        assert!(back.iter().zip(&r).all(|(a, b)| (a - b).abs() < 1e-3));
        assert!(nearest_orthogonal(&vec![0.0; n * n], n).is_none());
        let mut singular = r;
        singular[..n].fill(0.0);
        assert!(nearest_orthogonal(&singular, n).is_none());
    }
}
