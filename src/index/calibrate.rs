//! How deep each path must look for a recall, found on the part's own rows when it is built.
//!
//! Stored rows stand in for queries. A row's own entity does not count as an answer, since its
//! versions are found more easily than strangers; where one entity has most of the rows, only
//! the row itself is left out. Truth is the order of 8-bit distances.

use super::centres::Codes;
use super::paths::Sink;
use super::plan::{GraphDepth, ListDepth, TARGETS, Tables};
use super::pool::keep_nearest;
use super::query::Stats;
use super::search::{Search, Target, Workspace};
use super::space::Space;
use super::sq8;
use super::view::View;
use super::walk::Coded;
use crate::error::Result;
use crate::simd::int8::Int8;
use rayon::prelude::*;
use std::ops::Range;

/// Rows that stand in for queries.
const QUERIES: usize = 200;
/// Neighbours that recall counts.
const WANTED: usize = 10;
/// Windows below this many rows are scanned.
const LEAST_WINDOW: usize = 1000;
/// Pools tried.
const POOLS: [usize; 14] = [12, 16, 20, 24, 32, 40, 52, 64, 96, 128, 192, 256, 512, 1024];

/// A part being built.
pub struct Calibration<'a> {
    /// Its columns.
    pub view: &'a View<'a>,
    /// Its codes.
    pub codes: Codes<'a>,
    /// Entity ordinal of each row.
    pub entity: &'a [u32],
    /// Rows that have a place.
    pub rows: &'a [u32],
    /// Its space.
    pub space: &'a Space,
    /// Picks the rows and windows.
    pub seed: u64,
}

impl Calibration<'_> {
    /// The tables of the part.
    pub fn run(&self) -> Result<Tables> {
        let largest_scale = self.codes.terms.iter().map(|t| t.scale).fold(0.0, f32::max);
        let mut tables = Tables { largest_scale, ..Tables::default() };
        if self.view.lists.is_empty() || self.rows.is_empty() {
            return Ok(tables);
        }
        let queries = super::centres::sample(self.rows, QUERIES, self.seed ^ 0x7175_6572);
        let mut width = self.view.rows;
        while width >= LEAST_WINDOW {
            tables.lists.push(self.list_depth(&queries, width));
            width /= 4;
        }
        tables.lists.reverse();
        if self.view.edges.len() > 0 {
            tables.graph = self.graph_depths(&queries)?;
        }
        Ok(tables)
    }

    /// The window of `width` rows for the `i`-th query: windows lie evenly over the part.
    fn window(&self, i: usize, width: usize) -> Range<usize> {
        let start = (self.view.rows - width) * i / QUERIES.max(1);
        start..start + width
    }

    /// Whether `row` counts as an answer to `query`.
    fn counts(&self, query: u32, row: u32, alone: bool) -> bool {
        row != query && (alone || self.entity[row as usize] != self.entity[query as usize])
    }

    /// The nearest rows of a window.
    fn truth(&self, query: u32, window: Range<usize>, alone: bool) -> Vec<u32> {
        let kernel = Int8::detect();
        let mut best = Vec::new();
        let mut dots = vec![0; window.len()];
        let slab = &self.codes.values[window.start * self.codes.padded..window.end * self.codes.padded];
        kernel.dot_slab(self.codes.row(query as usize), slab, &mut dots);
        for (row, dot) in window.zip(&dots) {
            let squared = sq8::squared(self.codes.terms[query as usize], self.codes.terms[row], *dot);
            if squared.is_finite() && self.counts(query, row as u32, alone) {
                keep_nearest(&mut best, WANTED, (squared, row as u32));
            }
        }
        best.into_iter().map(|(_, row)| row).collect()
    }

    /// True when the query's entity has so many rows that leaving them out would leave too few.
    fn dominates(&self, query: u32) -> bool {
        let own = self.entity[query as usize];
        let sample = self.rows.iter().step_by((self.rows.len() / 1000).max(1));
        let (mut same, mut all) = (0, 0);
        for row in sample {
            all += 1;
            same += usize::from(self.entity[*row as usize] == own);
        }
        5 * same > all
    }

    /// The number of lists that hold each share of the neighbours.
    fn list_depth(&self, queries: &[u32], width: usize) -> ListDepth {
        let home = self.home();
        let mut ranks: Vec<u32> = queries
            .par_iter()
            .enumerate()
            .map(|(i, query)| {
                let near = self.truth(*query, self.window(i, width), self.dominates(*query));
                let order = self.list_ranks(*query);
                near.iter().map(|row| order[home[*row as usize] as usize]).collect::<Vec<_>>()
            })
            .flatten_iter()
            .collect();
        ranks.sort_unstable();
        let probes = TARGETS.map(|target| {
            // One-bit estimates lose some rows of the lists that are probed.
            let needed = 1.0 - (1.0 - target) * 0.7;
            let at = ((ranks.len() as f64 * needed).ceil() as usize).clamp(1, ranks.len().max(1));
            ranks.get(at - 1).map_or(1, |rank| rank + 1)
        });
        ListDepth { rows: width as u32, probes }
    }

    /// The list of each row.
    fn home(&self) -> Vec<u32> {
        let mut home = vec![0; self.view.rows];
        for list in 0..self.view.lists.len() {
            for row in self.view.lists.members_of(list).unwrap_or_default() {
                home[*row as usize] = list as u32;
            }
        }
        home
    }

    /// For each list, how many lists are nearer to the query.
    fn list_ranks(&self, query: u32) -> Vec<u32> {
        let lists = &self.view.lists;
        let mut dots = vec![0; lists.len()];
        Int8::detect().dot_slab(self.codes.row(query as usize), lists.centres, &mut dots);
        let terms = self.codes.terms[query as usize];
        let mut order: Vec<(f32, u32)> = lists
            .terms
            .iter()
            .zip(&dots)
            .enumerate()
            .map(|(i, (centre, dot))| (sq8::squared(terms, *centre, *dot), i as u32))
            .collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut ranks = vec![0; lists.len()];
        for (rank, (_, list)) in order.into_iter().enumerate() {
            ranks[list as usize] = rank as u32;
        }
        ranks
    }

    /// The least pool of a walk over all rows for each target.
    fn graph_depths(&self, queries: &[u32]) -> Result<Vec<GraphDepth>> {
        let truths: Vec<(u32, bool, Vec<u32>)> = queries
            .par_iter()
            .map(|q| {
                let alone = self.dominates(*q);
                (*q, alone, self.truth(*q, 0..self.view.rows, alone))
            })
            .collect();
        let wanted: usize = truths.iter().map(|t| t.2.len()).sum();
        let mut found = Vec::new();
        let mut last = GraphDepth { ef: 0, distances: 0 };
        for ef in POOLS {
            let each: Vec<(usize, usize)> = truths
                .par_iter()
                .map(|(q, alone, truth)| self.walked(*q, *alone, truth, ef))
                .collect::<Result<_>>()?;
            let hits: usize = each.iter().map(|e| e.0).sum();
            let distances: usize = each.iter().map(|e| e.1).sum();
            last = GraphDepth { ef: ef as u32, distances: (distances / each.len().max(1)) as u32 };
            while found.len() < TARGETS.len() && hits as f64 >= TARGETS[found.len()] * wanted as f64 {
                found.push(last);
            }
            if found.len() == TARGETS.len() {
                break;
            }
        }
        found.resize(TARGETS.len(), last);
        Ok(found)
    }

    /// True neighbours that a walk meets among its best, and its distances.
    fn walked(&self, query: u32, alone: bool, truth: &[u32], ef: usize) -> Result<(usize, usize)> {
        let search = Search { view: self.view, space: self.space, tables: &Tables::default(), scale: 0.0 };
        let coded = Coded { code: self.codes.row(query as usize), terms: self.codes.terms[query as usize] };
        let target = Target { coded, norm: 1.0, composite: None, space: self.space };
        let eligible = super::eligible::Eligible::all(self.view.rows);
        let mut sink = Best { calibration: self, query, alone, near: Vec::new() };
        let (mut work, mut stats) = (Workspace::default(), Stats::default());
        search.graph(&target, &eligible, ef, &mut sink, &mut work, &mut stats)?;
        let hits = sink.near.iter().filter(|(_, row)| truth.contains(row)).count();
        Ok((hits, stats.codes))
    }
}

/// The nearest rows that count.
struct Best<'a> {
    calibration: &'a Calibration<'a>,
    query: u32,
    alone: bool,
    near: Vec<(f32, u32)>,
}

impl Sink for Best<'_> {
    fn reach(&mut self) -> f32 {
        f32::INFINITY
    }

    fn take(&mut self, squared: f32, row: u32) -> Result<()> {
        if self.calibration.counts(self.query, row, self.alone) {
            keep_nearest(&mut self.near, WANTED, (squared, row));
        }
        Ok(())
    }

    fn errors(&self) -> f32 {
        0.0
    }

    fn filled(&self) -> bool {
        true
    }
}
