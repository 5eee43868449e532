//! How entities move: pure functions from a trajectory and parameters to a report.
//!
//! Nothing here reads a file or a clock, and nothing depends on the number of threads.
//! Sums run in f64 in a fixed order; random draws come from named, seeded generators.
//! What cannot be computed is `None`, and [`Status`] says why.

mod blocks;
pub mod changepoint;
pub mod drift;
pub mod fdr;
pub mod gaps;
mod geometry;
#[cfg(test)]
mod golden;
mod gram;
mod pieces;
pub mod population;
pub mod predict;
mod principal;
pub mod rng;
pub mod scales;
pub mod shift;
mod signflip;
mod student;
pub mod velocity;

pub use blocks::Layout;
pub use geometry::{DimShare, angle_deg, cosine_distance, l2_distance};
pub use pieces::{Align, Cuts};

use std::fmt;

/// Why a row holds what it holds. Anything but [`Status::Ok`] explains its missing numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Everything that was asked for is there.
    Ok,
    /// There are fewer points than the method needs.
    FewPoints,
    /// There are fewer entities than a comparison of populations needs.
    FewEntities,
    /// A vector of length zero has no direction: cosine and angle are missing.
    ZeroNorm,
    /// Two points of the trajectory share a time.
    ZeroDt,
    /// All points are equal, up to the rounding of f32 values.
    Constant,
    /// The row stands beside, or spans, a step longer than the allowed gap.
    Gap,
    /// The trajectory spans several embedding models, whose distances mean nothing.
    ModelBreak,
    /// A matrix that had to be inverted is singular.
    Singular,
    /// An optimisation did not converge.
    NotConverged,
    /// The forecast is there, and the past has too few independent cases of such horizons to say
    /// how far off it may be.
    Uncalibrated,
    /// A value lies beyond single precision, or a time beyond the last one there is.
    OutOfRange,
    /// The instant is not after the last point.
    NotFuture,
    /// The points remember one another for so long, or the clusters are so few, that too few
    /// independent units are left for a test.
    FewBlocks,
    /// No point lies between the two instants: the entity's state is the same at both.
    Untouched,
}

impl Status {
    /// Every status, in order.
    pub const ALL: [Status; 15] = [
        Status::Ok,
        Status::FewPoints,
        Status::FewEntities,
        Status::ZeroNorm,
        Status::ZeroDt,
        Status::Constant,
        Status::Gap,
        Status::ModelBreak,
        Status::Singular,
        Status::NotConverged,
        Status::Uncalibrated,
        Status::OutOfRange,
        Status::NotFuture,
        Status::FewBlocks,
        Status::Untouched,
    ];

    /// The stable word that rows print.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::FewPoints => "few_points",
            Status::FewEntities => "few_entities",
            Status::ZeroNorm => "zero_norm",
            Status::ZeroDt => "zero_dt",
            Status::Constant => "constant",
            Status::Gap => "gap",
            Status::ModelBreak => "model_break",
            Status::Singular => "singular",
            Status::NotConverged => "not_converged",
            Status::Uncalibrated => "uncalibrated",
            Status::OutOfRange => "out_of_range",
            Status::NotFuture => "not_future",
            Status::FewBlocks => "few_blocks",
            Status::Untouched => "untouched",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
