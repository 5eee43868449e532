//! The rows of velocity and drift.

use crate::analytics::{DimShare, Status};
use crate::output::{Id, Json, Time};
use crate::row;

row! {
    /// The motion of an entity at one time.
    pub struct VelocityRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time.
        pub t: Time,
        /// Points of the selected trajectory.
        pub n: usize,
        /// Time since the point before.
        pub dt_before_s: Option<f64> => "s",
        /// Time to the point after.
        pub dt_after_s: Option<f64> => "s",
        /// Length of the velocity.
        pub speed: Option<f64> => "1/per",
        /// Length of the acceleration, with --order 2.
        pub accel: Option<f64> => "1/per^2",
        /// Angle between the steps in and out.
        pub turn_deg: Option<f64> => "degree",
        /// The unit of time of speed and acceleration.
        pub per: String,
        /// True when it depends on a vector that a lossy codec changed.
        pub approx: bool,
        /// Why something is missing.
        pub status: Status,
        /// The velocity, with --vectors.
        pub vector_velocity: Option<Vec<f32>> => "1/per",
        /// The acceleration, with --vectors and --order 2.
        pub vector_accel: Option<Vec<f32>> => "1/per^2",
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
    }
    wide [dt_before_s, dt_after_s, per, approx]
}

row! {
    /// How far an entity has moved.
    pub struct DriftRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the first point used.
        pub t1: Option<Time>,
        /// Time of the last point used.
        pub t2: Option<Time>,
        /// Points from the first to the last one used.
        pub n: usize,
        /// Euclidean distance.
        pub l2: Option<f64>,
        /// Cosine distance.
        pub cosine: Option<f64>,
        /// Angle.
        pub angle_deg: Option<f64> => "degree",
        /// Length of the last state over that of the first.
        pub norm_ratio: Option<f64>,
        /// The unit of time of rate.
        pub rate_per: String,
        /// Euclidean distance per rate_per.
        pub rate: Option<f64> => "1/rate_per",
        /// Length of the path.
        pub path_l2: Option<f64>,
        /// Distance over path: 1 is a straight line.
        pub efficiency: Option<f64>,
        /// The dimensions with the largest shares of the squared distance: dim, delta, share.
        pub top_dims: Json,
        /// Least number of dimensions with 80 % of the squared distance.
        pub pareto80: Option<usize>,
        /// How far the steps between share one direction.
        pub t2_stat: Option<f64>,
        /// Probability of a t2_stat this large when steps have no common direction; it does not ask whether the states differ.
        pub direction_p: Option<f64>,
        /// True when it depends on a vector that a lossy codec changed.
        pub approx: bool,
        /// Why something is missing.
        pub status: Status,
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
        /// Slope of ln path_l2 on ln scale over all scales, with --scale: about H - 1.
        pub roughness: Option<f64>,
        /// Distance to the first state along the trajectory, in tables.
        pub path: Option<String>,
        /// Steps that direction_p takes together, with the gap after them: 1 when steps do not remember the ones before.
        pub direction_block: Option<usize>,
    }
    wide [norm_ratio, rate_per, rate, path_l2, pareto80, t2_stat, approx, direction_block]
}

row! {
    /// How far the mean of an entity's points has moved between two periods.
    pub struct PeriodRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the first point in the period --from.
        pub from_t1: Option<Time>,
        /// Time of the last point in the period --from.
        pub from_t2: Option<Time>,
        /// Time of the first point in the period --to.
        pub to_t1: Option<Time>,
        /// Time of the last point in the period --to.
        pub to_t2: Option<Time>,
        /// Points in the period --from.
        pub n_from: usize,
        /// Points in the period --to.
        pub n_to: usize,
        /// Euclidean distance of the two means.
        pub l2: Option<f64>,
        /// Cosine distance of the two means.
        pub cosine: Option<f64>,
        /// Angle between the two means.
        pub angle_deg: Option<f64> => "degree",
        /// Length of the second mean over that of the first.
        pub norm_ratio: Option<f64>,
        /// Squared Euclidean distance of the means less what noise adds: zero in the mean without a change, for any number of points.
        pub change: Option<f64>,
        /// Root of change; 0 where that is negative.
        pub l2_corrected: Option<f64>,
        /// Cosine distance of the means, corrected for noise; missing when either mean is not longer than its noise.
        pub cosine_corrected: Option<f64>,
        /// Euclidean distance of two means as noisy as these without a change, as the root of the mean square.
        pub noise_floor: Option<f64>,
        /// Lower end of the interval of the Euclidean distance of the true means, at --level.
        pub ci_low: Option<f64>,
        /// Upper end of that interval.
        pub ci_high: Option<f64>,
        /// How often relabelled blocks or clusters differ as much.
        pub p_value: Option<f64>,
        /// The same over all entities of the run: the expected share of false ones among those called at it (Benjamini and Hochberg).
        pub q_value: Option<f64>,
        /// Independent blocks or clusters in the period --from.
        pub units_from: Option<usize>,
        /// Independent blocks or clusters in the period --to.
        pub units_to: Option<usize>,
        /// Points of a block, without --cluster.
        pub block: Option<usize>,
        /// Points left out between two blocks, because points remember the ones before.
        pub gap: Option<usize>,
        /// The dimensions with the largest shares of the squared distance: dim, delta, share.
        pub top_dims: Json,
        /// Least number of dimensions with 80 % of the squared distance.
        pub pareto80: Option<usize>,
        /// True when it depends on a vector that a lossy codec changed.
        pub approx: bool,
        /// Why something is missing.
        pub status: Status,
    }
    wide [from_t1, from_t2, to_t1, to_t2, angle_deg, norm_ratio, change, cosine_corrected, units_from, units_to, block, gap, pareto80, approx]
}

row! {
    /// A test of whether a population has moved between two windows.
    pub struct PopulationRow {
        /// Value of the metadata key, with --by.
        pub group: Option<String>,
        /// Start of the reference window.
        pub ref_from: Option<Time>,
        /// End of the reference window, outside of it.
        pub ref_to: Option<Time>,
        /// Start of the current window.
        pub cur_from: Option<Time>,
        /// End of the current window, outside of it.
        pub cur_to: Option<Time>,
        /// Points of the reference window that were compared.
        pub n_ref: u64,
        /// Points of the current window that were compared.
        pub n_cur: u64,
        /// Entities that were compared: those of both windows, and those of one where each window has two.
        pub entities: u64,
        /// Points of both windows that were left out: they belong to another embedding model than most.
        pub left_out: u64,
        /// Which test.
        pub test: &'static str,
        /// Its statistic.
        pub statistic: Option<f64>,
        /// How often relabelled windows differ as much.
        pub p_value: Option<f64>,
        /// The same, adjusted for the rows of the run as --adjust says.
        pub p_adjusted: Option<f64>,
        /// True when p_adjusted is at most --alpha.
        pub drift: bool,
        /// 2 E d(X,Y) / (E d(X,X') + E d(Y,Y')) - 1: 0 in the mean without a drift, whatever the numbers.
        pub effect: Option<f64>,
        /// Relabellings that the p-value rests on.
        pub permutations: u64,
        /// The dimensions in which the means moved most, for the centroid.
        pub top_dims: Json,
        /// Why something is missing.
        pub status: Status,
        /// Cosine distance of the two means, for the centroid.
        pub cosine: Option<f64>,
        /// True when it depends on a vector that a lossy codec changed.
        pub approx: bool,
    }
    wide [ref_to, cur_to, entities, left_out, permutations, approx]
}

/// The dimensions that carry most of a difference, `[{"dim":17,"delta":-0.031,"share":0.12},..]`.
pub fn top_dims(dims: &[DimShare]) -> Json {
    let one = |d: &DimShare| serde_json::json!({"dim": d.dim, "delta": d.delta, "share": d.share});
    Json(serde_json::Value::from(dims.iter().map(one).collect::<Vec<_>>()).to_string())
}
