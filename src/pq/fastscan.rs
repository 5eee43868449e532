//! Scan of four-bit codes by table look-up in registers (André, Kermarrec, Le Scouarnec,
//! VLDB 2015), which serves four-bit product codes and RaBitQ's sign bits alike.
//!
//! Layout: groups of 32 rows; within a group 16 bytes a part, where byte `i` holds the code
//! of row `i` in its low half and that of row `i + 16` in its high half. The number of parts
//! is padded to an even one. Tables are quantised to bytes; sums are integers and therefore
//! the same on every instruction set.

/// Rows of a group.
pub const GROUP: usize = 32;
/// Parts whose byte sums cannot overflow 16 bits.
const PARTS_PER_SUM: usize = 256;

/// Some rows of a chunk.
#[derive(Debug)]
pub struct Piece {
    /// The chunk.
    pub chunk: Vec<u8>,
    /// All rows of the chunk.
    pub rows: usize,
    /// Which of them, each below `rows`.
    pub which: Vec<usize>,
}

/// Bytes of a group of `parts` parts.
pub fn group_bytes(parts: usize) -> usize {
    parts.next_multiple_of(2) * 16
}

/// Lays out codes below 16, given row-major, one byte each.
pub fn pack(codes: &[u8], parts: usize) -> Vec<u8> {
    let rows = codes.len() / parts;
    let size = group_bytes(parts);
    let mut out = vec![0u8; rows.div_ceil(GROUP) * size];
    for (row, code) in codes.chunks_exact(parts).enumerate() {
        let group = &mut out[row / GROUP * size..][..size];
        for (part, c) in code.iter().enumerate() {
            group[part * 16 + row % 16] |= (c & 15) << (if row % GROUP < 16 { 0 } else { 4 });
        }
    }
    out
}

/// The codes of one row. `packed` holds its group.
pub fn unpack_row(packed: &[u8], parts: usize, row: usize) -> impl Iterator<Item = u8> {
    let size = group_bytes(parts);
    let group = &packed[row / GROUP * size..][..size];
    let shift = if row % GROUP < 16 { 0 } else { 4 };
    group.chunks_exact(16).take(parts).map(move |bytes| bytes[row % 16] >> shift & 15)
}

/// Tables of 16 values a part, quantised to bytes: `value = bias + step * sum of bytes`.
#[derive(Debug, Clone)]
pub struct ByteTables {
    bytes: Vec<u8>,
    step: f32,
    bias: f32,
}

impl ByteTables {
    /// Quantises real tables.
    pub fn new(tables: &[[f32; 16]]) -> ByteTables {
        let range = |t: &[f32; 16]| {
            t.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), v| (lo.min(*v), hi.max(*v)))
        };
        let widest = tables.iter().map(range).map(|(lo, hi)| hi - lo).fold(0.0, f32::max);
        let step = if widest > 0.0 { widest / 255.0 } else { 1.0 };
        let mut bytes = vec![0u8; group_bytes(tables.len())];
        let mut bias = 0.0f64;
        for (table, bytes) in tables.iter().zip(bytes.chunks_exact_mut(16)) {
            let (lo, _) = range(table);
            bias += f64::from(lo);
            for (v, b) in table.iter().zip(bytes) {
                *b = ((v - lo) / step).round().clamp(0.0, 255.0) as u8;
            }
        }
        ByteTables { bytes, step, bias: bias as f32 }
    }

    /// The sum of table values for each of the first `rows` rows of packed codes.
    pub fn scan(&self, packed: &[u8], rows: usize, out: &mut Vec<f32>) {
        let mut sums = [0u32; GROUP];
        let mut left = rows;
        for group in packed.chunks_exact(self.bytes.len()) {
            sums.fill(0);
            let piece = PARTS_PER_SUM * 16;
            for (codes, tables) in group.chunks(piece).zip(self.bytes.chunks(piece)) {
                sum_group(codes, tables, &mut sums);
            }
            let n = left.min(GROUP);
            out.extend(sums[..n].iter().map(|s| self.bias + self.step * *s as f32));
            left -= n;
        }
    }
}

/// Adds the table bytes of at most [`PARTS_PER_SUM`] parts to the sums of a group's rows.
fn sum_group(codes: &[u8], tables: &[u8], sums: &mut [u32; GROUP]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return v3.vectorize(
            #[inline(always)]
            || avx2(v3, codes, tables, sums),
        );
    }
    reference(codes, tables, sums);
}

/// The plain twin.
fn reference(codes: &[u8], tables: &[u8], sums: &mut [u32; GROUP]) {
    for (codes, table) in codes.chunks_exact(16).zip(tables.chunks_exact(16)) {
        for (i, c) in codes.iter().enumerate() {
            sums[i] += u32::from(table[usize::from(c & 15)]);
            sums[i + 16] += u32::from(table[usize::from(c >> 4)]);
        }
    }
}

/// Two parts a step: one in each half of the registers. Even and odd bytes are summed apart
/// in 16 bits: `all` wraps, but its odd part is known and taken off at the end.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn avx2(v3: pulp::x86::V3, codes: &[u8], tables: &[u8], sums: &mut [u32; GROUP]) {
    use std::arch::x86_64::__m256i;
    let avx2 = v3.avx2;
    let low = v3.avx._mm256_set1_epi8(15);
    let zero = v3.avx._mm256_setzero_si256();
    // [all, odd] of the rows in the low and in the high halves of the bytes.
    let mut acc = [[zero; 2]; 2];
    let (codes, _) = codes.as_chunks::<32>();
    let (tables, _) = tables.as_chunks::<32>();
    for (codes, table) in codes.iter().zip(tables) {
        let codes: __m256i = bytemuck::cast(*codes);
        let table: __m256i = bytemuck::cast(*table);
        let halves = [
            avx2._mm256_and_si256(codes, low),
            avx2._mm256_and_si256(avx2._mm256_srli_epi16::<4>(codes), low),
        ];
        for (acc, half) in acc.iter_mut().zip(halves) {
            let values = avx2._mm256_shuffle_epi8(table, half);
            acc[0] = avx2._mm256_add_epi16(acc[0], values);
            acc[1] = avx2._mm256_add_epi16(acc[1], avx2._mm256_srli_epi16::<8>(values));
        }
    }
    for (half, [all, odd]) in acc.into_iter().enumerate() {
        let even = avx2._mm256_sub_epi16(all, avx2._mm256_slli_epi16::<8>(odd));
        let even: [u16; 16] = bytemuck::cast(even);
        let odd: [u16; 16] = bytemuck::cast(odd);
        for i in 0..16 {
            // Lane i of 16 bits holds byte 2i or 2i + 1; lanes 8 on are the second part.
            let row = half * 16 + i % 8 * 2;
            sums[row] += u32::from(even[i]);
            sums[row + 1] += u32::from(odd[i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pq::random::Draws;

    #[test]
    fn packing_keeps_every_code() {
        for (rows, parts) in [(1, 1), (31, 3), (33, 2), (64, 7), (100, 96)] {
            let mut d = Draws::new(1, rows as u64);
            let codes: Vec<u8> = (0..rows * parts).map(|_| d.below(16) as u8).collect();
            let packed = pack(&codes, parts);
            assert_eq!(packed.len(), rows.div_ceil(32) * group_bytes(parts));
            for (row, code) in codes.chunks(parts).enumerate() {
                assert!(unpack_row(&packed, parts, row).eq(code.iter().copied()));
            }
        }
    }

    #[test]
    fn both_twins_give_the_same_sums_even_at_the_limit() {
        for parts in [2, 4, 96, PARTS_PER_SUM] {
            let mut d = Draws::new(2, parts as u64);
            let codes: Vec<u8> = (0..parts * 16).map(|_| d.bits() as u8).collect();
            for top in [255, 256] {
                let tables: Vec<u8> =
                    (0..parts * 16).map(|_| if top == 255 { 255 } else { d.bits() as u8 }).collect();
                let (mut fast, mut plain) = ([1; GROUP], [1; GROUP]);
                sum_group(&codes, &tables, &mut fast);
                reference(&codes, &tables, &mut plain);
                assert_eq!(fast, plain);
            }
        }
    }

    #[test]
    fn sums_are_within_the_quantisation_of_the_tables() {
        for parts in [1, 5, 300] {
            let mut d = Draws::new(3, parts as u64);
            let tables: Vec<[f32; 16]> =
                (0..parts).map(|_| std::array::from_fn(|_| d.unit() as f32 - 0.4)).collect();
            let codes: Vec<u8> = (0..70 * parts).map(|_| d.below(16) as u8).collect();
            let mut out = Vec::new();
            ByteTables::new(&tables).scan(&pack(&codes, parts), 70, &mut out);
            assert_eq!(out.len(), 70);
            for (code, got) in codes.chunks(parts).zip(out) {
                let want: f32 = code.iter().zip(&tables).map(|(c, t)| t[usize::from(*c)]).sum();
                assert!((got - want).abs() <= 0.5 / 255.0 * parts as f32 + 1e-4);
            }
        }
    }
}
