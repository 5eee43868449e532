//! Answering a query over one part: choose a path, gather candidates by code, rank them exactly.

use super::bounds::Bounds;
use super::effort::Effort;
use super::eligible::Eligible;
use super::paths::{Gather, Sink, Workspace};
use super::plan;
use super::pool::{Entry, Pool};
use super::query::{Hit, Path, Query, Report, Stats};
use super::ranked::Ranked;
use super::space::{Placed, Space};
use super::sq8;
use super::tables::Tables;
use super::target::Target;
use super::view::View;
use super::walk::Coded;
use crate::error::Result;
use crate::simd::wide;
use std::collections::HashSet;

/// Vectors that are fetched ahead of their exact distances.
const AHEAD: usize = 2;
/// Standard errors of one-bit estimates where a filter leaves out much: no question like that was measured.
const MASKED_ERRORS: f32 = 3.0;
/// Rows up to this number beside the wanted ones are compared exactly at once: a search would rank as many.
const FEW: usize = 64;

/// Where exact distances come from.
pub trait Exact {
    /// The distance of a row, or `None` when it has none. Must be that of an exact scan.
    fn distance(&self, row: u32) -> Result<Option<f64>>;

    /// Fetches a row's vector into the cache: it is asked for soon.
    fn expect(&self, _row: u32) {}
}

/// What is sought, among which rows, and with what.
pub struct Task<'t> {
    /// The question.
    pub query: &'t Query<'t>,
    /// Its vector in the space.
    pub target: &'t Target<'t>,
    /// The rows that count.
    pub eligible: &'t Eligible,
    /// Exact distances.
    pub exact: &'t dyn Exact,
    /// The thread's memory.
    pub work: &'t mut Workspace,
    /// What is counted.
    pub stats: &'t mut Stats,
}

impl Task<'_> {
    /// The same among other rows.
    pub(super) fn among<'t>(&'t mut self, eligible: &'t Eligible) -> Task<'t> {
        Task {
            query: self.query,
            target: self.target,
            eligible,
            exact: self.exact,
            work: &mut *self.work,
            stats: &mut *self.stats,
        }
    }

    /// Its rows of a view, into a sink.
    pub(super) fn along<'g, S>(&'g mut self, view: &'g View<'g>, sink: &'g mut S) -> Gather<'g, S> {
        Gather {
            view,
            target: self.target,
            eligible: self.eligible,
            sink,
            work: &mut *self.work,
            stats: &mut *self.stats,
        }
    }

    /// Notes how the rows were gathered.
    pub(super) fn report(&mut self, path: Path, costs: Vec<(Path, f64)>) {
        let (window, eligible) = (self.eligible.window(), self.eligible.estimate());
        self.stats.reports.push(Report { path, window, eligible, costs });
    }
}

/// Searches one view.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The columns.
    pub view: &'a View<'a>,
    /// Where codes live.
    pub space: &'a Space,
    /// What calibration found.
    pub tables: &'a Tables,
    /// Rows without a place that every search compares exactly, ascending.
    pub outliers: &'a [u32],
}

impl Search<'_> {
    /// The rows that match a query, best first: by score, then entity, then time.
    pub fn run(
        &self,
        query: &Query<'_>,
        eligible: &Eligible,
        exact: &dyn Exact,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<Vec<Hit>> {
        query.check(self.space.dim())?;
        let mut code = std::mem::take(&mut work.code);
        work.place.resize(self.view.padded, 0.0);
        code.resize(self.view.padded, 0);
        let placed = self.space.place_query(query.vector, &mut work.place);
        let terms = sq8::encode(&work.place, &mut code);
        let target = Target {
            coded: Coded { terms, code: &code },
            bounds: Bounds::new(self.tables.resolution, &code, terms),
            norm: wide::norm(query.vector),
            composite: query.composite.filter(|c| c.alpha < 1.0),
            space: self.space,
        };
        let mut task = Task { query, target: &target, eligible, exact, work, stats };
        let hits = match placed {
            _ if query.k == 0 => Ok(Vec::new()),
            Placed::Nowhere => Ok(Vec::new()),
            Placed::Near if !self.is_exact(query, eligible) => match query.radius {
                Some(radius) => self.within(&mut task, radius),
                None => self.nearest(&mut task),
            },
            _ => self.exactly(&mut task),
        };
        work.code = code;
        hits
    }

    /// True when every row that counts is compared: few do, all are wanted, or the part's codes do not reach the recall.
    fn is_exact(&self, query: &Query<'_>, eligible: &Eligible) -> bool {
        if let Some(path) = query.force {
            return path == Path::Exact;
        }
        let few = query.k.saturating_add(FEW);
        !self.tables.allowed.scan
            || query.effort.is_all(self.view.rows)
            || eligible.window() <= few
            || eligible.list_cost().is_some_and(|cost| cost <= few)
    }

    fn nearest(&self, task: &mut Task<'_>) -> Result<Vec<Hit>> {
        let (query, target) = (task.query, task.target);
        let least = match query.effort {
            Effort::Beam(ef) => ef,
            Effort::Recall(_) => 0,
        };
        let mut pool = Pool::new(query.k.max(least));
        if query.per_entity {
            pool = pool.per_entity();
        }
        let depth = plan::depth(self.view, query, task.eligible);
        match &target.composite {
            Some(time) => self.by_shells(task, time, &mut pool)?,
            None if plan::is_exact(self.view, self.tables, query, depth, task.eligible) => {
                return self.exactly(task);
            }
            None => self.gather(task, depth, &mut pool)?,
        }
        let mut ranked = Ranked::new(query);
        self.rank_outliers(task, &mut ranked)?;
        let candidates = pool.candidates();
        candidates.iter().take(AHEAD).for_each(|entry| task.exact.expect(entry.row));
        for (i, entry) in candidates.iter().enumerate() {
            // By their lower bounds: no row behind this one can be among the wanted ones.
            if i >= least && f64::from(entry.lower) > target.score_of(ranked.limit()) {
                break;
            }
            candidates.get(i + AHEAD).into_iter().for_each(|entry| task.exact.expect(entry.row));
            self.rank(task, entry.row, &mut ranked)?;
        }
        self.order(query, ranked.into_hits())
    }

    /// Ranks a row by its exact distance.
    pub(super) fn rank(&self, task: &mut Task<'_>, row: u32, ranked: &mut Ranked) -> Result<()> {
        task.stats.exact += 1;
        let Some(distance) = task.exact.distance(row)? else { return Ok(()) };
        if task.query.radius.is_some_and(|radius| distance > radius) {
            return Ok(());
        }
        let entity = match task.query.per_entity {
            true => self.view.entity.one(row as usize)?,
            false => 0,
        };
        ranked.push(self.hit(task.target, row, distance)?, entity);
        Ok(())
    }

    /// Ranks the rows without a place that count.
    pub(super) fn rank_outliers(&self, task: &mut Task<'_>, ranked: &mut Ranked) -> Result<()> {
        for row in self.outliers {
            if task.eligible.admits(self.view, *row)? {
                self.rank(task, *row, ranked)?;
            }
        }
        Ok(())
    }

    /// Every row that counts, by exact distance.
    fn exactly(&self, task: &mut Task<'_>) -> Result<Vec<Hit>> {
        let (query, eligible) = (task.query, task.eligible);
        let mut ranked = Ranked::new(query);
        let listed = eligible.list_cost().is_some_and(|cost| cost < eligible.window());
        let rows = if listed { eligible.list(self.view)? } else { Vec::new() };
        let runs =
            eligible.runs().iter().filter(|_| !listed).flat_map(|run| run.start as u32..run.end as u32);
        for row in rows.into_iter().chain(runs) {
            if eligible.admits(self.view, row)? {
                self.rank(task, row, &mut ranked)?;
            }
        }
        task.report(if eligible.window() == 0 { Path::Nothing } else { Path::Exact }, Vec::new());
        self.order(query, ranked.into_hits())
    }

    /// Fills the pool with the `depth` nearest, by the cheapest path.
    pub(super) fn gather(&self, task: &mut Task<'_>, depth: usize, pool: &mut Pool) -> Result<()> {
        let plan = plan::choose(self.view, self.tables, task.query, depth, task.eligible);
        let mut sink = Nearest::new(self, task.target, task.eligible, pool);
        let mut along = task.along(self.view, &mut sink);
        let mut path = plan.path;
        match plan.path {
            Path::Nothing | Path::Exact => {}
            Path::Scan => along.scan()?,
            Path::Listed => along.listed()?,
            Path::Lists => along.probe(plan.depth())?,
            Path::Graph => {
                let walked = along.graph(plan.goal)?;
                // Without a walk, or when too few rows that count lay on its way.
                if !walked || !along.sink.filled() {
                    path = Path::Lists;
                    along.sink.pool.clear();
                    along.probe(plan.depth())?;
                }
            }
        }
        task.report(path, plan.costs);
        Ok(())
    }

    /// A hit from an exact distance.
    pub(super) fn hit(&self, target: &Target<'_>, row: u32, distance: f64) -> Result<Hit> {
        let score = match &target.composite {
            None => distance,
            Some(c) => c.score(distance, self.view.time.one(row as usize)?),
        };
        Ok(Hit { row, distance, score })
    }

    /// Sorts by score, then entity, then time; keeps the first `k`, one of each entity if asked.
    pub(super) fn order(&self, query: &Query<'_>, hits: Vec<Hit>) -> Result<Vec<Hit>> {
        let mut keyed = Vec::with_capacity(hits.len());
        for hit in hits {
            // Rows are in the order of time, and ordinals of entities in that of their ids.
            keyed.push((hit, self.view.entity.one(hit.row as usize)?));
        }
        keyed
            .sort_by(|(a, ea), (b, eb)| a.score.total_cmp(&b.score).then(ea.cmp(eb)).then(a.row.cmp(&b.row)));
        if query.per_entity {
            let mut seen = HashSet::new();
            keyed.retain(|(_, entity)| seen.insert(*entity));
        }
        Ok(keyed.into_iter().take(query.k).map(|(hit, _)| hit).collect())
    }
}

/// Takes the nearest rows into a pool.
pub(super) struct Nearest<'a> {
    search: &'a Search<'a>,
    target: &'a Target<'a>,
    eligible: &'a Eligible,
    pool: &'a mut Pool,
    /// The pool's limit for which the reach was computed, and the reach.
    known: (f32, f32),
}

impl<'a> Nearest<'a> {
    /// Rows that `eligible` admits, into `pool`.
    pub(super) fn new(
        search: &'a Search<'a>,
        target: &'a Target<'a>,
        eligible: &'a Eligible,
        pool: &'a mut Pool,
    ) -> Self {
        Nearest { search, target, eligible, pool, known: (f32::NAN, 0.0) }
    }
}

impl Sink for Nearest<'_> {
    #[inline]
    fn reach(&mut self) -> f32 {
        let limit = self.pool.limit();
        if limit != self.known.0 {
            self.known = (limit, self.target.reach(limit, self.eligible.least_time()));
        }
        self.known.1
    }

    fn take(&mut self, squared: f32, row: u32) -> Result<()> {
        let view = self.search.view;
        if !self.eligible.admits(view, row)? {
            return Ok(());
        }
        let error = self.target.bounds.likely(squared);
        let lower = self.target.score(view, squared - error, row)?;
        let upper = self.target.score(view, squared + error, row)?;
        let entity = match self.pool.limits_entities() {
            true => view.entity.one(row as usize)?,
            false => 0,
        };
        self.pool.offer(Entry { lower, upper, row, entity });
        Ok(())
    }

    fn errors(&self) -> f32 {
        match self.eligible.masked() < plan::LEAST_MASKED {
            true => self.search.tables.errors.max(MASKED_ERRORS),
            false => self.search.tables.errors,
        }
    }

    fn filled(&self) -> bool {
        self.pool.filled()
    }
}
