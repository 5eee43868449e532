//! The points since the last change, and how far its two sides lie apart.

use super::sums::LONGEST;
use crate::analytics::geometry::{cosine_distance, l2_distance};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

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
    recent: VecDeque<Vec<f32>>,
}

impl Stretch {
    /// Takes in the next point.
    pub fn observe(&mut self, x: &[f32]) {
        self.recent.push_back(x.to_vec());
        if self.recent.len() > LONGEST + 1
            && let Some(settled) = self.recent.pop_front()
        {
            self.settle(&settled);
        }
    }

    fn settle(&mut self, x: &[f32]) {
        self.sum.resize(x.len(), 0.0);
        self.sum.iter_mut().zip(x).for_each(|(s, &x)| *s += f64::from(x));
        self.n += 1;
    }

    /// The two sides of a change `length` points ago.
    pub fn sides(&self, length: usize) -> Stretches {
        let split = self.recent.len().saturating_sub(length);
        let dim = self.recent.back().map_or(0, Vec::len);
        let mut before = self.sum.clone();
        before.resize(dim, 0.0);
        let mut after = vec![0.0; dim];
        for (i, x) in self.recent.iter().enumerate() {
            let side = if i < split { &mut before } else { &mut after };
            side.iter_mut().zip(x).for_each(|(s, &x)| *s += f64::from(x));
        }
        let (n_before, n_after) = (self.n + split as u64, (self.recent.len() - split) as u64);
        before.iter_mut().for_each(|v| *v /= n_before.max(1) as f64);
        after.iter_mut().for_each(|v| *v /= n_after.max(1) as f64);
        Stretches {
            n_before,
            n_after,
            l2: l2_distance(&before, &after),
            cosine: cosine_distance(&before, &after),
        }
    }

    /// Ends the stretch before its last `length` points, with which the next one begins.
    pub fn cut(&mut self, length: usize) -> Stretches {
        let sides = self.sides(length);
        let after = self.recent.split_off(self.recent.len().saturating_sub(length));
        *self = Stretch { n: 0, sum: Vec::new(), recent: after };
        sides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_means_of_their_points() {
        let mut stretch = Stretch::default();
        (0..30).for_each(|i| stretch.observe(&[(i % 2) as f32, 1.0]));
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
