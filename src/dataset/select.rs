//! Which entities and points a command works on, as row ranges of parts.

use super::part::Part;
use super::shard::{Sample, Shard, entity_hash};
use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::model::{EntityId, TimeRange, TimestampUs};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What to select. The default selects everything.
#[derive(Debug, Clone)]
pub struct Select {
    /// Only these entities.
    pub entities: Option<BTreeSet<EntityId>>,
    /// Only points in this range.
    pub time: TimeRange,
    /// Only points whose metadata satisfies this.
    pub filter: Option<Filter>,
    /// Only points of this model: `NAME` or `NAME@VERSION`.
    pub model: Option<String>,
    /// Only points of this source.
    pub source: Option<String>,
    /// Only entities with at least this many selected points.
    pub min_points: u64,
    /// Only the first so many entities by id.
    pub limit: Option<u64>,
    /// A sample of the entities.
    pub sample: Option<Sample>,
    /// Seed of the sample.
    pub seed: u64,
    /// A part of the entities for one of several jobs.
    pub shard: Option<Shard>,
}

impl Default for Select {
    fn default() -> Self {
        Select {
            entities: None,
            time: TimeRange::ALL,
            filter: None,
            model: None,
            source: None,
            min_points: 0,
            limit: None,
            sample: None,
            seed: 0,
            shard: None,
        }
    }
}

impl Select {
    /// True when an entity passes the conditions on its id alone.
    fn admits(&self, entity: EntityId) -> bool {
        self.entities.as_ref().is_none_or(|e| e.contains(&entity))
            && self.shard.is_none_or(|s| s.holds(entity))
            && match self.sample {
                Some(Sample::Share(share)) => {
                    sample_rank(entity, self.seed) as f64 <= share * u64::MAX as f64 && share > 0.0
                }
                _ => true,
            }
    }

    /// True when nothing but the range of time restricts it: then nothing has to be resolved.
    pub fn is_only_time(&self) -> bool {
        let every = self.entities.is_none() && self.shard.is_none() && self.sample.is_none();
        every && !self.looks_at_rows() && !self.counts_entities()
    }

    /// True when rows must be looked at one by one.
    fn looks_at_rows(&self) -> bool {
        self.filter.is_some() || self.model.is_some() || self.source.is_some()
    }

    /// True when the choice of entities needs all their counts first.
    fn counts_entities(&self) -> bool {
        self.min_points > 0 || self.limit.is_some() || matches!(self.sample, Some(Sample::Count(_)))
    }

    /// Least and largest entity that can be selected.
    pub fn entity_bounds(&self) -> (EntityId, EntityId) {
        match &self.entities {
            None => (0, EntityId::MAX),
            Some(e) => (e.first().copied().unwrap_or(1), e.last().copied().unwrap_or(0)),
        }
    }

    /// True when the row passes the conditions on provenance and metadata.
    pub fn admits_row(&self, part: &Part, row: usize) -> Result<bool> {
        let origin = part.origin(row);
        if self.source.as_ref().is_some_and(|s| *s != origin.source) {
            return Ok(false);
        }
        if self.model.as_ref().is_some_and(|m| !is_of_model(&origin.model, m)) {
            return Ok(false);
        }
        match &self.filter {
            None => Ok(true),
            Some(f) => Ok(f.matches(&part.meta(row)?)),
        }
    }

    /// Resolves the selection to live rows of a snapshot.
    pub fn resolve<'a>(&self, snapshot: &'a Snapshot) -> Result<Selected<'a>> {
        self.resolve_in(snapshot.parts_with(self.entity_bounds(), &self.time)?)
    }

    /// As [`Select::resolve`], in some parts only.
    pub fn resolve_in<'a>(&self, of: Vec<&'a Part>) -> Result<Selected<'a>> {
        let mut parts = Vec::new();
        for part in of {
            let rows = self.rows_of(part)?;
            if !rows.is_empty() {
                parts.push((part, rows));
            }
        }
        let mut out = Selected { parts };
        if self.counts_entities() {
            let chosen = self.choose(&out.counts());
            out.retain(&chosen);
        }
        Ok(out)
    }

    /// The first and the last time of the selected points. Files all of whose points are selected are not opened.
    pub fn bounds(&self, snapshot: &Snapshot) -> Result<Option<(TimestampUs, TimestampUs)>> {
        let mut seen: Option<(TimestampUs, TimestampUs)> = None;
        let mut widen =
            |(first, last)| seen = Some(seen.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
        if !self.is_only_time() || self.time != TimeRange::ALL {
            return Ok(self.resolve(snapshot)?.bounds());
        }
        for i in 0..snapshot.part_count() {
            match snapshot.whole_entry(i) {
                Some(file) => widen((file.t_min, file.t_max)),
                None => self.resolve_in(vec![snapshot.part(i)?])?.bounds().into_iter().for_each(&mut widen),
            }
        }
        Ok(seen)
    }

    /// Live rows of a part that pass everything but the choice among entities.
    pub(crate) fn rows_of(&self, part: &Part) -> Result<Vec<Range<u32>>> {
        let mut rows = Vec::new();
        let every =
            self.entities.is_none() && self.shard.is_none() && !matches!(self.sample, Some(Sample::Share(_)));
        if every && self.time == TimeRange::ALL {
            part.live_ranges(0..part.rows(), &mut rows);
        } else if let Some(wanted) = &self.entities {
            for run in wanted.iter().filter(|e| self.admits(**e)).filter_map(|e| part.find(*e)) {
                part.live_ranges(part.window(run, &self.time), &mut rows);
            }
        } else {
            for (run, entity) in part.entities().iter().enumerate() {
                if self.admits(*entity) {
                    part.live_ranges(part.window(run, &self.time), &mut rows);
                }
            }
        }
        join(&mut rows);
        if !self.looks_at_rows() {
            return Ok(rows);
        }
        let mut kept: Vec<Range<u32>> = Vec::new();
        for row in rows.into_iter().flatten() {
            if self.admits_row(part, row as usize)? {
                match kept.last_mut() {
                    Some(last) if last.end == row => last.end = row + 1,
                    _ => kept.push(row..row + 1),
                }
            }
        }
        Ok(kept)
    }

    /// The entities that stay after `min_points`, `sample` and `limit`, in this order.
    fn choose(&self, counts: &BTreeMap<EntityId, u64>) -> BTreeSet<EntityId> {
        let mut ids: Vec<EntityId> =
            counts.iter().filter(|(_, n)| **n >= self.min_points).map(|(e, _)| *e).collect();
        if let Some(Sample::Count(n)) = self.sample {
            ids.sort_unstable_by_key(|e| (sample_rank(*e, self.seed), *e));
            ids.truncate(usize::try_from(n).unwrap_or(usize::MAX));
            ids.sort_unstable();
        }
        if let Some(n) = self.limit {
            ids.truncate(usize::try_from(n).unwrap_or(usize::MAX));
        }
        ids.into_iter().collect()
    }
}

/// True when `NAME` or `NAME@VERSION` names the model of a point.
pub fn is_of_model(model: &str, asked: &str) -> bool {
    model == asked || !asked.contains('@') && model.split('@').next() == Some(asked)
}

/// Entities are sampled in the order of this number.
fn sample_rank(entity: EntityId, seed: u64) -> u64 {
    entity_hash(entity ^ entity_hash(seed ^ 0x5eed))
}

/// Joins ranges that touch; they are in order already.
fn join(rows: &mut Vec<Range<u32>>) {
    rows.dedup_by(|next, before| {
        let touches = before.end == next.start;
        if touches {
            before.end = next.end;
        }
        touches
    });
}

/// Live rows of parts: sorted, disjoint ranges.
#[derive(Debug, Default)]
pub struct Selected<'a> {
    /// Parts with at least one row.
    pub parts: Vec<(&'a Part, Vec<Range<u32>>)>,
}

impl Selected<'_> {
    /// Rows in all.
    pub fn points(&self) -> u64 {
        self.parts.iter().flat_map(|(_, r)| r).map(|r| u64::from(r.end - r.start)).sum()
    }

    /// The first and the last time.
    fn bounds(&self) -> Option<(TimestampUs, TimestampUs)> {
        let runs = self.parts.iter().flat_map(|(part, rows)| rows.iter().map(move |r| (part, r)));
        let times = runs.flat_map(|(part, r)| &part.times()[r.start as usize..r.end as usize]);
        times.fold(None, |seen, t| Some(seen.map_or((*t, *t), |(a, b): (i64, i64)| (a.min(*t), b.max(*t)))))
    }

    /// Rows of each entity.
    pub fn counts(&self) -> BTreeMap<EntityId, u64> {
        let mut out = BTreeMap::new();
        for (part, rows) in &self.parts {
            for r in rows {
                let mut at = r.start as usize;
                while at < r.end as usize {
                    let run = part.run_of(at);
                    let end = part.run(run).end.min(r.end as usize);
                    *out.entry(part.entities()[run]).or_insert(0) += (end - at) as u64;
                    at = end;
                }
            }
        }
        out
    }

    /// Keeps the rows of some entities.
    fn retain(&mut self, chosen: &BTreeSet<EntityId>) {
        for (part, rows) in &mut self.parts {
            let mut kept = Vec::new();
            for r in rows.iter() {
                let mut at = r.start;
                while at < r.end {
                    let run = part.run_of(at as usize);
                    let end = (part.run(run).end as u32).min(r.end);
                    if chosen.contains(&part.entities()[run]) {
                        kept.push(at..end);
                    }
                    at = end;
                }
            }
            join(&mut kept);
            *rows = kept;
        }
        self.parts.retain(|(_, r)| !r.is_empty());
    }
}

/// The as-of state at `t`: of each entity its latest point at or before it, no older than
/// `max_age_us`, and only where that point passes the selection. Conditions look at the state,
/// not at what came before it: an entity whose state fails them is left out.
pub fn asof_rows<'a>(
    snapshot: &'a Snapshot,
    select: &Select,
    t: i64,
    max_age_us: Option<i64>,
) -> Result<Selected<'a>> {
    let parts = snapshot.parts_with(select.entity_bounds(), &TimeRange::closed(i64::MIN, t))?;
    let mut best: BTreeMap<EntityId, (i64, usize, usize)> = BTreeMap::new();
    for (i, part) in parts.iter().enumerate() {
        let runs: Box<dyn Iterator<Item = usize>> = match &select.entities {
            Some(wanted) => Box::new(wanted.iter().filter_map(|e| part.find(*e))),
            None => Box::new(0..part.entities().len()),
        };
        for run in runs {
            let entity = part.entities()[run];
            if !select.admits(entity) {
                continue;
            }
            if let Some(row) = part.latest(run, t) {
                let at = part.times()[row];
                let e = best.entry(entity).or_insert((at, i, row));
                if at > e.0 {
                    *e = (at, i, row);
                }
            }
        }
    }
    let oldest = max_age_us.map_or(i64::MIN, |a| t.saturating_sub(a));
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); parts.len()];
    for (at, part, row) in best.into_values() {
        if at >= oldest && select.time.contains(at) && select.admits_row(parts[part], row)? {
            rows[part].push(row as u32);
        }
    }
    let mut out = Selected::default();
    for (part, mut rows) in parts.into_iter().zip(rows) {
        rows.sort_unstable();
        let mut ranges: Vec<Range<u32>> = rows.into_iter().map(|r| r..r + 1).collect();
        join(&mut ranges);
        if !ranges.is_empty() {
            out.parts.push((part, ranges));
        }
    }
    if select.counts_entities() {
        if select.min_points > 1 {
            return Err(Error::usage("--min-points counts points, and a state is one")
                .fix("leave --min-points out of as-of queries"));
        }
        let chosen = select.choose(&out.counts());
        out.retain(&chosen);
    }
    Ok(out)
}
