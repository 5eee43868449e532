use super::super::rng::Random;
use super::*;

/// Points of one period, one after another.
struct Points {
    x: Vec<f32>,
    dim: usize,
}

impl Points {
    fn new(dim: usize, rows: &[Vec<f64>]) -> Points {
        Points { x: rows.iter().flatten().map(|&v| v as f32).collect(), dim }
    }

    /// Compared with later ones.
    fn shift(&self, to: &Points, p: &Params<'_>, entity: u64) -> Shift {
        let n = self.x.len() / self.dim;
        let m = to.x.len() / self.dim;
        let t: Vec<i64> = (0..(n + m) as i64).collect();
        let of = |t, x| Trajectory { entity, t, x, dim: self.dim, model: &[] };
        shift(&of(&t[..n], &self.x), &of(&t[n..], &to.x), p)
    }
}

/// `n` points with first-order memory `phi`, moved by `by` in every dimension.
fn series(n: usize, dim: usize, phi: f64, by: f64, id: u64) -> Points {
    let mut random = Random::new(21, "shift", id);
    let mut state: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
    let mut rows = Vec::new();
    for _ in 0..n {
        state.iter_mut().for_each(|s| *s = phi * *s + (1.0 - phi * phi).sqrt() * random.normal());
        rows.push(state.iter().map(|s| s + by).collect::<Vec<f64>>());
    }
    Points::new(dim, &rows)
}

fn plain() -> Params<'static> {
    Params { units: Units::Block(1), permutations: 199, ..Params::default() }
}

/// Share of runs with p <= 0.05, the mean of `change`, and the share of intervals that hold `truth`.
fn runs(sizes: (usize, usize), dim: usize, phi: f64, by: f64, p: &Params<'_>, count: u64) -> (f64, f64, f64) {
    let truth = by * (dim as f64).sqrt();
    let (mut called, mut change, mut held) = (0.0, 0.0, 0.0);
    for k in 0..count {
        let (a, b) = (series(sizes.0, dim, phi, 0.0, 2 * k), series(sizes.1, dim, phi, by, 2 * k + 1));
        let s = a.shift(&b, p, k);
        called += f64::from(u8::from(s.p_value.is_some_and(|p| p <= 0.05)));
        change += s.change.unwrap_or(0.0);
        held += f64::from(u8::from(s.interval.is_some_and(|(lo, hi)| lo <= truth && truth <= hi)));
    }
    (called / count as f64, change / count as f64, held / count as f64)
}

#[test]
fn means_and_noise_by_hand() {
    let a = Points::new(2, &[vec![0.0, 0.0], vec![2.0, 0.0]]);
    let b = Points::new(2, &[vec![1.0, 3.0], vec![1.0, 5.0], vec![1.0, 4.0]]);
    let s = a.shift(&b, &plain(), 1);
    assert_eq!((s.n_from, s.n_to, s.l2, s.units), (2, 3, Some(4.0), (2, 3)));
    // Variances 2 and 1 of the single points: 16 - 2/2 - 1/3.
    assert!((s.change.unwrap() - (16.0 - 1.0 - 1.0 / 3.0)).abs() < 1e-12);
    assert!((s.noise_floor.unwrap().powi(2) - (1.0 + 1.0 / 3.0)).abs() < 1e-12);
    let (low, high) = s.interval.unwrap();
    assert!(low < 4.0 && 4.0 < high);
    assert_eq!(s.top_dims[0].dim, 1);
}

#[test]
fn every_labelling_is_counted_where_there_are_few() {
    // 3 and 3 points apart: 20 labellings, two of which (this one and its mirror) are as far.
    let a = Points::new(1, &[vec![0.0], vec![0.1], vec![0.3]]);
    let b = Points::new(1, &[vec![9.0], vec![9.2], vec![9.1]]);
    assert_eq!(a.shift(&b, &plain(), 1).p_value, None, "2 of 20 is above 0.05");
    let b = Points::new(1, &[vec![9.0], vec![9.2], vec![9.1], vec![9.05]]);
    let s = a.shift(&b, &plain(), 1);
    assert!((s.p_value.unwrap() - 1.0 / 35.0).abs() < 1e-12);
    let s = a.shift(&Points::new(1, &[vec![9.0]]), &plain(), 1);
    assert_eq!((s.status, s.change, s.p_value), (Status::FewPoints, None, None));
    assert!(s.l2.is_some());
}

#[test]
fn nothing_moves_without_a_change() {
    for (sizes, dim, phi, p) in [
        ((24, 45), 3, 0.0, plain()),
        ((60, 12), 32, 0.0, Params { units: Units::Auto, ..plain() }),
        ((40, 70), 1, 0.5, Params { units: Units::Auto, ..plain() }),
        ((90, 60), 16, 0.5, Params { units: Units::Auto, ..plain() }),
    ] {
        let (called, change, held) = runs(sizes, dim, phi, 0.0, &p, 150);
        let noise = dim as f64 * (1.0 / sizes.0 as f64 + 1.0 / sizes.1 as f64) * (1.0 + phi) / (1.0 - phi);
        assert!(called <= 0.10, "{sizes:?} {dim} {phi}: called {called}");
        assert!(change.abs() < 0.25 * noise, "{sizes:?} {dim} {phi}: {change} of {noise}");
        assert!(held >= 0.90, "{sizes:?} {dim} {phi}: held {held}");
    }
}

#[test]
fn a_move_is_found_and_its_size_held() {
    for (sizes, dim, phi, by) in [((24, 45), 3, 0.0, 0.8), ((60, 12), 32, 0.0, 0.5), ((90, 60), 8, 0.5, 1.0)]
    {
        let p = Params { units: Units::Auto, ..plain() };
        let (called, change, held) = runs(sizes, dim, phi, by, &p, 80);
        let truth = by * by * dim as f64;
        assert!(called >= 0.75, "{sizes:?} {dim} {phi}: called {called}");
        assert!((change / truth - 1.0).abs() < 0.15, "{sizes:?} {dim} {phi}: {change} of {truth}");
        assert!(held >= 0.88, "{sizes:?} {dim} {phi}: held {held}");
    }
}

/// Points of authors with a bias of their own: `own` authors in each period, and `both` in both.
fn authors(own: u32, both: u32, a_point: usize, id: u64) -> ([Points; 2], [Vec<u32>; 2]) {
    let mut random = Random::new(31, "authors", id);
    let mut rows = [Vec::new(), Vec::new()];
    let mut numbers = [Vec::new(), Vec::new()];
    for author in 0..2 * own + both {
        let bias = [random.normal(), random.normal()];
        for side in 0..2 {
            if author < both || (author - both) as usize % 2 == side {
                for _ in 0..a_point {
                    rows[side].push(bias.iter().map(|b| b + 0.3 * random.normal()).collect());
                    numbers[side].push(author);
                }
            }
        }
    }
    (rows.map(|r| Points::new(2, &r)), numbers)
}

#[test]
fn clusters_move_as_one() {
    for (own, both) in [(8, 0), (5, 4), (0, 9)] {
        let (mut called, mut change, mut single) = (0, 0.0, 0);
        for k in 0..150 {
            let ([a, b], [na, nb]) = authors(own, both, 6, k);
            let p = Params { units: Units::Clusters(&na, &nb), ..plain() };
            let s = a.shift(&b, &p, k);
            called += u32::from(s.p_value.is_some_and(|p| p <= 0.05));
            change += s.change.unwrap() / 150.0;
            single += u32::from(a.shift(&b, &plain(), k).p_value.is_some_and(|p| p <= 0.05));
        }
        assert!(called <= 15, "{own} {both}: {called} of 150");
        assert!(change.abs() < 0.1, "{own} {both}: {change}");
        assert!(both > 5 || single > 40, "{own} {both}: single points should be misled, {single}");
    }
}

#[test]
fn one_changed_entity_among_thousands_reaches_a_small_p() {
    let p = Params { permutations: 99_999, ..plain() };
    let s = series(40, 4, 0.0, 0.0, 1).shift(&series(50, 4, 0.0, 3.0, 2), &p, 7);
    assert_eq!(s.p_value, Some(1e-5));
}

#[test]
fn rounding_is_no_change() {
    let near = |by: f64| Points::new(2, &vec![vec![1.0 + by, -0.5]; 20]);
    let s = near(0.0).shift(&near(1.2e-7), &plain(), 1);
    assert_eq!((s.status, s.p_value, s.change), (Status::Constant, None, None));
    let s = near(0.0).shift(&near(0.1), &plain(), 1);
    assert_eq!(s.status, Status::Ok);
    assert!(s.p_value.unwrap() < 0.01 && (s.change.unwrap() - 0.01).abs() < 1e-6);
}

#[test]
fn scale_does_not_matter_and_models_do() {
    let (a, b) = (series(20, 3, 0.0, 0.0, 5), series(30, 3, 0.0, 0.7, 6));
    let s = a.shift(&b, &plain(), 1);
    for factor in [1e-30f32, 1e30] {
        let by = |p: &Points| Points { x: p.x.iter().map(|v| v * factor).collect(), dim: p.dim };
        let scaled = by(&a).shift(&by(&b), &plain(), 1);
        assert_eq!(scaled.p_value, s.p_value);
        let (low, high) = (s.interval.unwrap(), scaled.interval.unwrap());
        assert!((high.1 / f64::from(factor) / low.1 - 1.0).abs() < 1e-4);
    }
    let t: Vec<i64> = (0..20).collect();
    let part = |model| Trajectory { entity: 1, t: &t, x: &a.x, dim: 3, model };
    let later: Vec<i64> = (20..40).collect();
    let other = Trajectory { t: &later, ..part(&[1; 20]) };
    assert_eq!(shift(&part(&[0; 20]), &other, &plain()).status, Status::ModelBreak);
    let off = Params { align: Align::Off, ..plain() };
    assert_eq!(shift(&part(&[0; 20]), &other, &off).l2, Some(0.0));
}
