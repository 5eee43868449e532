//! Best-first walk over the graph (beam search), on 8-bit codes.

use super::sq8::{self, Terms};
use super::view::{View, wrong_row};
use crate::error::Result;
use crate::simd::int8::Int8;

/// A query in the space, as an 8-bit code.
#[derive(Debug, Clone, Copy)]
pub struct Coded<'q> {
    /// Integers.
    pub code: &'q [i8],
    /// Scale and norm.
    pub terms: Terms,
}

/// Memory that walks use again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    visited: Vec<u64>,
    touched: Vec<u32>,
    pool: Vec<Place>,
    fresh: Vec<u32>,
    near: Vec<(f32, u32)>,
}

/// A place of the pool: squared distance, row, and whether its neighbours were looked at.
#[derive(Debug, Clone, Copy)]
struct Place {
    distance: f32,
    row: u32,
    open: bool,
}

/// What a walk did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Rows whose neighbours were looked at.
    pub hops: usize,
    /// Distances computed.
    pub distances: usize,
}

/// Walks from `entries` towards the query with a pool of `ef` rows; `seen` is told each row met,
/// once, with its squared distance.
pub fn walk(
    view: &View<'_>,
    query: Coded<'_>,
    entries: &[u32],
    ef: usize,
    scratch: &mut Scratch,
    mut seen: impl FnMut(f32, u32) -> Result<()>,
) -> Result<Steps> {
    scratch.start(view.rows);
    let mut steps = Steps::default();
    for row in entries {
        if *row as usize >= view.rows {
            return Err(wrong_row(*row, view.rows));
        }
        scratch.note(*row);
    }
    let mut at = 0;
    loop {
        measure(view, query, &scratch.fresh, &mut scratch.near)?;
        steps.distances += scratch.near.len();
        for (distance, row) in &scratch.near {
            seen(*distance, *row)?;
            let place = admit(&mut scratch.pool, ef, *distance, *row);
            if place <= at {
                at = place;
                view.expect_neighbours(*row);
            }
        }
        while scratch.pool.get(at).is_some_and(|p| !p.open) {
            at += 1;
        }
        let Some(place) = scratch.pool.get_mut(at) else { break };
        place.open = false;
        let row = place.row;
        steps.hops += 1;
        scratch.fresh.clear();
        for v in view.neighbours(row)? {
            scratch.note(*v);
        }
        scratch.fresh.iter().for_each(|v| view.expect_code(*v));
        if let Some(next) = scratch.pool[at..].iter().find(|p| p.open) {
            view.expect_neighbours(next.row);
        }
    }
    scratch.end();
    Ok(steps)
}

impl Scratch {
    fn start(&mut self, rows: usize) {
        // A walk that failed left its marks.
        self.end();
        self.visited.resize(rows.div_ceil(64), 0);
    }

    fn end(&mut self) {
        for row in self.touched.drain(..) {
            if let Some(word) = self.visited.get_mut(row as usize / 64) {
                *word = 0;
            }
        }
        self.pool.clear();
        self.fresh.clear();
    }

    /// Marks a row; it is fresh when it was not marked before.
    #[inline]
    fn note(&mut self, row: u32) {
        let word = &mut self.visited[row as usize / 64];
        let bit = 1 << (row % 64);
        if *word & bit == 0 {
            *word |= bit;
            self.touched.push(row);
            self.fresh.push(row);
        }
    }
}

/// Puts a row into the sorted pool, if it is among the best `ef`, and returns its position.
#[inline]
fn admit(pool: &mut Vec<Place>, ef: usize, distance: f32, row: u32) -> usize {
    let before = |p: &Place| (p.distance, p.row) < (distance, row);
    if pool.len() >= ef {
        if pool.last().is_none_or(before) {
            return usize::MAX;
        }
        pool.pop();
    }
    let at = pool.partition_point(before);
    pool.insert(at, Place { distance, row, open: true });
    at
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
