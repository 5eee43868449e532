use super::super::cost::{MeanCost, SegmentCost};
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

/// The cost of rows `a..b`, straight from the filter's recursion.
fn filter_cost(s: &Series, model: Model, a: usize, b: usize) -> f64 {
    let mut p = (1.0 - model.phi) / (1.0 + model.phi);
    let mut m: Vec<f64> = s.row(a).iter().map(|x| (1.0 - model.phi) * x).collect();
    let mut cost = 0.0;
    for i in a + 1..b {
        let f = 1.0 + p + model.q;
        let k = (p + model.q) / f;
        for (d, level) in m.iter_mut().enumerate() {
            let v = s.row(i)[d] - model.phi * s.row(i - 1)[d] - *level;
            cost += v * v / f;
            *level += k * v;
        }
        p = (p + model.q) * (1.0 - k);
    }
    cost
}

fn exhaustive(s: &Series, model: Model, penalty: f64, min_segment: usize) -> f64 {
    let n = s.len();
    let mut f = vec![f64::INFINITY; n + 1];
    f[0] = -penalty;
    for t in min_segment..=n {
        f[t] = (0..=t - min_segment)
            .map(|a| f[a] + filter_cost(s, model, a, t) + penalty)
            .fold(f64::INFINITY, f64::min);
    }
    f[n]
}

#[test]
fn without_walk_and_memory_it_is_the_mean_cost() {
    let s = walk(40, 3, 1);
    let fit = search(&s, Model { phi: 0.0, q: 0.0 }, 1e9, 2);
    golden::close(fit.cost, MeanCost::new(&s).cost(0, 40), 1e-9);
    golden::close(fit.log_factors, 40f64.ln(), 1e-9);
}

#[test]
fn equals_the_full_dynamic_programme() {
    for seed in 0..60u64 {
        let s = walk(45, 2, seed);
        for (phi, q) in [(0.0, 0.0), (0.0, 0.2), (0.5, 0.0), (0.6, 0.1), (0.0, 1e4)] {
            let model = Model { phi, q };
            for (penalty, min) in [(8.0, 2), (30.0, 3)] {
                let fit = search(&s, model, penalty, min);
                let value = fit.cost + penalty * fit.changes.len() as f64;
                golden::close(value, exhaustive(&s, model, penalty, min), 1e-9);
            }
        }
    }
}

#[test]
fn a_forgetful_filter_keeps_few_candidates_and_stays_exact() {
    let s = walk(150, 2, 3);
    let model = Model { phi: 0.0, q: 2.0 };
    assert!(memory_steps(model, 150) < 30);
    let fit = search(&s, model, 200.0, 2);
    golden::close(fit.cost + 200.0 * fit.changes.len() as f64, exhaustive(&s, model, 200.0, 2), 1e-6);
}

#[test]
fn thinning_costs_next_to_nothing() {
    // Where the level walks a little, whether there are jumps or not.
    for (seed, every) in [(1, 130), (2, 400), (3, 2000)] {
        let mut random = Random::new(seed, "thin", 0);
        let mut level = [0.0; 3];
        let mut x = Vec::new();
        for i in 0..1500 {
            let step = if i % every == every - 1 { 3.0 } else { 0.02 };
            level.iter_mut().for_each(|l| *l += step * random.normal());
            x.extend(level.iter().map(|l| l + random.normal()));
        }
        let mut s = Series::new(x, 3);
        s.centre();
        for (phi, q) in [(0.0, 4e-4), (0.0, 0.05), (0.4, 4e-4)] {
            let (model, penalty) = (Model { phi, q }, 25.0);
            let schedule = Schedule::new(model, s.len());
            let whole = wandering(&s, model, penalty, 2, (&schedule, false));
            let thinned = wandering(&s, model, penalty, 2, (&schedule, true));
            let objective = |fit: &Fit| fit.cost + penalty * fit.changes.len() as f64;
            let excess = objective(&thinned) - objective(&whole);
            assert!((-1e-9..0.05 * penalty).contains(&excess), "{seed} {phi} {q}: {excess}");
            assert_eq!(thinned.changes.len(), whole.changes.len(), "{seed} {phi} {q}");
            let near = |(a, b): (&usize, &usize)| a.abs_diff(*b) <= 2;
            assert!(thinned.changes.iter().zip(&whole.changes).all(near), "{thinned:?} {whole:?}");
        }
    }
}
