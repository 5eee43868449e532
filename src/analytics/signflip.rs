//! Do steps add up in one direction? A randomisation test that needs no covariance matrix.
//!
//! Without a common direction a step and its opposite are equally likely, so flipping the signs of
//! whole steps gives the law of `T = |sum r_i|^2 / sum |r_i|^2` in any number of dimensions. Steps that
//! remember their predecessors share a direction for a while: then whole blocks of them are flipped,
//! with gaps between (Canay, Romano and Shaikh 2017, and [`super::blocks`]).

use super::blocks;
use super::geometry::dot;
use super::gram::gram;
use super::rng::Random;
use pulp::{Arch, Simd, WithSimd};

/// The least number of steps that the test takes.
pub(crate) const MIN_STEPS: usize = 8;
/// The least number of blocks: with six the smallest p is 1/32.
const MIN_BLOCKS: usize = 6;
/// Up to this many blocks all sign patterns are counted.
const EXHAUSTIVE: usize = 9;
/// Above this many blocks the matrix of inner products is not formed.
const MAX_GRAM: usize = 512;
/// Flipped statistics this close below the observed one count as equal: sums differ in their last digits.
const TIE: f64 = 1e-9;
/// Signs that are looked up together, and words of as many of them.
const GROUP: usize = 4;
const GROUPS_A_WORD: usize = u64::BITS as usize / GROUP;
/// Patterns that the steps themselves are added up for side by side.
const BATCH: usize = 64;

/// Statistic and p-value.
pub(crate) struct SignFlip {
    /// `T` of the single steps.
    pub statistic: f64,
    /// `None` when the steps remember for so long that fewer than [`MIN_BLOCKS`] blocks are left.
    pub p_value: Option<f64>,
    /// Steps from the start of one block to that of the next.
    pub block: usize,
}

/// Tests the steps `r` (row-major, `dim` each). `None` with fewer than [`MIN_STEPS`] of them, no
/// flips asked for, or when none has a length.
pub(crate) fn test(r: &[f64], dim: usize, flips: usize, seed: u64, entity: u64) -> Option<SignFlip> {
    let n = r.len() / dim;
    if n < MIN_STEPS || flips == 0 {
        return None;
    }
    let total = dot(r, r);
    if total == 0.0 {
        return None;
    }
    let mut mean = vec![0.0; dim];
    r.chunks_exact(dim).for_each(|x| mean.iter_mut().zip(x).for_each(|(m, v)| *m += v));
    let statistic = dot(&mean, &mean) / total;
    mean.iter_mut().for_each(|m| *m /= n as f64);
    let residuals: Vec<f64> =
        r.chunks_exact(dim).flat_map(|x| x.iter().zip(&mean).map(|(v, m)| v - m)).collect();
    let layout = blocks::layout(&[&residuals], dim);
    let block = layout.len + layout.gap;
    let blocks = layout.blocks(n);
    if blocks.len() < MIN_BLOCKS {
        return Some(SignFlip { statistic, p_value: None, block });
    }
    if block == 1 {
        return Some(SignFlip { statistic, p_value: Some(flip(r, dim, flips, seed, entity)), block });
    }
    let mut sums = vec![0.0; blocks.len() * dim];
    for (sum, points) in sums.chunks_exact_mut(dim).zip(blocks) {
        for x in r[points.start * dim..points.end * dim].chunks_exact(dim) {
            sum.iter_mut().zip(x).for_each(|(s, v)| *s += v);
        }
    }
    Some(SignFlip { statistic, p_value: Some(flip(&sums, dim, flips, seed, entity)), block })
}

/// How often blocks with random signs add up as far as they do.
fn flip(r: &[f64], dim: usize, flips: usize, seed: u64, entity: u64) -> f64 {
    let n = r.len() / dim;
    let total = dot(r, r);
    let words = n.div_ceil(64);
    let patterns: Vec<u64> = if n <= EXHAUSTIVE {
        (0..1u64 << n).collect()
    } else {
        let mut random = Random::new(seed, "drift sign flips", entity);
        // The first is the one that was observed.
        (0..words).map(|_| 0).chain((0..words * flips).map(|_| random.bits())).collect()
    };
    let sums =
        if n <= MAX_GRAM { from_gram(&gram(r, dim), n, &patterns) } else { from_rows(r, dim, &patterns) };
    let observed = sums[0];
    let exceed = sums.iter().filter(|&&s| s >= observed - TIE * total).count();
    exceed as f64 / sums.len() as f64
}

/// `|sum s_i r_i|^2` for each pattern, from the inner products of n steps; a set bit is a minus.
///
/// A pattern's quadratic form is the sum of the forms of each two groups of signs, which take few
/// values: they are tabulated, and looked up by the patterns.
fn from_gram(g: &[f64], n: usize, patterns: &[u64]) -> Vec<f64> {
    let words = n.div_ceil(64);
    let mut out = vec![0.0; patterns.len() / words];
    let groups = n.div_ceil(GROUP);
    for high in 1..groups {
        for low in 0..high {
            let table = pair_table(g, n, low, high);
            for (o, pattern) in out.iter_mut().zip(patterns.chunks_exact(words)) {
                *o += table[bits(pattern, low) | bits(pattern, high) << GROUP];
            }
        }
    }
    out
}

/// The signs of a group.
fn bits(pattern: &[u64], group: usize) -> usize {
    (pattern[group / GROUPS_A_WORD] >> (group % GROUPS_A_WORD * GROUP)) as usize % (1 << GROUP)
}

/// What two groups of steps add to `|sum s_i r_i|^2`, for all their signs: twice their products,
/// and with its neighbour below each group's own, the first group's with the second one's.
fn pair_table(g: &[f64], n: usize, low: usize, high: usize) -> [f64; 1 << (2 * GROUP)] {
    let at = |i: usize, j: usize| if i < n && j < n { g[i * n + j] } else { 0.0 };
    let sign = |signs: usize, k: usize| if signs >> k & 1 == 1 { -1.0 } else { 1.0 };
    let own = |group: usize, signs: usize| -> f64 {
        let steps = (0..GROUP).flat_map(|i| (0..GROUP).map(move |j| (i, j)));
        let first = group * GROUP;
        steps.map(|(i, j)| sign(signs, i) * sign(signs, j) * at(first + i, first + j)).sum()
    };
    let mut table = [0.0; 1 << (2 * GROUP)];
    for (upper, row) in table.chunks_exact_mut(1 << GROUP).enumerate() {
        // With the upper signs fixed each lower step adds one number, with either sign.
        row[0] = if low + 1 == high { own(high, upper) } else { 0.0 };
        let mut filled = 1;
        for k in 0..GROUP {
            let products = (0..GROUP).map(|i| sign(upper, i) * at(high * GROUP + i, low * GROUP + k));
            let step = 2.0 * products.sum::<f64>();
            let (plus, minus) = row.split_at_mut(filled);
            for (p, m) in plus.iter_mut().zip(minus) {
                *m = *p - step;
                *p += step;
            }
            filled *= 2;
        }
    }
    if (low, high) == (0, 1) {
        let first: [f64; 1 << GROUP] = std::array::from_fn(|signs| own(0, signs));
        for row in table.chunks_exact_mut(1 << GROUP) {
            row.iter_mut().zip(&first).for_each(|(v, f)| *v += f);
        }
    }
    table
}

/// As [`from_gram`], from the steps themselves.
fn from_rows(r: &[f64], dim: usize, patterns: &[u64]) -> Vec<f64> {
    let n = r.len() / dim;
    let words = n.div_ceil(64);
    let mut out = Vec::with_capacity(patterns.len() / words);
    for batch in patterns.chunks(words * BATCH) {
        let mut sums = vec![0.0; dim * BATCH];
        for (i, x) in r.chunks_exact(dim).enumerate() {
            let mut signs = [1.0; BATCH];
            for (s, pattern) in signs.iter_mut().zip(batch.chunks_exact(words)) {
                *s = if pattern[i / 64] >> (i % 64) & 1 == 1 { -1.0 } else { 1.0 };
            }
            Arch::new().dispatch(Add { x, signs: &signs, sums: &mut sums });
        }
        let mut squares = [0.0; BATCH];
        for sums in sums.chunks_exact(BATCH) {
            squares.iter_mut().zip(sums).for_each(|(o, &v)| *o += v * v);
        }
        out.extend(&squares[..batch.len() / words]);
    }
    out
}

/// Adds a step to the sums of all patterns of a batch.
struct Add<'a> {
    x: &'a [f64],
    signs: &'a [f64; BATCH],
    sums: &'a mut [f64],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (sums, x) in self.sums.chunks_exact_mut(BATCH).zip(self.x) {
            for (sum, sign) in sums.iter_mut().zip(self.signs) {
                *sum += sign * x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, dim: usize, drift: f64, id: u64) -> Vec<f64> {
        let mut random = Random::new(5, "test", id);
        (0..n * dim).map(|_| random.normal() + drift).collect()
    }

    #[test]
    fn both_forms_are_the_squared_sum() {
        for (n, dim) in [(8, 3), (20, 7), (63, 2), (70, 5)] {
            let r = noise(n, dim, 0.0, 0);
            let mut random = Random::new(1, "signs", 0);
            let words = n.div_ceil(64);
            let patterns: Vec<u64> = (0..words * (BATCH + 9)).map(|_| random.bits()).collect();
            let (a, b) = (from_gram(&gram(&r, dim), n, &patterns), from_rows(&r, dim, &patterns));
            assert_eq!((a.len(), b.len()), (BATCH + 9, BATCH + 9));
            for ((a, b), pattern) in a.iter().zip(&b).zip(patterns.chunks_exact(words)) {
                let sign = |i: usize| if pattern[i / 64] >> (i % 64) & 1 == 1 { -1.0 } else { 1.0 };
                let sum = |d: usize| (0..n).map(|i| sign(i) * r[i * dim + d]).sum::<f64>();
                let plain: f64 = (0..dim).map(|d| sum(d).powi(2)).sum();
                assert!((a - plain).abs() < 1e-9 * plain.max(1.0), "{n} {dim}: {a} {plain}");
                assert!((b - plain).abs() < 1e-9 * plain.max(1.0), "{n} {dim}: {b} {plain}");
            }
        }
    }

    /// Steps with first-order memory `phi`.
    fn remembering(n: usize, dim: usize, phi: f64, id: u64) -> Vec<f64> {
        let mut random = Random::new(6, "test", id);
        let mut state: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
        let mut next = || {
            state.iter_mut().for_each(|s| *s = phi * *s + (1.0 - phi * phi).sqrt() * random.normal());
            state.clone()
        };
        (0..n).flat_map(|_| next()).collect()
    }

    #[test]
    fn a_common_direction_is_significant_and_eight_equal_steps_reach_the_least_p() {
        let r = vec![1.0; 8];
        let t = test(&r, 1, 999, 0, 0).unwrap();
        assert_eq!((t.statistic, t.p_value, t.block), (8.0, Some(2.0 / 256.0), 1));
        assert!(test(&noise(30, 5, 1.0, 1), 5, 999, 0, 0).unwrap().p_value.unwrap() <= 0.002);
    }

    #[test]
    fn p_is_uniform_without_drift_and_small_no_more_often_with_memory() {
        let small = |r: &dyn Fn(u64) -> Vec<f64>, dim: usize, level: f64| {
            let p = |id| test(&r(id), dim, 199, 0, id).unwrap().p_value;
            (0..400).filter(|&id| p(id).is_some_and(|p| p <= level)).count() as f64 / 400.0
        };
        let share = small(&|id| noise(12, 3, 0.0, id), 3, 0.1);
        assert!((0.055..0.145).contains(&share), "{share}");
        // Single steps would be called in 26 to 100 % here.
        for (n, dim) in [(40, 1), (60, 8), (120, 32)] {
            let share = small(&|id| remembering(n, dim, 0.5, id), dim, 0.05);
            assert!(share <= 0.095, "{n} {dim}: {share}");
        }
    }

    #[test]
    fn nothing_to_test() {
        assert!(test(&[0.0; 10], 1, 99, 0, 0).is_none());
        assert!(test(&[1.0; 7], 1, 99, 0, 0).is_none());
        assert!(test(&[1.0; 10], 1, 0, 0, 0).is_none());
        let turns_once: Vec<f64> = (0..12).map(|i| if i < 6 { 1.0 } else { -1.0 }).collect();
        let t = test(&turns_once, 1, 99, 0, 0).unwrap();
        assert!(t.p_value.is_none() && t.block > 2, "{}", t.block);
    }
}
