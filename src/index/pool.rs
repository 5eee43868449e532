//! The rows that may be among the best, by bounds on their scores, until they are ranked exactly.

use super::candidates::{Near, to_key};
use std::collections::{BinaryHeap, HashMap};

/// A row in the pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Its score is not below this.
    pub lower: f32,
    /// Its score is not above this.
    pub upper: f32,
    /// The row.
    pub row: u32,
    /// Its entity's ordinal, when one row of an entity is wanted; else 0.
    pub entity: u32,
}

/// Rows of which none can be left out: a row is dropped only when as many others as are wanted are surely better.
/// Memory grows with the rows whose bounds overlap, that is with what the codes cannot tell apart.
#[derive(Debug)]
pub struct Pool {
    entries: Vec<Entry>,
    /// Rows, or entities, whose upper bounds make the limit.
    keep: usize,
    /// The `keep` least upper bounds, the greatest on top.
    uppers: BinaryHeap<Score>,
    /// The least upper bound of each entity, when entities are limited.
    best: Option<HashMap<u32, f32>>,
    limit: f32,
    /// Rows taken since entities were last looked at.
    taken: usize,
    /// Entries at which those beyond the limit are thrown out.
    sweep: usize,
}

/// f32 in its total order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Score(f32);

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

/// Entries at which a pool is first swept.
const SWEEP: usize = 256;

impl Pool {
    /// A pool for the best `keep` rows.
    pub fn new(keep: usize) -> Pool {
        Pool {
            entries: Vec::new(),
            keep: keep.max(1),
            uppers: BinaryHeap::new(),
            best: None,
            limit: f32::INFINITY,
            taken: 0,
            sweep: SWEEP,
        }
    }

    /// The best row of each of the best entities is wanted.
    #[must_use]
    pub fn per_entity(mut self) -> Pool {
        self.best = Some(HashMap::new());
        self
    }

    /// True when one row of an entity is wanted.
    pub fn limits_entities(&self) -> bool {
        self.best.is_some()
    }

    /// A row whose lower bound is above this need not be offered.
    #[inline]
    pub fn limit(&self) -> f32 {
        self.limit
    }

    /// Takes a row, if it may be among the best.
    pub fn offer(&mut self, new: Entry) {
        if new.lower > self.limit {
            return;
        }
        if self.best.is_some() {
            return self.offer_of_entity(new);
        }
        self.entries.push(new);
        if self.uppers.len() < self.keep {
            self.uppers.push(Score(new.upper));
        } else if let Some(mut top) = self.uppers.peek_mut()
            && new.upper < top.0
        {
            *top = Score(new.upper);
        }
        if self.uppers.len() == self.keep {
            self.limit = self.uppers.peek().map_or(f32::INFINITY, |top| top.0);
        }
        self.sweep();
    }

    fn offer_of_entity(&mut self, new: Entry) {
        let Some(best) = &mut self.best else { return };
        let own = best.entry(new.entity).or_insert(f32::INFINITY);
        if new.lower > *own {
            return;
        }
        *own = own.min(new.upper);
        self.entries.push(new);
        self.taken += 1;
        if self.taken % 32 == 0 {
            self.limit_entities();
        }
        self.sweep();
    }

    /// The limit from the best of each entity.
    fn limit_entities(&mut self) {
        let Some(best) = &self.best else { return };
        if best.len() >= self.keep {
            let mut uppers: Vec<f32> = best.values().copied().collect();
            let (_, nth, _) = uppers.select_nth_unstable_by(self.keep - 1, f32::total_cmp);
            self.limit = self.limit.min(*nth);
        }
    }

    /// Throws out what fell behind the limit, now and then.
    fn sweep(&mut self) {
        if self.entries.len() >= self.sweep {
            self.retain();
            self.sweep = (2 * self.entries.len()).max(SWEEP);
        }
    }

    fn retain(&mut self) {
        let (limit, best) = (self.limit, &self.best);
        let open = |e: &Entry| {
            e.lower <= limit && best.as_ref().and_then(|b| b.get(&e.entity)).is_none_or(|own| e.lower <= *own)
        };
        self.entries.retain(open);
    }

    /// The rows that may be among the best, or the best of their entity, by their lower bounds.
    pub fn candidates(&mut self) -> &[Entry] {
        self.limit_entities();
        self.retain();
        self.entries.sort_unstable_by_key(|e| to_key((e.lower, e.row)));
        &self.entries
    }

    /// True when it holds as many rows, or entities, as are wanted.
    pub fn filled(&self) -> bool {
        match &self.best {
            Some(best) => best.len() >= self.keep,
            None => self.entries.len() >= self.keep,
        }
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.uppers.clear();
        self.best.iter_mut().for_each(HashMap::clear);
        (self.limit, self.taken, self.sweep) = (f32::INFINITY, 0, SWEEP);
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

    fn entry(row: u32, score: f32, off: f32, entity: u32) -> Entry {
        Entry { lower: score - off, upper: score + off, row, entity }
    }

    fn rows(pool: &mut Pool) -> Vec<u32> {
        pool.candidates().iter().map(|e| e.row).collect()
    }

    #[test]
    fn keeps_what_may_be_wanted() {
        let mut pool = Pool::new(2);
        for (row, score) in [5.0, 1.0, 3.0, 1.2, 1.4, 9.0].into_iter().enumerate() {
            pool.offer(entry(row as u32, score, 0.125, 0));
        }
        assert_eq!(rows(&mut pool), [1, 3, 4]);
        assert_eq!(pool.limit(), 1.325);
    }

    #[test]
    fn keeps_the_rows_that_may_be_the_best_of_the_best_entities() {
        let mut pool = Pool::new(2).per_entity();
        let offered = [(5.0, 1), (4.0, 1), (6.0, 1), (3.0, 2), (1.0, 1), (1.1, 1), (7.0, 3)];
        for (row, (score, entity)) in offered.into_iter().enumerate() {
            pool.offer(entry(row as u32, score, 0.1, entity));
        }
        assert_eq!(rows(&mut pool), [4, 5, 3]);
    }

    /// What the codes cannot tell apart stays, however much it is.
    #[test]
    fn a_tight_group_stays_whole() {
        let mut pool = Pool::new(10);
        (0..5000).for_each(|row| pool.offer(entry(row, 1.0, 0.01, 0)));
        (5000..9000).for_each(|row| pool.offer(entry(row, 2.0, 0.01, 0)));
        assert_eq!(rows(&mut pool), (0..5000).collect::<Vec<_>>());
        pool.clear();
        assert!(!pool.filled() && rows(&mut pool).is_empty());
    }
}
