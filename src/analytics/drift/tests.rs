use super::super::golden;
use super::*;
use proptest::prelude::*;

fn trajectory<'a>(t: &'a [i64], x: &'a [f32], dim: usize) -> Trajectory<'a> {
    Trajectory { entity: 7, t, x, dim, model: &[] }
}

#[test]
fn equals_numpy_and_scipy() {
    let mut compared = 0;
    for case in golden::load("drift")["cases"].as_array().unwrap() {
        let t = golden::integers(&case["t"]);
        let (x, dim) = golden::matrix_f32(&case["x"]);
        let d = drift(&trajectory(&t, &x, dim), &Params { top: dim, ..Params::default() });
        let expected = |name: &str| case[name].as_f64().unwrap();
        golden::close(d.l2.unwrap(), expected("l2"), 1e-9);
        golden::close(d.cosine.unwrap(), expected("cosine"), 1e-7);
        golden::close(d.angle_deg.unwrap(), expected("angle_deg"), 1e-6);
        golden::close(d.norm_ratio.unwrap(), expected("norm_ratio"), 1e-9);
        golden::close(d.rate.unwrap(), expected("rate_per_day"), 1e-9);
        golden::close(d.path_l2.unwrap(), expected("path_l2"), 1e-9);
        golden::close(d.efficiency.unwrap(), expected("l2") / expected("path_l2"), 1e-9);
        golden::close(d.t2_stat.unwrap(), expected("t2_stat"), 1e-9);
        let dims: Vec<i64> = d.top_dims.iter().map(|s| s.dim as i64).collect();
        assert_eq!(dims, golden::integers(&case["top_dims"]));
        for (found, share) in d.top_dims.iter().zip(golden::numbers(&case["shares"])) {
            golden::close(found.share, share, 1e-9);
        }
        assert_eq!(d.pareto80, case["pareto80"].as_u64().map(|p| p as usize));
        // SciPy flips single steps; so does this where they do not remember.
        let p = expected("p_value");
        let three_errors = 3.0 * (p * (1.0 - p) / 999.0).sqrt() + 2e-3;
        if d.direction_block == Some(1) {
            assert!((d.direction_p.unwrap() - p).abs() < three_errors, "{:?} {p}", d.direction_p);
            compared += 1;
        }
        assert_eq!(d.status, Status::Ok);
    }
    assert!(compared > 0);
}

#[test]
fn planted_dimensions_are_found() {
    let dim = 64;
    let mut x = vec![0.25f32; 2 * dim];
    (x[dim + 17], x[dim + 40], x[dim + 3]) = (1.25, -0.5, 0.35);
    let d = drift(&trajectory(&[0, 1], &x, dim), &Params { top: 3, ..Params::default() });
    assert_eq!(d.top_dims.iter().map(|s| s.dim).collect::<Vec<_>>(), [17, 40, 3]);
    assert_eq!((d.top_dims[0].delta, d.pareto80), (1.0, Some(2)));
}

#[test]
fn as_of_states_and_the_times_used() {
    let x = [0.0f32, 1.0, 3.0, 6.0];
    let whole = trajectory(&[0, 10_000_000, 20_000_000, 30_000_000], &x, 1);
    let d = drift(
        &whole,
        &Params { from: Some(12_000_000), to: Some(29_999_999), per_s: 1.0, ..Params::default() },
    );
    assert_eq!((d.t1, d.t2, d.n), (Some(10_000_000), Some(20_000_000), 2));
    assert_eq!((d.l2, d.rate), (Some(2.0), Some(0.2)));
    let none = drift(&whole, &Params { from: Some(-1), ..Params::default() });
    assert_eq!((none.l2, none.status, none.n), (None, Status::FewPoints, 0));
    let same = drift(&whole, &Params { from: Some(11_000_000), to: Some(12_000_000), ..Params::default() });
    // No point lies between: the state is the same at both instants.
    assert_eq!((same.l2, same.cosine, same.status, same.n), (Some(0.0), Some(0.0), Status::Untouched, 1));
    assert_eq!((same.t1, same.t2, same.used), (Some(10_000_000), Some(10_000_000), 1..2));
    let before = drift(&whole, &Params { from: Some(40_000_000), ..Params::default() });
    assert_eq!((before.l2, before.status), (Some(0.0), Status::Untouched));
    let one = drift(&trajectory(&[5], &[2.0], 1), &Params::default());
    assert_eq!((one.l2, one.status), (None, Status::FewPoints));
    assert_eq!(drift(&trajectory(&[], &[], 1), &Params::default()).status, Status::FewPoints);
}

#[test]
fn references_other_than_the_first_state() {
    let x = [0.0f32, 0.0, 2.0, 0.0, 4.0, 3.0];
    let whole = trajectory(&[0, 1_000_000, 2_000_000], &x, 2);
    let centroid = drift(&whole, &Params { reference: Reference::Centroid, ..Params::default() });
    assert_eq!(centroid.l2, Some(8.0f64.sqrt()));
    assert_eq!((centroid.rate, centroid.path_l2), (None, None));
    let other = [4.0f32, 0.0];
    let p = Params { reference: Reference::State(&other, Some(-1_000_000)), per_s: 1.0, ..Params::default() };
    let d = drift(&whole, &p);
    assert_eq!((d.l2, d.rate, d.t1), (Some(3.0), Some(1.0), Some(-1_000_000)));
    let single = drift(&trajectory(&[0], &[4.0, 1.0], 2), &p);
    assert_eq!((single.l2, single.status), (Some(1.0), Status::Ok));
}

#[test]
fn standing_still_drifts_zero() {
    let x = [1.0f32, -2.0].repeat(12);
    let t: Vec<i64> = (0..12).collect();
    let d = drift(&trajectory(&t, &x, 2), &Params::default());
    assert_eq!((d.l2, d.cosine, d.angle_deg, d.path_l2), (Some(0.0), Some(0.0), Some(0.0), Some(0.0)));
    assert_eq!((d.efficiency, d.direction_p, d.pareto80, d.status), (None, None, None, Status::Constant));
    // The last digit of an f32 is no move either, however often it changes.
    let x: Vec<f32> = (0..24).map(|i| 1.0 + f32::EPSILON * (i % 3) as f32).collect();
    let d = drift(&trajectory(&t, &x, 2), &Params::default());
    assert_eq!((d.direction_p, d.efficiency, d.status), (None, None, Status::Constant));
    assert!(d.l2.is_some());
}

#[test]
fn a_zero_vector_has_no_cosine() {
    let d = drift(&trajectory(&[0, 1], &[0.0, 0.0, 3.0, 4.0], 2), &Params::default());
    assert_eq!((d.l2, d.cosine, d.angle_deg, d.norm_ratio), (Some(5.0), None, None, None));
    assert_eq!(d.status, Status::ZeroNorm);
}

#[test]
fn steps_over_gaps_are_left_out_of_the_path() {
    let cuts = Cuts { max_gap_us: Some(5), ..Cuts::default() };
    let x = [1.0f32, 2.0, 12.0, 13.0];
    let d = drift(&trajectory(&[0, 1, 100, 101], &x, 1), &Params { cuts, ..Params::default() });
    assert_eq!((d.l2, d.path_l2, d.efficiency, d.status), (Some(12.0), Some(2.0), None, Status::Gap));
}

#[test]
fn models_are_compared_only_when_told() {
    let t = [0, 1, 2];
    let mixed = Trajectory { model: &[3, 3, 4], ..trajectory(&t, &[0.0, 1.0, 2.0], 1) };
    assert_eq!(drift(&mixed, &Params::default()).status, Status::ModelBreak);
    assert_eq!(drift(&mixed, &Params { to: Some(1), ..Params::default() }).l2, Some(1.0));
    let cuts = Cuts { align: super::super::Align::Off, ..Cuts::default() };
    assert_eq!(drift(&mixed, &Params { cuts, ..Params::default() }).l2, Some(2.0));
}

proptest! {
    #[test]
    fn efficiency_is_a_share_and_shares_add_to_one(
        x in prop::collection::vec(-5.0f32..5.0, 24), gaps in prop::collection::vec(1i64..1000, 8),
    ) {
        let mut t = vec![i64::MIN];
        gaps[1..].iter().for_each(|g| t.push(t[t.len() - 1] + g));
        let d = drift(&trajectory(&t, &x, 3), &Params { flips: 0, ..Params::default() });
        let e = d.efficiency.unwrap();
        prop_assert!((0.0..=1.0).contains(&e));
        prop_assert!((d.top_dims.iter().map(|s| s.share).sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
