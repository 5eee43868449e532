use super::nig::{Column, PRIOR};
use super::runs::Predictive;
use super::*;
use crate::analytics::golden;
use crate::analytics::rng::Random;

/// Unit-variance rows around a level that moves by `jump` noise radii at `at`; AR(1) noise.
fn stream(n: usize, dim: usize, at: usize, jump: f64, phi: f64, seed: u64) -> Vec<Vec<f32>> {
    let mut random = Random::new(seed, "stream", 0);
    let direction: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
    let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
    let radius = (dim as f64).sqrt();
    let mut noise: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
    (0..n)
        .map(|i| {
            let shift = if i >= at { jump * radius / length } else { 0.0 };
            noise.iter_mut().for_each(|e| *e = phi * *e + (1.0 - phi * phi).sqrt() * random.normal());
            noise.iter().zip(&direction).map(|(e, d)| (e + shift * d) as f32).collect()
        })
        .collect()
}

fn alarms(rows: &[Vec<f32>], params: Params) -> Vec<Alarm> {
    let mut detector = Detector::new(rows[0].len(), params);
    rows.iter().enumerate().filter_map(|(i, x)| detector.observe(i as i64, x)).collect()
}

/// Posterior of the last run's length, summed over all segmentations of `x` after a warm-up run.
fn enumerate(x: &[f64], past: Column, past_length: u64, hazard: f64) -> Vec<(u64, f64)> {
    let n = x.len();
    let mut mass = vec![0.0; n + 1];
    for cuts in 0u32..1 << n {
        let (mut belief, mut p, mut length) = (past, 1.0, past_length);
        for (i, &v) in x.iter().enumerate() {
            if cuts >> i & 1 == 1 {
                (belief, length) = (PRIOR, 0);
                p *= hazard;
            } else {
                p *= 1.0 - hazard;
            }
            p *= belief.log_density(v).exp();
            belief.update(v);
            length += 1;
        }
        let slot = if length > n as u64 { 0 } else { length as usize };
        mass[slot] += p;
    }
    let total: f64 = mass.iter().sum();
    let name = |slot: usize| if slot == 0 { past_length + n as u64 } else { slot as u64 };
    mass.iter().enumerate().map(|(slot, m)| (name(slot), m / total)).collect()
}

#[test]
fn the_posterior_is_that_of_all_segmentations() {
    let mut random = Random::new(3, "values", 0);
    for n in 1..=10usize {
        let x: Vec<f64> = (0..n).map(|i| random.normal() + if i > 5 { 3.0 } else { 0.0 }).collect();
        let past = Column { mu: 0.2, kappa: 20.0, alpha: 10.0, beta: 11.0 };
        let mut runs = Runs::from_past(20, Columns(vec![past]));
        x.iter().for_each(|&v| runs.observe(&(), &[v], 0.03));
        for (length, mass) in enumerate(&x, past, 20, 0.03) {
            let found = runs.runs.iter().find(|r| r.length == length).unwrap();
            assert!((found.log_mass.exp() / mass - 1.0).abs() < 1e-9, "{n} {length}");
        }
    }
}

#[test]
fn predictions_are_student_t() {
    for case in golden::load("bocpd")["student_t"].as_array().unwrap() {
        let v = golden::numbers(case);
        let column = Column { mu: v[0], kappa: v[1], alpha: v[2], beta: v[3] };
        golden::close(column.log_density(v[4]), v[5], 1e-10);
    }
}

#[test]
fn log_posteriors_equal_the_numpy_version() {
    let data = golden::load("bocpd");
    let x = golden::numbers(&data["x"]);
    let mut runs = Runs::from_past(1, Columns::start(&(), &x[..1]));
    for (&v, expected) in x[1..].iter().zip(data["log_posterior"].as_array().unwrap()) {
        runs.observe(&(), &[v], 0.01);
        for (length, log_mass) in
            expected.as_array().unwrap().iter().map(|p| (p[0].as_u64().unwrap(), p[1].as_f64().unwrap()))
        {
            let found = runs.runs.iter().find(|r| r.length == length).unwrap();
            golden::close(found.log_mass, log_mass, 1e-6);
        }
    }
}

#[test]
fn batches_storage_and_single_points_agree() {
    for features in [Features::Shared, Features::Distance, Features::Value, Features::Pca(2)] {
        let rows = stream(200, 12, 130, 1.5, 0.3, 4);
        let params = Params { features, warmup: 60, ..Params::default() };
        let whole = alarms(&rows, params);
        let mut detector = Detector::new(12, params);
        let mut found = Vec::new();
        for (i, x) in rows.iter().enumerate() {
            if i % 37 == 0 {
                let stored = serde_json::to_string(&detector).unwrap();
                detector = serde_json::from_str(&stored).unwrap();
            }
            found.extend(detector.observe(i as i64, x));
        }
        assert_eq!(found, whole, "{features:?}");
        assert_eq!(detector.seen(), 200);
    }
}

#[test]
fn jumps_of_one_noise_radius_are_found_within_ten_points() {
    for dim in [1, 4, 16, 64, 300] {
        let jump = if dim <= 4 { 4.0 / (dim as f64).sqrt() } else { 1.0 };
        for seed in 0..4 {
            let found = alarms(&stream(220, dim, 160, jump, 0.0, seed), Params::default());
            let first = found.iter().find(|a| a.index >= 155).unwrap_or_else(|| panic!("{dim} {seed}"));
            assert!((160..=170).contains(&first.detected_index), "{dim} {seed} {first:?}");
            assert!(first.index.abs_diff(160) <= 2 && first.p_recent > 0.5);
            assert_eq!((first.t_before, first.detected_at), (first.t - 1, first.detected_index as i64));
        }
    }
}

#[test]
fn stationary_streams_are_quiet() {
    for (dim, phi) in [(1, 0.0), (16, 0.0), (64, 0.0), (16, 0.5), (16, 0.9)] {
        let loud = (0..20)
            .filter(|&seed| !alarms(&stream(260, dim, 999, 0.0, phi, seed), Params::default()).is_empty());
        assert!(loud.count() <= 1, "{dim} {phi}");
    }
}

#[test]
fn hazard_follows_time_when_a_duration_is_given() {
    let params = Params { expected_run: ExpectedRun::Seconds(10.0), ..Params::default() };
    let mut detector = Detector::new(1, params);
    detector.observe(0, &[1.0]);
    let hazard = detector.hazard(1_000_000);
    assert!((hazard - (1.0 - (-0.1f64).exp())).abs() < 1e-12);
    assert_eq!(detector.hazard(i64::MAX), 0.5);
    assert!(detector.observe(0, &[2.0]).is_none() && detector.seen() == 1);
}

#[test]
fn constant_streams_and_short_ones_raise_nothing() {
    for dim in [1, 20] {
        assert_eq!(alarms(&vec![vec![1.5f32; dim]; 150], Params::default()), []);
        let detector = Detector::new(dim, Params::default());
        assert_eq!((detector.p_recent(), detector.last_time()), (None, None));
    }
}
