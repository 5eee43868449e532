//! Segments of one kind under noise of one scale, with the penalties of the user's choice.

use super::cost::SegmentCost;
use super::local_level::Model;
use super::noise::{self, Shape};
use super::params::{Cost, Noise, by_inner_products};
use super::penalty::{Penalty, Rule};
use super::series::Series;
use super::{pelt, scan};
use crate::analytics::gram::Gram;

/// Searches: the first takes the noise from all neighbours, the second from within segments.
const ROUNDS: usize = 2;
/// No penalty falls below this share of the whole sum of squares: exact steps have no noise.
const LEAST: f64 = 1e-10;

/// What a search hands back.
pub(super) struct Outcome {
    pub cost: Cost,
    pub changes: Vec<usize>,
    pub penalty: f64,
    pub drifts: bool,
    /// The changes that a level that wanders explains as well.
    pub doubtful: Vec<usize>,
}

/// The noise inside segments, as it enters a penalty.
fn noise_trace(series: &Series, changes: &[usize], noise: Noise) -> f64 {
    let (trace, rho) =
        if changes.is_empty() { noise::robust(series) } else { noise::within(series, changes) };
    match noise {
        Noise::Ar1 => trace * (1.0 + rho) / (1.0 - rho),
        Noise::Iid => trace * (1.0 - rho),
    }
}

/// Finds changes of what `cost` fits, in a centred series.
pub(crate) fn search(
    series: &Series,
    cost: &impl SegmentCost,
    rule: Rule,
    min_segment: usize,
    noise: Noise,
) -> Outcome {
    let n = series.len();
    let flat = Shape { d_eff: series.dim as f64, top: 1.0 / series.dim as f64, spread: 1.0 };
    let shape = Shape::of(series).unwrap_or(flat);
    let floor = LEAST * series.x.iter().map(|v| v * v).sum::<f64>();
    let penalty_for = |trace: f64| match rule.penalty {
        Penalty::Value(v) => v,
        _ => rule.value(trace, &shape, series.dim, n).max(floor),
    };
    let gram = by_inner_products(n, series.dim).then(|| Gram::of(&series.x, series.dim));
    let best = |penalty| match &gram {
        Some(gram) if rule.parameters == 2 => scan::lines(gram, penalty, min_segment),
        Some(gram) => scan::levels(gram, Model::FIXED, penalty, min_segment),
        None => pelt::search(cost, penalty, min_segment),
    };
    let mut changes = Vec::new();
    let mut penalty = 0.0;
    for _ in 0..ROUNDS {
        penalty = penalty_for(noise_trace(series, &changes, noise));
        changes = best(penalty).changes;
    }
    if rule.penalty == Penalty::Auto {
        keep_locally_significant(series, cost, &mut changes, penalty_for, noise);
    }
    let drifts = noise::within(series, &changes).1 >= 0.8;
    let cost = if rule.parameters == 2 { Cost::Line } else { Cost::Mean };
    Outcome { cost, changes, penalty, drifts, doubtful: Vec::new() }
}

/// Removes changes, the weakest first, whose gain between their neighbours does not reach the
/// penalty for the noise between these neighbours.
fn keep_locally_significant(
    series: &Series,
    cost: &impl SegmentCost,
    changes: &mut Vec<usize>,
    penalty_for: impl Fn(f64) -> f64,
    noise: Noise,
) {
    loop {
        let edge = |i: usize| if i == 0 { 0 } else { changes.get(i - 1).copied().unwrap_or(series.len()) };
        let weakest = (0..changes.len())
            .map(|i| {
                let (a, c, b) = (edge(i), changes[i], edge(i + 2));
                let gain = cost.cost(a, b) - cost.cost(a, c) - cost.cost(c, b);
                let local = noise_trace(&series.part(a..b), &[c - a], noise);
                (gain / penalty_for(local), i)
            })
            .min_by(|x, y| x.0.total_cmp(&y.0));
        match weakest {
            Some((ratio, i)) if ratio < 1.0 => {
                changes.remove(i);
            }
            _ => return,
        }
    }
}
