//! Candidate neighbours: all pairs inside overlapping groups of near rows.
//!
//! A slow trajectory's versions lie so close together that they would fill each other's lists, and
//! a graph of them falls into one island an entity. So beside a row's nearest rows, whosever they are, its
//! candidates hold the nearest of other entities, at most [`Limits::per_entity`] of each.

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
    /// The nearest, of any entity.
    pub nearest: usize,
    /// The nearest that the cap leaves.
    pub capped: usize,
    /// The cap: rows of one other entity; `usize::MAX` switches it off, own entity included.
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

/// Whose candidates are chosen, and by which limits.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// How many.
    pub limits: Limits,
    /// Entity ordinal of each row.
    pub entity: &'a [u32],
    /// Entity of the row whose candidates they are.
    pub own: u32,
}

impl Choice<'_> {
    /// Leaves the best candidates within the limits, sorted; true when no farther one can come in. What stays does
    /// not depend on the order in which they came, nor on how they were split between earlier calls.
    pub fn select(&self, list: &mut Vec<Near>) -> bool {
        list.sort_unstable_by_key(|near| to_key(*near));
        list.dedup();
        let limits = self.limits;
        if limits.per_entity == usize::MAX {
            list.truncate(limits.nearest + limits.capped);
            return list.len() == limits.nearest + limits.capped;
        }
        let mut counts = Counts::new(limits.capped);
        let (mut seen, mut capped) = (0, 0);
        list.retain(|(_, row)| {
            let entity = self.entity[*row as usize];
            let room =
                capped < limits.capped && entity != self.own && counts.add(entity) <= limits.per_entity;
            capped += usize::from(room);
            seen += 1;
            room || seen <= limits.nearest
        });
        capped == limits.capped && seen >= limits.nearest
    }

    /// The best candidates within the limits, sorted, of keys in any order.
    pub fn best_of(&self, keys: &mut [u64]) -> Vec<Near> {
        // The nearest few hold a full list, unless one entity has most of them.
        let mut count = 2 * (self.limits.nearest + self.limits.capped);
        loop {
            let whole = count >= keys.len();
            if !whole {
                keys.select_nth_unstable(count);
            }
            let mut best: Vec<Near> = keys[..count.min(keys.len())].iter().map(|key| of_key(*key)).collect();
            if self.select(&mut best) || whole {
                return best;
            }
            count *= 4;
        }
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
        Counts { slots: vec![(0, 0); (4 * most.max(1)).next_power_of_two()] }
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
        let lists: Vec<Mutex<Found>> = (0..self.entity.len()).map(|_| Mutex::default()).collect();
        groups.par_iter().for_each(|group| self.group(group, 0, &lists));
        lists.into_par_iter().map(|m| m.into_inner().unwrap_or_else(|e| e.into_inner()).near).collect()
    }

    fn group(&self, rows: &[u32], depth: u64, lists: &[Mutex<Found>]) {
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

    fn all_pairs(&self, rows: &[u32], lists: &[Mutex<Found>]) {
        let kernel = Int8::detect();
        let mut slab = Vec::with_capacity(rows.len() * self.codes.padded);
        for row in rows {
            slab.extend_from_slice(self.codes.row(*row as usize));
        }
        let terms: Vec<Terms> = rows.iter().map(|row| self.codes.terms[*row as usize]).collect();
        let mut dots = vec![0; rows.len()];
        let (mut squares, mut keys) = (Vec::new(), Vec::new());
        for (u, row) in rows.iter().enumerate() {
            kernel.dot_slab(self.codes.row(*row as usize), &slab, &mut dots);
            sq8::squares(terms[u], &terms, &dots, &mut squares);
            let choice = Choice { limits: self.limits, entity: self.entity, own: self.entity[*row as usize] };
            let mut list = lists[*row as usize].lock().unwrap_or_else(|e| e.into_inner());
            let limit = match list.full {
                true => list.near.last().map_or(f32::INFINITY, |last| last.0),
                false => f32::INFINITY,
            };
            keys.clear();
            for (v, squared) in squares.iter().enumerate() {
                if *squared <= limit && v != u {
                    keys.push(to_key((*squared, rows[v])));
                }
            }
            list.near.append(&mut choice.best_of(&mut keys));
            list.full = choice.select(&mut list.near);
        }
    }
}

/// Candidates of a row so far.
#[derive(Debug, Default)]
struct Found {
    near: Vec<Near>,
    /// No farther one can come in.
    full: bool,
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
            nearest in 0usize..6,
            capped in 0usize..10,
            per_entity in 1usize..4,
        ) {
            // A row's distance is a function of the row, as it is in use.
            let entity: Vec<u32> = (0..40).map(|i| i % 5).collect();
            let near: Vec<Near> = rows.iter().map(|r| (((r * 7) % 11) as f32, *r)).collect();
            let choice = Choice { limits: Limits { nearest, capped, per_entity }, entity: &entity, own: 3 };

            let mut all = near.clone();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            all.dedup();
            let mut seen = [0; 5];
            let mut others: Vec<Near> = all.iter().copied().filter(|n| {
                let e = entity[n.1 as usize] as usize;
                seen[e] += 1;
                e != 3 && seen[e] <= per_entity
            }).collect();
            others.truncate(capped);
            let want: Vec<Near> =
                all.iter().enumerate().filter(|(i, n)| *i < nearest || others.contains(n)).map(|(_, n)| *n).collect();

            let (first, rest) = near.split_at(split.min(near.len()));
            let mut got = rest.to_vec();
            choice.select(&mut got);
            got.extend(first);
            choice.select(&mut got);
            prop_assert_eq!(got, want);
        }
    }
}
