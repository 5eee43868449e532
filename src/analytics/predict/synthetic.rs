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
