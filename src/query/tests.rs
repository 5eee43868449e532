//! Scans against brute force in f64 over everything.

use super::*;
use crate::error::Result;
use crate::metric::Metric;
use crate::model::Key;
use crate::simd;
use crate::watch::Unwatched;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A source in memory; `decode` makes it hand out its rows through the buffer.
struct Memory {
    dim: usize,
    vectors: Vec<f32>,
    inverse_norms: Vec<f32>,
    keys: Vec<Key>,
    decode: bool,
}

impl Memory {
    fn new(dim: usize, rows: &[(Key, Vec<f32>)]) -> Self {
        Memory {
            dim,
            vectors: rows.iter().flat_map(|(_, v)| v.clone()).collect(),
            inverse_norms: rows.iter().map(|(_, v)| simd::inverse_norm(v)).collect(),
            keys: rows.iter().map(|(k, _)| *k).collect(),
            decode: false,
        }
    }
}

impl VectorSource for Memory {
    fn rows(&self) -> usize {
        self.keys.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn vectors<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        let stored = &self.vectors[rows.start * self.dim..rows.end * self.dim];
        if !self.decode {
            return Ok(stored);
        }
        *buffer = stored.to_vec();
        Ok(buffer)
    }

    fn inverse_norms(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        out.extend_from_slice(&self.inverse_norms[rows]);
        Ok(())
    }

    fn key(&self, row: usize) -> Key {
        self.keys[row]
    }
}

type Row = (Key, Vec<f32>);

/// Points with many exact duplicates, near duplicates, zero vectors, and extreme norms.
fn points(rng: &mut Xoshiro256PlusPlus, n: usize, dim: usize) -> Vec<Row> {
    let base: Vec<Vec<f32>> =
        (0..7).map(|_| (0..dim).map(|_| rng.random_range(-1.0f32..1.0)).collect()).collect();
    let mut rows: Vec<Row> = (0..n)
        .map(|i| {
            let key = Key { entity: (i / 9) as u64, t: (i % 9) as i64 * 1_000_000 };
            let mut v = base[rng.random_range(0..base.len())].clone();
            match rng.random_range(0..10) {
                0 => v.fill(0.0),
                1 => v.iter_mut().for_each(|x| *x *= 1e-34),
                2 => v.iter_mut().for_each(|x| *x *= 1e36),
                3..=4 => v.iter_mut().for_each(|x| *x += rng.random_range(-1e-6f32..1e-6)),
                5..=7 => v.iter_mut().for_each(|x| *x = rng.random_range(-1.0..1.0)),
                _ => {}
            }
            (key, v)
        })
        .collect();
    rows.shuffle(rng);
    rows
}

/// The answers by computing and sorting everything.
fn brute(rows: &[Row], query: &Query, metric: Metric) -> Vec<(f64, Key)> {
    let mut all: Vec<(f64, Key)> = rows
        .iter()
        .filter(|(k, _)| query.window.contains(k.t) && query.exclude != Some(k.entity))
        .filter_map(|(k, v)| Some((metric.exact(&query.vector, v)?, *k)))
        .map(|(d, k)| (query.time.map_or(d, |c| c.distance(d, k.t)), k))
        .filter(|(d, _)| query.radius.is_none_or(|r| *d <= r))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    if query.best_per_entity {
        let mut seen = std::collections::HashSet::new();
        all.retain(|(_, k)| seen.insert(k.entity));
    }
    all.truncate(query.k);
    all
}

/// Queries of every kind, some at stored points.
fn queries(rng: &mut Xoshiro256PlusPlus, rows: &[Row], dim: usize, metric: Metric) -> Vec<Query> {
    let mut queries = Vec::new();
    for (i, decay) in Decay::ALL.into_iter().cycle().take(9).enumerate() {
        let stored = rows[rng.random_range(0..rows.len())].1.clone();
        let random = (0..dim).map(|_| rng.random_range(-1.0f32..1.0)).collect();
        let mut q = Query::nearest(if i % 2 == 0 { stored } else { random }, [1, 5, 40][i % 3]);
        match i {
            1 => q.window = TimeRange::half_open(Some(3_000_000), Some(5_000_000)),
            2 => q.exclude = Some(rows[0].0.entity),
            3 => q.best_per_entity = true,
            4 => q = Query::within(q.vector, if metric == Metric::Dot { -0.1 } else { 0.3 }),
            5 => q = Query { best_per_entity: true, ..Query::within(q.vector, 1.0) },
            _ => {}
        }
        if i >= 6 {
            let alpha = [0.0, 0.3, 0.9][i - 6];
            q.time = Some(Composite::new(metric, alpha, 4_500_000, 2.0, decay, Some(0.5)).unwrap());
        }
        queries.push(q);
    }
    queries
}

fn found(parts: &[Part<'_>], queries: &[Query], metric: Metric, threads: usize) -> Vec<Vec<(f64, Key)>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (answers, _) = pool.install(|| scan(parts, queries, metric, &Unwatched)).unwrap();
    answers.iter().map(|hits| hits.iter().map(|h| (h.distance, h.key)).collect()).collect()
}

#[test]
fn answers_equal_brute_force_in_f64() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    for metric in Metric::ALL {
        for (dim, n) in [(1, 60), (2, 300), (7, 300), (33, 1500), (130, 700), (768, 90)] {
            let rows = points(&mut rng, n, dim);
            let queries = queries(&mut rng, &rows, dim, metric);
            let source = Memory::new(dim, &rows);
            let got = found(&[Part::all(&source)], &queries, metric, 1);
            for (q, got) in queries.iter().zip(got) {
                assert_eq!(got, brute(&rows, q, metric), "{metric} dim {dim} {q:?}");
            }
        }
    }
}

#[test]
fn answers_depend_neither_on_threads_nor_on_layout() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(12);
    for metric in Metric::ALL {
        // Large enough for several units of work.
        let (dim, n) = (400, 6_000);
        let mut rows = points(&mut rng, n, dim);
        let queries = queries(&mut rng, &rows, dim, metric);
        let whole = Memory::new(dim, &rows);
        let want = found(&[Part::all(&whole)], &queries, metric, 1);
        assert_eq!(found(&[Part::all(&whole)], &queries, metric, 2), want);

        rows.shuffle(&mut rng);
        let (a, b) = rows.split_at(n / 3);
        let (a, mut b) = (Memory::new(dim, a), Memory::new(dim, b));
        b.decode = true;
        assert_eq!(found(&[Part::all(&a), Part::all(&b)], &queries, metric, 2), want);
    }
}

#[test]
fn ties_at_rank_k_go_by_entity_and_time() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(13);
    let v: Vec<f32> = (0..24).map(|_| rng.random_range(-1.0f32..1.0)).collect();
    let mut rows: Vec<Row> =
        (0..5_000).map(|i| (Key { entity: i / 10, t: (i % 10) as i64 }, v.clone())).collect();
    rows.shuffle(&mut rng);
    let source = Memory::new(24, &rows);
    let got = found(&[Part::all(&source)], &[Query::nearest(v, 12)], Metric::Cosine, 2);
    let want: Vec<(f64, Key)> = (0..12).map(|i| (0.0, Key { entity: i / 10, t: (i % 10) as i64 })).collect();
    assert_eq!(got[0], want);
}

#[test]
fn only_selected_rows_are_found_and_counted() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(14);
    let dim = 16;
    let rows = points(&mut rng, 400, dim);
    for decode in [false, true] {
        let mut source = Memory::new(dim, &rows);
        source.decode = decode;
        for ranges in [
            vec![3..3, 5..6, 9..10, 100..320],
            vec![0..0, 400..400],
            (0..400).step_by(3).map(|i| i..i + 1).collect(),
        ] {
            let chosen: Vec<Row> =
                ranges.iter().flat_map(|r| rows[r.start as usize..r.end as usize].to_vec()).collect();
            let queries = queries(&mut rng, &rows, dim, Metric::L2);
            let parts = [Part { source: &source, rows: ranges }];
            let (answers, stats) = scan(&parts, &queries, Metric::L2, &Unwatched).unwrap();
            assert_eq!(stats.rows, chosen.len() as u64);
            assert_eq!(stats.bytes, (chosen.len() * dim * 4) as u64);
            for (q, hits) in queries.iter().zip(answers) {
                let got: Vec<(f64, Key)> = hits.iter().map(|h| (h.distance, h.key)).collect();
                assert_eq!(got, brute(&chosen, q, Metric::L2));
                assert!(hits.iter().all(|h| source.keys[h.row as usize] == h.key));
            }
        }
    }
}

#[test]
fn blocks_outside_every_window_are_not_read() {
    let rows: Vec<Row> =
        (0..10_000).map(|i| (Key { entity: 1, t: i64::from(i) }, vec![i as f32; 64])).collect();
    let source = Memory::new(64, &rows);
    let window = TimeRange::half_open(Some(5_000), Some(5_100));
    let q = Query { window, ..Query::nearest(vec![1.0; 64], 3) };
    let (answers, stats) = scan(&[Part::all(&source)], &[q], Metric::L2, &Unwatched).unwrap();
    assert_eq!(answers[0].iter().map(|h| h.key.t).collect::<Vec<_>>(), [5_000, 5_001, 5_002]);
    assert!(stats.rows < 3_000, "{stats:?}");
}

#[test]
fn alpha_one_gives_the_bits_of_the_plain_distance() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(15);
    let rows = points(&mut rng, 500, 20);
    let source = Memory::new(20, &rows);
    for metric in Metric::ALL {
        let plain = Query::nearest(rows[3].1.clone(), 20);
        let time = Composite::new(metric, 1.0, 0, 1.0, Decay::Exp, None).unwrap();
        let one = Query { time: Some(time), ..plain.clone() };
        let got = found(&[Part::all(&source)], &[plain, one], metric, 1);
        assert_eq!(got[0], got[1]);
    }
}

#[test]
fn the_filter_spares_most_exact_distances() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(16);
    let rows: Vec<Row> = (0..20_000)
        .map(|i| (Key { entity: i, t: 0 }, (0..32).map(|_| rng.random_range(-1.0f32..1.0)).collect()))
        .collect();
    let source = Memory::new(32, &rows);
    for metric in Metric::ALL {
        let query = Query::nearest(rows[7].1.clone(), 10);
        let (_, stats) = scan(&[Part::all(&source)], &[query], metric, &Unwatched).unwrap();
        // All of the first block, then about k ln(n / block).
        assert!(stats.rescored < 4_000, "{metric} {stats:?}");
    }
}

#[test]
fn bad_queries_are_refused() {
    let source = Memory::new(2, &[(Key { entity: 1, t: 1 }, vec![1.0, 0.0])]);
    let refuse = |v: Vec<f32>| {
        scan(&[Part::all(&source)], &[Query::nearest(v, 1)], Metric::L2, &Unwatched).unwrap_err()
    };
    assert_eq!(refuse(vec![1.0]).message(), "query vector has 1 values, the dataset has dimension 2");
    assert_eq!(refuse(vec![1.0, f32::NAN]).code(), crate::Code::Usage);
    let beyond = Part { source: &source, rows: vec![0..1, 1..2] };
    assert!(scan(&[beyond], &[Query::nearest(vec![1.0, 0.0], 1)], Metric::L2, &Unwatched).is_err());
    let (none, _) = scan(&[], &[Query::nearest(vec![1.0], 1)], Metric::L2, &Unwatched).unwrap();
    assert_eq!(none, [vec![]]);
}
