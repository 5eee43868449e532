//! RaBitQ: the residual to the mean is rotated at random and each component coded in 1 to 8
//! bits, with a factor that makes the estimate of inner products unbiased (Gao, Long,
//! SIGMOD 2024; Gao et al., SIGMOD 2025).
//!
//! With residual `r = R (x - mean)` and code vector `u` (components at half-integers),
//! `<q, x> ≈ <q, mean> + f <R q, u>` where `f = |r|² / <u, r>`. The topmost bits are kept
//! apart in the four-bit scan layout: they are a 1-bit code of their own, with a factor of
//! their own, so a scan reads one bit a component and only the best rows are refined.
//!
//! Chunk: sign groups, then for each row `bits - 1` bits a component, then the factors:
//! f32 of the full code, and for `bits > 1` f32 of the sign code.

use super::fastscan::{self, ByteTables, GROUP, Piece};
use super::hadamard::RandomRotation;
use rayon::prelude::*;

/// Components whose signs make one four-bit code.
const NIBBLE: usize = 4;
/// Half the best clipping width in standard deviations, by bits, of a uniform quantiser of
/// Gaussian components (Max, IRE Trans. IT 1960).
const CLIP: [f64; 9] = [0.0, 1.0, 1.99, 2.34, 2.68, 3.01, 3.33, 3.64, 3.94];

/// The learnt part: the mean, and how much shorter reconstructions should be than unbiased ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Rabitq {
    bits: u8,
    seed: u64,
    mean: Vec<f32>,
    rotation: RandomRotation,
    shrink: f32,
}

/// Where the parts of a chunk lie.
struct Layout {
    parts: usize,
    extra_at: usize,
    extra_row: usize,
    factors_at: usize,
    factors: usize,
    len: usize,
}

/// A query: its rotation, and the tables of the sign scan.
#[derive(Debug, Clone)]
pub struct Prepared {
    rotated: Vec<f32>,
    sum: f64,
    with_mean: f64,
    signs: ByteTables,
}

struct Coded {
    codes: Vec<u8>,
    full: f32,
    sign: f32,
    /// Squared cosine of code and residual.
    cos2: f64,
}

impl Rabitq {
    /// Learns mean and shrinkage from the rows of `x`.
    pub fn train(x: &[f32], dim: usize, bits: u8, seed: u64) -> Rabitq {
        let n = (x.len() / dim).max(1);
        let mut sums = vec![0.0f64; dim];
        for row in x.chunks_exact(dim) {
            sums.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v));
        }
        let mean = sums.iter().map(|s| (s / n as f64) as f32).collect();
        let mut this = Rabitq::new(bits, seed, mean, 1.0);
        let cos2: Vec<f64> = x.par_chunks_exact(dim).map(|row| this.code(row).cos2).collect();
        this.shrink = (cos2.iter().sum::<f64>() / n as f64) as f32;
        this
    }

    /// From stored values.
    pub fn new(bits: u8, seed: u64, mean: Vec<f32>, shrink: f32) -> Rabitq {
        let rotation = RandomRotation::new(mean.len(), seed);
        Rabitq { bits, seed, mean, rotation, shrink }
    }

    /// Bits a component.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Seed of the rotation.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The mean.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// What unbiased factors are multiplied by for a reconstruction of least error.
    pub fn shrink(&self) -> f32 {
        self.shrink
    }

    fn layout(&self, rows: usize) -> Layout {
        let dim = self.mean.len();
        let parts = dim.div_ceil(NIBBLE);
        let extra_at = rows.div_ceil(GROUP) * fastscan::group_bytes(parts);
        let extra_row = (dim * usize::from(self.bits - 1)).div_ceil(8);
        let factors_at = extra_at + rows * extra_row;
        let factors = if self.bits == 1 { 1 } else { 2 };
        Layout { parts, extra_at, extra_row, factors_at, factors, len: factors_at + rows * factors * 4 }
    }

    /// Bytes of a chunk.
    pub fn chunk_len(&self, rows: usize) -> usize {
        self.layout(rows).len
    }

    /// Codes a chunk of rows.
    pub fn encode(&self, x: &[f32]) -> Vec<u8> {
        let coded: Vec<Coded> = x.par_chunks_exact(self.mean.len()).map(|row| self.code(row)).collect();
        self.pack(&coded)
    }

    /// The codes of some rows of several chunks as one chunk.
    pub fn regroup(&self, pieces: &[Piece]) -> Vec<u8> {
        let one = |p: &Piece, row: usize| {
            let at = self.layout(p.rows);
            let factor = |which: usize| Rabitq::factor(&p.chunk, &at, row, which);
            Coded {
                codes: self.codes(&p.chunk, &at, row),
                full: factor(0),
                sign: factor(at.factors - 1),
                cos2: 1.0,
            }
        };
        let rows = pieces.iter().flat_map(|p| p.which.iter().map(move |row| one(p, *row)));
        self.pack(&rows.collect::<Vec<_>>())
    }

    fn pack(&self, coded: &[Coded]) -> Vec<u8> {
        let at = self.layout(coded.len());
        let shift = self.bits - 1;
        let mut nibbles = Vec::with_capacity(coded.len() * at.parts);
        for row in coded {
            nibbles.extend(
                row.codes
                    .chunks(NIBBLE)
                    .map(|four| four.iter().enumerate().fold(0, |acc, (j, c)| acc | (c >> shift) << j)),
            );
        }
        let mut out = fastscan::pack(&nibbles, at.parts);
        for row in coded {
            let start = out.len();
            out.resize(start + at.extra_row, 0);
            write_bits(&row.codes, shift, &mut out[start..]);
        }
        for row in coded {
            out.extend_from_slice(&row.full.to_le_bytes());
            if at.factors == 2 {
                out.extend_from_slice(&row.sign.to_le_bytes());
            }
        }
        out
    }

    fn code(&self, x: &[f32]) -> Coded {
        let mut r: Vec<f32> = x.iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        self.rotation.apply(&mut r);
        let norm2: f64 = r.iter().map(|v| f64::from(*v).powi(2)).sum();
        let sign_dot: f64 = r.iter().map(|v| f64::from(v.abs()) * 0.5).sum();
        let sign = if norm2 > 0.0 { (norm2 / sign_dot) as f32 } else { 0.0 };
        if self.bits == 1 || norm2 == 0.0 {
            let top = 1u8 << (self.bits - 1);
            let codes = r.iter().map(|v| if *v >= 0.0 { top } else { top - 1 }).collect();
            let cos2 = if norm2 > 0.0 { sign_dot.powi(2) / (norm2 * r.len() as f64 / 4.0) } else { 1.0 };
            return Coded { codes, full: sign, sign, cos2 };
        }
        let (scale, dot, u2) = best_scale(&r, norm2, self.bits);
        let codes = r.iter().map(|v| level(*v, scale, self.bits)).collect();
        Coded { codes, full: (norm2 / dot) as f32, sign, cos2: dot * dot / (norm2 * u2) }
    }

    /// The codes of a row. The chunk has the length of [`Rabitq::chunk_len`].
    fn codes(&self, chunk: &[u8], at: &Layout, row: usize) -> Vec<u8> {
        let dim = self.mean.len();
        let shift = self.bits - 1;
        let mut codes = Vec::with_capacity(at.parts * NIBBLE);
        for nibble in fastscan::unpack_row(&chunk[..at.extra_at], at.parts, row) {
            codes.extend((0..NIBBLE).map(|j| (nibble >> j & 1) << shift));
        }
        codes.truncate(dim);
        read_bits(&chunk[at.extra_at + row * at.extra_row..][..at.extra_row], shift, &mut codes);
        codes
    }

    fn factor(chunk: &[u8], at: &Layout, row: usize, which: usize) -> f32 {
        let b = &chunk[at.factors_at + (row * at.factors + which) * 4..][..4];
        f32::from_le_bytes([b[0], b[1], b[2], b[3]])
    }

    /// Appends the reconstruction of a row: the one of least expected error.
    pub fn decode_row(&self, chunk: &[u8], rows: usize, row: usize, out: &mut Vec<f32>) {
        let at = self.layout(rows);
        let middle = self.middle();
        let factor = Rabitq::factor(chunk, &at, row, 0) * self.shrink;
        let codes = self.codes(chunk, &at, row);
        let mut y: Vec<f32> = codes.iter().map(|c| (f32::from(*c) - middle) * factor).collect();
        self.rotation.undo(&mut y);
        out.extend(y.iter().zip(&self.mean).map(|(y, m)| y + m));
    }

    /// Half the greatest code: where components are zero.
    fn middle(&self) -> f32 {
        ((1u32 << self.bits) - 1) as f32 * 0.5
    }

    /// Prepares a query.
    pub fn prepare(&self, q: &[f32]) -> Prepared {
        let mut rotated = q.to_vec();
        self.rotation.apply(&mut rotated);
        let table = |four: &[f32]| -> [f32; 16] {
            std::array::from_fn(|code| {
                let signed = |(j, v): (usize, &f32)| if code >> j & 1 == 1 { *v } else { -*v };
                four.iter().enumerate().map(signed).sum::<f32>() * 0.5
            })
        };
        let tables: Vec<[f32; 16]> = rotated.chunks(NIBBLE).map(table).collect();
        Prepared {
            sum: rotated.iter().map(|v| f64::from(*v)).sum(),
            with_mean: q.iter().zip(&self.mean).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum(),
            signs: ByteTables::new(&tables),
            rotated,
        }
    }

    /// Estimates `<q, x>` for each row of a chunk from the sign bits.
    pub fn scan(&self, q: &Prepared, chunk: &[u8], rows: usize, dots: &mut Vec<f32>) {
        let at = self.layout(rows);
        let start = dots.len();
        q.signs.scan(&chunk[..at.extra_at], rows, dots);
        for (row, dot) in dots[start..].iter_mut().enumerate() {
            let factor = Rabitq::factor(chunk, &at, row, at.factors - 1);
            *dot = (q.with_mean + f64::from(factor) * f64::from(*dot)) as f32;
        }
    }

    /// Estimates `<q, x>` for one row from all its bits.
    pub fn refine(&self, q: &Prepared, chunk: &[u8], rows: usize, row: usize) -> f32 {
        let at = self.layout(rows);
        let codes = self.codes(chunk, &at, row);
        let dot: f64 = codes.iter().zip(&q.rotated).map(|(c, v)| f64::from(*c) * f64::from(*v)).sum();
        let centred = dot - f64::from(self.middle()) * q.sum;
        (q.with_mean + f64::from(Rabitq::factor(chunk, &at, row, 0)) * centred) as f32
    }
}

/// The level of a component: `scale * v` rounded down, moved to `0..2^bits`.
fn level(v: f32, scale: f64, bits: u8) -> u8 {
    let half = f64::from(1u32 << (bits - 1));
    (f64::from(v) * scale + half).floor().clamp(0.0, 2.0 * half - 1.0) as u8
}

/// The scale whose code has the largest cosine with `r`, of a few around the one that is best
/// for Gaussian components; with `<u, r>` and `|u|²` of that code.
fn best_scale(r: &[f32], norm2: f64, bits: u8) -> (f64, f64, f64) {
    let sigma = (norm2 / r.len() as f64).sqrt();
    let greatest = r.iter().fold(0.0f64, |m, v| m.max(f64::from(v.abs())));
    let half = f64::from(1u32 << (bits - 1));
    let clip = CLIP[usize::from(bits)] * sigma;
    let widths = (0..9).map(|i| clip * (0.72 + 0.07 * f64::from(i))).chain([greatest * 1.0001]);
    let mut best = (0.0, 0.0, 0.0);
    let mut best_cos2 = -1.0;
    for scale in widths.map(|w| half / w) {
        let (mut dot, mut u2) = (0.0, 0.0);
        for v in r {
            let u = f64::from(level(*v, scale, bits)) + 0.5 - half;
            dot += u * f64::from(*v);
            u2 += u * u;
        }
        let cos2 = dot * dot / u2;
        if cos2 > best_cos2 {
            (best, best_cos2) = ((scale, dot, u2), cos2);
        }
    }
    best
}

/// Writes the low `width` bits (at most 7) of each code one after the other.
fn write_bits(codes: &[u8], width: u8, out: &mut [u8]) {
    let (mut held, mut bits, mut at) = (0u32, 0, 0);
    for c in codes {
        held |= u32::from(c & ((1 << width) - 1)) << bits;
        bits += width;
        if bits >= 8 {
            out[at] = held as u8;
            at += 1;
            held >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out[at] = held as u8;
    }
}

/// Adds what [`write_bits`] wrote to the codes.
fn read_bits(bytes: &[u8], width: u8, codes: &mut [u8]) {
    let (mut held, mut bits) = (0u32, 0);
    let mut bytes = bytes.iter();
    for c in codes {
        if bits < width {
            held |= u32::from(bytes.next().copied().unwrap_or(0)) << bits;
            bits += 8;
        }
        *c |= held as u8 & ((1 << width) - 1);
        held >>= width;
        bits -= width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pq::random::Draws;

    fn random(n: usize, seed: u64) -> Vec<f32> {
        let mut d = Draws::new(seed, 0);
        // Sums of uniforms: bell-shaped, with a common offset for the mean to take off.
        (0..n).map(|_| (0..4).map(|_| d.unit() as f32 - 0.5).sum::<f32>() + 0.3).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    #[test]
    fn bits_are_packed_and_found_again() {
        for width in 0..8u8 {
            let mut d = Draws::new(1, u64::from(width));
            let codes: Vec<u8> = (0..45).map(|_| d.bits() as u8 & ((1 << width) - 1)).collect();
            let mut bytes = vec![0; (45 * usize::from(width)).div_ceil(8)];
            write_bits(&codes, width, &mut bytes);
            let mut back = vec![0; 45];
            read_bits(&bytes, width, &mut back);
            assert_eq!(back, codes);
        }
    }

    #[test]
    fn errors_halve_with_each_bit() {
        let (dim, n) = (100, 40);
        let x = random(n * dim, 2);
        let mut last = f64::INFINITY;
        for bits in 1..=8 {
            let r = Rabitq::train(&x, dim, bits, 5);
            let chunk = r.encode(&x);
            assert_eq!(chunk.len(), r.chunk_len(n));
            let mut back = Vec::new();
            (0..n).for_each(|i| r.decode_row(&chunk, n, i, &mut back));
            let e: f64 = x.iter().zip(&back).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
            // 1 bit: sqrt(1 - 2/π) of the residual; each further bit about halves it.
            assert!(e < 0.62 * last, "{bits} bits: {last} -> {e}");
            last = e;
        }
        let size: f64 = x.iter().map(|v| f64::from(v - 0.3).powi(2)).sum::<f64>().sqrt();
        assert!(last < 0.012 * size, "{last} of {size}");
    }

    #[test]
    fn estimates_are_unbiased_and_tight() {
        let (dim, n) = (128, 60);
        let x = random(n * dim, 3);
        for bits in [1, 2, 4, 7] {
            let r = Rabitq::train(&x, dim, bits, 6);
            let chunk = r.encode(&x);
            let (mut bias, mut square, mut coarse_square) = (0.0, 0.0, 0.0);
            for query in 0..20 {
                let q = random(dim, 100 + query);
                let p = r.prepare(&q);
                let mut coarse = Vec::new();
                r.scan(&p, &chunk, n, &mut coarse);
                for (i, x) in x.chunks_exact(dim).enumerate() {
                    let e = f64::from(r.refine(&p, &chunk, n, i)) - dot(&q, x);
                    bias += e;
                    square += e * e;
                    coarse_square += (f64::from(coarse[i]) - dot(&q, x)).powi(2);
                }
            }
            let count = 20.0 * n as f64;
            let (rms, coarse) = ((square / count).sqrt(), (coarse_square / count).sqrt());
            // Of the order |q| |r| sqrt((1 - 2/π) / (2/π)) / sqrt(D) for signs, a half for each further bit.
            let signs = dot(&random(dim, 100), &random(dim, 100)).sqrt() * 0.577 * 0.76;
            assert!(rms < 1.4 * signs / f64::from(1u32 << (bits - 1)), "{bits}: {rms} against {signs}");
            assert!(coarse < 1.4 * signs, "{bits}: {coarse}");
            assert!((bias / count).abs() < 4.0 * rms / count.sqrt() + 0.02 * signs, "{bits}: {bias}");
        }
    }

    #[test]
    fn rows_equal_to_the_mean_are_exact() {
        let x = vec![0.25f32; 3 * 7];
        for bits in [1, 5] {
            let r = Rabitq::train(&x, 7, bits, 1);
            let chunk = r.encode(&x);
            let mut back = Vec::new();
            (0..3).for_each(|i| r.decode_row(&chunk, 3, i, &mut back));
            assert_eq!(back, x);
        }
    }
}
