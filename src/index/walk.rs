//! Best-first walk over the graph (beam search), on 8-bit codes, or on the one-bit codes of neighbours.
//!
//! A walk ends when its pool holds nothing nearer that was not looked at, or, well before that for most queries,
//! when what it would look at next lies beyond `stretch` times the distance up to which rows are wanted
//! (distance-adaptive beam search, Al-Jazzazi et al., 2025).

use super::candidates::{of_key, to_key};
use super::column::wrong_row;
use super::onebit::Table;
use super::sq8::{self, Terms};
use super::view::View;
use crate::error::Result;
use crate::simd::bits::{BLOCK, Lookup};
use crate::simd::int8::Int8;

/// A query in the space, as an 8-bit code.
#[derive(Debug, Clone, Copy)]
pub struct Coded<'q> {
    /// Integers.
    pub code: &'q [i8],
    /// Scale and norm.
    pub terms: Terms,
}

/// How far a walk goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// Rows of the pool.
    pub ef: usize,
    /// Rows beyond this times the wanted squared distance are not looked at.
    pub stretch: f32,
    /// As long as no distance is wanted, that of so many rows of the pool is; a filter may refuse any number.
    pub enough: Option<usize>,
}

impl Goal {
    /// All of a pool.
    pub fn pool(ef: usize) -> Goal {
        Goal { ef, stretch: f32::INFINITY, enough: None }
    }
}

/// Memory that walks use again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    visited: Vec<u64>,
    looked: Vec<u64>,
    touched: Vec<u32>,
    /// Nearest rows by measured or estimated distance, as keys.
    pool: Vec<u64>,
    fresh: Vec<u32>,
    near: Vec<(f32, u32)>,
    /// Rows that walks do not enter.
    hidden: Vec<u32>,
}

/// What a walk did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Rows whose neighbours were looked at.
    pub hops: usize,
    /// Distances computed.
    pub distances: usize,
}

/// Walks from `entries` towards the query. `seen` is told rows with their squared distances, each once, and gives the
/// squared distance up to which rows are wanted. Without a `table` of the query that is every row met; with one, for a
/// graph whose neighbours have codes, neighbours are estimated and only rows that are looked at are measured.
pub fn walk(
    view: &View<'_>,
    query: Coded<'_>,
    table: Option<&Table>,
    entries: &[u32],
    goal: Goal,
    scratch: &mut Scratch,
    mut seen: impl FnMut(f32, u32) -> Result<f32>,
) -> Result<Steps> {
    let (lookup, kernel) = (Lookup::detect(), Int8::detect());
    scratch.start(view.rows);
    measure(view, query, entries, &mut scratch.near)?;
    let mut steps = Steps { hops: 0, distances: entries.len() };
    let mut wanted = f32::INFINITY;
    for i in 0..scratch.near.len() {
        let near = scratch.near[i];
        if scratch.visit(near.1) {
            scratch.admit(goal.ef, near);
            if table.is_none() {
                wanted = seen(near.0, near.1)?;
            }
        }
    }
    // All places before this one were looked at.
    let mut at = 0;
    while let Some((near, row)) = scratch.next(&mut at) {
        if near > wanted * goal.stretch {
            break;
        }
        steps.hops += 1;
        // Most likely the row after this one, unless a neighbour is nearer.
        let after = scratch.row_at(at);
        after.iter().for_each(|row| view.expect(*row));
        let Some(table) = table else {
            scratch.fresh.clear();
            view.links.of(row)?.iter().for_each(|v| scratch.note(*v));
            scratch.fresh.iter().for_each(|v| view.expect_code(*v));
            measure(view, query, &scratch.fresh, &mut scratch.near)?;
            steps.distances += scratch.near.len();
            for i in 0..scratch.near.len() {
                let near = scratch.near[i];
                wanted = seen(near.0, near.1)?;
                if near.0 < scratch.limit(goal, wanted) {
                    at = at.min(scratch.admit(goal.ef, near));
                }
            }
            continue;
        };
        let dot = kernel.dot(query.code, view.codes.row(row as usize, view.padded)?);
        let distance = sq8::squared(query.terms, view.terms.one(row as usize)?, dot);
        wanted = seen(distance, row)?;
        steps.distances += 1;
        let Some(near) = view.links.coded_of(row)? else { break };
        let mut estimates = [0.0; BLOCK];
        table.estimates(lookup, near.bits, (near.add, near.scale), distance, &mut estimates);
        let mut limit = scratch.limit(goal, wanted);
        for (estimate, v) in estimates.into_iter().zip(near.rows) {
            if estimate < limit {
                if *v as usize >= view.rows {
                    return Err(wrong_row(*v, view.rows));
                }
                if scratch.visit(*v) {
                    at = at.min(scratch.admit(goal.ef, (estimate, *v)));
                    limit = scratch.limit(goal, wanted);
                }
            }
        }
        let next = scratch.row_at(at).filter(|row| after != Some(*row));
        next.iter().for_each(|row| view.expect(*row));
    }
    scratch.end();
    Ok(steps)
}

impl Scratch {
    fn start(&mut self, rows: usize) {
        // A walk that failed left its marks.
        self.end();
        self.visited.resize(rows.div_ceil(64), 0);
        self.looked.resize(rows.div_ceil(64), 0);
        for i in 0..self.hidden.len() {
            self.visit(self.hidden[i]);
        }
    }

    /// Keeps walks out of some rows, as if the graph did not have them.
    pub fn hide(&mut self, rows: &[u32]) {
        self.hidden = rows.to_vec();
    }

    fn end(&mut self) {
        for row in self.touched.drain(..) {
            for marks in [&mut self.visited, &mut self.looked] {
                if let Some(word) = marks.get_mut(row as usize / 64) {
                    *word = 0;
                }
            }
        }
        self.pool.clear();
    }

    /// Marks a row; false when it was marked before.
    #[inline]
    fn visit(&mut self, row: u32) -> bool {
        let new = mark(&mut self.visited, row);
        if new {
            self.touched.push(row);
        }
        new
    }

    /// Marks a row; it is fresh when it was not marked before.
    #[inline]
    fn note(&mut self, row: u32) {
        if self.visit(row) {
            self.fresh.push(row);
        }
    }

    /// What a place in the pool must be nearer than.
    #[inline]
    fn limit(&self, goal: Goal, wanted: f32) -> f32 {
        let nth = |n: usize| self.pool.get(n.wrapping_sub(1)).map_or(f32::INFINITY, |key| of_key(*key).0);
        let wanted = match goal.enough {
            Some(enough) if wanted == f32::INFINITY => nth(enough),
            _ => wanted,
        };
        (wanted * goal.stretch).min(nth(goal.ef))
    }

    /// Puts a row into the sorted pool and returns its position.
    #[inline]
    fn admit(&mut self, ef: usize, near: (f32, u32)) -> usize {
        if self.pool.len() >= ef {
            self.pool.pop();
        }
        let key = to_key(near);
        let at = self.pool.partition_point(|k| *k < key);
        self.pool.insert(at, key);
        at
    }

    /// The row at a place of the pool.
    #[inline]
    fn row_at(&self, at: usize) -> Option<u32> {
        self.pool.get(at).map(|key| of_key(*key).1)
    }

    /// The first row of the pool from place `at` on that was not looked at, marked; `at` becomes the place after it.
    #[inline]
    fn next(&mut self, at: &mut usize) -> Option<(f32, u32)> {
        loop {
            let near = of_key(*self.pool.get(*at)?);
            *at += 1;
            if mark(&mut self.looked, near.1) {
                return Some(near);
            }
        }
    }
}

/// Sets a row's bit; false when it was set.
#[inline]
fn mark(bits: &mut [u64], row: u32) -> bool {
    let (word, bit) = (&mut bits[row as usize / 64], 1 << (row % 64));
    let new = *word & bit == 0;
    *word |= bit;
    new
}

/// Squared distances of `rows` to the query, four at a time.
pub fn measure(view: &View<'_>, query: Coded<'_>, rows: &[u32], out: &mut Vec<(f32, u32)>) -> Result<()> {
    let kernel = Int8::detect();
    out.clear();
    for four in rows.chunks(4) {
        let mut codes: [&[i8]; 4] = [&[]; 4];
        for (code, row) in codes.iter_mut().zip(four) {
            *code = view.codes.row(*row as usize, view.padded)?;
        }
        if four.len() < 4 {
            let first = codes[0];
            codes.iter_mut().for_each(|c| {
                if c.is_empty() {
                    *c = first
                }
            });
        }
        let dots = kernel.dot4(query.code, codes);
        for (row, dot) in four.iter().zip(dots) {
            let terms = view.terms.one(*row as usize)?;
            out.push((sq8::squared(query.terms, terms, dot), *row));
        }
    }
    Ok(())
}
