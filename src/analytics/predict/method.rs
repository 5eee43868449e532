//! The methods by name, and what one of them says.

use super::{ou, season};
use crate::analytics::Status;

/// A way to extrapolate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// The last point: the baseline to beat.
    Last,
    /// The mean of all points.
    Mean,
    /// The line through the last two points.
    Linear,
    /// The least-squares line through the last points, see [`super::Settings::window`].
    Trend,
    /// Holt's damped trend for irregular times, see [`super::holt`].
    Holt,
    /// An Ornstein-Uhlenbeck process, see [`super::ou`].
    Ou,
    /// A trained neural ODE, see [`super::node`].
    Node,
    /// A level and waves of the period that the dataset repeats itself with, see [`super::season`].
    Season,
}

impl Method {
    /// Every method; all but the last two work everywhere.
    pub const ALL: [Method; 8] = [
        Method::Last,
        Method::Mean,
        Method::Linear,
        Method::Trend,
        Method::Holt,
        Method::Ou,
        Method::Node,
        Method::Season,
    ];

    /// The word that options and rows use.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Last => "last",
            Method::Mean => "mean",
            Method::Linear => "linear",
            Method::Trend => "trend",
            Method::Holt => "holt",
            Method::Ou => "ou",
            Method::Node => "node",
            Method::Season => "season",
        }
    }

    /// The method with this word.
    pub fn from_name(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|m| m.as_str() == name)
    }

    /// Position in [`Method::ALL`].
    pub fn ordinal(self) -> usize {
        self as usize
    }

    /// Fewest points of history that it can work from.
    pub fn min_points(self) -> usize {
        match self {
            Method::Last | Method::Mean | Method::Node => 1,
            Method::Linear | Method::Trend => 2,
            Method::Holt => 3,
            Method::Ou => ou::MIN_POINTS,
            Method::Season => season::MIN_POINTS,
        }
    }
}

/// One history carried forward to some horizons.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// `ok`, `constant` and `not_converged` come with vectors, the others without.
    pub status: Status,
    /// Row-major, one vector per horizon; empty without an answer.
    pub vectors: Vec<f64>,
    /// Dimension.
    pub dim: usize,
}

impl Forecast {
    /// No answer, and why.
    pub fn none(status: Status, dim: usize) -> Self {
        Forecast { status, vectors: Vec::new(), dim }
    }

    /// The vector at the `k`-th horizon.
    pub fn at(&self, k: usize) -> Option<&[f64]> {
        self.vectors.get(k * self.dim..(k + 1) * self.dim)
    }
}
