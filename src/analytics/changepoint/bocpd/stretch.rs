//! The points since the last change, and how far its two sides lie apart.

use super::RECENT;
use crate::analytics::geometry::{cosine_distance, l2_distance};
use serde::{Deserialize, Serialize};

/// The two sides of a change: how many points, and how far apart their means are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretches {
    /// Points since the change before, or since the start.
    pub n_before: u64,
    /// Points from the change to where it was noticed.
    pub n_after: u64,
    /// Distance of the two means.
    pub l2: f64,
    /// Their cosine distance; missing when one has length zero.
    pub cosine: Option<f64>,
}

/// The points since the last change.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// How many points lie before `recent`, and their sum.
    n: u64,
    sum: Vec<f64>,
    /// The newest points, which a change may still claim, the newest last.
    recent: Vec<Vec<f64>>,
}

impl Stretch {
    /// Takes in the next point.
    pub fn observe(&mut self, x: &[f64]) {
        self.recent.push(x.to_vec());
        if self.recent.len() > RECENT as usize {
            let settled = self.recent.remove(0);
            self.settle(&settled);
        }
    }

    fn settle(&mut self, x: &[f64]) {
        self.sum.resize(x.len(), 0.0);
        self.sum.iter_mut().zip(x).for_each(|(s, x)| *s += x);
        self.n += 1;
    }

    /// Ends the stretch before its last `length` points, with which the next one begins.
    pub fn cut(&mut self, length: usize) -> Stretches {
        let after = self.recent.split_off(self.recent.len() - length);
        for x in std::mem::take(&mut self.recent) {
            self.settle(&x);
        }
        let mean = |sum: &[f64], n: u64| sum.iter().map(|s| s / n as f64).collect::<Vec<f64>>();
        let mut sum = vec![0.0; self.sum.len()];
        for x in &after {
            sum.iter_mut().zip(x).for_each(|(s, x)| *s += x);
        }
        let (before, new) = (mean(&self.sum, self.n), mean(&sum, length as u64));
        let out = Stretches {
            n_before: self.n,
            n_after: length as u64,
            l2: l2_distance(&before, &new),
            cosine: cosine_distance(&before, &new),
        };
        *self = Stretch { n: 0, sum: Vec::new(), recent: after };
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_means_of_their_points() {
        let mut stretch = Stretch::default();
        (0..30).for_each(|i| stretch.observe(&[f64::from(i % 2), 1.0]));
        (0..4).for_each(|_| stretch.observe(&[3.5, 1.0]));
        let found = stretch.cut(4);
        assert_eq!((found.n_before, found.n_after, found.l2), (30, 4, 3.0));
        assert!((found.cosine.unwrap() - (1.0 - (0.5 * 3.5 + 1.0) / (1.25f64 * 13.25).sqrt())).abs() < 1e-12);
        // The next stretch begins with the points after the change.
        (0..20).for_each(|_| stretch.observe(&[3.5, 1.0]));
        stretch.observe(&[0.0, 1.0]);
        let found = stretch.cut(1);
        assert_eq!((found.n_before, found.n_after, found.l2), (24, 1, 3.5));
    }
}
