//! How far entities have moved: between two instants, or between the means of two periods.
//!
//! | file | holds |
//! |---|---|
//! | `instants.rs` | the states at two instants, and the path between them |
//! | `periods.rs` | the means of two periods, with a test |
//! | `compare.rs` | the comparison of one entity's periods |
//! | `sorted.rs` | rows in the order of one of their numbers |

mod compare;
pub mod instants;
pub mod periods;
mod sorted;

/// What rows are ordered by, largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// Euclidean distance.
    L2,
    /// Cosine distance.
    Cosine,
    /// Angle.
    Angle,
    /// Distance per unit of time, of two instants.
    Rate,
    /// Length of the path, of two instants.
    Path,
    /// Distance of two periods, corrected for noise.
    Change,
}
