//! The exact scan over 1,000,000 x 384 in memory (1.5 GB), beside reading the bytes once.
//!
//! `cargo bench --bench scan`; results are kept in benches/record/kernels.md. One thread, and
//! processor time.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use cvx::error::Result;
use cvx::metric::Metric;
use cvx::model::{Key, VectorSource};
use cvx::query::{Part, Query, scan};
use cvx::simd;
use rayon::ThreadPoolBuilder;
use std::hint::black_box;
use std::ops::Range;
use support::{CpuTime, pairs, vectors};

const ROWS: usize = 1_000_000;
const DIM: usize = 384;

struct Memory {
    vectors: Vec<f32>,
    inverse_norms: Vec<f32>,
}

impl VectorSource for Memory {
    fn rows(&self) -> usize {
        ROWS
    }

    fn dim(&self) -> usize {
        DIM
    }

    fn vectors<'a>(&'a self, rows: Range<usize>, _: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        Ok(&self.vectors[rows.start * DIM..rows.end * DIM])
    }

    fn inverse_norms(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        out.extend_from_slice(&self.inverse_norms[rows]);
        Ok(())
    }

    fn key(&self, row: usize) -> Key {
        Key { entity: row as u64 / 100, t: row as i64 % 100 }
    }
}

/// Adds up all values in independent sums, which the compiler turns into plain vector code.
fn read(values: &[f32]) -> f32 {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut acc = [0.0f32; 64];
            for chunk in values.as_chunks::<64>().0 {
                for i in 0..64 {
                    acc[i] += chunk[i];
                }
            }
            acc.iter().sum()
        },
    )
}

fn scans(c: &mut Criterion<CpuTime>) {
    let rows = vectors(7, ROWS, DIM);
    let inverse_norms = rows.chunks(DIM).map(simd::inverse_norm).collect();
    let source = Memory { vectors: rows, inverse_norms };
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut g = c.benchmark_group("scan1Mx384");
    g.throughput(pairs(ROWS));
    g.bench_function("read", |b| b.iter(|| read(black_box(&source.vectors))));
    for (name, metric, n) in [
        ("cosine/1", Metric::Cosine, 1),
        ("l2/1", Metric::L2, 1),
        ("dot/1", Metric::Dot, 1),
        ("cosine/100", Metric::Cosine, 100),
        ("l2/100", Metric::L2, 100),
    ] {
        let queries: Vec<Query> =
            vectors(8, n, DIM).chunks(DIM).map(|v| Query::nearest(v.to_vec(), 10)).collect();
        g.throughput(pairs(ROWS * n));
        g.bench_function(name, |b| {
            b.iter(|| {
                pool.install(|| scan(&[Part::all(&source)], &queries, metric, &cvx::watch::Unwatched))
                    .unwrap()
            });
        });
    }
    g.finish();
}

fn config() -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(5))
        .without_plots()
}

criterion_group!(name = benches; config = config(); targets = scans);
criterion_main!(benches);
