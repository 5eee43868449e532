//! Random parts, questions and filters against brute force: rows that died since the part was built, states that lie
//! elsewhere, windows, instants, radii, one row of an entity.

use super::tests::{Data, normal, part, truth};
use super::{Check, Effort, Filter, Options, Path, Query, Stats};
use crate::metric::Metric;
use crate::model::{Key, TimeRange};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use roaring::RoaringBitmap;
use std::collections::BTreeSet;

type Rng = Xoshiro256PlusPlus;
const TIMES: i64 = 60;

/// Vectors of one of several kinds, some of them equal, some zero.
fn data(random: &mut Rng, dim: usize) -> Data {
    let entities = random.random_range(1..30);
    let rows = random.random_range(1..350);
    let mut keys: BTreeSet<(i64, u64)> = BTreeSet::new();
    for _ in 0..rows {
        keys.insert((random.random_range(0..TIMES), random.random_range(0..entities) * 3));
    }
    let kind = random.random_range(0..5);
    let mut vector = |i: usize| -> Vec<f32> {
        let scale = 10f32.powi(random.random_range(-8..8));
        (0..dim)
            .map(|d| match kind {
                0 => normal(random),
                1 => normal(random) * scale,
                2 => random.random_range(-2..3) as f32,
                3 => ((i % 5) * (d + 1)) as f32,
                _ if i % 11 == 0 => 0.0,
                _ => 100.0 + normal(random),
            })
            .collect()
    };
    let rows: Vec<f32> = (0..keys.len()).flat_map(&mut vector).collect();
    let queries = (0..16).flat_map(&mut vector).collect();
    let keys = keys.into_iter().map(|(t, entity)| Key { entity, t }).collect();
    Data { dim, keys, rows, queries }
}

/// Parts of a filter, which borrows them.
struct Parts {
    allowed: Option<RoaringBitmap>,
    deleted: RoaringBitmap,
    states: Vec<(u64, Option<u32>)>,
    excluded: Vec<u64>,
    range: TimeRange,
    as_of: Option<i64>,
}

fn parts(random: &mut Rng, data: &Data) -> Parts {
    let n = data.keys.len() as u32;
    let some = |random: &mut Rng, share: f64| -> RoaringBitmap {
        (0..n).filter(|_| random.random_bool(share)).collect()
    };
    let allowed = random.random_bool(0.3).then(|| some(random, 0.4));
    let share = [0.0, 0.1, 0.9][random.random_range(0..3)];
    let deleted = some(random, share);
    let from = random.random_range(-5..TIMES);
    let range = match random.random_bool(0.4) {
        true => TimeRange::closed(from, from + random.random_range(0..TIMES)),
        false => TimeRange::ALL,
    };
    let as_of = random.random_bool(0.4).then(|| random.random_range(-1..TIMES + 1));
    let entities: BTreeSet<u64> = data.keys.iter().map(|k| k.entity).collect();
    let mut states = Vec::new();
    for (entity, instant) in entities.iter().filter_map(|e| Some((e, as_of?))) {
        if random.random_bool(0.2) {
            // A state is never later than the instant.
            let is_own = |row: &u32| {
                let key = data.keys[*row as usize];
                key.entity == *entity && key.t <= instant
            };
            let own = (0..n).filter(is_own);
            let at = random.random_range(0..n);
            states.push((*entity, own.filter(|row| *row >= at).min()));
        }
    }
    let excluded = entities.into_iter().filter(|_| random.random_bool(0.1)).collect();
    Parts { allowed, deleted, states, excluded, range, as_of }
}

#[test]
fn any_question_is_answered_as_by_brute_force() {
    let mut answers = 0;
    for seed in 0..30 {
        let mut random = Rng::seed_from_u64(seed);
        let dim = [1, 2, 3, 8, 17, 40][random.random_range(0..6)];
        let metric = [Metric::Cosine, Metric::L2, Metric::Dot][random.random_range(0..3)];
        let data = data(&mut random, dim);
        let graph_from = if random.random_bool(0.5) { 0 } else { 16_384 };
        let part = part(&data, &Options { graph_from, seed, ..Options::new(metric) });
        part.verify().unwrap();
        let mut reader = part.reader(Check::Whole).unwrap();
        let rows = data.keys.len();
        for vector in data.queries.chunks_exact(dim) {
            let p = parts(&mut random, &data);
            let filter = Filter {
                range: p.range,
                as_of: p.as_of,
                states: &p.states,
                allowed: p.allowed.as_ref(),
                deleted: Some(&p.deleted),
                excluded: &p.excluded,
            };
            let mut query = Query::nearest(vector, random.random_range(1..20));
            query.per_entity = random.random_bool(0.4);
            if random.random_bool(0.3) {
                query.radius = truth(&data, metric, &query, &filter).last().map(|worst| worst.0);
            }
            query.effort = Effort::Beam(rows);
            let want = truth(&data, metric, &query, &filter);
            let eligible = reader.prepare(&filter).unwrap();
            let hits = reader.search(&query, &eligible, None, &mut Stats::default()).unwrap();
            let scores = |hits: &[super::Hit]| hits.iter().map(|h| h.score).collect::<Vec<_>>();
            let told = format!(
                "seed {seed}, {metric:?}, {rows} rows of {dim}, {} wanted within {:?}, one an entity {}, {:?}, as of {:?}",
                query.k, query.radius, query.per_entity, p.range, p.as_of
            );
            assert_eq!(scores(&hits), want.iter().map(|w| w.0).collect::<Vec<_>>(), "{told}");
            answers += hits.len();
            // With less effort rows may be missing. What is there counts, once, with its exact distance.
            let all = truth(&data, metric, &Query { k: rows, ..query }, &filter);
            let usual = Query { effort: Effort::default(), ..query };
            let scan = Query { effort: Effort::Beam(5), force: Some(Path::Scan), ..query };
            for query in [usual, scan] {
                let hits = reader.search(&query, &eligible, None, &mut Stats::default()).unwrap();
                assert!(hits.len() <= query.k && hits.is_sorted_by(|a, b| a.score <= b.score), "{told}");
                let unique: BTreeSet<u32> = hits.iter().map(|h| h.row).collect();
                assert_eq!(unique.len(), hits.len(), "{told}");
                for hit in hits {
                    let entity = data.keys[hit.row as usize].entity;
                    // With one row of an entity, a farther one may stand for it.
                    let counts = |w: &&(f64, usize)| match query.per_entity {
                        true => data.keys[w.1].entity == entity && w.0 <= hit.score,
                        false => w.1 == hit.row as usize && w.0 == hit.score,
                    };
                    assert!(all.iter().any(|w| counts(&w)), "{told}: row {}", hit.row);
                }
            }
        }
    }
    assert!(answers > 1000, "only {answers} answers");
}
