//! Many against many: tiles of M queries x N rows whose sums stay in registers.
//!
//! Each register of a vector that is loaded serves N (or M) multiply-adds, which lifts the
//! ceiling of two loads a multiply-add. Rows are the outer loop: a strip of N rows stays in the
//! L1 cache while all queries pass over it, so rows come from memory once. A single query over
//! more rows than the caches hold takes them one after the other: memory is read fastest in
//! one sequence.

use super::kernel::Kernel;
use super::pair::{Pair, STREAM_CHAINS};
use pulp::{Arch, Simd, WithSimd};
use std::marker::PhantomData;

/// Registers that one chain of additions takes in before it is added to the total: short
/// chains round less, which counts where registers are narrow.
const RUN: usize = 128;

/// Rows of more bytes than this come from beyond the L2 cache.
pub const STREAM_BYTES: usize = 1 << 20;

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
        // A multiply-add takes four cycles and two start in each, so eight sums at least. 16
        // registers hold 2x6 of them beside two queries and a row, 32 hold 2x8.
        if self.queries.len() == self.dim && size_of_val(self.rows) > STREAM_BYTES {
            self.stream(simd);
        } else if self.queries.len() == self.dim {
            self.strips::<S, 1, 8>(simd);
        } else if S::REGISTER_COUNT >= 32 {
            self.strips::<S, 2, 8>(simd);
        } else {
            self.strips::<S, 2, 6>(simd);
        }
    }
}

impl<K: Kernel> Block<'_, K> {
    /// One query, row by row.
    #[inline(always)]
    fn stream<S: Simd>(self, simd: S) {
        for (out, row) in self.out.iter_mut().zip(self.rows.chunks_exact(self.dim)) {
            let pair = Pair::<K, STREAM_CHAINS> { a: self.queries, b: row, kernel: PhantomData };
            *out = simd.vectorize(pair);
        }
    }

    /// Goes over the rows in strips of N, and for each over the queries by M.
    #[inline(always)]
    fn strips<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let Block { queries, rows, dim, out, .. } = self;
        let stride = rows.len() / dim;
        for (s, strip) in rows.chunks(N * dim).enumerate() {
            let out = &mut out[s * N..];
            if strip.len() == N * dim {
                strip_sums::<S, K, M, N>(simd, queries, row_array(strip, dim), out, stride);
            } else {
                for (r, row) in strip.chunks_exact(dim).enumerate() {
                    strip_sums::<S, K, M, 1>(simd, queries, [row], &mut out[r..], stride);
                }
            }
        }
    }
}

/// All queries against N rows; query `q` writes to `out[q * stride..]`.
#[inline(always)]
fn strip_sums<S: Simd, K: Kernel, const M: usize, const N: usize>(
    simd: S,
    queries: &[f32],
    x: [&[f32]; N],
    out: &mut [f32],
    stride: usize,
) {
    let dim = x[0].len();
    let tiles = queries.chunks_exact(M * dim);
    let rest = tiles.remainder();
    let mut at = 0;
    for q in tiles {
        tile::<S, K, M, N>(simd, row_array(q, dim), x, &mut out[at..], stride);
        at += M * stride;
    }
    for q in rest.chunks_exact(dim) {
        tile::<S, K, 1, N>(simd, [q], x, &mut out[at..], stride);
        at += stride;
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

/// The sums of M queries x N rows, all of one length; query `m` writes to `out[m * stride..]`.
#[inline(always)]
fn tile<S: Simd, K: Kernel, const M: usize, const N: usize>(
    simd: S,
    q: [&[f32]; M],
    x: [&[f32]; N],
    out: &mut [f32],
    stride: usize,
) {
    // A function of its own: what the callers keep must not push sums out of registers.
    let sums = simd.vectorize(Tile { q, x, kernel: PhantomData::<K> });
    for m in 0..M {
        out[m * stride..m * stride + N].copy_from_slice(&sums[m]);
    }
}

struct Tile<'a, K, const M: usize, const N: usize> {
    q: [&'a [f32]; M],
    x: [&'a [f32]; N],
    kernel: PhantomData<K>,
}

impl<K: Kernel, const M: usize, const N: usize> WithSimd for Tile<'_, K, M, N> {
    type Output = [[f32; N]; M];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [[f32; N]; M] {
        let (q, q_tail) = split::<S, M>(self.q);
        let (x, x_tail) = split::<S, N>(self.x);
        let len = q[0].len();
        let mut acc = run_sums::<S, K, M, N>(simd, &q, &x, 0, len.min(RUN));
        for start in (RUN..len).step_by(RUN) {
            let more = run_sums::<S, K, M, N>(simd, &q, &x, start, RUN.min(len - start));
            for m in 0..M {
                for n in 0..N {
                    acc[m][n] = simd.add_f32s(acc[m][n], more[m][n]);
                }
            }
        }
        if !q_tail[0].is_empty() {
            add_terms::<S, K, M, N>(simd, load_tails(simd, q_tail), load_tails(simd, x_tail), &mut acc);
        }
        let mut sums = [[0.0; N]; M];
        for m in 0..M {
            for n in 0..N {
                sums[m][n] = simd.reduce_sum_f32s(acc[m][n]);
            }
        }
        sums
    }
}

/// The sums over `len` registers from `start`.
#[inline(always)]
fn run_sums<S: Simd, K: Kernel, const M: usize, const N: usize>(
    simd: S,
    q: &[&[S::f32s]; M],
    x: &[&[S::f32s]; N],
    start: usize,
    len: usize,
) -> [[S::f32s; N]; M] {
    let (q, x) = (cut(q, start, len), cut(x, start, len));
    let mut acc = [[simd.splat_f32s(0.0); N]; M];
    for i in 0..len {
        let mut qi = [simd.splat_f32s(0.0); M];
        for m in 0..M {
            qi[m] = q[m][i];
        }
        // One row at a time: its register is free again before the next is loaded.
        for n in 0..N {
            let xi = x[n][i];
            for m in 0..M {
                acc[m][n] = K::step(simd, qi[m], xi, acc[m][n]);
            }
        }
    }
    acc
}

/// `len` registers of each vector, whose addresses the compiler is kept from deriving from one
/// another: it would do so by a chain of additions in the inner loop.
#[inline(always)]
fn cut<'a, T, const N: usize>(vectors: &[&'a [T]; N], start: usize, len: usize) -> [&'a [T]; N] {
    let mut parts: [&[T]; N] = [&[]; N];
    for n in 0..N {
        parts[n] = &std::hint::black_box(vectors[n])[start..][..len];
    }
    parts
}

/// Adds the terms of one register of each vector.
#[inline(always)]
fn add_terms<S: Simd, K: Kernel, const M: usize, const N: usize>(
    simd: S,
    q: [S::f32s; M],
    x: [S::f32s; N],
    acc: &mut [[S::f32s; N]; M],
) {
    for m in 0..M {
        for n in 0..N {
            acc[m][n] = K::step(simd, q[m], x[n], acc[m][n]);
        }
    }
}

/// The tails, padded with zeros.
#[inline(always)]
fn load_tails<S: Simd, const N: usize>(simd: S, tails: [&[f32]; N]) -> [S::f32s; N] {
    let mut loaded = [simd.splat_f32s(0.0); N];
    for n in 0..N {
        loaded[n] = simd.partial_load_f32s(tails[n]);
    }
    loaded
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
