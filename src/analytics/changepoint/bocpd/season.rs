//! The period of a stream, in points, if it has one.
//!
//! It is looked for in the autocorrelation of the last 2,048 points, ever more rarely: behind the
//! first fall below zero, the first peak that nearly reaches the highest. The peak is then made exact
//! by its multiples, a comb, on which neighbouring periods part.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Points that a period is looked for in.
const KEPT: usize = 2048;
/// No period is looked for in fewer points.
const FIRST: u64 = 48;
/// A period that was found is given up when so many searches in a row find none.
const PATIENCE: u32 = 3;

/// Series in which a common period is looked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Season {
    rings: Vec<VecDeque<f32>>,
    seen: u64,
    next: u64,
    period: usize,
    fails: u32,
}

impl Season {
    pub fn new(series: usize) -> Self {
        Season { rings: vec![VecDeque::new(); series], seen: 0, next: FIRST, period: 0, fails: 0 }
    }

    /// The period, 0 for none.
    pub fn period(&self) -> usize {
        self.period
    }

    /// Points seen, the time that phases are counted in.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The points that are kept of a series, the oldest first.
    pub fn kept(&self, series: usize) -> &VecDeque<f32> {
        &self.rings[series]
    }

    /// Takes in the next point; true when the period changed. Periods above `longest` are none.
    pub fn observe(&mut self, x: impl Iterator<Item = f64>, longest: usize) -> bool {
        for (ring, x) in self.rings.iter_mut().zip(x) {
            ring.push_back(x as f32);
            if ring.len() > KEPT {
                ring.pop_front();
            }
        }
        self.seen += 1;
        if self.seen < self.next {
            return false;
        }
        self.next = self.seen + (self.seen / 4).clamp(16, 512);
        let found = find(&self.rings, self.period);
        let found = if found > longest { 0 } else { found };
        self.fails = if found == 0 { self.fails + 1 } else { 0 };
        if found == self.period || (found == 0 && self.fails < PATIENCE) {
            return false;
        }
        self.period = found;
        true
    }
}

/// The common period of these series, 0 for none; `known` is kept where it is about as good.
fn find(series: &[VecDeque<f32>], known: usize) -> usize {
    let n = series.first().map_or(0, VecDeque::len);
    let top = n * 2 / 5;
    let acf = autocorrelation(series, top);
    let Some(first) = (1..=top).find(|&k| acf[k] < 0.0) else { return 0 };
    let peak = |k: usize| k > 1 && k < top && acf[k] > acf[k - 1] && acf[k] >= acf[k + 1];
    let peaks = || (first.max(2)..top).filter(|&k| peak(k));
    let highest = peaks().map(|k| acf[k]).fold(0.0, f64::max);
    let Some(near) = peaks().find(|&k| acf[k] >= 0.92 * highest) else { return 0 };
    let comb = |p: usize| {
        let teeth = top / p;
        (1..=teeth).map(|i| acf[i * p]).sum::<f64>() / teeth.max(1) as f64
    };
    let reach = (1 + near / 24).min(near - 2);
    let around = near - reach..=(near + reach).min(top);
    let fine = around.max_by(|&a, &b| comb(a).total_cmp(&comb(b))).unwrap_or(near);
    let stays =
        (2..=top).contains(&known) && acf[known] >= 0.85 * highest && comb(known) >= comb(fine) - 0.03;
    let best = if stays { known } else { fine };
    // Bartlett's variance of an autocorrelation, given those before it.
    let squares: f64 = acf[1..=best].iter().map(|a| a * a).sum();
    let sd = ((1.0 + 2.0 * squares) / (n * series.len()) as f64).sqrt();
    if highest > (4.0 * sd).min(0.8) && highest > 0.15 { best } else { 0 }
}

/// The mean autocorrelation of the series up to lag `top`; their outer fiftieths are cut, so that
/// two bursts are no period.
fn autocorrelation(series: &[VecDeque<f32>], top: usize) -> Vec<f64> {
    let mut acf = vec![0.0; top + 1];
    for x in series {
        let n = x.len();
        let mut sorted: Vec<f32> = x.iter().copied().collect();
        sorted.sort_by(f32::total_cmp);
        let (low, high) = (sorted[n / 50], sorted[n - 1 - n / 50]);
        let mut y: Vec<f64> = x.iter().map(|v| f64::from(v.clamp(low, high))).collect();
        let mean = y.iter().sum::<f64>() / n as f64;
        y.iter_mut().for_each(|v| *v -= mean);
        let square = y.iter().map(|v| v * v).sum::<f64>() / n as f64;
        if square <= 0.0 {
            continue;
        }
        for (k, sum) in acf.iter_mut().enumerate() {
            let products: f64 = y[k..].iter().zip(&y).map(|(a, b)| a * b).sum();
            *sum += products / ((n - k) as f64 * square * series.len() as f64);
        }
    }
    acf
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::rng::Random;

    fn found(n: usize, f: impl Fn(usize, &mut Random) -> f64) -> usize {
        let mut random = Random::new(1, "season", 0);
        let mut season = Season::new(1);
        for i in 0..n {
            season.observe(std::iter::once(f(i, &mut random)), usize::MAX);
        }
        season.period()
    }

    #[test]
    fn periods_are_found_in_waves_and_steps_and_not_in_noise() {
        let wave = |p: f64, i: usize| (std::f64::consts::TAU * i as f64 / p).sin();
        for p in [7usize, 24, 50, 288] {
            let period = found(2048, |i, r| 3.0 * wave(p as f64, i) + r.normal());
            assert!(period.abs_diff(p) <= p / 100, "{p}: {period}");
        }
        let steps = |i: usize, r: &mut Random| f64::from(u8::from(i % 24 < 8)) * 3.0 + r.normal();
        assert_eq!(found(1000, steps), 24);
        assert_eq!(found(2048, |_, r| r.normal()), 0);
        assert_eq!(found(600, |i, _| i as f64), 0);
        assert_eq!(found(300, |_, _| 1.0), 0);
    }
}
