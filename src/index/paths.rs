//! The four ways to gather candidates: runs of rows, listed rows, inverted lists, the graph.

use super::candidates::{of_key, to_key};
use super::column::wrong_row;
use super::eligible::Eligible;
use super::onebit::Table;
use super::plan::Probes;
use super::pool::keep_nearest;
use super::query::Stats;
use super::sq8;
use super::target::Target;
use super::view::View;
use super::walk::{self, Goal, Scratch};
use crate::error::Result;
use crate::metric::Metric;
use crate::simd::bits::{BLOCK, Lookup, block_bytes};
use crate::simd::int8::Int8;
use std::ops::Range;

/// Rows whose distances are computed at a time.
const STRIP: usize = 256;
/// Rows of a list that are measured before the others.
const AHEAD: usize = 16;
/// A query this many times further from a centre than the furthest row is not among the rows; above 1 for
/// the rounding of codes.
const AMONG: f32 = 1.02;
/// A query this many times further out gets the one-bit codes of all lists.
const OUTSIDE: f32 = 1.5;
/// Up to so many lists are picked one by one; more are sorted.
const FEW_LISTS: usize = 16;
/// Of the rows of a list every so many-th is asked whether it counts.
const SAMPLED: usize = 8;
/// Lists near the query that offer a start of the walk.
const ENTRIES: usize = 4;

/// Takes the rows that a path meets.
pub trait Sink {
    /// Rows at or beyond this squared distance need not be offered.
    fn reach(&mut self) -> f32;
    /// Takes a row at a squared distance, if it is eligible.
    fn take(&mut self, squared: f32, row: u32) -> Result<()>;
    /// How many standard errors an estimate may be too large before a row is lost.
    fn errors(&self) -> f32;
    /// True when it has as many rows as are wanted.
    fn filled(&self) -> bool;
}

/// Memory and tables of one thread's searches.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The query's place in the space.
    pub(super) place: Vec<f32>,
    pub(super) code: Vec<i8>,
    pub(super) table: Table,
    pub(super) scratch: Scratch,
    pub(super) dots: Vec<i32>,
    pub(super) squares: Vec<f32>,
    pub(super) keys: Vec<u64>,
    pub(super) order: Vec<(f32, u32)>,
    pub(super) near: Vec<(f32, u32)>,
    pub(super) rows: Vec<u32>,
}

/// Gathers the rows of one question along a path.
pub(super) struct Gather<'g, S> {
    /// The columns.
    pub view: &'g View<'g>,
    /// The question.
    pub target: &'g Target<'g>,
    /// The rows that count.
    pub eligible: &'g Eligible,
    /// What takes the rows.
    pub sink: &'g mut S,
    /// The thread's memory.
    pub work: &'g mut Workspace,
    /// What is counted.
    pub stats: &'g mut Stats,
}

impl<S: Sink> Gather<'_, S> {
    /// Every row of the window, by 8-bit code.
    pub(super) fn scan(&mut self) -> Result<()> {
        let (kernel, padded) = (Int8::detect(), self.view.padded);
        for run in self.eligible.runs() {
            self.stats.codes += run.len();
            for start in run.clone().step_by(STRIP) {
                let rows = start..(start + STRIP).min(run.end);
                self.work.dots.resize(rows.len(), 0);
                let codes = self.view.codes.get(rows.start * padded..rows.end * padded)?;
                kernel.dot_slab(self.target.coded.code, codes, &mut self.work.dots);
                let terms = self.view.terms.get(rows.clone())?;
                sq8::squares(self.target.coded.terms, terms, &self.work.dots, &mut self.work.squares);
                let mut reach = self.sink.reach();
                for (row, squared) in rows.zip(&self.work.squares) {
                    if *squared < reach {
                        self.sink.take(*squared, row as u32)?;
                        reach = self.sink.reach();
                    }
                }
            }
        }
        Ok(())
    }

    /// The rows that `eligible` can list, by 8-bit code.
    pub(super) fn listed(&mut self) -> Result<()> {
        for strip in self.eligible.list(self.view)?.chunks(STRIP) {
            self.measure_all(strip)?;
        }
        Ok(())
    }

    fn measure_all(&mut self, rows: &[u32]) -> Result<()> {
        walk::measure(self.view, self.target.coded, rows, &mut self.work.near)?;
        self.stats.codes += rows.len();
        let mut reach = self.sink.reach();
        for (squared, row) in &self.work.near {
            if *squared < reach {
                self.sink.take(*squared, *row)?;
                reach = self.sink.reach();
            }
        }
        Ok(())
    }

    /// The `nearest` lists by the distance of their centres into `order`, nearest first.
    pub(super) fn order_lists(&mut self, nearest: usize) {
        let view = self.view;
        let lists = &view.lists;
        self.work.dots.resize(lists.len(), 0);
        Int8::detect().dot_slab(self.target.coded.code, lists.centres, &mut self.work.dots);
        sq8::squares(self.target.coded.terms, lists.terms, &self.work.dots, &mut self.work.squares);
        self.work.order.clear();
        if nearest <= FEW_LISTS {
            let mut last = f32::INFINITY;
            for (squared, list) in self.work.squares.iter().zip(0..) {
                if *squared < last {
                    keep_nearest(&mut self.work.order, nearest, (*squared, list));
                    last = self.work.order.get(nearest.max(1) - 1).map_or(f32::INFINITY, |worst| worst.0);
                }
            }
            return;
        }
        self.work.keys.clear();
        self.work
            .keys
            .extend(self.work.squares.iter().zip(0..).map(|(squared, list)| to_key((*squared, list))));
        if nearest < self.work.keys.len() {
            self.work.keys.select_nth_unstable(nearest);
            self.work.keys.truncate(nearest);
        }
        self.work.keys.sort_unstable();
        self.work.order.extend(self.work.keys.iter().map(|key| of_key(*key)));
    }

    /// The lists nearest to the query; more of them while too few rows were found, or met.
    pub(super) fn probe(&mut self, probes: Probes) -> Result<()> {
        self.work.table.set(&self.work.place);
        let (mut nearest, mut done, mut met) = (probes.lists, 0, 0);
        let mut probes = probes;
        loop {
            self.order_lists(nearest);
            if done == 0 && self.is_outside() {
                // How deep to look is known for questions among the rows: all one-bit codes, then.
                probes.lists = self.view.lists.len();
                nearest = probes.lists;
                self.order_lists(nearest);
            }
            let order = std::mem::take(&mut self.work.order);
            for (centre2, list) in &order[done..] {
                if done >= probes.lists && met >= probes.met && self.sink.filled() {
                    break;
                }
                met += self.probe_list((*centre2, *list as usize))?;
                done += 1;
            }
            self.work.order = order;
            let enough = done >= probes.lists && met >= probes.met && self.sink.filled();
            if enough || done == self.view.lists.len() {
                return Ok(());
            }
            nearest = nearest.saturating_mul(2);
        }
    }

    /// True for a question that lies well beyond the rows of its nearest list. Under dot every question does.
    fn is_outside(&self) -> bool {
        let nearest = self.work.order.first();
        self.target.space.metric() != Metric::Dot
            && nearest.is_some_and(|(centre2, list)| {
                centre2.sqrt() > OUTSIDE * self.view.lists.radius[*list as usize]
            })
    }

    /// One list: one-bit estimates, then 8-bit distances of the rows that the estimate leaves. Returns about how many
    /// rows that count it holds.
    pub(super) fn probe_list(&mut self, (centre2, list): (f32, usize)) -> Result<usize> {
        let view = self.view;
        let members = view.lists.members_of(list)?;
        self.stats.lists += 1;
        self.work.keys.clear();
        let mut met = 0;
        for run in self.eligible.runs() {
            let span = span(members, run);
            self.stats.estimates += span.len();
            met += self.met(&members[span.clone()])?;
            self.estimate(members, span, (centre2, list))?;
        }
        let mut keys = std::mem::take(&mut self.work.keys);
        if self.eligible.is_sparse() {
            self.admitted(&mut keys)?;
        }
        // The rows of least estimate first: they bring the reach down for the others.
        let mut rest = keys.as_mut_slice();
        if rest.len() > AHEAD {
            rest.select_nth_unstable(AHEAD);
            let (ahead, others) = rest.split_at_mut(AHEAD);
            self.measure_keys(ahead)?;
            rest = others;
        }
        for strip in rest.chunks(AHEAD) {
            self.measure_keys(strip)?;
        }
        self.work.keys = keys;
        Ok(met)
    }

    /// About how many of a list's rows count.
    fn met(&self, rows: &[u32]) -> Result<usize> {
        if self.eligible.is_plain() {
            return Ok(rows.len());
        }
        let mut met = 0;
        for row in rows.iter().step_by(SAMPLED) {
            met += usize::from(self.eligible.admits(self.view, *row)?);
        }
        Ok(met * SAMPLED)
    }

    /// Notes the rows of a span of a list whose estimate is in reach: estimate and row as one number,
    /// which is in the order of estimates.
    fn estimate(&mut self, members: &[u32], span: Range<usize>, (centre2, list): (f32, usize)) -> Result<()> {
        let padded = self.view.padded;
        let blocks = span.start / BLOCK..span.end.div_ceil(BLOCK);
        let (bytes, factors) = self.view.lists.blocks_of(list, blocks.clone(), padded)?;
        let (near, reach) = ((centre2, self.sink.errors()), self.sink.reach());
        let mut lower = [0.0; BLOCK];
        for (block, (bytes, factors)) in blocks.zip(bytes.chunks_exact(block_bytes(padded)).zip(factors)) {
            self.work.table.lower_bounds(Lookup::detect(), bytes, factors, near, &mut lower);
            let inside = span.start.max(block * BLOCK)..span.end.min((block + 1) * BLOCK);
            for i in inside {
                if lower[i % BLOCK] < reach {
                    self.work.keys.push(to_key((lower[i % BLOCK], members[i])));
                }
            }
        }
        Ok(())
    }

    /// Measures the rows of keys that are still in reach.
    fn measure_keys(&mut self, keys: &[u64]) -> Result<()> {
        let limit = self.sink.reach();
        let mut rows = std::mem::take(&mut self.work.rows);
        rows.clear();
        rows.extend(keys.iter().map(|key| of_key(*key)).filter(|near| near.0 < limit).map(|near| near.1));
        self.checked(&rows)?;
        rows.iter().for_each(|row| self.view.expect_code(*row));
        self.measure_all(&rows)?;
        self.work.rows = rows;
        Ok(())
    }

    /// Leaves the rows that count: where few do, asking first is cheaper than measuring all.
    fn admitted(&self, keys: &mut Vec<u64>) -> Result<()> {
        let mut kept = 0;
        for i in 0..keys.len() {
            if self.eligible.admits(self.view, of_key(keys[i]).1)? {
                keys[kept] = keys[i];
                kept += 1;
            }
        }
        keys.truncate(kept);
        Ok(())
    }

    fn checked(&self, rows: &[u32]) -> Result<()> {
        match rows.iter().find(|row| **row as usize >= self.view.rows) {
            None => Ok(()),
            Some(row) => Err(wrong_row(*row, self.view.rows)),
        }
    }

    /// The graph, from rows of the window in the lists nearest to the query; false without a walk for a query that
    /// lies further from the nearest centre than any row of its list: how deep a walk must go is known for
    /// queries among the rows.
    pub(super) fn graph(&mut self, goal: Goal) -> Result<bool> {
        self.order_lists(2 * ENTRIES);
        if let Some((squared, list)) = self.work.order.first()
            && squared.sqrt() > AMONG * self.view.lists.radius[*list as usize]
        {
            return Ok(false);
        }
        let mut entries = Vec::with_capacity(ENTRIES);
        for (_, list) in &self.work.order {
            if entries.len() < ENTRIES
                && let Some(row) = self.entry(*list as usize)?
            {
                entries.push(row);
            }
        }
        if entries.is_empty() {
            entries.extend(self.eligible.runs().iter().find(|r| !r.is_empty()).map(|r| r.start as u32));
        }
        let seen = |squared, row| {
            if squared < self.sink.reach() {
                self.sink.take(squared, row)?;
            }
            Ok(self.sink.reach())
        };
        self.work.table.set(&self.work.place);
        let table = self.view.links.coded().then_some(&self.work.table);
        let steps =
            walk::walk(self.view, self.target.coded, table, &entries, goal, &mut self.work.scratch, seen)?;
        self.stats.hops += steps.hops;
        self.stats.codes += steps.distances;
        Ok(true)
    }

    /// A row of a list to start from: near its centre, or in the middle of the window.
    fn entry(&self, list: usize) -> Result<Option<u32>> {
        let medoid = self.view.lists.medoid[list];
        if self.eligible.runs().iter().any(|run| run.contains(&(medoid as usize))) {
            return Ok(Some(medoid));
        }
        let members = self.view.lists.members_of(list)?;
        for run in self.eligible.runs() {
            let span = span(members, run);
            if !span.is_empty() {
                return Ok(Some(members[span.start + span.len() / 2]));
            }
        }
        Ok(None)
    }
}

/// The places of a run of rows among a list's ascending members.
fn span(members: &[u32], run: &Range<usize>) -> Range<usize> {
    let from = members.partition_point(|row| (*row as usize) < run.start);
    let to = from + members[from..].partition_point(|row| (*row as usize) < run.end);
    from..to
}
