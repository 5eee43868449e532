//! Can a classifier tell the windows apart? Area under the ROC curve of an L2-regularised
//! logistic model on standardised principal components, held out by entity.
//!
//! Entities with points in both windows are centred between their two sides first, which a swap
//! of the sides leaves as it is: the model then sees moves, not who moved. The others are centred
//! together. Each side of an entity has the same weight.

use super::design::{Design, NO_ITEM};
use super::labels::{BATCH, Labels};
use crate::analytics::geometry::dot;
use crate::analytics::principal;

/// Principal components at most, folds, and Newton steps at most.
const COMPONENTS: usize = 50;
const FOLDS: usize = 5;
const NEWTON_STEPS: usize = 25;

/// The relabelled points' features, weights and folds.
pub(crate) struct Classifier {
    width: usize,
    /// Row-major features, a 1 for the intercept first.
    features: Vec<f64>,
    /// The weight of each point, 1 in the mean.
    weight: Vec<f64>,
    /// The fold of each point.
    fold: Vec<usize>,
    /// Which points of the design these are.
    points: Vec<usize>,
}

impl Classifier {
    /// Entities go to folds in turn, in their order.
    pub fn new(rows: &[f64], dim: usize, design: &Design) -> Self {
        let points: Vec<usize> = (0..design.len()).filter(|&i| design.item[i] != NO_ITEM).collect();
        let centred = centred(rows, dim, design, &points);
        let scores = principal::standard_scores(&centred, dim, COMPONENTS);
        let n = points.len();
        let components = scores.len() / n.max(1);
        let features = (0..n)
            .flat_map(|i| {
                std::iter::once(1.0).chain(scores[i * components..(i + 1) * components].iter().copied())
            })
            .collect();
        let total: f64 = points.iter().map(|&i| design.part[i].abs()).sum();
        let weight = points.iter().map(|&i| design.part[i].abs() * n as f64 / total).collect();
        let mut order: Vec<_> = points.iter().map(|&i| design.entity[i]).collect();
        order.sort_unstable();
        order.dedup();
        let fold = points.iter().map(|&i| order.partition_point(|o| *o < design.entity[i]) % FOLDS).collect();
        Classifier { width: components + 1, features, weight, fold, points }
    }

    /// True when no feature tells points apart.
    pub fn is_blind(&self) -> bool {
        self.width == 1
    }

    /// Multiplications of a labelling, with few Newton steps.
    pub fn cost(&self) -> usize {
        self.points.len() * self.width * self.width * FOLDS * 4
    }

    /// The area for each labelling; the current window is the positive class.
    pub fn values(&self, signs: &[f64], labels: &Labels<'_>) -> [f64; BATCH] {
        let column = |b: usize| -> Vec<f64> {
            let all = labels.points(signs, b);
            self.points.iter().map(|&i| f64::from(u8::from(all[i] == Some(true)))).collect()
        };
        let first = column(0);
        let mut out = [self.auc(&first); BATCH];
        for (b, value) in out.iter_mut().enumerate().skip(1) {
            let labels = column(b);
            if labels != first {
                *value = self.auc(&labels);
            }
        }
        out
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.features[i * self.width..(i + 1) * self.width]
    }

    fn auc(&self, labels: &[f64]) -> f64 {
        let mut scores = vec![0.0; labels.len()];
        for fold in 0..FOLDS {
            let weights = self.fit(labels, fold);
            for i in (0..labels.len()).filter(|&i| self.fold[i] == fold) {
                scores[i] = dot(self.row(i), &weights);
            }
        }
        area(&scores, labels, &self.weight)
    }

    /// Minimises `|w|^2 / 2 + sum of weighted log losses` over the points outside a fold, the intercept free, by
    /// Newton steps.
    fn fit(&self, labels: &[f64], fold: usize) -> Vec<f64> {
        let p = self.width;
        let mut w = vec![0.0; p];
        for _ in 0..NEWTON_STEPS {
            let mut gradient = w.clone();
            gradient[0] = 0.0;
            let mut hessian = vec![0.0; p * p];
            (1..p).for_each(|d| hessian[d * p + d] = 1.0);
            hessian[0] = 1e-9;
            for (i, &label) in labels.iter().enumerate().filter(|(i, _)| self.fold[*i] != fold) {
                let x = self.row(i);
                let mu = 1.0 / (1.0 + (-dot(x, &w)).exp());
                let off = self.weight[i] * (mu - label);
                gradient.iter_mut().zip(x).for_each(|(g, v)| *g += off * v);
                let curve = self.weight[i] * mu * (1.0 - mu);
                for a in 0..p {
                    let scaled = curve * x[a];
                    hessian[a * p..a * p + a + 1].iter_mut().zip(x).for_each(|(h, v)| *h += scaled * v);
                }
            }
            let step = solve_cholesky(&mut hessian, gradient, p);
            w.iter_mut().zip(&step).for_each(|(w, s)| *w -= s);
            if step.iter().all(|s| s.abs() < 1e-10) {
                break;
            }
        }
        w
    }
}

/// Solves `A x = b` for a positive definite A given by its lower triangle, which is overwritten.
fn solve_cholesky(a: &mut [f64], mut b: Vec<f64>, n: usize) -> Vec<f64> {
    for i in 0..n {
        for j in 0..=i {
            let done: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let left = a[i * n + j] - done;
            a[i * n + j] = if i == j { left.max(f64::MIN_POSITIVE).sqrt() } else { left / a[j * n + j] };
        }
    }
    for i in 0..n {
        let done: f64 = (0..i).map(|k| a[i * n + k] * b[k]).sum();
        b[i] = (b[i] - done) / a[i * n + i];
    }
    for i in (0..n).rev() {
        let done: f64 = (i + 1..n).map(|k| a[k * n + i] * b[k]).sum();
        b[i] = (b[i] - done) / a[i * n + i];
    }
    b
}

/// Rows of `points`: those of a paired entity less the middle of its sides, the others less their
/// mean. Both sides of a pair have as many points here, and so have all of the others.
fn centred(rows: &[f64], dim: usize, design: &Design, points: &[usize]) -> Vec<f64> {
    let group = |i: usize| (design.item[i] as usize).min(design.paired);
    let mut sums = vec![0.0; (design.paired + 1) * dim];
    let mut counts = vec![0.0; design.paired + 1];
    for &i in points {
        counts[group(i)] += 1.0;
        let sum = &mut sums[group(i) * dim..(group(i) + 1) * dim];
        sum.iter_mut().zip(&rows[i * dim..(i + 1) * dim]).for_each(|(s, v)| *s += v);
    }
    let less = |&i: &usize| {
        let sum = &sums[group(i) * dim..(group(i) + 1) * dim];
        let count = counts[group(i)];
        rows[i * dim..(i + 1) * dim].iter().zip(sum).map(move |(v, s)| v - s / count)
    };
    points.iter().flat_map(less).collect()
}

/// Weighted chance that a positive scores above a negative, ties one half.
fn area(scores: &[f64], labels: &[f64], weight: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut positives, mut won, mut i) = (0.0, 0.0, 0.0, 0);
    while i < order.len() {
        let end = (i..order.len()).find(|&j| scores[order[j]] != scores[order[i]]).unwrap_or(order.len());
        let positive: f64 = order[i..end].iter().map(|&j| weight[j] * labels[j]).sum();
        let negative: f64 = order[i..end].iter().map(|&j| weight[j] * (1.0 - labels[j])).sum();
        won += positive * (below + negative / 2.0);
        below += negative;
        positives += positive;
        i = end;
    }
    won / (positives * below)
}
