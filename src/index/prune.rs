//! From candidates to edges: relative-neighbourhood pruning, reverse edges, version edges.

use super::candidates::{Choice, Limits, Near};
use super::centres::Codes;
use crate::simd::int8::Int8;
use rayon::prelude::*;

/// Edges a row at most; the rest of its slots hold [`NONE`].
pub const DEGREE: usize = 32;
/// Slots that pruning leaves free, for edges that connect islands.
const SPARE: usize = 2;
/// An empty slot.
pub const NONE: u32 = u32::MAX;
/// A candidate is dropped when a kept neighbour is nearer to it by this factor (of squared distances).
const ALPHA: f32 = 1.2;

/// The edges of all rows, [`DEGREE`] slots each.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges(pub Vec<u32>);

impl Edges {
    /// The neighbours of a row.
    pub fn of(&self, row: usize) -> &[u32] {
        let slots = &self.0[row * DEGREE..(row + 1) * DEGREE];
        &slots[..slots.iter().position(|v| *v == NONE).unwrap_or(DEGREE)]
    }
}

/// What pruning looks at.
pub struct Pruner<'a> {
    /// Codes of all rows.
    pub codes: Codes<'a>,
    /// For each row its entity's next row, or [`NONE`].
    pub next: &'a [u32],
    /// For each row its entity's previous row, or [`NONE`].
    pub previous: &'a [u32],
    /// Whether a row takes part.
    pub placed: &'a [bool],
    /// Entity ordinal of each row.
    pub entity: &'a [u32],
    /// See [`Limits::per_entity`].
    pub per_entity: usize,
}

impl Pruner<'_> {
    /// Edges from each row's candidates (nearest first), then with reverse edges.
    pub fn edges(&self, candidates: &[Vec<Near>]) -> Edges {
        let mut slots = vec![NONE; candidates.len() * DEGREE];
        slots.par_chunks_mut(DEGREE).zip(candidates).enumerate().for_each(|(row, (slots, near))| {
            let kept = self.prune(row, near);
            slots[..kept.len()].copy_from_slice(&kept);
        });
        self.with_reverse(Edges(slots))
    }

    /// The kept ones of candidates that are sorted nearest first: version edges in front, then candidates under the cap of
    /// entities in up to half of the slots, so that a row's own versions leave room for strangers, then all.
    fn prune(&self, row: usize, near: &[Near]) -> Vec<u32> {
        let kernel = Int8::detect();
        if !self.placed[row] {
            return Vec::new();
        }
        let versions = [self.previous[row], self.next[row]].into_iter();
        let mut kept: Vec<u32> = versions.filter(|v| *v != NONE && self.placed[*v as usize]).collect();
        let versions = kept.len();
        let mut capped = Vec::new();
        if self.per_entity < usize::MAX {
            capped.extend_from_slice(near);
            let limits = Limits { nearest: 0, capped: near.len(), per_entity: self.per_entity };
            Choice { limits, entity: self.entity, own: self.entity[row] }.select(&mut capped);
        }
        for (near, most) in [(capped.as_slice(), DEGREE / 2), (near, DEGREE - SPARE)] {
            for (d, v) in near {
                if kept.len() >= most {
                    break;
                }
                let shadowed = |w: &u32| ALPHA * self.codes.squared(kernel, *w as usize, *v as usize) < *d;
                if !kept.contains(v) && !kept[versions..].iter().any(shadowed) {
                    kept.push(*v);
                }
            }
        }
        kept
    }

    /// Adds for each edge its reverse, and prunes rows that then have too many.
    fn with_reverse(&self, edges: Edges) -> Edges {
        let n = self.next.len();
        let mut start = vec![0usize; n + 1];
        for v in edges.0.iter().filter(|v| **v != NONE) {
            start[*v as usize + 1] += 1;
        }
        for i in 0..n {
            start[i + 1] += start[i];
        }
        let mut fill = start.clone();
        let mut incoming = vec![0u32; start[n]];
        for row in 0..n {
            for v in edges.of(row) {
                incoming[fill[*v as usize]] = row as u32;
                fill[*v as usize] += 1;
            }
        }
        let kernel = Int8::detect();
        let mut slots = vec![NONE; n * DEGREE];
        slots.par_chunks_mut(DEGREE).enumerate().for_each(|(row, slots)| {
            let mut all: Vec<u32> = edges.of(row).to_vec();
            all.extend(incoming[start[row]..start[row + 1]].iter().filter(|v| !edges.of(row).contains(v)));
            if all.len() > DEGREE - SPARE {
                let mut near: Vec<Near> =
                    all.iter().map(|v| (self.codes.squared(kernel, row, *v as usize), *v)).collect();
                near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                all = self.prune(row, &near);
            }
            slots[..all.len()].copy_from_slice(&all);
        });
        Edges(slots)
    }
}
