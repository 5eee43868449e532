//! The states at an instant when points of one entity lie in several parts of the index, or
//! outside it.
//!
//! A part knows the states among its own rows. For an entity that has points elsewhere, or whose
//! state in the part has died, the state is worked out here from the keys of all its points; all
//! other entities cost nothing.

use crate::dataset::{IndexPart, Part, Selected};
use crate::error::Result;
use crate::index::Reader;
use crate::model::{EntityId, TimestampUs};
use std::collections::{BTreeSet, HashMap};

/// For each part of the index the entities whose state is not what the part's rows say.
pub(super) type Known = Vec<Vec<(EntityId, Option<u32>)>>;

/// The states at `t` that parts of the index cannot know, and those that lie outside, as rows.
pub(super) fn states<'a>(
    t: TimestampUs,
    parts: &[IndexPart],
    readers: &[Reader<'_>],
    outside: Selected<'a>,
) -> Result<(Known, Selected<'a>)> {
    let latest = latest(t, &outside);
    let mut known: Known = vec![Vec::new(); parts.len()];
    let mut rows: HashMap<usize, Vec<u32>> = HashMap::new();
    for entity in unsure(t, parts, readers, latest.keys().copied())? {
        let elsewhere = latest.get(&entity).copied();
        let mut best = elsewhere.map(|(at, ..)| (at, None));
        for (i, part) in parts.iter().enumerate() {
            let until = readers[i].rows_until(entity, t)?;
            let alive = until.iter().rev().find(|row| !part.dead.contains(**row));
            if let Some(row) = alive {
                let at = readers[i].key(*row)?.t;
                if best.is_none_or(|(b, _)| at > b) {
                    best = Some((at, Some((i, *row))));
                }
            }
        }
        for (i, known) in known.iter_mut().enumerate() {
            let here = best.and_then(|b| b.1).filter(|(part, _)| *part == i).map(|(_, row)| row);
            known.push((entity, here));
        }
        if let (Some((_, None)), Some((_, part, row))) = (best, elsewhere) {
            rows.entry(part).or_default().push(row);
        }
    }
    Ok((known, only(outside, rows)))
}

/// Of each entity outside the index its latest point up to `t`: time, part, row.
fn latest(t: TimestampUs, outside: &Selected<'_>) -> HashMap<EntityId, (TimestampUs, usize, u32)> {
    let mut latest = HashMap::new();
    for (i, (part, ranges)) in outside.parts.iter().enumerate() {
        for range in ranges {
            let mut row = range.start;
            while row < range.end {
                let run = part.run_of(row as usize);
                let end = (part.run(run).end as u32).min(range.end);
                note(part, i, row..end, t, &mut latest);
                row = end;
            }
        }
    }
    latest
}

/// Notes the latest row up to `t` of some rows of one entity.
fn note(
    part: &Part,
    i: usize,
    rows: std::ops::Range<u32>,
    t: TimestampUs,
    latest: &mut HashMap<EntityId, (TimestampUs, usize, u32)>,
) {
    let times = &part.times()[rows.start as usize..rows.end as usize];
    let count = times.partition_point(|at| *at <= t);
    if let Some(at) = count.checked_sub(1).map(|last| times[last]) {
        let entity = part.entities()[part.run_of(rows.start as usize)];
        let new = (at, i, rows.start + count as u32 - 1);
        let old = latest.entry(entity).or_insert(new);
        if new.0 > old.0 {
            *old = new;
        }
    }
}

/// Entities of which one part alone cannot tell the state: those with points outside, those whose
/// state in a part is dead, those with states in several parts.
fn unsure(
    t: TimestampUs,
    parts: &[IndexPart],
    readers: &[Reader<'_>],
    outside: impl Iterator<Item = EntityId>,
) -> Result<BTreeSet<EntityId>> {
    let mut unsure: BTreeSet<EntityId> = outside.collect();
    let largest = (0..parts.len()).max_by_key(|i| parts[*i].entry.rows);
    for (i, part) in parts.iter().enumerate() {
        for row in &part.dead {
            if readers[i].is_state(row, t)? {
                unsure.insert(readers[i].key(row)?.entity);
            }
        }
        if Some(i) == largest {
            continue;
        }
        for row in readers[i].states(t)? {
            let entity = readers[i].key(row)?.entity;
            for (_, other) in readers.iter().enumerate().filter(|(j, _)| *j != i) {
                if !other.rows_until(entity, t)?.is_empty() {
                    unsure.insert(entity);
                }
            }
        }
    }
    Ok(unsure)
}

/// Keeps some rows of each part.
fn only(outside: Selected<'_>, mut rows: HashMap<usize, Vec<u32>>) -> Selected<'_> {
    let mut out = Selected::default();
    for (i, (part, _)) in outside.parts.into_iter().enumerate() {
        let mut rows = rows.remove(&i).unwrap_or_default();
        rows.sort_unstable();
        if !rows.is_empty() {
            out.parts.push((part, rows.into_iter().map(|row| row..row + 1).collect()));
        }
    }
    out
}
