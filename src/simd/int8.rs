//! Dot products of signed 8-bit codes, summed in i32: the kernel of graph walks and of scans
//! over codes.
//!
//! Codes lie in `-127..=127`; -128 is not a code, because the AVX2 form takes absolute values.
//! All forms give the same integers, so results do not depend on the machine.

#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

/// Codes come in rows of a multiple of this many values.
pub const LANES: usize = 32;

/// The kernels of one instruction set, chosen once.
#[derive(Debug, Clone, Copy)]
pub struct Int8 {
    #[cfg(target_arch = "x86_64")]
    v3: Option<V3>,
}

impl Int8 {
    /// The best instruction set of this machine.
    pub fn detect() -> Self {
        Int8 {
            #[cfg(target_arch = "x86_64")]
            v3: V3::try_new(),
        }
    }

    /// Plain Rust on any machine: what the others are tested against.
    pub fn scalar() -> Self {
        Int8 {
            #[cfg(target_arch = "x86_64")]
            v3: None,
        }
    }

    /// Dot product of two rows. Only whole groups of [`LANES`] values count.
    #[inline]
    pub fn dot(self, a: &[i8], b: &[i8]) -> i32 {
        self.dot4(a, [b, &[], &[], &[]])[0]
    }

    /// Dot products of `a` with four rows; an empty row gives 0.
    #[inline]
    pub fn dot4(self, a: &[i8], b: [&[i8]; 4]) -> [i32; 4] {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = self.v3 {
            return v3.vectorize(Dot4 { v3, a, b });
        }
        b.map(|b| dot_scalar(a, b))
    }

    /// Dot products of `a` with each row of `rows`, which are `a.len()` values long.
    pub fn dot_slab(self, a: &[i8], rows: &[i8], out: &mut [i32]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = self.v3 {
            return v3.vectorize(Slab { v3, a, rows, out });
        }
        for (row, out) in rows.chunks_exact(a.len()).zip(out) {
            *out = dot_scalar(a, row);
        }
    }
}

fn dot_scalar(a: &[i8], b: &[i8]) -> i32 {
    let n = a.len() / LANES * LANES;
    a[..n].iter().zip(b).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum()
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{LANES, V3};
    use std::arch::x86_64::__m256i;

    /// Products of one group of `a` with one of `b`, as eight sums of four.
    #[inline(always)]
    fn products(v: V3, magnitude: __m256i, a: __m256i, b: __m256i, ones: __m256i) -> __m256i {
        // |a| * (b with a's sign): pairs of products stay below 2^15.
        let signed = v.avx2._mm256_sign_epi8(b, a);
        v.avx2._mm256_madd_epi16(v.avx2._mm256_maddubs_epi16(magnitude, signed), ones)
    }

    #[inline(always)]
    fn load(chunk: &[i8; LANES]) -> __m256i {
        bytemuck::cast(*chunk)
    }

    /// Sums the eight lanes of each of four accumulators.
    #[inline(always)]
    fn reduce4(v: V3, s: [__m256i; 4]) -> [i32; 4] {
        let ab = v.avx2._mm256_hadd_epi32(s[0], s[1]);
        let cd = v.avx2._mm256_hadd_epi32(s[2], s[3]);
        let lanes: [i32; 8] = bytemuck::cast(v.avx2._mm256_hadd_epi32(ab, cd));
        [lanes[0] + lanes[4], lanes[1] + lanes[5], lanes[2] + lanes[6], lanes[3] + lanes[7]]
    }

    #[inline(always)]
    pub fn dot4(v: V3, a: &[i8], b: [&[i8]; 4]) -> [i32; 4] {
        let ones = v.avx._mm256_set1_epi16(1);
        let zero = v.avx._mm256_setzero_si256();
        let mut sums = [zero; 4];
        let a = a.as_chunks::<LANES>().0;
        let b = b.map(|b| b.as_chunks::<LANES>().0);
        if b[1].is_empty() {
            for (x, y) in a.iter().zip(b[0]) {
                let x = load(x);
                let m = v.avx2._mm256_abs_epi8(x);
                sums[0] = v.avx2._mm256_add_epi32(sums[0], products(v, m, x, load(y), ones));
            }
            return reduce4(v, sums);
        }
        let n = a.len();
        let cut = |c: &'_ [[i8; LANES]]| c.len().min(n);
        let shared = b.map(cut).into_iter().min().unwrap_or(0);
        if shared < n {
            return b.map(|b| super::dot_scalar(a.as_flattened(), b.as_flattened()));
        }
        let (a, b) = (&a[..n], b.map(|b| &b[..n]));
        for i in 0..n {
            let x = load(&a[i]);
            let m = v.avx2._mm256_abs_epi8(x);
            for j in 0..4 {
                sums[j] = v.avx2._mm256_add_epi32(sums[j], products(v, m, x, load(&b[j][i]), ones));
            }
        }
        reduce4(v, sums)
    }
}

#[cfg(target_arch = "x86_64")]
struct Dot4<'a> {
    v3: V3,
    a: &'a [i8],
    b: [&'a [i8]; 4],
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Dot4<'_> {
    type Output = [i32; 4];

    #[inline(always)]
    fn call(self) -> [i32; 4] {
        avx2::dot4(self.v3, self.a, self.b)
    }
}

#[cfg(target_arch = "x86_64")]
struct Slab<'a> {
    v3: V3,
    a: &'a [i8],
    rows: &'a [i8],
    out: &'a mut [i32],
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Slab<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let d = self.a.len();
        let mut out = self.out.chunks_exact_mut(4);
        let mut rows = self.rows.chunks_exact(4 * d);
        for (out, four) in (&mut out).zip(&mut rows) {
            let (lo, hi) = four.split_at(2 * d);
            let ((b0, b1), (b2, b3)) = (lo.split_at(d), hi.split_at(d));
            out.copy_from_slice(&avx2::dot4(self.v3, self.a, [b0, b1, b2, b3]));
        }
        for (out, row) in out.into_remainder().iter_mut().zip(rows.remainder().chunks_exact(d)) {
            *out = avx2::dot4(self.v3, self.a, [row, &[], &[], &[]])[0];
        }
    }
}

/// Asks for values that will be needed soon, up to a page of them. A hint without effect on results.
#[inline]
pub fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = V3::try_new() {
        const T0: i32 = std::arch::x86_64::_MM_HINT_T0;
        let a_line = (64 / size_of::<T>().max(1)).max(1);
        for line in values.chunks(a_line).take(64) {
            v3.sse._mm_prefetch::<T0>(line.as_ptr().cast());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn every_form_gives_the_same_integers() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for groups in 0..20 {
            let d = groups * LANES;
            let mut row = |extreme: bool| -> Vec<i8> {
                (0..d)
                    .map(|_| match extreme {
                        true => [-127, 127][rng.random_range(0..2)],
                        false => rng.random_range(-127i8..=127),
                    })
                    .collect()
            };
            for extreme in [false, true] {
                let a = row(extreme);
                let rows: Vec<Vec<i8>> = (0..11).map(|_| row(extreme)).collect();
                let want: Vec<i32> = rows
                    .iter()
                    .map(|r| a.iter().zip(r).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum())
                    .collect();
                for level in [Int8::scalar(), Int8::detect()] {
                    let four = level.dot4(&a, [&rows[0], &rows[1], &rows[2], &rows[3]]);
                    assert_eq!(four, want[..4]);
                    assert_eq!(level.dot(&a, &rows[4]), want[4]);
                    if d > 0 {
                        let mut got = vec![0; rows.len()];
                        level.dot_slab(&a, &rows.concat(), &mut got);
                        assert_eq!(got, want);
                    }
                }
            }
        }
    }
}
