//! The words of the domain: entity, timestamp, key, time range, trajectory.

use crate::error::{Error, Result};
use std::ops::Range;

/// Largest dimension of a dataset.
pub const MAX_DIM: usize = 4096;

/// Identifies an entity. With named entities it is a stable hash of the name.
pub type EntityId = u64;

/// Microseconds since 1970-01-01T00:00:00Z; every i64 is legal, negative ones are before 1970.
pub type TimestampUs = i64;

/// What identifies a point: its entity and its timestamp. Orders by entity, then time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The entity.
    pub entity: EntityId,
    /// The timestamp in microseconds.
    pub t: TimestampUs,
}

/// A set of instants without holes, possibly empty.
///
/// Written half open as `[from, to)` everywhere in the interface; kept closed inside,
/// because `i64::MAX` is a legal timestamp that no half-open i64 range could hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    first: TimestampUs,
    last: TimestampUs,
}

impl TimeRange {
    /// Every instant.
    pub const ALL: TimeRange = TimeRange { first: i64::MIN, last: i64::MAX };
    /// No instant.
    pub const EMPTY: TimeRange = TimeRange { first: 0, last: -1 };

    /// `[from, to)`; `None` means unbounded on that side.
    pub fn half_open(from: Option<TimestampUs>, to: Option<TimestampUs>) -> Self {
        let first = from.unwrap_or(i64::MIN);
        match to {
            None => TimeRange { first, last: i64::MAX },
            Some(to) if to > first => TimeRange { first, last: to - 1 },
            Some(_) => TimeRange::EMPTY,
        }
    }

    /// `[first, last]`, both inside.
    pub fn closed(first: TimestampUs, last: TimestampUs) -> Self {
        if first <= last { TimeRange { first, last } } else { TimeRange::EMPTY }
    }

    /// True when it holds `t`.
    pub fn contains(&self, t: TimestampUs) -> bool {
        self.first <= t && t <= self.last
    }

    /// True when it holds no instant.
    pub fn is_empty(&self) -> bool {
        self.first > self.last
    }

    /// The first instant inside. Meaningless when empty.
    pub fn first(&self) -> TimestampUs {
        self.first
    }

    /// The last instant inside. Meaningless when empty.
    pub fn last(&self) -> TimestampUs {
        self.last
    }

    /// The instants in both.
    #[must_use]
    pub fn intersect(&self, other: &TimeRange) -> TimeRange {
        TimeRange::closed(self.first.max(other.first), self.last.min(other.last))
    }

    /// True when the two share an instant.
    pub fn overlaps(&self, other: &TimeRange) -> bool {
        !self.intersect(other).is_empty()
    }
}

/// An entity's points in time order, as analytics see it.
///
/// `t` is strictly increasing; `x` is row-major, `t.len()` rows of `dim` values.
#[derive(Debug, Clone, Copy)]
pub struct Trajectory<'a> {
    /// The entity.
    pub entity: EntityId,
    /// Timestamps in microseconds, strictly increasing; length n.
    pub t: &'a [TimestampUs],
    /// Vectors, row-major; length n * dim.
    pub x: &'a [f32],
    /// Dimension.
    pub dim: usize,
    /// Provenance of each point: an ordinal into the dataset's list of embedding models,
    /// or empty when all points come from one model.
    pub model: &'a [u32],
}

impl<'a> Trajectory<'a> {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.t.len()
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.t.is_empty()
    }

    /// The vector of point `i`.
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.x[i * self.dim..(i + 1) * self.dim]
    }

    /// True when the points come from more than one embedding model.
    pub fn mixes_models(&self) -> bool {
        self.model.windows(2).any(|w| w[0] != w[1])
    }
}

/// Rows of vectors with their keys: what scans and indexes read, whatever file holds them.
pub trait VectorSource: Sync {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Dimension.
    fn dim(&self) -> usize;

    /// The vectors of a run of rows, row-major: borrowed where they are stored plainly, else
    /// decoded into `buffer`, which is replaced.
    fn vectors<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]>;

    /// Appends `1 / |x|` of a run of rows, 0 for a zero vector; computed in f64, rounded to f32.
    fn inverse_norms(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()>;

    /// The key of a row.
    fn key(&self, row: usize) -> Key;
}

/// `later - earlier` in seconds, exact in the integers before the conversion.
pub fn seconds_between(earlier: TimestampUs, later: TimestampUs) -> f64 {
    (i128::from(later) - i128::from(earlier)) as f64 / 1e6
}

/// Checks a dimension against the limits.
pub fn check_dim(dim: usize) -> Result<()> {
    if (1..=MAX_DIM).contains(&dim) {
        Ok(())
    } else {
        Err(Error::usage(format!("dimension {dim} is outside 1 to {MAX_DIM}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_half_open_outside_and_closed_inside() {
        let r = TimeRange::half_open(Some(5), Some(7));
        assert!(r.contains(5) && r.contains(6) && !r.contains(7));
        assert!(TimeRange::half_open(Some(5), Some(5)).is_empty());
        assert!(TimeRange::half_open(None, Some(i64::MIN)).is_empty());
        assert!(TimeRange::half_open(None, None).contains(i64::MAX));
        assert!(!TimeRange::half_open(None, Some(i64::MAX)).contains(i64::MAX));
        assert!(TimeRange::EMPTY.is_empty() && !TimeRange::EMPTY.overlaps(&TimeRange::ALL));
    }

    #[test]
    fn differences_do_not_overflow() {
        let s = seconds_between(i64::MIN, i64::MAX);
        assert!((s - 18_446_744_073_709.55).abs() < 1.0);
    }
}
