//! What can be asked of a part, and what it answers.

use super::effort::Effort;
use crate::error::{Error, Result};
use crate::model::{EntityId, TimeRange, TimestampUs};
use roaring::RoaringBitmap;

/// Time in the ranking: `score = alpha * of_distance(d) + (1 - alpha) * of_time(t)`.
#[derive(Clone, Copy)]
pub struct Composite<'q> {
    /// Weight of the distance, below 1.
    pub alpha: f64,
    /// The instant from which time is counted.
    pub at: TimestampUs,
    /// The part of a distance; never decreasing.
    pub of_distance: &'q (dyn Fn(f64) -> f64 + Sync),
    /// The part of a timestamp; never decreasing with `|t - at|`.
    pub of_time: &'q (dyn Fn(TimestampUs) -> f64 + Sync),
}

impl std::fmt::Debug for Composite<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Composite {{ alpha: {}, at: {} }}", self.alpha, self.at)
    }
}

impl Composite<'_> {
    /// The score of a row.
    pub fn score(&self, distance: f64, t: TimestampUs) -> f64 {
        self.alpha * (self.of_distance)(distance) + (1.0 - self.alpha) * (self.of_time)(t)
    }
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Query<'q> {
    /// The vector, of the part's dimension.
    pub vector: &'q [f32],
    /// How many rows; with a radius at most so many.
    pub k: usize,
    /// Only rows up to this distance, all of them (up to `k`).
    pub radius: Option<f64>,
    /// At most one row of an entity.
    pub per_entity: bool,
    /// Time in the ranking.
    pub composite: Option<Composite<'q>>,
    /// How hard to look.
    pub effort: Effort,
    /// Take this path and no other.
    pub force: Option<Path>,
}

impl<'q> Query<'q> {
    /// The `k` rows nearest to `vector`.
    pub fn nearest(vector: &'q [f32], k: usize) -> Query<'q> {
        Query {
            vector,
            k,
            radius: None,
            per_entity: false,
            composite: None,
            effort: Effort::default(),
            force: None,
        }
    }
}

/// Which rows count. Rows of a part are numbered in the order of (timestamp, entity).
#[derive(Debug, Clone, Copy)]
pub struct Filter<'f> {
    /// Only rows of this time.
    pub range: TimeRange,
    /// Only rows valid at this instant: the last of their entity at or before it.
    pub as_of: Option<TimestampUs>,
    /// With `as_of`, entities whose state there is not the one that the part's own rows tell, because
    /// rows died or others came elsewhere: the state's row in this part, if it is in this part.
    pub states: &'f [(EntityId, Option<u32>)],
    /// Only these rows.
    pub allowed: Option<&'f RoaringBitmap>,
    /// Not these rows: deleted or replaced since the part was built.
    pub deleted: Option<&'f RoaringBitmap>,
    /// No rows of these entities.
    pub excluded: &'f [EntityId],
}

impl Default for Filter<'_> {
    fn default() -> Self {
        Filter {
            range: TimeRange::ALL,
            as_of: None,
            states: &[],
            allowed: None,
            deleted: None,
            excluded: &[],
        }
    }
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Ordinal of the row in the part.
    pub row: u32,
    /// Exact distance.
    pub distance: f64,
    /// What the order is by: the distance, or the composite score.
    pub score: f64,
}

/// How a part was searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// The vectors of all rows that count.
    Exact,
    /// The codes of a run of rows, one after another.
    Scan,
    /// The codes of rows that were listed: valid ones, or allowed ones.
    Listed,
    /// The one-bit codes of the inverted lists nearest to the query.
    Lists,
    /// The graph.
    Graph,
    /// No row can match.
    Nothing,
}

impl Path {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Path::Exact => "exact",
            Path::Scan => "scan",
            Path::Listed => "listed",
            Path::Lists => "lists",
            Path::Graph => "graph",
            Path::Nothing => "nothing",
        }
    }
}

/// What one search of a part did, for `--stats`.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The path taken.
    pub path: Path,
    /// Rows of the time range.
    pub window: usize,
    /// Estimated rows that can match.
    pub eligible: usize,
    /// Estimated cost of each path that was possible, in units of about a nanosecond.
    pub costs: Vec<(Path, f64)>,
}

/// Counted work of searches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Lists whose codes were looked at.
    pub lists: usize,
    /// One-bit codes looked at.
    pub estimates: usize,
    /// 8-bit distances.
    pub codes: usize,
    /// Rows of the graph whose neighbours were looked at.
    pub hops: usize,
    /// Exact distances.
    pub exact: usize,
    /// How each part was searched.
    pub reports: Vec<Report>,
}

impl Query<'_> {
    /// Refuses what no part can answer.
    pub fn check(&self, dim: usize) -> Result<()> {
        if self.vector.len() != dim {
            return Err(Error::new(
                crate::Code::DimMismatch,
                format!("query vector has {} values, the index has dimension {dim}", self.vector.len()),
            ));
        }
        if !self.vector.iter().all(|x| x.is_finite()) {
            return Err(Error::new(crate::Code::NotFinite, "the query vector holds NaN or an infinity"));
        }
        Ok(())
    }
}
