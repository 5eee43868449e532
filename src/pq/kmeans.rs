//! k-means: seeding by k-means++ (Arthur, Vassilvitskii 2007), then Lloyd's iterations.

use super::nearest::Centroids;
use super::random::Draws;

/// k-means++ looks at this many rows for each centroid; Lloyd's iterations at all.
const SEED_ROWS_PER_CENTROID: usize = 32;

/// Up to `k` centroids of the rows of `x` (row-major, `dim` values each; at least one row).
/// Fewer only where there are fewer rows. Deterministic for a seed.
pub fn train(x: &[f32], dim: usize, k: usize, iterations: usize, seed: u64, stream: u64) -> Centroids {
    let n = x.len() / dim;
    let k = k.min(n);
    let few = &x[..n.min(k * SEED_ROWS_PER_CENTROID) * dim];
    let mut centroids = Centroids::new(plus_plus(few, dim, k, &mut Draws::new(seed, stream)), dim);
    refine(x, &mut centroids, iterations);
    centroids
}

/// k-means++: each next centroid is a row drawn with the probability of its squared distance
/// to the nearest one so far.
fn plus_plus(x: &[f32], dim: usize, k: usize, draws: &mut Draws) -> Vec<f32> {
    let n = x.len() / dim;
    let row = |i: usize| &x[i * dim..(i + 1) * dim];
    let mut rows = Vec::with_capacity(k * dim);
    let mut d2 = vec![f32::INFINITY; n];
    let mut next = draws.below(n);
    loop {
        let c = row(next);
        rows.extend_from_slice(c);
        if rows.len() == k * dim {
            return rows;
        }
        for (d2, x) in d2.iter_mut().zip(x.chunks_exact(dim)) {
            *d2 = d2.min(x.iter().zip(c).map(|(a, b)| (a - b) * (a - b)).sum());
        }
        let total: f64 = d2.iter().map(|d| f64::from(*d)).sum();
        let mut left = draws.unit() * total;
        // All rows equal a centroid already (total 0): any row will do.
        next = if total > 0.0 { n - 1 } else { draws.below(n) };
        if total > 0.0 {
            for (i, d) in d2.iter().enumerate() {
                left -= f64::from(*d);
                if left < 0.0 {
                    next = i;
                    break;
                }
            }
        }
    }
}

/// Lloyd's iterations, until nothing changes or `iterations` are done. A centroid that lost
/// all its rows takes the row that is farthest from its own.
pub fn refine(x: &[f32], centroids: &mut Centroids, iterations: usize) {
    let (n, k, dim) = (x.len() / centroids.dim(), centroids.len(), centroids.dim());
    let mut of = vec![usize::MAX; n];
    for _ in 0..iterations {
        let mut sums = vec![0.0f64; k * dim];
        let mut counts = vec![0usize; k];
        let mut distance = vec![0.0f32; n];
        let mut changed = false;
        centroids.nearest(x, dim, 0, |i, c, score| {
            let x = &x[i * dim..(i + 1) * dim];
            changed |= of[i] != c;
            of[i] = c;
            counts[c] += 1;
            distance[i] = score + x.iter().map(|v| v * v).sum::<f32>();
            for (s, v) in sums[c * dim..(c + 1) * dim].iter_mut().zip(x) {
                *s += f64::from(*v);
            }
        });
        if !changed {
            return;
        }
        let mut rows = centroids.rows().to_vec();
        for (c, row) in rows.chunks_exact_mut(dim).enumerate() {
            for (r, s) in row.iter_mut().zip(&sums[c * dim..]) {
                if counts[c] > 0 {
                    *r = (s / counts[c] as f64) as f32;
                }
            }
        }
        fill_empty(&mut rows, dim, &counts, x, &distance);
        *centroids = Centroids::new(rows, dim);
    }
}

fn fill_empty(rows: &mut [f32], dim: usize, counts: &[usize], x: &[f32], distance: &[f32]) {
    let empty: Vec<usize> = (0..counts.len()).filter(|c| counts[*c] == 0).collect();
    if empty.is_empty() {
        return;
    }
    let mut far: Vec<usize> = (0..distance.len()).collect();
    far.sort_by(|a, b| distance[*b].total_cmp(&distance[*a]).then(a.cmp(b)));
    for (c, i) in empty.into_iter().zip(far) {
        rows[c * dim..(c + 1) * dim].copy_from_slice(&x[i * dim..(i + 1) * dim]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` rows around each of four far corners.
    fn corners(n: usize) -> Vec<f32> {
        let mut d = Draws::new(5, 5);
        let mut x = Vec::new();
        for i in 0..4 * n {
            let (a, b) = ([0.0, 0.0, 9.0, 9.0][i % 4], [0.0, 9.0, 0.0, 9.0][i % 4]);
            x.extend([a + d.unit() as f32, b + d.unit() as f32]);
        }
        x
    }

    #[test]
    fn finds_separate_clusters() {
        let x = corners(50);
        let c = train(&x, 2, 4, 20, 1, 0);
        let mut found: Vec<(i32, i32)> =
            c.rows().chunks(2).map(|r| (r[0].floor() as i32, r[1].floor() as i32)).collect();
        found.sort();
        assert_eq!(found, [(0, 0), (0, 9), (9, 0), (9, 9)]);
        assert_eq!(c, train(&x, 2, 4, 20, 1, 0));
    }

    #[test]
    fn equal_rows_and_few_rows_are_no_trouble() {
        let c = train(&[1.0; 60], 2, 16, 5, 1, 0);
        assert!(c.rows().iter().all(|v| *v == 1.0));
        assert_eq!(train(&[1.0, 2.0, 3.0], 1, 16, 5, 1, 0).len(), 3);
    }

    #[test]
    fn a_centroid_without_rows_moves_to_the_farthest_row() {
        let x = [0.0f32, 0.1, 0.2, 10.0];
        let mut c = Centroids::new(vec![0.1, 500.0], 1);
        refine(&x, &mut c, 10);
        let mut rows = c.rows().to_vec();
        rows.sort_by(f32::total_cmp);
        assert!((rows[0] - 0.1).abs() < 1e-6 && rows[1] == 10.0, "{rows:?}");
    }

    #[test]
    fn iterations_never_raise_the_error() {
        let x = corners(40);
        let error = |c: &Centroids| {
            let mut sum = 0.0;
            c.nearest(&x, 2, 0, |_, _, s| sum += f64::from(s));
            sum
        };
        let mut c = train(&x, 2, 7, 0, 3, 0);
        for _ in 0..6 {
            let before = error(&c);
            refine(&x, &mut c, 1);
            assert!(error(&c) <= before + 1e-3);
        }
    }
}
