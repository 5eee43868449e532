//! The pass over the rows: blocks that fit the L2 cache, all queries against each.

use super::bound::{Form, Prepared};
use super::topk::{Hit, TopK};
use super::{Part, Query};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::model::{Key, TimeRange, VectorSource};
use crate::simd;
use crate::watch::Watch;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Mutex;

/// Vectors of one block, in bytes: with the queries it fits the L2 cache. A single query
/// touches each vector once and takes a whole unit as its block, if that is in one piece.
const BLOCK_BYTES: usize = 256 << 10;

/// Blocks hold a multiple of this many rows, so that the kernels' strips of 6 or 8 fill them.
const STRIPS: usize = 24;

/// Vectors of one unit of work, in bytes: enough to outweigh its start.
const UNIT_BYTES: usize = 4 << 20;

/// Queries that pass over a block together.
const GROUP: usize = 96;

/// What a scan did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows whose vectors were read.
    pub rows: u64,
    /// Their vectors, in bytes of f32.
    pub bytes: u64,
    /// Pairs of query and row that went through the f32 kernel.
    pub pairs: u64,
    /// Pairs whose exact distance was computed. Depends on how the threads shared the work.
    pub rescored: u64,
}

impl Stats {
    /// Adds what another scan did.
    pub fn add(&mut self, other: &Stats) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.pairs += other.pairs;
        self.rescored += other.rescored;
    }
}

/// The answers to every query over all parts, each list in the order (distance, entity, time),
/// and what it took. Runs on the current rayon pool.
///
/// Distances are those of [`Metric::exact`]; rows without one (zero vectors under cosine) are
/// never answers.
///
/// # Errors
/// `usage` when a query has another dimension than a part, or holds NaN or an infinity;
/// `internal` for ranges beyond a source; whatever reading a source or the watch gives.
pub fn scan(
    parts: &[Part<'_>],
    queries: &[Query],
    metric: Metric,
    watch: &dyn Watch,
) -> Result<(Vec<Vec<Hit>>, Stats)> {
    let Some(first) = parts.first() else { return Ok((vec![Vec::new(); queries.len()], Stats::default())) };
    let dim = first.source.dim();
    check(parts, queries, dim)?;
    let plan = Plan::new(parts, queries, metric, dim);
    let units = plan.units();
    // Each thread takes a worker from the shelf and puts it back, so that there are no more
    // workers than threads, and each keeps its limits from unit to unit.
    let shelf: Mutex<Vec<Worker<'_>>> = Mutex::new(Vec::new());
    let lock = || shelf.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    units.into_par_iter().try_for_each(|unit| {
        watch.stop()?;
        let taken = lock().pop();
        let mut worker = taken.unwrap_or_else(|| Worker::new(&plan));
        worker.unit(&unit)?;
        lock().push(worker);
        Ok::<(), Error>(())
    })?;
    let mut answers = plan.collectors();
    let mut stats = Stats::default();
    for worker in std::mem::take(&mut *lock()) {
        for (all, own) in answers.iter_mut().zip(worker.answers) {
            all.merge(own);
        }
        stats.rows += worker.stats.rows;
        stats.bytes += worker.stats.bytes;
        stats.pairs += worker.stats.pairs;
        stats.rescored += worker.stats.rescored;
    }
    Ok((answers.into_iter().map(TopK::into_hits).collect(), stats))
}

fn check(parts: &[Part<'_>], queries: &[Query], dim: usize) -> Result<()> {
    for part in parts {
        if part.source.dim() != dim {
            return Err(Error::internal("parts of different dimension in one scan"));
        }
        let mut end = 0;
        for r in &part.rows {
            if r.start < end || r.end < r.start || r.end as usize > part.source.rows() {
                return Err(Error::internal("rows to scan are unsorted or beyond the source"));
            }
            end = r.end;
        }
    }
    for query in queries {
        if query.vector.len() != dim {
            let n = query.vector.len();
            return Err(Error::usage(format!(
                "query vector has {n} values, the dataset has dimension {dim}"
            )));
        }
        if let Some(i) = query.vector.iter().position(|v| !v.is_finite()) {
            return Err(Error::usage(format!("query vector: value {} is not a finite number", i + 1)));
        }
    }
    Ok(())
}

/// What all workers share.
struct Plan<'a> {
    parts: &'a [Part<'a>],
    queries: Vec<Prepared<'a>>,
    /// The vectors of `queries`, row-major.
    matrix: Vec<f32>,
    metric: Metric,
    dim: usize,
    /// False when every query wants all times: then keys are read for candidates only.
    windows: bool,
}

/// A run of rows of one part, in one or many ranges.
struct Unit {
    part: usize,
    rows: Vec<Range<u32>>,
}

impl<'a> Plan<'a> {
    fn new(parts: &'a [Part<'a>], queries: &'a [Query], metric: Metric, dim: usize) -> Self {
        let windows = queries.iter().any(|q| q.window != TimeRange::ALL);
        let queries: Vec<Prepared<'a>> = queries.iter().map(|q| Prepared::new(q, metric)).collect();
        let matrix = queries.iter().flat_map(|q| q.vector.iter().copied()).collect();
        Plan { parts, queries, matrix, metric, dim, windows }
    }

    fn units(&self) -> Vec<Unit> {
        let size = (UNIT_BYTES / (4 * self.dim)).max(1);
        let parts = self.parts.iter().enumerate();
        parts.flat_map(|(part, p)| split(&p.rows, size).map(move |rows| Unit { part, rows })).collect()
    }

    /// True unless all of the rows lie outside every window.
    fn looks_at(&self, source: &dyn VectorSource, rows: &[Range<u32>]) -> bool {
        !self.windows || {
            let times = bounds(source, rows);
            self.queries.iter().any(|q| q.query.window.overlaps(&times))
        }
    }

    fn collectors(&self) -> Vec<TopK> {
        let collector = |q: &Prepared<'_>| {
            TopK::new(q.query.k, q.query.radius.unwrap_or(f64::INFINITY), q.query.best_per_entity)
        };
        self.queries.iter().map(collector).collect()
    }
}

/// Cuts sorted ranges into runs of `size` rows, the last one shorter.
fn split(ranges: &[Range<u32>], size: usize) -> impl Iterator<Item = Vec<Range<u32>>> {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    let mut ranges = ranges.iter().filter(|r| !r.is_empty()).cloned();
    let mut rest = ranges.next();
    std::iter::from_fn(move || {
        let (mut run, mut room) = (Vec::new(), size);
        while room > 0
            && let Some(r) = rest.take()
        {
            let cut = r.start + room.min(r.end - r.start);
            room -= cut - r.start;
            rest = if cut < r.end { Some(cut..r.end) } else { ranges.next() };
            run.push(r.start..cut);
        }
        (!run.is_empty()).then_some(run)
    })
}

/// The ranges of all blocks, those that touch made one.
fn joined(blocks: &[Vec<Range<u32>>]) -> Vec<Range<u32>> {
    let mut out: Vec<Range<u32>> = Vec::new();
    for r in blocks.iter().flatten() {
        match out.last_mut() {
            Some(last) if last.end == r.start => last.end = r.end,
            _ => out.push(r.clone()),
        }
    }
    out
}

/// One thread's answers and buffers.
struct Worker<'a> {
    plan: &'a Plan<'a>,
    answers: Vec<TopK>,
    stats: Stats,
    decoded: Vec<f32>,
    gathered: Vec<f32>,
    inverse_norms: Vec<f32>,
    form: Form,
    group: Group,
}

/// The queries that a block is compared with, and the results.
#[derive(Default)]
struct Group {
    members: Vec<usize>,
    matrix: Vec<f32>,
    scores: Vec<f32>,
    kept: Vec<(usize, f32)>,
}

/// The rows of a block.
struct Block<'b> {
    part: usize,
    rows: &'b [Range<u32>],
    source: &'b dyn VectorSource,
    vectors: &'b [f32],
}

impl<'a> Worker<'a> {
    fn new(plan: &'a Plan<'a>) -> Self {
        Worker {
            plan,
            answers: plan.collectors(),
            stats: Stats::default(),
            decoded: Vec::new(),
            gathered: Vec::new(),
            inverse_norms: Vec::new(),
            form: Form::default(),
            group: Group::default(),
        }
    }

    fn unit(&mut self, unit: &Unit) -> Result<()> {
        let size = (BLOCK_BYTES / (4 * self.plan.dim)).next_multiple_of(STRIPS);
        let source = self.plan.parts[unit.part].source;
        let blocks = split(&unit.rows, size).filter(|rows| self.plan.looks_at(source, rows));
        let blocks: Vec<_> = blocks.collect();
        if self.plan.queries.len() == 1
            && let [one] = joined(&blocks).as_slice()
        {
            return self.block(unit.part, std::slice::from_ref(one));
        }
        blocks.iter().try_for_each(|rows| self.block(unit.part, rows))
    }

    fn block(&mut self, part: usize, rows: &[Range<u32>]) -> Result<()> {
        let plan = self.plan;
        let source = plan.parts[part].source;
        let times = plan.windows.then(|| bounds(source, rows));
        let wanted = |q: &Prepared<'_>| times.is_none_or(|t| q.query.window.overlaps(&t));
        // Taken out of `self` while its contents are borrowed.
        let (mut decoded, mut gathered) =
            (std::mem::take(&mut self.decoded), std::mem::take(&mut self.gathered));
        let vectors = load(source, rows, &mut decoded, &mut gathered)?;
        self.set_form(source, rows, vectors.len() / plan.dim)?;
        let block = Block { part, rows, source, vectors };
        self.stats.rows += (vectors.len() / plan.dim) as u64;
        self.stats.bytes += size_of_val(vectors) as u64;
        for start in (0..plan.queries.len()).step_by(GROUP) {
            let end = plan.queries.len().min(start + GROUP);
            self.group.members.clear();
            self.group.members.extend((start..end).filter(|&i| wanted(&plan.queries[i])));
            self.compare(&block);
        }
        (self.decoded, self.gathered) = (decoded, gathered);
        Ok(())
    }

    /// Prepares the filter for the rows.
    fn set_form(&mut self, source: &dyn VectorSource, rows: &[Range<u32>], n_rows: usize) -> Result<()> {
        self.inverse_norms.clear();
        if self.plan.metric == Metric::L2 {
            self.inverse_norms.resize(n_rows, 0.0);
        } else {
            for r in rows {
                source.inverse_norms(span(r), &mut self.inverse_norms)?;
            }
        }
        self.form.set(self.plan.metric, &self.inverse_norms, self.plan.dim);
        Ok(())
    }

    /// The members of the group against the block.
    fn compare(&mut self, block: &Block<'_>) {
        let (plan, dim, n_rows) = (self.plan, self.plan.dim, block.vectors.len() / self.plan.dim);
        let group = &mut self.group;
        let (Some(&first), Some(&last)) = (group.members.first(), group.members.last()) else { return };
        let matrix = if last - first + 1 == group.members.len() {
            &plan.matrix[first * dim..(last + 1) * dim]
        } else {
            group.matrix.clear();
            for &q in &group.members {
                group.matrix.extend_from_slice(&plan.matrix[q * dim..(q + 1) * dim]);
            }
            &group.matrix
        };
        group.scores.resize(group.members.len() * n_rows, 0.0);
        match plan.metric {
            Metric::L2 => simd::l2_squared_block(matrix, block.vectors, dim, &mut group.scores),
            _ => simd::dot_block(matrix, block.vectors, dim, &mut group.scores),
        }
        self.stats.pairs += group.scores.len() as u64;
        for (&q, scores) in group.members.iter().zip(group.scores.chunks_exact(n_rows)) {
            let (query, answers) = (&plan.queries[q], &mut self.answers[q]);
            self.form.select(scores, query.threshold(answers.limit()), &mut group.kept);
            self.stats.rescored += rescore(query, answers, block, dim, &group.kept);
        }
    }
}

/// Offers the rows that passed the filter, with their exact distances; returns how many it
/// computed.
fn rescore(
    query: &Prepared<'_>,
    answers: &mut TopK,
    block: &Block<'_>,
    dim: usize,
    kept: &[(usize, f32)],
) -> u64 {
    let mut rescored = 0;
    let mut ranges = RowNumbers::new(block.rows);
    let mut threshold = query.threshold(answers.limit());
    for &(i, value) in kept {
        let row = ranges.at(i);
        let key = block.source.key(row as usize);
        let wanted = query.query.window.contains(key.t) && query.query.exclude != Some(key.entity);
        // The limit may have come down since the filter ran.
        if !wanted || value < threshold || query.excludes(value, key.t, answers.limit()) {
            continue;
        }
        rescored += 1;
        let vector = &block.vectors[i * dim..(i + 1) * dim];
        if let Some(d_vec) = query.exact.distance(vector) {
            answers.offer(hit(query, d_vec, key, block.part, row));
            threshold = query.threshold(answers.limit());
        }
    }
    rescored
}

fn hit(query: &Prepared<'_>, d_vec: f64, key: Key, part: usize, row: u32) -> Hit {
    let time = query.query.time.filter(|c| c.uses_time());
    Hit {
        distance: time.map_or(d_vec, |c| c.distance(d_vec, key.t)),
        d_vec,
        d_time: time.map(|c| c.d_time(key.t)),
        key,
        part: u32::try_from(part).unwrap_or(u32::MAX),
        row,
    }
}

/// Turns ascending positions in a block into row numbers.
struct RowNumbers<'a> {
    ranges: &'a [Range<u32>],
    /// Position of the first row of `ranges[0]`.
    start: usize,
}

impl<'a> RowNumbers<'a> {
    fn new(ranges: &'a [Range<u32>]) -> Self {
        RowNumbers { ranges, start: 0 }
    }

    /// The row at position `i`, no smaller than the one asked for before.
    fn at(&mut self, i: usize) -> u32 {
        while i - self.start >= self.ranges[0].len() {
            self.start += self.ranges[0].len();
            self.ranges = &self.ranges[1..];
        }
        self.ranges[0].start + (i - self.start) as u32
    }
}

/// The vectors of the rows: borrowed from the source when they are one range, else gathered.
fn load<'b>(
    source: &'b dyn VectorSource,
    rows: &[Range<u32>],
    decoded: &'b mut Vec<f32>,
    gathered: &'b mut Vec<f32>,
) -> Result<&'b [f32]> {
    if let [one] = rows {
        return source.vectors(span(one), decoded);
    }
    gathered.clear();
    for r in rows {
        gathered.extend_from_slice(source.vectors(span(r), decoded)?);
    }
    Ok(gathered)
}

/// The first and the last time among the rows.
fn bounds(source: &dyn VectorSource, rows: &[Range<u32>]) -> TimeRange {
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for row in rows.iter().flat_map(span) {
        let t = source.key(row).t;
        first = first.min(t);
        last = last.max(t);
    }
    TimeRange::closed(first, last)
}

fn span(r: &Range<u32>) -> Range<usize> {
    r.start as usize..r.end as usize
}
