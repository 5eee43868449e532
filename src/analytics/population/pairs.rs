//! Statistics that are sums over pairs of points: MMD and energy distance.

use super::labels::{BATCH, sizes};
use crate::analytics::geometry::squared_distance;

/// A symmetric value for each pair of points, and how the sums of the blocks are weighed.
pub(crate) struct Pairs {
    n: usize,
    /// The strict lower triangle, row by row.
    lower: Vec<f64>,
    /// Row sums of the whole matrix without its diagonal.
    sums: Vec<f64>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Mmd,
    Energy,
}

impl Pairs {
    /// RBF kernel with the median of the squared distances as its scale.
    pub fn mmd(rows: &[f64], dim: usize) -> Self {
        let mut lower = squared_distances(rows, dim);
        let scale = median(&lower);
        // All points equal: every kernel value is 1.
        lower.iter_mut().for_each(|d| *d = if scale > 0.0 { (-*d / scale).exp() } else { 1.0 });
        Pairs::new(lower, rows.len() / dim, Kind::Mmd)
    }

    pub fn energy(rows: &[f64], dim: usize) -> Self {
        let mut lower = squared_distances(rows, dim);
        lower.iter_mut().for_each(|d| *d = d.sqrt());
        Pairs::new(lower, rows.len() / dim, Kind::Energy)
    }

    fn new(lower: Vec<f64>, n: usize, kind: Kind) -> Self {
        let mut sums = vec![0.0; n];
        let mut at = 0;
        for i in 0..n {
            for j in 0..i {
                sums[i] += lower[at];
                sums[j] += lower[at];
                at += 1;
            }
        }
        Pairs { n, lower, sums, kind }
    }

    /// The statistic for each labelling.
    pub fn values(&self, signs: &[f64]) -> [f64; BATCH] {
        let (sizes, total) = sizes(signs);
        let mut within = [0.0; BATCH];
        let mut touching = [0.0; BATCH];
        let mut start = 0;
        for i in 0..self.n {
            let mut row = [0.0; BATCH];
            for (value, sign) in self.lower[start..start + i].iter().zip(signs.chunks_exact(BATCH)) {
                row.iter_mut().zip(sign).for_each(|(r, s)| *r += value * s);
            }
            start += i;
            let own = &signs[i * BATCH..(i + 1) * BATCH];
            for b in 0..BATCH {
                within[b] += 2.0 * own[b] * row[b];
                touching[b] += own[b] * self.sums[i];
            }
        }
        let all: f64 = self.sums.iter().sum();
        std::array::from_fn(|b| {
            let (m, n) = (sizes[b], total - sizes[b]);
            let (reference, across) = (within[b], touching[b] - within[b]);
            let current = all - 2.0 * touching[b] + within[b];
            match self.kind {
                Kind::Mmd => reference / (m * (m - 1.0)) + current / (n * (n - 1.0)) - 2.0 * across / (m * n),
                Kind::Energy => 2.0 * across / (m * n) - reference / (m * m) - current / (n * n),
            }
        })
    }
}

/// `|a - b|^2` of all pairs: the strict lower triangle, row by row.
fn squared_distances(rows: &[f64], dim: usize) -> Vec<f64> {
    let n = rows.len() / dim;
    let row = |i: usize| &rows[i * dim..(i + 1) * dim];
    let mut out = Vec::with_capacity(n * n.saturating_sub(1) / 2);
    for i in 0..n {
        out.extend((0..i).map(|j| squared_distance(row(i), row(j))));
    }
    out
}

/// The middle value, or the mean of the two middle ones.
fn median(values: &[f64]) -> f64 {
    let mut v = values.to_vec();
    let half = v.len() / 2;
    if v.is_empty() {
        return 0.0;
    }
    let (below, &mut upper, _) = v.select_nth_unstable_by(half, f64::total_cmp);
    if values.len() % 2 == 1 {
        return upper;
    }
    (below.iter().copied().fold(f64::NEG_INFINITY, f64::max) + upper) / 2.0
}
