//! Made-up trajectories for tests: random walks and sinusoids at irregular times.

use crate::analytics::rng::Random;
use crate::model::{EntityId, Trajectory};

/// An owned trajectory.
pub struct Owned {
    pub entity: EntityId,
    pub t: Vec<i64>,
    pub x: Vec<f32>,
    pub dim: usize,
}

pub fn views(set: &[Owned]) -> Vec<Trajectory<'_>> {
    set.iter().map(|o| Trajectory { entity: o.entity, t: &o.t, x: &o.x, dim: o.dim, model: &[] }).collect()
}

/// Times with exponential gaps of mean one hour.
fn times(random: &mut Random, n: usize) -> Vec<i64> {
    let mut at = 0;
    let mut next = || {
        at += 1 + (-(1.0 - random.unit()).ln() * 3.6e9) as i64;
        at
    };
    (0..n).map(|_| next()).collect()
}

/// Straight lines with their own slopes, and noise of variance 1 a dimension.
pub fn trends(entities: u64, n: usize, dim: usize, seed: u64) -> Vec<Owned> {
    let make = |entity| {
        let mut random = Random::new(seed, "trends", entity);
        let t = times(&mut random, n);
        let slope: Vec<f64> = (0..dim).map(|_| random.normal() * 0.5).collect();
        let mut x = Vec::new();
        for &t in &t {
            x.extend(slope.iter().map(|s| (s * t as f64 / 3.6e9 + random.normal()) as f32));
        }
        Owned { entity, t, x, dim }
    };
    (0..entities).map(make).collect()
}

/// Random walks with variance 1 an hour and dimension.
pub fn walks(entities: u64, n: usize, dim: usize, seed: u64) -> Vec<Owned> {
    let make = |entity| {
        let mut random = Random::new(seed, "walks", entity);
        let t = times(&mut random, n);
        let mut at = vec![0.0; dim];
        let mut x = Vec::new();
        for i in 0..n {
            let hours = if i == 0 { 1.0 } else { (t[i] - t[i - 1]) as f64 / 3.6e9 };
            at.iter_mut().for_each(|v| *v += random.normal() * hours.sqrt());
            x.extend(at.iter().map(|&v| v as f32));
        }
        Owned { entity, t, x, dim }
    };
    (0..entities).map(make).collect()
}

/// Ways to move, for tests of promises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Walk,
    /// Ornstein-Uhlenbeck, forgetting half in 2.8 hours.
    Reverting,
    /// Independent points around a level.
    Noise,
    /// A line and noise.
    Trend,
    /// A wave of 12 hours at the same phase for all entities, and noise of a fifth of its size.
    Season,
}

/// Points about an hour apart: at whole hours or at random times. Each entity has its own level,
/// loudness (over a range of one to four), slope and wave.
pub fn of(kind: Kind, irregular: bool, entities: u64, n: usize, dim: usize, seed: u64) -> Vec<Owned> {
    with_future(kind, irregular, entities, n, &[], dim, seed)
}

/// As [`of`], and after the `n` points one at each of `ahead` hours after the last of them.
pub fn with_future(
    kind: Kind,
    irregular: bool,
    entities: u64,
    n: usize,
    ahead: &[i64],
    dim: usize,
    seed: u64,
) -> Vec<Owned> {
    let make = |entity| {
        let mut random = Random::new(seed, "kinds", entity);
        let mut t: Vec<i64> = if irregular {
            times(&mut random, n)
        } else {
            (0..n as i64).map(|i| i * 3_600_000_000).collect()
        };
        let last = t[n - 1];
        t.extend(ahead.iter().map(|h| last + h * 3_600_000_000));
        let loud = 4f64.powf(random.unit());
        let own: Vec<[f64; 3]> =
            (0..dim).map(|_| [random.normal(), random.normal(), random.normal()]).collect();
        let mut state: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
        let mut x = Vec::new();
        for i in 0..t.len() {
            let hours = if i == 0 { 1.0 } else { (t[i] - t[i - 1]) as f64 / 3.6e9 };
            let at = t[i] as f64 / 3.6e9;
            let keep = (-0.25 * hours).exp();
            for (s, [level, slope, wave]) in state.iter_mut().zip(&own) {
                let z = random.normal();
                let value = match kind {
                    Kind::Walk => {
                        *s += z * hours.sqrt();
                        *s
                    }
                    Kind::Reverting => {
                        *s = *s * keep + z * (1.0 - keep * keep).sqrt();
                        *s + 3.0 * level
                    }
                    Kind::Noise => z + 3.0 * level,
                    Kind::Trend => slope * at + z,
                    Kind::Season => 5.0 * wave * (std::f64::consts::TAU * at / 12.0).sin() + z,
                };
                x.push((loud * value) as f32);
            }
        }
        Owned { entity, t, x, dim }
    };
    (0..entities).map(make).collect()
}

/// One dimension at whole hours: `f(entity, i)` and noise of variance 1.
pub fn regular(entities: u64, n: usize, f: impl Fn(u64, usize) -> f64, seed: u64) -> Vec<Owned> {
    let make = |entity| {
        let mut random = Random::new(seed, "regular", entity);
        let t = (0..n as i64).map(|i| i * 3_600_000_000).collect();
        let x = (0..n).map(|i| (f(entity, i) + random.normal()) as f32).collect();
        Owned { entity, t, x, dim: 1 }
    };
    (0..entities).map(make).collect()
}

/// Circles in a plane of `dim` dimensions at irregular times, period 20 hours, each with its own
/// phase and amplitude, and a little noise.
#[cfg(feature = "neural")]
pub fn sinusoids(entities: u64, n: usize, dim: usize, seed: u64) -> Vec<Owned> {
    let mut axes = Random::new(seed, "axes", 0);
    let plane: Vec<[f64; 2]> = (0..dim).map(|_| [axes.normal(), axes.normal()]).collect();
    let make = |entity| {
        let mut random = Random::new(seed, "sinusoids", entity);
        let t = times(&mut random, n);
        let phase = std::f64::consts::TAU * random.unit();
        let amplitude = 0.8 + 0.4 * random.unit();
        let mut x = Vec::new();
        for &t in &t {
            let angle = phase + std::f64::consts::TAU * t as f64 / 7.2e10;
            let at = |p: &[f64; 2]| amplitude * (p[0] * angle.cos() + p[1] * angle.sin());
            x.extend(plane.iter().map(|p| (at(p) + 0.02 * random.normal()) as f32));
        }
        Owned { entity, t, x, dim }
    };
    (0..entities).map(make).collect()
}
