//! The points of one period.

use crate::analytics::geometry::norm;
use crate::model::Trajectory;

/// The points of one period, less their mean once that is known.
pub(super) struct Side {
    pub rows: Vec<f64>,
    pub dim: usize,
    pub mean: Vec<f64>,
    /// Length of the longest point.
    pub largest: f64,
    /// True when the points differ by no more than rounding.
    pub still: bool,
}

impl Side {
    pub fn new(part: &Trajectory<'_>, unit_length: bool) -> Side {
        let dim = part.dim;
        let mut rows: Vec<f64> = part.x.iter().map(|&v| f64::from(v)).collect();
        let mut largest = 0.0f64;
        for row in rows.chunks_exact_mut(dim) {
            let length = norm(row);
            if unit_length && length > 0.0 {
                row.iter_mut().for_each(|v| *v /= length);
            }
            largest = largest.max(if unit_length { length.min(1.0) } else { length });
        }
        let mut mean = vec![0.0; dim];
        for row in rows.chunks_exact(dim) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
        }
        let n = part.len() as f64;
        mean.iter_mut().for_each(|m| *m /= n);
        Side { rows, dim, mean, largest, still: false }
    }

    pub fn len(&self) -> usize {
        self.rows.len() / self.dim
    }

    /// Subtracts the mean; residuals of no more than `blur` all over are none.
    pub fn residuals_of(&mut self, blur: f64) {
        self.still = true;
        for row in self.rows.chunks_exact_mut(self.dim) {
            row.iter_mut().zip(&self.mean).for_each(|(v, m)| *v -= m);
            self.still &= norm(row) <= blur;
        }
        if self.still {
            self.rows.fill(0.0);
        }
    }
}
