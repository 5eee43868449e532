//! Single points that lie far from their neighbours.

use crate::analytics::changepoint::noise::{Shape, median, robust};
use crate::analytics::changepoint::series::Series;
use crate::analytics::geometry::squared_distance;

/// Points in a window, the one that is judged among them.
const WINDOW: usize = 5;

/// A row that lies further from the middle of its five neighbours than noise of normal tails does but
/// in about `alpha` of all series; with its distance in radii of the noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Far {
    pub index: usize,
    pub radii: f64,
}

/// The far rows. A jump is none: its first point lies among those after it.
pub(crate) fn far(x: &Series, alpha: f64) -> Vec<Far> {
    let n = x.len();
    let Some(shape) = Shape::of(x).filter(|_| n >= WINDOW) else { return Vec::new() };
    let trace = robust(x).0;
    if trace <= 0.0 {
        return Vec::new();
    }
    let limit = trace * shape.tail((n as f64 / alpha).ln());
    let judged = (0..n).map(|i| {
        let first = i.saturating_sub(WINDOW / 2).min(n - WINDOW);
        let column = |d: usize| median(&mut [0, 1, 2, 3, 4].map(|j| x.row(first + j)[d]));
        let middle: Vec<f64> = (0..x.dim).map(column).collect();
        (i, squared_distance(x.row(i), &middle))
    });
    judged
        .filter(|(_, square)| *square > limit)
        .map(|(index, square)| Far { index, radii: (square / trace).sqrt() })
        .collect()
}
