//! Has a population moved? Tests between two windows of points, by permutation.
//!
//! Points of one entity are not exchangeable, so labels move by entity: the two sides of an entity
//! that has points in both windows are swapped or not, and entities that have points in one only
//! change places with one another. `p = (1 + #{T* >= T}) / (B + 1)`.

mod classifier;
mod labels;
mod pairs;

use super::Status;
use super::geometry::{self, DimShare, cosine_distance, norm};
use super::rng::Random;
use crate::model::EntityId;
use labels::{BATCH, Labels};
use rayon::prelude::*;

/// Points of one window: any number an entity, in any order.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// The entity of each point.
    pub entity: &'a [EntityId],
    /// Vectors, row-major.
    pub x: &'a [f32],
    /// Dimension.
    pub dim: usize,
}

impl Window<'_> {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.entity.len()
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.entity.is_empty()
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.x[i * self.dim..(i + 1) * self.dim]
    }
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    /// Unbiased squared maximum mean discrepancy with the kernel `exp(-|a - b|^2 / s)`, s the median
    /// squared distance of all points (Gretton et al. 2012). Sees any change; may be negative.
    Mmd,
    /// Squared energy distance `2 E|X - Y| - E|X - X'| - E|Y - Y'|` (Szekely and Rizzo 2013).
    Energy,
    /// Distance of the two means.
    Centroid,
    /// Relative change of the mean and the standard deviation of the lengths, as one distance.
    Norm,
    /// Area under the ROC curve of a held-out logistic classifier of the window.
    Classifier,
}

impl Test {
    /// The stable word that rows print.
    pub fn as_str(self) -> &'static str {
        match self {
            Test::Mmd => "mmd",
            Test::Energy => "energy",
            Test::Centroid => "centroid",
            Test::Norm => "norm",
            Test::Classifier => "classifier",
        }
    }
}

/// Parameters of [`compare`].
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// The tests, in the order of the rows.
    pub tests: Vec<Test>,
    /// Random relabellings; 0 for statistics alone.
    pub permutations: usize,
    /// Seed of the relabellings.
    pub seed: u64,
    /// How many dimensions to name for [`Test::Centroid`].
    pub top: usize,
}

impl Default for Params {
    fn default() -> Self {
        Params { tests: vec![Test::Mmd, Test::Centroid, Test::Norm], permutations: 999, seed: 0, top: 10 }
    }
}

/// One test between two windows.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The test.
    pub test: Test,
    /// Its statistic.
    pub statistic: Option<f64>,
    /// How often relabelled windows differ as much.
    pub p_value: Option<f64>,
    /// Statistic over its standard deviation under relabelling.
    pub effect: Option<f64>,
    /// Cosine distance of the two means, for [`Test::Centroid`].
    pub cosine: Option<f64>,
    /// The dimensions in which the means moved most, for [`Test::Centroid`].
    pub top_dims: Vec<DimShare>,
    /// Why something is missing.
    pub status: Status,
}

/// Compares two windows of the same dimension; `group` names the comparison in the random draws.
/// Needs two points a window and, for p-values, at least two ways to label the entities.
pub fn compare(reference: &Window<'_>, current: &Window<'_>, group: u64, params: &Params) -> Vec<Row> {
    let few = reference.len() < 2 || current.len() < 2;
    let mut rows: Vec<f64> = Vec::new();
    let labels = Labels::new(reference.entity, current.entity);
    for window in [reference, current] {
        rows.extend(window.x.iter().map(|&v| f64::from(v)));
    }
    let one = |&test: &Test| {
        if few {
            return Row::empty(test, Status::FewPoints);
        }
        let statistic = Statistic::new(test, &rows, reference.dim, &labels);
        let mut row = permuted(test, &statistic, &labels, group, params);
        if test == Test::Centroid {
            let (a, b) = (mean(reference), mean(current));
            let delta: Vec<f64> = b.iter().zip(&a).map(|(b, a)| b - a).collect();
            row.cosine = cosine_distance(&a, &b);
            row.top_dims = geometry::attribute(&delta, params.top).0;
        }
        row
    };
    params.tests.par_iter().map(one).collect()
}

impl Row {
    /// A row without numbers, and why.
    pub fn empty(test: Test, status: Status) -> Self {
        Row { test, statistic: None, p_value: None, effect: None, cosine: None, top_dims: Vec::new(), status }
    }
}

/// Computes a statistic for many labellings.
enum Statistic<'a> {
    Pairs(pairs::Pairs),
    Means { rows: &'a [f64], dim: usize },
    Lengths(Vec<f64>),
    Classifier(classifier::Classifier),
}

impl<'a> Statistic<'a> {
    fn new(test: Test, rows: &'a [f64], dim: usize, labels: &Labels) -> Self {
        match test {
            Test::Mmd => Statistic::Pairs(pairs::Pairs::mmd(rows, dim)),
            Test::Energy => Statistic::Pairs(pairs::Pairs::energy(rows, dim)),
            Test::Centroid => Statistic::Means { rows, dim },
            Test::Norm => Statistic::Lengths(rows.chunks_exact(dim).map(norm).collect()),
            Test::Classifier => {
                Statistic::Classifier(classifier::Classifier::new(rows, dim, labels.entities()))
            }
        }
    }

    /// `signs` holds [`BATCH`] labellings a point: 1 for the reference, 0 for the current window.
    fn values(&self, signs: &[f64]) -> [f64; BATCH] {
        match self {
            Statistic::Pairs(pairs) => pairs.values(signs),
            Statistic::Means { rows, dim } => mean_distances(rows, *dim, signs),
            Statistic::Lengths(lengths) => length_changes(lengths, signs),
            Statistic::Classifier(c) => c.values(signs),
        }
    }
}

fn permuted(test: Test, statistic: &Statistic<'_>, labels: &Labels, group: u64, params: &Params) -> Row {
    let mut row = Row::empty(test, Status::Ok);
    let observed = statistic.values(&labels.observed())[0];
    if !observed.is_finite() {
        row.status = Status::Constant;
        return row;
    }
    row.statistic = Some(observed);
    if params.permutations == 0 {
        return row;
    }
    if !labels.can_permute() {
        row.status = Status::FewPoints;
        return row;
    }
    let mut random = Random::new(params.seed, "population labels", group);
    let mut drawn = Vec::with_capacity(params.permutations);
    while drawn.len() < params.permutations {
        let used = (params.permutations - drawn.len()).min(BATCH);
        drawn.extend_from_slice(&statistic.values(&labels.permuted(&mut random, used))[..used]);
    }
    let tie = 1e-12 * observed.abs();
    let exceed = drawn.iter().filter(|&&v| v >= observed - tie).count();
    row.p_value = Some((1 + exceed) as f64 / (1 + drawn.len()) as f64);
    let b = drawn.len() as f64;
    let centre = drawn.iter().sum::<f64>() / b;
    let sd = (drawn.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (b - 1.0).max(1.0)).sqrt();
    if sd > 0.0 {
        row.effect = Some(observed / sd);
    } else {
        row.status = Status::Constant;
    }
    row
}

fn mean(window: &Window<'_>) -> Vec<f64> {
    let mut out = vec![0.0; window.dim];
    for i in 0..window.len() {
        out.iter_mut().zip(window.row(i)).for_each(|(m, &x)| *m += f64::from(x));
    }
    out.iter_mut().for_each(|m| *m /= window.len() as f64);
    out
}

/// `|mean X - mean Y|` for each labelling.
fn mean_distances(rows: &[f64], dim: usize, signs: &[f64]) -> [f64; BATCH] {
    let (sizes, total) = labels::sizes(signs);
    let mut sums = vec![0.0; dim * BATCH];
    let mut all = vec![0.0; dim];
    for (row, sign) in rows.chunks_exact(dim).zip(signs.chunks_exact(BATCH)) {
        for ((sum, a), &v) in sums.chunks_exact_mut(BATCH).zip(&mut all).zip(row) {
            *a += v;
            sum.iter_mut().zip(sign).for_each(|(s, w)| *s += w * v);
        }
    }
    let mut out = [0.0; BATCH];
    for (sum, a) in sums.chunks_exact(BATCH).zip(&all) {
        for ((o, s), m) in out.iter_mut().zip(sum).zip(&sizes) {
            *o += (s / m - (a - s) / (total - m)).powi(2);
        }
    }
    out.map(f64::sqrt)
}

/// Relative changes of the mean and the standard deviation of the lengths, as one distance.
fn length_changes(lengths: &[f64], signs: &[f64]) -> [f64; BATCH] {
    std::array::from_fn(|b| {
        let side = |reference: bool| {
            let wanted = if reference { 1.0 } else { 0.0 };
            let kept = || lengths.iter().zip(signs.chunks_exact(BATCH)).filter(move |(_, s)| s[b] == wanted);
            let n = kept().count() as f64;
            let mean = kept().map(|(l, _)| l).sum::<f64>() / n;
            let variance = kept().map(|(l, _)| (l - mean).powi(2)).sum::<f64>() / n;
            (mean, variance.sqrt())
        };
        let ((mean_ref, sd_ref), (mean_cur, sd_cur)) = (side(true), side(false));
        let relative = |new: f64, old: f64| if new == old { 0.0 } else { (new - old) / old };
        relative(mean_cur, mean_ref).hypot(relative(sd_cur, sd_ref))
    })
}

/// Holm's adjustment over all rows of a run, in their order; rows without a p-value stay without.
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(f64, usize)> =
        p_values.iter().enumerate().filter_map(|(i, p)| p.map(|p| (p, i))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out = vec![None; p_values.len()];
    let mut least = 0.0f64;
    for (rank, &(p, i)) in order.iter().enumerate() {
        least = least.max(p * (order.len() - rank) as f64).min(1.0);
        out[i] = Some(least);
    }
    out
}

/// A seeded sample of `limit` of `0..n` in ascending order; all of them when there are no more.
pub fn sample(n: usize, limit: usize, seed: u64, group: u64) -> Vec<usize> {
    if n <= limit {
        return (0..n).collect();
    }
    let mut random = Random::new(seed, "population sample", group);
    let mut chosen = std::collections::BTreeSet::new();
    // Floyd's algorithm: one draw a member.
    for top in n - limit..n {
        let pick = random.below(top + 1);
        if !chosen.insert(pick) {
            chosen.insert(top);
        }
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests;
