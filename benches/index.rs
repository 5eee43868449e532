//! The index: building a part, and one search by each path, on one thread.
//!
//! Rows are clustered trajectories of 64 dimensions; scripts/bench_peers.py measures whole
//! workloads beside other engines.

use criterion::{Criterion, criterion_group, criterion_main};
use cvx::error::{Error, Result};
use cvx::format::container::{Container, Expect, Finished, Kind, Writer};
use cvx::fsio::Bytes;
use cvx::index::{self, Check, Filter, Input, Options, Part, Path, Query, Stats};
use cvx::metric::Metric;
use cvx::model::{Key, TimeRange};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::hint::black_box;
use std::ops::Range;

const DIM: usize = 64;
const ROWS: usize = 20_000;
const VERSIONS: usize = 20;

/// Rows in the order of time: each entity drifts around one of fifty centres.
struct Drift(Vec<f32>);

impl Drift {
    fn new() -> Drift {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut values =
            |n: usize, scale: f32| -> Vec<f32> { (0..n).map(|_| rng.random_range(-scale..scale)).collect() };
        let (centres, entities) = (values(50 * DIM, 1.0), ROWS / VERSIONS);
        let mut x = values(ROWS * DIM, 0.1);
        let home = values(entities * DIM, 0.4);
        for row in 0..ROWS {
            let entity = row % entities;
            for i in 0..DIM {
                x[row * DIM + i] += home[entity * DIM + i] + centres[entity % 50 * DIM + i];
            }
        }
        Drift(x)
    }
}

impl Input for Drift {
    fn rows(&self) -> usize {
        ROWS
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn key(&self, row: usize) -> Key {
        Key { entity: (row % (ROWS / VERSIONS)) as u64, t: row as i64 }
    }

    fn vectors<'a>(&'a self, rows: Range<usize>, _: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        Ok(&self.0[rows.start * DIM..rows.end * DIM])
    }
}

fn built(data: &Drift) -> Result<Part> {
    let mut writer = Writer::in_memory(Kind::Index, [0; 16], 0)?;
    let options = Options { graph_from: 0, ..Options::new(Metric::Cosine) };
    index::build(data, &options, &mut writer)?;
    let (Finished::Memory(bytes), seal) = writer.finish()? else {
        return Err(Error::internal("a container in memory became a file"));
    };
    let expect = Expect { kind: Kind::Index, dataset: [0; 16], id: 0, seal };
    Part::from_container(Container::from_bytes(
        std::path::Path::new("memory"),
        Bytes::from_vec(&bytes),
        &expect,
    )?)
}

fn searches(c: &mut Criterion) {
    let data = Drift::new();
    let part = built(&data).expect("a part of generated rows");
    let mut reader = part.reader(Check::Whole).expect("its columns");
    let windows = [
        ("all", Filter::default()),
        ("tenth", Filter { range: TimeRange::closed(9_000, 11_000), ..Filter::default() }),
        ("asof", Filter { as_of: Some(15_000), ..Filter::default() }),
    ];
    for (name, filter) in windows {
        let eligible = reader.prepare(&filter).expect("a filter");
        for path in [Path::Scan, Path::Lists, Path::Graph] {
            let mut i = 0;
            c.bench_function(&format!("search {name} by {}", path.as_str()), |b| {
                b.iter(|| {
                    i = (i + 7919) % ROWS;
                    let vector = &data.0[i * DIM..(i + 1) * DIM];
                    let query = Query { force: Some(path), ..Query::nearest(vector, 10) };
                    black_box(reader.search(&query, &eligible, None, &mut Stats::default()).expect("hits"));
                });
            });
        }
    }
}

fn building(c: &mut Criterion) {
    let data = Drift::new();
    let mut group = c.benchmark_group("build");
    group.sample_size(10);
    group.bench_function("20000 x 64", |b| b.iter(|| black_box(built(&data).expect("a part"))));
    group.finish();
}

criterion_group!(benches, searches, building);
criterion_main!(benches);
