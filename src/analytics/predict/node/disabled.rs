//! Training in a build without the feature `neural`: there is none.

use super::data::Batch;
use super::field::Shape;
use crate::error::{Code, Error, Result};

/// Gradients of the training loss. This build has none.
pub enum Engine {}

impl Engine {
    pub fn new(_: &Shape, _: &[f32]) -> Result<Engine> {
        Err(Error::new(Code::Failed, "this cvx was built without training of neural models")
            .fix("build it with `cargo build --features neural`; models that are already trained predict without it"))
    }

    pub fn loss_and_gradient(&self, _: &[f32], _: &Batch) -> (f64, Vec<f32>) {
        match *self {}
    }

    pub fn loss(&self, _: &[f32], _: &Batch) -> f64 {
        match *self {}
    }
}
