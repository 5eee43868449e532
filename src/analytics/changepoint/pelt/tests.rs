use super::super::cost::{LineCost, MeanCost};
use super::super::local_level::Model;
use super::super::scan;
use super::super::series::Series;
use super::*;
use crate::analytics::golden;
use crate::analytics::gram::Gram;
use crate::analytics::rng::Random;
use proptest::prelude::*;

/// The dynamic programme without any pruning: the least objective.
fn exhaustive(cost: &impl SegmentCost, penalty: f64, min_segment: usize) -> f64 {
    let n = cost.len();
    let mut f = vec![f64::INFINITY; n + 1];
    f[0] = -penalty;
    for t in min_segment..=n {
        f[t] = (0..=t - min_segment).map(|s| f[s] + cost.cost(s, t) + penalty).fold(f64::INFINITY, f64::min);
    }
    f[n]
}

/// Noise with a jump every `every` rows.
fn series(n: usize, dim: usize, every: usize, jump: f64, seed: u64) -> Series {
    let mut random = Random::new(seed, "test", 0);
    let mut level = vec![0.0; dim];
    let mut x = Vec::with_capacity(n * dim);
    for i in 0..n {
        if i % every == 0 {
            level.iter_mut().for_each(|l| *l += jump * random.normal());
        }
        x.extend(level.iter().map(|l| l + random.normal()));
    }
    let mut out = Series::new(x, dim);
    out.centre();
    out
}

/// The objective of given changes.
fn objective(cost: &impl SegmentCost, changes: &[usize], penalty: f64) -> f64 {
    let edges: Vec<usize> =
        std::iter::once(0).chain(changes.iter().copied()).chain(std::iter::once(cost.len())).collect();
    edges.windows(2).map(|w| cost.cost(w[0], w[1])).sum::<f64>() + penalty * changes.len() as f64
}

fn check(cost: &impl SegmentCost, penalty: f64, min_segment: usize) {
    let found = search(cost, penalty, min_segment);
    golden::close(found.objective, exhaustive(cost, penalty, min_segment), 1e-9);
    golden::close(found.objective, objective(cost, &found.changes, penalty), 1e-9);
    let edges: Vec<usize> =
        std::iter::once(0).chain(found.changes.iter().copied()).chain(std::iter::once(cost.len())).collect();
    assert!(edges.windows(2).all(|w| w[1] - w[0] >= min_segment));
}

#[test]
fn equals_the_full_dynamic_programme_on_random_cases() {
    for seed in 0..1500u64 {
        let mut random = Random::new(seed, "case", 0);
        let (n, dim) = (12 + random.below(60), 1 + random.below(3));
        let s = series(n, dim, 5 + random.below(12), 2.0 * random.unit(), seed);
        let (penalty, min_segment) = (0.5 + 12.0 * random.unit(), 1 + random.below(5));
        check(&MeanCost::new(&s), penalty, min_segment);
        check(&LineCost::new(&s), penalty, min_segment);
    }
}

#[test]
fn blocks_of_blocks_stay_exact() {
    for (seed, every, penalty) in [(1, 1_000_000, 20.0), (2, 130, 20.0), (3, 1_000_000, 3.0), (4, 40, 8.0)] {
        let s = series(700, 3, every, 1.5, seed);
        check(&MeanCost::new(&s), penalty, 2);
        check(&LineCost::new(&s), penalty, 5);
    }
}

#[test]
fn inner_products_give_the_same_segments() {
    let s = series(90, 200, 30, 0.7, 9);
    let gram = Gram::of(&s.x, s.dim);
    let (a, b) = (search(&MeanCost::new(&s), 300.0, 2), scan::levels(&gram, Model::FIXED, 300.0, 2));
    assert_eq!(a.changes, b.changes);
    assert_eq!(a.changes, [30, 60]);
    golden::close(a.objective, b.objective, 1e-9);
    for (seed, penalty) in [(1, 40.0), (2, 900.0)] {
        let s = series(150, 10, 25, 1.5, seed);
        let (a, b) = (search(&LineCost::new(&s), penalty, 5), scan::lines(&Gram::of(&s.x, 10), penalty, 5));
        assert_eq!(a.changes, b.changes);
        golden::close(a.objective, b.objective, 1e-9);
    }
}

#[test]
fn never_worse_than_ruptures() {
    for case in golden::load("pelt")["cases"].as_array().unwrap() {
        let (x, dim) = golden::matrix(&case["x"]);
        let mut s = Series::new(x, dim);
        s.centre();
        let cost = MeanCost::new(&s);
        let (penalty, min) = (case["penalty"].as_f64().unwrap(), case["min_size"].as_u64().unwrap() as usize);
        let found = search(&cost, penalty, min);
        let theirs: Vec<usize> = golden::integers(&case["ruptures"]).iter().map(|&c| c as usize).collect();
        assert!(found.objective <= objective(&cost, &theirs, penalty) + 1e-9);
        golden::close(found.objective, case["optimum"].as_f64().unwrap(), 1e-9);
    }
}

#[test]
fn too_short_for_two_segments() {
    let s = series(5, 1, 2, 9.0, 0);
    assert!(search(&MeanCost::new(&s), 0.1, 3).changes.is_empty());
    assert_eq!(search(&MeanCost::new(&Series::new(vec![], 1)), 0.1, 1).objective, 0.0);
}

proptest! {
    #[test]
    fn scaling_the_series_scales_the_penalty(seed in 0u64..1000, scale in 0.01f64..100.0) {
        let s = series(60, 2, 20, 2.0, seed);
        let scaled = Series::new(s.x.iter().map(|v| v * scale).collect(), 2);
        let (a, b) = (search(&MeanCost::new(&s), 9.0, 2), search(&MeanCost::new(&scaled), 9.0 * scale * scale, 2));
        golden::close(b.objective / (scale * scale), a.objective, 1e-9);
    }
}
