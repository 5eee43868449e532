use super::*;
use crate::analytics::golden;
use crate::model::EntityId;

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
        // Drawing stops at the fiftieth value that is as large.
        let draws = (50.0 / expected).min(999.0);
        assert!((found - expected).abs() < 3.0 * (expected * (1.0 - expected) / draws).sqrt() + 2e-3);
    }
}

#[test]
fn a_moved_population_is_seen_and_its_dimensions_named() {
    let (a, mut b) = (window(60, 8, 1, 0, 1), window(60, 8, 1, 1000, 2));
    b.1.iter_mut().skip(3).step_by(8).for_each(|v| *v += 1.5);
    let rows = compare(&as_window(&a, 8), &as_window(&b, 8), 0, &all_tests(99));
    for row in &rows {
        if row.test != Test::Norm {
            assert_eq!((row.p_value, row.permutations), (Some(0.01), 99), "{row:?}");
        }
    }
    assert_eq!(rows[2].top_dims[0].dim, 3);
    assert!(rows[4].statistic.unwrap() > 0.7 && rows[2].effect.unwrap() > 0.08);
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

/// Points of both windows of a population: `sizes` has the number of points of each entity in the
/// reference and in the current window; entities differ by `spread`, the current window lies
/// `moved` further in each dimension, and points of an entity follow one another with the
/// correlation `follow`. Skewed noise is lognormal.
struct Population<'a> {
    sizes: &'a [(usize, usize)],
    dim: usize,
    spread: f64,
    moved: f64,
    follow: f64,
    skewed: bool,
}

type Points = (Vec<EntityId>, Vec<f32>);

impl Population<'_> {
    fn draw(&self, seed: u64) -> (Points, Points) {
        let mut out = (Points::default(), Points::default());
        for (e, &(m, n)) in self.sizes.iter().enumerate() {
            let mut r = Random::new(seed, "entity", e as u64);
            let own: Vec<f64> = (0..self.dim).map(|_| self.spread * r.normal()).collect();
            let mut before: Vec<f64> = (0..self.dim).map(|_| r.normal()).collect();
            for i in 0..m + n {
                let (side, moved) = if i < m { (&mut out.0, 0.0) } else { (&mut out.1, self.moved) };
                side.0.push(e as u64);
                for (b, o) in before.iter_mut().zip(&own) {
                    *b = self.follow * *b + (1.0 - self.follow * self.follow).sqrt() * r.normal();
                    let noise = if self.skewed { b.exp() } else { *b };
                    side.1.push((noise + o + moved) as f32);
                }
            }
        }
        out
    }

    /// The share of `cases` draws in which each test says p <= 0.05.
    fn rejected(&self, cases: u64, params: &Params) -> Vec<f64> {
        let mut counts = vec![0.0; params.tests.len()];
        for seed in 0..cases {
            let (a, b) = self.draw(seed);
            let rows = compare(&as_window(&a, self.dim), &as_window(&b, self.dim), seed, params);
            for (count, row) in counts.iter_mut().zip(rows) {
                *count += f64::from(u8::from(row.p_value.unwrap() <= 0.05)) / cases as f64;
            }
        }
        counts
    }
}

/// Any numbers of points: the larger side first, entities of one window, one large entity.
fn unequal() -> Vec<(&'static str, Vec<(usize, usize)>)> {
    let join = |parts: &[(usize, (usize, usize))]| -> Vec<(usize, usize)> {
        parts.iter().flat_map(|&(n, sizes)| std::iter::repeat_n(sizes, n)).collect()
    };
    vec![
        ("equal", join(&[(12, (3, 3))])),
        ("12 to 3", join(&[(12, (12, 3))])),
        ("25 to 1", join(&[(12, (25, 1))])),
        ("others", join(&[(10, (12, 0)), (10, (0, 1))])),
        ("more others", join(&[(20, (6, 0)), (7, (0, 2))])),
        ("mixture", join(&[(6, (8, 2)), (5, (4, 0)), (6, (0, 1)), (1, (1, 9))])),
        ("one large", join(&[(10, (2, 2)), (1, (60, 40))])),
    ]
}

#[test]
fn the_level_holds_for_any_numbers_of_points() {
    // Four standard errors above 0.05.
    let (cases, bound) = (200, 0.05 + 4.0 * (0.05f64 * 0.95 / 200.0).sqrt());
    let tests = vec![Test::Mmd, Test::Energy, Test::Centroid, Test::Norm];
    let params = Params { tests, permutations: 59, ..Params::default() };
    for (name, sizes) in unequal() {
        for (dim, spread, follow, skewed) in [(1, 0.0, 0.0, true), (2, 3.0, 0.8, false)] {
            let population = Population { sizes: &sizes, dim, spread, moved: 0.0, follow, skewed };
            let found = population.rejected(cases, &params);
            assert!(found.iter().all(|&share| share <= bound), "{name}, dim {dim}: {found:?}");
        }
    }
    let params = Params { tests: vec![Test::Classifier], permutations: 39, ..Params::default() };
    for (name, sizes) in unequal() {
        let population =
            Population { sizes: &sizes, dim: 2, spread: 2.0, moved: 0.0, follow: 0.0, skewed: false };
        let found = population.rejected(60, &params)[0];
        assert!(found <= 0.05 + 4.0 * (0.05f64 * 0.95 / 60.0).sqrt(), "{name}: {found}");
    }
}

#[test]
fn a_move_is_seen_for_any_numbers_of_points() {
    for (name, sizes) in unequal() {
        let others = sizes.iter().all(|(m, n)| *m == 0 || *n == 0);
        // Entities that are not the same ones hide a move that is smaller than their differences.
        let (spread, moved) = if others { (0.3, 2.0) } else { (3.0, 1.5) };
        let population = Population { sizes: &sizes, dim: 8, spread, moved, follow: 0.0, skewed: false };
        let tests = vec![Test::Mmd, Test::Energy, Test::Centroid];
        let found = population.rejected(40, &Params { tests, permutations: 99, ..Params::default() });
        assert!(found.iter().all(|&share| share >= 0.95), "{name}: {found:?}");
        let tests = vec![Test::Classifier];
        let found = population.rejected(10, &Params { tests, permutations: 39, ..Params::default() });
        assert!(found[0] >= 0.6, "{name}, classifier: {found:?}");
    }
}

#[test]
fn the_effect_is_zero_without_a_drift_and_does_not_grow_with_the_sample() {
    let effect = |n: usize, moved: f64| {
        let sizes = vec![(n, n.div_ceil(4)); 15];
        let p = Population { sizes: &sizes, dim: 4, spread: 0.5, moved, follow: 0.0, skewed: false };
        let mut mean = vec![0.0; 4];
        for seed in 0..80 {
            let (a, b) = p.draw(seed);
            let tests = vec![Test::Mmd, Test::Energy, Test::Centroid, Test::Norm];
            let rows = compare(&as_window(&a, 4), &as_window(&b, 4), seed, &Params { tests, ..all_tests(0) });
            for (m, row) in mean.iter_mut().zip(rows) {
                *m += row.effect.unwrap() / 80.0;
            }
        }
        mean
    };
    let (small, large) = (effect(2, 0.0), effect(8, 0.0));
    assert!(small.iter().chain(&large).all(|e| e.abs() < 0.02), "{small:?} {large:?}");
    let (small, large) = (effect(2, 1.0), effect(8, 1.0));
    // A move of 1 in each dimension against a variance of 1 + 0.5^2 each: 1 / (2 * 1.25).
    assert!((small[2] - 0.4).abs() < 0.05 && (large[2] - 0.4).abs() < 0.05, "{small:?} {large:?}");
    assert!(small.iter().zip(&large).all(|(s, l)| (s - l).abs() < 0.05), "{small:?} {large:?}");
}

#[test]
fn p_values_go_as_low_as_the_plan_says_and_no_lower() {
    let sizes = [(4, 2); 30];
    let far = Population { sizes: &sizes, dim: 2, spread: 1.0, moved: 50.0, follow: 0.0, skewed: false };
    let (a, b) = far.draw(1);
    let params = Params { permutations: enough(Adjust::Holm, 600, 0.05), tail: true, ..Params::default() };
    let row = &compare(&as_window(&a, 2), &as_window(&b, 2), 1, &params)[0];
    assert!(row.p_value.unwrap() * 600.0 <= 0.05 && row.permutations == 48_000, "{row:?}");
    // Five pairs can be swapped in 32 ways, of which a half mirror the others.
    let few = Population { sizes: &[(4, 2); 5], ..far };
    let (a, b) = few.draw(1);
    let row = &compare(&as_window(&a, 2), &as_window(&b, 2), 1, &params)[0];
    assert_eq!(row.least_p, Some(1.0 / 16.0));
    assert!(row.p_value.unwrap() > 0.04, "{row:?}");
    // A p-value that is large is settled by few draws.
    let still = Population { moved: 0.0, ..far };
    let (a, b) = still.draw(3);
    let row = &compare(&as_window(&a, 2), &as_window(&b, 2), 1, &params)[0];
    assert!(row.permutations < 5_000, "{row:?}");
}

#[test]
fn what_cannot_be_tested_says_why() {
    let tests = |a: &Points, b: &Points| compare(&as_window(a, 2), &as_window(b, 2), 0, &all_tests(99));
    let one = (vec![1u64], vec![1.0f32, 2.0]);
    let many = window(10, 2, 1, 10, 1);
    let rows = tests(&one, &many);
    assert!(rows.iter().all(|r| r.status == Status::FewPoints && r.statistic.is_none()));
    let same = ((0..6).collect::<Vec<u64>>(), vec![1.0f32; 12]);
    let other = ((6..12).collect::<Vec<u64>>(), vec![1.0f32; 12]);
    let rows = tests(&same, &other);
    assert!(rows.iter().all(|r| r.status == Status::Constant && r.p_value.is_none()), "{rows:?}");
    // One entity has no other one to change places with, however many points it has.
    let own = window(40, 2, 40, 7, 3);
    let rows = tests(&own, &own);
    assert!(rows.iter().all(|r| r.status == Status::FewEntities && r.p_value.is_none()));
}

#[test]
fn equal_lengths_have_no_test() {
    let unit = |first: u64, seed: u64| {
        let mut w = window(30, 6, 1, first, seed);
        for row in w.1.chunks_exact_mut(6) {
            let length = norm(row) as f32;
            row.iter_mut().for_each(|v| *v /= length);
        }
        w
    };
    let rows = compare(&as_window(&unit(0, 1), 6), &as_window(&unit(100, 2), 6), 0, &all_tests(99));
    for row in rows {
        let is_norm = row.test == Test::Norm;
        assert_eq!((row.status == Status::Constant, row.p_value.is_none()), (is_norm, is_norm), "{row:?}");
    }
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
