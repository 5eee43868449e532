//! Neighbours in a pinned version of a dataset: chooses the rows, scans them once for all
//! questions that look at the same ones.

use super::cold::scan_tiers;
use super::{Composite, Hit, Query, Stats};
use crate::dataset::{Part, Select, Selected, Snapshot, asof_rows};
use crate::error::{Code, Error, Result};
use crate::metric::Metric;
use crate::model::{EntityId, TimeRange, TimestampUs};
use crate::watch::Watch;
use std::collections::BTreeMap;

/// Which points a question looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum When {
    /// Points with a time in the range.
    Window(WindowKey),
    /// Of each entity its state at an instant, no older than so many microseconds.
    AsOf(TimestampUs, Option<i64>),
}

/// A range as its first and last instant, which orders.
type WindowKey = (TimestampUs, TimestampUs);

impl When {
    /// Points in a range of time.
    pub fn window(range: TimeRange) -> When {
        When::Window((range.first(), range.last()))
    }
}

/// One question.
#[derive(Debug, Clone)]
pub struct Request {
    /// The vector.
    pub vector: Vec<f32>,
    /// Answers wanted; `usize::MAX` for all within the radius.
    pub k: usize,
    /// Only answers at most this far.
    pub radius: Option<f64>,
    /// Which points.
    pub when: When,
    /// An entity that is not an answer.
    pub exclude: Option<EntityId>,
    /// One answer an entity.
    pub best_per_entity: bool,
    /// Time in the ranking.
    pub time: Option<Composite>,
}

/// An answer.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Key and distances.
    pub hit: Hit,
    /// The part that holds the point, when it was scanned; the index knows keys only.
    pub part: Option<&'a Part>,
}

impl<'a> Found<'a> {
    /// Where the point is stored: part and row.
    pub fn place(&self, snapshot: &'a Snapshot) -> Result<(&'a Part, usize)> {
        if let Some(part) = self.part {
            return Ok((part, self.hit.row as usize));
        }
        let missing = || Error::new(Code::Damaged, "the index names a point that the dataset does not have");
        snapshot.point(self.hit.key)?.ok_or_else(missing)
    }
}

/// What answering cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cost {
    /// Rows and bytes of the scan.
    pub scan: Stats,
    /// Parts of the dataset.
    pub parts: u64,
    /// Parts that were not opened.
    pub parts_pruned: u64,
    /// Work in the index, and how its parts were searched.
    pub index: crate::index::Stats,
    /// Why the index was not asked; `None` when it was.
    pub exact_because: Option<String>,
    /// Damage to the index: the answers come from scans.
    pub warning: Option<String>,
}

/// Answers all requests over the points that `select` admits: for each the nearest points,
/// by (distance, entity, time). Exact, whatever the number of threads.
pub fn neighbours<'a>(
    snapshot: &'a Snapshot,
    select: &Select,
    metric: Metric,
    requests: &[Request],
    watch: &dyn Watch,
) -> Result<(Vec<Vec<Found<'a>>>, Cost)> {
    scanned(snapshot, select, metric, requests, false, watch)
}

/// As [`neighbours`]; with `exact`, vectors of lossy blocks are compared one by one too.
pub(super) fn scanned<'a>(
    snapshot: &'a Snapshot,
    select: &Select,
    metric: Metric,
    requests: &[Request],
    exact: bool,
    watch: &dyn Watch,
) -> Result<(Vec<Vec<Found<'a>>>, Cost)> {
    check(snapshot, requests)?;
    let mut cost = Cost { parts: snapshot.part_count() as u64, ..Cost::default() };
    let mut answers: Vec<Vec<Found<'a>>> = requests.iter().map(|_| Vec::new()).collect();
    for (when, members) in groups(requests) {
        let selected = rows_of(snapshot, select, when, requests, &members)?;
        cost.parts_pruned = cost.parts_pruned.max(cost.parts - selected.parts.len() as u64);
        let queries: Vec<Query> = members.iter().map(|i| query(&requests[*i])).collect();
        let (hits, stats) = scan_tiers(snapshot, &selected.parts, &queries, metric, exact, watch)?;
        cost.scan.add(&stats);
        for (i, hits) in members.iter().zip(hits) {
            answers[*i] = hits
                .into_iter()
                .map(|hit| Found { hit, part: Some(selected.parts[hit.part as usize].0) })
                .collect();
        }
    }
    Ok((answers, cost))
}

pub(super) fn check(snapshot: &Snapshot, requests: &[Request]) -> Result<()> {
    let dim = snapshot.settings().dim;
    match requests.iter().find(|r| r.vector.len() != dim) {
        None => Ok(()),
        Some(r) => Err(Error::usage(format!(
            "query vector has {} values, the dataset has dimension {dim}",
            r.vector.len()
        ))
        .fix("use a vector of the model that made this dataset's embeddings")),
    }
}

/// Requests that look at the same rows: all windows together, as-of by their instant.
pub(super) fn groups(requests: &[Request]) -> BTreeMap<Option<When>, Vec<usize>> {
    let mut out: BTreeMap<Option<When>, Vec<usize>> = BTreeMap::new();
    for (i, r) in requests.iter().enumerate() {
        let group = match r.when {
            When::Window(_) => None,
            asof => Some(asof),
        };
        out.entry(group).or_default().push(i);
    }
    out
}

pub(super) fn rows_of<'a>(
    snapshot: &'a Snapshot,
    select: &Select,
    when: Option<When>,
    requests: &[Request],
    members: &[usize],
) -> Result<Selected<'a>> {
    if let Some(When::AsOf(t, max_age)) = when {
        return asof_rows(snapshot, select, t, max_age);
    }
    let span = span(requests, members);
    Select { time: select.time.intersect(&span), ..select.clone() }.resolve(snapshot)
}

/// The span of all windows; each query still looks at its own.
pub(super) fn span(requests: &[Request], members: &[usize]) -> TimeRange {
    let windows = members.iter().filter_map(|i| match requests[*i].when {
        When::Window((a, b)) if a <= b => Some((a, b)),
        _ => None,
    });
    let span = windows.reduce(|x, y| (x.0.min(y.0), x.1.max(y.1)));
    span.map_or(TimeRange::EMPTY, |(a, b)| TimeRange::closed(a, b))
}

pub(super) fn query(r: &Request) -> Query {
    Query {
        vector: r.vector.clone(),
        k: r.k,
        radius: r.radius,
        window: match r.when {
            When::Window((a, b)) => TimeRange::closed(a, b),
            When::AsOf(..) => TimeRange::ALL,
        },
        exclude: r.exclude,
        best_per_entity: r.best_per_entity,
        time: r.time,
    }
}
