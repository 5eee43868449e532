//! Vectors of many dimensions as a whole: one memory for all, and directions of what is left.
//!
//! What is left of a point is scaled to length 1 (spatial signs: Mottonen and Oja 1995), so that a
//! loud point says no more than a quiet one; its length is judged by itself, among the last lengths.
//! The squared sum of w directions is spread as a chi square of so many degrees of freedom as the
//! directions' covariance has (Box 1954), divided by them.

use super::column::SETTLED;
use super::memory::{LAGS, MEMORY, Memory};
use super::ranks::Ranks;
use super::season::Season;
use crate::analytics::geometry::{dot, norm};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Vectors longer than this many mean lengths are shortened before anything is learnt from them.
const CUT: f64 = 3.0;
/// Series of random signs in which a period is looked for.
const SKETCHES: usize = 4;
/// Most values of a season's shape.
const MAX_SHAPE: usize = 1 << 18;
/// Cycles that a season's shape is the mean of, and cycles before it is used.
const CYCLES: f64 = 6.0;
const FIRST_CYCLES: u64 = 2;
/// Directions whose products with a new one are looked at.
const NEIGHBOURS: usize = 4;
/// Points before the directions' mean is learnt.
const START: u64 = 10;

/// What a point says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    /// The direction of what is left, less the mean direction.
    pub direction: Vec<f64>,
    /// `-ln` of the chance to be so long.
    pub tail: f64,
    /// True when the period changed: what was learnt of the noise no longer holds.
    pub changed: bool,
}

/// The model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Whole {
    level: Vec<f64>,
    /// Points of this level.
    n: f64,
    seen: u64,
    past: VecDeque<Vec<f32>>,
    memory: Memory,
    /// Mean length of deviations from the level.
    scale: f64,
    lengths: Ranks,
    mean_direction: Vec<f64>,
    n_direction: f64,
    last: VecDeque<Vec<f32>>,
    /// Mean squared product of two directions, and how many made it.
    product: f64,
    n_product: f64,
    season: Season,
    shape: Vec<f32>,
    cycles: Vec<f32>,
    /// When the shape was begun, and whether it is used.
    begun: u64,
    used: bool,
}

impl Whole {
    pub fn new(dim: usize) -> Self {
        Whole {
            level: vec![0.0; dim],
            n: 0.0,
            seen: 0,
            past: VecDeque::new(),
            memory: Memory::default(),
            scale: 0.0,
            lengths: Ranks::default(),
            mean_direction: vec![0.0; dim],
            n_direction: 0.0,
            last: VecDeque::new(),
            product: 0.0,
            n_product: 0.0,
            season: Season::new(SKETCHES),
            shape: Vec::new(),
            cycles: Vec::new(),
            begun: 0,
            used: false,
        }
    }

    /// Learns the level anew from the next point on.
    pub fn relearn(&mut self) {
        self.n = 0.0;
    }

    /// Mean length of deviations from the level.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The sum of the coefficients of its memory: near 1 for a level that wanders.
    pub fn persistence(&self) -> f64 {
        self.memory.phi().iter().sum()
    }

    /// Degrees of freedom of the directions.
    pub fn freedom(&self) -> f64 {
        let dim = self.level.len() as f64;
        if self.n_product < 10.0 || self.product <= 0.0 { dim } else { (1.0 / self.product).clamp(1.0, dim) }
    }

    /// Takes in the next point.
    pub fn observe(&mut self, x: &[f64]) -> Told {
        let changed = self.search(x);
        let phase = self.phase();
        let mut d = x.to_vec();
        if let Some(i) = phase.filter(|_| self.used) {
            let usual = &self.shape[i * x.len()..(i + 1) * x.len()];
            d.iter_mut().zip(usual).for_each(|(d, &u)| *d -= f64::from(u));
        }
        if self.n == 0.0 {
            self.level.copy_from_slice(&d);
        }
        d.iter_mut().zip(&self.level).for_each(|(d, l)| *d -= l);
        let mut left = d.clone();
        for (p, v) in self.memory.phi().iter().zip(&self.past) {
            left.iter_mut().zip(v).for_each(|(l, &v)| *l -= p * f64::from(v));
        }
        // Residuals of a mean that grows are independent, the early ones longer.
        let length = norm(&left) / (1.0 + 1.0 / self.n.max(1.0)).sqrt();
        let tail = self.lengths.upper_tail(length);
        self.lengths.push(length);
        let direction = self.direction(left);
        self.learn(&d);
        if let Some(i) = phase {
            self.learn_shape(i, x);
        }
        self.seen += 1;
        Told { direction, tail, changed }
    }

    fn phase(&self) -> Option<usize> {
        let period = self.cycles.len();
        (period > 0).then(|| (self.season.seen() % period as u64) as usize)
    }

    /// Scales what is left to length 1, and learns how directions spread.
    fn direction(&mut self, left: Vec<f64>) -> Vec<f64> {
        let length = norm(&left);
        if length <= 0.0 {
            return left;
        }
        let unit: Vec<f64> = left.into_iter().map(|v| v / length).collect();
        for other in &self.last {
            let product = dot(&unit, other);
            self.n_product = (self.n_product + 1.0).min(NEIGHBOURS as f64 * MEMORY);
            self.product += (product * product - self.product) / self.n_product;
        }
        self.last.push_front(unit.iter().map(|&v| v as f32).collect());
        self.last.truncate(NEIGHBOURS);
        let wider = if self.n_direction > 0.0 { 1.0 + 1.0 / self.n_direction } else { 1.0 };
        let narrow = 1.0 / wider.sqrt();
        let out = unit.iter().zip(&self.mean_direction).map(|(u, m)| (u - m) * narrow).collect();
        if self.seen >= START {
            self.n_direction = (self.n_direction + 1.0).min(MEMORY);
            let n = self.n_direction;
            self.mean_direction.iter_mut().zip(&unit).for_each(|(m, u)| *m += (u - *m) / n);
        }
        out
    }

    /// Learns level and memory from a deviation, shortened when it is long.
    fn learn(&mut self, d: &[f64]) {
        let length = norm(d);
        let bound = CUT * self.scale;
        let short =
            if self.memory.weight > 10.0 && length > bound && bound > 0.0 { bound / length } else { 1.0 };
        self.past.push_front(d.iter().map(|v| (v * short) as f32).collect());
        self.past.truncate(LAGS + 1);
        let newest = &self.past[0];
        let products: Vec<f64> = self.past.iter().map(|v| dot(newest, v)).collect();
        let unit = self.freedom();
        self.memory.observe(&products, unit);
        // A loud point moves the level no more than a usual one (Huber's mean).
        let fair = if short < 1.0 || (self.memory.weight > 10.0 && length > self.scale) {
            self.scale / length
        } else {
            1.0
        };
        self.scale += (length * short - self.scale) / self.memory.weight;
        self.n = (self.n + 1.0).min(MEMORY);
        let gain = fair / self.n;
        self.level.iter_mut().zip(d).for_each(|(l, d)| *l += gain * d);
    }

    /// Follows the season's shape at a phase.
    fn learn_shape(&mut self, i: usize, x: &[f64]) {
        if self.n < SETTLED {
            return;
        }
        let gain = 1.0 / (self.cycles[i] + 1.0);
        self.cycles[i] = (self.cycles[i] + 1.0).min(CYCLES as f32);
        let shape = &mut self.shape[i * x.len()..(i + 1) * x.len()];
        for ((s, &x), &l) in shape.iter_mut().zip(x).zip(&self.level) {
            *s += gain * ((x - l) as f32 - *s);
        }
    }

    /// Looks for a period; true when what is taken away from points changes with it.
    fn search(&mut self, x: &[f64]) -> bool {
        let dim = x.len();
        let sketch = |k: u64| {
            let mut bits = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(k + 1);
            x.iter().fold(0.0, |sum, v| {
                bits ^= bits << 13;
                bits ^= bits >> 7;
                bits ^= bits << 17;
                if bits >> 63 == 1 { sum + v } else { sum - v }
            })
        };
        let moved = self.season.observe((0..SKETCHES as u64).map(sketch), MAX_SHAPE / dim.max(1));
        let seen = self.season.seen();
        let mut changed = false;
        if moved {
            changed = self.used;
            self.rebuild(seen as usize, dim);
        }
        let cycle = self.cycles.len() as u64;
        if cycle > 0 && !self.used && seen - self.begun >= FIRST_CYCLES * cycle {
            (self.used, changed) = (true, true);
        }
        if changed {
            self.memory = Memory::default();
            self.past.clear();
            self.n_product = 0.0;
        }
        changed
    }

    /// Begins a shape for the period that was found, from the one before where there is one.
    fn rebuild(&mut self, seen: usize, dim: usize) {
        let (period, old) = (self.season.period(), self.cycles.len());
        let (shape, cycles) = (std::mem::take(&mut self.shape), std::mem::take(&mut self.cycles));
        self.shape = vec![0.0; period * dim];
        self.cycles = vec![0.0; period];
        if period == 0 || old == 0 {
            (self.begun, self.used) = (seen as u64, false);
            return;
        }
        for t in seen..seen + period {
            let (to, from) = (t % period, t % old);
            self.cycles[to] = cycles[from].min(1.0);
            self.shape[to * dim..(to + 1) * dim].copy_from_slice(&shape[from * dim..(from + 1) * dim]);
        }
    }
}
