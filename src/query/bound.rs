//! Which f32 results can be skipped: a rigorous filter in front of the exact distances.
//!
//! Every kernel result `s` is brought to one form, `value = s * scale + bonus` with per-row
//! `scale` and `bonus`, that grows with nearness, and a row is skipped only when `value` lies
//! below the query's threshold:
//!
//! | metric | kernel | scale | bonus | value |
//! |---|---|---|---|---|
//! | cosine | `u . x` | `1/\|x\|` | 0 | the cosine |
//! | dot | `u . x` | 1 | `E \|x\|` | at least `q . x / \|q\|` |
//! | l2 | `\|q - x\|^2` | -1 | 0 | the negated square |
//!
//! Here `u` is the query's unit vector in f32, and `E` bounds the error of `u . x / |x|`: the
//! rounding bound of the kernel plus a few units for rounding `u`, `1/|x|` and the products
//! above. Underflow of products stays below that as long as `|x|` lies within `2^±100`; rows
//! outside always pass.

use super::Query;
use crate::metric::{ExactQuery, Metric};
use crate::simd;
use std::cmp::Ordering;

/// A query, ready for the filter and for exact distances.
pub struct Prepared<'a> {
    /// What was asked.
    pub query: &'a Query,
    /// For the exact distances.
    pub exact: ExactQuery<'a>,
    /// What the kernel is given: the unit vector, or for L2 the vector.
    pub vector: Vec<f32>,
    metric: Metric,
    error: f64,
}

impl<'a> Prepared<'a> {
    /// Computes norm, unit vector and error bound.
    pub fn new(query: &'a Query, metric: Metric) -> Self {
        let exact = ExactQuery::new(metric, &query.vector);
        let norm = exact.norm();
        let vector = match metric {
            Metric::L2 => query.vector.clone(),
            _ if norm == 0.0 => query.vector.clone(),
            _ => query.vector.iter().map(|v| (f64::from(*v) / norm) as f32).collect(),
        };
        Prepared { query, exact, vector, metric, error: error_bound(query.vector.len()) }
    }

    /// The threshold that goes with a limit on the distance: a row whose value is below has no
    /// distance of at most `limit`.
    pub fn threshold(&self, limit: f64) -> f32 {
        let reach = self.query.time.map_or(limit, |c| c.reach(limit));
        let value = match self.metric {
            Metric::Cosine => 1.0 - reach - self.error,
            Metric::Dot if self.exact.norm() == 0.0 => f64::NEG_INFINITY,
            Metric::Dot => -reach / self.exact.norm(),
            Metric::L2 if reach < 0.0 => f64::INFINITY,
            Metric::L2 => -(reach * reach * (1.0 + self.error) + SMALLEST),
        };
        // A square that overflows to infinity is not below an infinite threshold.
        (value as f32).next_down()
    }

    /// True when a row at time `t` with this value cannot come within `limit`.
    pub fn excludes(&self, value: f32, t: i64, limit: f64) -> bool {
        let Some(composite) = self.query.time else { return false };
        let value = f64::from(value);
        let lower = match self.metric {
            Metric::Cosine => (1.0 - value - self.error).max(0.0),
            Metric::Dot => -value * self.exact.norm(),
            // An infinite square has overflowed.
            Metric::L2 => {
                let squared = (-value).min(f64::from(f32::MAX)) - SMALLEST;
                (squared.max(0.0) / (1.0 + self.error)).sqrt()
            }
        };
        composite.excludes(lower, t, limit)
    }
}

/// More than what underflow takes from a sum of squares.
const SMALLEST: f64 = 1e-38;

/// The bound `E` of the module's table.
fn error_bound(dim: usize) -> f64 {
    1.001 * simd::rounding_bound(dim) + 8.0 * f64::from(f32::EPSILON)
}

/// The linear form that turns kernel results of a run of rows into values.
#[derive(Default)]
pub struct Form {
    scale: Vec<f32>,
    bonus: Vec<f32>,
}

impl Form {
    /// For rows with these inverse norms; L2 needs only their number.
    pub fn set(&mut self, metric: Metric, inverse_norms: &[f32], dim: usize) {
        self.scale.clear();
        self.bonus.clear();
        let error = error_bound(dim) as f32 * 1.001;
        let pairs = inverse_norms.iter().map(|&inverse| match metric {
            Metric::L2 => (-1.0, 0.0),
            // Zero vectors have no direction.
            Metric::Cosine if inverse == 0.0 => (0.0, f32::NEG_INFINITY),
            _ if !MODEST.contains(&inverse) => (0.0, f32::INFINITY),
            Metric::Cosine => (inverse, 0.0),
            Metric::Dot => (1.0, error / inverse),
        });
        for (scale, bonus) in pairs {
            self.scale.push(scale);
            self.bonus.push(bonus);
        }
    }

    /// Writes the positions of the rows that are not below `threshold`, with their values.
    pub fn select(&self, scores: &[f32], threshold: f32, out: &mut Vec<(usize, f32)>) {
        out.clear();
        pulp::Arch::new().dispatch(Selection { form: self, scores, threshold, out });
    }
}

/// A struct, since a closure given to `dispatch` is compiled for the least instruction set.
struct Selection<'a> {
    form: &'a Form,
    scores: &'a [f32],
    threshold: f32,
    out: &'a mut Vec<(usize, f32)>,
}

impl pulp::NullaryFnOnce for Selection<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (c, scores) in self.scores.chunks(CHUNK).enumerate() {
            let at = c * CHUNK;
            let scale = &self.form.scale[at..at + scores.len()];
            let bonus = &self.form.bonus[at..at + scores.len()];
            let mut values = [0.0; CHUNK];
            for (i, value) in values[..scores.len()].iter_mut().enumerate() {
                *value = scores[i] * scale[i] + bonus[i];
            }
            let values = &values[..scores.len()];
            // Written so that NaN, from overflow, is not below.
            let below = values.iter().fold(true, |all, value| all & (*value < self.threshold));
            if !below {
                let kept = values.iter().enumerate();
                let kept = kept.filter(|(_, v)| v.partial_cmp(&&self.threshold) != Some(Ordering::Less));
                self.out.extend(kept.map(|(i, v)| (at + i, *v)));
            }
        }
    }
}

/// Rows that are tested together.
const CHUNK: usize = 16;

/// Inverse norms for which neither overflow nor underflow matters: `2^±100`.
const MODEST: std::ops::RangeInclusive<f32> = 7.888_609e-31..=1.267_650_6e30;
