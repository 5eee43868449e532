//! Sums over sign codes by table lookup: the kernel of the scans over 1-bit codes.
//!
//! A block holds [`BLOCK`] codes of `dim` bits, transposed: for each group of four dimensions
//! 16 bytes, whose low nibbles are the group's bits of codes 0 to 15 and whose high nibbles are
//! those of codes 16 to 31. A query becomes one table of 16 bytes a group: entry `m` is the sum
//! that the subset `m` of the four dimensions contributes, rounded to an integer. One byte
//! shuffle then looks up 16 codes at once (Andre et al., Cache locality is not enough, VLDB 2015;
//! for sign codes Gao and Long, RaBitQ, SIGMOD 2024).

#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

/// Codes in a block.
pub const BLOCK: usize = 32;

/// Bytes of a block that four dimensions take.
pub const GROUP_BYTES: usize = 16;

/// Bytes of a block of codes of `dim` bits, a multiple of 8.
pub const fn block_bytes(dim: usize) -> usize {
    dim / 4 * GROUP_BYTES
}

/// Largest entry of a table for `dim` bits: a sum of one entry a group must fit 16 bits.
pub fn table_max(dim: usize) -> u32 {
    (65_535 / (dim as u32 / 4).max(1)).min(255)
}

/// Sets bits of code `code` in a block's bytes for a group of four dimensions.
#[inline(always)]
pub fn set_group(bytes: &mut [u8; GROUP_BYTES], code: usize, bits: [bool; 4]) {
    let nibble = bits.iter().rev().fold(0, |n, bit| n << 1 | u8::from(*bit));
    bytes[code % 16] |= nibble << if code < 16 { 0 } else { 4 };
}

/// The sum of a query's table entries for each code of a block, on one instruction set.
#[derive(Debug, Clone, Copy)]
pub struct Lookup {
    #[cfg(target_arch = "x86_64")]
    v3: Option<V3>,
}

impl Lookup {
    /// The best instruction set of this machine.
    pub fn detect() -> Self {
        Lookup {
            #[cfg(target_arch = "x86_64")]
            v3: V3::try_new(),
        }
    }

    /// Plain Rust on any machine: what the others are tested against.
    pub fn scalar() -> Self {
        Lookup {
            #[cfg(target_arch = "x86_64")]
            v3: None,
        }
    }

    /// Sums of the table's entries for the 32 codes of `block`; table and block are of equal
    /// length, a multiple of 32. Entries are at most [`table_max`].
    #[inline]
    pub fn sums(self, table: &[u8], block: &[u8]) -> [u16; BLOCK] {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = self.v3 {
            return v3.vectorize(Sums { v3, table, block });
        }
        sums_scalar(table, block)
    }
}

fn sums_scalar(table: &[u8], block: &[u8]) -> [u16; BLOCK] {
    let mut out = [0u16; BLOCK];
    for (table, group) in table.as_chunks::<16>().0.iter().zip(block.as_chunks::<16>().0) {
        for (i, byte) in group.iter().enumerate() {
            out[i] += u16::from(table[usize::from(byte & 15)]);
            out[i + 16] += u16::from(table[usize::from(byte >> 4)]);
        }
    }
    out
}

#[cfg(target_arch = "x86_64")]
struct Sums<'a> {
    v3: V3,
    table: &'a [u8],
    block: &'a [u8],
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Sums<'_> {
    type Output = [u16; BLOCK];

    #[inline(always)]
    fn call(self) -> [u16; BLOCK] {
        use std::arch::x86_64::__m256i;
        let (a1, a2) = (self.v3.avx, self.v3.avx2);
        let nibble = a1._mm256_set1_epi8(15);
        let zero = a1._mm256_setzero_si256();
        // Two groups at a time, one a 128-bit lane. A register of bytes added as 16-bit numbers
        // sums the even bytes, polluted by 256 times the odd ones, which are summed apart.
        let (mut low, mut low_odd, mut high, mut high_odd) = (zero, zero, zero, zero);
        for (table, codes) in self.table.as_chunks::<32>().0.iter().zip(self.block.as_chunks::<32>().0) {
            let (table, codes): (__m256i, __m256i) = (bytemuck::cast(*table), bytemuck::cast(*codes));
            let first = a2._mm256_shuffle_epi8(table, a2._mm256_and_si256(codes, nibble));
            let upper = a2._mm256_and_si256(a2._mm256_srli_epi16::<4>(codes), nibble);
            let second = a2._mm256_shuffle_epi8(table, upper);
            low = a2._mm256_add_epi16(low, first);
            low_odd = a2._mm256_add_epi16(low_odd, a2._mm256_srli_epi16::<8>(first));
            high = a2._mm256_add_epi16(high, second);
            high_odd = a2._mm256_add_epi16(high_odd, a2._mm256_srli_epi16::<8>(second));
        }
        let mut out = [0; BLOCK];
        for (half, (all, odd)) in [(low, low_odd), (high, high_odd)].into_iter().enumerate() {
            let even = a2._mm256_sub_epi16(all, a2._mm256_slli_epi16::<8>(odd));
            let even: [u16; 16] = bytemuck::cast(even);
            let odd: [u16; 16] = bytemuck::cast(odd);
            for i in 0..8 {
                out[half * 16 + 2 * i] = even[i] + even[i + 8];
                out[half * 16 + 2 * i + 1] = odd[i] + odd[i + 8];
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn lookups_sum_the_entries_of_the_set_bits() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        for dim in (64..=1024).step_by(64).chain([4096]) {
            let max = table_max(dim);
            assert!(max * (dim as u32 / 4) <= 65_535);
            let table: Vec<u8> = (0..dim / 4 * 16).map(|_| rng.random_range(0..=max as u8)).collect();
            let bits: Vec<Vec<bool>> =
                (0..BLOCK).map(|_| (0..dim).map(|_| rng.random_bool(0.5)).collect()).collect();
            let mut block = vec![0u8; block_bytes(dim)];
            for (code, bits) in bits.iter().enumerate() {
                for (bytes, bits) in block.as_chunks_mut().0.iter_mut().zip(bits.as_chunks().0) {
                    set_group(bytes, code, *bits);
                }
            }
            let want: Vec<u16> = bits
                .iter()
                .map(|b| {
                    (0..dim / 4)
                        .map(|g| {
                            let m = (0..4).map(|i| usize::from(b[4 * g + i]) << i).sum::<usize>();
                            u16::from(table[16 * g + m])
                        })
                        .sum()
                })
                .collect();
            for level in [Lookup::scalar(), Lookup::detect()] {
                assert_eq!(level.sums(&table, &block)[..], want[..]);
            }
        }
    }
}
