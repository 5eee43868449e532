//! Which rows of a part count: a filter made ready for one part, once for many queries.

use super::column::wrong_row;
use super::prune::NONE;
use super::query::Filter;
use super::view::View;
use crate::error::Result;
use crate::model::{EntityId, TimeRange};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// A filter in terms of a part's rows.
#[derive(Debug, Clone)]
pub struct Eligible {
    runs: Vec<Range<usize>>,
    /// Lower bound on the part of time of the runs' rows, for composite scores.
    least_time: f64,
    /// Share of the runs' rows that is eligible, about.
    share: f64,
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Rules {
    whole: Range<usize>,
    as_of: Option<Arc<AsOf>>,
    /// One bit a row: allowed, and not deleted.
    mask: Option<Arc<Vec<u64>>>,
    /// Share of the window that the mask leaves.
    masked: f64,
    /// Ordinals of entities without answers.
    excluded: HashSet<u32>,
}

#[derive(Debug)]
struct AsOf {
    /// Number of rows at or before the instant.
    rank: usize,
    /// Valid rows, about.
    valid: usize,
    /// Rows looked at to list them.
    cost: usize,
    /// Entities whose state is known otherwise, by ordinal: its row, or [`NONE`].
    states: HashMap<u32, u32>,
}

impl Eligible {
    /// Works a filter out for a part; `ordinal` finds an entity among the part's.
    pub fn new(
        view: &View<'_>,
        filter: &Filter<'_>,
        ordinal: impl Fn(EntityId) -> Result<Option<u32>>,
    ) -> Result<Eligible> {
        let as_of = match filter.as_of {
            None => None,
            Some(at) => {
                let rank = view.rank(|t| t > at)?;
                let mut states = HashMap::new();
                for (entity, row) in filter.states {
                    if let Some(ordinal) = ordinal(*entity)? {
                        states.insert(ordinal, row.unwrap_or(NONE));
                    }
                }
                let lost = states.values().filter(|row| **row == NONE).count();
                let valid = view.valid_estimate(rank).saturating_sub(lost);
                Some(Arc::new(AsOf { rank, valid, cost: view.valid_cost(rank), states }))
            }
        };
        let mask = mask(view.rows, filter).map(Arc::new);
        let rules = Rules::new(0..view.rows, as_of, mask, HashSet::new());
        Eligible::over(rules).of(view, &filter.range, filter.excluded, ordinal)
    }

    /// The same deletions, allowed rows and instant with another range and other entities left out.
    pub fn of(
        &self,
        view: &View<'_>,
        range: &TimeRange,
        excluded: &[EntityId],
        ordinal: impl Fn(EntityId) -> Result<Option<u32>>,
    ) -> Result<Eligible> {
        let mut whole = match range.is_empty() {
            true => 0..0,
            false if *range == TimeRange::ALL => 0..view.rows,
            false => view.rank(|t| t >= range.first())?..view.rank(|t| t > range.last())?,
        };
        if let Some(as_of) = &self.rules.as_of {
            whole.end = whole.end.min(as_of.rank).max(whole.start.min(as_of.rank));
            whole.start = whole.start.min(whole.end);
        }
        let mut ordinals = HashSet::new();
        for entity in excluded {
            ordinals.extend(ordinal(*entity)?);
        }
        let Rules { as_of, mask, .. } = &*self.rules;
        Ok(Eligible::over(Rules::new(whole, as_of.clone(), mask.clone(), ordinals)))
    }

    fn over(rules: Rules) -> Eligible {
        Eligible {
            runs: std::iter::once(rules.whole.clone()).collect(),
            least_time: f64::NEG_INFINITY,
            share: rules.share(),
            rules: Arc::new(rules),
        }
    }

    /// Every row of a part of `rows` rows.
    pub fn all(rows: usize) -> Eligible {
        Eligible::over(Rules::new(0..rows, None, None, HashSet::new()))
    }

    /// Rows valid before a rank.
    pub fn as_of_rank(view: &View<'_>, rank: usize) -> Eligible {
        let (valid, cost) = (view.valid_estimate(rank), view.valid_cost(rank));
        let as_of = AsOf { rank, valid, cost, states: HashMap::new() };
        Eligible::over(Rules::new(0..rank, Some(Arc::new(as_of)), None, HashSet::new()))
    }

    /// The same filter without the rows of an entity, by ordinal.
    pub fn without(&self, entity: u32) -> Eligible {
        let Rules { whole, as_of, mask, .. } = &*self.rules;
        Eligible::over(Rules::new(whole.clone(), as_of.clone(), mask.clone(), HashSet::from([entity])))
    }

    /// The same filter over parts of its window, whose rows have a part of time of at least `least_time`.
    #[must_use]
    pub fn narrowed(&self, runs: [Range<usize>; 2], least_time: f64) -> Eligible {
        let runs = runs.into_iter().filter(|r| !r.is_empty()).collect();
        Eligible { runs, least_time, share: self.share, rules: Arc::clone(&self.rules) }
    }

    /// Runs of rows that hold all eligible ones.
    pub fn runs(&self) -> &[Range<usize>] {
        &self.runs
    }

    /// All rows of the filter's time.
    pub fn whole(&self) -> Range<usize> {
        self.rules.whole.clone()
    }

    /// Rows of the runs.
    pub fn window(&self) -> usize {
        self.runs.iter().map(Range::len).sum()
    }

    /// About how many rows are eligible.
    pub fn estimate(&self) -> usize {
        (self.window() as f64 * self.share).ceil() as usize
    }

    /// True when most rows of the runs do not count.
    pub fn is_sparse(&self) -> bool {
        self.share < 0.5
    }

    /// True when every row of the runs counts.
    pub fn is_plain(&self) -> bool {
        let rules = &*self.rules;
        rules.as_of.is_none() && rules.mask.is_none() && rules.excluded.is_empty()
    }

    /// Share of the window's rows that is allowed and not deleted.
    pub fn masked(&self) -> f64 {
        self.rules.masked
    }

    /// Lower bound on the part of time of the runs' rows.
    pub fn least_time(&self) -> f64 {
        self.least_time
    }

    /// About how many rows [`Eligible::list`] looks at; `None` when nothing narrows the runs.
    pub fn list_cost(&self) -> Option<usize> {
        let valid = self.rules.as_of.as_ref().map(|a| a.cost);
        let masked = self.rules.mask.as_ref().map(|_| self.window() / 64 + self.estimate());
        valid.into_iter().chain(masked).min()
    }

    /// The rows of the runs that are valid and allowed; [`Eligible::admits`] has the last word.
    pub fn list(&self, view: &View<'_>) -> Result<Vec<u32>> {
        let inside = |row: u32| self.runs.iter().any(|run| run.contains(&(row as usize)));
        let mut rows = match (&self.rules.as_of, &self.rules.mask) {
            (Some(as_of), mask) if mask.is_none() || as_of.cost <= self.window() / 64 + self.estimate() => {
                view.valid(as_of.rank)?
            }
            (_, Some(mask)) => self.runs.iter().flat_map(|run| ones(mask, run)).collect(),
            _ => self.runs.iter().flat_map(|run| run.start as u32..run.end as u32).collect(),
        };
        if let Some(as_of) = self.rules.as_of.as_ref().filter(|a| !a.states.is_empty()) {
            // Each of these is in the list once, where it belongs.
            let known = |row: &u32| Ok(as_of.states.contains_key(&view.entity.one(*row as usize)?));
            let mut kept = Vec::with_capacity(rows.len());
            for row in rows {
                if !known(&row)? {
                    kept.push(row);
                }
            }
            kept.extend(as_of.states.values().copied().filter(|row| *row != NONE));
            rows = kept;
        }
        rows.retain(|row| inside(*row));
        match rows.iter().find(|row| **row as usize >= view.rows) {
            None => Ok(rows),
            Some(row) => Err(wrong_row(*row, view.rows)),
        }
    }

    /// True when a row counts.
    #[inline]
    pub fn admits(&self, view: &View<'_>, row: u32) -> Result<bool> {
        let at = row as usize;
        if !self.runs.iter().any(|run| run.contains(&at)) {
            return Ok(false);
        }
        let rules = &*self.rules;
        if let Some(mask) = &rules.mask
            && mask.get(at / 64).is_none_or(|word| word >> (at % 64) & 1 == 0)
        {
            return Ok(false);
        }
        if let Some(as_of) = &rules.as_of
            && !as_of.holds(view, row)?
        {
            return Ok(false);
        }
        Ok(rules.excluded.is_empty() || !rules.excluded.contains(&view.entity.one(at)?))
    }
}

impl AsOf {
    /// True when a row at or before the instant is the last of its entity there.
    fn holds(&self, view: &View<'_>, row: u32) -> Result<bool> {
        if !self.states.is_empty()
            && let Some(state) = self.states.get(&view.entity.one(row as usize)?)
        {
            return Ok(*state == row);
        }
        Ok(view.next.one(row as usize)? as usize >= self.rank)
    }
}

impl Rules {
    fn share(&self) -> f64 {
        let valid = self.as_of.as_ref().map_or(1.0, |a| (a.valid as f64 / a.rank.max(1) as f64).min(1.0));
        valid * self.masked
    }

    fn new(
        whole: Range<usize>,
        as_of: Option<Arc<AsOf>>,
        mask: Option<Arc<Vec<u64>>>,
        excluded: HashSet<u32>,
    ) -> Rules {
        let window = whole.len().max(1) as f64;
        let masked = mask.as_ref().map_or(1.0, |m| count(m, &whole) as f64 / window);
        Rules { whole, as_of, mask, masked, excluded }
    }
}

/// One bit a row, set where a row is allowed and not deleted; `None` when all are.
fn mask(rows: usize, filter: &Filter<'_>) -> Option<Vec<u64>> {
    if filter.allowed.is_none() && filter.deleted.is_none_or(|d| d.is_empty()) {
        return None;
    }
    let mut mask = vec![if filter.allowed.is_some() { 0 } else { !0u64 }; rows.div_ceil(64)];
    for row in filter.allowed.into_iter().flatten() {
        if let Some(word) = mask.get_mut(row as usize / 64) {
            *word |= 1 << (row % 64);
        }
    }
    for row in filter.deleted.into_iter().flatten() {
        if let Some(word) = mask.get_mut(row as usize / 64) {
            *word &= !(1 << (row % 64));
        }
    }
    Some(mask)
}

/// Words of a mask with their numbers, cut to a run.
fn words<'m>(mask: &'m [u64], run: &Range<usize>) -> impl Iterator<Item = (usize, u64)> + use<'m> {
    let run = run.clone();
    (run.start / 64..run.end.div_ceil(64)).filter_map(move |i| {
        let mut word = *mask.get(i)?;
        if i == run.start / 64 {
            word &= !0 << (run.start % 64);
        }
        if i == run.end / 64 {
            word &= !(!0 << (run.end % 64));
        }
        Some((i, word))
    })
}

fn count(mask: &[u64], run: &Range<usize>) -> usize {
    words(mask, run).map(|(_, word)| word.count_ones() as usize).sum()
}

fn ones<'m>(mask: &'m [u64], run: &Range<usize>) -> impl Iterator<Item = u32> + use<'m> {
    words(mask, run).flat_map(|(i, word)| {
        (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| (i * 64 + bit) as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use roaring::RoaringBitmap;

    #[test]
    fn masks_are_allowed_less_deleted() {
        let allowed: RoaringBitmap = [0, 5, 63, 64, 70, 129].into_iter().collect();
        let deleted: RoaringBitmap = [5, 70].into_iter().collect();
        let filter = Filter { allowed: Some(&allowed), deleted: Some(&deleted), ..Filter::default() };
        let mask = mask(130, &filter).unwrap();
        assert_eq!(ones(&mask, &(0..130)).collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert_eq!(ones(&mask, &(1..129)).collect::<Vec<_>>(), [63, 64]);
        assert_eq!(count(&mask, &(63..64)), 1);
        assert_eq!(count(&mask, &(64..64)), 0);
    }
}
