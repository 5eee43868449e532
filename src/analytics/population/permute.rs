//! P-values by relabelling, with the number of labellings that the p-value needs and bounded work.

use super::labels::{BATCH, Labels};
use crate::analytics::rng::Random;

/// Drawing stops when this many relabelled statistics are as large (Besag and Clifford 1991):
/// the standard error of the p-value is then a seventh of it.
const ENOUGH: usize = 50;
/// Multiplications that a test may take, and the labellings that it draws in any case.
const WORK: usize = 500_000_000;
const LEAST: usize = 999;
/// Fewer relabelled statistics as large than this: the tail is looked at.
const FEW: usize = 10;
/// The share of the draws that stand for the tail.
const TAIL: usize = 20;
/// The tail of a weighted sum of chi-square variables falls at a rate that is at least this part
/// of its rate above the upper 5 % (the worst case, one degree of freedom, has .87).
const SLACK: f64 = 0.85;

/// How many labellings are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// At most; p-values down to one over this plus one.
    pub most: usize,
    /// Stop earlier where the work is too large, and bound the p-value by the tail of the draws.
    pub tail: bool,
    /// Multiplications of one labelling.
    pub cost: usize,
}

/// What relabelling gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    pub p_value: f64,
    /// Labellings that were drawn.
    pub drawn: usize,
    /// The least p-value that could have come out.
    pub least_p: f64,
    /// Mean of the relabelled statistics.
    pub centre: f64,
}

/// Compares `observed` with `values` of random labellings; larger is more extreme, and what lies
/// within `tie` is as large.
pub(crate) fn p_value(
    observed: f64,
    tie: f64,
    labels: &Labels<'_>,
    random: &mut Random,
    plan: Plan,
    values: impl Fn(&[f64]) -> [f64; BATCH],
) -> Outcome {
    let affordable = (WORK / plan.cost.max(1)).max(LEAST);
    let limit = if plan.tail { plan.most.min(affordable) } else { plan.most };
    let (mut drawn, mut exceed) = (Vec::new(), 0);
    while drawn.len() < limit && exceed < ENOUGH {
        let used = (limit - drawn.len()).min(BATCH);
        for &v in &values(&labels.permuted(random, used))[..used] {
            // The batch's rest is not looked at once the p-value is settled.
            if exceed < ENOUGH {
                drawn.push(v);
                exceed += usize::from(v >= observed - tie);
            }
        }
    }
    let n = drawn.len();
    let least_p = labels.least_p().max(1.0 / (plan.most + 1) as f64);
    let mut p_value = if exceed >= ENOUGH && n < limit {
        exceed as f64 / n as f64
    } else {
        (1 + exceed) as f64 / (1 + n) as f64
    };
    let centre = drawn.iter().sum::<f64>() / n.max(1) as f64;
    if n < plan.most && exceed < FEW && n == limit {
        p_value = p_value.min(tail_bound(&mut drawn, observed).max(least_p));
    }
    Outcome { p_value, drawn: n, least_p, centre }
}

/// An upper bound of the chance of a value of `observed` or more: an exponential tail whose rate
/// is the lower confidence limit (95 %) of the rate above the upper 5 % of the draws, times
/// [`SLACK`].
fn tail_bound(drawn: &mut [f64], observed: f64) -> f64 {
    drawn.sort_unstable_by(|a, b| b.total_cmp(a));
    let k = drawn.len() / TAIL;
    let Some(&from) = drawn.get(k) else { return 1.0 };
    let excess = drawn[..k].iter().map(|v| v - from).sum::<f64>() / k.max(1) as f64;
    let share = k as f64 / drawn.len() as f64;
    if k == 0 || observed <= from || excess <= 0.0 {
        return 1.0;
    }
    let rate = SLACK * (1.0 - 1.645 / (k as f64).sqrt()).max(0.0) / excess;
    share * (-rate * (observed - from)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_bound_lies_above_the_tail_of_chi_square_sums() {
        let mut random = Random::new(1, "tail", 0);
        for df in [1usize, 2, 5, 50] {
            let sum = |r: &mut Random| (0..df).map(|_| r.normal().powi(2)).sum::<f64>();
            // The chance of 1e-4 and of 1e-6, from scipy.stats.chi2.isf.
            let (far, farther) = match df {
                1 => (15.136705, 23.928127),
                2 => (18.420681, 27.631021),
                5 => (25.744832, 35.888187),
                _ => (95.968740, 112.608092),
            };
            for _ in 0..20 {
                let mut drawn: Vec<f64> = (0..1999).map(|_| sum(&mut random)).collect();
                let (a, b) = (tail_bound(&mut drawn, far), tail_bound(&mut drawn, farther));
                assert!((1e-4..1e-2).contains(&a), "{df}: {a}");
                assert!((1e-6..a).contains(&b), "{df}: {b}");
            }
        }
    }
}
