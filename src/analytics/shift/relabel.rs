//! The p-value of a distance, by relabelling whole units.
//!
//! Units with points in one period change places with one another, units in both swap their sides.

use super::super::rng::Random;
use super::parts::{Moments, Parts};

/// Up to this many labellings all are counted.
const ALL: f64 = 5_000.0;
/// Masks of units are held in 128 bits.
const MASK_BITS: usize = 120;
/// After this many labellings that differ as much the answer is known well enough: its standard error
/// is a seventh of it, whatever it is (Besag and Clifford 1991).
const ENOUGH: usize = 50;
/// Moments this close below the observed ones count as equal: sums differ in their last digits.
const TIE: f64 = 1e-9;
/// Where not even the most extreme labelling reaches this, there is no test.
const LEAST: f64 = 0.05;

/// The share of labellings whose studentised distance is at least the observed one; `None` when even
/// the largest possible one would have p > 0.05.
pub(super) fn p_value(parts: &Parts, seen: &Moments, draws: usize, seed: u64, entity: u64) -> Option<f64> {
    let [a, b] = parts.own;
    let choices = choose(a + b, a) * 2.0f64.powi(parts.both.min(1000) as i32);
    let alike = if a == b { 2.0 } else { 1.0 };
    if alike / choices > LEAST {
        return None;
    }
    let as_far = |m: &Moments| m.squared * seen.noise >= seen.squared * m.noise * (1.0 - TIE);
    if choices <= ALL && a + b <= MASK_BITS {
        return Some(counted(parts, &as_far));
    }
    let mut random = Random::new(seed, "drift periods", entity);
    let mut order: Vec<usize> = (0..a + b).collect();
    let (mut inside, mut pairs) = (Vec::new(), Vec::new());
    let mut exceed = 0;
    for drawn in 1..=draws {
        for k in 0..a {
            let other = k + random.below(a + b - k);
            order.swap(k, other);
        }
        inside.clear();
        inside.extend_from_slice(&order[..a]);
        pairs.clear();
        let mut bits = 0;
        for k in 0..parts.both {
            if k % 64 == 0 {
                bits = random.bits();
            }
            pairs.push(side(parts, k, bits >> (k % 64) & 1 == 1));
        }
        inside.extend(pairs.iter().map(|p| p.0));
        exceed += usize::from(as_far(&parts.moments(&inside, &pairs)));
        if exceed == ENOUGH {
            return Some(ENOUGH as f64 / drawn as f64);
        }
    }
    Some((exceed + 1) as f64 / (draws + 1) as f64)
}

/// All labellings.
fn counted(parts: &Parts, as_far: &dyn Fn(&Moments) -> bool) -> f64 {
    let [a, b] = parts.own;
    let (mut exceed, mut all) = (0u32, 0u32);
    let mut mask: u128 = (1 << a) - 1;
    loop {
        let own: Vec<usize> = (0..a + b).filter(|i| mask >> i & 1 == 1).collect();
        for swaps in 0..1u64 << parts.both {
            let pairs: Vec<_> = (0..parts.both).map(|k| side(parts, k, swaps >> k & 1 == 1)).collect();
            let inside: Vec<usize> = own.iter().copied().chain(pairs.iter().map(|p| p.0)).collect();
            exceed += u32::from(as_far(&parts.moments(&inside, &pairs)));
            all += 1;
        }
        // The next larger mask with as many bits (Gosper); none is left of an empty or full one.
        if mask == 0 {
            break;
        }
        let low = mask & mask.wrapping_neg();
        let carried = mask + low;
        mask = (((carried ^ mask) >> 2) / low) | carried;
        if mask >> (a + b) != 0 {
            break;
        }
    }
    f64::from(exceed) / f64::from(all)
}

fn side(parts: &Parts, k: usize, swapped: bool) -> (usize, usize) {
    let (i, j) = parts.pair(k);
    if swapped { (j, i) } else { (i, j) }
}

/// `n` over `k`, rounded, or infinite.
fn choose(n: usize, k: usize) -> f64 {
    (0..k.min(n - k)).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64)
}
