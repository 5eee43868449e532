//! One column of few: what is left of a value when its level, season and memory are taken away,
//! as a normal score and as a distance from the usual.

use super::memory::{LAGS, MEMORY, Memory};
use super::ranks::Ranks;
use super::season::Season;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Deviations beyond this many mean absolute ones (as standard deviations) are cut before
/// anything is learnt from them.
const CUT: f64 = 4.0;
/// Cycles that a season's shape is the mean of.
const CYCLES: f64 = 6.0;
/// Points of a new level before the season is learnt from it.
pub(super) const SETTLED: f64 = 20.0;

/// What a value says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    /// The normal score of what is left; 0 while nothing is known.
    pub score: f64,
    /// `-ln` of the chance to be so far out.
    pub tail: f64,
    /// True when the period changed: what was learnt of the noise no longer holds.
    pub changed: bool,
}

/// One column's model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Column {
    level: f64,
    /// Points of this level.
    n: f64,
    past: VecDeque<f64>,
    memory: Memory,
    /// Standard deviation about the level, from mean absolute deviations.
    scale: f64,
    ranks: Ranks,
    season: Season,
    /// The shape of the season, by phase.
    profile: Vec<f64>,
}

impl Column {
    pub fn new() -> Self {
        Column {
            level: 0.0,
            n: 0.0,
            past: VecDeque::new(),
            memory: Memory::default(),
            scale: 0.0,
            ranks: Ranks::default(),
            season: Season::new(1),
            profile: Vec::new(),
        }
    }

    /// Learns the level anew from the next point on.
    pub fn relearn(&mut self) {
        self.n = 0.0;
    }

    /// Standard deviation about the level.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The sum of the coefficients of its memory: near 1 for a level that wanders.
    pub fn persistence(&self) -> f64 {
        self.memory.phi().iter().sum()
    }

    fn phase(&self) -> Option<usize> {
        let period = self.profile.len();
        (period > 0).then(|| (self.season.seen() % period as u64) as usize)
    }

    /// Takes in the next value.
    pub fn observe(&mut self, x: f64) -> Told {
        let phase = self.phase();
        let usual = phase.map_or(0.0, |i| self.profile[i]);
        if self.n == 0.0 {
            self.level = x - usual;
        }
        let d = x - usual - self.level;
        let expected: f64 = self.memory.phi().iter().zip(&self.past).map(|(p, v)| p * v).sum();
        // Residuals of a mean that grows are independent, the early ones wider.
        let left = (d - expected) / (1.0 + 1.0 / self.n.max(1.0)).sqrt();
        let (score, tail) = (self.ranks.score(left).unwrap_or(0.0), self.ranks.tail(left));
        self.ranks.push(left);
        let bound = CUT * self.scale;
        let cut = if self.scale > 0.0 { d.clamp(-bound, bound) } else { d };
        self.learn(if self.memory.weight < 10.0 { d } else { cut });
        self.n = (self.n + 1.0).min(MEMORY);
        self.level += if self.n > 10.0 { cut } else { d } / self.n;
        if let Some(i) = phase
            && self.n >= SETTLED
        {
            let cycles = (self.season.kept(0).len() as f64 / self.profile.len() as f64).clamp(2.0, CYCLES);
            self.profile[i] += (x - self.level - self.profile[i]) / (cycles + 1.0);
        }
        let had = !self.profile.is_empty();
        let moved = self.season.observe(std::iter::once(x), usize::MAX);
        if moved {
            self.profile = shape(self.season.kept(0), self.season.period(), self.season.seen());
            self.memory = Memory::default();
            self.past.clear();
        }
        // A period made exact leaves noise of the same kind.
        let changed = moved && (!had || self.profile.is_empty());
        Told { score, tail, changed }
    }

    fn learn(&mut self, d: f64) {
        self.past.push_front(d);
        self.past.truncate(LAGS + 1);
        let products: Vec<f64> = self.past.iter().map(|v| d * v).collect();
        self.memory.observe(&products, 1.0);
        self.scale += ((std::f64::consts::PI / 2.0).sqrt() * d.abs() - self.scale) / self.memory.weight;
    }
}

/// The season's shape: trimmed means by phase, around their own mean.
fn shape(kept: &VecDeque<f32>, period: usize, seen: u64) -> Vec<f64> {
    if period == 0 {
        return Vec::new();
    }
    let first = seen as usize - kept.len();
    let mut by_phase = vec![Vec::new(); period];
    kept.iter().enumerate().for_each(|(i, &v)| by_phase[(first + i) % period].push(v));
    let mut shape: Vec<f64> = by_phase
        .iter_mut()
        .map(|values| {
            values.sort_by(f32::total_cmp);
            let cut = values.len() / 5;
            let inner = &values[cut..values.len() - cut];
            inner.iter().map(|&v| f64::from(v)).sum::<f64>() / inner.len().max(1) as f64
        })
        .collect();
    let mean = shape.iter().sum::<f64>() / period as f64;
    shape.iter_mut().for_each(|v| *v -= mean);
    shape
}
