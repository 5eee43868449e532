//! Evidence for a change of level within the last points: sums of scores over windows.
//!
//! The scores are about independent and normal with variance 1 while the level stays. For each
//! window w the evidence is the ratio of the marginal likelihoods of "the level changed w points ago,
//! by a jump of variance tau^2 a dimension" and "it did not"; it is averaged over tau and summed over
//! w. That is the posterior odds of the run length (Adams and MacKay, arXiv:0710.3742) for runs of up
//! to 64 points against one long run, but for the hazard; the windows are those of Lai (1995).

use crate::analytics::geometry::dot;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Windows that are looked at, and the longest.
const WINDOWS: [usize; 16] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64];
pub(super) const LONGEST: usize = 64;
/// Points that the spread of a window is learnt over.
const MEMORY: f64 = 1000.0;
/// Independent windows that the prior of a spread, 1, is worth.
const PRIOR_WEIGHT: f64 = 10.0;

/// What the scores are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scores {
    /// One normal score a column.
    Normal,
    /// A direction of length 1, whose square spreads as that of so many columns.
    Direction(f64),
}

/// The last scores, and how the squares of their sums have spread.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sums {
    dim: usize,
    ring: VecDeque<Vec<f32>>,
    spread: [f64; WINDOWS.len()],
    weight: [f64; WINDOWS.len()],
}

/// What the last scores say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    /// `ln` of the sum of likelihood ratios.
    pub log_odds: f64,
    /// The window that says most.
    pub window: usize,
}

impl Sums {
    pub fn new(dim: usize) -> Self {
        Sums { dim, ring: VecDeque::new(), spread: [1.0; WINDOWS.len()], weight: [0.0; WINDOWS.len()] }
    }

    /// Begins with the next point.
    pub fn restart(&mut self) {
        self.ring.clear();
    }

    /// How much more the sums of the longest window vary than those of independent scores.
    pub fn excess(&self) -> f64 {
        let last = WINDOWS.len() - 1;
        if self.weight[last] < 4.0 * LONGEST as f64 { 1.0 } else { self.spread[last] }
    }

    /// Takes in the next scores.
    pub fn push(&mut self, z: &[f64], scores: Scores) -> Evidence {
        self.ring.push_back(z.iter().map(|&v| v as f32).collect());
        if self.ring.len() > LONGEST {
            self.ring.pop_front();
        }
        let d = match scores {
            Scores::Normal => self.dim as f64,
            Scores::Direction(d) => d,
        };
        let jumps: Vec<f64> =
            std::iter::successors(Some(1.0 / d), |t| Some(4.0 * t)).take_while(|t| *t <= 4.0).collect();
        let mut sum = vec![0.0f32; self.dim];
        let (mut terms, mut best) = (Vec::with_capacity(WINDOWS.len() * jumps.len()), (f64::MIN, 1));
        let mut k = 0;
        for (w, row) in (1..).zip(self.ring.iter().rev()) {
            sum.iter_mut().zip(row).for_each(|(s, &v)| *s += v);
            if WINDOWS[k] != w {
                continue;
            }
            let width = w as f64;
            let square = dot(&sum, &sum) / width;
            let raw = if scores == Scores::Normal { square / d } else { square };
            let windows = self.weight[k] * d / width;
            let spread = ((PRIOR_WEIGHT + windows * self.spread[k]) / (PRIOR_WEIGHT + windows)).max(0.3);
            learn((&mut self.spread[k], &mut self.weight[k]), raw, spread);
            k += 1;
            let x = match scores {
                Scores::Normal => raw / spread,
                // One direction by itself says nothing; of few, the square varies less.
                Scores::Direction(_) if w == 1 => continue,
                Scores::Direction(_) => (1.0 + (raw / spread - 1.0) / (1.0 - 1.0 / width).sqrt()).max(0.0),
            };
            for tau in &jumps {
                let r = width * tau;
                let ratio = 0.5 * d * (r / (1.0 + r) * x - r.ln_1p());
                if ratio > best.0 {
                    best = (ratio, w);
                }
                terms.push(ratio - (jumps.len() as f64).ln());
            }
            if k == WINDOWS.len() {
                break;
            }
        }
        let top = terms.iter().copied().fold(0.0, f64::max);
        let total: f64 = terms.iter().map(|t| (t - top).exp()).sum();
        Evidence { log_odds: top + total.max(f64::MIN_POSITIVE).ln(), window: best.1 }
    }
}

/// Follows the mean square of a window; a change that is under way is cut.
fn learn((mean, weight): (&mut f64, &mut f64), raw: f64, spread: f64) {
    *weight = (*weight + 1.0).min(MEMORY);
    *mean += (raw.min(6.0 * spread.max(1.0)) - *mean) / *weight;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evidence_is_the_sum_of_likelihood_ratios() {
        // By hand, for two scores: spread 1 for the first points, tau^2 1 and 4.
        let mut sums = Sums::new(1);
        sums.push(&[1.5], Scores::Normal);
        let found = sums.push(&[2.5], Scores::Normal);
        let normal = |x: f64, v: f64| (-0.5 * x * x / v).exp() / v.sqrt();
        let mut total = 0.0;
        for tau in [1.0, 4.0] {
            total += 0.5 * normal(2.5, 1.0 + tau) / normal(2.5, 1.0);
            // The mean of both, sqrt 2 times.
            let both = 4.0 / 2f64.sqrt();
            total += 0.5 * normal(both, 1.0 + 2.0 * tau) / normal(both, 1.0);
        }
        // The spread of the first window has seen one square of 2.25.
        let spread = (10.0 + 2.25) / 11.0;
        let shrunk = 2.5 / f64::sqrt(spread);
        for tau in [1.0, 4.0] {
            total += 0.5
                * (normal(shrunk, 1.0 + tau) / normal(shrunk, 1.0)
                    - normal(2.5, 1.0 + tau) / normal(2.5, 1.0));
        }
        assert!((found.log_odds - total.ln()).abs() < 1e-6, "{found:?} {}", total.ln());
        assert_eq!(found.window, 2);
    }

    #[test]
    fn a_shift_is_dated_by_its_window() {
        let mut sums = Sums::new(2);
        for i in 0..100 {
            let z = f64::from(i % 2) * 2.0 - 1.0;
            sums.push(&[z, -z], Scores::Normal);
        }
        let mut last = Evidence { log_odds: 0.0, window: 0 };
        for _ in 0..8 {
            last = sums.push(&[2.0, 2.0], Scores::Normal);
        }
        assert!(last.log_odds > 10.0 && (8..=10).contains(&last.window), "{last:?}");
        sums.restart();
        assert!(sums.push(&[0.1, 0.1], Scores::Normal).log_odds < 3.0);
    }
}
