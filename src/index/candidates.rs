//! Candidate neighbours: all pairs inside overlapping groups of near rows.
//!
//! A trajectory's versions lie so close together that they would fill each other's lists, and
//! a graph of them falls into one island an entity. So a row's candidates hold no version of its
//! own entity (its predecessor and successor become edges anyway) and at most
//! [`Limits::per_entity`] of any other.

use super::centres::{Centres, Codes};
use super::sq8;
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

/// Leaves the best candidates within the limits, sorted. What stays does not depend on the order
/// in which they came, nor on how they were split between earlier calls.
pub fn select(list: &mut Vec<Near>, limits: Limits, entity: &[u32]) {
    list.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    list.dedup();
    let mut kept: Vec<u32> = Vec::with_capacity(limits.total);
    list.retain(|near| {
        let own = entity[near.1 as usize];
        let room = kept.len() < limits.total
            && (limits.per_entity >= limits.total
                || kept.iter().filter(|e| **e == own).count() < limits.per_entity);
        if room {
            kept.push(own);
        }
        room
    });
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
        let mut dots = vec![0; rows.len()];
        let mut near = Vec::new();
        for u in rows {
            let mut list = lists[*u as usize].lock().unwrap_or_else(|e| e.into_inner());
            let limit = match list.len() >= self.limits.total {
                true => list.last().map_or(f32::INFINITY, |last| last.0),
                false => f32::INFINITY,
            };
            kernel.dot_slab(self.codes.row(*u as usize), &slab, &mut dots);
            self.nearest(*u, rows, &dots, limit, &mut near);
            list.append(&mut near);
            select(&mut list, self.limits, self.entity);
        }
    }

    /// Of a group, the rows that may become candidates of `u`: those up to `limit`, and of these
    /// enough of the nearest to fill the list.
    fn nearest(&self, u: u32, rows: &[u32], dots: &[i32], limit: f32, near: &mut Vec<Near>) {
        let (own, terms) = (self.entity[u as usize], self.codes.terms[u as usize]);
        let capped = self.limits.per_entity < self.limits.total;
        near.clear();
        for (v, dot) in rows.iter().zip(dots) {
            let d = sq8::squared(terms, self.codes.terms[*v as usize], *dot);
            if d <= limit && *v != u && !(capped && self.entity[*v as usize] == own) {
                near.push((d, *v));
            }
        }
        // The nearest few hold a full list, unless one entity has most of them.
        let mut count = 2 * self.limits.total;
        while count < near.len() {
            near.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let mut best = near[..count].to_vec();
            select(&mut best, self.limits, self.entity);
            if best.len() >= self.limits.total {
                *near = best;
                return;
            }
            count *= 4;
        }
        select(near, self.limits, self.entity);
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
