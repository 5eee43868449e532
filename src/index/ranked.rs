//! The best rows by exact score.

use super::query::{Hit, Query};
use std::collections::{BinaryHeap, HashMap};

/// Rows taken between two looks at which can still be wanted.
const ROUND: usize = 64;

/// Takes rows in any order and keeps those that may be among the wanted ones.
#[derive(Debug)]
pub struct Ranked {
    hits: Vec<(Hit, u32)>,
    k: usize,
    per_entity: bool,
    /// The `k` least scores, the greatest on top; unused where entities are limited.
    best: BinaryHeap<Score>,
    limit: f64,
    sweep: usize,
}

/// f64 in its total order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ranked {
    /// For the wanted rows of a query.
    pub fn new(query: &Query<'_>) -> Ranked {
        Ranked {
            hits: Vec::new(),
            k: query.k,
            per_entity: query.per_entity,
            best: BinaryHeap::new(),
            limit: f64::INFINITY,
            sweep: ROUND,
        }
    }

    /// No row with a score above this is wanted.
    #[inline]
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Takes a row of an entity.
    pub fn push(&mut self, hit: Hit, entity: u32) {
        // Equal scores stay: their order is by entity and time.
        if hit.score > self.limit {
            return;
        }
        self.hits.push((hit, entity));
        if !self.per_entity {
            if self.best.len() < self.k {
                self.best.push(Score(hit.score));
            } else if let Some(mut top) = self.best.peek_mut()
                && hit.score < top.0
            {
                *top = Score(hit.score);
            }
            if self.best.len() == self.k {
                self.limit = self.best.peek().map_or(f64::INFINITY, |top| top.0);
            }
        }
        if self.hits.len() >= self.sweep {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        if self.per_entity {
            let mut best: HashMap<u32, f64> = HashMap::new();
            for (hit, entity) in &self.hits {
                let own = best.entry(*entity).or_insert(hit.score);
                *own = own.min(hit.score);
            }
            if best.len() >= self.k && self.k > 0 {
                let mut scores: Vec<f64> = best.values().copied().collect();
                self.limit = *scores.select_nth_unstable_by(self.k - 1, f64::total_cmp).1;
            }
            self.hits.retain(|(hit, entity)| best.get(entity).is_none_or(|own| hit.score <= *own));
        }
        let limit = self.limit;
        self.hits.retain(|(hit, _)| hit.score <= limit);
        self.sweep = 2 * self.hits.len() + ROUND;
    }

    /// What was kept, in no order.
    pub fn into_hits(self) -> Vec<Hit> {
        self.hits.into_iter().map(|(hit, _)| hit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(per_entity: bool, scores: impl Iterator<Item = (f64, u32)>) -> Vec<u32> {
        let mut ranked = Ranked::new(&Query { per_entity, ..Query::nearest(&[], 3) });
        for (row, (score, entity)) in scores.enumerate() {
            ranked.push(Hit { row: row as u32, distance: score, score }, entity);
        }
        ranked.sweep();
        let mut rows: Vec<u32> = ranked.into_hits().iter().map(|h| h.row).collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn keeps_the_best_and_ties() {
        assert_eq!(kept(false, (0..1000).map(|i| (f64::from(1000 - i), 0))), [997, 998, 999]);
        assert_eq!(kept(false, (0..200).map(|i| (f64::from(i / 2), 0))), [0, 1, 2, 3]);
    }

    #[test]
    fn keeps_the_best_of_the_best_entities() {
        let scores = (0..1000).map(|i| (f64::from(i), (i / 100) as u32));
        assert_eq!(kept(true, scores), [0, 100, 200]);
    }
}
