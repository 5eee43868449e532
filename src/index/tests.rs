//! The index against brute force.

use super::*;
use crate::error::{Code, Result};
use crate::format::container::{Container, Expect, Finished, Kind, Writer};
use crate::fsio::Bytes;
use crate::metric::Metric;
use crate::model::{self as cvx_model, Key, TimeRange};
use roaring::RoaringBitmap;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::LazyLock;

#[path = "../../benches/support/trajectories.rs"]
mod trajectories;
pub(super) use trajectories::{Data, normal};
use trajectories::{Shape, gaussian, generate};

impl Input for Data {
    fn rows(&self) -> usize {
        self.keys.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn key(&self, row: usize) -> Key {
        self.keys[row]
    }

    fn vectors<'a>(&'a self, rows: Range<usize>, _: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        Ok(&self.rows[rows.start * self.dim..rows.end * self.dim])
    }
}

fn built(data: &Data, options: &Options) -> (Vec<u8>, Expect) {
    let mut writer = Writer::in_memory(Kind::Index, [3; 16], 7).unwrap();
    build(data, options, &mut writer).unwrap();
    let (Finished::Memory(bytes), seal) = writer.finish().unwrap() else { panic!("not in memory") };
    (bytes, Expect { kind: Kind::Index, dataset: [3; 16], id: 7, seal })
}

fn open(bytes: &[u8], expect: &Expect) -> Result<Part> {
    Part::from_container(Container::from_bytes(FilePath::new("part"), Bytes::from_vec(bytes), expect)?)
}

pub(super) fn part(data: &Data, options: &Options) -> Part {
    let (bytes, expect) = built(data, options);
    open(&bytes, &expect).unwrap()
}

/// Near-duplicates: each entity's versions lie far closer together than different entities.
fn slow() -> Data {
    let shape =
        Shape { entities: 300, versions: 20, dim: 32, clusters: 12, step: 0.01, jump: 0.01, seed: 11 };
    generate(&shape, 40)
}

struct World {
    data: Data,
    part: Part,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let data = slow();
    let part = part(&data, &Options { graph_from: 0, ..Options::new(Metric::Cosine) });
    World { data, part }
});

/// The rows that a filter leaves, by its definition.
fn matching<'a>(data: &'a Data, filter: &'a Filter<'a>) -> impl Iterator<Item = usize> + 'a {
    let mut end = vec![i64::MAX; data.keys.len()];
    let mut last: HashMap<u64, usize> = HashMap::new();
    for (row, key) in data.keys.iter().enumerate() {
        if let Some(before) = last.insert(key.entity, row) {
            end[before] = key.t;
        }
    }
    let states: HashMap<u64, Option<u32>> = filter.states.iter().copied().collect();
    (0..data.keys.len()).filter(move |row| {
        let key = data.keys[*row];
        let valid = |at: i64| match states.get(&key.entity) {
            Some(state) => *state == Some(*row as u32),
            None => key.t <= at && at < end[*row],
        };
        filter.range.contains(key.t)
            && filter.as_of.is_none_or(valid)
            && filter.allowed.is_none_or(|a| a.contains(*row as u32))
            && !filter.deleted.is_some_and(|d| d.contains(*row as u32))
            && !filter.excluded.contains(&key.entity)
    })
}

/// Brute force: (score, row) of all rows that match, best first.
pub(super) fn truth(
    data: &Data,
    metric: Metric,
    query: &Query<'_>,
    filter: &Filter<'_>,
) -> Vec<(f64, usize)> {
    let mut all: Vec<(f64, usize)> = matching(data, filter)
        .filter_map(|row| {
            let distance = metric.exact(query.vector, &data.rows[row * data.dim..(row + 1) * data.dim])?;
            if query.radius.is_some_and(|r| distance > r) {
                return None;
            }
            Some((query.composite.map_or(distance, |c| c.score(distance, data.keys[row].t)), row))
        })
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    if query.per_entity {
        let mut seen = std::collections::HashSet::new();
        all.retain(|(_, row)| seen.insert(data.keys[*row].entity));
    }
    all.truncate(query.k);
    all
}

/// Mean recall over the data's queries, judged by score; every hit must match and be exact.
fn recall<'f>(
    data: &Data,
    part: &Part,
    shape: impl Fn(&mut Query<'_>),
    filter: impl Fn(usize) -> Filter<'f>,
) -> f64 {
    let mut reader = part.reader(Check::Whole).unwrap();
    let (mut found, mut wanted) = (0, 0);
    for (i, vector) in data.queries.chunks_exact(data.dim).enumerate() {
        let (mut query, filter) = (Query::nearest(vector, 10), filter(i));
        shape(&mut query);
        let eligible = reader.prepare(&filter).unwrap();
        let hits = reader.search(&query, &eligible, None, &mut Stats::default()).unwrap();
        let want = truth(data, part.metric(), &query, &filter);
        let valid: std::collections::HashSet<usize> = matching(data, &filter).collect();
        for hit in &hits {
            let row = hit.row as usize;
            assert!(valid.contains(&row), "row {row} does not match");
            let exact = part.metric().exact(vector, &data.rows[row * data.dim..(row + 1) * data.dim]);
            assert_eq!(Some(hit.distance), exact);
            assert_eq!(reader.key(hit.row).unwrap(), data.keys[row]);
        }
        assert!(hits.is_sorted_by(|a, b| a.score <= b.score));
        assert!(hits.len() <= want.len());
        if let Some((worst, _)) = want.last() {
            found += hits.iter().filter(|h| h.score <= worst + 1e-9).count();
        }
        wanted += want.len();
    }
    assert!(wanted > 0);
    found as f64 / wanted as f64
}

fn window(data: &Data, i: usize, share: f64) -> Filter<'static> {
    let n = data.keys.len();
    let width = (n as f64 * share) as usize;
    let start = (n - width) * (i % 7) / 7;
    let range = TimeRange::closed(data.keys[start].t, data.keys[start + width - 1].t);
    Filter { range, ..Filter::default() }
}

#[test]
fn near_duplicates_are_found_by_every_path() {
    let World { data, part } = &*WORLD;
    for path in [None, Some(Path::Scan), Some(Path::Lists), Some(Path::Graph)] {
        let r = recall(data, part, |q| q.force = path, |_| Filter::default());
        assert!(r >= 0.95, "{path:?}: {r}");
    }
}

#[test]
fn a_graph_without_codes_is_walked_too() {
    let World { data, .. } = &*WORLD;
    let plain = Options { graph_from: 0, neighbour_codes: false, ..Options::new(Metric::Cosine) };
    let part = part(data, &plain);
    assert_eq!(part.head().graph, layout::GraphKind::Plain);
    for share in [0.5, 1.0] {
        let walk = |q: &mut Query<'_>| q.force = Some(Path::Graph);
        let r = recall(data, &part, walk, |i| window(data, i, share));
        assert!(r >= 0.95, "{share}: {r}");
    }
}

#[test]
fn windows_and_instants_are_found() {
    let World { data, part } = &*WORLD;
    for share in [0.001, 0.01, 0.1, 0.5] {
        for path in [None, Some(Path::Lists)] {
            let r = recall(data, part, |q| q.force = path, |i| window(data, i, share));
            assert!(r >= 0.95, "{share} {path:?}: {r}");
        }
    }
    for path in [None, Some(Path::Scan), Some(Path::Listed), Some(Path::Lists)] {
        let at = |i: usize| data.keys[data.keys.len() * (i % 9 + 1) / 10].t;
        let r =
            recall(data, part, |q| q.force = path, |i| Filter { as_of: Some(at(i)), ..Filter::default() });
        assert!(r >= 0.95, "as of, {path:?}: {r}");
    }
}

/// Share of the graph's edges that lead to another entity.
fn outward(data: &Data, part: &Part) -> f64 {
    let reader = part.reader(Check::Whole).unwrap();
    let (mut out, mut all) = (0, 0);
    for (row, key) in data.keys.iter().enumerate() {
        for next in reader.view().links.of(row as u32).unwrap() {
            out += usize::from(data.keys[*next as usize].entity != key.entity);
            all += 1;
        }
    }
    f64::from(out as u32) / f64::from(all as u32)
}

#[test]
fn without_the_entity_cap_versions_fill_each_others_lists() {
    let shape = Shape { entities: 30, versions: 160, dim: 32, clusters: 4, step: 0.003, jump: 0.0, seed: 12 };
    let data = generate(&shape, 40);
    let edges_with = |per_entity: usize| {
        // With neighbour codes free slots are filled with what is nearest.
        let pruned = Options { neighbour_codes: false, ..Options::new(Metric::Cosine) };
        let options = Options { graph_from: 0, per_entity, ..pruned };
        outward(&data, &part(&data, &options))
    };
    let (with, without) = (edges_with(2), edges_with(usize::MAX));
    assert!(with > 0.02 && without < with / 3.0, "with {with}, without {without}");
}

#[test]
fn filters_hold() {
    let World { data, part } = &*WORLD;
    let n = data.keys.len() as u32;
    let allowed: RoaringBitmap = (0..n).filter(|row| row % 3 == 0).collect();
    let few: RoaringBitmap = (0..n).filter(|row| row % 97 == 0).collect();
    let deleted: RoaringBitmap = (0..n).filter(|row| row % 5 < 2).collect();
    let excluded: Vec<u64> = (0..100).collect();
    let all = Filter::default();
    for (name, filter) in [
        ("allowed", Filter { allowed: Some(&allowed), ..all }),
        ("few", Filter { allowed: Some(&few), ..all }),
        ("deleted", Filter { deleted: Some(&deleted), ..all }),
        ("excluded", Filter { excluded: &excluded, ..all }),
        ("both", Filter { allowed: Some(&allowed), deleted: Some(&deleted), ..all }),
        ("none", Filter { range: TimeRange::closed(-5, -1), ..all }),
    ] {
        if name == "none" {
            let reader = part.reader(Check::Lazy).unwrap();
            assert_eq!(reader.prepare(&filter).unwrap().window(), 0);
            continue;
        }
        let r = recall(data, part, |_| (), |_| filter);
        assert!(r >= 0.95, "{name}: {r}");
    }
}

#[test]
fn states_that_are_known_otherwise() {
    let World { data, part } = &*WORLD;
    let at = data.keys[data.keys.len() / 2].t;
    let reader = part.reader(Check::Lazy).unwrap();
    // Of every third entity the state is elsewhere, of every fifth it is the point before.
    let states: Vec<(u64, Option<u32>)> = (0..300)
        .filter(|e| e % 3 == 0 || e % 5 == 0)
        .map(|e| (e, reader.rows_until(e, at).unwrap().iter().rev().nth(1).copied().filter(|_| e % 3 != 0)))
        .collect();
    assert!(states.iter().any(|s| s.1.is_some()));
    let filter = Filter { as_of: Some(at), states: &states, ..Filter::default() };
    for path in [None, Some(Path::Listed), Some(Path::Lists), Some(Path::Graph)] {
        let r = recall(data, part, |q| q.force = path, |_| filter);
        assert!(r >= 0.95, "{path:?}: {r}");
    }
}

#[test]
fn a_radius_finds_everything_inside() {
    let World { data, part } = &*WORLD;
    for path in [None, Some(Path::Scan), Some(Path::Lists)] {
        for radius in [0.1, 0.3, 0.6] {
            let ball = |q: &mut Query<'_>| (q.radius, q.k, q.force) = (Some(radius), 100_000, path);
            let r = recall(data, part, ball, |i| window(data, i, 0.4));
            assert!(r >= 0.999, "{radius} {path:?}: {r}");
        }
    }
}

#[test]
fn one_row_of_an_entity() {
    let World { data, part } = &*WORLD;
    for path in [None, Some(Path::Lists)] {
        let best = |q: &mut Query<'_>| (q.per_entity, q.force) = (true, path);
        let r = recall(data, part, best, |_| Filter::default());
        assert!(r >= 0.95, "{path:?}: {r}");
    }
}

#[test]
fn time_in_the_ranking() {
    let World { data, part } = &*WORLD;
    let at = data.keys[data.keys.len() / 3].t;
    let of_time = |t: i64| 1.0 - (-((t - at).abs() as f64) / 1e13).exp2();
    let of_distance = |d: f64| d;
    for alpha in [0.0, 0.3, 0.9, 0.99] {
        let time = Composite { alpha, at, of_distance: &of_distance, of_time: &of_time };
        let mut reader = part.reader(Check::Whole).unwrap();
        let eligible = reader.prepare(&Filter::default()).unwrap();
        let (mut found, mut wanted) = (0, 0);
        for vector in data.queries.chunks_exact(data.dim) {
            let query = Query { composite: Some(time), ..Query::nearest(vector, 10) };
            let hits = reader.search(&query, &eligible, None, &mut Stats::default()).unwrap();
            let want = truth(data, Metric::Cosine, &query, &Filter::default());
            wanted += want.len();
            found += hits.iter().filter(|h| h.score <= want[9].0 + 1e-9).count();
        }
        assert!(found * 100 >= wanted * 95, "alpha {alpha}: {found} of {wanted}");
    }
}

#[test]
fn alpha_one_is_the_plain_search() {
    let World { data, part } = &*WORLD;
    let nothing = |_: i64| 1.0;
    let of_distance = |d: f64| d / 2.0;
    let time = Composite { alpha: 1.0, at: 0, of_distance: &of_distance, of_time: &nothing };
    let mut reader = part.reader(Check::Whole).unwrap();
    let eligible = reader.prepare(&Filter::default()).unwrap();
    for vector in data.queries.chunks_exact(data.dim) {
        let plain = Query::nearest(vector, 10);
        let weighted = Query { composite: Some(time), ..plain };
        let mut ask = |q: &Query<'_>| reader.search(q, &eligible, None, &mut Stats::default()).unwrap();
        assert_eq!(ask(&plain), ask(&weighted));
    }
}

#[test]
fn every_metric() {
    let mut data = slow();
    for (i, x) in data.rows.chunks_exact_mut(32).enumerate() {
        let scale = 1.0 + (i % 50) as f32 / 25.0;
        x.iter_mut().for_each(|v| *v *= 40.0 * scale);
    }
    data.queries.iter_mut().for_each(|v| *v *= 55.0);
    for metric in [Metric::L2, Metric::Dot] {
        let part = part(&data, &Options { graph_from: 0, ..Options::new(metric) });
        for path in [None, Some(Path::Lists), Some(Path::Graph)] {
            let r = recall(&data, &part, |q| q.force = path, |_| Filter::default());
            assert!(r >= 0.95, "{metric} {path:?}: {r}");
        }
    }
}

#[test]
fn zero_vectors_are_nobodys_neighbours() {
    let mut data = slow();
    for row in (0..data.keys.len()).step_by(4) {
        data.rows[row * 32..(row + 1) * 32].fill(0.0);
    }
    let part = part(&data, &Options { graph_from: 0, ..Options::new(Metric::Cosine) });
    for path in [None, Some(Path::Scan), Some(Path::Lists), Some(Path::Graph)] {
        let r = recall(&data, &part, |q| q.force = path, |_| Filter::default());
        assert!(r >= 0.95, "{path:?}: {r}");
    }
    let mut reader = part.reader(Check::Lazy).unwrap();
    let eligible = reader.prepare(&Filter::default()).unwrap();
    let zero = Query::nearest(&[0.0; 32], 10);
    assert!(reader.search(&zero, &eligible, None, &mut Stats::default()).unwrap().is_empty());
}

#[test]
fn gaussian_rows_need_more_lists_but_are_found() {
    let data = gaussian(5000, 16, 30, 5);
    let part = part(&data, &Options::new(Metric::L2));
    let r = recall(&data, &part, |q| q.force = Some(Path::Lists), |_| Filter::default());
    assert!(r >= 0.93, "{r}");
}

#[test]
fn small_parts_are_scanned() {
    for n in [0, 1, 33] {
        let mut data = gaussian(n.max(1), 3, 4, 6);
        data.keys.truncate(n);
        data.rows.truncate(n * 3);
        let part = part(&data, &Options::new(Metric::Cosine));
        part.verify().unwrap();
        let mut reader = part.reader(Check::Lazy).unwrap();
        let eligible = reader.prepare(&Filter::default()).unwrap();
        let hits = reader
            .search(&Query::nearest(&data.queries[..3], 50), &eligible, None, &mut Stats::default())
            .unwrap();
        assert_eq!(hits.len(), n);
    }
}

#[test]
fn the_graph_can_be_reached_from_its_entry() {
    let World { part, .. } = &*WORLD;
    let reader = part.reader(Check::Whole).unwrap();
    let view = reader.view();
    let mut seen = vec![false; view.rows];
    let mut open = vec![0u32];
    seen[0] = true;
    while let Some(row) = open.pop() {
        for next in view.links.of(row).unwrap() {
            if !std::mem::replace(&mut seen[*next as usize], true) {
                open.push(*next);
            }
        }
    }
    assert!(seen.iter().all(|s| *s));
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let shape = Shape { entities: 210, versions: 20, dim: 16, clusters: 8, step: 0.05, jump: 0.01, seed: 3 };
    let data = generate(&shape, 1);
    let options = Options { graph_from: 0, ..Options::new(Metric::Cosine) };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| built(&data, &options).0)
    };
    assert!(with(1) == with(3));
}

#[test]
fn lazy_and_whole_reading_answer_alike() {
    let World { data, part } = &*WORLD;
    let (mut lazy, mut whole) = (part.reader(Check::Lazy).unwrap(), part.reader(Check::Whole).unwrap());
    let eligible = lazy.prepare(&Filter::default()).unwrap();
    for vector in data.queries.chunks_exact(data.dim) {
        for path in [Path::Scan, Path::Lists, Path::Graph] {
            let query = Query { force: Some(path), ..Query::nearest(vector, 5) };
            let a = lazy.search(&query, &eligible, None, &mut Stats::default()).unwrap();
            assert_eq!(a, whole.search(&query, &eligible, None, &mut Stats::default()).unwrap());
        }
    }
}

#[test]
fn keys_are_found() {
    let World { data, part } = &*WORLD;
    let reader = part.reader(Check::Lazy).unwrap();
    for (row, key) in data.keys.iter().enumerate().step_by(101) {
        assert_eq!(reader.row(*key).unwrap(), Some(row as u32));
        assert_eq!(reader.row(Key { t: key.t + 1, ..*key }).unwrap(), None);
        assert_eq!(reader.row(Key { entity: 1 << 40, ..*key }).unwrap(), None);
        let until = reader.rows_until(key.entity, key.t).unwrap();
        let own = |r: &usize| data.keys[*r].entity == key.entity;
        assert!((0..=row).filter(own).eq(until.iter().map(|r| *r as usize)));
    }
}

/// Every damaged byte is an error, never a panic and never another answer.
#[test]
fn damage_is_found() {
    let shape = Shape { entities: 210, versions: 20, dim: 16, clusters: 8, step: 0.05, jump: 0.01, seed: 4 };
    let data = generate(&shape, 3);
    let (bytes, expect) = built(&data, &Options { graph_from: 0, ..Options::new(Metric::Cosine) });
    let mut bad = bytes.clone();
    for i in (0..bytes.len()).step_by(bytes.len() / 150) {
        bad[i] ^= 1 << (i % 8);
        let code = open(&bad, &expect).and_then(|part| part.verify()).unwrap_err().code();
        assert!(matches!(code, Code::Damaged | Code::Version), "byte {i}: {code:?}");
        bad[i] = bytes[i];
    }
    for n in (0..bytes.len()).step_by(bytes.len() / 50) {
        assert!(open(&bytes[..n], &expect).is_err());
    }
}
