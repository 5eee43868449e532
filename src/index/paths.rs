//! The four ways to gather candidates: runs of rows, listed rows, inverted lists, the graph.

use super::eligible::Eligible;
use super::query::Stats;
use super::search::{Search, Target, Workspace};
use super::sq8;
use super::view::wrong_row;
use super::walk;
use crate::error::Result;
use crate::simd::bits::{BLOCK, Lookup, block_bytes};
use crate::simd::int8::Int8;
use std::ops::Range;

/// Rows whose distances are computed at a time.
const STRIP: usize = 256;
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
                for ((row, terms), dot) in rows.zip(terms).zip(&work.dots) {
                    let squared = sq8::squared(target.coded.terms, *terms, *dot);
                    if squared < sink.reach() {
                        sink.take(squared, row as u32)?;
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
        for (squared, row) in near {
            if *squared < sink.reach() {
                sink.take(*squared, *row)?;
            }
        }
        Ok(())
    }

    /// The `nearest` lists by the distance of their centres into `order`, nearest first.
    pub(super) fn order_lists(&self, target: &Target<'_>, nearest: usize, work: &mut Workspace) {
        let lists = &self.view.lists;
        work.dots.resize(lists.len(), 0);
        Int8::detect().dot_slab(target.coded.code, lists.centres, &mut work.dots);
        work.order.clear();
        for (i, (terms, dot)) in lists.terms.iter().zip(&work.dots).enumerate() {
            work.order.push((sq8::squared(target.coded.terms, *terms, *dot), i as u32));
        }
        let by_distance = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if nearest < work.order.len() {
            work.order.select_nth_unstable_by(nearest, by_distance);
            work.order.truncate(nearest);
        }
        work.order.sort_unstable_by(by_distance);
    }

    /// The `probes` lists nearest to the query; more of them while too few rows were found.
    pub(super) fn probe(
        &self,
        target: &Target<'_>,
        eligible: &Eligible,
        probes: usize,
        sink: &mut impl Sink,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<()> {
        let (mut nearest, mut done) = (probes, 0);
        loop {
            self.order_lists(target, nearest, work);
            let order = std::mem::take(&mut work.order);
            for (centre2, list) in &order[done..] {
                self.probe_list(target, eligible, (*centre2, *list as usize), sink, work, stats)?;
            }
            done = order.len();
            work.order = order;
            if sink.filled() || done == self.view.lists.len() {
                return Ok(());
            }
            nearest = nearest.saturating_mul(2);
        }
    }

    /// One list: one-bit estimates, then 8-bit distances of the rows that the estimate leaves.
    pub(super) fn probe_list(
        &self,
        target: &Target<'_>,
        eligible: &Eligible,
        (centre2, list): (f32, usize),
        sink: &mut impl Sink,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<()> {
        let members = self.view.lists.members_of(list)?;
        stats.lists += 1;
        let padded = self.view.padded;
        let mut lower = [0.0; BLOCK];
        for run in eligible.runs() {
            let span = span(members, run);
            stats.estimates += span.len();
            let blocks = span.start / BLOCK..span.end.div_ceil(BLOCK);
            let (bytes, factors) = self.view.lists.blocks_of(list, blocks.clone(), padded)?;
            let coded = bytes.chunks_exact(block_bytes(padded)).zip(factors);
            for (block, (bytes, factors)) in blocks.zip(coded) {
                let near = (centre2, sink.errors());
                work.table.lower_bounds(Lookup::detect(), bytes, factors, near, &mut lower);
                let reach = sink.reach();
                let inside = span.start.max(block * BLOCK)..span.end.min((block + 1) * BLOCK);
                work.rows.clear();
                for i in inside {
                    if lower[i % BLOCK] < reach {
                        work.rows.push(members[i]);
                    }
                }
                self.checked(&work.rows)?;
                self.measure_all(target, &work.rows, sink, &mut work.near, stats)?;
            }
        }
        Ok(())
    }

    fn checked(&self, rows: &[u32]) -> Result<()> {
        match rows.iter().find(|row| **row as usize >= self.view.rows) {
            None => Ok(()),
            Some(row) => Err(wrong_row(*row, self.view.rows)),
        }
    }

    /// The graph, from rows of the window in the lists nearest to the query.
    pub(super) fn graph(
        &self,
        target: &Target<'_>,
        eligible: &Eligible,
        ef: usize,
        sink: &mut impl Sink,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<()> {
        self.order_lists(target, 2 * ENTRIES, work);
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
        let steps =
            walk::walk(
                self.view,
                target.coded,
                &entries,
                ef,
                &mut work.scratch,
                |squared, row| match squared < sink.reach() {
                    true => sink.take(squared, row),
                    false => Ok(()),
                },
            )?;
        stats.hops += steps.hops;
        stats.codes += steps.distances;
        Ok(())
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
