use super::super::golden;
use super::*;
use proptest::prelude::*;

const HOUR_US: i64 = 3_600_000_000;

fn with_vectors() -> Params {
    Params { acceleration: true, vectors: true, ..Params::default() }
}

fn trajectory<'a>(t: &'a [i64], x: &'a [f32], dim: usize) -> Trajectory<'a> {
    Trajectory { entity: 7, t, x, dim, model: &[] }
}

#[test]
fn equals_numpy_gradient_and_polyfit() {
    for case in golden::load("velocity")["cases"].as_array().unwrap() {
        let t = golden::integers(&case["t"]);
        let (x, dim) = golden::matrix_f32(&case["x"]);
        let (v, _) = golden::matrix(&case["velocity"]);
        for (i, row) in rows(&trajectory(&t, &x, dim), &with_vectors()).enumerate() {
            let found = row.velocity.unwrap();
            for d in 0..dim {
                golden::close(found[d], v[i * dim + d], 1e-9);
            }
            golden::close(row.speed.unwrap(), norm(&v[i * dim..(i + 1) * dim]), 1e-9);
            if case["accel"].is_null() {
                assert_eq!((row.accel, row.status), (None, Status::FewPoints));
                continue;
            }
            let (a, _) = golden::matrix(&case["accel"]);
            let found = row.acceleration.unwrap();
            for d in 0..dim {
                golden::close(found[d], a[i * dim + d], 1e-8);
            }
        }
    }
}

#[test]
fn linear_motion_has_constant_velocity_and_no_acceleration() {
    let t = [-5 * HOUR_US, 0, HOUR_US, 4 * HOUR_US, 100 * HOUR_US];
    let x: Vec<f32> =
        t.iter().flat_map(|&t| [(t / HOUR_US) as f32 * 0.5, 3.0 - (t / HOUR_US) as f32]).collect();
    let p = Params { per_s: 3600.0, ..with_vectors() };
    for row in rows(&trajectory(&t, &x, 2), &p) {
        let v = row.velocity.unwrap();
        assert!((v[0] - 0.5).abs() < 1e-12 && (v[1] + 1.0).abs() < 1e-12);
        assert!(row.accel.unwrap() < 1e-12);
        assert!(row.turn_deg.unwrap_or(0.0) < 1e-5);
    }
}

#[test]
fn turning_back_is_180_degrees_and_standing_still_has_no_angle() {
    let x = [0.0f32, 1.0, 0.0, 0.0];
    let turns: Vec<_> =
        rows(&trajectory(&[0, 10, 30, 40], &x, 1), &Params::default()).map(|r| r.turn_deg).collect();
    assert_eq!(turns, [None, Some(180.0), None, None]);
}

#[test]
fn two_points_give_the_quotient_and_one_point_nothing() {
    let p = Params { per_s: 1.0, ..with_vectors() };
    let two: Vec<_> = rows(&trajectory(&[0, 2_000_000], &[1.0, 5.0], 1), &p).collect();
    assert!(two.iter().all(|r| r.speed == Some(2.0) && r.accel.is_none()));
    assert_eq!((two[0].dt_before_s, two[0].dt_after_s), (None, Some(2.0)));
    let one: Vec<_> = rows(&trajectory(&[3], &[1.0], 1), &p).collect();
    assert_eq!((one.len(), one[0].speed, one[0].status), (1, None, Status::FewPoints));
    assert_eq!(rows(&trajectory(&[], &[], 1), &p).count(), 0);
}

#[test]
fn the_two_point_scheme_looks_back() {
    let p = Params { scheme: Scheme::TwoPoint, per_s: 1.0, ..Params::default() };
    let x = [0.0f32, 1.0, 3.0];
    let v: Vec<_> = rows(&trajectory(&[0, 1_000_000, 2_000_000], &x, 1), &p).map(|r| r.speed).collect();
    assert_eq!(v, [Some(1.0), Some(1.0), Some(2.0)]);
}

#[test]
fn nothing_crosses_a_gap() {
    let t = [0, HOUR_US, 2 * HOUR_US, 50 * HOUR_US, 51 * HOUR_US, 200 * HOUR_US];
    let x = [0.0f32, 1.0, 2.0, 500.0, 501.0, 9.0];
    let cuts = Cuts { max_gap_us: Some(10 * HOUR_US), ..Cuts::default() };
    let p = Params { per_s: 3600.0, cuts, ..Params::default() };
    let found: Vec<_> =
        rows(&trajectory(&t, &x, 1), &p).map(|r| (r.index, r.speed.map(f64::round), r.status)).collect();
    assert_eq!(
        found,
        [
            (0, Some(1.0), Status::Ok),
            (1, Some(1.0), Status::Ok),
            (2, Some(1.0), Status::Gap),
            (3, Some(1.0), Status::Gap),
            (4, Some(1.0), Status::Gap),
            (5, None, Status::Gap),
        ]
    );
    let inside = at(&trajectory(&t, &x, 1), 20 * HOUR_US, &p);
    assert_eq!((inside.speed, inside.status, inside.index), (None, Status::Gap, 2));
}

#[test]
fn rows_of_a_mixed_trajectory_are_refused() {
    let t = [0, 1, 2];
    let mixed = Trajectory { model: &[0, 0, 1], ..trajectory(&t, &[0.0; 3], 1) };
    assert!(rows(&mixed, &Params::default()).all(|r| r.status == Status::ModelBreak && r.speed.is_none()));
    assert_eq!(at(&mixed, 1, &Params::default()).status, Status::ModelBreak);
    let twice = trajectory(&[1, 1, 2], &[0.0; 3], 1);
    assert!(rows(&twice, &Params::default()).all(|r| r.status == Status::ZeroDt));
}

#[test]
fn at_a_time_uses_the_nearer_outer_neighbour() {
    let t = [0, 10_000_000, 14_000_000, 30_000_000];
    let x = [0.0f32, 1.0, 5.0, 2.0];
    let p = Params { per_s: 1.0, ..with_vectors() };
    let whole = trajectory(&t, &x, 1);
    // The parabola through the first three points: slope 0.1 + c (2 t - 10), c = 0.9 / 14.
    let row = at(&whole, 11_000_000, &p);
    golden::close(row.velocity.unwrap()[0], 0.1 + 0.9 / 14.0 * 12.0, 1e-12);
    golden::close(row.acceleration.unwrap()[0], 1.8 / 14.0, 1e-12);
    assert_eq!((row.index, row.dt_before_s, row.dt_after_s), (1, Some(1.0), Some(3.0)));
    let stored = at(&whole, 10_000_000, &p);
    assert_eq!(Some(stored), rows(&whole, &p).nth(1));
    assert_eq!(at(&whole, -1, &p).status, Status::FewPoints);
    assert_eq!(at(&whole, 30_000_001, &p).speed, None);
    assert!(at(&whole, 30_000_000, &p).speed.is_some());
}

proptest! {
    #[test]
    fn exact_on_quadratics(steps in prop::collection::vec(1i64..9, 2..12), c in -4i64..5, at_step in 0i64..40) {
        let mut t = vec![0i64];
        steps.iter().for_each(|s| t.push(t[t.len() - 1] + s * 1_000_000));
        let x: Vec<f32> = t.iter().map(|&t| { let s = t / 1_000_000; (c * s * s + 3 * s - 1) as f32 }).collect();
        let p = Params { per_s: 1.0, ..with_vectors() };
        let whole = trajectory(&t, &x, 1);
        for row in rows(&whole, &p) {
            let s = row.t as f64 / 1e6;
            golden::close(row.velocity.unwrap()[0], 2.0 * c as f64 * s + 3.0, 1e-11);
            golden::close(row.acceleration.unwrap()[0], 2.0 * c as f64, 1e-11);
        }
        let time = (at_step * 500_000).min(t[t.len() - 1]);
        golden::close(at(&whole, time, &p).velocity.unwrap()[0], 2.0 * c as f64 * time as f64 / 1e6 + 3.0, 1e-11);
    }

    #[test]
    fn time_shifts_change_nothing_and_scaling_time_divides(
        steps in prop::collection::vec((1i64..1_000_000_000, -10.0f32..10.0), 2..9),
        shift in -(1i64 << 60)..(1i64 << 60), factor in 2i64..50,
    ) {
        let mut t = vec![0i64];
        steps.iter().for_each(|s| t.push(t[t.len() - 1] + s.0));
        let x: Vec<f32> = std::iter::once(0.5).chain(steps.iter().map(|s| s.1)).collect();
        let shifted: Vec<i64> = t.iter().map(|t| t + shift).collect();
        let scaled: Vec<i64> = t.iter().map(|t| t * factor).collect();
        let speeds = |t: &[i64]| rows(&trajectory(t, &x, 1), &with_vectors()).map(|r| r.velocity.unwrap()[0]).collect::<Vec<_>>();
        let (a, b, c) = (speeds(&t), speeds(&shifted), speeds(&scaled));
        prop_assert_eq!(&a, &b);
        for (a, c) in a.iter().zip(&c) {
            golden::close(c * factor as f64, *a, 1e-9);
        }
    }
}
