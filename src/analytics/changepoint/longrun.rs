//! Change points in one to a few dimensions: what people mark is large against the series' own
//! slow variation, not against its fastest noise.
//!
//! The penalty is `3 d ln n` long-run variances of what the segments leave over; since that
//! depends on the segments, search and penalty take turns. Penalties from residuals and their
//! autocorrelation: Shi, Gallagher, Lund and Killick 2022; Cho and Fryzlewicz 2024.

use super::cost::{LineCost, MeanCost};
use super::noise::MAX_PHI;
use super::pelt;
use super::series::Series;

/// Searches after the first one.
const ROUNDS: usize = 4;
/// Share of the whole sum of squares that is enough for a change, whatever the price.
const NEARLY_ALL: f64 = 0.99;
/// No penalty falls below this share of the mean square, and no variance below this.
const LEAST_PENALTY: f64 = 1e-9;
const LEAST_VARIANCE: f64 = 1e-12;

/// What a segment is fitted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Mean,
    Line,
}

impl Shape {
    /// Numbers fitted a column and segment.
    fn parameters(self) -> usize {
        match self {
            Shape::Mean => 1,
            Shape::Line => 2,
        }
    }

    fn left_over(self, part: &Series) -> Series {
        match self {
            Shape::Mean => around_mean(part),
            Shape::Line => around_line(part),
        }
    }

    fn search(self, series: &Series, penalty: f64, min_segment: usize) -> Vec<usize> {
        match self {
            Shape::Mean => pelt::search(&MeanCost::new(series), penalty, min_segment).changes,
            Shape::Line => pelt::search(&LineCost::new(series), penalty, min_segment).changes,
        }
    }
}

/// A segmentation with what it was judged by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub shape: Shape,
    pub changes: Vec<usize>,
    pub penalty: f64,
    /// Lag-one coefficient of what is left over.
    pub phi: f64,
    /// Bayesian information criterion with autoregressive residuals.
    pub criterion: f64,
}

/// What the user knows, or wants to risk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stakes {
    /// Price of a change in proportion to the default one.
    pub price: f64,
    /// False where the noise is known to be independent from point to point.
    pub remembers: bool,
}

/// Searches a centred series whose noise has about the same variance along every direction.
pub(crate) fn search(series: &Series, shape: Shape, min_segment: usize, stakes: Stakes) -> Found {
    let n = series.len();
    let unit = 3.0 * stakes.price * series.dim as f64 * (n.max(2) as f64).ln();
    let total: f64 = series.x.iter().map(|v| v * v).sum();
    // All that there is must be enough for the first change: of four points it would not be.
    let mut penalty = (unit * total / series.x.len() as f64).min(NEARLY_ALL * total);
    let least = LEAST_PENALTY * total / series.x.len() as f64;
    let memory = |r: &Residuals| if stakes.remembers { r.phi() } else { 0.0 };
    let mut changes = shape.search(series, penalty, min_segment);
    for _ in 0..ROUNDS {
        let r = Residuals::of(series, &changes, shape);
        let phi = memory(&r);
        penalty = (unit * r.variance() * (1.0 + phi) / (1.0 - phi)).min(NEARLY_ALL * total).max(least);
        let again = shape.search(series, penalty, min_segment);
        if again == changes {
            break;
        }
        changes = again;
    }
    let left = Residuals::of(series, &changes, shape);
    let segments = changes.len() + 1;
    let numbers = series.dim * shape.parameters() * segments + changes.len();
    let criterion = left.log_likelihood(n, LEAST_VARIANCE * total / series.x.len() as f64)
        + numbers as f64 * (n as f64).ln();
    Found { shape, changes, penalty, phi: left.phi(), criterion }
}

/// Sums over what the segments leave over, a column each.
struct Residuals {
    squares: Vec<f64>,
    /// Products of neighbours within a segment.
    products: Vec<f64>,
    /// Rows less fitted numbers.
    spare: f64,
}

impl Residuals {
    fn of(series: &Series, changes: &[usize], shape: Shape) -> Self {
        let d = series.dim;
        let mut out = Residuals { squares: vec![0.0; d], products: vec![0.0; d], spare: 0.0 };
        let starts = std::iter::once(0).chain(changes.iter().copied());
        let ends = changes.iter().copied().chain(std::iter::once(series.len()));
        for (a, b) in starts.zip(ends) {
            let left = shape.left_over(&series.part(a..b));
            left.x.iter().enumerate().for_each(|(i, v)| out.squares[i % d] += v * v);
            let neighbours = left.x.iter().zip(left.x.iter().skip(d));
            neighbours.enumerate().for_each(|(i, (v, w))| out.products[i % d] += v * w);
            out.spare += (b - a) as f64 - shape.parameters() as f64;
        }
        out.spare = out.spare.max(1.0);
        out
    }

    /// Lag-one coefficient, pooled over the columns, in [0, 0.95].
    fn phi(&self) -> f64 {
        clipped(self.products.iter().sum(), self.squares.iter().sum())
    }

    /// Variance a column, pooled.
    fn variance(&self) -> f64 {
        self.squares.iter().sum::<f64>() / (self.spare * self.squares.len() as f64)
    }

    /// `-2 log likelihood` up to a constant: one variance and one memory for all directions, so that
    /// rotating them changes nothing.
    fn log_likelihood(&self, n: usize, least: f64) -> f64 {
        let innovation = self.variance() * (1.0 - self.phi() * self.phi());
        (n * self.squares.len()) as f64 * innovation.max(least).ln()
    }
}

fn clipped(products: f64, squares: f64) -> f64 {
    if squares > 0.0 { (products / squares).clamp(0.0, MAX_PHI) } else { 0.0 }
}

/// What a mean leaves over.
fn around_mean(part: &Series) -> Series {
    let mut out = part.clone();
    out.centre();
    out
}

/// What a straight line in the index leaves over.
fn around_line(part: &Series) -> Series {
    let mut out = around_mean(part);
    let middle = (out.len() as f64 - 1.0) / 2.0;
    let spread: f64 = (0..out.len()).map(|i| (i as f64 - middle).powi(2)).sum();
    if spread == 0.0 {
        return out;
    }
    let mut slope = vec![0.0; out.dim];
    for i in 0..out.len() {
        slope.iter_mut().zip(out.row(i)).for_each(|(s, v)| *s += (i as f64 - middle) * v / spread);
    }
    for (i, row) in out.x.chunks_exact_mut(slope.len()).enumerate() {
        row.iter_mut().zip(&slope).for_each(|(v, s)| *v -= (i as f64 - middle) * s);
    }
    out
}
