//! What a dataset says about its own future: trajectories to try forecasts on, the calibrations
//! that came of it, and the models that were trained.
//!
//! Composes the pure functions of [`crate::analytics::predict`] with a pinned dataset and with
//! what `results/` keeps.

pub mod calibrations;
pub mod models;
mod sample;

pub use sample::Sample;
