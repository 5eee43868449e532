//! Can a classifier tell the windows apart? Area under the ROC curve of an L2-regularised
//! logistic model on standardised principal components, held out by entity.

use super::labels::BATCH;
use crate::analytics::geometry::dot;
use crate::analytics::principal;
use crate::model::EntityId;
use std::collections::BTreeSet;

/// Principal components at most, folds, and Newton steps at most.
const COMPONENTS: usize = 50;
const FOLDS: usize = 5;
const NEWTON_STEPS: usize = 25;

/// The points' features and folds.
pub(crate) struct Classifier {
    width: usize,
    /// Row-major features, a 1 for the intercept first.
    features: Vec<f64>,
    /// The fold of each point.
    fold: Vec<usize>,
}

impl Classifier {
    /// Entities go to folds in turn, in their order.
    pub fn new(rows: &[f64], dim: usize, entities: &[EntityId]) -> Self {
        let scores = principal::standard_scores(rows, dim, COMPONENTS);
        let n = entities.len();
        let components = scores.len() / n.max(1);
        let features = (0..n)
            .flat_map(|i| {
                std::iter::once(1.0).chain(scores[i * components..(i + 1) * components].iter().copied())
            })
            .collect();
        let order: Vec<EntityId> = entities.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let fold = entities.iter().map(|e| order.partition_point(|o| o < e) % FOLDS).collect();
        Classifier { width: components + 1, features, fold }
    }

    /// The area for each labelling; the current window is the positive class.
    pub fn values(&self, signs: &[f64]) -> [f64; BATCH] {
        let n = self.fold.len();
        let column = |b: usize| -> Vec<f64> { (0..n).map(|i| 1.0 - signs[i * BATCH + b]).collect() };
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
        area(&scores, labels)
    }

    /// Minimises `|w|^2 / 2 + sum log loss` over the points outside a fold, the intercept free, by
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
                gradient.iter_mut().zip(x).for_each(|(g, v)| *g += (mu - label) * v);
                let curve = mu * (1.0 - mu);
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

/// Chance that a positive scores above a negative, ties one half.
fn area(scores: &[f64], labels: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let positives: f64 = labels.iter().sum();
    let negatives = labels.len() as f64 - positives;
    let (mut rank_sum, mut i) = (0.0, 0);
    while i < order.len() {
        let end = (i..order.len()).find(|&j| scores[order[j]] != scores[order[i]]).unwrap_or(order.len());
        let rank = (i + end + 1) as f64 / 2.0;
        rank_sum += rank * order[i..end].iter().map(|&j| labels[j]).sum::<f64>();
        i = end;
    }
    (rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}
