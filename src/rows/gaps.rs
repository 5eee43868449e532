//! The rows of gaps.

use crate::output::{Id, Time};
use crate::row;

row! {
    /// A long step in time.
    pub struct GapRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the point before the step.
        pub t_before: Time,
        /// Time of the point after it.
        pub t: Time,
        /// Position of the point after it among the selected points of the entity, from 0.
        pub index: u64,
        /// Length of the step.
        pub gap_s: f64 => "s",
        /// Median step of the entity.
        pub median_s: f64 => "s",
        /// Length of the step in median steps.
        pub times: f64,
    }
    wide [index]
}
