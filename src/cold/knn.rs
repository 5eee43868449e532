//! Nearest rows of a cold block by a scan of its codes.
//!
//! Distances are estimates. Cosine is taken with the reconstruction's own norm, which ranks
//! better than the original's, except where the codec estimates inner products with the
//! original (RaBitQ). Exact distances need the originals, where they were kept.

use super::block::ColdBlock;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::pq::{Quantizer, Query};
use std::ops::Range;

/// Rows refined for each row asked, where the codec holds more bits than a scan reads.
const REFINED: usize = 8;
/// At least so many are refined.
const REFINED_MIN: usize = 100;

/// A row near the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Ordinal of the row.
    pub row: usize,
    /// Estimated distance.
    pub distance: f64,
}

/// A query against blocks of one codebook.
#[derive(Debug)]
pub struct Search<'a> {
    quantizer: &'a Quantizer,
    query: Query<'a>,
    metric: Metric,
    norm: f64,
}

impl<'a> Search<'a> {
    /// Prepares a query of the quantizer's dimension.
    pub fn new(quantizer: &'a Quantizer, q: &[f32], metric: Metric) -> Search<'a> {
        let norm = q.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        Search { quantizer, query: quantizer.query(q), metric, norm }
    }

    /// The `k` rows of least estimated distance among `rows` for which `keep` holds, nearest
    /// first, equal ones by key.
    pub fn nearest(
        &self,
        block: &ColdBlock,
        rows: Range<usize>,
        k: usize,
        keep: &dyn Fn(usize) -> bool,
    ) -> Result<Vec<Candidate>> {
        if self.quantizer.codec() != block.head().codec || self.quantizer.dim() != block.head().dim {
            return Err(Error::internal("a search with the codebook of other blocks"));
        }
        let keys = block.keys()?;
        let wanted = if self.query.can_refine() { (REFINED * k).max(REFINED_MIN) } else { k };
        let mut best = Best::new(wanted);
        let (mut dots, mut norms2, mut floors) = (Vec::new(), Vec::new(), Vec::new());
        block.each_chunk(rows.clone(), |first, n, codes| {
            dots.clear();
            norms2.clear();
            self.query.scan(codes, n, &mut dots, &mut norms2).map_err(|m| block.malformed(&m))?;
            self.floors(&dots, &norms2, &keys.norm[first..first + n], &mut floors);
            for i in rows.start.max(first) - first..rows.end.min(first + n) - first {
                if f64::from(floors[i]) > self.reach(best.bound) {
                    continue;
                }
                let row = first + i;
                let Some(distance) = self.distance(dots[i], norms2[i], keys.norm[row]) else { continue };
                if best.may_enter(distance) && keep(row) {
                    best.push(Candidate { row, distance });
                }
            }
            Ok(())
        })?;
        let mut found = best.finish();
        if self.query.can_refine() {
            self.refine(block, &keys.norm, &mut found)?;
            sort(&mut found);
        }
        found.truncate(k);
        Ok(found)
    }

    /// For each row a little less than its estimated distance (L2: squared), fast: most rows
    /// are not looked at further. Rows without a distance get any value.
    fn floors(&self, dots: &[f32], norms2: &[f32], originals: &[f32], out: &mut Vec<f32>) {
        // Far above the rounding of a handful of f32 operations.
        const SLACK: f32 = 4e-6;
        let (norm, norm2_q) = (self.norm as f32, (self.norm * self.norm) as f32);
        let rows = dots.iter().zip(norms2).zip(originals);
        let rows = rows.map(|((dot, n), o)| (*dot, if n.is_nan() { o * o } else { n.max(0.0) }));
        out.clear();
        match self.metric {
            Metric::Dot => out.extend(dots.iter().map(|dot| -dot - SLACK * dot.abs())),
            Metric::L2 => out.extend(rows.map(|(dot, n)| {
                let sum = norm2_q + n;
                sum - 2.0 * dot - SLACK * (sum + dot.abs())
            })),
            Metric::Cosine => {
                out.extend(rows.map(|(dot, n)| 1.0 - SLACK - dot / (norm * n.max(f32::MIN_POSITIVE).sqrt())))
            }
        }
    }

    /// A distance as [`Search::floors`] gives it.
    fn reach(&self, distance: f64) -> f64 {
        if self.metric == Metric::L2 { distance * distance } else { distance }
    }

    /// The estimated distance. `None` where there is none: cosine of a zero vector.
    fn distance(&self, dot: f32, norm2: f32, original_norm: f32) -> Option<f64> {
        let (dot, original) = (f64::from(dot), f64::from(original_norm));
        let norm2 = if norm2.is_nan() { original * original } else { f64::from(norm2).max(0.0) };
        match self.metric {
            Metric::Dot => Some(-dot),
            Metric::L2 => Some((self.norm * self.norm + norm2 - 2.0 * dot).max(0.0).sqrt()),
            Metric::Cosine if self.norm == 0.0 || original == 0.0 => None,
            // A reconstruction at the origin has no direction; it is as far as any other.
            Metric::Cosine if norm2 == 0.0 => Some(1.0),
            Metric::Cosine => Some((1.0 - dot / (self.norm * norm2.sqrt())).clamp(0.0, 2.0)),
        }
    }

    /// Takes the estimates from all bits of the codes.
    fn refine(&self, block: &ColdBlock, norms: &[f32], found: &mut [Candidate]) -> Result<()> {
        found.sort_by_key(|c| c.row);
        let mut i = 0;
        while i < found.len() {
            let row = found[i].row;
            block.each_chunk(row..row + 1, |first, n, codes| {
                while let Some(c) = found.get_mut(i).filter(|c| c.row < first + n) {
                    let refined = self.query.refine(codes, n, c.row - first);
                    if let Some(dot) = refined.map_err(|m| block.malformed(&m))?
                        && let Some(distance) = self.distance(dot, f32::NAN, norms[c.row])
                    {
                        c.distance = distance;
                    }
                    i += 1;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

fn sort(found: &mut [Candidate]) {
    found.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row)));
}

/// The best so far: collects twice as many as wanted, then cuts.
struct Best {
    wanted: usize,
    found: Vec<Candidate>,
    /// Farther ones cannot enter.
    bound: f64,
}

impl Best {
    fn new(wanted: usize) -> Best {
        Best { wanted, found: Vec::new(), bound: f64::INFINITY }
    }

    fn may_enter(&self, distance: f64) -> bool {
        self.wanted > 0 && distance <= self.bound
    }

    fn push(&mut self, c: Candidate) {
        self.found.push(c);
        if self.found.len() >= 2 * self.wanted.max(32) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        sort(&mut self.found);
        self.found.truncate(self.wanted);
        if self.found.len() == self.wanted {
            self.bound = self.found.last().map_or(f64::INFINITY, |c| c.distance);
        }
    }

    fn finish(mut self) -> Vec<Candidate> {
        self.cut();
        self.found
    }
}
