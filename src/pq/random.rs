//! Seeded draws that repeat for years: Xoshiro256++ by name, and our own conversions, since
//! those of general-purpose crates may change between releases.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// A stream of draws.
pub struct Draws(Xoshiro256PlusPlus);

impl Draws {
    /// The stream of a seed; `stream` sets several of one seed apart.
    pub fn new(seed: u64, stream: u64) -> Draws {
        Draws(Xoshiro256PlusPlus::seed_from_u64(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (-53f64).exp2()
    }

    /// Uniform in `0..n`; `n` is not 0. (The bias of n / 2^64 is of no account here.)
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_and_stay_in_range() {
        let mut a = Draws::new(7, 1);
        let mut b = Draws::new(7, 1);
        let mut c = Draws::new(7, 2);
        let first: Vec<u64> = (0..4).map(|_| a.bits()).collect();
        assert_eq!(first, (0..4).map(|_| b.bits()).collect::<Vec<_>>());
        assert_ne!(first, (0..4).map(|_| c.bits()).collect::<Vec<_>>());
        for n in [1, 2, 1000] {
            assert!((0..100).all(|_| a.below(n) < n));
        }
        let mean = (0..4000).map(|_| a.unit()).sum::<f64>() / 4000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
    }
}
