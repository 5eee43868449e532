//! When a score is an alarm: it exceeds what the stream itself has shown.
//!
//! In any stationary stream the newest value is the largest of the last N once in N points, whatever
//! its distribution and however it remembers. Before N points were seen the largest of n is carried
//! on to N by an exponential tail, as for streams of extreme values (Siffer, Fouque, Termier and
//! Largouet, KDD 2017), with a scale that is measured on the upper tenth of the scores and shrunk
//! towards that of independent noise.

use super::ranks::Ranks;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many values above the bound the prior of the tail's scale is worth.
const PRIOR_WEIGHT: f64 = 20.0;
/// Only this share of the past counts while it is shorter than N: a detector's first scores, made
/// when it had learnt little, are forgotten.
const SHARE: f64 = 0.5;
/// Least number of scores that count.
const LEAST: f64 = 40.0;
/// An alarm raises the largest score by at most this much: a stream that alarms too often becomes
/// stricter, and one great change does not make it deaf.
const RISE: f64 = 2.0;
/// Records that are kept. A longer list is thinned so that the threshold is never lower.
const KEPT: usize = 256;

/// The largest scores of the past.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Records {
    /// The newest scores wait: a change that is under way must not be its own yardstick.
    lag: usize,
    /// Scale of the tail for independent noise.
    prior: f64,
    seen: u64,
    waiting: VecDeque<f64>,
    /// Scores that no later one exceeds, with their positions.
    largest: VecDeque<(u64, f64)>,
    top: Ranks,
}

impl Records {
    /// `lag` scores wait before they count; `prior` is the scale of the scores' tail in noise.
    pub fn new(lag: usize, prior: f64) -> Self {
        Records {
            lag,
            prior,
            seen: 0,
            waiting: VecDeque::new(),
            largest: VecDeque::new(),
            top: Ranks::default(),
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Records::new(self.lag, self.prior);
    }

    /// What a score must exceed when alarms are to be `n` points apart.
    pub fn threshold(&self, n: f64) -> f64 {
        let largest = self.largest.front().map_or(0.0, |f| f.1);
        let (k, sum) = self.top.top_excess();
        let scale = ((sum + PRIOR_WEIGHT * self.prior) / (k + PRIOR_WEIGHT)).clamp(0.4, 2.0);
        largest + scale * (n / self.reach(n).max(1.0)).ln().max(0.0)
    }

    /// Takes in a score, cut to what an alarm may raise the threshold by.
    pub fn push(&mut self, score: f64, n: f64) {
        self.waiting.push_back(score.min(self.threshold(n) + RISE));
        let waits = self.lag.min((self.seen as usize + self.waiting.len()) / 2);
        while self.waiting.len() > waits {
            let Some(score) = self.waiting.pop_front() else { break };
            self.settle(score, n);
        }
    }

    /// How many of the last scores count.
    fn reach(&self, n: f64) -> f64 {
        let seen = self.seen as f64;
        (SHARE * seen).max(LEAST).min(seen).min(n)
    }

    fn settle(&mut self, score: f64, n: f64) {
        self.top.push(score);
        while self.largest.back().is_some_and(|b| b.1 <= score) {
            self.largest.pop_back();
        }
        let full = self.largest.len() >= KEPT;
        match self.largest.back_mut() {
            Some(last) if full => last.0 = self.seen,
            _ => self.largest.push_back((self.seen, score)),
        }
        self.seen += 1;
        let first = self.seen as f64 - self.reach(n);
        while self.largest.front().is_some_and(|f| (f.0 as f64) < first) {
            self.largest.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::rng::Random;

    #[test]
    fn any_stationary_score_passes_once_in_n_points() {
        // Exponential scores, then such that remember, with a tail of another scale.
        for (name, scale, keep) in [("independent", 1.0, 0.0), ("wide", 1.5, 0.0), ("remembering", 0.7, 0.95)]
        {
            let (n, mut alarms, points) = (500.0, 0.0, 60_000);
            for seed in 0..6 {
                let mut random = Random::new(seed, "records", 0);
                let (mut records, mut level, mut quiet) = (Records::new(64, 0.8), 0.0f64, 0);
                for i in 0..points / 6 {
                    level = keep * level - scale * (1.0 - random.unit()).ln() * (1.0 - keep);
                    if i > 200 && quiet == 0 && level > records.threshold(n) {
                        (alarms, quiet) = (alarms + 1.0, 30);
                    }
                    quiet = i32::max(quiet - 1, 0);
                    records.push(level, n);
                }
            }
            let times = alarms * n / f64::from(points);
            assert!((0.5..2.0).contains(&times), "{name}: {times:.2} times the rate");
        }
    }

    #[test]
    fn memory_is_bounded_and_one_great_score_does_not_deafen() {
        let mut records = Records::new(64, 0.8);
        (0..5_000).for_each(|i| records.push(1.0 - f64::from(i) * 1e-6, 1e6));
        assert!(records.largest.len() <= KEPT && records.waiting.len() <= 64);
        let before = records.threshold(1e6);
        records.push(1e9, 1e6);
        (0..100).for_each(|_| records.push(0.5, 1e6));
        assert!(records.threshold(1e6) <= before + 4.0 * RISE);
    }
}
