//! Change points: where the level of a trajectory jumps.
//!
//! A change is a jump; noise, autocorrelation, a random walk or a straight trend is none, at any
//! scale. In up to eight dimensions segments are straight lines and the penalty follows the
//! series' own slow variation (`longrun`); above, the level may wander (`select`).
//! The search runs on the order of the points: a long gap is not a change.

pub mod bocpd;
mod cost;
mod describe;
mod detect;
mod level;
mod local_level;
mod longrun;
mod mean;
mod noise;
mod params;
mod pelt;
mod penalty;
mod recalling;
mod scan;
mod select;
mod series;
mod verify;
mod walk;
mod worth;

pub use describe::{Change, Outlier, Segment};
pub use detect::{Report, detect};
pub use params::{Cost, Noise, Params, Signal};
pub use penalty::Penalty;

#[cfg(test)]
mod tests;
