//! One-bit codes of rows relative to the centre of their list, with an unbiased estimate of the
//! distance and a bound on its error: RaBitQ (Gao and Long, SIGMOD 2024), in the form in
//! which a query needs one lookup table for all lists.
//!
//! With the residual `o = x - c`, its signs `s` and `f = |o|^2 / sum |o_i|`,
//! `<o, q - c>` is estimated by `f <s, q - c>`, so that
//! `|q - x|^2 ~ |q - c|^2 + (|o|^2 + 2 f <s, c>) - 2 f <s, q>`.

use crate::simd::bits::{self, BLOCK, Lookup};
use pulp::{Arch, NullaryFnOnce};

/// What a code needs beside its bits, one number a row.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Factors {
    /// `|o|^2 + 2 f <s, c>` for each code of the block.
    pub add: [f32; BLOCK],
    /// `f`.
    pub scale: [f32; BLOCK],
    /// Standard error of the estimated `<o, q - c>` over `|q - c|`.
    pub error: [f32; BLOCK],
}

impl Default for Factors {
    fn default() -> Self {
        // An empty place is infinitely far away.
        Factors { add: [f32::INFINITY; BLOCK], scale: [0.0; BLOCK], error: [0.0; BLOCK] }
    }
}

impl Factors {
    /// Makes code `slot`, which was made from a row's decoded 8-bit code, one of the row itself: the error `off`
    /// of that code lengthens every distance by its square, for it is orthogonal to the row, and adds its share to the noise in
    /// `dim` coordinates. `centre_off` is that of the centre, where that is a decoded row too.
    pub fn correct(&mut self, slot: usize, off: f32, centre_off: f32, dim: usize) {
        self.add[slot] += centre_off * centre_off - off * off;
        self.error[slot] = self.error[slot].hypot(off / (dim as f32).sqrt());
    }
}

/// Encodes row `x` of the list with centre `c` as code `slot` of a block.
pub fn encode(x: &[f32], c: &[f32], slot: usize, block: &mut [u8], factors: &mut Factors) {
    let (norm2, sum, centre) = Arch::new().dispatch(Signs { x, c, slot, block });
    if sum == 0.0 {
        (factors.add[slot], factors.scale[slot], factors.error[slot]) = (0.0, 0.0, 0.0);
        return;
    }
    let f = norm2 / sum;
    let n = x.len() as f64;
    // cos^2 of the angle between o and its signs.
    let cos2 = sum * sum / (norm2 * n);
    let error = (norm2 * (1.0 / cos2 - 1.0).max(0.0) / (n - 1.0).max(1.0)).sqrt();
    factors.add[slot] = (norm2 + 2.0 * f * centre) as f32;
    factors.scale[slot] = f as f32;
    factors.error[slot] = error as f32;
}

/// Writes the signs of `x - c` into code `slot` of a block.
struct Signs<'a> {
    x: &'a [f32],
    c: &'a [f32],
    slot: usize,
    block: &'a mut [u8],
}

impl NullaryFnOnce for Signs<'_> {
    /// `|o|^2`, `sum |o_i|` and `<s, c>`.
    type Output = (f64, f64, f64);

    #[inline(always)]
    fn call(self) -> (f64, f64, f64) {
        let Signs { x, c, slot, block } = self;
        let groups = x.as_chunks::<4>().0.iter().zip(c.as_chunks::<4>().0);
        let (mut norm2, mut sum, mut centre) = ([0.0f64; 4], [0.0f64; 4], [0.0f64; 4]);
        for ((x, c), bytes) in groups.zip(block.as_chunks_mut::<{ bits::GROUP_BYTES }>().0) {
            let mut positive = [false; 4];
            for i in 0..4 {
                let o = x[i] - c[i];
                positive[i] = o > 0.0;
                norm2[i] += f64::from(o) * f64::from(o);
                sum[i] += f64::from(o.abs());
                centre[i] += f64::from(if positive[i] { c[i] } else { -c[i] });
            }
            bits::set_group(bytes, slot, positive);
        }
        (norm2.iter().sum(), sum.iter().sum(), centre.iter().sum())
    }
}

/// A query as a lookup table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    entries: Vec<u8>,
    /// `<s, q>` is `slope * sum of entries + offset`.
    slope: f32,
    offset: f32,
}

impl Table {
    /// Replaces the table by that of the query at `q`.
    pub fn set(&mut self, q: &[f32]) {
        self.entries.clear();
        self.entries.resize(4 * q.len(), 0);
        (self.slope, self.offset) = Arch::new().dispatch(Entries { q, entries: &mut self.entries });
    }

    /// Lower bounds on the squared distances of a block's rows to the query: the estimates less
    /// `errors` standard errors. The query's squared distance to the centre of the block's list
    /// is `centre2`; `bytes` are the block's codes.
    #[inline]
    pub fn lower_bounds(
        &self,
        lookup: Lookup,
        bytes: &[u8],
        factors: &Factors,
        (centre2, errors): (f32, f32),
        out: &mut [f32; BLOCK],
    ) {
        self.estimates(lookup, bytes, (&factors.add, &factors.scale), centre2, out);
        let spread = 2.0 * errors * centre2.max(0.0).sqrt();
        for (out, error) in out.iter_mut().zip(&factors.error) {
            *out -= spread * error;
        }
    }

    /// Estimated squared distances of a block's rows to the query; `add` and `scale` are those of [`Factors`].
    #[inline]
    pub fn estimates(
        &self,
        lookup: Lookup,
        bytes: &[u8],
        (add, scale): (&[f32; BLOCK], &[f32; BLOCK]),
        centre2: f32,
        out: &mut [f32; BLOCK],
    ) {
        let sums = lookup.sums(&self.entries, bytes);
        let line = (self.slope, self.offset);
        Arch::new().dispatch(Estimates { sums: &sums, line, add, scale, centre2, out });
    }
}

/// Makes a table: for each group of four dimensions the sums over its sixteen subsets.
struct Entries<'a> {
    q: &'a [f32],
    entries: &'a mut [u8],
}

impl NullaryFnOnce for Entries<'_> {
    /// Slope and offset.
    type Output = (f32, f32);

    #[inline(always)]
    fn call(self) -> (f32, f32) {
        let groups = self.q.as_chunks::<4>().0;
        let reach = groups.iter().map(|g| g.iter().map(|v| v.abs()).sum::<f32>()).fold(0.0f32, f32::max);
        let step = (reach / bits::table_max(self.q.len()) as f32).max(f32::MIN_POSITIVE);
        let (mut low, mut total) = (0.0f64, 0.0f64);
        for (group, entries) in groups.iter().zip(self.entries.as_chunks_mut::<16>().0) {
            let least: f32 = group.iter().map(|v| v.min(0.0)).sum();
            low += f64::from(least);
            total += group.iter().map(|v| f64::from(*v)).sum::<f64>();
            let mut sums = [0.0f32; 16];
            for (i, v) in group.iter().enumerate() {
                let (known, new) = sums.split_at_mut(1 << i);
                for (new, known) in new.iter_mut().zip(known) {
                    *new = *known + v;
                }
            }
            for (entry, sum) in entries.iter_mut().zip(sums) {
                *entry = ((sum - least) / step + 0.5) as u8;
            }
        }
        (2.0 * step, (2.0 * low - total) as f32)
    }
}

/// See [`Table::estimates`].
struct Estimates<'a> {
    sums: &'a [u16; BLOCK],
    line: (f32, f32),
    add: &'a [f32; BLOCK],
    scale: &'a [f32; BLOCK],
    centre2: f32,
    out: &'a mut [f32; BLOCK],
}

impl NullaryFnOnce for Estimates<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for i in 0..BLOCK {
            let product = self.line.0 * f32::from(self.sums[i]) + self.line.1;
            self.out[i] = self.centre2 + self.add[i] - 2.0 * self.scale[i] * product;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// The bound is one of probability: it must hold for about 97 % of rows, and be near the truth.
    #[test]
    fn lower_bounds_hold_and_are_close() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let d = 128;
        let mut row = |s: f32| -> Vec<f32> { (0..d).map(|_| rng.random_range(-s..s)).collect() };
        let c = row(0.1);
        let mut near = |s: f32| -> Vec<f32> { row(s).iter().zip(&c).map(|(a, b)| a + b).collect() };
        let q = near(0.08);
        let mut table = Table::default();
        table.set(&q);
        let squared = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let (mut held, mut gap) = (0, 0.0);
        for _ in 0..40 {
            let rows: Vec<Vec<f32>> = (0..BLOCK).map(|_| near(0.08)).collect();
            let (mut bytes, mut factors) = (vec![0; bits::block_bytes(d)], Factors::default());
            for (slot, x) in rows.iter().enumerate() {
                encode(x, &c, slot, &mut bytes, &mut factors);
            }
            let mut lower = [0.0; BLOCK];
            table.lower_bounds(Lookup::detect(), &bytes, &factors, (squared(&q, &c), 1.9), &mut lower);
            for (x, lower) in rows.iter().zip(lower) {
                let truth = squared(x, &q);
                held += usize::from(lower <= truth);
                gap += (truth - lower) / truth / (40 * BLOCK) as f32;
            }
        }
        assert!(held * 100 >= 95 * 40 * BLOCK, "{held} of {}", 40 * BLOCK);
        assert!(gap > 0.0 && gap < 0.25, "mean gap {gap}");
    }

    #[test]
    fn a_row_at_its_centre_and_an_empty_place() {
        let c = vec![0.1f32; 64];
        let (mut bytes, mut factors) = (vec![0; bits::block_bytes(64)], Factors::default());
        encode(&c, &c, 0, &mut bytes, &mut factors);
        let mut table = Table::default();
        table.set(&[0.0; 64]);
        let mut lower = [0.0; BLOCK];
        table.lower_bounds(Lookup::scalar(), &bytes, &factors, (0.64, 1.9), &mut lower);
        assert!((lower[0] - 0.64).abs() < 1e-6);
        assert_eq!(lower[1], f32::INFINITY);
    }
}
