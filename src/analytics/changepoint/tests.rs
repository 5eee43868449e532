use super::*;
use crate::analytics::Align;
use crate::analytics::pieces::Cuts;
use crate::analytics::rng::Random;
use crate::analytics::{Status, geometry};
use crate::model::Trajectory;

/// Unit vectors around a level that jumps at `changes`, under noise of the given memory.
fn embeddings(n: usize, dim: usize, changes: &[usize], jump: f64, phi: f64, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed, "embeddings", 0);
    let spread = 0.5 / (dim as f64).sqrt();
    let mut direction = || -> Vec<f64> { (0..dim).map(|_| random.normal() / (dim as f64).sqrt()).collect() };
    let (mut level, mut noise, mut x) = (direction(), vec![0.0; dim], Vec::new());
    for i in 0..n {
        if changes.contains(&i) {
            level.iter_mut().zip(direction()).for_each(|(l, d)| *l += jump * 0.5 * d);
        }
        let shock = direction();
        for (e, s) in noise.iter_mut().zip(shock) {
            *e = phi * *e + (1.0 - phi * phi).sqrt() * s * spread * (dim as f64).sqrt();
        }
        let row: Vec<f64> = level.iter().zip(&noise).map(|(l, e)| l + e).collect();
        let length = geometry::norm(&row);
        x.extend(row.iter().map(|v| (v / length) as f32));
    }
    x
}

fn found(x: &[f32], dim: usize, params: &Params) -> Vec<usize> {
    report(x, dim, params).changes.iter().map(|c| c.index).collect()
}

fn report(x: &[f32], dim: usize, params: &Params) -> Report {
    let t: Vec<i64> = (0..(x.len() / dim) as i64).map(|i| i * 1_000_000).collect();
    detect(&Trajectory { entity: 1, t: &t, x, dim, model: &[] }, params)
}

#[test]
fn planted_jumps_are_found_and_stationary_series_have_none() {
    for (dim, phi) in [(32, 0.0), (64, 0.5), (300, 0.0)] {
        let x = embeddings(160, dim, &[40, 80, 125], 1.6, phi, 1);
        assert_eq!(found(&x, dim, &Params::default()), [40, 80, 125], "{dim} {phi}");
        let x = embeddings(160, dim, &[], 0.0, phi, 2);
        assert!(found(&x, dim, &Params::default()).is_empty(), "{dim} {phi}");
    }
}

#[test]
fn walks_and_trends_are_no_changes() {
    let (n, dim) = (200, 24);
    for seed in 0..4 {
        let mut random = Random::new(seed, "walk", 0);
        let mut level = vec![0.0f32; dim];
        let (mut walk, mut trend) = (Vec::new(), Vec::new());
        for i in 0..n {
            level.iter_mut().for_each(|l| *l += random.normal() as f32);
            walk.extend(level.iter());
            trend.extend((0..dim).map(|d| (i * d) as f32 * 0.02 + random.normal() as f32));
        }
        let found_in_walk = report(&walk, dim, &Params::default());
        assert!(found_in_walk.changes.is_empty());
        assert!(found_in_walk.drifts);
        assert!(found(&trend, dim, &Params::default()).is_empty());
        let line: Vec<f32> = trend.chunks_exact(dim).map(|r| r[3]).collect();
        assert!(found(&line, 1, &Params::default()).is_empty());
    }
}

#[test]
fn scale_and_rotation_change_nothing() {
    let dim = 16;
    let x = embeddings(120, dim, &[50], 1.5, 0.3, 7);
    let expected = found(&x, dim, &Params::default());
    assert_eq!(expected, [50]);
    for c in [1e-3f32, 1e3] {
        let scaled: Vec<f32> = x.iter().map(|v| v * c).collect();
        assert_eq!(found(&scaled, dim, &Params::default()), expected);
    }
    // A reflection in a plane that is no axis.
    let mirror: Vec<f32> = x
        .chunks_exact(dim)
        .flat_map(|r| {
            let mean = r.iter().sum::<f32>() / dim as f32;
            r.iter().map(move |v| v - 2.0 * mean)
        })
        .collect();
    assert_eq!(found(&mirror, dim, &Params::default()), expected);
    // Up to eight dimensions each column may have its own scale.
    let few = embeddings(120, 2, &[60], 8.0, 0.0, 3);
    let stretched: Vec<f32> = few.chunks_exact(2).flat_map(|r| [r[0] * 1e3, r[1] * 1e-2]).collect();
    assert_eq!(found(&few, 2, &Params::default()), found(&stretched, 2, &Params::default()));
}

#[test]
fn what_a_change_reports() {
    let mut x: Vec<f32> = (0..40).flat_map(|i| [if i < 20 { 0.0 } else { 3.0 }, 1.0, 1.0]).collect();
    let mut random = Random::new(4, "noise", 0);
    x.iter_mut().for_each(|v| *v += 0.1 * random.normal() as f32);
    for cost in [Cost::Auto, Cost::Mean, Cost::Level] {
        let r = report(&x, 3, &Params { cost, top: 1, ..Params::default() });
        assert_eq!(r.changes.len(), 1, "{cost:?}");
        let c = &r.changes[0];
        assert_eq!((c.index, c.t, c.t_before, c.n_before, c.n_after), (20, 20_000_000, 19_000_000, 20, 20));
        assert!((c.l2 - 3.0).abs() < 0.1 && c.top_dims[0].dim == 0);
        let sd = r.noise_sd.unwrap();
        assert!((0.12..0.25).contains(&sd), "{sd}");
        assert!((c.severity.unwrap() - c.l2 / sd).abs() < 1e-9);
        assert!((c.gain / 90.0 - 1.0).abs() < 0.1, "{}", c.gain);
        assert_eq!(r.segments.iter().map(|s| (s.start, s.end)).collect::<Vec<_>>(), [(0, 20), (20, 40)]);
        assert!((r.segments[1].mean[0] - 3.0).abs() < 0.1);
    }
}

#[test]
fn statuses() {
    let default = Params::default();
    assert_eq!(report(&[], 1, &default).status, Status::FewPoints);
    assert_eq!(report(&[1.0], 1, &default).status, Status::FewPoints);
    assert_eq!(report(&[1.0, 2.0, 3.0], 1, &default).status, Status::FewPoints);
    let constant = report(&[2.0; 40], 1, &default);
    assert_eq!((constant.status, constant.changes.len()), (Status::Constant, 0));
    assert_eq!(constant.segments.len(), 1);
    let x = [0.0f32; 4];
    let mixed = Trajectory { entity: 1, t: &[1, 2, 3, 4], x: &x, dim: 1, model: &[0, 0, 1, 1] };
    assert_eq!(detect(&mixed, &default).status, Status::ModelBreak);
    let off = Cuts { align: Align::Off, ..Cuts::default() };
    assert_eq!(detect(&mixed, &Params { cuts: off, ..default }).status, Status::Constant);
}

#[test]
fn exact_steps_without_noise_are_found_once() {
    for dim in [1, 12] {
        let x: Vec<f32> = (0..30).flat_map(|i| vec![if i < 12 { 1.0 } else { 2.0 }; dim]).collect();
        assert_eq!(found(&x, dim, &Params { cost: Cost::Mean, ..Params::default() }), [12], "{dim}");
    }
}

#[test]
fn gaps_cut_the_search() {
    let x = embeddings(120, 12, &[30, 60], 3.0, 0.0, 5);
    let t: Vec<i64> = (0..120).map(|i| if i < 60 { i } else { i + 1000 }).collect();
    let trajectory = Trajectory { entity: 1, t: &t, x: &x, dim: 12, model: &[] };
    let cuts = Cuts { max_gap_us: Some(100), ..Cuts::default() };
    let r = detect(&trajectory, &Params { cuts, ..Params::default() });
    assert_eq!(r.changes.iter().map(|c| c.index).collect::<Vec<_>>(), [30]);
    assert_eq!(r.status, Status::Gap);
    let edges: Vec<_> = r.segments.iter().map(|s| (s.start, s.end)).collect();
    assert_eq!(edges, [(0, 30), (30, 60), (60, 120)]);
}

#[test]
fn other_signals() {
    let mut random = Random::new(6, "noise", 0);
    let mut x = vec![0.0f32];
    (1..80).for_each(|i| {
        let slope = if i < 40 { 1.0 } else { -1.0 };
        x.push(x[i - 1] + slope + 0.1 * random.normal() as f32);
    });
    let increments = Params { signal: Signal::Increment, cost: Cost::Mean, ..Params::default() };
    assert_eq!(found(&x, 1, &increments), [40]);
    let lengths: Vec<f32> = (0..60)
        .flat_map(|i| {
            let (a, r) = (i as f32, if i < 25 { 1.0 } else { 2.0 + 0.01 * (i % 3) as f32 });
            [r * a.cos(), r * a.sin()]
        })
        .collect();
    let norms = Params { signal: Signal::Norm, cost: Cost::Mean, ..Params::default() };
    assert_eq!(found(&lengths, 2, &norms), [25]);
    let flat = Params { normalize: true, ..norms };
    assert!(found(&lengths, 2, &flat).is_empty());
}

/// `n` rows of Gaussian noise, each `loud(i)` times as loud, around `level(i)` along a fixed direction.
fn noisy(
    n: usize,
    dim: usize,
    seed: u64,
    loud: impl Fn(usize, &mut Random) -> f64,
    level: impl Fn(usize) -> f64,
) -> Vec<f32> {
    let mut random = Random::new(seed, "noisy", dim as u64);
    let way: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
    let scale = (dim as f64).sqrt() / geometry::norm(&way);
    let way: Vec<f64> = way.into_iter().map(|w| w * scale).collect();
    let mut x = Vec::with_capacity(n * dim);
    for i in 0..n {
        let by = loud(i, &mut random);
        x.extend(way.iter().map(|w| (w * level(i) + by * random.normal()) as f32));
    }
    x
}

#[test]
fn noise_of_varying_loudness_is_no_change_and_hides_none() {
    for dim in [2, 8, 64, 384] {
        for seed in 0..4 {
            let each = |_: usize, r: &mut Random| (0.6 * r.normal()).exp();
            let half = |i: usize, _: &mut Random| if i < 60 { 1.0 } else { 2.5 };
            let x = noisy(120, dim, seed, each, |_| 1.0);
            assert!(found(&x, dim, &Params::default()).is_empty(), "{dim} {seed}");
            let x = noisy(120, dim, seed, half, |_| 1.0);
            assert!(found(&x, dim, &Params::default()).is_empty(), "{dim} {seed}");
        }
        let each = |_: usize, r: &mut Random| (0.4 * r.normal()).exp();
        let x = noisy(120, dim, 7, each, |i| if i < 70 { 0.0 } else { 4.0 });
        let at = found(&x, dim, &Params::default());
        assert!(at.len() == 1 && at[0].abs_diff(70) <= 2, "{dim}: {at:?}");
    }
}

#[test]
fn one_row_apart_is_no_change_in_many_dimensions() {
    for dim in [16, 64, 384] {
        for seed in 0..3 {
            let mut x = noisy(60, dim, seed, |_, _| 0.4, |_| 1.0);
            let other = noisy(1, dim, seed + 100, |_, _| 1.0, |_| 0.0);
            x[30 * dim..31 * dim].copy_from_slice(&other);
            assert!(found(&x, dim, &Params::default()).is_empty(), "{dim} {seed}");
        }
    }
}

#[test]
fn heavy_tails_in_few_dimensions_are_no_changes() {
    let mut alarms = 0;
    for seed in 0..20 {
        let mut random = Random::new(seed, "student", 0);
        let mut draw = || {
            let chi = random.normal().powi(2) + random.normal().powi(2);
            (random.normal() / (chi / 2.0).sqrt()) as f32
        };
        let x: Vec<f32> = (0..200).map(|_| draw()).collect();
        alarms += usize::from(!found(&x, 1, &Params::default()).is_empty());
    }
    // Before spikes were pulled in: 12 of 20.
    assert!(alarms <= 2, "{alarms}");
}

#[test]
fn alpha_sensitive_and_noise_have_an_effect_in_few_dimensions() {
    let total = |params: &Params| -> usize {
        (0..30)
            .map(|seed| {
                let x = noisy(100, 1, seed, |_, _| 1.0, |i| if i < 50 { 0.0 } else { 0.9 });
                found(&x, 1, params).len()
            })
            .sum()
    };
    let default = Params::default();
    let strict = total(&Params { alpha: 1e-9, ..default });
    let sensitive = total(&Params { sensitive: true, ..default });
    assert!(strict < total(&default) && total(&default) < sensitive);
    let mean = Params { cost: Cost::Mean, ..default };
    let mut x = noisy(200, 1, 3, |_, _| 1.0, |_| 0.0);
    (1..x.len()).for_each(|i| x[i] += 0.85 * x[i - 1]);
    let iid = found(&x, 1, &Params { noise: Noise::Iid, ..mean });
    assert!(iid.len() > found(&x, 1, &mean).len());
}

#[test]
fn rotation_and_idle_columns_change_nothing_in_few_dimensions() {
    for seed in 0..6 {
        let x = noisy(150, 3, seed, |_, _| 1.0, |i| if i < 80 { 0.0 } else { 0.7 });
        let expected = found(&x, 3, &Params::default());
        let (s, c) = 0.7f32.sin_cos();
        let turned: Vec<f32> =
            x.chunks_exact(3).flat_map(|r| [c * r[0] - s * r[1], s * r[0] + c * r[1], r[2]]).collect();
        assert_eq!(found(&turned, 3, &Params::default()), expected);
        let idle: Vec<f32> = x.chunks_exact(3).flat_map(|r| [r[0], 5.0, r[1], 0.0, r[2]]).collect();
        assert_eq!(found(&idle, 5, &Params::default()), expected);
    }
}

#[test]
fn four_points_with_a_step_of_a_thousand_to_one() {
    assert_eq!(found(&[0.0, 0.001, 1.0, 1.001], 1, &Params::default()), [2]);
    assert!(found(&[0.0, 0.4, 1.0, 0.7], 1, &Params::default()).is_empty());
}

#[test]
fn a_flat_series_with_spikes_is_searched() {
    for dim in [1, 2, 8, 24] {
        let spiked = |n: usize, at: &[usize], by: f32| -> Vec<f32> {
            (0..n).flat_map(|i| vec![if at.contains(&i) { 1.0 + by } else { 1.0 }; dim]).collect()
        };
        for (n, at, by) in [(100, &[30, 60][..], 1.0), (50, &[25, 26], -2.0), (224, &[9, 10, 11, 90], 3.0)] {
            let x = spiked(n, at, by);
            let t: Vec<i64> = (0..n as i64).collect();
            let trajectory = Trajectory { entity: 1, t: &t, x: &x, dim, model: &[] };
            for cost in [Cost::Auto, Cost::Mean, Cost::Line, Cost::Level] {
                let report = detect(&trajectory, &Params { cost, ..Params::default() });
                assert!(report.changes.len() <= 6, "{dim} {cost:?}: {} changes", report.changes.len());
            }
        }
    }
}

#[test]
fn changes_of_a_season_say_so() {
    let (mut warned, mut alarmed) = (0, 0);
    for dim in [1, 8, 64] {
        for seed in 0..10 {
            let mut random = crate::analytics::rng::Random::new(seed, "season", dim as u64);
            let direction: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
            let size = geometry::norm(&direction) / (dim as f64).sqrt();
            let x: Vec<f32> = (0..400)
                .flat_map(|i| {
                    let wave = 3.0 * (std::f64::consts::TAU * f64::from(i) / 50.0).sin() / size;
                    direction.iter().map(|d| (wave * d + random.normal()) as f32).collect::<Vec<_>>()
                })
                .collect();
            let t: Vec<i64> = (0..400).collect();
            let report = detect(&Trajectory { entity: 1, t: &t, x: &x, dim, model: &[] }, &Params::default());
            alarmed += u32::from(!report.changes.is_empty());
            warned += u32::from(report.changes.iter().any(|c| c.repeats || c.doubtful));
            assert!(report.repeats.is_none_or(|p| p.abs_diff(50) <= 5), "{:?}", report.repeats);
        }
    }
    assert!(alarmed >= 3 && warned * 10 >= alarmed * 9, "{warned} of {alarmed}");
}
