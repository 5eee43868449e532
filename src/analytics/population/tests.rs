use super::*;
use crate::analytics::golden;

/// `n` normal points of `dim` values, `each` of them an entity with an effect of its own.
fn window(n: usize, dim: usize, each: usize, first: u64, seed: u64) -> (Vec<EntityId>, Vec<f32>) {
    let mut random = Random::new(seed, "window", first);
    let entity: Vec<EntityId> = (0..n).map(|i| first + (i / each) as u64).collect();
    let mut x = Vec::with_capacity(n * dim);
    for &id in &entity {
        let mut own = Random::new(seed, "entity", id);
        let spread = if each > 1 { 1.0 } else { 0.0 };
        x.extend((0..dim).map(|_| (random.normal() + spread * own.normal()) as f32));
    }
    (entity, x)
}

fn as_window<'a>(w: &'a (Vec<EntityId>, Vec<f32>), dim: usize) -> Window<'a> {
    Window { entity: &w.0, x: &w.1, dim }
}

fn all_tests(permutations: usize) -> Params {
    let tests = vec![Test::Mmd, Test::Energy, Test::Centroid, Test::Norm, Test::Classifier];
    Params { tests, permutations, ..Params::default() }
}

#[test]
fn statistics_equal_numpy_scipy_and_sklearn() {
    for case in golden::load("population")["cases"].as_array().unwrap() {
        let ((a, dim), (b, _)) = (golden::matrix_f32(&case["x"]), golden::matrix_f32(&case["y"]));
        let ids = |name: &str| golden::integers(&case[name]).iter().map(|&e| e as u64).collect::<Vec<_>>();
        let (ea, eb) = (ids("entity_x"), ids("entity_y"));
        let (a, b) = (Window { entity: &ea, x: &a, dim }, Window { entity: &eb, x: &b, dim });
        for row in compare(&a, &b, 0, &all_tests(0)) {
            golden::close(row.statistic.unwrap(), case[row.test.as_str()].as_f64().unwrap(), 1e-9);
        }
        let p = Params { tests: vec![Test::Energy], ..Params::default() };
        let found = compare(&a, &b, 0, &p)[0].p_value.unwrap();
        let expected = case["energy_p"].as_f64().unwrap();
        assert!((found - expected).abs() < 3.0 * (expected * (1.0 - expected) / 999.0).sqrt() + 2e-3);
    }
}

#[test]
fn a_moved_population_is_seen_and_its_dimensions_named() {
    let (a, mut b) = (window(60, 8, 1, 0, 1), window(60, 8, 1, 1000, 2));
    b.1.iter_mut().skip(3).step_by(8).for_each(|v| *v += 1.5);
    let rows = compare(&as_window(&a, 8), &as_window(&b, 8), 0, &all_tests(99));
    for row in &rows {
        if row.test != Test::Norm {
            assert_eq!(row.p_value, Some(0.01), "{row:?}");
        }
    }
    assert_eq!(rows[2].top_dims[0].dim, 3);
    assert!(rows[4].statistic.unwrap() > 0.7 && rows[2].effect.unwrap() > 3.0);
}

#[test]
fn scale_and_covariance_changes_are_seen() {
    let (a, scaled) = (window(120, 16, 1, 0, 1), window(120, 16, 1, 1000, 2));
    let mut turned = scaled.clone();
    let mut scaled = scaled;
    scaled.1.iter_mut().for_each(|v| *v *= 1.4);
    for row in turned.1.chunks_exact_mut(16) {
        for (d, v) in row.iter_mut().enumerate() {
            *v *= if d < 8 { 0.5 } else { 1.32 };
        }
    }
    let p = Params { tests: vec![Test::Mmd], permutations: 199, ..Params::default() };
    for b in [&scaled, &turned] {
        assert!(compare(&as_window(&a, 16), &as_window(b, 16), 0, &p)[0].p_value.unwrap() <= 0.02);
    }
}

#[test]
fn the_level_holds_with_repeating_entities() {
    let p = Params { tests: vec![Test::Mmd, Test::Centroid], permutations: 39, ..Params::default() };
    let cases = 1000u64;
    let mut rejected = [0u32; 2];
    for seed in 0..cases {
        // Even cases share their entities, odd ones do not; three points an entity.
        let second = if seed % 2 == 0 { 0 } else { 500 };
        let (a, mut b) = (window(18, 2, 3, 0, seed), window(18, 2, 3, second, seed));
        let mut random = Random::new(seed, "fresh", 9);
        b.1.iter_mut().for_each(|v| *v += 0.5 * random.normal() as f32);
        let mut a = a;
        a.1.iter_mut().for_each(|v| *v += 0.5 * random.normal() as f32);
        for (count, row) in rejected.iter_mut().zip(compare(&as_window(&a, 2), &as_window(&b, 2), seed, &p)) {
            *count += u32::from(row.p_value.unwrap() <= 0.05);
        }
    }
    // Three standard errors above 0.05.
    for count in rejected {
        assert!(
            f64::from(count) / cases as f64 <= 0.05 + 3.0 * (0.05f64 * 0.95 / cases as f64).sqrt(),
            "{count}"
        );
    }
}

#[test]
fn few_points_and_constant_windows() {
    let one = (vec![1u64], vec![1.0f32, 2.0]);
    let many = window(10, 2, 1, 10, 1);
    let rows = compare(&as_window(&one, 2), &as_window(&many, 2), 0, &Params::default());
    assert!(rows.iter().all(|r| r.status == Status::FewPoints && r.statistic.is_none()));
    let same = ((0..6).collect::<Vec<u64>>(), vec![1.0f32; 12]);
    let other = ((6..12).collect::<Vec<u64>>(), vec![1.0f32; 12]);
    let rows = compare(&as_window(&same, 2), &as_window(&other, 2), 0, &Params::default());
    assert!(rows.iter().all(|r| r.status == Status::Constant && r.p_value == Some(1.0)), "{rows:?}");
    let own = (vec![7u64; 6], vec![1.0f32; 12]);
    let rows = compare(&as_window(&own, 2), &as_window(&own, 2), 0, &Params::default());
    assert!(rows.iter().all(|r| r.status == Status::FewPoints && r.p_value.is_none()));
}

#[test]
fn holm_is_monotone_and_keeps_order() {
    let p = [Some(0.01), None, Some(0.04), Some(0.03), Some(0.005)];
    let found: Vec<Option<f64>> = holm(&p).into_iter().map(|p| p.map(|p| (p * 1e6).round() / 1e6)).collect();
    assert_eq!(found, [Some(0.03), None, Some(0.06), Some(0.06), Some(0.02)]);
    assert_eq!(holm(&[Some(0.9), Some(0.8)]), [Some(1.0), Some(1.0)]);
}

#[test]
fn samples_are_seeded_distinct_and_sorted() {
    assert_eq!(sample(3, 5, 0, 0), [0, 1, 2]);
    let s = sample(1000, 50, 1, 2);
    assert_eq!(s.len(), 50);
    assert!(s.windows(2).all(|w| w[0] < w[1]) && s[49] < 1000);
    assert_eq!(s, sample(1000, 50, 1, 2));
    assert_ne!(s, sample(1000, 50, 1, 3));
}
