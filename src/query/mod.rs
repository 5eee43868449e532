//! Exact nearest neighbours by scan, over anything that is a `VectorSource`.
//!
//! [`neighbours`] answers questions to a dataset. Below it nothing opens a file or knows a
//! dataset: [`scan`] takes [`Part`]s, each a source of
//! vectors and the rows to look at, and [`Query`]s, and reads every selected row once for
//! all queries together.
//!
//! The f32 kernels are only a filter. Whatever could still be among the answers, within a
//! rigorous bound on their rounding errors, gets its distance in f64, and the answers are the
//! first by (distance, entity, time). So they depend neither on the instruction set nor on the
//! number of threads, the order of rows or how they are spread over parts.
//!
//! | file | holds |
//! |---|---|
//! | `decay.rs` | time in the ranking: the composite distance |
//! | `topk.rs` | the answers so far |
//! | `bound.rs` | which f32 results can be skipped |
//! | `resample.rs` | a trajectory at the instants of a grid |
//! | `scan.rs` | the pass over the rows |
//! | `cold.rs` | the same over all tiers: codes of lossy blocks, originals where they were kept |
//! | `neighbours.rs` | questions to a pinned version of a dataset |
//! | `indexed.rs` | the same through the index, with scans of what it lacks |
//! | `coverage.rs` | which points the index lacks, which of its rows a selection allows |
//! | `states.rs` | the states at an instant, over index and other points |

mod bound;
mod cold;
mod coverage;
mod decay;
mod indexed;
mod neighbours;
mod resample;
mod scan;
mod states;
mod topk;

pub use coverage::outside;
pub use decay::{Composite, Decay};
pub use indexed::{How, search};
pub use neighbours::{Cost, Found, Request, When, neighbours};
pub use resample::{Interpolate, Sample, resample};
pub use scan::{Stats, scan};
pub use topk::Hit;

use crate::model::{EntityId, TimeRange, VectorSource};
use std::ops::Range;

/// Rows of one source to be scanned.
pub struct Part<'a> {
    /// Where the vectors are.
    pub source: &'a dyn VectorSource,
    /// The rows to look at: sorted, disjoint, within the source. One range may hold all of
    /// them, or each a single row (as the states at an instant do).
    pub rows: Vec<Range<u32>>,
}

impl<'a> Part<'a> {
    /// All rows of a source.
    pub fn all(source: &'a dyn VectorSource) -> Self {
        let rows = u32::try_from(source.rows()).unwrap_or(u32::MAX);
        Part { source, rows: std::iter::once(0..rows).collect() }
    }
}

/// What to look for. By default, with [`Query::nearest`], the k nearest points of all times.
#[derive(Debug, Clone)]
pub struct Query {
    /// The vector, as long as the dimension of every part.
    pub vector: Vec<f32>,
    /// The number of answers at most; `usize::MAX` for no limit.
    pub k: usize,
    /// Only points at this distance or nearer. With `time`, the composite distance.
    pub radius: Option<f64>,
    /// Only points in this range of time.
    pub window: TimeRange,
    /// No points of this entity.
    pub exclude: Option<EntityId>,
    /// Only the nearest point of each entity; k then counts entities.
    pub best_per_entity: bool,
    /// Rank by distance and time together.
    pub time: Option<Composite>,
}

impl Query {
    /// The `k` nearest points.
    pub fn nearest(vector: Vec<f32>, k: usize) -> Self {
        Query {
            vector,
            k,
            radius: None,
            window: TimeRange::ALL,
            exclude: None,
            best_per_entity: false,
            time: None,
        }
    }

    /// Every point within `radius`, itself included.
    pub fn within(vector: Vec<f32>, radius: f64) -> Self {
        Query { radius: Some(radius), ..Query::nearest(vector, usize::MAX) }
    }
}

#[cfg(test)]
mod tests;
