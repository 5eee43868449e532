//! Recall on kinds of data that indexes are known to lose neighbours on, against brute force in f64: stored and unseen
//! questions, windows, instants, filters, and one row of an entity.

use super::tests::{Data, normal, part, truth};
use super::{Check, Effort, Filter, Options, Path, Query, Stats};
use crate::metric::Metric::{self, Cosine, Dot, L2};
use crate::model::{Key, TimeRange};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;
use roaring::RoaringBitmap;

/// Rows of a kind: enough for lists in a fifth of the kinds, of which every other one has a graph; else fewer. All kinds with
/// lists and graphs are in scripts/truth_wide/index.py.
const ROWS: usize = 4200;
const FEWER: usize = 1100;
/// Stored questions, and as many unseen ones.
const ASKED: usize = 10;

type Rng = Xoshiro256PlusPlus;
/// Makes row `i`.
type Make = fn(&mut Rng, usize, usize) -> Vec<f32>;

fn gauss(rng: &mut Rng, dim: usize, scale: f32) -> Vec<f32> {
    (0..dim).map(|_| scale * normal(rng)).collect()
}

/// The same vector for the same number, whatever was drawn before.
fn fixed(number: usize, dim: usize, scale: f32) -> Vec<f32> {
    gauss(&mut Rng::seed_from_u64(900 + number as u64), dim, scale)
}

fn plus(a: Vec<f32>, b: Vec<f32>) -> Vec<f32> {
    a.iter().zip(&b).map(|(a, b)| a + b).collect()
}

fn times(a: Vec<f32>, by: f32) -> Vec<f32> {
    a.into_iter().map(|v| v * by).collect()
}

/// Scales of 1e-30 to 1e30.
fn any_scale(rng: &mut Rng) -> f32 {
    10f32.powf(rng.random_range(-30.0..30.0))
}

fn wave(t: f32) -> f32 {
    0.002 * t + 3.0 * (t / 12.0 * std::f32::consts::TAU).sin() + (t / 6.0 * std::f32::consts::TAU).sin()
}

const KINDS: &[(&str, Metric, usize, Make)] = &[
    ("far from zero", L2, 16, |r, _, d| plus(gauss(r, d, 1.0), vec![30.0; d])),
    ("very far from zero", L2, 24, |r, _, d| plus(gauss(r, d, 1.0), vec![1e4; d])),
    ("cone of mean cosine .98", Cosine, 48, |r, _, d| plus(gauss(r, d, 1.0), vec![7.0; d])),
    ("cone of mean cosine .999", Cosine, 32, |r, _, d| plus(gauss(r, d, 1.0), vec![31.6; d])),
    ("rogue coordinates", Cosine, 48, |r, _, d| {
        let mut x = gauss(r, d, 1.0);
        x[3] += 60.0;
        x[17] *= 40.0;
        x
    }),
    ("rogue coordinates", L2, 40, |r, _, d| {
        let mut x = gauss(r, d, 1.0);
        (x[0], x[5]) = (x[0] * 300.0, x[5] * 30.0);
        x
    }),
    ("tight groups with outliers", L2, 16, |r, i, d| match i % 97 {
        0 => gauss(r, d, 200.0),
        _ => plus(fixed(i % 50, d, 20.0), gauss(r, d, 0.01)),
    }),
    ("tight groups", Cosine, 24, |r, i, d| plus(fixed(i % 20, d, 1.0), gauss(r, d, 0.001))),
    ("near versions of entities", Cosine, 16, |r, i, d| plus(fixed(i % 42, d, 1.0), gauss(r, d, 0.003))),
    ("one vector a thousand times as long", Dot, 16, |r, i, d| {
        gauss(r, d, if i == 7 { 1000.0 } else { 1.0 })
    }),
    ("norms of a heavy tail", Dot, 16, |r, _, d| {
        let by = (1.5 * normal(r)).exp();
        times(gauss(r, d, 1.0), by)
    }),
    ("products with an offset", Dot, 32, |r, _, d| plus(gauss(r, d, 1.0), vec![5.0; d])),
    ("a line", L2, 8, |r, _, d| times(fixed(0, d, 1.0), r.random_range(-100.0..100.0))),
    ("a circle", L2, 12, |r, _, d| {
        let a = r.random_range(0.0..std::f32::consts::TAU);
        plus(times(fixed(0, d, 1.0), a.cos()), times(fixed(1, d, 1.0), a.sin()))
    }),
    ("exact duplicates", Cosine, 16, |_, i, d| fixed(i % 210, d, 1.0)),
    ("all the same", L2, 8, |_, _, d| vec![1.5; d]),
    ("norms of 1e-30 to 1e30", Cosine, 16, |r, _, d| {
        let by = any_scale(r);
        times(gauss(r, d, 1.0), by)
    }),
    ("norms of 1e-30 to 1e30", L2, 16, |r, _, d| {
        let by = any_scale(r);
        times(gauss(r, d, 1.0), by)
    }),
    ("norms of 1e-30 to 1e30", Dot, 16, |r, _, d| {
        let by = any_scale(r);
        times(gauss(r, d, 1.0), by)
    }),
    ("tiny values", L2, 16, |r, _, d| gauss(r, d, 1e-20)),
    ("small integers", L2, 8, |r, _, d| (0..d).map(|_| r.random_range(0..5) as f32).collect()),
    ("signs", Cosine, 64, |r, _, d| (0..d).map(|_| if r.random_bool(0.5) { 1.0 } else { -1.0 }).collect()),
    ("sparse counts", Cosine, 64, |r, _, d| {
        (0..d).map(|_| if r.random_bool(0.05) { r.random_range(1..9) as f32 } else { 0.0 }).collect()
    }),
    ("one-hot", Cosine, 32, |r, i, d| {
        let mut x = vec![0.0; d];
        x[i % d] = r.random_range(1.0..2.0);
        x
    }),
    ("windows of a smooth series", L2, 24, |_, i, d| (0..d).map(|j| 315.0 + wave((i + j) as f32)).collect()),
    ("independent values", L2, 48, |r, _, d| gauss(r, d, 1.0)),
    ("values without a variance", L2, 8, |r, _, d| {
        (0..d).map(|_| normal(r) / normal(r).abs().max(1e-6)).collect()
    }),
    ("balls of 1e-3 and 1e3", L2, 16, |r, i, d| gauss(r, d, if i % 2 == 0 { 1e-3 } else { 1e3 })),
    ("a third is zero", Cosine, 16, |r, i, d| if i % 3 == 0 { vec![0.0; d] } else { gauss(r, d, 1.0) }),
    ("a place that moves with time", L2, 16, |r, i, d| {
        plus(gauss(r, d, 1.0), times(fixed(0, d, 1.0), i as f32 / 100.0))
    }),
    ("a plane", Cosine, 48, |r, _, d| {
        let (a, b) = (normal(r), normal(r));
        plus(times(fixed(0, d, 1.0), a), times(fixed(1, d, 1.0), b))
    }),
];

/// Entities of very different sizes: the first has a third of the rows.
fn entity(i: usize) -> u64 {
    match i % 3 {
        0 => 0,
        _ => 1 + (i % 42) as u64,
    }
}

fn made((_, metric, dim, make): &(&str, Metric, usize, Make), count: usize, seed: u64) -> Data {
    let mut rng = Rng::seed_from_u64(seed);
    let rows: Vec<Vec<f32>> = (0..count).map(|i| make(&mut rng, i, *dim)).collect();
    let queries = (0..2 * ASKED).map(|q| {
        let (a, b) = (&rows[(q * 401 + 5) % count], &rows[(q * 733 + 77) % count]);
        let noise = gauss(&mut rng, *dim, 1.0);
        let length = |x: &[f32]| x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt().max(1e-37);
        let by = (0.02 * length(a) / length(&noise)) as f32;
        match q {
            _ if q < ASKED => a.clone(),
            _ if q % 2 == 0 && *metric == Cosine => {
                let (la, lb) = (length(a), length(b));
                a.iter().zip(b).map(|(a, b)| (f64::from(*a) / la + f64::from(*b) / lb) as f32).collect()
            }
            _ if q % 2 == 0 => a.iter().zip(b).map(|(a, b)| a / 2.0 + b / 2.0).collect(),
            _ => a.iter().zip(&noise).map(|(a, n)| a + by * n).collect(),
        }
    });
    let queries = queries.flat_map(|q: Vec<f32>| q).collect();
    let keys = (0..count).map(|i| Key { entity: entity(i), t: i as i64 }).collect();
    Data { dim: *dim, keys, rows: rows.into_iter().flatten().collect(), queries }
}

/// What is asked of a kind, for a question's number.
fn modes<'f>(
    (q, rows): (usize, usize),
    side: &'f RoaringBitmap,
    own: &'f [u64],
) -> Vec<(&'static str, Filter<'f>, bool)> {
    let all = Filter::default();
    let width = rows / 5;
    let start = (q * 311 % (rows - width)) as i64;
    vec![
        ("all", all, false),
        ("window", Filter { range: TimeRange::closed(start, start + width as i64 - 1), ..all }, false),
        ("as of", Filter { as_of: Some((rows / 8 + q * 173 % (rows / 2)) as i64), ..all }, false),
        ("where", Filter { allowed: Some(side), ..all }, false),
        ("without its entity", Filter { excluded: own, ..all }, false),
        ("one of an entity", all, true),
    ]
}

/// The least recall over modes, each with its name.
fn least(number: usize) -> Vec<(String, f64)> {
    let kind = &KINDS[number];
    let rows = if number % 5 == 1 { ROWS } else { FEWER };
    let graph_from = if number % 2 == 0 { 0 } else { usize::MAX };
    let data = made(kind, rows, 5);
    let part = part(&data, &Options { graph_from, ..Options::new(kind.1) });
    let mut reader = part.reader(Check::Whole).unwrap();
    // Rows of one side of a plane: what is allowed depends on where it lies.
    let side = data.rows[..kind.2].to_vec();
    let product = |row: usize| -> f64 {
        side.iter().zip(&data.rows[row * kind.2..]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let mut products: Vec<f64> = (0..rows).map(product).collect();
    products.sort_by(f64::total_cmp);
    let allowed: RoaringBitmap =
        (0..rows as u32).filter(|row| product(*row as usize) <= products[rows / 3]).collect();
    let mut out: Vec<(String, f64, f64)> = Vec::new();
    for (q, vector) in data.queries.chunks_exact(kind.2).enumerate() {
        let own = [entity((q * 401 + 5) % rows)];
        for (name, filter, per_entity) in modes((q, rows), &allowed, &own) {
            let query = Query { per_entity, ..Query::nearest(vector, 10) };
            let eligible = reader.prepare(&filter).unwrap();
            let hits = reader.search(&query, &eligible, None, &mut Stats::default()).unwrap();
            let want = truth(&data, kind.1, &query, &filter);
            let worst = want.last().map_or(f64::NEG_INFINITY, |w| w.0);
            let found = hits.iter().filter(|h| h.score <= worst).count().min(want.len());
            let name = format!("{name}, {}", if q < ASKED { "stored" } else { "unseen" });
            match out.iter_mut().find(|o| o.0 == name) {
                Some(o) => (o.1, o.2) = (o.1 + found as f64, o.2 + want.len() as f64),
                None => out.push((name, found as f64, want.len() as f64)),
            }
        }
    }
    out.into_iter()
        .map(|(name, found, wanted)| (name, if wanted == 0.0 { 1.0 } else { found / wanted }))
        .collect()
}

#[test]
fn recall_holds_on_every_kind_of_data() {
    assert!(KINDS.len() >= 20);
    let all: Vec<_> = (0..KINDS.len()).into_par_iter().map(|i| (&KINDS[i], least(i))).collect();
    let mut low = Vec::new();
    for ((name, metric, dim, _), modes) in all {
        // Of 100 neighbours a few may be missed by chance.
        low.extend(
            modes.into_iter().filter(|m| m.1 < 0.93).map(|m| format!("{name}, {metric}, {dim}: {m:?}")),
        );
    }
    assert!(low.is_empty(), "{low:#?}");
}

/// A larger pool finds more, and one as large as the part everything.
#[test]
fn effort_reaches_everything() {
    let kind = &KINDS[25];
    let data = made(kind, ROWS, 6);
    let part = part(&data, &Options { graph_from: 0, ..Options::new(kind.1) });
    let mut reader = part.reader(Check::Whole).unwrap();
    let eligible = reader.prepare(&Filter::default()).unwrap();
    for path in [None, Some(Path::Scan), Some(Path::Lists), Some(Path::Graph)] {
        let mut ask = |effort: Effort| {
            let (mut found, mut exact) = (0, 0);
            for vector in data.queries.chunks_exact(kind.2) {
                let query = Query { effort, force: path, ..Query::nearest(vector, 10) };
                let mut stats = Stats::default();
                let hits = reader.search(&query, &eligible, None, &mut stats).unwrap();
                let worst = truth(&data, kind.1, &query, &Filter::default())[9].0;
                found += hits.iter().filter(|h| h.score <= worst).count();
                exact += stats.exact;
            }
            (found, exact)
        };
        let small = ask(Effort::Beam(16));
        let large = ask(Effort::Beam(1000));
        let all = ask(Effort::Beam(ROWS));
        assert!(large.1 >= 1000 * 2 * ASKED, "{path:?}: {large:?}");
        assert!(small.0 <= large.0 && large.0 <= all.0, "{path:?}: {small:?} {large:?} {all:?}");
        assert_eq!(all.0, 10 * 2 * ASKED, "{path:?}");
        if path.is_none() {
            assert_eq!(ask(Effort::Recall(1.0)).0, 10 * 2 * ASKED);
        }
    }
}

/// Where codes tell nothing apart, everything is compared exactly, and the part says so.
#[test]
fn a_part_that_cannot_be_searched_is_compared() {
    let kind = KINDS.iter().find(|k| k.0.starts_with("norms of 1e-30") && k.1 == L2).unwrap();
    let part = part(&made(kind, ROWS, 7), &Options::new(kind.1));
    let tables = &part.head().tables;
    assert!(tables.recall() >= 0.95, "{tables:?}");
    assert!(!tables.measured.is_empty());
}
