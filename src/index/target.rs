//! A question's vector in the space of a part, and what distances by codes say of scores.

use super::bounds::Bounds;
use super::query::Composite;
use super::space::Space;
use super::view::View;
use super::walk::Coded;
use crate::error::Result;

/// A query made ready for a part's space.
#[derive(Debug, Clone, Copy)]
pub struct Target<'q> {
    /// As an 8-bit code.
    pub coded: Coded<'q>,
    /// How far distances by codes can be off.
    pub bounds: Bounds,
    /// Norm of the query vector, for dot.
    pub norm: f64,
    /// Time in the ranking.
    pub composite: Option<Composite<'q>>,
    /// The space.
    pub space: &'q Space,
}

impl Target<'_> {
    /// The score of a row at a squared distance.
    pub fn score(&self, view: &View<'_>, squared: f32, row: u32) -> Result<f32> {
        match &self.composite {
            None => Ok(squared),
            Some(c) => {
                let distance = self.space.distance(f64::from(squared.max(0.0)), self.norm);
                Ok(c.score(distance, view.time.one(row as usize)?) as f32)
            }
        }
    }

    /// A score, or an exact distance without time in the ranking, as the pool's entries have it.
    pub(super) fn score_of(&self, score: f64) -> f64 {
        match self.composite {
            Some(_) => score,
            None if score == f64::INFINITY => score,
            None => self.space.squared(score, self.norm),
        }
    }

    /// The squared distance by codes beyond which no row whose part of time is at least `time` has a
    /// score up to `limit`.
    pub(super) fn reach(&self, limit: f32, time: f64) -> f32 {
        let Some(c) = &self.composite else { return self.bounds.reach(limit) };
        if limit == f32::INFINITY {
            return limit;
        }
        let score = |squared: f64| {
            c.alpha * (c.of_distance)(self.space.distance(squared, self.norm)) + (1.0 - c.alpha) * time
        };
        // Bisection, rounded up.
        let (mut low, mut high) = (0.0, self.bounds.farthest());
        for _ in 0..32 {
            let middle = (low + high) / 2.0;
            if score(middle) <= f64::from(limit) { low = middle } else { high = middle }
        }
        self.bounds.reach(high as f32)
    }
}
