//! Building the graph: candidates from overlapping groups, pruning, one refinement by walks over
//! the graph itself, and edges between islands.

use super::candidates::{Choice, Limits, Near, Pairs, to_key};
use super::centres::Codes;
use super::links::Links;
use super::prune::{DEGREE, Edges, NONE, Pruner};
use super::view::View;
use super::walk::{Coded, Goal, Scratch, walk};
use crate::error::Result;
use crate::simd::int8::Int8;
use rayon::prelude::*;
use std::collections::VecDeque;

/// Nearest rows, whosever they are, that are a row's candidates.
const NEAREST: usize = 32;
/// Candidates under the cap of entities that a row keeps from its groups.
const CANDIDATES: usize = 48;
/// Pool of the refining walks, and candidates under the cap kept from one.
const REFINE: usize = 64;

/// What a graph is built from.
pub struct GraphInput<'a> {
    /// The other columns, without edges.
    pub view: View<'a>,
    /// Codes of all rows.
    pub codes: Codes<'a>,
    /// Entity ordinal of each row.
    pub entity: &'a [u32],
    /// For each row its entity's next row, or [`NONE`].
    pub next: &'a [u32],
    /// For each row its entity's previous row, or [`NONE`].
    pub previous: &'a [u32],
    /// Whether a row takes part.
    pub placed: &'a [bool],
    /// The nearest lists of each row.
    pub nearest: &'a [[u32; 3]],
    /// Candidates of one other entity.
    pub per_entity: usize,
    /// Fill the slots that pruning leaves free: neighbours with codes cost a walk nothing.
    pub full: bool,
    /// For splitting large groups.
    pub seed: u64,
}

impl GraphInput<'_> {
    /// The edges of all rows.
    pub fn build(&self) -> Result<Edges> {
        let pruner = Pruner {
            codes: self.codes,
            next: self.next,
            previous: self.previous,
            placed: self.placed,
            entity: self.entity,
            per_entity: self.per_entity,
        };
        let limits = Limits { nearest: NEAREST, capped: CANDIDATES, per_entity: self.per_entity };
        let pairs = Pairs { codes: self.codes, entity: self.entity, limits, seed: self.seed };
        let first = pruner.edges(&pairs.collect(&self.groups()));
        let refined = self.refine(&first)?;
        drop(first);
        let mut edges = pruner.edges(&refined);
        self.connect(&mut edges)?;
        if self.full {
            fill(&mut edges, &refined);
        }
        Ok(edges)
    }

    /// The rows of each list and of those for which it is second or third.
    fn groups(&self) -> Vec<Vec<u32>> {
        let mut groups = vec![Vec::new(); self.view.lists.len()];
        for (row, lists) in self.nearest.iter().enumerate().filter(|(row, _)| self.placed[*row]) {
            for (i, list) in lists.iter().enumerate() {
                if !lists[..i].contains(list) {
                    groups[*list as usize].push(row as u32);
                }
            }
        }
        groups
    }

    /// Candidates from a walk towards each row, and its old neighbours.
    fn refine(&self, edges: &Edges) -> Result<Vec<Vec<Near>>> {
        let view = View { links: Links::plain(edges), ..self.view.clone() };
        let limits = Limits { nearest: NEAREST, capped: REFINE, per_entity: self.per_entity };
        let kernel = Int8::detect();
        (0..view.rows)
            .into_par_iter()
            .map_init(Default::default, |(scratch, keys): &mut (Scratch, Vec<u64>), row| {
                if !self.placed[row] {
                    return Ok(Vec::new());
                }
                keys.clear();
                let choice = Choice { limits, entity: self.entity, own: self.entity[row] };
                let mut note = |squared, other: u32| {
                    if other as usize != row {
                        keys.push(to_key((squared, other)));
                    }
                };
                for other in edges.of(row) {
                    note(self.codes.squared(kernel, row, *other as usize), *other);
                }
                let target = Coded { code: self.codes.row(row), terms: self.codes.terms[row] };
                walk(
                    &view,
                    target,
                    None,
                    &self.entries(row),
                    Goal::pool(REFINE),
                    scratch,
                    |squared, other| {
                        note(squared, other);
                        Ok(f32::INFINITY)
                    },
                )?;
                Ok(choice.best_of(keys))
            })
            .collect()
    }

    fn entries(&self, row: usize) -> Vec<u32> {
        let medoids = self.nearest[row].iter().map(|list| self.view.lists.medoid[*list as usize]);
        let mut entries: Vec<u32> = medoids.filter(|m| *m != NONE).collect();
        entries.dedup();
        entries
    }

    /// Adds an edge to each island, so that every row can be reached from the first.
    fn connect(&self, edges: &mut Edges) -> Result<()> {
        let n = self.view.rows;
        let Some(first) = (0..n).find(|row| self.placed[*row]) else { return Ok(()) };
        let mut reached = vec![false; n];
        spread(edges, first as u32, &mut reached);
        let mut scratch = Scratch::default();
        for row in first..n {
            if reached[row] || !self.placed[row] {
                continue;
            }
            let from = self.nearest_with_room(edges, first as u32, row, &mut scratch)?;
            let free = edges.of(from as usize).len();
            edges.0[from as usize * DEGREE + free] = row as u32;
            spread(edges, row as u32, &mut reached);
        }
        Ok(())
    }

    /// The nearest row with an empty slot that a walk from `first`, which meets reached rows
    /// only, finds.
    fn nearest_with_room(&self, edges: &Edges, first: u32, row: usize, scratch: &mut Scratch) -> Result<u32> {
        let view = View { links: Links::plain(edges), ..self.view.clone() };
        let target = Coded { code: self.codes.row(row), terms: self.codes.terms[row] };
        let mut ef = REFINE;
        loop {
            let mut best: Option<Near> = None;
            walk(&view, target, None, &[first], Goal::pool(ef), scratch, |squared, other| {
                let room = edges.of(other as usize).len() < DEGREE;
                if room && best.is_none_or(|b| (squared, other) < b) {
                    best = Some((squared, other));
                }
                Ok(f32::INFINITY)
            })?;
            if let Some((_, other)) = best {
                return Ok(other);
            }
            if ef > view.rows {
                return Err(crate::Error::internal("no row of the graph has room for an edge"));
            }
            ef *= 4;
        }
    }
}

/// Puts the nearest candidates into empty slots.
fn fill(edges: &mut Edges, candidates: &[Vec<Near>]) {
    edges.0.par_chunks_mut(DEGREE).zip(candidates).for_each(|(slots, near)| {
        let mut used = slots.iter().position(|v| *v == NONE).unwrap_or(DEGREE);
        for (_, v) in near {
            if used < DEGREE && !slots[..used].contains(v) {
                slots[used] = *v;
                used += 1;
            }
        }
    });
}

/// Marks everything that can be reached from `start`.
fn spread(edges: &Edges, start: u32, reached: &mut [bool]) {
    let mut queue = VecDeque::from([start]);
    reached[start as usize] = true;
    while let Some(row) = queue.pop_front() {
        for next in edges.of(row as usize) {
            if !std::mem::replace(&mut reached[*next as usize], true) {
                queue.push_back(*next);
            }
        }
    }
}
