//! Do steps add up in one direction? A randomisation test that needs no covariance matrix.
//!
//! Without drift a step and its opposite are equally likely, so flipping the signs of whole
//! steps gives the law of `T = |sum r_i|^2 / sum |r_i|^2` in any number of dimensions.

use super::gram::gram;
use super::rng::Random;

/// The least number of steps that the test takes.
pub(crate) const MIN_STEPS: usize = 8;
/// Up to this many steps all sign patterns are counted.
const EXHAUSTIVE: usize = 9;
/// Sign patterns evaluated side by side.
const BATCH: usize = 64;
/// Above this many steps the matrix of inner products is not formed.
const MAX_GRAM: usize = 512;
/// Flipped statistics this close below the observed one count as equal: sums differ in their last digits.
const TIE: f64 = 1e-9;

/// Statistic and p-value.
pub(crate) struct SignFlip {
    pub statistic: f64,
    pub p_value: f64,
}

/// Tests the steps `r` (row-major, `dim` each). `None` with fewer than [`MIN_STEPS`] of them, no
/// flips asked for, or when none has a length.
pub(crate) fn test(r: &[f64], dim: usize, flips: usize, seed: u64, entity: u64) -> Option<SignFlip> {
    let n = r.len() / dim;
    if n < MIN_STEPS || flips == 0 {
        return None;
    }
    let total: f64 = r.iter().map(|v| v * v).sum();
    if total == 0.0 {
        return None;
    }
    let form = if n <= MAX_GRAM { Form::Gram(gram(r, dim)) } else { Form::Rows(r, dim) };
    let observed = form.squared_sums(&vec![1.0; n * BATCH], n)[0];
    let mut exceed = 0usize;
    let mut count = |signs: &[f64], used: usize| {
        let sums = form.squared_sums(signs, n);
        exceed += sums[..used].iter().filter(|&&s| s >= observed - TIE * total).count();
    };
    let p_value = if n <= EXHAUSTIVE {
        let all = 1usize << n;
        each_batch(all, |start, used| {
            count(&signs(n, used, |i, b| ((start + b) >> i) & 1 == 1), used);
        });
        exceed as f64 / all as f64
    } else {
        let mut random = Random::new(seed, "drift sign flips", entity);
        each_batch(flips, |_, used| {
            let mut bits = vec![0u64; n.div_ceil(64) * used];
            bits.iter_mut().for_each(|w| *w = random.bits());
            let words = n.div_ceil(64);
            count(&signs(n, used, |i, b| (bits[b * words + i / 64] >> (i % 64)) & 1 == 1), used);
        });
        (1 + exceed) as f64 / (1 + flips) as f64
    };
    Some(SignFlip { statistic: observed / total, p_value })
}

/// Calls `f(start, length)` for consecutive runs of at most [`BATCH`].
fn each_batch(total: usize, mut f: impl FnMut(usize, usize)) {
    let mut start = 0;
    while start < total {
        let used = (total - start).min(BATCH);
        f(start, used);
        start += used;
    }
}

/// Signs of `n` steps (rows) in [`BATCH`] patterns (columns); columns beyond `used` are plus.
fn signs(n: usize, used: usize, flip: impl Fn(usize, usize) -> bool) -> Vec<f64> {
    let mut out = vec![1.0; n * BATCH];
    for i in 0..n {
        for b in 0..used {
            if flip(i, b) {
                out[i * BATCH + b] = -1.0;
            }
        }
    }
    out
}

/// How `|sum s_i r_i|^2` is computed.
enum Form<'a> {
    /// From the n x n inner products.
    Gram(Vec<f64>),
    /// From the steps themselves.
    Rows(&'a [f64], usize),
}

impl Form<'_> {
    /// `|sum s_i r_i|^2` for each column of `signs`.
    fn squared_sums(&self, signs: &[f64], n: usize) -> [f64; BATCH] {
        match self {
            Form::Gram(g) => from_gram(g, signs, n),
            Form::Rows(r, dim) => from_rows(r, *dim, signs),
        }
    }
}

fn from_gram(g: &[f64], signs: &[f64], n: usize) -> [f64; BATCH] {
    let mut out = [0.0; BATCH];
    for i in 0..n {
        let mut below = [0.0; BATCH];
        for (j, row) in signs.chunks_exact(BATCH).take(i).enumerate() {
            let w = 2.0 * g[i * n + j];
            below.iter_mut().zip(row).for_each(|(a, &s)| *a += w * s);
        }
        let row = &signs[i * BATCH..(i + 1) * BATCH];
        for ((o, b), &s) in out.iter_mut().zip(&below).zip(row) {
            *o += g[i * n + i] + s * b;
        }
    }
    out
}

fn from_rows(r: &[f64], dim: usize, signs: &[f64]) -> [f64; BATCH] {
    let mut out = [0.0; BATCH];
    let mut sums = vec![0.0; dim * BATCH];
    for (x, s) in r.chunks_exact(dim).zip(signs.chunks_exact(BATCH)) {
        for (sum, &v) in sums.chunks_exact_mut(BATCH).zip(x) {
            sum.iter_mut().zip(s).for_each(|(a, &sign)| *a += sign * v);
        }
    }
    for sum in sums.chunks_exact(BATCH) {
        out.iter_mut().zip(sum).for_each(|(o, &v)| *o += v * v);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, dim: usize, drift: f64, id: u64) -> Vec<f64> {
        let mut random = Random::new(5, "test", id);
        (0..n * dim).map(|_| random.normal() + drift).collect()
    }

    #[test]
    fn both_forms_agree() {
        let (n, dim) = (20, 7);
        let r = noise(n, dim, 0.0, 0);
        let mut random = Random::new(1, "signs", 0);
        let s: Vec<f64> = (0..n * BATCH).map(|_| if random.bits() & 1 == 0 { 1.0 } else { -1.0 }).collect();
        let (a, b) = (from_gram(&gram(&r, dim), &s, n), from_rows(&r, dim, &s));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-9 * b.max(1.0)));
    }

    #[test]
    fn a_common_direction_is_significant_and_eight_equal_steps_reach_the_least_p() {
        let r = vec![1.0; 8];
        let t = test(&r, 1, 999, 0, 0).unwrap();
        assert_eq!((t.statistic, t.p_value), (8.0, 2.0 / 256.0));
        assert_eq!(test(&noise(30, 5, 1.0, 1), 5, 999, 0, 0).unwrap().p_value, 0.001);
    }

    #[test]
    fn p_is_uniform_without_drift() {
        let hits = (0..400).filter(|&id| test(&noise(12, 3, 0.0, id), 3, 199, 0, id).unwrap().p_value <= 0.1);
        let share = hits.count() as f64 / 400.0;
        assert!((0.055..0.145).contains(&share), "{share}");
    }

    #[test]
    fn nothing_to_test() {
        assert!(test(&[0.0; 10], 1, 99, 0, 0).is_none());
        assert!(test(&[1.0; 7], 1, 99, 0, 0).is_none());
        assert!(test(&[1.0; 10], 1, 0, 0, 0).is_none());
    }
}
