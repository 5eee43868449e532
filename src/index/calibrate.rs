//! How deep each path must look for a recall, found on the part's own rows when it is built.
//!
//! Stored rows stand in for queries. The row itself and those of its entity that are nearer than any stranger are
//! hidden: the graph's edges were chosen for them, so they would be found, and lead on, more easily than what a query
//! meets; where one entity has most of the rows, only the row itself is hidden. Points halfway between two stored rows stand in for queries unlike
//! anything stored; lists are probed as deep as the harder kind needs (a walk is not for such queries). Truth is the order of 8-bit distances.

use super::candidates::Near;
use super::centres::Codes;
use super::eligible::Eligible;
use super::paths::Sink;
use super::plan::{GraphDepth, ListDepth, TARGETS, Tables};
use super::pool::{Pool, keep_nearest};
use super::query::Stats;
use super::search::{Nearest, Search, Target, Workspace};
use super::space::Space;
use super::sq8::{self, Terms};
use super::view::View;
use super::walk::{Coded, Goal};
use crate::error::Result;
use crate::simd::int8::Int8;
use rayon::prelude::*;
use std::ops::Range;

/// Queries of each kind.
const QUERIES: usize = 200;
/// Neighbours that recall counts.
const WANTED: usize = 10;
/// Windows below this many rows are scanned.
const LEAST_WINDOW: usize = 1000;
/// The target for which rows that estimates leave open are counted: that of the usual effort.
const OPEN_AT: usize = 2;
/// Walks tried: pool and stretch.
const WALKS: [(usize, f32); 18] = [
    (256, 0.9),
    (256, 0.95),
    (256, 1.0),
    (256, 1.03),
    (256, 1.06),
    (256, 1.1),
    (256, 1.15),
    (256, 1.2),
    (256, 1.25),
    (256, 1.3),
    (256, 1.4),
    (256, 1.5),
    (256, 1.7),
    (1024, 1.3),
    (1024, 1.5),
    (1024, 2.0),
    (1024, f32::INFINITY),
    (4096, f32::INFINITY),
];

/// What a part has before it is calibrated.
static NO_TABLES: Tables = Tables { lists: Vec::new(), graph: Vec::new(), largest_scale: 0.0 };

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
        let kinds = self.questions();
        let mut width = self.view.rows;
        while width >= LEAST_WINDOW {
            let needed = kinds.each_ref().map(|questions| self.list_depth(questions, width));
            let probes = std::array::from_fn(|i| needed.iter().map(|n| n[i]).max().unwrap_or(1));
            let open = self.open(&kinds[0], width, probes[OPEN_AT] as usize)?;
            tables.lists.push(ListDepth { rows: width as u32, probes, open });
            width /= 4;
        }
        tables.lists.reverse();
        if !self.view.links.is_empty() {
            tables.graph = self.graph_depths(&kinds[0])?;
        }
        Ok(tables)
    }

    /// The window of `width` rows for the `i`-th query: windows lie evenly over the part.
    fn window(&self, i: usize, width: usize) -> Range<usize> {
        let start = (self.view.rows - width) * i / QUERIES.max(1);
        start..start + width
    }

    /// Stored rows, and points halfway between two of them.
    fn questions(&self) -> [Vec<Question>; 2] {
        let rows = super::centres::sample(self.rows, QUERIES, self.seed ^ 0x7175_6572);
        let stored = rows.par_iter().map(|row| Question {
            code: self.codes.row(*row as usize).to_vec(),
            terms: self.codes.terms[*row as usize],
            hidden: self.hidden(*row),
        });
        let strangers = rows.iter().zip(rows.iter().cycle().skip(rows.len() / 2));
        let between = strangers.map(|(a, b)| self.between(*a as usize, *b as usize));
        [stored.collect(), between.collect()]
    }

    /// The row and those of its entity that are nearer to it than any other entity's.
    fn hidden(&self, row: u32) -> Vec<u32> {
        if self.dominates(row) {
            return vec![row];
        }
        let (at, own) = (row as usize, self.entity[row as usize]);
        let mut dots = vec![0; self.view.rows];
        Int8::detect().dot_slab(self.codes.row(at), self.codes.values, &mut dots);
        let squared = |other: usize| sq8::squared(self.codes.terms[at], self.codes.terms[other], dots[other]);
        let strangers = (0..self.view.rows).filter(|other| self.entity[*other] != own).map(squared);
        let nearest = strangers.fold(f32::INFINITY, f32::min);
        let near = |other: &usize| self.entity[*other] == own && (*other == at || squared(*other) < nearest);
        (0..self.view.rows).filter(near).map(|other| other as u32).collect()
    }

    /// The point halfway between two rows, as far out as they are.
    fn between(&self, a: usize, b: usize) -> Question {
        let padded = self.codes.padded;
        let (mut x, mut y, mut code) = (vec![0.0; padded], vec![0.0; padded], vec![0; padded]);
        sq8::decode(self.codes.row(a), self.codes.terms[a], &mut x);
        sq8::decode(self.codes.row(b), self.codes.terms[b], &mut y);
        x.iter_mut().zip(&y).for_each(|(x, y)| *x += y);
        let wanted = (self.codes.terms[a].norm2 + self.codes.terms[b].norm2) / 2.0;
        let norm2: f32 = x.iter().map(|v| v * v).sum();
        let scale = if norm2 > 0.0 { (wanted / norm2).sqrt() } else { 0.0 };
        x.iter_mut().for_each(|x| *x *= scale);
        let terms = sq8::encode(&x, &mut code);
        Question { code, terms, hidden: Vec::new() }
    }

    /// The nearest rows of a window.
    fn truth(&self, question: &Question, window: Range<usize>) -> Vec<Near> {
        let mut best = Vec::new();
        let mut dots = vec![0; window.len()];
        let slab = &self.codes.values[window.start * self.codes.padded..window.end * self.codes.padded];
        Int8::detect().dot_slab(&question.code, slab, &mut dots);
        for (row, dot) in window.zip(&dots) {
            let squared = sq8::squared(question.terms, self.codes.terms[row], *dot);
            if squared.is_finite() && question.counts(row as u32) {
                keep_nearest(&mut best, WANTED, (squared, row as u32));
            }
        }
        best
    }

    /// True when the query's entity has so many rows that hiding them would leave too few.
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
    fn list_depth(&self, questions: &[Question], width: usize) -> [u32; TARGETS.len()] {
        let home = self.home();
        let mut ranks: Vec<u32> = questions
            .par_iter()
            .enumerate()
            .map(|(i, question)| {
                let near = self.truth(question, self.window(i, width));
                let order = self.list_ranks(question);
                near.iter().map(|(_, row)| order[home[*row as usize] as usize]).collect::<Vec<_>>()
            })
            .flatten_iter()
            .collect();
        ranks.sort_unstable();
        TARGETS.map(|target| {
            // One-bit estimates lose some rows of the lists that are probed.
            let needed = 1.0 - (1.0 - target) * 0.7;
            let at = ((ranks.len() as f64 * needed).ceil() as usize).clamp(1, ranks.len().max(1));
            ranks.get(at - 1).map_or(1, |rank| rank + 1)
        })
    }

    /// 8-bit distances of the mean search of `probes` lists for the ten nearest rows of a window.
    fn open(&self, questions: &[Question], width: usize, probes: usize) -> Result<u32> {
        let counts: Vec<usize> = questions
            .par_iter()
            .enumerate()
            .map(|(i, question)| {
                let window = self.window(i, width);
                let eligible = Eligible::all(self.view.rows).narrowed([window, 0..0], f64::NEG_INFINITY);
                let (mut work, mut stats) = (self.workspace(question), Stats::default());
                let (search, target) = (self.search(&NO_TABLES), self.target(question));
                let mut pool = Pool::new(WANTED, 2 * WANTED, 0.0);
                let mut sink = Nearest::new(&search, &target, &eligible, &mut pool);
                search.probe(&target, &eligible, probes, &mut sink, &mut work, &mut stats)?;
                Ok(stats.codes)
            })
            .collect::<Result<_>>()?;
        Ok((counts.iter().sum::<usize>() / counts.len().max(1)) as u32)
    }

    fn search<'s>(&'s self, tables: &'s Tables) -> Search<'s> {
        Search { view: self.view, space: self.space, tables, scale: 0.0 }
    }

    fn target<'q>(&'q self, question: &'q Question) -> Target<'q> {
        let coded = Coded { code: &question.code, terms: question.terms };
        Target { coded, norm: 1.0, composite: None, space: self.space }
    }

    /// With the question's place, as its code tells it.
    fn workspace(&self, question: &Question) -> Workspace {
        let mut work = Workspace::default();
        work.place.resize(self.codes.padded, 0.0);
        sq8::decode(&question.code, question.terms, &mut work.place);
        work
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
    fn list_ranks(&self, question: &Question) -> Vec<u32> {
        let lists = &self.view.lists;
        let mut dots = vec![0; lists.len()];
        Int8::detect().dot_slab(&question.code, lists.centres, &mut dots);
        let terms = question.terms;
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

    /// The least pool of a walk over all rows for each target, as far as pools reach them.
    fn graph_depths(&self, questions: &[Question]) -> Result<Vec<GraphDepth>> {
        let truths: Vec<(&Question, Vec<Near>)> =
            questions.par_iter().map(|q| (q, self.truth(q, 0..self.view.rows))).collect();
        let wanted: usize = truths.iter().map(|t| t.1.len()).sum();
        let mut found = Vec::new();
        for (ef, stretch) in WALKS {
            let goal = Goal { ef, stretch, enough: None };
            let each: Vec<(usize, Stats)> =
                truths.par_iter().map(|(q, truth)| self.walked(q, truth, goal)).collect::<Result<_>>()?;
            let hits: usize = each.iter().map(|e| e.0).sum();
            let mean = |of: fn(&Stats) -> usize| {
                (each.iter().map(|e| of(&e.1)).sum::<usize>() / each.len().max(1)) as u32
            };
            let (hops, distances) = (mean(|s| s.hops), mean(|s| s.codes));
            let depth = GraphDepth { ef: ef as u32, stretch, hops, distances };
            while found.len() < TARGETS.len() && hits as f64 >= TARGETS[found.len()] * wanted as f64 {
                found.push(depth);
            }
            if found.len() == TARGETS.len() {
                break;
            }
        }
        Ok(found)
    }

    /// True neighbours that a walk meets among its best, and its work.
    fn walked(&self, question: &Question, truth: &[Near], goal: Goal) -> Result<(usize, Stats)> {
        let (search, target) = (self.search(&NO_TABLES), self.target(question));
        let eligible = Eligible::all(self.view.rows);
        let mut sink = Best { question, near: Vec::new() };
        let (mut work, mut stats) = (self.workspace(question), Stats::default());
        work.scratch.hide(&question.hidden);
        search.graph(&target, &eligible, goal, &mut sink, &mut work, &mut stats)?;
        // By distance: of equally near rows any will do.
        let farthest = truth.last().map_or(f32::NEG_INFINITY, |last| last.0);
        let hits = sink.near.iter().filter(|(squared, _)| *squared <= farthest).count();
        Ok((hits, stats))
    }
}

/// What stands in for a query.
struct Question {
    code: Vec<i8>,
    terms: Terms,
    /// Rows that do not count, ascending.
    hidden: Vec<u32>,
}

impl Question {
    /// Whether `row` counts as an answer.
    fn counts(&self, row: u32) -> bool {
        self.hidden.binary_search(&row).is_err()
    }
}

/// The nearest rows that count.
struct Best<'a> {
    question: &'a Question,
    near: Vec<(f32, u32)>,
}

impl Sink for Best<'_> {
    fn reach(&mut self) -> f32 {
        self.near.get(WANTED - 1).map_or(f32::INFINITY, |last| last.0)
    }

    fn take(&mut self, squared: f32, row: u32) -> Result<()> {
        if self.question.counts(row) {
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
