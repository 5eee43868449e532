//! The neural ODE: a field on the principal components, trained on many trajectories.
//!
//! The state is the point's standardised principal components, time counts in median steps, and
//! `dz/dt = f(z, c)` with a perceptron f and a context c that stays as it is, the mean of the
//! entity's history. A forecast integrates from the last point to the target by Dormand-Prince
//! and adds the change to the last point: what the components do not hold stays, and at horizon 0
//! the forecast is the last point.
//!
//! Training draws pairs of points of one trajectory, 1, 2, 4, … median steps apart, carries the
//! earlier one over the exact time between them by classical Runge-Kutta steps, and follows the
//! gradient of `sqrt(1 + e^2) - 1`, e the error over the entity's own diffusive reach.

mod adam;
mod data;
#[cfg_attr(feature = "neural", path = "enabled.rs")]
#[cfg_attr(not(feature = "neural"), path = "disabled.rs")]
mod engine;
mod field;
mod holdout;
mod model;
mod pca;
mod train;

#[cfg(test)]
pub(super) use model::tests;

pub use engine::available;
pub use field::Shape;
pub use holdout::{Role, Split};
pub use model::{HeldOut, Model, Space, Training};
pub use train::{Epoch, Event, Options, train};
