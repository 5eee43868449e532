//! How deep each path must look for a recall, found on the part's own rows when it is built.
//!
//! Stored rows stand in for queries. The row itself and those of its entity that are nearer than any stranger are
//! hidden: the graph's edges were chosen for them, so they would be found, and lead on, more easily than what a query
//! meets; where one entity has most of the rows, only the row itself is hidden. Points halfway between two stored rows stand in
//! for queries unlike anything stored; lists are probed as deep as the harder kind needs (a walk is not for such
//! queries). Truth is the order of exact distances ([`super::truth`]), and walks are judged by the rows that a whole search
//! ends with. [`super::measure`] then holds the depths to questions that had no part in finding them.

use super::bounds::Bounds;
use super::centres::Codes;
use super::effort::TARGETS;
use super::eligible::Eligible;
use super::input::Input;
use super::paths::{Gather, Workspace};
use super::plan::{self, Probes};
use super::pool::Pool;
use super::query::{Filter, Hit, Path, Query, Stats};
use super::search::{Exact, Nearest, Search};
use super::space::Space;
use super::sq8;
use super::tables::{GraphDepth, ListDepth, Mode, Tables, USUAL};
use super::target::Target;
use super::truth::{Answer, Kind, Question, Rows, Truth, WANTED, Which};
use super::view::View;
use super::walk::Coded;
use crate::error::Result;
use crate::metric::ExactQuery;
use crate::simd::int8::Int8;
use rayon::prelude::*;
use roaring::RoaringBitmap;
use std::cell::RefCell;
use std::ops::Range;

/// Queries of each kind at most, one for so many rows, and at least.
const QUERIES: usize = 200;
const ROWS_A_QUERY: usize = 64;
const LEAST_QUERIES: usize = 100;
/// Windows below this many rows are scanned.
const LEAST_WINDOW: usize = 1000;
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

/// A part being built.
pub struct Calibration<'a> {
    /// Its columns.
    pub view: &'a View<'a>,
    /// Its codes.
    pub codes: Codes<'a>,
    /// Its rows as they were given.
    pub rows: Rows<'a>,
    /// Rows that have a place.
    pub placed: &'a [u32],
    /// Rows that are always compared exactly.
    pub outliers: &'a [u32],
    /// Its space.
    pub space: &'a Space,
    /// Picks the rows and windows.
    pub seed: u64,
}

/// A walk with the recall that it had.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    /// What it took.
    pub depth: GraphDepth,
    /// What it found.
    pub recall: f64,
}

/// The walks that are used for each target, of those tried: the first that found enough. `share` of what a target
/// allows to be missed may be missed.
pub fn chosen(walks: &[Tried], share: f64) -> Vec<GraphDepth> {
    let enough = |target: f64| walks.iter().find(|w| w.recall >= 1.0 - (1.0 - target) * share);
    TARGETS.iter().map_while(|target| enough(*target)).map(|w| w.depth).collect()
}

impl Calibration<'_> {
    /// Finds the depths of the lists, and tries walks.
    pub fn run(&self, tables: &mut Tables) -> Result<Vec<Tried>> {
        let widths: Vec<usize> = std::iter::successors(Some(self.view.rows), |w| Some(w / 4))
            .take_while(|w| *w >= LEAST_WINDOW)
            .collect();
        let mut kinds = Vec::new();
        for kind in [Kind::Stored, Kind::Halfway] {
            let count = (self.view.rows / ROWS_A_QUERY).clamp(LEAST_QUERIES, QUERIES);
            let mut questions = self.questions(kind, count, 0x7175_6572)?;
            for (i, question) in questions.iter_mut().enumerate() {
                question.hides = kind == Kind::Stored;
                question.views = widths.iter().map(|width| Which::Rows(self.window(i, *width))).collect();
            }
            let truths = self.rows.answers(&questions)?;
            kinds.push((questions, truths));
        }
        let home = self.home();
        for (at, width) in widths.iter().enumerate() {
            let needed: Vec<_> = kinds.iter().map(|(q, t)| self.list_depth(q, t, at, &home)).collect();
            let probes = std::array::from_fn(|i| needed.iter().map(|n| n[i]).max().unwrap_or(1));
            let open = self.open(&kinds[0].0, *width, probes[USUAL] as usize, tables)?;
            tables.lists.push(ListDepth { rows: *width as u32, probes, open });
        }
        tables.lists.reverse();
        match self.view.links.is_empty() {
            true => Ok(Vec::new()),
            false => self.walks(&kinds[0].0, &kinds[0].1, tables),
        }
    }

    /// The window of `width` rows for the `i`-th query: windows lie evenly over the part.
    fn window(&self, i: usize, width: usize) -> Range<usize> {
        let start = (self.view.rows - width) * (i % LEAST_QUERIES) / LEAST_QUERIES;
        start..start + width
    }

    /// Questions of a kind, spread over the rows.
    pub fn questions(&self, kind: Kind, count: usize, seed: u64) -> Result<Vec<Question>> {
        let rows = super::centres::sample(self.placed, count, self.seed ^ seed);
        let others = rows.iter().cycle().skip(rows.len() / 2);
        rows.iter()
            .zip(others)
            .map(|(row, other)| self.rows.question(kind, *row, *other, self.seed ^ seed))
            .collect()
    }

    /// The number of lists that hold each share of the neighbours, in a view.
    fn list_depth(
        &self,
        questions: &[Question],
        truths: &[Truth],
        view: usize,
        home: &[Option<u32>],
    ) -> [u32; TARGETS.len()] {
        let mut ranks: Vec<u32> = questions
            .par_iter()
            .zip(truths)
            .map(|(question, truth)| {
                let order = self.list_ranks(question);
                // Rows without a list are compared exactly in any case.
                let lists = truth.views[view].iter().filter_map(|(_, row)| home[*row as usize]);
                lists.map(|list| order[list as usize]).collect::<Vec<_>>()
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
    fn open(&self, questions: &[Question], width: usize, probes: usize, tables: &Tables) -> Result<u32> {
        let counts: Vec<usize> = questions
            .par_iter()
            .enumerate()
            .map(|(i, question)| {
                let eligible =
                    Eligible::all(self.view.rows).narrowed([self.window(i, width), 0..0], f64::NEG_INFINITY);
                let (mut work, mut stats) = (Workspace::default(), Stats::default());
                let code = self.place(question, &mut work);
                let (search, target) = (self.search(tables), self.target(&code, tables));
                let mut pool = Pool::new(WANTED);
                let mut sink = Nearest::new(&search, &target, &eligible, &mut pool);
                let probes = Probes { lists: probes, met: 0 };
                let mut along = Gather {
                    view: self.view,
                    target: &target,
                    eligible: &eligible,
                    sink: &mut sink,
                    work: &mut work,
                    stats: &mut stats,
                };
                along.probe(probes)?;
                Ok(stats.codes)
            })
            .collect::<Result<_>>()?;
        Ok((counts.iter().sum::<usize>() / counts.len().max(1)) as u32)
    }

    /// Searches of the part with these tables.
    pub fn search<'s>(&'s self, tables: &'s Tables) -> Search<'s> {
        Search { view: self.view, space: self.space, tables, outliers: self.outliers }
    }

    fn target<'q>(&'q self, code: &'q Code, tables: &Tables) -> Target<'q> {
        let coded = Coded { code: &code.0, terms: code.1 };
        let bounds = Bounds::new(tables.resolution, &code.0, code.1);
        Target { coded, bounds, norm: 1.0, composite: None, space: self.space }
    }

    /// The question's code; its place goes into `work`.
    fn place(&self, question: &Question, work: &mut Workspace) -> Code {
        let mut code = vec![0; self.codes.padded];
        work.place.resize(self.codes.padded, 0.0);
        self.space.place_query(&question.vector, &mut work.place);
        let terms = sq8::encode(&work.place, &mut code);
        (code, terms)
    }

    /// The list of each row that has one.
    fn home(&self) -> Vec<Option<u32>> {
        let mut home = vec![None; self.view.rows];
        for list in 0..self.view.lists.len() {
            for row in self.view.lists.members_of(list).unwrap_or_default() {
                home[*row as usize] = Some(list as u32);
            }
        }
        home
    }

    /// For each list, how many lists are nearer to the query.
    fn list_ranks(&self, question: &Question) -> Vec<u32> {
        let (lists, mut work) = (&self.view.lists, Workspace::default());
        let (code, terms) = self.place(question, &mut work);
        let mut dots = vec![0; lists.len()];
        Int8::detect().dot_slab(&code, lists.centres, &mut dots);
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

    /// Walks over all rows of growing depth, until one finds what the highest target wants, or comparing all codes is
    /// cheaper.
    fn walks(&self, questions: &[Question], truths: &[Truth], tables: &Tables) -> Result<Vec<Tried>> {
        let mut tried = Vec::new();
        for (ef, stretch) in WALKS {
            let unknown = GraphDepth { ef: ef as u32, stretch, hops: ef as u32, distances: 0 };
            let with = Tables { graph: vec![unknown; TARGETS.len()], ..tables.clone() };
            let asked = questions.par_iter().zip(truths).map(|(question, truth)| {
                let ask = Ask { path: Some(Path::Graph), per_entity: false };
                self.ask(question, &Which::Rows(0..self.view.rows), &truth.hidden, ask, &with)
            });
            let each: Vec<(Vec<Hit>, Stats)> = asked.collect::<Result<_>>()?;
            let (mut found, mut wanted) = (0, 0);
            for ((hits, _), truth) in each.iter().zip(truths) {
                found += hits_of(hits, &truth.views[0]);
                wanted += truth.views[0].len();
            }
            let mean = |of: fn(&Stats) -> usize| {
                (each.iter().map(|e| of(&e.1)).sum::<usize>() / each.len().max(1)) as u32
            };
            let depth = GraphDepth { hops: mean(|s| s.hops), distances: mean(|s| s.codes), ..unknown };
            if plan::is_scan_cheaper(self.view, depth) {
                break;
            }
            let recall = if wanted == 0 { 1.0 } else { found as f64 / wanted as f64 };
            tried.push(Tried { depth, recall });
            // Enough for the highest target, with the least share of misses that is ever chosen by.
            if recall >= 1.0 - (1.0 - TARGETS[TARGETS.len() - 1]) * 0.5 {
                break;
            }
        }
        Ok(tried)
    }

    /// Puts a question to the part as a query would.
    pub fn ask(
        &self,
        question: &Question,
        which: &Which,
        hidden: &[u32],
        ask: Ask,
        tables: &Tables,
    ) -> Result<(Vec<Hit>, Stats)> {
        let deleted: RoaringBitmap = hidden.iter().copied().collect();
        let filter = Filter { deleted: Some(&deleted), ..Filter::default() };
        let all = Eligible::new(self.view, &filter, |_| Ok(None))?;
        let eligible = match which {
            Which::Rows(rows) => all.narrowed([rows.clone(), 0..0], f64::NEG_INFINITY),
            Which::AsOf(rank) => Eligible::as_of_rank(self.view, *rank),
            Which::Others(entity) => all.without(*entity),
            Which::PerEntity => all,
        };
        let exact = Given {
            input: self.rows.input,
            query: ExactQuery::new(self.rows.metric, &question.vector),
            buffer: RefCell::default(),
        };
        let (mut work, mut stats) = (Workspace::default(), Stats::default());
        work.scratch.hide(hidden);
        let query =
            Query { force: ask.path, per_entity: ask.per_entity, ..Query::nearest(&question.vector, WANTED) };
        let hits = self.search(tables).run(&query, &eligible, &exact, &mut work, &mut stats)?;
        Ok((hits, stats))
    }

    /// The rows that count for a question in a mode.
    pub fn which(&self, mode: Mode, at: (usize, usize), question: &Question) -> Option<Which> {
        Which::of(mode, at, self.rows.entity[question.row as usize], self.view.rows)
    }
}

/// How a question is put.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// By this path and no other.
    pub path: Option<Path>,
    /// For the best row of each entity.
    pub per_entity: bool,
}

/// A code of a place.
type Code = (Vec<i8>, sq8::Terms);

/// How many hits are as near as the true answers. By distance: of equally near rows any will do.
pub fn hits_of(hits: &[Hit], truth: &[Answer]) -> usize {
    let farthest = truth.last().map_or(f64::NEG_INFINITY, |last| last.0);
    hits.iter().filter(|hit| hit.distance <= farthest).count().min(truth.len())
}

/// Vectors of the rows that a part is being built from.
struct Given<'a> {
    input: &'a dyn Input,
    query: ExactQuery<'a>,
    buffer: RefCell<Vec<f32>>,
}

impl Exact for Given<'_> {
    fn distance(&self, row: u32) -> Result<Option<f64>> {
        let row = row as usize;
        Ok(self.query.distance(self.input.vectors(row..row + 1, &mut self.buffer.borrow_mut())?))
    }
}
