//! Inner products of many vectors with one another.

use crate::simd::double::products;
use rayon::prelude::*;

/// Rows that are multiplied with all before them at once.
const BLOCK: usize = 48;

/// The inner products `x_i . x_j`, j <= i, of n vectors: half of a symmetric matrix.
pub(crate) struct Gram {
    n: usize,
    /// Rows `BLOCK * k ..`, each as long as the last of its block.
    blocks: Vec<Vec<f64>>,
}

impl Gram {
    /// Of `rows`, row-major, `dim` values each.
    pub fn of(rows: &[f64], dim: usize) -> Gram {
        let n = rows.len() / dim;
        let blocks = (0..n.div_ceil(BLOCK))
            .into_par_iter()
            .map(|k| {
                let end = n.min((k + 1) * BLOCK);
                let mut out = vec![0.0; (end - k * BLOCK) * end];
                products(&rows[k * BLOCK * dim..end * dim], &rows[..end * dim], dim, &mut out, end);
                out
            })
            .collect();
        Gram { n, blocks }
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.n
    }

    /// `x_i . x_j` for all j <= i.
    pub fn row(&self, i: usize) -> &[f64] {
        let width = self.n.min((i / BLOCK + 1) * BLOCK);
        &self.blocks[i / BLOCK][i % BLOCK * width..][..i + 1]
    }
}

/// The symmetric matrix of inner products of `rows` (row-major, `dim` each): n x n, row-major.
pub(crate) fn gram(rows: &[f64], dim: usize) -> Vec<f64> {
    let half = Gram::of(rows, dim);
    let n = half.len();
    let mut out = vec![0.0; n * n];
    for i in 0..n {
        for (j, &v) in half.row(i).iter().enumerate() {
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

    #[test]
    fn rows_of_more_than_one_block() {
        let n = 2 * BLOCK + 5;
        let half = Gram::of(&(0..n).map(|i| i as f64).collect::<Vec<_>>(), 1);
        assert_eq!((half.len(), half.row(0)), (n, &[0.0][..]));
        for i in [1, BLOCK - 1, BLOCK, 2 * BLOCK + 4] {
            let expected: Vec<f64> = (0..=i).map(|j| (i * j) as f64).collect();
            assert_eq!(half.row(i), expected);
        }
    }
}
