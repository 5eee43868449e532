//! A seeded random rotation in O(D log D): sign flips and Walsh-Hadamard transforms in turn.
//!
//! The transform wants a power of two: it is applied to the first and to the last such many
//! components in turn, four rounds in all, so that no padding is needed.

use super::random::Draws;
use crate::simd::hadamard::walsh_hadamard;

const ROUNDS: usize = 4;

/// The rotation of a seed and dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomRotation {
    dim: usize,
    /// Length of the transform: the greatest power of two not above `dim`.
    width: usize,
    /// Signs of each round.
    signs: Vec<f32>,
}

impl RandomRotation {
    /// The same for the same arguments, always.
    pub fn new(dim: usize, seed: u64) -> RandomRotation {
        let mut draws = Draws::new(seed, 0x524f_5441);
        let signs = (0..ROUNDS * dim).map(|_| if draws.bits() >> 63 == 0 { 1.0 } else { -1.0 }).collect();
        let width = if dim.is_power_of_two() { dim } else { dim.next_power_of_two() / 2 };
        RandomRotation { dim, width, signs }
    }

    fn window(&self, round: usize) -> std::ops::Range<usize> {
        if round % 2 == 0 { 0..self.width } else { self.dim - self.width..self.dim }
    }

    fn flip(&self, round: usize, x: &mut [f32]) {
        for (x, s) in x.iter_mut().zip(&self.signs[round * self.dim..]) {
            *x *= s;
        }
    }

    /// Rotates a vector in place.
    pub fn apply(&self, x: &mut [f32]) {
        for round in 0..ROUNDS {
            self.flip(round, x);
            walsh_hadamard(&mut x[self.window(round)]);
        }
    }

    /// Rotates a vector back in place.
    pub fn undo(&self, x: &mut [f32]) {
        for round in (0..ROUNDS).rev() {
            walsh_hadamard(&mut x[self.window(round)]);
            self.flip(round, x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_lengths_and_comes_back() {
        for dim in [1, 2, 3, 8, 100, 384] {
            let r = RandomRotation::new(dim, 4);
            let mut d = Draws::new(1, dim as u64);
            let x: Vec<f32> = (0..dim).map(|_| d.unit() as f32 - 0.5).collect();
            let mut y = x.clone();
            r.apply(&mut y);
            let norm = |v: &[f32]| v.iter().map(|a| f64::from(*a).powi(2)).sum::<f64>().sqrt();
            assert!((norm(&x) - norm(&y)).abs() < 1e-5);
            r.undo(&mut y);
            assert!(x.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }

    #[test]
    fn spreads_one_component_over_all() {
        let dim = 384;
        let r = RandomRotation::new(dim, 9);
        for i in [0, 200, 383] {
            let mut x = vec![0.0; dim];
            x[i] = 1.0;
            r.apply(&mut x);
            let greatest = x.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            assert!(greatest < 0.35, "{greatest}");
            assert!(x.iter().filter(|v| **v != 0.0).count() > dim / 2);
        }
    }
}
