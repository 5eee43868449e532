//! Inner products of many vectors with one another.

use super::geometry::dot;

/// The symmetric matrix of inner products of `rows` (row-major, `dim` each): n x n, row-major.
pub(crate) fn gram(rows: &[f64], dim: usize) -> Vec<f64> {
    let n = rows.len() / dim;
    let row = |i: usize| &rows[i * dim..(i + 1) * dim];
    let mut out = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let v = dot(row(i), row(j));
            out[i * n + j] = v;
            out[j * n + i] = v;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_three_vectors() {
        let g = gram(&[1.0, 2.0, 0.0, -1.0, 3.0, 1.0], 2);
        assert_eq!(g, [5.0, -2.0, 5.0, -2.0, 1.0, -1.0, 5.0, -1.0, 10.0]);
    }
}
