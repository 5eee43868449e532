//! Candidate neighbours: all pairs inside overlapping groups of near rows.
//!
//! A trajectory's versions lie so close together that they would fill each other's lists, and
//! a graph of them falls into one island an entity. So a row's candidates hold no version of its
//! own entity (its predecessor and successor become edges anyway) and at most
//! [`Limits::per_entity`] of any other.

use super::centres::{Centres, Codes};
use super::sq8::{self, Terms};
use crate::simd::int8::Int8;
use rayon::prelude::*;
use std::sync::Mutex;

/// Groups larger than this are split further.
const GROUP: usize = 1024;

/// A neighbour: squared distance and row. Ordered by both, so that ties have one order.
pub type Near = (f32, u32);

/// How many candidates a row keeps.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In all.
    pub total: usize,
    /// Of one other entity; `usize::MAX` switches the cap off, own entity included.
    pub per_entity: usize,
}

/// A candidate as a number of the same order.
#[inline]
pub fn to_key((distance, row): Near) -> u64 {
    let bits = distance.to_bits();
    let ascending = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    u64::from(ascending) << 32 | u64::from(row)
}

/// The candidate of a key.
#[inline]
pub fn of_key(key: u64) -> Near {
    let ascending = (key >> 32) as u32;
    let bits = if ascending >> 31 == 1 { ascending & !(1 << 31) } else { !ascending };
    (f32::from_bits(bits), key as u32)
}

/// Leaves the best candidates within the limits, sorted. What stays does not depend on the order
/// in which they came, nor on how they were split between earlier calls.
pub fn select(list: &mut Vec<Near>, limits: Limits, entity: &[u32]) {
    list.sort_unstable_by_key(|near| to_key(*near));
    list.dedup();
    if limits.per_entity >= limits.total {
        return list.truncate(limits.total);
    }
    let mut counts = Counts::new(limits.total);
    let mut kept = 0;
    list.retain(|near| {
        let room = kept < limits.total && counts.add(entity[near.1 as usize]) <= limits.per_entity;
        kept += usize::from(room);
        room
    });
}

/// The best candidates within the limits, sorted, of keys in any order.
pub fn best_of(keys: &mut [u64], limits: Limits, entity: &[u32]) -> Vec<Near> {
    // The nearest few hold a full list, unless one entity has most of them.
    let mut count = 2 * limits.total;
    loop {
        let whole = count >= keys.len();
        if !whole {
            keys.select_nth_unstable(count);
        }
        let mut best: Vec<Near> = keys[..count.min(keys.len())].iter().map(|key| of_key(*key)).collect();
        select(&mut best, limits, entity);
        if whole || best.len() >= limits.total {
            return best;
        }
        count *= 4;
    }
}

/// How often each of a few entities was seen.
struct Counts {
    /// Entity and count, by open addressing; a count of 0 is an empty slot.
    slots: Vec<(u32, u32)>,
}

impl Counts {
    /// For up to `most` entities, a quarter of the slots: there is always an empty one.
    fn new(most: usize) -> Counts {
        Counts { slots: vec![(0, 0); (4 * most).next_power_of_two()] }
    }

    /// Counts one more of an entity.
    fn add(&mut self, entity: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = entity.wrapping_mul(0x9E37_79B1) as usize >> 8;
        loop {
            let slot = &mut self.slots[at & mask];
            if slot.1 == 0 || slot.0 == entity {
                *slot = (entity, slot.1 + 1);
                return slot.1 as usize;
            }
            at += 1;
        }
    }
}

/// The nearest rows of each row that share a group with it.
pub struct Pairs<'a> {
    /// Codes of all rows.
    pub codes: Codes<'a>,
    /// Entity ordinal of each row.
    pub entity: &'a [u32],
    /// What a row keeps.
    pub limits: Limits,
    /// For splitting large groups.
    pub seed: u64,
}

impl Pairs<'_> {
    /// Candidates of each row from groups of rows, nearest first.
    pub fn collect(&self, groups: &[Vec<u32>]) -> Vec<Vec<Near>> {
        let lists: Vec<Mutex<Vec<Near>>> = (0..self.entity.len()).map(|_| Mutex::default()).collect();
        groups.par_iter().for_each(|group| self.group(group, 0, &lists));
        lists.into_par_iter().map(|m| m.into_inner().unwrap_or_else(|e| e.into_inner())).collect()
    }

    fn group(&self, rows: &[u32], depth: u64, lists: &[Mutex<Vec<Near>>]) {
        if rows.len() <= GROUP || depth >= 4 {
            return rows.chunks(2 * GROUP).for_each(|rows| self.all_pairs(rows, lists));
        }
        let centres =
            Centres::train(self.codes, rows, (2 * rows.len()).div_ceil(GROUP / 2), self.seed + depth);
        let mut parts = vec![Vec::new(); centres.len()];
        for (row, [a, b]) in rows.iter().zip(centres.assign::<2>(self.codes, rows)) {
            parts[a as usize].push(*row);
            if b != a {
                parts[b as usize].push(*row);
            }
        }
        for part in parts {
            self.group(&part, depth + 1, lists);
        }
    }

    fn all_pairs(&self, rows: &[u32], lists: &[Mutex<Vec<Near>>]) {
        let kernel = Int8::detect();
        let mut slab = Vec::with_capacity(rows.len() * self.codes.padded);
        for row in rows {
            slab.extend_from_slice(self.codes.row(*row as usize));
        }
        let terms: Vec<Terms> = rows.iter().map(|row| self.codes.terms[*row as usize]).collect();
        let entities: Vec<u32> = rows.iter().map(|row| self.entity[*row as usize]).collect();
        let capped = self.limits.per_entity < self.limits.total;
        let mut dots = vec![0; rows.len()];
        let (mut squares, mut keys) = (Vec::new(), Vec::new());
        for (u, row) in rows.iter().enumerate() {
            kernel.dot_slab(self.codes.row(*row as usize), &slab, &mut dots);
            sq8::squares(terms[u], &terms, &dots, &mut squares);
            let mut list = lists[*row as usize].lock().unwrap_or_else(|e| e.into_inner());
            let limit = match list.len() >= self.limits.total {
                true => list.last().map_or(f32::INFINITY, |last| last.0),
                false => f32::INFINITY,
            };
            keys.clear();
            for (v, squared) in squares.iter().enumerate() {
                if *squared <= limit && v != u && !(capped && entities[v] == entities[u]) {
                    keys.push(to_key((*squared, rows[v])));
                }
            }
            list.append(&mut best_of(&mut keys, self.limits, self.entity));
            select(&mut list, self.limits, self.entity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_stays_does_not_depend_on_order_or_splits(
            rows in prop::collection::vec(0u32..40, 1..60),
            split in 0usize..60,
            total in 1usize..10,
            per_entity in 1usize..4,
        ) {
            // A row's distance is a function of the row, as it is in use.
            let entity: Vec<u32> = (0..40).map(|i| i % 5).collect();
            let near: Vec<Near> = rows.iter().map(|r| (((r * 7) % 11) as f32, *r)).collect();
            let limits = Limits { total, per_entity };

            let mut want = near.clone();
            want.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            want.dedup();
            let mut seen = [0; 5];
            want.retain(|n| {
                let count = &mut seen[entity[n.1 as usize] as usize];
                *count += 1;
                *count <= per_entity
            });
            want.truncate(total);

            let (first, rest) = near.split_at(split.min(near.len()));
            let mut got = rest.to_vec();
            select(&mut got, limits, &entity);
            got.extend(first);
            select(&mut got, limits, &entity);
            prop_assert_eq!(got, want);
        }
    }
}
