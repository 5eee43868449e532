//! Time in the ranking: the rows around the instant first, in shells that double, until no row
//! outside can have a better score.
//!
//! The first shell is scanned, which also shows how distances are spread. In a further shell
//! only rows nearer to the query than some distance can still win; the spread tells how
//! many those are, and so how deep the search of the shell must go.

use super::paths::Sink;
use super::pool::Pool;
use super::query::{Composite, Path};
use super::search::{Nearest, Search, Task};
use crate::error::Result;
use std::ops::Range;

/// Rows of the first shell on either side of the instant.
const FIRST: usize = 1024;

impl Search<'_> {
    /// Fills the pool with the best rows by composite score.
    pub(super) fn by_shells(&self, task: &mut Task<'_>, time: &Composite<'_>, pool: &mut Pool) -> Result<()> {
        let whole = task.eligible.whole();
        let centre = self.view.rank(|t| t >= time.at)?.clamp(whole.start, whole.end);
        // The least part of a distance: that of the query's own place.
        let nearest = time.alpha * (time.of_distance)(self.space.distance(0.0, task.target.norm));
        let (mut done, mut width) = (centre..centre, FIRST);
        let mut sample = Vec::new();
        loop {
            let bound = |t: f64| nearest + (1.0 - time.alpha) * t;
            let open = |t: &f64| bound(*t) < f64::from(pool.limit());
            let left = self.time_of(time, done.start.checked_sub(1), &whole)?.filter(open);
            let right = self.time_of(time, Some(done.end), &whole)?.filter(open);
            let Some(least) = left.into_iter().chain(right).reduce(f64::min) else { return Ok(()) };
            let mut next = done.clone();
            if left.is_some() {
                next.start = done.start.saturating_sub(width).max(whole.start);
            }
            if right.is_some() {
                next.end = (done.end + width).min(whole.end);
            }
            let shell = task.eligible.narrowed([next.start..done.start, done.end..next.end], least);
            let mut task = task.among(&shell);
            if sample.is_empty() {
                self.first_shell(&mut task, pool, &mut sample)?;
            } else {
                let reach = task.target.reach(pool.limit(), least);
                let share = sample.partition_point(|d| *d < reach) as f64 / sample.len() as f64;
                let depth = (share * shell.estimate() as f64).ceil() as usize;
                let depth = depth.max(task.query.k);
                self.gather(&mut task, depth, pool)?;
            }
            (done, width) = (next, width * 2);
        }
    }

    /// The part of time of a row, if it lies in the window.
    fn time_of(&self, time: &Composite<'_>, row: Option<usize>, whole: &Range<usize>) -> Result<Option<f64>> {
        match row.filter(|row| whole.contains(row)) {
            None => Ok(None),
            Some(row) => Ok(Some((time.of_time)(self.view.time.one(row)?))),
        }
    }

    /// Scans the shell; `sample` gets the squared distances of its rows, sorted.
    fn first_shell(&self, task: &mut Task<'_>, pool: &mut Pool, sample: &mut Vec<f32>) -> Result<()> {
        let inner = Nearest::new(self, task.target, task.eligible, pool);
        task.along(self.view, &mut Sampling { inner, sample }).scan()?;
        sample.sort_unstable_by(f32::total_cmp);
        task.report(Path::Scan, Vec::new());
        Ok(())
    }
}

/// Notes the distance of every row, and passes on those in reach.
struct Sampling<'a> {
    inner: Nearest<'a>,
    sample: &'a mut Vec<f32>,
}

impl Sink for Sampling<'_> {
    fn reach(&mut self) -> f32 {
        f32::INFINITY
    }

    fn take(&mut self, squared: f32, row: u32) -> Result<()> {
        self.sample.push(squared);
        match squared < self.inner.reach() {
            true => self.inner.take(squared, row),
            false => Ok(()),
        }
    }

    fn errors(&self) -> f32 {
        self.inner.errors()
    }

    fn filled(&self) -> bool {
        self.inner.filled()
    }
}
