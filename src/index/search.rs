//! Answering a query over one part: choose a path, gather candidates by code, rank them exactly.

use super::eligible::Eligible;
use super::onebit::Table;
use super::paths::Sink;
use super::plan::{self, Tables};
use super::pool::{Entry, Pool};
use super::query::{Composite, Hit, Path, Query, Report, Stats};
use super::space::Space;
use super::sq8::{self, Terms};
use super::view::View;
use super::walk::{Coded, Scratch};
use crate::error::Result;
use crate::simd::wide;
use std::collections::HashSet;

/// Rows that are ranked exactly, at most, beside twice the wanted ones.
const SPARE: usize = 48;
/// Vectors that are fetched ahead of their exact distances.
const AHEAD: usize = 2;
/// Versions of one entity that are ranked exactly when one of them is wanted.
const VERSIONS: usize = 16;
/// Standard deviations of the codes' error that an exact rank may overturn.
const DEVIATIONS: f32 = 4.0;
/// Standard errors of one-bit estimates that a search for the nearest allows for.
const ERRORS: f32 = 1.9;

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

/// Where exact distances come from.
pub trait Exact {
    /// The distance of a row, or `None` when it has none. Must be that of an exact scan.
    fn distance(&self, row: u32) -> Result<Option<f64>>;

    /// Fetches a row's vector into the cache: it is asked for soon.
    fn expect(&self, _row: u32) {}
}

/// A query made ready for a part's space.
#[derive(Debug, Clone, Copy)]
pub struct Target<'q> {
    /// As an 8-bit code.
    pub coded: Coded<'q>,
    /// Norm of the query vector, for dot.
    pub norm: f64,
    /// Time in the ranking.
    pub composite: Option<Composite<'q>>,
    /// The space.
    pub space: &'q Space,
}

/// What is sought, and among which rows.
#[derive(Debug, Clone, Copy)]
pub struct Task<'t> {
    /// The question.
    pub query: &'t Query<'t>,
    /// Its vector in the space.
    pub target: &'t Target<'t>,
    /// The rows that count.
    pub eligible: &'t Eligible,
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
    /// Root mean square of the rows' code scales: sizes the slack.
    pub scale: f32,
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
        let hits = if query.k > 0 && self.space.place_query(query.vector, &mut work.place) {
            let target = Target {
                coded: Coded { terms: sq8::encode(&work.place, &mut code), code: &code },
                norm: wide::norm(query.vector),
                composite: query.composite.filter(|c| c.alpha < 1.0),
                space: self.space,
            };
            let task = Task { query, target: &target, eligible };
            match query.radius {
                Some(radius) => self.within(&task, radius, exact, work, stats),
                None => self.nearest(&task, exact, work, stats),
            }
        } else {
            Ok(Vec::new())
        };
        work.code = code;
        hits
    }

    fn nearest(
        &self,
        task: &Task<'_>,
        exact: &dyn Exact,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<Vec<Hit>> {
        let Task { query, target, eligible } = *task;
        let mut pool = self.pool(query, target);
        let depth = plan::depth(self.view, query, eligible);
        match &target.composite {
            Some(time) => self.by_shells(task, time, &mut pool, work, stats)?,
            None => self.gather(task, depth, &mut pool, work, stats)?,
        }
        let mut hits = Vec::with_capacity(pool.len());
        let candidates = pool.candidates();
        candidates.iter().take(AHEAD).for_each(|entry| exact.expect(entry.row));
        for (i, entry) in candidates.iter().enumerate() {
            candidates.get(i + AHEAD).into_iter().for_each(|entry| exact.expect(entry.row));
            stats.exact += 1;
            if let Some(distance) = exact.distance(entry.row)? {
                hits.push(self.hit(target, entry.row, distance)?);
            }
        }
        self.order(query, hits)
    }

    fn pool(&self, query: &Query<'_>, target: &Target<'_>) -> Pool {
        let terms = Terms { scale: self.scale, norm2: 1.0 };
        let slack = target.score_slack(DEVIATIONS * sq8::variance(target.coded.terms, terms).sqrt());
        let capacity = query.k.saturating_mul(2).saturating_add(SPARE);
        match query.per_entity {
            false => Pool::new(query.k, capacity, slack),
            true => Pool::new(query.k, capacity.saturating_mul(VERSIONS), slack).per_entity(VERSIONS),
        }
    }

    /// Fills the pool with the `depth` nearest, by the cheapest path.
    pub(super) fn gather(
        &self,
        task: &Task<'_>,
        depth: usize,
        pool: &mut Pool,
        work: &mut Workspace,
        stats: &mut Stats,
    ) -> Result<()> {
        let Task { query, target, eligible } = *task;
        let plan = plan::choose(self.view, self.tables, query, depth, eligible);
        let mut sink = Nearest::new(self, target, eligible, pool);
        let mut path = plan.path;
        match plan.path {
            Path::Nothing => {}
            Path::Scan => self.scan(target, eligible, &mut sink, work, stats)?,
            Path::Listed => self.listed(target, eligible, &mut sink, work, stats)?,
            Path::Lists => self.probe(target, eligible, plan.probes, &mut sink, work, stats)?,
            Path::Graph => {
                let walked = self.graph(target, eligible, plan.goal, &mut sink, work, stats)?;
                // Without a walk, or when too few rows that count lay on its way.
                if !walked || !sink.filled() {
                    path = Path::Lists;
                    sink.pool.clear();
                    self.probe(target, eligible, plan.probes, &mut sink, work, stats)?;
                }
            }
        }
        stats.reports.push(Report {
            path,
            window: eligible.window(),
            eligible: eligible.estimate(),
            costs: plan.costs,
        });
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

impl Target<'_> {
    /// The score of a row at a squared distance.
    pub fn score(&self, view: &View<'_>, squared: f32, row: u32) -> Result<f32> {
        match &self.composite {
            None => Ok(squared),
            Some(c) => {
                let distance = self.space.distance(f64::from(squared.max(0.0)), self.norm);
                Ok(c.score(distance, view.time.one(row as usize)?) as f32)
            }
        }
    }

    /// How much an error of `squared` in a squared distance can change a score.
    fn score_slack(&self, squared: f32) -> f32 {
        let Some(c) = &self.composite else { return squared };
        let part = |s: f64| (c.of_distance)(self.space.distance(s, self.norm));
        let steepest = [0.01, 0.1, 0.5, 1.0, 2.0]
            .into_iter()
            .map(|s| part(s + f64::from(squared)) - part(s))
            .fold(0.0, f64::max);
        (c.alpha * steepest) as f32
    }

    /// The squared distance beyond which no row whose part of time is at least `time` has a
    /// score below `limit`.
    pub(super) fn reach(&self, limit: f32, time: f64) -> f32 {
        let Some(c) = &self.composite else { return limit };
        if limit == f32::INFINITY {
            return limit;
        }
        let score = |squared: f64| {
            c.alpha * (c.of_distance)(self.space.distance(squared, self.norm)) + (1.0 - c.alpha) * time
        };
        // Squared distances of the unit ball are at most 4. Bisection, rounded up.
        let (mut low, mut high) = (0.0, 4.0);
        for _ in 0..24 {
            let middle = (low + high) / 2.0;
            if score(middle) < f64::from(limit) { low = middle } else { high = middle }
        }
        high as f32
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
        let score = self.target.score(view, squared, row)?;
        let entity = match self.pool.limits_entities() {
            true => view.entity.one(row as usize)?,
            false => 0,
        };
        self.pool.offer(Entry { score, row, entity });
        Ok(())
    }

    fn errors(&self) -> f32 {
        ERRORS
    }

    fn filled(&self) -> bool {
        self.pool.filled()
    }
}
