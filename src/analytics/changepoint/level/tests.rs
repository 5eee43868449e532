use super::super::cost::{MeanCost, SegmentCost};
use super::super::walk::WalkCost;
use super::*;
use crate::analytics::golden;
use crate::analytics::rng::Random;

fn walk(n: usize, dim: usize, seed: u64) -> Series {
    let mut random = Random::new(seed, "test", 0);
    let mut level = vec![0.0; dim];
    let mut x = Vec::new();
    for i in 0..n {
        let jump = if i % 20 == 10 { 4.0 } else { 0.3 };
        level.iter_mut().for_each(|l| *l += jump * random.normal());
        x.extend(level.iter().map(|l| l + random.normal()));
    }
    let mut out = Series::new(x, dim);
    out.centre();
    out
}

/// The costs of rows `a..b` for each a and b, straight from the filter's recursion.
fn filter_costs(s: &Series, model: Model) -> Vec<Vec<f64>> {
    let of_start = |a: usize| {
        let mut p = (1.0 - model.phi) / (1.0 + model.phi);
        let mut m: Vec<f64> = s.row(a).iter().map(|x| (1.0 - model.phi) * x).collect();
        let mut costs = vec![0.0];
        for i in a + 1..s.len() {
            let f = 1.0 + p + model.q;
            let k = (p + model.q) / f;
            let mut cost = costs[costs.len() - 1];
            for (d, level) in m.iter_mut().enumerate() {
                let v = s.row(i)[d] - model.phi * s.row(i - 1)[d] - *level;
                cost += v * v / f;
                *level += k * v;
            }
            costs.push(cost);
            p = (p + model.q) * (1.0 - k);
        }
        costs
    };
    (0..s.len()).map(of_start).collect()
}

fn exhaustive(s: &Series, model: Model, penalty: f64, min_segment: usize) -> f64 {
    let n = s.len();
    let costs = filter_costs(s, model);
    let mut f = vec![f64::INFINITY; n + 1];
    f[0] = -penalty;
    for t in min_segment..=n {
        f[t] =
            (0..=t - min_segment).map(|a| f[a] + costs[a][t - a - 1] + penalty).fold(f64::INFINITY, f64::min);
    }
    f[n]
}

/// The least objective by either way of searching.
fn both_ways(s: &Series, model: Model, penalty: f64, min_segment: usize) -> [Fit; 2] {
    let gram = Gram::of(&s.x, s.dim);
    [None, Some(&gram)].map(|gram| search(&Search { series: s, gram }, model, penalty, min_segment))
}

fn objective(fit: &Fit, penalty: f64) -> f64 {
    fit.cost + penalty * fit.changes.len() as f64
}

const MODELS: [(f64, f64); 7] =
    [(0.0, 0.0), (0.0, 1e-4), (0.0, 0.2), (0.5, 0.0), (0.6, 0.1), (0.9, 1e-3), (0.0, 1e4)];

#[test]
fn without_walk_and_memory_it_is_the_mean_cost() {
    let s = walk(40, 3, 1);
    for fit in both_ways(&s, Model::FIXED, 1e9, 2) {
        golden::close(fit.cost, MeanCost::new(&s).cost(0, 40), 1e-9);
        golden::close(fit.log_factors, 40f64.ln(), 1e-9);
    }
}

#[test]
fn costs_in_closed_form_are_those_of_the_filter() {
    let s = walk(90, 11, 2);
    for (phi, q) in MODELS.into_iter().filter(|(_, q)| *q > 0.0) {
        let model = Model { phi, q };
        let expected = filter_costs(&s, model);
        let cost = WalkCost::new(&s, model);
        for (a, b, c) in [(0, 1, 60), (0, 7, 90), (5, 6, 9), (12, 30, 31), (3, 20, 89), (88, 89, 90)] {
            golden::close(cost.cost(a, b), expected[a][b - a - 1], 1e-9);
            let added = cost.cost(a, c) - cost.cost(a, b);
            assert!(cost.rest(b, c) <= added + 1e-9, "{phi} {q} {a} {b} {c}");
        }
    }
}

#[test]
fn equals_the_full_dynamic_programme() {
    for seed in 0..60u64 {
        let s = walk(45, 2, seed);
        for (phi, q) in MODELS {
            let model = Model { phi, q };
            for (penalty, min) in [(8.0, 2), (30.0, 3)] {
                let best = exhaustive(&s, model, penalty, min);
                for fit in both_ways(&s, model, penalty, min) {
                    golden::close(objective(&fit, penalty), best, 1e-9);
                }
            }
        }
    }
}

#[test]
fn blocks_of_candidates_stay_exact() {
    for (seed, penalty) in [(3, 200.0), (4, 25.0)] {
        let s = walk(300, 9, seed);
        for (phi, q) in MODELS {
            let model = Model { phi, q };
            let best = exhaustive(&s, model, penalty, 2);
            for fit in both_ways(&s, model, penalty, 2) {
                golden::close(objective(&fit, penalty), best, 1e-9);
            }
        }
    }
}
