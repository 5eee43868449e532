//! Centres of the inverted lists: k-means over 8-bit codes.

use super::sq8::{self, Terms};
use crate::simd::int8::Int8;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

/// Rounds of k-means; the lists only have to be good, not optimal.
const ROUNDS: usize = 8;
/// Training rows a centre.
const SAMPLE: usize = 48;

/// Codes of rows, in memory.
#[derive(Debug, Clone, Copy)]
pub struct Codes<'a> {
    /// Integers, `padded` a row.
    pub values: &'a [i8],
    /// Scale and norm of each row.
    pub terms: &'a [Terms],
    /// Values a row.
    pub padded: usize,
}

impl<'a> Codes<'a> {
    /// The integers of row `i`.
    #[inline]
    pub fn row(&self, i: usize) -> &'a [i8] {
        &self.values[i * self.padded..(i + 1) * self.padded]
    }

    /// Squared distance of rows `i` and `j`.
    #[inline]
    pub fn squared(&self, kernel: Int8, i: usize, j: usize) -> f32 {
        sq8::squared(self.terms[i], self.terms[j], kernel.dot(self.row(i), self.row(j)))
    }
}

/// Centres, coded as rows are.
#[derive(Debug, Clone)]
pub struct Centres {
    /// Integers, `padded` a centre.
    pub values: Vec<i8>,
    /// Scale and norm of each centre.
    pub terms: Vec<Terms>,
    /// Values a centre.
    pub padded: usize,
}

impl Centres {
    /// k-means over `rows` (ordinals of `codes`) with at most `count` centres.
    pub fn train(codes: Codes<'_>, rows: &[u32], count: usize, seed: u64) -> Centres {
        let sample = sample(rows, count.saturating_mul(SAMPLE), seed);
        let count = count.clamp(1, sample.len().max(1));
        let mut centres = Centres { values: Vec::new(), terms: Vec::new(), padded: codes.padded };
        for i in 0..count {
            match sample.get(i * sample.len() / count) {
                Some(row) => centres.push(codes.row(*row as usize), codes.terms[*row as usize]),
                None => centres.push(&vec![0; codes.padded], Terms::default()),
            }
        }
        for _ in 0..ROUNDS {
            let nearest = centres.assign::<1>(codes, &sample);
            centres.update(codes, &sample, &nearest);
        }
        centres
    }

    /// The codes of the centres.
    pub fn codes(&self) -> Codes<'_> {
        Codes { values: &self.values, terms: &self.terms, padded: self.padded }
    }

    /// Number of centres.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    fn push(&mut self, code: &[i8], terms: Terms) {
        self.values.extend_from_slice(code);
        self.terms.push(terms);
    }

    /// The `F` nearest centres of each of `rows`, nearest first; repeated where there are fewer.
    pub fn assign<const F: usize>(&self, codes: Codes<'_>, rows: &[u32]) -> Vec<[u32; F]> {
        let kernel = Int8::detect();
        rows.par_chunks(256)
            .flat_map_iter(|chunk| {
                let mut dots = vec![0; self.len()];
                chunk
                    .iter()
                    .map(|row| {
                        let row = *row as usize;
                        kernel.dot_slab(codes.row(row), &self.values, &mut dots);
                        nearest::<F>(codes.terms[row], &self.terms, &dots)
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Moves each centre to the mean of its rows; one without rows stays.
    fn update(&mut self, codes: Codes<'_>, rows: &[u32], nearest: &[[u32; 1]]) {
        let mut members = vec![Vec::new(); self.len()];
        for (row, [centre]) in rows.iter().zip(nearest) {
            members[*centre as usize].push(*row);
        }
        let padded = self.padded;
        self.values.par_chunks_mut(padded).zip(&mut self.terms).zip(&members).for_each(
            |((code, terms), members)| {
                if members.is_empty() {
                    return;
                }
                let mut mean = vec![0.0f32; padded];
                for row in members {
                    let scale = codes.terms[*row as usize].scale;
                    for (m, c) in mean.iter_mut().zip(codes.row(*row as usize)) {
                        *m += f32::from(*c) * scale;
                    }
                }
                mean.iter_mut().for_each(|m| *m /= members.len() as f32);
                *terms = sq8::encode(&mean, code);
            },
        );
        self.use_coded_norms();
    }

    /// Makes the norms those of the codes: residuals are taken from what the code stands for.
    fn use_coded_norms(&mut self) {
        for (code, terms) in self.values.chunks_exact(self.padded).zip(&mut self.terms) {
            terms.norm2 = sq8::coded_norm2(code, *terms) as f32;
        }
    }
}

/// The `F` nearest by (distance, number), from dot products.
fn nearest<const F: usize>(row: Terms, centres: &[Terms], dots: &[i32]) -> [u32; F] {
    let mut best = [(f32::INFINITY, 0u32); F];
    for (i, (centre, dot)) in centres.iter().zip(dots).enumerate() {
        let d = sq8::squared(row, *centre, *dot);
        if d < best[F - 1].0 {
            let at = best.partition_point(|b| b.0 <= d);
            best[at..].rotate_right(1);
            best[at] = (d, i as u32);
        }
    }
    // Fewer centres than F: the nearest again.
    best.map(|(d, i)| if d.is_finite() { i } else { best[0].1 })
}

/// At most `count` of `rows`, in their order, by a seeded choice.
pub fn sample(rows: &[u32], count: usize, seed: u64) -> Vec<u32> {
    if rows.len() <= count {
        return rows.to_vec();
    }
    // One from each of `count` equal stretches: spread over time, and sorted already.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..count)
        .map(|i| {
            let (from, to) = (i * rows.len() / count, (i + 1) * rows.len() / count);
            rows[rng.random_range(from..to.max(from + 1))]
        })
        .collect()
}
