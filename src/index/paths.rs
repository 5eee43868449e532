//! The four ways to gather candidates: runs of rows, listed rows, inverted lists, the graph.

use super::candidates::{of_key, to_key};
use super::eligible::Eligible;
use super::plan::Probes;
use super::pool::keep_nearest;
use super::query::Stats;
use super::search::{Search, Target, Workspace};
use super::sq8;
use super::view::wrong_row;
use super::walk::{self, Goal};
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

impl Search<'_> {
    /// Every row of the window, by 8-bit code.
    pub(super) fn scan(
        &self,
        target: &Target<'_>,
        eligible: &Eligible,
        sink: &mut impl Sink,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<()> {
        let (kernel, padded) = (Int8::detect(), self.view.padded);
        for run in eligible.runs() {
            stats.codes += run.len();
            for start in run.clone().step_by(STRIP) {
                let rows = start..(start + STRIP).min(run.end);
                work.dots.resize(rows.len(), 0);
                let codes = self.view.codes.get(rows.start * padded..rows.end * padded)?;
                kernel.dot_slab(target.coded.code, codes, &mut work.dots);
                let terms = self.view.terms.get(rows.clone())?;
                sq8::squares(target.coded.terms, terms, &work.dots, &mut work.squares);
                let mut reach = sink.reach();
                for (row, squared) in rows.zip(&work.squares) {
                    if *squared < reach {
                        sink.take(*squared, row as u32)?;
                        reach = sink.reach();
                    }
                }
            }
        }
        Ok(())
    }

    /// The rows that `eligible` can list, by 8-bit code.
    pub(super) fn listed(
        &self,
        target: &Target<'_>,
        eligible: &Eligible,
        sink: &mut impl Sink,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<()> {
        for strip in eligible.list(self.view)?.chunks(STRIP) {
            self.measure_all(target, strip, sink, &mut work.near, stats)?;
        }
        Ok(())
    }

    fn measure_all(
        &self,
        target: &Target<'_>,
        rows: &[u32],
        sink: &mut impl Sink,
        near: &mut Vec<(f32, u32)>,
        stats: &mut Stats,
    ) -> Result<()> {
        walk::measure(self.view, target.coded, rows, near)?;
        stats.codes += rows.len();
        let mut reach = sink.reach();
        for (squared, row) in near {
            if *squared < reach {
                sink.take(*squared, *row)?;
                reach = sink.reach();
            }
        }
        Ok(())
    }

    /// The `nearest` lists by the distance of their centres into `order`, nearest first.
    pub(super) fn order_lists(&self, target: &Target<'_>, nearest: usize, work: &mut Workspace) {
        let lists = &self.view.lists;
        work.dots.resize(lists.len(), 0);
        Int8::detect().dot_slab(target.coded.code, lists.centres, &mut work.dots);
        sq8::squares(target.coded.terms, lists.terms, &work.dots, &mut work.squares);
        work.order.clear();
        if nearest <= FEW_LISTS {
            let mut last = f32::INFINITY;
            for (squared, list) in work.squares.iter().zip(0..) {
                if *squared < last {
                    keep_nearest(&mut work.order, nearest, (*squared, list));
                    last = work.order.get(nearest.max(1) - 1).map_or(f32::INFINITY, |worst| worst.0);
                }
            }
            return;
        }
        work.keys.clear();
        work.keys.extend(work.squares.iter().zip(0..).map(|(squared, list)| to_key((*squared, list))));
        if nearest < work.keys.len() {
            work.keys.select_nth_unstable(nearest);
            work.keys.truncate(nearest);
        }
        work.keys.sort_unstable();
        work.order.extend(work.keys.iter().map(|key| of_key(*key)));
    }

    /// The lists nearest to the query; more of them while too few rows were found, or met.
    pub(super) fn probe(
        &self,
        target: &Target<'_>,
        eligible: &Eligible,
        probes: Probes,
        sink: &mut impl Sink,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<()> {
        work.table.set(&work.place);
        let (mut nearest, mut done, mut met) = (probes.lists, 0, 0);
        let mut probes = probes;
        loop {
            self.order_lists(target, nearest, work);
            if done == 0 && self.is_outside(work) {
                // How deep to look is known for questions among the rows: all one-bit codes, then.
                probes.lists = self.view.lists.len();
                nearest = probes.lists;
                self.order_lists(target, nearest, work);
            }
            let order = std::mem::take(&mut work.order);
            for (centre2, list) in &order[done..] {
                if done >= probes.lists && met >= probes.met && sink.filled() {
                    break;
                }
                met += self.probe_list(target, eligible, (*centre2, *list as usize), sink, work, stats)?;
                done += 1;
            }
            work.order = order;
            let enough = done >= probes.lists && met >= probes.met && sink.filled();
            if enough || done == self.view.lists.len() {
                return Ok(());
            }
            nearest = nearest.saturating_mul(2);
        }
    }

    /// True for a question that lies well beyond the rows of its nearest list. Under dot every question does.
    fn is_outside(&self, work: &Workspace) -> bool {
        let nearest = work.order.first();
        self.space.metric() != Metric::Dot
            && nearest.is_some_and(|(centre2, list)| {
                centre2.sqrt() > OUTSIDE * self.view.lists.radius[*list as usize]
            })
    }

    /// One list: one-bit estimates, then 8-bit distances of the rows that the estimate leaves. Returns about how many
    /// rows that count it holds.
    pub(super) fn probe_list(
        &self,
        target: &Target<'_>,
        eligible: &Eligible,
        (centre2, list): (f32, usize),
        sink: &mut impl Sink,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<usize> {
        let members = self.view.lists.members_of(list)?;
        stats.lists += 1;
        work.keys.clear();
        let mut met = 0;
        for run in eligible.runs() {
            let span = span(members, run);
            stats.estimates += span.len();
            met += self.met(eligible, &members[span.clone()])?;
            self.estimate(members, span, (centre2, list), sink, work)?;
        }
        let mut keys = std::mem::take(&mut work.keys);
        if eligible.is_sparse() {
            self.admitted(eligible, &mut keys)?;
        }
        // The rows of least estimate first: they bring the reach down for the others.
        let mut rest = keys.as_mut_slice();
        if rest.len() > AHEAD {
            rest.select_nth_unstable(AHEAD);
            let (ahead, others) = rest.split_at_mut(AHEAD);
            self.measure_keys(target, ahead, sink, work, stats)?;
            rest = others;
        }
        for strip in rest.chunks(AHEAD) {
            self.measure_keys(target, strip, sink, work, stats)?;
        }
        work.keys = keys;
        Ok(met)
    }

    /// About how many of a list's rows count.
    fn met(&self, eligible: &Eligible, rows: &[u32]) -> Result<usize> {
        if eligible.is_plain() {
            return Ok(rows.len());
        }
        let mut met = 0;
        for row in rows.iter().step_by(SAMPLED) {
            met += usize::from(eligible.admits(self.view, *row)?);
        }
        Ok(met * SAMPLED)
    }

    /// Notes the rows of a span of a list whose estimate is in reach: estimate and row as one number,
    /// which is in the order of estimates.
    fn estimate(
        &self,
        members: &[u32],
        span: Range<usize>,
        (centre2, list): (f32, usize),
        sink: &mut impl Sink,
        work: &mut Workspace,
    ) -> Result<()> {
        let padded = self.view.padded;
        let blocks = span.start / BLOCK..span.end.div_ceil(BLOCK);
        let (bytes, factors) = self.view.lists.blocks_of(list, blocks.clone(), padded)?;
        let (near, reach) = ((centre2, sink.errors()), sink.reach());
        let mut lower = [0.0; BLOCK];
        for (block, (bytes, factors)) in blocks.zip(bytes.chunks_exact(block_bytes(padded)).zip(factors)) {
            work.table.lower_bounds(Lookup::detect(), bytes, factors, near, &mut lower);
            let inside = span.start.max(block * BLOCK)..span.end.min((block + 1) * BLOCK);
            for i in inside {
                if lower[i % BLOCK] < reach {
                    work.keys.push(to_key((lower[i % BLOCK], members[i])));
                }
            }
        }
        Ok(())
    }

    /// Measures the rows of keys that are still in reach.
    fn measure_keys(
        &self,
        target: &Target<'_>,
        keys: &[u64],
        sink: &mut impl Sink,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<()> {
        let limit = sink.reach();
        work.rows.clear();
        work.rows
            .extend(keys.iter().map(|key| of_key(*key)).filter(|near| near.0 < limit).map(|near| near.1));
        self.checked(&work.rows)?;
        work.rows.iter().for_each(|row| self.view.expect_code(*row));
        self.measure_all(target, &work.rows, sink, &mut work.near, stats)
    }

    /// Leaves the rows that count: where few do, asking first is cheaper than measuring all.
    fn admitted(&self, eligible: &Eligible, keys: &mut Vec<u64>) -> Result<()> {
        let mut kept = 0;
        for i in 0..keys.len() {
            if eligible.admits(self.view, of_key(keys[i]).1)? {
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
    pub(super) fn graph(
        &self,
        target: &Target<'_>,
        eligible: &Eligible,
        goal: Goal,
        sink: &mut impl Sink,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<bool> {
        self.order_lists(target, 2 * ENTRIES, work);
        if let Some((squared, list)) = work.order.first()
            && squared.sqrt() > AMONG * self.view.lists.radius[*list as usize]
        {
            return Ok(false);
        }
        let mut entries = Vec::with_capacity(ENTRIES);
        for (_, list) in &work.order {
            if entries.len() < ENTRIES
                && let Some(row) = self.entry(*list as usize, eligible)?
            {
                entries.push(row);
            }
        }
        if entries.is_empty() {
            entries.extend(eligible.runs().iter().find(|r| !r.is_empty()).map(|r| r.start as u32));
        }
        let seen = |squared, row| {
            if squared < sink.reach() {
                sink.take(squared, row)?;
            }
            Ok(sink.reach())
        };
        work.table.set(&work.place);
        let table = self.view.links.coded().then_some(&work.table);
        let steps = walk::walk(self.view, target.coded, table, &entries, goal, &mut work.scratch, seen)?;
        stats.hops += steps.hops;
        stats.codes += steps.distances;
        Ok(true)
    }

    /// A row of a list to start from: near its centre, or in the middle of the window.
    fn entry(&self, list: usize, eligible: &Eligible) -> Result<Option<u32>> {
        let medoid = self.view.lists.medoid[list];
        if eligible.runs().iter().any(|run| run.contains(&(medoid as usize))) {
            return Ok(Some(medoid));
        }
        let members = self.view.lists.members_of(list)?;
        for run in eligible.runs() {
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
