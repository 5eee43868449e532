//! One pair at a time, as a walk through a graph needs it.
//!
//! Two loads feed each multiply-add, so half of the arithmetic peak is the ceiling; four
//! chains of additions are enough to reach it. Eight keep a stream of rows from memory busy.

use super::kernel::Kernel;
use pulp::{Arch, Simd, WithSimd};
use std::marker::PhantomData;

/// Independent chains of additions of a single pair.
const CHAINS: usize = 4;
/// The same where rows stream from memory.
pub const STREAM_CHAINS: usize = 8;

/// The most roundings that a term meets in a sum over `registers` whole or partial registers,
/// before the lanes are added up.
pub fn roundings(registers: usize) -> usize {
    registers / CHAINS + 2 * STREAM_CHAINS
}

/// The kernel `K` over `a` and `b` on the instruction set `arch`.
pub fn run<K: Kernel>(arch: Arch, a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "vectors of different dimension");
    arch.dispatch(Pair::<K, CHAINS> { a, b, kernel: PhantomData })
}

/// The operation, to be run with `Simd::vectorize`.
pub struct Pair<'a, K, const CHAINS: usize> {
    /// One vector.
    pub a: &'a [f32],
    /// The other, of the same length.
    pub b: &'a [f32],
    /// The kernel.
    pub kernel: PhantomData<K>,
}

impl<K: Kernel, const CHAINS: usize> WithSimd for Pair<'_, K, CHAINS> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (a, a_tail) = S::as_simd_f32s(self.a);
        let (b, b_tail) = S::as_simd_f32s(self.b);
        let (a_chunks, a_rest) = a.as_chunks::<CHAINS>();
        let (b_chunks, b_rest) = b.as_chunks::<CHAINS>();
        let mut acc = [simd.splat_f32s(0.0); CHAINS];
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for i in 0..CHAINS {
                acc[i] = K::step(simd, a[i], b[i], acc[i]);
            }
        }
        for (a, b) in a_rest.iter().zip(b_rest) {
            acc[0] = K::step(simd, *a, *b, acc[0]);
        }
        if !a_tail.is_empty() {
            let (a, b) = (simd.partial_load_f32s(a_tail), simd.partial_load_f32s(b_tail));
            acc[1] = K::step(simd, a, b, acc[1]);
        }
        // By halves: the sum of few chains waits for little.
        let mut width = CHAINS / 2;
        while width > 0 {
            for i in 0..width {
                acc[i] = simd.add_f32s(acc[i], acc[i + width]);
            }
            width /= 2;
        }
        simd.reduce_sum_f32s(acc[0])
    }
}
