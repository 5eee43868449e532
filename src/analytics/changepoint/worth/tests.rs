use super::*;
use crate::analytics::changepoint::{Params, Report, detect};
use crate::model::Trajectory;

/// What a level does beside its noise.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Still,
    Walks,
    Turns,
    Season,
    Jump(f64),
}

/// A series of `n` points, and the place of its change, in noise of variance 1 that remembers by `phi`.
fn series(kind: Kind, n: usize, dim: usize, phi: f64, seed: u64) -> (Vec<f32>, usize) {
    let mut random = Random::new(seed, "worth", dim as u64);
    let at = n / 3 + random.below(n / 3);
    let (mut level, mut noise) = (vec![0.0; dim], vec![0.0; dim]);
    let mut x = Vec::new();
    for i in 0..n {
        let share = i as f64 / n as f64;
        for d in 0..dim {
            noise[d] = phi * noise[d] + (1.0 - phi * phi).sqrt() * random.normal();
            if kind == Kind::Walks {
                level[d] += 0.3 * random.normal();
            }
            let moved = match kind {
                Kind::Turns => 6.0 * (2.0 * share - 1.0).powi(2),
                Kind::Season => 2.0 * (std::f64::consts::TAU * i as f64 / 24.0).sin(),
                Kind::Jump(size) if i >= at => size,
                _ => 0.0,
            };
            x.push((noise[d] + level[d] + moved) as f32);
        }
    }
    (x, at)
}

fn report(x: &[f32], dim: usize, params: &Params) -> Report {
    let t: Vec<i64> = (0..(x.len() / dim) as i64).collect();
    detect(&Trajectory { entity: 7, t: &t, x, dim, model: &[] }, params)
}

/// Shares of 60 series of 100 points whose best split has p_any_order and p_wander of at most 0.05, and whose
/// interval holds the change.
fn shares(kind: Kind, dim: usize, phi: f64) -> [f64; 3] {
    let params = Params { best: Some(1), ..Params::default() };
    let mut out = [0.0; 3];
    for seed in 0..60 {
        let (x, at) = series(kind, 100, dim, phi, seed);
        let change = &report(&x, dim, &params).changes[0];
        let low = |p: Option<f64>| p.unwrap() <= 0.05;
        let held = (change.t_low..=change.t_high).contains(&(at as i64));
        for (sum, counts) in out.iter_mut().zip([low(change.p_any_order), low(change.p_wander), held]) {
            *sum += f64::from(u8::from(counts)) / 60.0;
        }
    }
    out
}

#[test]
fn each_null_is_kept_where_it_is_true() {
    // Three standard errors above 0.05 are 0.134.
    for dim in [1, 3, 24] {
        let [order, wander, _] = shares(Kind::Still, dim, 0.0);
        assert!(order <= 0.134 && wander <= 0.134, "{dim}: {order} {wander}");
    }
    for kind in [Kind::Walks, Kind::Turns, Kind::Season] {
        let [_, wander, _] = shares(kind, 2, 0.0);
        assert!(wander <= 0.134, "{wander}");
    }
}

#[test]
fn jumps_are_found_and_their_date_is_held() {
    for (size, dim, phi, power) in
        [(2.0, 1, 0.0, 0.8), (3.0, 1, 0.0, 0.95), (1.0, 8, 0.0, 0.9), (2.0, 24, 0.0, 0.95)]
    {
        let [order, wander, held] = shares(Kind::Jump(size), dim, phi);
        assert!(order >= 0.95 && wander >= power, "{size} {dim}: {order} {wander}");
        assert!(held >= 0.85, "{size} {dim}: {held}");
    }
    for (size, dim) in [(2.0, 1), (1.0, 8)] {
        let held = shares(Kind::Jump(size), dim, 0.5)[2];
        assert!(held >= 0.85, "{size} {dim}: {held}");
    }
}

#[test]
fn best_splits_are_those_of_exhaustive_search() {
    let (x, _) = series(Kind::Walks, 40, 2, 0.0, 3);
    let mut rows = Series::new(x.iter().map(|v| f64::from(*v)).collect(), 2);
    rows.centre();
    let rss = |a: usize, b: usize| -> f64 {
        let mean = rows.mean(a, b);
        (a..b).map(|i| crate::analytics::geometry::squared_distance(rows.row(i), &mean)).sum()
    };
    let mut edges = vec![0, 40];
    for _ in 0..3 {
        let gain = |at: usize| {
            let i = edges.partition_point(|e| *e <= at);
            let (a, b) = (edges[i - 1], edges[i]);
            if at < a + 2 || at + 2 > b { 0.0 } else { rss(a, b) - rss(a, at) - rss(at, b) }
        };
        let best = (1..40).max_by(|&a, &b| gain(a).total_cmp(&gain(b))).unwrap();
        edges.push(best);
        edges.sort_unstable();
    }
    let found: Vec<usize> = best::splits(&MeanCost::new(&rows), 2, 3).iter().map(|s| s.at).collect();
    assert_eq!(found, edges[1..edges.len() - 1]);
}

#[test]
fn outliers_are_listed_and_jumps_are_none() {
    let params = Params { outliers: true, permutations: 0, ..Params::default() };
    for dim in [1, 3, 64] {
        let (mut x, _) = series(Kind::Jump(4.0), 120, dim, 0.0, 1);
        let found = |x: &[f32]| report(x, dim, &params).outliers.iter().map(|o| o.index).collect::<Vec<_>>();
        assert_eq!(found(&x), Vec::<usize>::new(), "{dim}");
        for i in [0, 20, 119] {
            x[i * dim..(i + 1) * dim].iter_mut().for_each(|v| *v += 12.0);
        }
        assert_eq!(found(&x), [0, 20, 119], "{dim}");
        assert_eq!(report(&x, dim, &params).changes.len(), 1, "{dim}");
    }
    let alarms = (0..60)
        .filter(|&s| !report(&series(Kind::Still, 100, 2, 0.0, s).0, 2, &params).outliers.is_empty())
        .count();
    assert!(alarms <= 8, "{alarms}");
}

#[test]
fn short_series_have_a_status_and_long_ones_an_answer() {
    use crate::analytics::Status;
    let params = Params { best: Some(3), ..Params::default() };
    for (n, dim) in [(1, 1), (2, 1), (3, 1), (1, 64), (2, 64), (3, 64), (2, 4096)] {
        let (x, _) = series(Kind::Still, n, dim, 0.0, 1);
        let out = report(&x, dim, &params);
        assert_eq!((out.status, out.changes.len()), (Status::FewPoints, 0), "{n} {dim}");
    }
    let (x, _) = series(Kind::Still, 12, 4096, 0.0, 1);
    assert_eq!(report(&x, 4096, &params).changes.len(), 3);
    let (x, at) = series(Kind::Jump(2.0), 20_000, 1, 0.0, 1);
    let out = report(&x, 1, &Params { best: Some(1), ..params });
    assert_eq!(out.changes.len(), 1);
    assert!(out.changes[0].index.abs_diff(at) <= 5 && out.changes[0].p_wander.unwrap() <= 0.05);
}

/// The level of `p_any_order` where whitening has the most to learn from the order of the rows.
#[test]
fn any_order_is_as_likely_in_few_dimensions() {
    for dim in [2, 4, 8] {
        let low = (0..150).filter(|&seed| {
            let mut random = Random::new(seed, "any order", dim as u64);
            let x: Vec<f32> = (0..80 * dim).map(|_| random.normal() as f32).collect();
            let found = report(&x, dim, &Params { best: Some(1), ..Params::default() });
            found.changes[0].p_any_order.is_some_and(|p| p <= 0.05)
        });
        // Of 150 at .05: 7.5 with a standard deviation of 2.7.
        let low = low.count();
        assert!(low <= 15, "{dim}: {low} of 150");
    }
}
