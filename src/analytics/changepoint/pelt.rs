//! Exact search for the segmentation of least penalised cost.
//!
//! The dynamic programme of optimal partitioning with the pruning of PELT (Killick, Fearnhead
//! and Eckley 2012): a candidate `s` with `F(s) + C(s, t) >= F(t)` can never again be a last
//! change, but only from `t + min_segment` on, since `t` itself is no last change before then.
//!
//! Stationary data prune nothing that way, so candidates are also judged in blocks. For all
//! `s` of a block that ends at `e`, splitting at `e` shows
//! `F(s) + C(s, t) >= min_s (F(s) + C(s, e)) + R(e, t)`, where R is what the rest adds at least:
//! one cost bounds the whole block, and blocks of blocks likewise. What cannot beat the best
//! candidate so far is never looked at.

use super::cost::SegmentCost;

/// Candidates in the smallest block.
const LEAF: usize = 4;
/// Bounds must exceed the best value by this share of the penalty: prefix sums round.
const SLACK: f64 = 1e-9;

/// Change points, and the penalised cost of the segmentation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Segmentation {
    /// First rows of the segments but the first, ascending.
    pub changes: Vec<usize>,
    /// Costs of all segments plus the penalty for each change.
    pub objective: f64,
}

impl Segmentation {
    /// From the least objectives of the first rows and their last changes.
    pub fn trace(f: &[f64], last: &[usize]) -> Segmentation {
        let n = f.len() - 1;
        let mut changes = Vec::new();
        let mut t = last[n];
        while t > 0 {
            changes.push(t);
            t = last[t];
        }
        changes.reverse();
        Segmentation { changes, objective: f[n] }
    }
}

/// The best segmentation into segments of at least `min_segment` rows; ties go to the smaller
/// index. Without room for two segments there is none.
pub(crate) fn search(cost: &impl SegmentCost, penalty: f64, min_segment: usize) -> Segmentation {
    let n = cost.len();
    let min_segment = min_segment.max(1);
    if n < 2 * min_segment {
        return Segmentation { changes: Vec::new(), objective: if n > 0 { cost.cost(0, n) } else { 0.0 } };
    }
    let mut search = Search::new(cost, penalty, min_segment);
    for t in min_segment..=n {
        search.step(t);
    }
    Segmentation::trace(&search.f, &search.last)
}

/// A run of candidates.
struct Block {
    /// `min (F(s) + C(s, end))` over its candidates.
    least: f64,
    /// From this `t` on none of its candidates can be a last change.
    dead_from: usize,
}

struct Search<'a, C> {
    cost: &'a C,
    penalty: f64,
    min_segment: usize,
    /// Least penalised cost of rows `0..t`, less one penalty; infinite where no segment fits.
    f: Vec<f64>,
    /// The last change of the best segmentation of rows `0..t`.
    last: Vec<usize>,
    /// `levels[l][j]`: candidates `j * LEAF << l` to `(j + 1) * LEAF << l`, as far as complete.
    levels: Vec<Vec<Block>>,
}

/// The best candidate so far.
#[derive(Clone, Copy)]
struct Best {
    value: f64,
    at: usize,
}

impl Best {
    fn offer(&mut self, value: f64, at: usize) {
        if value < self.value || (value == self.value && at < self.at) {
            *self = Best { value, at };
        }
    }
}

impl<'a, C: SegmentCost> Search<'a, C> {
    fn new(cost: &'a C, penalty: f64, min_segment: usize) -> Self {
        let n = cost.len();
        let mut f = vec![f64::INFINITY; n + 1];
        f[0] = -penalty;
        Search { cost, penalty, min_segment, f, last: vec![0; n + 1], levels: vec![Vec::new()] }
    }

    /// Computes `F(t)`; all before are known.
    fn step(&mut self, t: usize) {
        let usable = t + 1 - self.min_segment;
        self.complete_blocks(usable, t);
        let guess = self.last[t - 1];
        let mut best = Best { value: self.value(guess, t), at: guess };
        let top = self.levels.len() - 1;
        let mut covered = 0;
        for level in (0..=top).rev() {
            let size = LEAF << level;
            while covered + size <= usable && covered / size < self.levels[level].len() {
                self.visit(level, covered / size, t, &mut best);
                covered += size;
            }
        }
        for s in covered..usable {
            best.offer(self.value(s, t), s);
        }
        self.f[t] = best.value + self.penalty;
        self.last[t] = best.at;
    }

    /// `F(s) + C(s, t)`, the penalty of `s` not yet added.
    fn value(&self, s: usize, t: usize) -> f64 {
        if self.f[s] == f64::INFINITY { f64::INFINITY } else { self.f[s] + self.cost.cost(s, t) }
    }

    /// Looks for better candidates in a block, unless its bound excludes them.
    fn visit(&mut self, level: usize, j: usize, t: usize, best: &mut Best) {
        let size = LEAF << level;
        let (start, end) = (j * size, (j + 1) * size);
        let block = &self.levels[level][j];
        if t >= block.dead_from {
            return;
        }
        let bound = block.least + if end < t { self.cost.rest(end, t) } else { 0.0 };
        let slack = SLACK * self.penalty.abs();
        let patience = (1.0 + self.cost.patience()) * self.penalty;
        if bound >= best.value + patience + slack {
            // Every candidate fails PELT's test, for all times to come.
            self.levels[level][j].dead_from = t + self.min_segment;
        }
        if bound > best.value + slack {
            return;
        }
        if level == 0 {
            (start..end).for_each(|s| best.offer(self.value(s, t), s));
        } else {
            self.visit(level - 1, 2 * j, t, best);
            self.visit(level - 1, 2 * j + 1, t, best);
        }
    }

    /// Adds the blocks whose candidates are all below `usable`.
    fn complete_blocks(&mut self, usable: usize, t: usize) {
        let mut level = 0;
        loop {
            let size = LEAF << level;
            let done = self.levels[level].len();
            if (done + 1) * size > usable {
                return;
            }
            let (start, end) = (done * size, (done + 1) * size);
            let mut best = Best { value: f64::INFINITY, at: usize::MAX };
            if level == 0 {
                (start..end).for_each(|s| best.offer(self.value(s, end), s));
            } else {
                self.least_of(level - 1, 2 * done, end, &mut best);
                self.least_of(level - 1, 2 * done + 1, end, &mut best);
            }
            let dead_from = if best.value == f64::INFINITY { t } else { usize::MAX };
            self.levels[level].push(Block { least: best.value, dead_from });
            if (done + 1) % 2 == 1 {
                return;
            }
            level += 1;
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
        }
    }

    /// `min (F(s) + C(s, end))` over a block that ends at or before `end`, into `best`.
    fn least_of(&self, level: usize, j: usize, end: usize, best: &mut Best) {
        let size = LEAF << level;
        let block_end = (j + 1) * size;
        let block = &self.levels[level][j];
        let bound = block.least + if block_end < end { self.cost.rest(block_end, end) } else { 0.0 };
        if bound > best.value + SLACK * self.penalty.abs() {
            return;
        }
        if level == 0 {
            (block_end - size..block_end).for_each(|s| best.offer(self.value(s, end), s));
        } else {
            self.least_of(level - 1, 2 * j, end, best);
            self.least_of(level - 1, 2 * j + 1, end, best);
        }
    }
}

#[cfg(test)]
mod tests;
