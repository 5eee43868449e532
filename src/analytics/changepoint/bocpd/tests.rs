use super::*;
use crate::analytics::rng::Random;

/// Points around a level that moves by `jump` standard deviations a column at `at`.
fn stream(kind: &str, n: usize, dim: usize, (at, jump): (usize, f64), seed: u64) -> Vec<Vec<f32>> {
    let mut random = Random::new(seed, kind, dim as u64);
    let mut state = vec![0.0; dim];
    (0..n)
        .map(|i| {
            let shift = if i >= at { jump } else { 0.0 };
            (0..dim)
                .map(|j| {
                    let e = random.normal();
                    let x = match kind {
                        "iid" => e,
                        "ar" => {
                            state[j] = 0.8 * state[j] + 0.6 * e;
                            state[j]
                        }
                        "t3" => {
                            let square: f64 = (0..3).map(|_| random.normal().powi(2)).sum();
                            e * (3.0 / square).sqrt()
                        }
                        "lognormal" => e.exp(),
                        "season" => e + 3.0 * (std::f64::consts::TAU * (i + j) as f64 / 24.0).sin(),
                        other => panic!("{other}"),
                    };
                    (x + shift) as f32
                })
                .collect()
        })
        .collect()
}

fn alarms(rows: &[Vec<f32>], params: Params) -> Vec<Alarm> {
    let mut detector = Detector::new(rows[0].len(), params);
    rows.iter().enumerate().filter_map(|(i, x)| detector.observe(i as i64, x)).collect()
}

#[test]
fn false_alarms_come_at_the_stated_rate() {
    let params = Params { arl: Arl::Points(250.0), ..Params::default() };
    for (dim, streams) in [(1, 16), (2, 12), (16, 8)] {
        for kind in ["iid", "ar", "t3", "lognormal", "season"] {
            let found: usize =
                (0..streams).map(|seed| alarms(&stream(kind, 1100, dim, (0, 0.0), seed), params).len()).sum();
            let times = found as f64 * 250.0 / (1000 * streams) as f64;
            // Half to twice the rate, and what chance adds to 32 to 64 alarms.
            assert!((0.3..2.5).contains(&times), "{kind} in {dim}: {times:.2} times the rate");
        }
    }
}

#[test]
fn jumps_are_found_soon() {
    for (dim, jump, within) in [(1, 3.0, 5), (8, 1.0, 7), (64, 1.0, 4), (300, 1.0, 3)] {
        let mut delays: Vec<u64> = (0..7)
            .map(|seed| {
                let found = alarms(&stream("iid", 320, dim, (220, jump), seed), Params::default());
                let first = found.iter().find(|a| a.detected_index >= 220).map(|a| a.detected_index - 220);
                first.unwrap_or(99)
            })
            .collect();
        delays.sort_unstable();
        assert!(delays[3] <= within, "{dim}: {delays:?}");
    }
}

#[test]
fn an_alarm_dates_the_change_and_the_level_is_learnt_again() {
    let found = alarms(&stream("iid", 500, 4, (300, 2.0), 3), Params::default());
    assert_eq!(found.len(), 1, "{found:?}");
    let alarm = &found[0];
    assert!(alarm.kind == Kind::Level && alarm.index.abs_diff(300) <= 2 && alarm.p_recent > 0.2);
    assert_eq!((alarm.t, alarm.t_before), (alarm.index as i64, alarm.index as i64 - 1));
    assert_eq!(alarm.stretches.n_before, alarm.index);
    assert!((1.5..2.6).contains(&alarm.severity.unwrap()), "{alarm:?}");
}

#[test]
fn one_far_point_is_an_outlier_and_no_change_of_level() {
    for dim in [1, 6, 40] {
        let mut rows = stream("iid", 500, dim, (0, 0.0), 5);
        rows[400].iter_mut().for_each(|v| *v += 15.0);
        let found = alarms(&rows, Params::default());
        let at = found
            .iter()
            .find(|a| a.detected_index == 400 + HOLD)
            .unwrap_or_else(|| panic!("{dim} {found:?}"));
        assert_eq!((at.kind, at.index, at.stretches.n_after), (Kind::Outlier, 400, 1));
        assert!(!found.iter().any(|a| a.detected_index > 400 + HOLD && a.detected_index < 440), "{found:?}");
    }
}

#[test]
fn storage_and_single_points_agree() {
    for dim in [1, 3, 12] {
        let rows = stream("season", 400, dim, (250, 2.5), 4);
        let whole = alarms(&rows, Params::default());
        assert!(!whole.is_empty());
        let mut detector = Detector::new(dim, Params::default());
        let mut found = Vec::new();
        for (i, x) in rows.iter().enumerate() {
            if i % 67 == 0 {
                detector = serde_json::from_str(&serde_json::to_string(&detector).unwrap()).unwrap();
            }
            found.extend(detector.observe(i as i64, x));
        }
        assert_eq!((found, detector.seen()), (whole, 400));
    }
}

#[test]
fn memory_is_bounded() {
    for dim in [1, 20] {
        let mut detector = Detector::new(dim, Params::default());
        let mut sizes = Vec::new();
        for (i, x) in stream("ar", 6_000, dim, (0, 0.0), 1).iter().enumerate() {
            detector.observe(i as i64, x);
            if i % 2_999 == 2_998 {
                sizes.push(serde_json::to_vec(&detector).unwrap().len());
            }
        }
        assert!(sizes[1] < sizes[0] + sizes[0] / 4, "{dim}: {sizes:?}");
    }
}

#[test]
fn rates_in_time_follow_the_step() {
    let params = Params { arl: Arl::Seconds(3600.0), ..Params::default() };
    let mut detector = Detector::new(1, params);
    for i in 0..10 {
        detector.observe(i * 60_000_000, &[i as f32]);
    }
    assert!((detector.points_apart() - 60.0).abs() < 1e-9);
    assert!(detector.observe(0, &[2.0]).is_none() && detector.seen() == 10);
}

#[test]
fn constant_and_short_and_great_streams_raise_nothing() {
    for dim in [1, 20] {
        assert_eq!(alarms(&vec![vec![1.5f32; dim]; 400], Params::default()), []);
        let detector = Detector::new(dim, Params::default());
        assert_eq!((detector.p_recent(), detector.last_time(), detector.doubt()), (None, None, None));
        for scale in [1e30f32, 1e-30] {
            let rows = stream("iid", 300, dim, (0, 0.0), 2);
            let scaled: Vec<Vec<f32>> = rows.iter().map(|x| x.iter().map(|v| v * scale).collect()).collect();
            let index = |rows: &[Vec<f32>]| {
                alarms(rows, Params::default()).iter().map(|a| a.detected_index).collect::<Vec<_>>()
            };
            assert_eq!(index(&scaled), index(&rows), "{dim} {scale}");
        }
    }
}

#[test]
fn a_walk_is_doubted() {
    let mut random = Random::new(1, "walk", 0);
    let (mut detector, mut level) = (Detector::new(1, Params::default()), 0.0);
    for i in 0..600 {
        level += random.normal();
        detector.observe(i, &[level as f32]);
    }
    assert_eq!(detector.doubt(), Some(Doubt::Wanders));
}
