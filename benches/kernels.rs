//! Distance kernels at D = 768 and 384: a pair, one against many, many against many, from each
//! level of the memory, beside the arithmetic peak and a library's matrix product.
//!
//! `cargo bench --bench kernels`; results are kept in benches/record/kernels.md. Times are
//! processor time, rates are pairs a second.

mod support;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use cvx::simd;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2};
use pulp::{Arch, Simd, WithSimd};
use std::hint::black_box;
use support::{CpuTime, pairs, vectors};

type Group<'a> = BenchmarkGroup<'a, CpuTime>;

/// Rows that are compared at a time, as a scan does.
const BLOCK: usize = 96;

/// Rows of a block for so many queries, as the scan chooses them.
fn block(n_queries: usize, dim: usize) -> usize {
    if n_queries == 1 { (4 << 20) / (4 * dim) } else { BLOCK }
}

/// Where the rows lie, and how many bytes of them there are.
const LEVELS: [(&str, usize); 3] = [("L1", 24 << 10), ("L2", 512 << 10), ("RAM", 256 << 20)];

/// Multiply-adds with nothing to load: what the processor can do at most.
struct Peak {
    registers: usize,
}

/// Sums that are independent of one another, enough to hide the latency.
const CHAINS: usize = 12;

impl WithSimd for Peak {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (a, b) = (simd.splat_f32s(black_box(1.0)), simd.splat_f32s(black_box(1e-9)));
        let mut acc = [simd.splat_f32s(0.0); CHAINS];
        for _ in 0..self.registers / CHAINS {
            for acc in &mut acc {
                *acc = simd.mul_add_e_f32s(a, b, *acc);
            }
        }
        acc.iter().map(|a| simd.reduce_sum_f32s(*a)).sum()
    }
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// The peak as pairs a second: the multiply-adds of 1,000 dot products.
fn peak(g: &mut Group<'_>, dim: usize) {
    let arch = Arch::new();
    let registers = 1000 * dim / arch.dispatch(Lanes);
    g.throughput(pairs(1000));
    g.bench_function("peak", |b| b.iter(|| arch.dispatch(Peak { registers })));
}

fn one_pair(g: &mut Group<'_>, dim: usize) {
    let (a, b) = (vectors(1, 1, dim), vectors(2, 1, dim));
    g.throughput(pairs(1));
    g.bench_function("pair/dot", |bench| bench.iter(|| simd::dot(black_box(&a), black_box(&b))));
    g.bench_function("pair/l2", |bench| bench.iter(|| simd::l2_squared(black_box(&a), black_box(&b))));
    g.bench_function("pair/exact", |bench| bench.iter(|| simd::wide::dot(black_box(&a), black_box(&b))));
}

/// `dot_block` over all rows, block by block; inverse norms applied, as cosine needs.
fn cosine(queries: &[f32], rows: &[f32], inverse: &[f32], dim: usize, out: &mut [f32]) {
    let n_queries = queries.len() / dim;
    let block = block(n_queries, dim);
    for (rows, inverse) in rows.chunks(block * dim).zip(inverse.chunks(block)) {
        let out = &mut out[..n_queries * inverse.len()];
        simd::dot_block(queries, rows, dim, out);
        for out in out.chunks_mut(inverse.len()) {
            out.iter_mut().zip(inverse).for_each(|(s, i)| *s *= i);
        }
        black_box(&out);
    }
}

fn against_many(g: &mut Group<'_>, dim: usize, n_queries: usize) {
    let queries = vectors(3, n_queries, dim);
    let block = block(n_queries, dim);
    let mut out = vec![0.0f32; n_queries * block];
    for (level, bytes) in LEVELS {
        let n_rows = bytes / (4 * dim);
        let rows = vectors(4, n_rows, dim);
        let inverse: Vec<f32> = rows.chunks(dim).map(simd::inverse_norm).collect();
        g.throughput(pairs(n_queries * n_rows));
        g.bench_function(format!("{n_queries}/cosine/{level}"), |b| {
            b.iter(|| cosine(&queries, black_box(&rows), &inverse, dim, &mut out));
        });
        if n_queries > 1 {
            g.bench_function(format!("{n_queries}/ndarray/{level}"), |b| {
                b.iter(|| library(&queries, black_box(&rows), dim));
            });
        }
        if n_queries == 1 {
            g.bench_function(format!("{n_queries}/read/{level}"), |b| b.iter(|| read(black_box(&rows))));
            g.bench_function(format!("{n_queries}/l2/{level}"), |b| {
                b.iter(|| {
                    for rows in rows.chunks(block * dim) {
                        simd::l2_squared_block(&queries, rows, dim, &mut out[..rows.len() / dim]);
                        black_box(&out);
                    }
                });
            });
        }
    }
}

/// The same products by ndarray, whose kernel is the crate matrixmultiply; without the norms.
fn library(queries: &[f32], rows: &[f32], dim: usize) {
    let q = ArrayView2::from_shape((queries.len() / dim, dim), queries).unwrap();
    for rows in rows.chunks(BLOCK * dim) {
        let rows = ArrayView2::from_shape((rows.len() / dim, dim), rows).unwrap();
        let mut out = Array2::<f32>::zeros((q.nrows(), rows.nrows()));
        general_mat_mul(1.0, &q, &rows.t(), 0.0, &mut out);
        black_box(&out);
    }
}

/// Reads every byte once and adds it up: what the memory level allows.
fn read(rows: &[f32]) -> f32 {
    struct Read<'a>(&'a [f32]);
    impl WithSimd for Read<'_> {
        type Output = f32;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            let (body, _) = S::as_simd_f32s(self.0);
            let (chunks, _) = body.as_chunks::<8>();
            let mut acc = [simd.splat_f32s(0.0); 8];
            for chunk in chunks {
                for i in 0..8 {
                    acc[i] = simd.add_f32s(acc[i], chunk[i]);
                }
            }
            acc.iter().map(|a| simd.reduce_sum_f32s(*a)).sum()
        }
    }
    Arch::new().dispatch(Read(rows))
}

fn kernels(c: &mut Criterion<CpuTime>) {
    for dim in [768, 384] {
        let mut g = c.benchmark_group(format!("D{dim}"));
        peak(&mut g, dim);
        one_pair(&mut g, dim);
        for n_queries in [1, 48, 96] {
            against_many(&mut g, dim, n_queries);
        }
        g.finish();
    }
}

fn config() -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(15)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(1200))
        .without_plots()
}

criterion_group!(name = benches; config = config(); targets = kernels);
criterion_main!(benches);
