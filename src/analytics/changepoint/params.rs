//! What can be asked of a search for changes, and what follows from it before the search.

use super::penalty::{self, Penalty};
use crate::analytics::pieces::Cuts;

/// Up to this many dimensions columns are scaled one by one and segments are lines by default.
pub(super) const FEW_DIMENSIONS: usize = 8;
/// Least length of a line, and of a mean in few dimensions, where a few outliers in a row are common.
pub(super) const MIN_FEW: usize = 5;
/// Up to this many points the matrix of inner products of all of them is formed.
pub(super) const MAX_GRAM: usize = 4096;
/// And up to this many a dimension: with fewer dimensions prefix sums and pruning are quicker.
pub(super) const GRAM_PER_DIMENSION: usize = 32;
/// Longer series in more dimensions than [`PROJECTED`] are searched in that many random directions.
pub(super) const PROJECT_ABOVE: usize = 4096;
pub(super) const PROJECTED: usize = 64;

/// What a segment looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cost {
    /// Up to eight dimensions lines or means, whichever explain the series better; wandering
    /// levels above.
    #[default]
    Auto,
    /// A constant mean.
    Mean,
    /// A straight line in the index.
    Line,
    /// A level that may wander, under noise that may remember; how much is taken from the series.
    Level,
}

/// True where the search from inner products is the quicker one.
pub(super) fn by_inner_products(n: usize, dim: usize) -> bool {
    n <= MAX_GRAM.min(GRAM_PER_DIMENSION * dim)
}

/// What is known about the noise, for [`Cost::Mean`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Noise {
    /// Independent from point to point.
    Iid,
    /// Autocorrelated, by a coefficient that is estimated.
    #[default]
    Ar1,
}

/// The numbers that are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signal {
    /// The vectors.
    #[default]
    Value,
    /// Steps over their time, in units per second; a change is one of velocity.
    Increment,
    /// Lengths of the vectors.
    Norm,
}

/// Parameters of [`super::detect()`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    /// What a segment looks like.
    pub cost: Cost,
    /// What a change has to be worth.
    pub penalty: Penalty,
    /// Chance of a false change in a series without one, for [`Penalty::Auto`].
    pub alpha: f64,
    /// A smaller automatic penalty, which pays for every place of a change once.
    pub sensitive: bool,
    /// Least number of points a segment; 2 for means and levels, 5 for lines by default.
    pub min_segment: Option<usize>,
    /// What is known about the noise, for [`Cost::Mean`].
    pub noise: Noise,
    /// The numbers that are searched.
    pub signal: Signal,
    /// Scale every vector to length 1 first.
    pub normalize: bool,
    /// How many dimensions to name for each change.
    pub top: usize,
    /// Gaps and embedding models.
    pub cuts: Cuts,
    /// The number of best splits to give instead of the changes that a penalty leaves.
    pub best: Option<usize>,
    /// Look for single far points.
    pub outliers: bool,
    /// Largest number of draws that a p-value takes; 0 leaves p-values out.
    pub permutations: usize,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            cost: Cost::Auto,
            penalty: Penalty::Auto,
            alpha: penalty::DEFAULT_ALPHA,
            sensitive: false,
            min_segment: None,
            noise: Noise::Ar1,
            signal: Signal::Value,
            normalize: false,
            top: 10,
            cuts: Cuts::default(),
            best: None,
            outliers: false,
            permutations: 99,
        }
    }
}

impl Params {
    /// True when [`Params::noise`] has an effect on vectors of `dim` dimensions.
    pub fn uses_noise(&self, dim: usize) -> bool {
        let dim = if self.signal == Signal::Norm { 1 } else { dim };
        resolve(self, dim) != Cost::Level
    }
}

/// What segments look like, as far as that is settled before the search.
pub(super) fn resolve(params: &Params, dim: usize) -> Cost {
    match params.cost {
        Cost::Auto if dim > FEW_DIMENSIONS => Cost::Level,
        Cost::Auto if params.penalty != Penalty::Auto => Cost::Line,
        other => other,
    }
}

/// The least length of a segment: short series allow shorter lines.
pub(super) fn min_segment(params: &Params, cost: Cost, n: usize, dim: usize) -> usize {
    match (params.min_segment, cost) {
        (Some(m), _) => m.max(1),
        (None, Cost::Line) => (n / 4).clamp(2, MIN_FEW),
        (None, Cost::Mean) if dim <= FEW_DIMENSIONS => (n / 4).clamp(2, MIN_FEW),
        (None, _) => 2,
    }
}
