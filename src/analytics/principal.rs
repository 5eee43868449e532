//! Leading principal components by subspace iteration.

use super::geometry::{dot, norm};
use super::rng::Random;

/// Directions beyond those asked for, and rounds: the gap after the last one decides the accuracy.
const SPARE: usize = 10;
const ROUNDS: usize = 60;
/// Components with less than this share of the largest variance are rounding.
const LEAST: f64 = 1e-12;

/// The scores of row-major `rows` on at most `most` leading principal components, each divided by
/// its standard deviation: one row a point. The signs of the components are arbitrary but fixed.
pub(crate) fn standard_scores(rows: &[f64], dim: usize, most: usize) -> Vec<f64> {
    let n = rows.len() / dim.max(1);
    let centred = centre(rows, dim);
    let width = (most + SPARE).min(dim).min(n);
    let mut random = Random::new(0, "principal components", dim as u64);
    let mut basis: Vec<Vec<f64>> = (0..width).map(|_| (0..dim).map(|_| random.normal()).collect()).collect();
    orthonormalise(&mut basis);
    for _ in 0..ROUNDS {
        basis = basis.iter().map(|b| covariance_times(&centred, b)).collect();
        orthonormalise(&mut basis);
    }
    let images: Vec<Vec<f64>> = basis.iter().map(|b| covariance_times(&centred, b)).collect();
    let small: Vec<f64> = basis.iter().flat_map(|b| images.iter().map(move |i| dot(b, i))).collect();
    let (values, vectors) = jacobi(small, basis.len());
    let mut order: Vec<usize> = (0..basis.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let largest = order.first().map_or(0.0, |&i| values[i]);
    order.retain(|&i| values[i] > LEAST * largest && values[i] > 0.0);
    order.truncate(most);
    let axes: Vec<Vec<f64>> = order
        .iter()
        .map(|&k| {
            let mut axis = vec![0.0; dim];
            for (i, b) in basis.iter().enumerate() {
                let weight = vectors[i * basis.len() + k] / values[k].sqrt();
                axis.iter_mut().zip(b).for_each(|(a, v)| *a += weight * v);
            }
            axis
        })
        .collect();
    centred.chunks_exact(dim).flat_map(|row| axes.iter().map(move |a| dot(a, row))).collect()
}

fn centre(rows: &[f64], dim: usize) -> Vec<f64> {
    let n = (rows.len() / dim).max(1) as f64;
    let mut mean = vec![0.0; dim];
    for row in rows.chunks_exact(dim) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n);
    }
    rows.chunks_exact(dim).flat_map(|row| row.iter().zip(&mean).map(|(v, m)| v - m)).collect()
}

/// `X'X b / n` of centred rows.
fn covariance_times(centred: &[f64], b: &[f64]) -> Vec<f64> {
    let n = (centred.len() / b.len()).max(1) as f64;
    let mut out = vec![0.0; b.len()];
    for row in centred.chunks_exact(b.len()) {
        let weight = dot(row, b) / n;
        out.iter_mut().zip(row).for_each(|(o, v)| *o += weight * v);
    }
    out
}

/// Gram and Schmidt, twice; directions that vanish become zero.
fn orthonormalise(basis: &mut [Vec<f64>]) {
    for i in 0..basis.len() {
        let (done, rest) = basis.split_at_mut(i);
        let v = &mut rest[0];
        let before = norm(v);
        for _ in 0..2 {
            for b in done.iter() {
                let w = dot(b, v);
                v.iter_mut().zip(b).for_each(|(v, b)| *v -= w * b);
            }
        }
        let length = norm(v);
        let scale = if length > 1e-12 * before { 1.0 / length } else { 0.0 };
        v.iter_mut().for_each(|v| *v *= scale);
    }
}

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix, by Jacobi's rotations.
fn jacobi(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    for _ in 0..60 {
        let off: f64 =
            (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j].powi(2)).sum();
        let all: f64 = a.iter().map(|x| x * x).sum();
        if off <= 1e-30 * all {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut v, n, p, q);
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), v)
}

/// One rotation that makes entry (p, q) zero.
fn rotate(a: &mut [f64], v: &mut [f64], n: usize, p: usize, q: usize) {
    let entry = a[p * n + q];
    if entry == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * entry);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
        let (x, y) = (v[k * n + p], v[k * n + q]);
        (v[k * n + p], v[k * n + q]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..n {
        let (x, y) = (a[p * n + k], a[q * n + k]);
        (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_uncorrelated_with_unit_variance() {
        let mut random = Random::new(2, "test", 0);
        let (n, dim) = (80, 12);
        let rows: Vec<f64> = (0..n * dim).map(|i| random.normal() * (1.0 + (i % dim) as f64) + 5.0).collect();
        let scores = standard_scores(&rows, dim, 4);
        for a in 0..4 {
            for b in 0..4 {
                let c: f64 = scores.chunks_exact(4).map(|s| s[a] * s[b]).sum::<f64>() / n as f64;
                assert!((c - f64::from(u8::from(a == b))).abs() < 1e-6, "{a} {b} {c}");
            }
        }
    }

    #[test]
    fn constant_columns_and_few_rows_give_fewer_components() {
        let rows = [1.0, 2.0, 7.0, 3.0, 2.0, 7.0, 4.0, 2.0, 7.0];
        assert_eq!(standard_scores(&rows, 3, 5).len(), 3);
        assert_eq!(standard_scores(&[1.0, 1.0, 1.0, 1.0], 2, 5).len(), 0);
    }
}
