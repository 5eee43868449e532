//! Is what the search found a jump? The second opinion that noise of varying loudness, outliers and
//! curves do not pass.
//!
//! The search measures all rows by one scale of noise, so noise that grows louder gains from splits
//! without a change of level, and a bent path gains from steps. A change between two stretches is
//! kept when, at some width h, both hold:
//!
//! - The pairs `d_k = x_{b+k} - x_{b-1-k}`, k < h, share a direction. Without a change their signs are
//!   free, however loud each row is, so the cosines between them have mean 0 and variance `1 / d_eff`
//!   (spatial signs: Oja 2010; without a change under any loudness: Wang, Peng and Li 2015).
//! - What they share is larger than what pairs at the same distance inside the two stretches share:
//!   a line, a curve or a walk moves there as much as at the change.

use super::noise::Shape;
use super::series::Series;
use crate::analytics::geometry::dot;

/// Largest number of pairs on which a change is judged.
const MAX_PAIRS: usize = 512;
/// Mean cosine of pairs that is enough for any number of directions.
const ALIGNED: f64 = 0.5;
/// Normal quantile of the ratio that two movements of one kind exceed in about 5 of 100 pairs.
const RATIO_QUANTILE: f64 = 1.645;
/// Least ratio of the movement at a change to that inside the stretches: a curve moves faster at
/// one place than beside it.
const LEAST_RATIO: f64 = 2.0;

/// Says which changes are jumps.
pub(crate) struct Judge<'a> {
    pub series: &'a Series,
    pub shape: &'a Shape,
    /// A false change passes the test of directions with a probability of about exp(-x).
    pub x: f64,
}

/// What many vectors share.
#[derive(Debug, Clone, Copy)]
struct Shared {
    /// Mean inner product of two of them: the squared length of what they share, without bias.
    square: f64,
    /// Sum of the cosines of all pairs in standard deviations of it, if they share nothing.
    z: f64,
}

impl Judge<'_> {
    /// Removes changes that are no jumps, the weakest of neighbours first.
    pub fn keep_jumps(&self, changes: &mut Vec<usize>) {
        let n = self.series.len();
        loop {
            let edges: Vec<usize> = [0].into_iter().chain(changes.iter().copied()).chain([n]).collect();
            let scores: Vec<f64> = edges.windows(3).map(|w| self.score(w[0], w[1], w[2])).collect();
            let score = |i: Option<usize>| i.and_then(|i| scores.get(i)).copied().unwrap_or(f64::INFINITY);
            // Removing a change lets its neighbours see more: only the weakest goes at once.
            let weak = |i: usize| {
                scores[i] < 1.0 && scores[i] <= score(i.checked_sub(1)) && scores[i] < score(Some(i + 1))
            };
            let kept: Vec<usize> = (0..changes.len()).filter(|&i| !weak(i)).map(|i| changes[i]).collect();
            if kept.len() == changes.len() {
                return;
            }
            *changes = kept;
        }
    }

    /// The evidence for a jump at `b` between the stretches `a..b` and `b..c`; 1 is just enough.
    fn score(&self, a: usize, b: usize, c: usize) -> f64 {
        let most = (b - a).min(c - b).min(MAX_PAIRS);
        if most < 2 {
            // Of a single row there is nothing to say; only --min-segment 1 lets them be.
            return f64::INFINITY;
        }
        let (mut best, mut narrowest) = (f64::NEG_INFINITY, None);
        let mut h = 2;
        while h <= most {
            let jump = self.shared((0..h).map(|k| (b - 1 - k, b + k)), h);
            let direction = jump.z / self.least_z(h);
            if direction < 1.0 {
                best = best.max(direction);
            } else {
                let inside = self.inside(a, b, c, h);
                let ratio = if inside > 0.0 { jump.square / inside / self.ratio() } else { f64::INFINITY };
                narrowest.get_or_insert(ratio * self.ratio().sqrt());
                best = best.max(direction.min(ratio));
            }
            h = if h == most { most + 1 } else { (h * 3 / 2).min(most) };
        }
        // The wider, the more a curve looks like a step: where it is first seen it is a line.
        best.min(narrowest.unwrap_or(f64::INFINITY))
    }

    /// Squared movement inside the stretches on either side of `b`, over as many rows as the pairs
    /// across it span, or over half the longer stretch and more in proportion.
    fn inside(&self, a: usize, b: usize, c: usize, h: usize) -> f64 {
        let (before, after) = (b - a, c - b);
        let left = |w: usize| self.movement(w, |k| (b - w - 1 - k, b - w + k));
        let right = |w: usize| self.movement(w, |k| (b + w - 1 - k, b + w + k));
        let mut most = 0.0f64;
        if 2 * h <= before {
            most = most.max(left(h));
        }
        if 2 * h <= after {
            most = most.max(right(h));
        }
        let width = before.max(after) / 2;
        if width >= h || width < 2 {
            return most;
        }
        let longer = if before > after { left(width) } else { right(width) };
        longer * h as f64 / width as f64
    }

    /// What the pairs of a movement share, less what its own error may have added.
    fn movement(&self, width: usize, pair: impl Fn(usize) -> (usize, usize)) -> f64 {
        let moved = self.shared((0..width).map(pair), width);
        (1.0 - 1.0 / moved.z.max(1.0)) * moved.square
    }

    /// The ratio that two movements of the same size exceed rarely: of squared lengths in `d_eff`
    /// directions, in logarithms (the variance of the logarithm is about `2 / d_eff` each).
    fn ratio(&self) -> f64 {
        (RATIO_QUANTILE * 2.0 / self.shape.d_eff.sqrt()).exp().max(LEAST_RATIO)
    }

    /// The bound on `z` of `m` pairs for independent rows, from that on squared lengths. A mean
    /// cosine of a half is always enough: in few directions the penalty has seen to the rest.
    fn least_z(&self, m: usize) -> f64 {
        let d = self.shape.d_eff;
        let m = m as f64;
        let bound = (self.shape.tail(self.x) - 1.0) * (d / 2.0).sqrt();
        bound.min(ALIGNED * (m * (m - 1.0) * d / 2.0).sqrt())
    }

    /// What the differences of `count` pairs of rows share.
    fn shared(&self, pairs: impl Iterator<Item = (usize, usize)>, count: usize) -> Shared {
        let dim = self.series.dim;
        let (mut sum, mut signs) = (vec![0.0; dim], vec![0.0; dim]);
        let (mut squares, mut moved) = (0.0, 0.0);
        let mut d = vec![0.0; dim];
        for (from, to) in pairs {
            let rows = self.series.row(to).iter().zip(self.series.row(from));
            d.iter_mut().zip(rows).for_each(|(d, (x, y))| *d = x - y);
            let square = dot(&d, &d);
            if square > 0.0 {
                let length = square.sqrt();
                sum.iter_mut().zip(&d).for_each(|(s, v)| *s += v);
                signs.iter_mut().zip(&d).for_each(|(s, v)| *s += v / length);
                squares += square;
                moved += 1.0;
            }
        }
        let m = count as f64;
        let spread = (2.0 * m * (m - 1.0) / self.shape.d_eff).sqrt();
        Shared {
            square: (dot(&sum, &sum) - squares) / (m * (m - 1.0)),
            z: (dot(&signs, &signs) - moved) / spread,
        }
    }
}
