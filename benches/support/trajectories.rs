//! Trajectories that look like embeddings over time: the Rust twin of
//! `scripts/gen_trajectories.py`, for tests and benchmarks.

use super::cvx_model::Key;
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Latent dimensions.
const LATENT: usize = 64;
/// Ten years in microseconds.
const SPAN_US: i64 = 3650 * 86_400_000_000;

/// What to generate.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Number of entities.
    pub entities: usize,
    /// Points of each.
    pub versions: usize,
    /// Dimension.
    pub dim: usize,
    /// Clusters that entities belong to.
    pub clusters: usize,
    /// Drift of a latent coordinate in a version.
    pub step: f32,
    /// Probability of a jump to another cluster in a version.
    pub jump: f64,
    /// Seed.
    pub seed: u64,
}

/// Rows in the order of (timestamp, entity), and queries from entities that are not stored.
#[derive(Debug, Clone)]
pub struct Data {
    /// Dimension.
    pub dim: usize,
    /// Keys of the rows.
    pub keys: Vec<Key>,
    /// Vectors of the rows, row-major, of unit length.
    pub rows: Vec<f32>,
    /// Vectors of queries.
    pub queries: Vec<f32>,
}

/// A standard normal number (Box and Muller, 1958).
pub fn normal(rng: &mut impl Rng) -> f32 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}

fn unit(x: &mut [f32]) {
    let norm = x.iter().map(|v| v * v).sum::<f32>().sqrt();
    x.iter_mut().for_each(|v| *v /= norm);
}

/// Generates `shape`, and `queries` queries.
pub fn generate(shape: &Shape, queries: usize) -> Data {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(shape.seed);
    let mut normals = |n: usize, s: f32| -> Vec<f32> { (0..n).map(|_| s * normal(&mut rng)).collect() };
    let matrix = normals(LATENT * shape.dim, 1.0 / 8.0);
    let centres = normals(shape.clusters * LATENT, 1.0);
    let mut rows: Vec<(Key, Vec<f32>)> = Vec::new();
    let mut held = Vec::new();
    let extra = queries.div_ceil(shape.versions);
    for entity in 0..shape.entities + extra {
        let mut times: Vec<i64> = (0..shape.versions).map(|_| rng.random_range(0..SPAN_US)).collect();
        times.sort_unstable();
        let mut home = rng.random_range(0..shape.clusters);
        let mut offset: Vec<f32> = (0..LATENT).map(|_| 0.6 * normal(&mut rng)).collect();
        for (version, t) in times.iter().enumerate() {
            if version > 0 {
                if rng.random_bool(shape.jump) {
                    home = rng.random_range(0..shape.clusters);
                }
                offset.iter_mut().for_each(|o| *o += shape.step * normal(&mut rng));
            }
            let mut x: Vec<f32> = (0..shape.dim).map(|_| 0.02 * normal(&mut rng)).collect();
            for (j, offset) in offset.iter().enumerate() {
                let place = centres[home * LATENT + j] + offset;
                x.iter_mut().zip(&matrix[j * shape.dim..]).for_each(|(x, m)| *x += place * m);
            }
            unit(&mut x);
            if entity < shape.entities {
                // A version's number in the last digits keeps an entity's times apart.
                rows.push((Key { entity: entity as u64, t: t / 1000 * 1000 + version as i64 }, x));
            } else {
                held.extend(x);
            }
        }
    }
    rows.sort_by_key(|(key, _)| (key.t, key.entity));
    held.truncate(queries * shape.dim);
    Data {
        dim: shape.dim,
        keys: rows.iter().map(|(key, _)| *key).collect(),
        rows: rows.into_iter().flat_map(|(_, x)| x).collect(),
        queries: held,
    }
}

/// Independent Gaussian rows and queries, in which nothing is near anything.
pub fn gaussian(rows: usize, dim: usize, queries: usize, seed: u64) -> Data {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut some = |n: usize| -> Vec<f32> { (0..n * dim).map(|_| normal(&mut rng)).collect() };
    let keys = (0..rows).map(|i| Key { entity: (i % (rows / 20 + 1)) as u64, t: i as i64 }).collect();
    Data { dim, keys, rows: some(rows), queries: some(queries) }
}
