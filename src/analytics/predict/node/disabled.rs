//! Training in a build without the feature `neural`: there is none.

use super::data::Batch;
use super::field::Shape;
use crate::error::{Code, Error, Result};

/// An error of code `failed`, which says how to get a build that trains.
pub fn available() -> Result<()> {
    Err(Error::new(Code::Failed, "this cvx was built without training of neural models").fix(
        "build it with `cargo build --release --features neural`; models that are trained already predict without it",
    ))
}

/// Gradients of the training loss. This build has none.
pub enum Engine {}

impl Engine {
    pub fn new(_: &Shape, _: &[f32]) -> Result<Engine> {
        available().and_then(|()| Err(Error::internal("no engine to train with")))
    }

    pub fn loss_and_gradient(&self, _: &[f32], _: &Batch) -> (f64, Vec<f32>) {
        match *self {}
    }

    pub fn loss(&self, _: &[f32], _: &Batch) -> f64 {
        match *self {}
    }
}
