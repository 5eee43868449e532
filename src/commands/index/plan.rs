//! Which points go into which parts of the index.

use super::Options;
use crate::dataset::{Coverage, Selected, Snapshot};
use crate::error::Result;
use crate::index::Check;
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
    /// Parts whose points go into new ones.
    pub dropped: Vec<FileEntry>,
    /// Bounds of the sequence numbers of the points of each new part.
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
        dropped: parts[old.count..].to_vec(),
        new: Vec::new(),
        points: 0,
        exact: options.exact,
        graph: options.graph,
    };
    let dead = |p: &FileEntry| snapshot.manifest().deletions_of(p.id).map_or(0, |d| d.rows);
    let sizes: Vec<PartSize> =
        plan.kept.iter().map(|p| PartSize { rows: p.rows as usize, dead: dead(p) as usize }).collect();
    let added = lacking(snapshot, &plan)?.points();
    let most = options.most_rows(snapshot.settings().dim);
    let alive = |count: usize| sizes.iter().rev().take(count).map(|s| (s.rows - s.dead) as u64).sum::<u64>();
    let mut count = rebuilt(&sizes, added as usize);
    while count > 0 && alive(count) + added > most {
        count -= 1;
    }
    plan.points = alive(count) + added;
    let stay = plan.kept.len() - count;
    plan.dropped.extend(plan.kept.split_off(stay));
    if plan.points > 0 {
        plan.new = cuts(snapshot, &plan, most)?;
    }
    Ok(plan)
}

/// Parts that an incremental build can go on from.
struct Usable {
    count: usize,
    metric: Option<Metric>,
    time: Option<TimeRange>,
}

/// The parts, those that were built first in front, that are whole and of the wanted kind.
fn usable(snapshot: &Snapshot, parts: &[FileEntry], options: &Options) -> Usable {
    let mut usable = Usable { count: 0, metric: None, time: None };
    if options.rebuild {
        return usable;
    }
    for entry in parts {
        let Ok(open) = snapshot.index_part(entry) else { return usable };
        let (metric, time) = (open.part.metric(), entry.time());
        let wanted = open.part.is_current()
            && options.metric.or(usable.metric).is_none_or(|m| m == metric)
            && options.time.or(usable.time).is_none_or(|t| t == time)
            && open.part.head().exact == options.exact
            && (options.graph || open.part.head().graph == GraphKind::None);
        if !wanted {
            return usable;
        }
        usable = Usable { count: usable.count + 1, metric: Some(metric), time: Some(time) };
    }
    usable
}

/// The sealed points in the range of a plan that its kept parts do not hold. Points of cold blocks are
/// scanned, and are in no part.
pub(super) fn lacking<'a>(snapshot: &'a Snapshot, plan: &Plan) -> Result<Selected<'a>> {
    let parts = plan.kept.iter().map(|e| snapshot.index_part(e)).collect::<Result<Vec<_>>>()?;
    let readers = parts.iter().map(|p| p.part.reader(Check::Lazy)).collect::<Result<Vec<_>>>()?;
    let mut rows = outside(snapshot, Coverage::new(&parts, &readers), &plan.dropped, &plan.time)?;
    rows.parts.retain(|(part, _)| part.entry.is_some_and(|f| f.kind != FileKind::Cold));
    Ok(rows)
}

/// Cuts the points of the new parts, by sequence number, into parts of at most `most` rows.
fn cuts(snapshot: &Snapshot, plan: &Plan, most: u64) -> Result<Vec<(u64, u64)>> {
    if plan.points <= most {
        return Ok(vec![(0, u64::MAX)]);
    }
    let mut seqs = Vec::new();
    for (part, rows) in lacking(snapshot, plan)?.parts {
        seqs.extend(rows.into_iter().flatten().map(|row| part.seq(row as usize)));
    }
    seqs.sort_unstable();
    let mut new: Vec<(u64, u64)> = Vec::new();
    for chunk in seqs.chunks(most as usize) {
        let first = new.last().map_or(0, |(_, last)| last + 1);
        new.push((first, chunk.last().copied().unwrap_or(first)));
    }
    if let Some(last) = new.last_mut() {
        last.1 = u64::MAX;
    }
    Ok(new)
}
