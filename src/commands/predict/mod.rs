//! Forecasts with a radius, their evaluation, and trained models.
//!
//! | file | holds |
//! |---|---|
//! | `ahead.rs` | the forecasts |
//! | `eval.rs` | how well each method would have done in the past |
//! | `train.rs`, `models.rs` | trained models |
//! | `basis.rs` | the methods and the model that a forecast uses |
//! | `nearest.rs` | stored states that are nearest to a prediction |
//! | `kept/` | calibrations and models that are kept in the dataset |

pub mod ahead;
mod basis;
pub mod eval;
pub mod kept;
pub mod models;
mod nearest;
pub mod train;

pub use basis::Basis;

use super::{Progress, Watch};
use crate::analytics::predict::Method;
use crate::dataset::Snapshot;
use crate::error::{Error, Result};
use basis::Node;

/// The stage in which methods are tried on the past.
const TRYING: Progress<'static> = Progress::Stage { name: "trying the methods on the past", done: 0, of: 0 };

/// How to predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Forecaster {
    /// The method that did best on the past of the dataset.
    #[default]
    Auto,
    /// One method.
    Fixed(Method),
}

impl Forecaster {
    /// The method; `None` for the choice.
    pub fn fixed(self) -> Option<Method> {
        match self {
            Forecaster::Auto => None,
            Forecaster::Fixed(method) => Some(method),
        }
    }

    /// The model that this method needs, or might choose.
    fn node(self, snapshot: &Snapshot, basis: &Basis, watch: &dyn Watch) -> Result<Node> {
        let named = self == Forecaster::Fixed(Method::Node);
        match self {
            Forecaster::Auto => Node::find(snapshot, basis, false, watch),
            _ if named => Node::find(snapshot, basis, true, watch),
            _ if basis.model.is_some() => {
                Err(Error::usage("‹model› is for ‹method node› or auto").fix("leave out one of the two"))
            }
            _ => Ok(Node::default()),
        }
    }
}
