//! Many against many: tiles of M queries x N rows whose sums stay in registers.
//!
//! Each register of a vector that is loaded serves N (or M) multiply-adds, which lifts the
//! ceiling of two loads a multiply-add. Rows are the outer loop: a strip of [`STRIP`] rows stays in the
//! L1 cache while all queries pass over it, so rows come from memory once.

use super::kernel::Kernel;
use pulp::{Arch, Simd, WithSimd};
use std::marker::PhantomData;

/// Rows that are taken together: the width of the widest tile.
const STRIP: usize = 8;

/// Registers that one chain of additions takes in before it is added to the total: short
/// chains round less, which counts where registers are narrow.
const RUN: usize = 128;

/// The most roundings that a term meets in a sum over `registers` whole or partial registers,
/// before the lanes are added up.
pub fn roundings(registers: usize) -> usize {
    registers.min(RUN + 1) + registers.div_ceil(RUN)
}

/// The kernel `K` of every query with every row; shapes as in [`super::dot_block`].
pub fn run<K: Kernel>(arch: Arch, queries: &[f32], rows: &[f32], dim: usize, out: &mut [f32]) {
    arch.dispatch(Block::<K>::new(queries, rows, dim, out));
}

/// The operation, to be run with `Simd::vectorize`.
pub struct Block<'a, K> {
    queries: &'a [f32],
    rows: &'a [f32],
    dim: usize,
    out: &'a mut [f32],
    kernel: PhantomData<K>,
}

impl<'a, K> Block<'a, K> {
    /// Checks the shapes.
    pub fn new(queries: &'a [f32], rows: &'a [f32], dim: usize, out: &'a mut [f32]) -> Self {
        assert!(dim > 0, "dimension 0");
        assert_eq!(queries.len() % dim, 0, "a query of another dimension");
        assert_eq!(rows.len() % dim, 0, "a row of another dimension");
        assert_eq!(out.len(), (queries.len() / dim) * (rows.len() / dim), "room for the results");
        Block { queries, rows, dim, out, kernel: PhantomData }
    }
}

impl<K: Kernel> WithSimd for Block<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Block { queries, rows, dim, out, .. } = self;
        let n_rows = rows.len() / dim;
        for (s, strip) in rows.chunks(STRIP * dim).enumerate() {
            let at = s * STRIP;
            if strip.len() == STRIP * dim {
                full_strip::<S, K>(simd, queries, strip, dim, &mut out[at..], n_rows);
            } else {
                short_strip::<S, K>(simd, queries, strip, dim, &mut out[at..], n_rows);
            }
        }
    }
}

/// All queries against [`STRIP`] rows; query `q` writes to `out[q * stride..]`.
#[inline(always)]
fn full_strip<S: Simd, K: Kernel>(
    simd: S,
    queries: &[f32],
    strip: &[f32],
    dim: usize,
    out: &mut [f32],
    stride: usize,
) {
    let x: [&[f32]; STRIP] = row_array(strip, dim);
    let pairs = queries.chunks_exact(2 * dim);
    let last = pairs.remainder();
    let mut at = 0;
    for pair in pairs {
        let q: [&[f32]; 2] = row_array(pair, dim);
        // 16 registers hold 2x4 sums beside the loaded values, 32 hold 2x8.
        let sums = if S::REGISTER_COUNT >= 32 {
            tile::<S, K, 2, STRIP>(simd, q, x)
        } else {
            let low = tile::<S, K, 2, 4>(simd, q, [x[0], x[1], x[2], x[3]]);
            let high = tile::<S, K, 2, 4>(simd, q, [x[4], x[5], x[6], x[7]]);
            [0, 1].map(|m| {
                [low[m][0], low[m][1], low[m][2], low[m][3], high[m][0], high[m][1], high[m][2], high[m][3]]
            })
        };
        out[at..at + STRIP].copy_from_slice(&sums[0]);
        out[at + stride..at + stride + STRIP].copy_from_slice(&sums[1]);
        at += 2 * stride;
    }
    if !last.is_empty() {
        let [sums] = tile::<S, K, 1, STRIP>(simd, [last], x);
        out[at..at + STRIP].copy_from_slice(&sums);
    }
}

/// All queries against fewer than [`STRIP`] rows.
#[inline(always)]
fn short_strip<S: Simd, K: Kernel>(
    simd: S,
    queries: &[f32],
    strip: &[f32],
    dim: usize,
    out: &mut [f32],
    stride: usize,
) {
    for (q, query) in queries.chunks_exact(dim).enumerate() {
        for (r, row) in strip.chunks_exact(dim).enumerate() {
            out[q * stride + r] = tile::<S, K, 1, 1>(simd, [query], [row])[0][0];
        }
    }
}

/// The first N rows of a row-major matrix.
#[inline(always)]
fn row_array<const N: usize>(matrix: &[f32], dim: usize) -> [&[f32]; N] {
    let mut rows: [&[f32]; N] = [&[]; N];
    for (n, row) in rows.iter_mut().enumerate() {
        *row = &matrix[n * dim..(n + 1) * dim];
    }
    rows
}

/// The sums of M queries x N rows, all of one length.
#[inline(always)]
fn tile<S: Simd, K: Kernel, const M: usize, const N: usize>(
    simd: S,
    q: [&[f32]; M],
    x: [&[f32]; N],
) -> [[f32; N]; M] {
    let (q, q_tail) = split::<S, M>(q);
    let (x, x_tail) = split::<S, N>(x);
    let len = q[0].len();
    let mut acc = run_sums::<S, K, M, N>(simd, &q, &x, 0, len.min(RUN));
    for start in (RUN..len).step_by(RUN) {
        let more = run_sums::<S, K, M, N>(simd, &q, &x, start, len.min(start + RUN));
        for m in 0..M {
            for n in 0..N {
                acc[m][n] = simd.add_f32s(acc[m][n], more[m][n]);
            }
        }
    }
    if !q_tail[0].is_empty() {
        for m in 0..M {
            let qi = simd.partial_load_f32s(q_tail[m]);
            for n in 0..N {
                acc[m][n] = K::step(simd, qi, simd.partial_load_f32s(x_tail[n]), acc[m][n]);
            }
        }
    }
    let mut sums = [[0.0; N]; M];
    for m in 0..M {
        for n in 0..N {
            sums[m][n] = simd.reduce_sum_f32s(acc[m][n]);
        }
    }
    sums
}

/// One run of registers of a tile.
#[inline(always)]
fn run_sums<S: Simd, K: Kernel, const M: usize, const N: usize>(
    simd: S,
    q: &[&[S::f32s]; M],
    x: &[&[S::f32s]; N],
    start: usize,
    end: usize,
) -> [[S::f32s; N]; M] {
    let (mut q, mut x) = (*q, *x);
    for q in &mut q {
        *q = &q[start..end];
    }
    for x in &mut x {
        *x = &x[start..end];
    }
    let mut acc = [[simd.splat_f32s(0.0); N]; M];
    for i in 0..end - start {
        let mut xi = [simd.splat_f32s(0.0); N];
        for n in 0..N {
            xi[n] = x[n][i];
        }
        for m in 0..M {
            let qi = q[m][i];
            for n in 0..N {
                acc[m][n] = K::step(simd, qi, xi[n], acc[m][n]);
            }
        }
    }
    acc
}

/// Whole registers and the tail of each vector, all of the length of the first.
#[inline(always)]
fn split<S: Simd, const N: usize>(vectors: [&[f32]; N]) -> ([&[S::f32s]; N], [&[f32]; N]) {
    let (first, first_tail) = S::as_simd_f32s(vectors[0]);
    let (mut body, mut tail) = ([first; N], [first_tail; N]);
    for n in 1..N {
        let (b, t) = S::as_simd_f32s(vectors[n]);
        body[n] = &b[..first.len()];
        tail[n] = &t[..first_tail.len()];
    }
    (body, tail)
}
