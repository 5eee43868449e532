//! Values among the last ones of their kind: ranks as normal scores, and tails beyond them.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Values that are kept.
const KEPT: usize = 400;
/// Fewer values than this give no score, and fewer than [`LEAST_TAIL`] no tail.
const LEAST: usize = 10;
pub(super) const LEAST_TAIL: usize = 40;

/// The last values of a stream, in the order of their coming and sorted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "VecDeque<f64>", into = "VecDeque<f64>")]
pub(super) struct Ranks {
    ring: VecDeque<f64>,
    sorted: Vec<f64>,
}

impl From<VecDeque<f64>> for Ranks {
    fn from(ring: VecDeque<f64>) -> Self {
        let mut sorted: Vec<f64> = ring.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        Ranks { ring, sorted }
    }
}

impl From<Ranks> for VecDeque<f64> {
    fn from(ranks: Ranks) -> Self {
        ranks.ring
    }
}

impl Ranks {
    pub fn push(&mut self, x: f64) {
        if self.ring.len() == KEPT
            && let Some(old) = self.ring.pop_front()
        {
            let i = self.sorted.partition_point(|v| v.total_cmp(&old).is_lt());
            self.sorted.remove(i.min(KEPT - 1));
        }
        let i = self.sorted.partition_point(|v| v.total_cmp(&x).is_lt());
        self.sorted.insert(i, x);
        self.ring.push_back(x);
    }

    /// The normal score of `x` among the kept values; `None` while they are few. Of independent
    /// values of one distribution, whatever it is, these scores are independent and normal, up to
    /// their resolution (sequential ranks: Parent 1965; McDonald 1990).
    pub fn score(&self, x: f64) -> Option<f64> {
        let n = self.sorted.len();
        if n < LEAST {
            return None;
        }
        let below = self.sorted.partition_point(|v| *v < x);
        let up_to = self.sorted.partition_point(|v| *v <= x);
        let rank = (below + up_to) as f64 / 2.0;
        Some(normal_quantile((rank + 0.5) / (n as f64 + 1.0)))
    }

    /// `-ln` of the chance to lie as far from the median as `x`, on either side. Beyond the outer
    /// sixteenth of its side the tail is taken to be a power law (Hill 1975), whose exponent has a
    /// gamma belief: the predictive tail of few values is wider than that of many.
    pub fn tail(&self, x: f64) -> f64 {
        let (a, n) = (&self.sorted, self.sorted.len());
        if n < LEAST_TAIL {
            return 0.0;
        }
        let (middle, k) = (a[n / 2], (n / 16).max(8));
        let outer = |i: usize| if x > middle { a[n - 1 - i] - middle } else { middle - a[i] };
        // Two values at four times the bound are the prior of the exponent.
        pareto((x - middle).abs(), k, outer, (2.0, 0.5)).map_or(0.0, |p| (n as f64 / (2 * k) as f64).ln() + p)
    }

    /// As [`Ranks::tail`], of positive values and upwards only.
    pub fn upper_tail(&self, x: f64) -> f64 {
        let (a, n) = (&self.sorted, self.sorted.len());
        if n < LEAST_TAIL {
            return 0.0;
        }
        let k = (n / 10).max(8);
        pareto(x, k, |i| a[n - 1 - i], (0.0, 1e-9)).map_or(0.0, |p| (n as f64 / k as f64).ln() + p)
    }

    /// How many values the upper tenth has, and the sum of what they exceed its bound by.
    pub fn top_excess(&self) -> (f64, f64) {
        let (a, n) = (&self.sorted, self.sorted.len());
        let k = n / 10;
        if k == 0 {
            return (0.0, 0.0);
        }
        let bound = a[n - 1 - k];
        (k as f64, a[n - k..].iter().map(|v| v - bound).sum())
    }
}

/// `-ln` of the predictive chance to exceed `x`, given that the bound `outer(k)` is exceeded;
/// `None` when it is not.
fn pareto(x: f64, k: usize, outer: impl Fn(usize) -> f64, prior: (f64, f64)) -> Option<f64> {
    let bound = outer(k);
    if bound <= 0.0 || x <= bound {
        return None;
    }
    let sum: f64 = (0..k).map(|i| (outer(i) / bound).ln()).sum::<f64>() + prior.1;
    Some((k as f64 + prior.0) * ((x / bound).ln() / sum).ln_1p())
}

/// The quantile of the normal distribution, relative error below 1.2e-9 (Acklam 2003).
pub(super) fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] =
        [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    let horner = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p < 0.02425 {
        let q = (-2.0 * p.max(f64::MIN_POSITIVE).ln()).sqrt();
        return horner(&C, q) / horner(&D, q);
    }
    let q = p - 0.5;
    horner(&A, q * q) * q / horner(&B, q * q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_tables() {
        for (p, z) in
            [(0.5, 0.0), (0.975, 1.959963984540054), (0.001, -3.090232306167813), (1e-6, -4.753424308822899)]
        {
            assert!((normal_quantile(p) - z).abs() < 1e-8, "{p}");
        }
    }

    #[test]
    fn ranks_follow_the_last_values_and_ties_share_the_middle() {
        let mut ranks = Ranks::default();
        assert_eq!(ranks.score(1.0), None);
        (0..KEPT + 100).for_each(|i| ranks.push(i as f64));
        assert_eq!(ranks.sorted.len(), KEPT);
        assert_eq!(ranks.score(99.5 + KEPT as f64 / 2.0), Some(0.0));
        assert!(ranks.score(-1.0).unwrap() < -2.9 && ranks.score(1e9).unwrap() > 2.9);
        let again: Ranks = serde_json::from_str(&serde_json::to_string(&ranks).unwrap()).unwrap();
        assert_eq!((again.ring, again.sorted), (ranks.ring, ranks.sorted));
        let mut flat = Ranks::default();
        (0..50).for_each(|_| flat.push(2.0));
        assert_eq!((flat.score(2.0), flat.tail(2.0), flat.tail(3.0)), (Some(0.0), 0.0, 0.0));
    }

    #[test]
    fn tails_of_a_power_law_are_exponential() {
        // Exact quantiles of a Pareto law with exponent 3, on both sides of zero.
        let mut ranks = Ranks::default();
        for i in 0..KEPT / 2 {
            let q = ((i as f64 + 0.5) / (KEPT / 2) as f64).powf(-1.0 / 3.0);
            ranks.push(q);
            ranks.push(-q);
        }
        for x in [5.0, 10.0, 40.0f64] {
            let (found, wanted) = (ranks.tail(x), 3.0 * x.ln());
            assert!((found / wanted - 1.0).abs() < 0.35, "{x}: {found} {wanted}");
        }
    }
}
