//! Holding a batch against what is stored: which rows are new, the same, or in conflict.

use super::memory::Memory;
use super::part::Part;
use crate::error::Result;
use crate::model::{EntityId, Key, TimeRange};
use crate::points::{Origin, Points};

/// What to do with other content for a key that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// Tell the caller.
    #[default]
    Error,
    /// Keep what is stored.
    Skip,
    /// Take the new content.
    Replace,
    /// Take the new content; of the same content too, where a part of the provenance that counts is another.
    Relabel {
        /// The embedding model counts.
        model: bool,
        /// The source counts.
        source: bool,
    },
}

impl OnConflict {
    /// The provenance that the same content gets, where it is another than what is stored: the parts that
    /// count from `given`.
    fn relabelled(self, stored: &Origin, given: &Origin) -> Option<Origin> {
        let OnConflict::Relabel { model, source } = self else { return None };
        let part = |counts, given: &String, stored: &String| if counts { given } else { stored }.clone();
        let out = Origin {
            source: part(source, &given.source, &stored.source),
            model: part(model, &given.model, &stored.model),
        };
        (out != *stored).then_some(out)
    }
}

/// Other content for a stored key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// Row of the batch.
    pub row: usize,
    /// Its key.
    pub key: Key,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A new key.
    Add,
    /// Other content for a key that is known.
    Replace,
    /// The same content again, or other content that is to be skipped.
    Keep,
    /// Other content, which the caller has to settle.
    Conflict,
}

/// What becomes of a batch.
#[derive(Debug)]
pub(super) struct Verdicts {
    /// For each row.
    pub(super) rows: Vec<Verdict>,
    /// Rows with the content that is stored and another provenance, and what becomes theirs.
    pub(super) relabelled: Vec<(usize, Origin)>,
    /// For each row, whether it is the first to replace a sealed one.
    pub(super) replaces_sealed: Vec<bool>,
    /// The sealed rows that are replaced: part and row.
    pub(super) replaced: Vec<(usize, u32)>,
}

/// Where the newest content of a key is.
#[derive(Clone, Copy)]
enum Newest {
    Nowhere,
    Sealed(usize, usize),
    Memory(usize),
    Batch(usize),
}

/// Compares each row of `batch` with the newest content of its key: in the batch itself, in
/// memory, or in one of the `parts` (an index and the part).
pub(super) fn compare(
    batch: &Points,
    memory: &Memory,
    parts: &[(usize, &Part)],
    on_conflict: OnConflict,
) -> Result<Verdicts> {
    let n = batch.len();
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_unstable_by_key(|i| (batch.key(*i as usize), *i));
    let sealed = find_sealed(batch, &order, parts);
    let mut out = Verdicts {
        rows: vec![Verdict::Add; n],
        relabelled: Vec::new(),
        replaces_sealed: vec![false; n],
        replaced: Vec::new(),
    };
    let by_index: std::collections::HashMap<usize, &Part> = parts.iter().copied().collect();
    let mut buffer = Vec::new();
    let mut at = 0;
    while at < n {
        let key = batch.key(order[at] as usize);
        let mut newest = match (memory.find(key), sealed[at]) {
            (Some(row), _) => Newest::Memory(row),
            (None, Some((part, row))) => Newest::Sealed(part as usize, row as usize),
            (None, None) => Newest::Nowhere,
        };
        while at < n && batch.key(order[at] as usize) == key {
            let i = order[at] as usize;
            at += 1;
            let (x, meta) = (batch.row(i), batch.meta.get(i));
            let (mut same, stored) = match newest {
                Newest::Nowhere => (None, None),
                Newest::Sealed(part, row) => match by_index.get(&part) {
                    Some(p) => (Some(p.same_content(row, x, meta, &mut buffer)?), Some(p.origin(row))),
                    None => (Some(false), None),
                },
                Newest::Memory(row) => {
                    (Some(same(&memory.points, row, x, meta)), Some(origin(&memory.points, row)))
                }
                Newest::Batch(row) => (Some(same(batch, row, x, meta)), Some(origin(batch, row))),
            };
            let relabelled = stored.and_then(|stored| on_conflict.relabelled(stored, origin(batch, i)));
            if let Some(origin) = relabelled.filter(|_| same == Some(true)) {
                out.relabelled.push((i, origin));
                same = Some(false);
            }
            out.rows[i] = match (same, on_conflict) {
                (None, _) => Verdict::Add,
                (Some(true), _) | (Some(false), OnConflict::Skip) => Verdict::Keep,
                (Some(false), OnConflict::Replace | OnConflict::Relabel { .. }) => Verdict::Replace,
                (Some(false), OnConflict::Error) => Verdict::Conflict,
            };
            if matches!(out.rows[i], Verdict::Add | Verdict::Replace) {
                if let Newest::Sealed(part, row) = newest {
                    out.replaces_sealed[i] = true;
                    out.replaced.push((part, row as u32));
                }
                newest = Newest::Batch(i);
            }
        }
    }
    Ok(out)
}

fn origin(points: &Points, row: usize) -> &Origin {
    &points.origins[points.origin[row] as usize]
}

fn same(points: &Points, row: usize, x: &[f32], meta: &str) -> bool {
    points.meta.get(row) == meta && points.row(row).iter().zip(x).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// For each position of `order`, the live sealed row with that key. Both sides are sorted, so
/// each part is walked by galloping.
fn find_sealed(batch: &Points, order: &[u32], parts: &[(usize, &Part)]) -> Vec<Option<(u32, u32)>> {
    let mut found = vec![None; order.len()];
    for (index, part) in parts {
        let entities = part.entities();
        let mut run = 0;
        let mut at = 0;
        while at < order.len() {
            let entity = batch.entity[order[at] as usize];
            run += gallop(&entities[run..], |e| *e < entity);
            if run == entities.len() {
                break;
            }
            if entities[run] != entity {
                at += gallop(&order[at..], |i| batch.entity[*i as usize] < entities[run]);
                continue;
            }
            at = match_run(batch, order, at, part, run, *index as u32, &mut found);
        }
    }
    found
}

/// Matches the rows of one entity; returns the position behind them.
fn match_run(
    batch: &Points,
    order: &[u32],
    mut at: usize,
    part: &Part,
    run: usize,
    index: u32,
    found: &mut [Option<(u32, u32)>],
) -> usize {
    let entity = part.entities()[run];
    let rows = part.run(run);
    let times = &part.times()[rows.clone()];
    let mut row = 0;
    while at < order.len() {
        let key: Key = batch.key(order[at] as usize);
        if key.entity != entity {
            break;
        }
        row += gallop(&times[row..], |t| *t < key.t);
        if row == times.len() {
            return at + gallop(&order[at..], |i| batch.entity[*i as usize] <= entity);
        }
        if times[row] == key.t && part.is_live(rows.start + row) {
            found[at] = Some((index, (rows.start + row) as u32));
        }
        at += 1;
    }
    at
}

/// Length of the prefix for which `before` holds; `before` holds for a prefix only.
fn gallop<T>(items: &[T], before: impl Fn(&T) -> bool) -> usize {
    let mut step = 1;
    while step <= items.len() && before(&items[step - 1]) {
        step *= 2;
    }
    let low = step / 2;
    let high = step.min(items.len() + 1) - 1;
    low + items[low..high.max(low)].partition_point(before)
}

/// How many of the entities (ascending) have no run in any part.
pub(super) fn unknown<'a>(entities: &[EntityId], parts: impl Iterator<Item = &'a Part>) -> u64 {
    let mut known = vec![false; entities.len()];
    for part in parts {
        let stored = part.entities();
        let mut run = 0;
        for (e, k) in entities.iter().zip(&mut known) {
            run += gallop(&stored[run..], |s| s < e);
            *k |= stored.get(run) == Some(e);
        }
    }
    known.iter().filter(|k| !**k).count() as u64
}

/// The bounds of a batch: entities and times. `None` when it is empty.
pub(super) fn bounds(batch: &Points) -> Option<((u64, u64), TimeRange)> {
    let entities = (*batch.entity.iter().min()?, *batch.entity.iter().max()?);
    let time = TimeRange::closed(*batch.t.iter().min()?, *batch.t.iter().max()?);
    Some((entities, time))
}

#[cfg(test)]
mod tests {
    use super::gallop;

    #[test]
    fn gallop_is_partition_point() {
        for n in 0..40usize {
            let v: Vec<usize> = (0..n).collect();
            for cut in 0..=n {
                assert_eq!(gallop(&v, |x| *x < cut), cut, "{n} {cut}");
            }
        }
    }
}
