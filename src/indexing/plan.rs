//! Which points go into which parts of the index.

use super::Options;
use crate::dataset::Snapshot;
use crate::error::Result;
use crate::index::layout::GraphKind;
use crate::index::merge::{PartSize, rebuilt};
use crate::manifest::{FileEntry, FileKind};
use crate::metric::Metric;
use crate::model::TimeRange;
use crate::query::outside;

/// What a build is going to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The metric of the index.
    pub metric: Metric,
    /// The times that it covers.
    pub time: TimeRange,
    /// Parts that stay.
    pub kept: Vec<FileEntry>,
    /// File ids of the parts whose points go into new ones.
    pub dropped: Vec<u64>,
    /// Sequence numbers of the points of each new part, first and last.
    pub new: Vec<(u64, u64)>,
    /// Points of the new parts, about.
    points: u64,
    exact: bool,
    graph: bool,
}

impl Plan {
    /// Points of the new parts, about.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// Bytes of a row of a new part, about.
    pub(super) fn row_bytes(&self, snapshot: &Snapshot) -> u64 {
        let dim = snapshot.settings().dim as u64;
        let vectors = if self.exact { 4 * dim } else { 0 };
        let neighbour_codes = if self.exact && self.graph { 4 * dim + 256 } else { 0 };
        vectors + neighbour_codes + dim + dim / 8 + 300
    }
}

/// Works out what to build from a version of a dataset.
pub fn plan(snapshot: &Snapshot, options: &Options) -> Result<Plan> {
    let parts = snapshot.manifest().index_parts();
    let old = usable(snapshot, &parts, options);
    let metric = options.metric.or(old.metric).unwrap_or(snapshot.settings().metric);
    let time = options.time.or(old.time).unwrap_or(TimeRange::ALL);
    let mut plan = Plan {
        metric,
        time,
        kept: parts[..old.count].to_vec(),
        dropped: parts[old.count..].iter().map(|p| p.id).collect(),
        new: Vec::new(),
        points: 0,
        exact: options.exact,
        graph: options.graph,
    };
    let end = snapshot.manifest().next_seq;
    let added = added(snapshot, &plan)?;
    let dead = |p: &FileEntry| snapshot.manifest().deletions_of(p.id).map_or(0, |d| d.rows);
    let sizes: Vec<PartSize> =
        plan.kept.iter().map(|p| PartSize { rows: p.rows as usize, dead: dead(p) as usize }).collect();
    let most = options.most_rows(snapshot.settings().dim);
    let alive = |count: usize| sizes.iter().rev().take(count).map(|s| (s.rows - s.dead) as u64).sum::<u64>();
    let mut count = rebuilt(&sizes, added as usize);
    while count > 0 && alive(count) + added > most {
        count -= 1;
    }
    plan.points = alive(count) + added;
    let stay = plan.kept.len() - count;
    plan.dropped.extend(plan.kept.drain(stay..).map(|p| p.id));
    let from = plan.kept.last().map_or(0, |p| p.seq_max + 1);
    if plan.points > 0 && from < end {
        plan.new = cuts(snapshot, &plan, (from, end), most)?;
    }
    Ok(plan)
}

/// Parts that an incremental build can go on from.
struct Usable {
    count: usize,
    metric: Option<Metric>,
    time: Option<TimeRange>,
}

/// The parts, oldest first, that cover the points without a hole, are whole, and are what is asked for.
fn usable(snapshot: &Snapshot, parts: &[FileEntry], options: &Options) -> Usable {
    let mut usable = Usable { count: 0, metric: None, time: None };
    if options.rebuild {
        return usable;
    }
    let mut next = 0;
    for entry in parts {
        let Ok(open) = snapshot.index_part(entry) else { return usable };
        let (metric, time) = (open.part.metric(), entry.time());
        let wanted = options.metric.or(usable.metric).is_none_or(|m| m == metric)
            && options.time.or(usable.time).is_none_or(|t| t == time)
            && open.part.head().exact == options.exact
            && (options.graph || open.part.head().graph == GraphKind::None);
        if !wanted || entry.seq_min > next {
            return usable;
        }
        next = entry.seq_max + 1;
        usable = Usable { count: usable.count + 1, metric: Some(metric), time: Some(time) };
    }
    usable
}

/// Sealed points behind the kept parts, those of dropped parts included.
fn added(snapshot: &Snapshot, plan: &Plan) -> Result<u64> {
    let from = plan.kept.last().map_or(0, |p| p.seq_max + 1);
    let lost = plan.dropped.iter().filter_map(|id| snapshot.manifest().find(FileKind::Index, *id));
    let lost: u64 = lost.map(|f| f.rows).sum();
    let fresh = outside(snapshot, &plan.time)?;
    let mut count = 0;
    for (part, rows) in &fresh.parts {
        if part.entry.is_some_and(|f| f.kind != FileKind::Cold) {
            count +=
                rows.iter().cloned().flatten().filter(|row| part.seq(*row as usize) >= from).count() as u64;
        }
    }
    Ok(lost + count)
}

/// Cuts the points of a range of sequence numbers into parts of at most `most` rows.
fn cuts(snapshot: &Snapshot, plan: &Plan, (from, end): (u64, u64), most: u64) -> Result<Vec<(u64, u64)>> {
    if plan.points <= most {
        return Ok(vec![(from, end - 1)]);
    }
    let mut seqs = Vec::new();
    for part in snapshot.parts()?.into_iter().filter(|p| p.entry.is_some_and(|f| f.kind != FileKind::Cold)) {
        let rows = (0..part.rows()).filter(|row| part.is_live(*row));
        seqs.extend(rows.map(|row| part.seq(row)).filter(|seq| (from..end).contains(seq)));
    }
    seqs.sort_unstable();
    let mut new = Vec::new();
    let mut first = from;
    for chunk in seqs.chunks(most as usize) {
        let last = chunk.last().copied().unwrap_or(first);
        new.push((first, last));
        first = last + 1;
    }
    if let Some(last) = new.last_mut() {
        last.1 = end - 1;
    }
    Ok(new)
}
