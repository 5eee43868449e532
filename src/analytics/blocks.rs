//! How many neighbouring points remember one another, and blocks of points that do not.
//!
//! Tests that relabel or flip single points take them for independent. Points of a trajectory rarely
//! are. Blocks of consecutive points with a gap between them are, as soon as the gap is longer than
//! the memory: what is left between two blocks falls with the autocorrelation at the gap, where
//! blocks without gaps keep a share of one over their length. Few long blocks cost little power, since
//! only the noise is estimated from fewer of them (Canay, Romano and Shaikh 2017).

use super::geometry::dot;
use super::gram::Gram;
use std::ops::Range;

/// Blocks of the shorter series that points without memory are gathered into. `scripts/truth_wide/drift.py`:
/// with 12, a move found in 80 % by single points is found in 75 %, and memory that is too weak to be
/// seen does no harm.
const BLOCKS: usize = 12;
/// Autocorrelation below this many standard errors counts as none. One: a gap too many costs a little
/// power, a gap too few the level. Found with first-order memory of 0.3 to 0.8 in 1 to 384 dimensions.
const STANDARD_ERRORS: f64 = 1.0;
/// Bounds of what counts as none, whatever its standard error.
const NEGLIGIBLE: (f64, f64) = (0.02, 0.2);
/// Up to this lag every lag is looked at, then one in each quarter more.
const EVERY_LAG: usize = 8;
/// Rows that the number of effective dimensions is estimated from.
const SPECTRUM_ROWS: usize = 128;

/// Blocks of `len` points with `gap` points between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Points of a block, at least 1.
    pub len: usize,
    /// Points left out between two blocks.
    pub gap: usize,
}

impl Layout {
    /// How many blocks `n` points hold; their sizes differ by one at most.
    pub(crate) fn count(self, n: usize) -> usize {
        if n == 0 { 0 } else { ((n + self.gap) / (self.len + self.gap)).max(1) }
    }

    /// The blocks of `n` points, in order and spread over all of them.
    pub(crate) fn blocks(self, n: usize) -> Vec<Range<usize>> {
        let count = self.count(n);
        if self.gap == 0 || count < 2 {
            return (0..count).map(|k| k * n / count..(k + 1) * n / count).collect();
        }
        let room = n - self.len;
        let start = |k: usize| k * room / (count - 1);
        (0..count).map(|k| start(k)..start(k) + self.len).collect()
    }
}

/// The layout for series of residuals: each has the mean zero, row-major, `dim` values a point.
///
/// The memory is that of all dimensions together, `sum_t r_t . r_(t+k) / sum_t |r_t|^2`, corrected for
/// the loss by subtracting the mean (Kendall 1954), and counts in points, not in time.
pub(crate) fn layout(residuals: &[&[f64]], dim: usize) -> Layout {
    let lengths: Vec<usize> = residuals.iter().map(|r| r.len() / dim).collect();
    let shortest = lengths.iter().copied().min().unwrap_or(0);
    let base = (shortest / BLOCKS).max(1);
    match memory(residuals, dim, &lengths) {
        0 => Layout { len: base, gap: 0 },
        gap => Layout { len: gap.div_ceil(2).max(base.saturating_sub(gap)), gap },
    }
}

/// The last lag at which points remember one another.
fn memory(residuals: &[&[f64]], dim: usize, lengths: &[usize]) -> usize {
    let points: usize = lengths.iter().sum();
    let total: f64 = residuals.iter().map(|r| dot(r, r)).sum();
    let freedom = points.saturating_sub(lengths.len());
    if total <= 0.0 || freedom < 3 {
        return 0;
    }
    let variance = total / freedom as f64;
    let dims = effective_dims(residuals, dim, freedom);
    let error = STANDARD_ERRORS / (points as f64 * dims).sqrt();
    let none = error.clamp(NEGLIGIBLE.0, NEGLIGIBLE.1);
    let longest = lengths.iter().max().map_or(0, |n| n / 3).max(1);
    let lost = lengths.len() as f64 / points as f64;
    let (mut found, mut lag, mut first) = (0, 1, 0.0);
    while lag <= longest {
        let Some(raw) = at_lag(residuals, dim, lag).map(|r| r / variance) else { break };
        let value = match lag {
            1 => raw + lost * (1.0 + 2.0 * raw.max(0.0)),
            _ => raw + lost * (1.0 + 2.0 * first / (1.0 - first)),
        };
        if value <= none {
            break;
        }
        if lag == 1 {
            first = value.clamp(0.0, 0.9);
        }
        found = lag;
        lag = if lag < EVERY_LAG { lag + 1 } else { lag + lag / 4 };
    }
    found
}

/// Mean inner product of residuals that are `lag` points apart; `None` when there are none.
fn at_lag(residuals: &[&[f64]], dim: usize, lag: usize) -> Option<f64> {
    let (mut sum, mut pairs) = (0.0, 0);
    for r in residuals.iter().filter(|r| r.len() > lag * dim) {
        let n = r.len() / dim - lag;
        sum += dot(&r[..n * dim], &r[lag * dim..]);
        pairs += n;
    }
    (pairs > 0).then(|| sum / pairs as f64)
}

/// `(tr S)^2 / tr S^2` of the covariance S of the residuals: how many dimensions carry their noise.
fn effective_dims(residuals: &[&[f64]], dim: usize, freedom: usize) -> f64 {
    let rows: Vec<&[f64]> = residuals.iter().flat_map(|r| r.chunks_exact(dim)).collect();
    let step = rows.len().div_ceil(SPECTRUM_ROWS).max(1);
    let some: Vec<f64> = rows.iter().step_by(step).flat_map(|r| r.iter().copied()).collect();
    let n = some.len() / dim;
    let gram = Gram::of(&some, dim);
    let (mut trace, mut squares) = (0.0, 0.0);
    for i in 0..n {
        let row = gram.row(i);
        trace += row[i];
        squares += 2.0 * dot(&row[..i], &row[..i]) + row[i] * row[i];
    }
    let nu = if step == 1 { freedom } else { n } as f64;
    let trace = trace / nu;
    let square = trace_of_square(trace, squares / (nu * nu), nu);
    if trace <= 0.0 {
        1.0
    } else {
        (trace * trace / square.max(trace * trace / dim as f64)).clamp(1.0, dim as f64)
    }
}

/// An unbiased `tr S^2` from an estimate of S with `nu` degrees of freedom, for Gaussian noise:
/// `trace` is the estimate's trace, `square` that of its square (Bai and Saranadasa 1996).
pub(crate) fn trace_of_square(trace: f64, square: f64, nu: f64) -> f64 {
    if nu < 2.0 {
        return trace * trace;
    }
    (nu * nu / ((nu - 1.0) * (nu + 2.0)) * (square - trace * trace / nu)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::rng::Random;
    use super::*;

    /// Points with first-order memory `phi`, less their mean.
    fn series(n: usize, dim: usize, phi: f64, id: u64) -> Vec<f64> {
        let mut random = Random::new(11, "blocks", id);
        let mut state: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
        let mut out = Vec::new();
        for _ in 0..n {
            state.iter_mut().for_each(|s| *s = phi * *s + (1.0 - phi * phi).sqrt() * random.normal());
            out.extend_from_slice(&state);
        }
        for d in 0..dim {
            let mean = out.iter().skip(d).step_by(dim).sum::<f64>() / n as f64;
            out.iter_mut().skip(d).step_by(dim).for_each(|v| *v -= mean);
        }
        out
    }

    #[test]
    fn blocks_are_spread_and_do_not_touch() {
        assert_eq!(Layout { len: 2, gap: 0 }.blocks(7), [0..2, 2..4, 4..7]);
        assert_eq!(Layout { len: 2, gap: 3 }.blocks(12), [0..2, 5..7, 10..12]);
        let one = Layout { len: 9, gap: 3 }.blocks(4);
        assert_eq!((one.len(), one[0].clone()), (1, 0..4));
        assert!(Layout { len: 1, gap: 0 }.blocks(0).is_empty());
        for n in 1..60 {
            for (len, gap) in [(1, 0), (1, 4), (3, 2), (7, 7)] {
                let blocks = Layout { len, gap }.blocks(n);
                assert!(
                    blocks.windows(2).all(|w| w[0].end + gap <= w[1].start),
                    "{n} {len} {gap}: {blocks:?}"
                );
                assert!(blocks.last().is_some_and(|b| b.end == n) && blocks[0].start == 0);
            }
        }
    }

    #[test]
    fn memory_is_seen_and_its_absence_too() {
        for dim in [1, 8, 96] {
            let gaps = |phi: f64| -> Vec<usize> {
                let one = |id| layout(&[&series(60, dim, phi, id), &series(90, dim, phi, id + 1)], dim).gap;
                (0..20).map(|k| one(2 * k)).collect()
            };
            let share = |gaps: &[usize], least: usize| gaps.iter().filter(|g| **g >= least).count();
            assert!(share(&gaps(0.0), 1) <= 8, "{dim}: {:?}", gaps(0.0));
            assert!(share(&gaps(0.6), 2) >= 18, "{dim}: {:?}", gaps(0.6));
        }
        assert_eq!(layout(&[&[0.0; 30], &[0.0; 90]], 1), Layout { len: 2, gap: 0 });
        assert_eq!(layout(&[&[0.0; 2], &[0.0; 1]], 1), Layout { len: 1, gap: 0 });
    }
}
