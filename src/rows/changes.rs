//! The rows of changepoints.

use crate::analytics::Status;
use crate::output::{Id, Json, Time};
use crate::row;

row! {
    /// A change point.
    pub struct ChangeRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the first point after the change.
        pub t: Option<Time>,
        /// Its position in the selected trajectory, from 0.
        pub index: Option<u64>,
        /// Time of the last point before it.
        pub t_before: Option<Time>,
        /// pelt or bocpd.
        pub method: &'static str,
        /// Distance of the levels in standard deviations of the whole noise vector.
        pub severity: Option<f64>,
        /// How much the change lowers the cost, in squared vector units.
        pub gain: Option<f64>,
        /// Posterior mass on a change of level within the last 64 points, for bocpd.
        pub p_recent: Option<f64>,
        /// Points of the stretch before.
        pub n_before: Option<u64>,
        /// Points of the stretch after.
        pub n_after: Option<u64>,
        /// Distance of the two stretches' means.
        pub l2: Option<f64>,
        /// Their cosine distance.
        pub cosine: Option<f64>,
        /// The dimensions that moved most: dim, delta, share.
        pub top_dims: Option<Json>,
        /// For pelt: change, outlier, or split (of --best, where the default reports no change). For bocpd:
        /// level, or outlier for a single far point.
        pub kind: Option<&'static str>,
        /// What makes the change doubtful.
        pub warning: Option<&'static str>,
        /// Earliest time at which the new stretch may begin: t_low to t_high hold its first point
        /// with a probability of 90 %.
        pub t_low: Option<Time>,
        /// Latest time at which it may begin.
        pub t_high: Option<Time>,
        /// Probability that the points of the two stretches, in random order, show as large a split.
        pub p_any_order: Option<f64>,
        /// Probability that a level that wanders (a walk or a smooth curve, under noise) shows as
        /// sudden a split.
        pub p_wander: Option<f64>,
        /// ok, or why a trajectory has no split, with --best.
        pub status: Status,
        /// Time of the point at which the change was noticed, for bocpd.
        pub detected_at: Option<Time>,
        /// True when it depends on a vector that a lossy codec changed.
        pub approx: bool,
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
        /// The scales whose changes confirm this one, with --scale.
        pub scales: Option<Json>,
    }
    wide [t_before, method, gain, detected_at, approx]
}

row! {
    /// What was searched for changes, and how.
    pub struct SearchRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Points of the selected trajectory.
        pub n: u64,
        /// Changes found.
        pub changepoints: u64,
        /// What a change had to be worth, in the units of the cost.
        pub penalty: Option<f64>,
        /// Standard deviation of the whole noise vector.
        pub noise_sd: Option<f64>,
        /// Correlation of neighbours that the stretches leave over.
        pub lag1: Option<f64>,
        /// What makes the result doubtful.
        pub warning: Option<String>,
        /// What a stretch was taken for: mean, line or level.
        pub cost: Option<&'static str>,
        /// Posterior mass on a change of level within the last 64 points at the end, for bocpd.
        pub p_recent: Option<f64>,
        /// True when it depends on a vector that a lossy codec changed.
        pub approx: bool,
        /// Why something is missing.
        pub status: Status,
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
        /// Distance to the first state along the trajectory, in tables.
        pub path: Option<String>,
    }
    wide [cost, p_recent, approx]
}

row! {
    /// A stretch without a change.
    pub struct SegmentRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Position among the entity's stretches, from 0.
        pub segment: u64,
        /// Time of its first point.
        pub t_first: Time,
        /// Time of its last point.
        pub t_last: Time,
        /// Position of its first point in the selected trajectory, from 0.
        pub start: u64,
        /// Points.
        pub n: u64,
        /// Root mean squared distance of its points to their mean.
        pub spread: f64,
        /// Length of the mean.
        pub norm: f64,
        /// True when it depends on a vector that a lossy codec changed.
        pub approx: bool,
        /// The mean, with --vectors.
        pub vector_mean: Option<Vec<f32>>,
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
    }
}

row! {
    /// A stored result.
    pub struct SavedRow {
        /// Its name.
        pub name: String,
        /// Change points or points in it.
        pub rows: u64,
        /// The version that was read.
        pub commit: u64,
        /// When it was stored.
        pub created: Time,
        /// The command that stored it.
        pub command: String,
    }
}
