//! Product quantisation: a vector is cut into parts, and each part replaced by the number of
//! its nearest centroid (Jégou, Douze, Schmid, PAMI 2011).
//!
//! Asymmetric scores: for a query, one table a part holds the inner product with each
//! centroid and the centroid's squared norm, so that a sum over the parts gives both
//! `<q, x̂>` and `|x̂|²`. The cosine with the reconstruction, `<q, x̂> / (|q| |x̂|)`, ranks
//! clearly better than the inner product alone.

use super::kmeans;
use super::nearest::Centroids;
use rayon::prelude::*;

/// Rows coded by one task.
const TASK_ROWS: usize = 256;

/// A codebook: the centroids of each part.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    dim: usize,
    parts: Vec<Centroids>,
}

/// `[<q, c>, |c|²]` for each centroid of each part. Always 256 entries a part, so that no
/// code byte is out of bounds.
#[derive(Debug, Clone)]
pub struct Tables(Vec<[[f32; 2]; 256]>);

/// Where part `i` of `m` begins in a vector of `dim` components: parts differ by one at most.
pub fn part_start(dim: usize, m: usize, i: usize) -> usize {
    i * dim / m
}

impl Product {
    /// Trains `m` parts of up to `k` centroids on the rows of `x`, parts in parallel.
    pub fn train(x: &[f32], dim: usize, m: usize, k: usize, iterations: usize, seed: u64) -> Product {
        let parts = (0..m)
            .into_par_iter()
            .map(|i| {
                let (start, end) = (part_start(dim, m, i), part_start(dim, m, i + 1));
                kmeans::train(&columns(x, dim, start, end), end - start, k, iterations, seed, i as u64)
            })
            .collect();
        Product { dim, parts }
    }

    /// Goes on training from where it stands, on other rows.
    pub fn refine(&mut self, x: &[f32], iterations: usize) {
        let (dim, m) = (self.dim, self.parts.len());
        self.parts.par_iter_mut().enumerate().for_each(|(i, part)| {
            let part_x = columns(x, dim, part_start(dim, m, i), part_start(dim, m, i + 1));
            kmeans::refine(&part_x, part, iterations);
        });
    }

    /// From the centroids of all parts one after the other, `k` for each. `None` when the
    /// number of values is another.
    pub fn from_rows(dim: usize, m: usize, k: usize, rows: &[f32]) -> Option<Product> {
        if m == 0 || m > dim || k == 0 || k > 256 || k.checked_mul(dim) != Some(rows.len()) {
            return None;
        }
        let parts = (0..m)
            .map(|i| {
                let (start, end) = (part_start(dim, m, i), part_start(dim, m, i + 1));
                Centroids::new(rows[start * k..end * k].to_vec(), end - start)
            })
            .collect();
        Some(Product { dim, parts })
    }

    /// The centroids of all parts one after the other.
    pub fn rows(&self) -> Vec<f32> {
        self.parts.iter().flat_map(|p| p.rows()).copied().collect()
    }

    /// Centroids of a part.
    pub fn k(&self) -> usize {
        self.parts.iter().map(Centroids::len).min().unwrap_or(0)
    }

    /// Parts.
    pub fn m(&self) -> usize {
        self.parts.len()
    }

    /// One byte a part and row, row-major.
    pub fn encode(&self, x: &[f32]) -> Vec<u8> {
        let m = self.parts.len();
        let mut codes = vec![0u8; x.len() / self.dim * m];
        codes.par_chunks_mut(TASK_ROWS * m).zip(x.par_chunks(TASK_ROWS * self.dim)).for_each(|(codes, x)| {
            for (i, part) in self.parts.iter().enumerate() {
                part.nearest(x, self.dim, part_start(self.dim, m, i), |row, c, _| {
                    codes[row * m + i] = c as u8
                });
            }
        });
        codes
    }

    /// Appends the reconstruction of one row. `None` for a code without centroid.
    pub fn decode_row(&self, code: impl Iterator<Item = u8>, out: &mut Vec<f32>) -> Option<()> {
        for (c, part) in code.zip(&self.parts) {
            let c = usize::from(c);
            if c >= part.len() {
                return None;
            }
            out.extend_from_slice(part.row(c));
        }
        Some(())
    }

    /// The tables of a query.
    pub fn tables(&self, q: &[f32]) -> Tables {
        let m = self.parts.len();
        let mut scores = [0.0; 256];
        let tables = self.parts.iter().enumerate().map(|(i, part)| {
            let q = &q[part_start(self.dim, m, i)..part_start(self.dim, m, i + 1)];
            part.scores(q, &mut scores[..part.len()]);
            let mut table = [[0.0; 2]; 256];
            for (c, entry) in table.iter_mut().enumerate().take(part.len()) {
                *entry = [(part.norm2(c) - scores[c]) * 0.5, part.norm2(c)];
            }
            table
        });
        Tables(tables.collect())
    }
}

/// Columns `start..end` of row-major rows, contiguous.
fn columns(x: &[f32], dim: usize, start: usize, end: usize) -> Vec<f32> {
    x.chunks_exact(dim).flat_map(|row| &row[start..end]).copied().collect()
}

impl Tables {
    /// The table of each part.
    pub fn parts(&self) -> &[[[f32; 2]; 256]] {
        &self.0
    }

    /// For each row of byte codes (row-major, one byte a part): `<q, x̂>` and `|x̂|²`.
    ///
    /// Four rows at a time, since a look-up waits on memory and a sum on the sum before it;
    /// both sums of an entry are one load.
    pub fn scan(&self, codes: &[u8], dots: &mut Vec<f32>, norms2: &mut Vec<f32>) {
        let m = self.0.len();
        let mut rows = codes.chunks_exact(4 * m);
        for four in &mut rows {
            let (ab, cd) = four.split_at(2 * m);
            let ((a, b), (c, d)) = (ab.split_at(m), cd.split_at(m));
            let mut sums = [[0.0f32; 2]; 4];
            for ((((table, a), b), c), d) in self.0.iter().zip(a).zip(b).zip(c).zip(d) {
                for (sum, code) in sums.iter_mut().zip([a, b, c, d]) {
                    let [dot, norm2] = table[usize::from(*code)];
                    sum[0] += dot;
                    sum[1] += norm2;
                }
            }
            dots.extend(sums.map(|s| s[0]));
            norms2.extend(sums.map(|s| s[1]));
        }
        for row in rows.remainder().chunks_exact(m) {
            let mut sum = [0.0f32; 2];
            for (table, code) in self.0.iter().zip(row) {
                let [dot, norm2] = table[usize::from(*code)];
                sum[0] += dot;
                sum[1] += norm2;
            }
            dots.push(sum[0]);
            norms2.push(sum[1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pq::random::Draws;

    fn random(n: usize, seed: u64) -> Vec<f32> {
        let mut d = Draws::new(seed, 0);
        (0..n).map(|_| d.unit() as f32 - 0.5).collect()
    }

    #[test]
    fn a_codebook_of_all_rows_is_exact() {
        let x = random(100 * 10, 1);
        let p = Product::train(&x, 10, 3, 256, 5, 1);
        let codes = p.encode(&x);
        let mut back = Vec::new();
        for code in codes.chunks(3) {
            p.decode_row(code.iter().copied(), &mut back).unwrap();
        }
        assert_eq!(back, x);
        assert!(p.decode_row([200u8; 3].into_iter(), &mut back).is_none());
    }

    #[test]
    fn tables_give_the_inner_products_and_norms_of_reconstructions() {
        let (dim, m) = (13, 5);
        let x = random(601 * dim, 2);
        let p = Product::train(&x, dim, m, 256, 3, 1);
        let codes = p.encode(&x);
        let q = random(dim, 3);
        let (mut dots, mut norms2) = (Vec::new(), Vec::new());
        p.tables(&q).scan(&codes, &mut dots, &mut norms2);
        assert_eq!((dots.len(), norms2.len()), (601, 601));
        for (i, code) in codes.chunks(m).enumerate() {
            let mut y = Vec::new();
            p.decode_row(code.iter().copied(), &mut y).unwrap();
            let dot: f32 = y.iter().zip(&q).map(|(a, b)| a * b).sum();
            let n2: f32 = y.iter().map(|a| a * a).sum();
            assert!((dot - dots[i]).abs() < 1e-5 && (n2 - norms2[i]).abs() < 1e-5);
        }
    }

    #[test]
    fn training_is_the_same_for_any_number_of_threads() {
        let x = random(700 * 12, 4);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let p = Product::train(&x, 12, 4, 16, 6, 9);
                (p.encode(&x), p)
            })
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn codebooks_go_through_plain_values() {
        let p = Product::train(&random(300 * 11, 5), 11, 4, 16, 2, 1);
        assert_eq!(Product::from_rows(11, 4, p.k(), &p.rows()), Some(p.clone()));
        assert_eq!(Product::from_rows(11, 4, p.k(), &p.rows()[1..]), None);
        assert_eq!(Product::from_rows(11, 12, p.k(), &p.rows()), None);
    }
}
