//! The best rows so far, by approximate score, until they are ranked exactly.

use super::candidates::Near;
use std::collections::{HashMap, HashSet};

/// A row in the pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// What the order is by: squared distance, or the composite score.
    pub score: f32,
    /// The row.
    pub row: u32,
    /// Its entity's ordinal, when entities are limited; else 0.
    pub entity: u32,
}

/// A sorted pool of bounded size.
#[derive(Debug)]
pub struct Pool {
    entries: Vec<Entry>,
    capacity: usize,
    /// Rows of one entity at most.
    per_entity: usize,
    /// How many rows (or entities) are wanted.
    k: usize,
    /// A row whose score is worse than the k-th by more than this cannot turn out to be wanted.
    slack: f32,
    /// Rows taken since the k-th entity was looked for, and its score.
    taken: usize,
    kth_entity: Option<f32>,
}

impl Pool {
    /// A pool of `capacity` rows, of which the best `k` are wanted; scores are off by less than
    /// half of `slack`.
    pub fn new(k: usize, capacity: usize, slack: f32) -> Pool {
        let entries = Vec::with_capacity(capacity.min(4096));
        Pool { entries, capacity, per_entity: usize::MAX, k, slack, taken: 0, kth_entity: None }
    }

    /// Rows of `k` entities are wanted; at most `count` of each are kept.
    #[must_use]
    pub fn per_entity(mut self, count: usize) -> Pool {
        self.per_entity = count;
        self
    }

    /// True when entities matter.
    pub fn limits_entities(&self) -> bool {
        self.per_entity != usize::MAX
    }

    /// A row with a score at or above this need not be offered.
    #[inline]
    pub fn limit(&self) -> f32 {
        let full = match self.entries.len() >= self.capacity {
            true => self.entries.last().map_or(f32::INFINITY, |e| e.score),
            false => f32::INFINITY,
        };
        let kth = match self.limits_entities() {
            true => self.kth_entity,
            false => self.k.checked_sub(1).and_then(|i| self.entries.get(i)).map(|e| e.score),
        };
        kth.map_or(full, |kth| full.min(kth + self.slack))
    }

    /// Takes a row, if it is among the best.
    pub fn offer(&mut self, new: Entry) {
        if new.score >= self.limit() {
            return;
        }
        if self.limits_entities() && !self.make_room(&new) {
            return;
        }
        let at = self.entries.partition_point(|e| (e.score, e.row) < (new.score, new.row));
        self.entries.insert(at, new);
        self.entries.truncate(self.capacity);
        self.taken += 1;
        if self.limits_entities() && self.taken % 32 == 0 {
            let kth = self.entity_ends().nth(self.k.saturating_sub(1));
            self.kth_entity = kth;
        }
    }

    /// The best score of each entity, ascending.
    fn entity_ends(&self) -> impl Iterator<Item = f32> + '_ {
        let mut seen = HashSet::new();
        self.entries.iter().filter(move |e| seen.insert(e.entity)).map(|e| e.score)
    }

    /// Drops the worst row of the new row's entity when that has enough; false when the new one
    /// is not better.
    fn make_room(&mut self, new: &Entry) -> bool {
        let same = |e: &&Entry| e.entity == new.entity;
        if self.entries.iter().filter(same).count() < self.per_entity {
            return true;
        }
        match self.entries.iter().rposition(|e| same(&e)) {
            Some(worst) if self.entries[worst].score > new.score => {
                self.entries.remove(worst);
                true
            }
            _ => false,
        }
    }

    /// The rows that may be among the wanted ones, best first: of an entity, when these are
    /// limited, those that may be its best.
    pub fn candidates(&self) -> Vec<Entry> {
        if !self.limits_entities() {
            let limit = self.limit();
            return self.entries.iter().copied().take_while(|e| e.score <= limit).collect();
        }
        let last = self.entity_ends().nth(self.k.saturating_sub(1)).unwrap_or(f32::INFINITY);
        let mut best: HashMap<u32, f32> = HashMap::new();
        let close = |e: &Entry| e.score <= *best.entry(e.entity).or_insert(e.score) + self.slack;
        self.entries.iter().copied().take_while(|e| e.score <= last + self.slack).filter(close).collect()
    }

    /// True when it holds as many rows, or entities, as are wanted.
    pub fn filled(&self) -> bool {
        match self.limits_entities() {
            true => self.entity_ends().count() >= self.k,
            false => self.entries.len() >= self.k,
        }
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.kth_entity = None;
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Keeps the `k` nearest of a stream, sorted.
pub fn keep_nearest(list: &mut Vec<Near>, k: usize, new: Near) {
    if list.len() >= k && list.last().is_some_and(|last| (last.0, last.1) <= (new.0, new.1)) {
        return;
    }
    let at = list.partition_point(|old| (old.0, old.1) < (new.0, new.1));
    list.insert(at, new);
    list.truncate(k);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(pool: &Pool) -> Vec<f32> {
        pool.candidates().into_iter().map(|e| e.score).collect()
    }

    #[test]
    fn keeps_what_may_be_wanted() {
        let mut pool = Pool::new(2, 4, 0.5);
        for (row, score) in [5.0, 1.0, 3.0, 1.2, 1.4, 9.0].into_iter().enumerate() {
            pool.offer(Entry { score, row: row as u32, entity: 0 });
        }
        assert_eq!(scores(&pool), [1.0, 1.2, 1.4]);
        assert_eq!(pool.limit(), 1.7);
    }

    #[test]
    fn limits_the_rows_of_an_entity() {
        let mut pool = Pool::new(2, 4, 0.0).per_entity(1);
        for (row, (score, entity)) in
            [(5.0, 1), (4.0, 1), (6.0, 1), (3.0, 2), (1.0, 1)].into_iter().enumerate()
        {
            pool.offer(Entry { score, row: row as u32, entity });
        }
        assert_eq!(scores(&pool), [1.0, 3.0]);
    }
}
