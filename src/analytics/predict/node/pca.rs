//! The leading principal components of a set of rows, by subspace iteration.
//!
//! Only the first few components are wanted, of matrices up to some thousand rows and columns:
//! block power iteration with a Rayleigh-Ritz step (Saad, "Numerical Methods for Large Eigenvalue
//! Problems", chapter 5) touches the rows a few dozen times and needs no full decomposition, so
//! no linear-algebra crate is drawn in. Partial sums run over fixed blocks of rows, in order: the
//! result does not depend on the number of threads.

use crate::analytics::rng::Random;
use rayon::prelude::*;

/// Vectors iterated beyond those asked for; they speed up convergence.
const EXTRA: usize = 8;
const MAX_ITERATIONS: usize = 100;
/// Relative change of the eigenvalues at which the iteration ends.
const TOLERANCE: f64 = 1e-10;
/// Components with less than this share of the first one's variance are noise of rounding.
const NEGLIGIBLE: f64 = 1e-10;
/// Rows summed in one go.
const BLOCK: usize = 64;

/// Mean, directions and variances.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// Mean of the rows; length D.
    pub mean: Vec<f64>,
    /// Orthonormal directions, row-major k x D, by falling variance; the entry of largest
    /// absolute value of each is positive.
    pub components: Vec<f64>,
    /// Variance of the rows along each direction (divided by n); length k.
    pub variances: Vec<f64>,
    /// Sum of the variances along all D directions.
    pub total_variance: f64,
}

impl Pca {
    /// At most `k` components of row-major `rows` of `dim` values; fewer when the rows span less.
    pub fn fit(rows: &[f32], dim: usize, k: usize) -> Pca {
        let n = (rows.len() / dim).max(1) as f64;
        let mut mean = vec![0.0; dim];
        rows.chunks_exact(dim).for_each(|r| mean.iter_mut().zip(r).for_each(|(m, &v)| *m += f64::from(v)));
        mean.iter_mut().for_each(|m| *m /= n);
        let width = (k + EXTRA).min(dim);
        let mut random = Random::new(1, "pca start", 0);
        let mut basis: Vec<f64> = (0..width * dim).map(|_| random.normal()).collect();
        orthonormalise(&mut basis, dim);
        let mut values = vec![0.0; width];
        for _ in 0..MAX_ITERATIONS {
            let image = covariance_times(rows, &mean, &basis, dim);
            let before = std::mem::replace(&mut values, ritz(&mut basis, image, dim));
            let change = values.iter().zip(&before).take(k).map(|(v, b)| (v - b).abs()).fold(0.0, f64::max);
            if change <= TOLERANCE * values[0] {
                break;
            }
        }
        let image = covariance_times(rows, &mean, &basis, dim);
        let values = rotate_to_ritz(&mut basis, &image, dim);
        let kept = values.iter().take(k).take_while(|v| **v > NEGLIGIBLE * values[0]).count();
        basis.truncate(kept * dim);
        basis.chunks_exact_mut(dim).for_each(fix_sign);
        let squares = |r: &[f32]| r.iter().zip(&mean).map(|(&v, m)| (f64::from(v) - m).powi(2)).sum::<f64>();
        let total_variance = rows.chunks_exact(dim).map(squares).sum::<f64>() / n;
        Pca { mean, components: basis, variances: values[..kept].to_vec(), total_variance }
    }

    /// Number of components.
    pub fn len(&self) -> usize {
        self.variances.len()
    }

    /// True when all rows were equal.
    pub fn is_empty(&self) -> bool {
        self.variances.is_empty()
    }
}

/// `C B` for the covariance C of the rows, without forming it; `basis` and the result hold one
/// vector of `dim` values after the other.
fn covariance_times(rows: &[f32], mean: &[f64], basis: &[f64], dim: usize) -> Vec<f64> {
    let width = basis.len() / dim;
    let block = |rows: &[f32]| {
        let mut sum = vec![0.0; basis.len()];
        let mut centred = vec![0.0; dim];
        for row in rows.chunks_exact(dim) {
            centred.iter_mut().zip(row).zip(mean).for_each(|((c, &v), m)| *c = f64::from(v) - m);
            for (b, s) in basis.chunks_exact(dim).zip(sum.chunks_exact_mut(dim)) {
                let along = dot(b, &centred);
                s.iter_mut().zip(&centred).for_each(|(s, c)| *s += along * c);
            }
        }
        sum
    };
    let partial: Vec<Vec<f64>> = rows.par_chunks(BLOCK * dim).map(block).collect();
    let n = (rows.len() / dim).max(1) as f64;
    let mut out = vec![0.0; width * dim];
    partial.iter().for_each(|p| out.iter_mut().zip(p).for_each(|(o, p)| *o += p / n));
    out
}

/// One step: the eigenvalues seen in the span of `basis`, which becomes the span of its image.
fn ritz(basis: &mut Vec<f64>, image: Vec<f64>, dim: usize) -> Vec<f64> {
    let (values, _) = projected(basis, &image, dim);
    *basis = image;
    orthonormalise(basis, dim);
    values
}

/// Turns `basis` to the eigenvectors within its span; returns the eigenvalues, falling.
fn rotate_to_ritz(basis: &mut Vec<f64>, image: &[f64], dim: usize) -> Vec<f64> {
    let (values, vectors) = projected(basis, image, dim);
    let mut turned = vec![0.0; basis.len()];
    for (out, weights) in turned.chunks_exact_mut(dim).zip(&vectors) {
        for (b, w) in basis.chunks_exact(dim).zip(weights) {
            out.iter_mut().zip(b).for_each(|(o, b)| *o += w * b);
        }
    }
    *basis = turned;
    values
}

/// Eigenvalues (falling) and eigenvectors of `basis' image`.
fn projected(basis: &[f64], image: &[f64], dim: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    let small: Vec<Vec<f64>> =
        basis.chunks_exact(dim).map(|b| image.chunks_exact(dim).map(|i| dot(b, i)).collect()).collect();
    symmetric_eigen(small)
}

/// Modified Gram-Schmidt, twice; vectors that depend on earlier ones become zero.
fn orthonormalise(basis: &mut [f64], dim: usize) {
    for i in 0..basis.len() / dim {
        let (done, rest) = basis.split_at_mut(i * dim);
        let own = &mut rest[..dim];
        let before = dot(own, own).sqrt();
        for _ in 0..2 {
            for b in done.chunks_exact(dim) {
                let along = dot(b, own);
                own.iter_mut().zip(b).for_each(|(o, b)| *o -= along * b);
            }
        }
        let norm = dot(own, own).sqrt();
        let scale = if norm > 1e-12 * before { 1.0 / norm } else { 0.0 };
        own.iter_mut().for_each(|v| *v *= scale);
    }
}

/// Jacobi's method (Golub and Van Loan, 8.5) for a small symmetric matrix.
fn symmetric_eigen(mut a: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = a.len();
    let mut v: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let size: f64 = a.iter().flatten().map(|x| x * x).sum();
    for _ in 0..60 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j].powi(2)).sum();
        if off <= 1e-30 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                jacobi_rotation(&mut a, &mut v, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[j][j].total_cmp(&a[i][i]));
    (order.iter().map(|&i| a[i][i]).collect(), order.iter().map(|&i| v[i].clone()).collect())
}

/// Zeroes `a[p][q]`; rows of `v` collect the eigenvectors.
fn jacobi_rotation(a: &mut [Vec<f64>], v: &mut [Vec<f64>], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in a.iter_mut() {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    for rows in [a, v] {
        for k in 0..rows[p].len() {
            (rows[p][k], rows[q][k]) = (c * rows[p][k] - s * rows[q][k], s * rows[p][k] + c * rows[q][k]);
        }
    }
}

fn fix_sign(direction: &mut [f64]) {
    let largest = direction.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
    if largest < 0.0 {
        direction.iter_mut().for_each(|v| *v = -*v);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    crate::analytics::geometry::dot(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::golden;

    #[test]
    fn agrees_with_numpy() {
        let golden = golden::load();
        let case = &golden["pca"];
        let x: Vec<f32> = golden::numbers(&case["x"]).iter().map(|&v| v as f32).collect();
        let pca = Pca::fit(&x, 12, 4);
        golden::assert_close("mean", &pca.mean, &golden::numbers(&case["mean"]), 1e-12);
        golden::assert_close("variances", &pca.variances, &golden::numbers(&case["variances"]), 1e-9);
        golden::assert_close("components", &pca.components, &golden::numbers(&case["components"]), 1e-6);
        golden::assert_close("total", &[pca.total_variance], &[case["total"].as_f64().unwrap()], 1e-9);
    }

    #[test]
    fn rows_that_span_less_give_fewer_components() {
        // Points on a plane in 6 dimensions.
        let mut random = Random::new(1, "plane", 0);
        let rows: Vec<f32> = (0..50)
            .flat_map(|_| {
                let (a, b) = (random.normal() as f32, random.normal() as f32);
                [a, b, a + b, a - b, 2.0 * a, 0.5 * b]
            })
            .collect();
        let pca = Pca::fit(&rows, 6, 4);
        assert_eq!(pca.len(), 2);
        assert!((pca.variances.iter().sum::<f64>() / pca.total_variance - 1.0).abs() < 1e-9);
        assert!(Pca::fit(&[0.5; 12], 3, 2).is_empty());
        assert!(Pca::fit(&[1.0, 2.0, 3.0], 3, 2).is_empty());
        assert_eq!(Pca::fit(&[1.0, 2.0, 4.0], 1, 5).len(), 1);
    }
}
