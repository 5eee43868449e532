//! Neighbours over all tiers: exact scans, and scans of codes where a block is lossy.
//!
//! A lossy block is scanned by its codes, without decoding them. Where its originals were kept,
//! the best candidates get their exact distances from them; else the estimates stand.

use super::{Hit, Part as ScanPart, Query, Stats, scan};
use crate::cold::{Candidate, Search};
use crate::dataset::{Part, Snapshot};
use crate::error::{Error, Result};
use crate::metric::{ExactQuery, Metric};
use crate::model::VectorSource;
use crate::watch::Watch;
use rayon::prelude::*;
use roaring::RoaringBitmap;
use std::ops::Range;

/// Candidates from codes for each answer that is wanted, where originals settle the order.
const RERANKED: usize = 10;
/// At least so many.
const RERANKED_MIN: usize = 100;

/// Rows of parts, as a selection gives them.
type Parts<'a> = [(&'a Part, Vec<Range<u32>>)];

/// The answers to every query over the rows of all parts, as [`scan`] gives them. With `exact`,
/// and for questions that only a look at every row answers, vectors of lossy blocks are compared
/// one by one: the originals where they were kept, else what the codes give.
pub(super) fn scan_tiers(
    snapshot: &Snapshot,
    parts: &Parts<'_>,
    queries: &[Query],
    metric: Metric,
    exact: bool,
    watch: &dyn Watch,
) -> Result<(Vec<Vec<Hit>>, Stats)> {
    let by_codes = !exact && queries.iter().all(takes_the_nearest);
    let coded = |i: &usize| by_codes && parts[*i].0.is_lossy();
    let (cold, plain): (Vec<usize>, Vec<usize>) = (0..parts.len()).partition(coded);
    let exact: Vec<Exact<'_>> =
        plain.iter().map(|i| Exact::new(snapshot, &parts[*i])).collect::<Result<_>>()?;
    let sources: Vec<ScanPart<'_>> = exact.iter().map(Exact::source).collect();
    let (mut answers, mut stats) = scan(&sources, queries, metric, watch)?;
    for hit in answers.iter_mut().flatten() {
        let of = hit.part as usize;
        hit.part = plain[of] as u32;
        if exact[of].original.is_some() {
            let row = parts[plain[of]].0.row_of(hit.key);
            hit.row = row.ok_or_else(|| Error::internal("an original of another block"))? as u32;
        }
    }
    for i in cold {
        watch.stop()?;
        let block = Block::new(snapshot, parts[i].0, &parts[i].1)?;
        stats.rows += block.rows.len();
        let found: Result<Vec<Vec<Hit>>> = queries.par_iter().map(|q| block.nearest(q, metric, i)).collect();
        for ((all, found), q) in answers.iter_mut().zip(found?).zip(queries) {
            all.extend(found);
            all.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.key.cmp(&b.key)));
            all.truncate(q.k);
        }
    }
    Ok((answers, stats))
}

/// True for queries that a bounded number of candidates answers.
fn takes_the_nearest(q: &Query) -> bool {
    q.radius.is_none()
        && !q.best_per_entity
        && q.k < usize::MAX / RERANKED
        && !q.time.is_some_and(|c| c.uses_time())
}

/// Rows that are compared one by one, in the kept original where the part has one.
struct Exact<'a> {
    part: &'a Part,
    rows: Vec<Range<u32>>,
    original: Option<Part>,
}

impl<'a> Exact<'a> {
    fn new(snapshot: &Snapshot, (part, rows): &(&'a Part, Vec<Range<u32>>)) -> Result<Exact<'a>> {
        let original = snapshot.original_of(part)?;
        let Some(o) = &original else { return Ok(Exact { part, rows: rows.clone(), original }) };
        let same = rows.iter().cloned().flatten().map(|r| o.row_of(part.key(r as usize)));
        let same: Option<RoaringBitmap> = same.map(|r| r.map(|r| r as u32)).collect();
        let same = same.ok_or_else(|| o.damaged("the kept original lacks a point of its block"))?;
        let mut rows: Vec<Range<u32>> = Vec::new();
        for row in same {
            match rows.last_mut() {
                Some(last) if last.end == row => last.end = row + 1,
                _ => rows.push(row..row + 1),
            }
        }
        Ok(Exact { part, rows, original })
    }

    fn source(&self) -> ScanPart<'_> {
        ScanPart { source: self.original.as_ref().unwrap_or(self.part), rows: self.rows.clone() }
    }
}

/// A lossy block, and what of it is looked at.
struct Block<'a> {
    part: &'a Part,
    rows: RoaringBitmap,
    span: Range<usize>,
    original: Option<Part>,
}

impl<'a> Block<'a> {
    fn new(snapshot: &Snapshot, part: &'a Part, ranges: &[Range<u32>]) -> Result<Block<'a>> {
        let mut rows = RoaringBitmap::new();
        ranges.iter().for_each(|r| {
            rows.insert_range(r.clone());
        });
        let span =
            ranges.first().map_or(0, |r| r.start as usize)..ranges.last().map_or(0, |r| r.end as usize);
        Ok(Block { part, rows, span, original: snapshot.original_of(part)? })
    }

    fn nearest(&self, q: &Query, metric: Metric, part: usize) -> Result<Vec<Hit>> {
        let Some((block, quantizer)) = self.part.block() else {
            return Err(Error::internal("codes of a file that has none"));
        };
        let wanted = match self.original {
            Some(_) => (q.k * RERANKED).max(RERANKED_MIN),
            None => q.k,
        };
        let keep = |row: usize| {
            let key = self.part.key(row);
            self.rows.contains(row as u32) && q.window.contains(key.t) && q.exclude != Some(key.entity)
        };
        let found =
            Search::new(quantizer, &q.vector, metric).nearest(block, self.span.clone(), wanted, &keep)?;
        let hit = |c: &Candidate| Hit {
            distance: c.distance,
            d_vec: c.distance,
            d_time: None,
            key: self.part.key(c.row),
            part: part as u32,
            row: c.row as u32,
        };
        let mut hits: Vec<Hit> = found.iter().map(hit).collect();
        if let Some(original) = &self.original {
            rerank(original, q, metric, &mut hits)?;
        }
        hits.truncate(q.k);
        Ok(hits)
    }
}

/// Orders candidates by their exact distances.
fn rerank(original: &Part, q: &Query, metric: Metric, hits: &mut [Hit]) -> Result<()> {
    let exact = ExactQuery::new(metric, &q.vector);
    let mut buffer = Vec::new();
    // In the order of the file, so that each piece is decoded once.
    hits.sort_by_key(|h| h.row);
    for hit in hits.iter_mut() {
        let Some(row) = original.row_of(hit.key) else {
            return Err(original.damaged("the kept original lacks a point of its block"));
        };
        if let Some(d) = exact.distance(original.vectors(row..row + 1, &mut buffer)?) {
            (hit.distance, hit.d_vec) = (d, d);
        }
    }
    hits.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.key.cmp(&b.key)));
    Ok(())
}
