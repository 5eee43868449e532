//! The answers so far: the first k by (distance, entity, time), of all points or one an entity.

use crate::model::{EntityId, Key};
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

/// A point that was found. Orders by distance, then entity, then time.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// What the answers are ranked by; equal to `d_vec` unless time takes part.
    pub distance: f64,
    /// The distance of the vectors, exact.
    pub d_vec: f64,
    /// The distance in time in [0, 1], when it takes part in the ranking.
    pub d_time: Option<f64>,
    /// Entity and time.
    pub key: Key,
    /// The position of its part in the list that was scanned.
    pub part: u32,
    /// Its row in that part's source.
    pub row: u32,
}

impl Ord for Hit {
    fn cmp(&self, other: &Self) -> Ordering {
        self.distance
            .total_cmp(&other.distance)
            .then(self.key.cmp(&other.key))
            .then((self.part, self.row).cmp(&(other.part, other.row)))
    }
}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Hit {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Hit {}

/// Keeps the first `k` hits within a radius, whatever order they come in.
#[derive(Debug, Clone)]
pub struct TopK {
    k: usize,
    radius: f64,
    best: BTreeSet<Hit>,
    /// With one hit an entity: the one that stands in `best`.
    by_entity: Option<HashMap<EntityId, Hit>>,
}

impl TopK {
    /// Of the hits within `radius` (infinite: all) the first `k`, or of each entity's first hit
    /// the first `k`.
    pub fn new(k: usize, radius: f64, best_per_entity: bool) -> Self {
        TopK { k, radius, best: BTreeSet::new(), by_entity: best_per_entity.then(HashMap::new) }
    }

    /// No hit beyond this distance can enter any more; one at this distance may.
    pub fn limit(&self) -> f64 {
        match self.best.last() {
            Some(last) if self.best.len() >= self.k => last.distance.min(self.radius),
            _ => self.radius,
        }
    }

    /// Takes a hit in when it belongs to the first k so far.
    pub fn offer(&mut self, hit: Hit) {
        // A distance that is not a number is nobody's neighbour.
        let within = hit.distance <= self.radius;
        if !within || self.k == 0 {
            return;
        }
        let full = self.best.len() >= self.k;
        if full && self.best.last().is_some_and(|last| hit >= *last) {
            return;
        }
        if let Some(by_entity) = &mut self.by_entity {
            if let Some(old) = by_entity.get_mut(&hit.key.entity) {
                if hit < *old {
                    self.best.remove(old);
                    self.best.insert(hit);
                    *old = hit;
                }
                return;
            }
            by_entity.insert(hit.key.entity, hit);
        }
        self.best.insert(hit);
        if full && let Some(dropped) = self.best.pop_last() {
            // Should this entity have a nearer point, that one enters anew.
            self.by_entity.as_mut().map(|m| m.remove(&dropped.key.entity));
        }
    }

    /// Takes in all that another collector of the same query holds.
    pub fn merge(&mut self, other: TopK) {
        for hit in other.best {
            self.offer(hit);
        }
    }

    /// The answers, first to last.
    pub fn into_hits(self) -> Vec<Hit> {
        self.best.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hit(distance: f64, entity: u64, t: i64) -> Hit {
        Hit { distance, d_vec: distance, d_time: None, key: Key { entity, t }, part: 0, row: 0 }
    }

    /// By sorting everything.
    fn plainly(hits: &[Hit], k: usize, radius: f64, best_per_entity: bool) -> Vec<Hit> {
        let mut all: Vec<Hit> = hits.iter().copied().filter(|h| h.distance <= radius).collect();
        all.sort();
        if best_per_entity {
            let mut seen = std::collections::HashSet::new();
            all.retain(|h| seen.insert(h.key.entity));
        }
        all.truncate(k);
        all
    }

    proptest! {
        #[test]
        fn equals_sorting_in_any_order_and_any_split(
            points in prop::collection::btree_map((0u64..6, -20i64..20), 0u8..9, 0..60),
            k in 0usize..12,
            radius in prop::option::of(0.0f64..9.0),
            best_per_entity: bool,
            split in 0usize..60,
            shuffle in 1usize..59,
        ) {
            let radius = radius.unwrap_or(f64::INFINITY);
            let hits: Vec<Hit> =
                points.iter().map(|((e, t), d)| hit(f64::from(*d), *e, *t)).collect();
            let want = plainly(&hits, k, radius, best_per_entity);
            let (mut a, mut b) =
                (TopK::new(k, radius, best_per_entity), TopK::new(k, radius, best_per_entity));
            for i in 0..hits.len() {
                let hit = hits[(i + shuffle) % hits.len()];
                if i < split { a.offer(hit) } else { b.offer(hit) }
            }
            b.merge(a);
            prop_assert!(want.len() < k || want.last().is_none_or(|w| w.distance <= b.limit()));
            prop_assert_eq!(b.into_hits(), want);
        }
    }

    #[test]
    fn nothing_that_is_not_a_number_enters() {
        let mut best = TopK::new(3, f64::INFINITY, false);
        best.offer(hit(f64::NAN, 1, 1));
        assert!(best.into_hits().is_empty());
    }
}
