//! What predicts points: a model a column in up to eight dimensions, one of the whole vector above.

use super::column::{self, Column};
use super::memory;
use super::ranks::Ranks;
use super::sums::Scores;
use super::whole::Whole;
use crate::analytics::changepoint::params::FEW_DIMENSIONS;
use serde::{Deserialize, Serialize};

/// What predicts points.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Model {
    Columns { columns: Vec<Column>, radii: Ranks, products: Vec<f64>, weight: f64 },
    Whole(Box<Whole>),
}

/// What a point says.
pub(super) struct Told {
    /// Its scores, and what they are.
    pub scores: Vec<f64>,
    pub kind: Scores,
    /// `-ln` of the chance to be so far out.
    pub tail: f64,
    /// True when what was learnt of the noise no longer holds.
    pub changed: bool,
}

impl Model {
    /// A model of vectors of `dim` values.
    pub fn new(dim: usize) -> Model {
        if dim > FEW_DIMENSIONS {
            return Model::Whole(Box::new(Whole::new(dim)));
        }
        let mut products = vec![0.0; dim * dim];
        products.iter_mut().step_by(dim + 1).for_each(|v| *v = 1.0);
        Model::Columns { columns: vec![Column::new(); dim], radii: Ranks::default(), products, weight: 0.0 }
    }

    /// Learns the level again from the next point on.
    pub fn relearn(&mut self) {
        match self {
            Model::Columns { columns, .. } => columns.iter_mut().for_each(Column::relearn),
            Model::Whole(whole) => whole.relearn(),
        }
    }

    /// Standard deviation of the whole noise vector about the level.
    pub fn scale(&self) -> f64 {
        match self {
            Model::Columns { columns, .. } => columns.iter().map(|c| c.scale().powi(2)).sum::<f64>().sqrt(),
            Model::Whole(whole) => whole.scale(),
        }
    }

    /// The sum of the coefficients of its memory: near 1 for a level that wanders.
    pub fn persistence(&self) -> f64 {
        match self {
            Model::Columns { columns, .. } => {
                columns.iter().map(Column::persistence).fold(f64::MIN, f64::max)
            }
            Model::Whole(whole) => whole.persistence(),
        }
    }

    /// Takes in the next point. `learns`: what is left of points is noise by now.
    pub fn observe(&mut self, x: &[f64], learns: bool) -> Told {
        match self {
            Model::Columns { columns, radii, products, weight } => {
                let told: Vec<column::Told> = columns.iter_mut().zip(x).map(|(c, &v)| c.observe(v)).collect();
                let mut scores: Vec<f64> = told.iter().map(|t| t.score).collect();
                // The farthest of several columns.
                let tail = told.iter().map(|t| t.tail).fold(0.0, f64::max) - (x.len() as f64).ln();
                let changed = told.iter().any(|t| t.changed);
                if x.len() > 1 {
                    let plain = scores.clone();
                    whiten(&mut scores, products, *weight);
                    if learns {
                        *weight = (*weight + 1.0).min(memory::MEMORY);
                        follow(products, &plain, *weight);
                        round(&mut scores, radii);
                    }
                }
                Told { scores, kind: Scores::Normal, tail, changed }
            }
            Model::Whole(whole) => {
                let told = whole.observe(x);
                let kind = Scores::Direction(whole.freedom());
                Told { scores: told.direction, kind, tail: told.tail, changed: told.changed }
            }
        }
    }
}

/// Follows the mean products of the columns' scores.
fn follow(products: &mut [f64], z: &[f64], weight: f64) {
    for (i, row) in products.chunks_exact_mut(z.len()).enumerate() {
        row.iter_mut().zip(z).for_each(|(p, v)| *p += (z[i] * v - *p) / weight);
    }
}

/// Takes the columns' correlations away, by a Cholesky factor of their matrix shrunk towards none.
fn whiten(z: &mut [f64], products: &[f64], weight: f64) {
    let n = z.len();
    let shrink = weight / (weight + 20.0);
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let scale = (products[i * n + i] * products[j * n + j]).max(1e-6).sqrt();
            let r = if i == j { 1.0 } else { (shrink * products[i * n + j] / scale).clamp(-0.99, 0.99) };
            let done: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            l[i * n + j] = if i == j { (r - done).max(0.01).sqrt() } else { (r - done) / l[j * n + j] };
        }
    }
    for i in 0..n {
        let done: f64 = (0..i).map(|k| l[i * n + k] * z[k]).sum();
        z[i] = (z[i] - done) / l[i * n + i];
    }
}

/// Gives the vector of scores the length that its rank among the last ones has in normal noise: columns
/// that are loud together are no change. The quantile is Wilson and Hilferty's (1931).
fn round(z: &mut [f64], radii: &mut Ranks) {
    let length = z.iter().map(|v| v * v).sum::<f64>().sqrt();
    if let (Some(q), true) = (radii.score(length), length > 0.0) {
        let d = z.len() as f64;
        let c = 2.0 / (9.0 * d);
        let square = d * (1.0 - c + q * c.sqrt()).max(0.0).powi(3);
        z.iter_mut().for_each(|v| *v *= square.sqrt() / length);
    }
    radii.push(length);
}
