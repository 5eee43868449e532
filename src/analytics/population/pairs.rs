//! Statistics that are sums over pairs of points of different entities: MMD, energy distance, the
//! distance of the means, and the lengths.
//!
//! Each of them is a squared distance `|E f(Y) - E f(X)|^2` of mean features, known by a
//! similarity of points. Pairs of one entity are left out, so that the estimate has the mean zero
//! without a drift whatever the number of points of an entity and however they depend on another.

use super::design::{Design, NO_ITEM, class};
use super::labels::BATCH;
use crate::analytics::geometry::squared_distance;
use rayon::prelude::*;

/// `|a - b|^2` of all pairs: the strict lower triangle, row by row.
pub(crate) fn squared_distances(rows: &[f64], dim: usize) -> Vec<f64> {
    let n = rows.len() / dim;
    let row = |i: usize| &rows[i * dim..(i + 1) * dim];
    let mut out = vec![0.0; n * n.saturating_sub(1) / 2];
    let mut parts = Vec::with_capacity(n);
    let mut rest = out.as_mut_slice();
    for i in 0..n {
        let (head, tail) = rest.split_at_mut(i);
        parts.push((i, head));
        rest = tail;
    }
    parts.into_par_iter().for_each(|(i, part)| {
        part.iter_mut().enumerate().for_each(|(j, v)| *v = squared_distance(row(i), row(j)));
    });
    out
}

/// Where row `i` of a strict lower triangle starts.
fn row_start(i: usize) -> usize {
    i * i.saturating_sub(1) / 2
}

/// How alike two points are, as a function of their squared distance.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Similarity {
    /// `exp(-d^2 / scale)`.
    Gauss { scale: f64 },
    /// `-d`.
    Distance,
    /// `-d^2 / 2`, which stands for the inner product where weights add to zero.
    Square,
}

impl Similarity {
    /// The Gaussian kernel whose scale is the median of the squared distances between points of
    /// different entities; their mean where more than half of them are zero.
    pub fn gauss(squared: &[f64], design: &Design) -> Self {
        let mut across = Vec::with_capacity(squared.len());
        each_pair(design, squared, |_, _, d| across.push(d));
        let mean = across.iter().sum::<f64>() / across.len().max(1) as f64;
        let scale = median(&mut across);
        Similarity::Gauss { scale: if scale > 0.0 { scale } else { mean } }
    }

    fn of(self, squared: f64) -> f64 {
        match self {
            Similarity::Gauss { scale } if scale > 0.0 => (-squared / scale).exp(),
            Similarity::Gauss { .. } => 1.0,
            Similarity::Distance => -squared.sqrt(),
            Similarity::Square => -squared / 2.0,
        }
    }
}

/// Calls `f(i, j, squared distance)` for pairs of compared points of different entities.
fn each_pair(design: &Design, squared: &[f64], mut f: impl FnMut(usize, usize, f64)) {
    let mut at = 0;
    for i in 0..design.len() {
        if design.class[i] != class::NONE {
            for (j, &d) in squared[at..at + i].iter().enumerate() {
                if design.class[j] != class::NONE && design.entity[i] != design.entity[j] {
                    f(i, j, d);
                }
            }
        }
        at += i;
    }
}

/// The middle value, or the mean of the two middle ones; 0 without values.
fn median(v: &mut [f64]) -> f64 {
    let half = v.len() / 2;
    if v.is_empty() {
        return 0.0;
    }
    let odd = v.len() % 2 == 1;
    let (below, &mut upper, _) = v.select_nth_unstable_by(half, f64::total_cmp);
    if odd {
        return upper;
    }
    (below.iter().copied().fold(f64::NEG_INFINITY, f64::max) + upper) / 2.0
}

/// The estimate from all points, and what relabelling needs.
pub(crate) struct Pairs {
    /// `|E f(Y) - E f(X)|^2` without bias.
    pub statistic: f64,
    /// The statistic over the spreads of the two windows: `2 E d(X, Y) / (E d(X, X') + E d(Y, Y')) - 1`
    /// with `d` the squared distance of features.
    pub effect: Option<f64>,
    /// Paired entities, the current minus the reference mean feature, then the mean features of
    /// the others: their inner products, the strict lower triangle.
    lower: Vec<f64>,
    /// For the items of one window: the sum of its products with the other ones of that kind.
    sums: Vec<f64>,
    paired: usize,
    single: (f64, f64),
    share: f64,
    /// The largest product: what rounding is measured against.
    largest: f64,
}

impl Pairs {
    pub fn new(squared: &[f64], similarity: Similarity, design: &Design) -> Self {
        let items = Items::new(squared, similarity, design);
        let (paired, single) = items.variances(design);
        let share = design.share(paired, single);
        let sums = Sums::new(squared, similarity, design);
        let statistic = sums.statistic(design, share);
        let spread = sums.spread(design, similarity.of(0.0));
        let p = design.paired;
        let m = design.items();
        let mut of_singles = vec![0.0; m - p];
        for i in p..m {
            for j in p..i {
                let v = items.lower[row_start(i) + j];
                of_singles[i - p] += v;
                of_singles[j - p] += v;
            }
        }
        let references = design.reference_items.iter().filter(|r| **r).count();
        let largest = items.lower.iter().chain(&items.own).fold(0.0f64, |a, v| a.max(v.abs()));
        Pairs {
            statistic,
            effect: (spread > 0.0).then(|| statistic / spread),
            lower: items.lower,
            sums: of_singles,
            paired: p,
            single: (references as f64, (m - p - references) as f64),
            share,
            largest,
        }
    }

    /// Multiplications of a labelling, and what it takes to draw it.
    pub fn cost(&self) -> usize {
        self.lower.len() + 20 * (self.paired + self.sums.len())
    }

    /// The share of the paired entities in the estimate.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Differences below this are rounding.
    pub fn tie(&self) -> f64 {
        1e-12 * self.largest
    }

    /// The statistic of the relabelled points for each labelling.
    pub fn values(&self, signs: &[f64]) -> [f64; BATCH] {
        let (p, items) = (self.paired, signs.len() / BATCH);
        let (mut pairs, mut flips) = ([0.0; BATCH], [0.0; BATCH]);
        let (mut within, mut touching, mut across) = ([0.0; BATCH], [0.0; BATCH], [0.0; BATCH]);
        let (references, currents) = self.single;
        let sum = |row: &[f64], signs: &[f64]| {
            let mut out = [0.0; BATCH];
            for (value, sign) in row.iter().zip(signs.chunks_exact(BATCH)) {
                out.iter_mut().zip(sign).for_each(|(o, s)| *o += value * s);
            }
            out
        };
        let mut start = 0;
        for i in 0..items {
            let row = &self.lower[start..start + i];
            let own = &signs[i * BATCH..(i + 1) * BATCH];
            start += i;
            let with_pairs = sum(&row[..i.min(p)], signs);
            if i < p {
                for b in 0..BATCH {
                    pairs[b] += 2.0 * own[b] * with_pairs[b];
                    flips[b] += own[b];
                }
                continue;
            }
            let with_singles = sum(&row[p..], &signs[p * BATCH..]);
            for b in 0..BATCH {
                within[b] += 2.0 * own[b] * with_singles[b];
                touching[b] += own[b] * self.sums[i - p];
                let weight = (1.0 - own[b]) / currents - own[b] / references;
                across[b] += weight * with_pairs[b];
            }
        }
        let all: f64 = self.sums.iter().sum();
        std::array::from_fn(|b| {
            let n = p as f64;
            let paired = if p > 1 { pairs[b] / (n * (n - 1.0)) } else { 0.0 };
            if items == p {
                return paired;
            }
            let (reference, between) = (within[b], touching[b] - within[b]);
            let current = all - 2.0 * touching[b] + within[b];
            let single = reference / (references * (references - 1.0))
                + current / (currents * (currents - 1.0))
                - 2.0 * between / (references * currents);
            let cross = if p > 0 { across[b] / n } else { 0.0 };
            let (a, s) = (self.share, 1.0 - self.share);
            a * a * paired + s * s * single + 2.0 * a * s * cross
        })
    }
}

/// Inner products of the items' features.
struct Items {
    lower: Vec<f64>,
    /// Each item's with itself.
    own: Vec<f64>,
}

impl Items {
    fn new(squared: &[f64], similarity: Similarity, design: &Design) -> Self {
        let m = design.items();
        let mut items = Items { lower: vec![0.0; m * m.saturating_sub(1) / 2], own: vec![0.0; m] };
        let self_similar = similarity.of(0.0);
        let mut at = 0;
        for i in 0..design.len() {
            let a = design.item[i];
            if a != NO_ITEM {
                let a = a as usize;
                items.own[a] += design.part[i] * design.part[i] * self_similar;
                for (j, &d) in squared[at..at + i].iter().enumerate() {
                    if design.item[j] == NO_ITEM {
                        continue;
                    }
                    let (b, v) =
                        (design.item[j] as usize, design.part[i] * design.part[j] * similarity.of(d));
                    if a == b {
                        items.own[a] += 2.0 * v;
                    } else {
                        let (high, low) = (a.max(b), a.min(b));
                        items.lower[row_start(high) + low] += v;
                    }
                }
            }
            at += i;
        }
        items
    }

    /// Variances of the mean difference of the paired entities, and of the difference of means of
    /// the others. Both are the same for every labelling.
    fn variances(&self, design: &Design) -> (f64, f64) {
        let p = design.paired;
        let paired = self.own[..p].iter().sum::<f64>() / (p as f64 * p as f64).max(1.0);
        let m = design.items() - p;
        if m < 2 {
            return (paired, 0.0);
        }
        let mut across = 0.0;
        for i in p..p + m {
            across += self.lower[row_start(i) + p..row_start(i) + i].iter().sum::<f64>();
        }
        let m = m as f64;
        let spread = self.own[p..].iter().sum::<f64>() / m - 2.0 * across / (m * (m - 1.0));
        let references = design.reference_items.iter().filter(|r| **r).count() as f64;
        (paired, (spread * (1.0 / references + 1.0 / (m - references))).max(0.0))
    }
}

/// Weighted sums of similarities of points of different entities, by class; of all points, each
/// entity with the weight 1 in a window.
struct Sums([[f64; 4]; 4]);

impl Sums {
    fn new(squared: &[f64], similarity: Similarity, design: &Design) -> Self {
        let mut sums = [[0.0; 4]; 4];
        each_pair(design, squared, |i, j, d| {
            let v = design.weight[i] * design.weight[j] * similarity.of(d);
            sums[design.class[i]][design.class[j]] += v;
            sums[design.class[j]][design.class[i]] += v;
        });
        Sums(sums)
    }

    fn statistic(&self, design: &Design, share: f64) -> f64 {
        use class::{PAIRED_CUR, PAIRED_REF, SINGLE_CUR, SINGLE_REF};
        let s = &self.0;
        let n = design.paired as f64;
        let (references, currents) = (design.single.0 as f64, design.single.1 as f64);
        let paired = || {
            (s[PAIRED_REF][PAIRED_REF] + s[PAIRED_CUR][PAIRED_CUR] - 2.0 * s[PAIRED_REF][PAIRED_CUR])
                / (n * (n - 1.0))
        };
        let single = || {
            s[SINGLE_REF][SINGLE_REF] / (references * (references - 1.0))
                + s[SINGLE_CUR][SINGLE_CUR] / (currents * (currents - 1.0))
                - 2.0 * s[SINGLE_REF][SINGLE_CUR] / (references * currents)
        };
        if design.single.0 == 0 {
            return paired();
        }
        if design.paired == 0 {
            return single();
        }
        let cross = (s[PAIRED_CUR][SINGLE_CUR] - s[PAIRED_REF][SINGLE_CUR]) / (n * currents)
            - (s[PAIRED_CUR][SINGLE_REF] - s[PAIRED_REF][SINGLE_REF]) / (n * references);
        let rest = 1.0 - share;
        share * share * paired() + rest * rest * single() + 2.0 * share * rest * cross
    }

    /// The mean squared distances of features from the mean, of both windows together.
    fn spread(&self, design: &Design, self_similar: f64) -> f64 {
        let s = &self.0;
        let (reference, current) = design.sides();
        let one = |pair: usize, single: usize, n: f64| {
            self_similar
                - (s[pair][pair] + 2.0 * s[pair][single] + s[single][single]) / (n * (n - 1.0)).max(1.0)
        };
        one(class::PAIRED_REF, class::SINGLE_REF, reference)
            + one(class::PAIRED_CUR, class::SINGLE_CUR, current)
    }
}
