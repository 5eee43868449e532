//! A learnt rotation before product quantisation: OPQ, non-parametric form (Ge, He, Ke, Sun,
//! CVPR 2013): centroids and rotation are improved in turn.

use super::matrix::{multiply, nearest_orthogonal, transpose};
use super::product::Product;

/// Turns of the alternation.
const TURNS: usize = 12;
/// Rows that the rotation is learnt from; the codebook sees the whole sample.
const ROTATION_ROWS: usize = 16 * 1024;

/// An orthogonal matrix, row-major: `y = R x`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    dim: usize,
    forward: Vec<f32>,
    backward: Vec<f32>,
}

impl Rotation {
    /// From `dim * dim` values. `None` for another number of them, or when `R Rᵀ` is not
    /// the identity within rounding.
    pub fn new(dim: usize, rows: Vec<f32>) -> Option<Rotation> {
        if dim.checked_mul(dim) != Some(rows.len()) {
            return None;
        }
        let backward = transpose(&rows, dim);
        let square = multiply(&rows, &backward, dim, dim);
        let near = |(i, v): (usize, &f32)| {
            let identity = if i / dim == i % dim { 1.0 } else { 0.0 };
            (v - identity).abs() < 1e-3
        };
        square.iter().enumerate().all(near).then_some(Rotation { dim, forward: rows, backward })
    }

    fn identity(dim: usize) -> Rotation {
        let rows: Vec<f32> = (0..dim * dim).map(|i| if i / dim == i % dim { 1.0 } else { 0.0 }).collect();
        Rotation { dim, backward: rows.clone(), forward: rows }
    }

    /// The values, row-major.
    pub fn rows(&self) -> &[f32] {
        &self.forward
    }

    /// Rotates rows.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        multiply(x, &self.backward, self.dim, self.dim)
    }

    /// Rotates rows back.
    pub fn undo(&self, y: &[f32]) -> Vec<f32> {
        multiply(y, &self.forward, self.dim, self.dim)
    }
}

/// Learns a rotation and the codebook of the rotated rows.
pub fn train(x: &[f32], dim: usize, m: usize, k: usize, iterations: usize, seed: u64) -> (Rotation, Product) {
    let few = &x[..x.len().min(ROTATION_ROWS * dim)];
    let mut rotation = Rotation::identity(dim);
    let mut product = Product::train(few, dim, m, k, 4, seed);
    for _ in 0..TURNS {
        let coded = decode_all(&product, &rotation.apply(few));
        let Some(next) = improve(few, &coded, &rotation) else { break };
        rotation = next;
        product.refine(&rotation.apply(few), 2);
    }
    product.refine(&rotation.apply(x), iterations);
    (rotation, product)
}

/// The rotation that brings the rows of `x` nearest to their reconstructions: the polar
/// factor of `X̂ᵀX` (orthogonal Procrustes). Where the data has no extent the old rotation is
/// kept, by a small weight on it.
fn improve(x: &[f32], coded: &[f32], old: &Rotation) -> Option<Rotation> {
    let dim = old.dim;
    let mut a = multiply(&transpose(coded, dim), x, x.len() / dim, dim);
    let scale = a.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let weight = (1e-4 * scale) as f32;
    for (a, r) in a.iter_mut().zip(&old.forward) {
        *a += weight * r;
    }
    Rotation::new(dim, nearest_orthogonal(&a, dim)?)
}

fn decode_all(product: &Product, y: &[f32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(y.len());
    for code in product.encode(y).chunks_exact(product.m()) {
        // Codes just made have centroids.
        let _ = product.decode_row(code.iter().copied(), &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pq::random::Draws;

    /// Rows whose variance lies along two directions that no part of the vector holds alone.
    fn slanted(n: usize, dim: usize) -> Vec<f32> {
        let mut d = Draws::new(8, 8);
        let mut x = Vec::new();
        for _ in 0..n {
            let (a, b) = (d.unit() as f32 * 4.0, d.unit() as f32 * 4.0);
            x.extend((0..dim).map(|j| {
                let noise = (d.unit() as f32 - 0.5) * 0.1;
                a * ((j * j + 1) as f32).sin() + b * ((3 * j + 2) as f32).cos() + noise
            }));
        }
        x
    }

    fn error(x: &[f32], rotation: &Rotation, product: &Product) -> f64 {
        let back = rotation.undo(&decode_all(product, &rotation.apply(x)));
        x.iter().zip(back).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    }

    #[test]
    fn a_learnt_rotation_lowers_the_error() {
        let (dim, m) = (8, 2);
        let x = slanted(900, dim);
        let plain = Product::train(&x, dim, m, 16, 10, 1);
        let (rotation, product) = train(&x, dim, m, 16, 10, 1);
        let (before, after) = (error(&x, &Rotation::identity(dim), &plain), error(&x, &rotation, &product));
        assert!(after < 0.8 * before, "{before} -> {after}");
    }

    #[test]
    fn constant_columns_are_no_trouble() {
        let mut x = slanted(200, 6);
        for row in x.chunks_exact_mut(6) {
            row[2] = 0.0;
            row[5] = 0.0;
        }
        let (rotation, product) = train(&x, 6, 2, 16, 4, 1);
        assert!(error(&x, &rotation, &product).is_finite());
        assert!(Rotation::new(6, vec![0.5; 36]).is_none());
        assert!(Rotation::new(6, vec![0.5; 35]).is_none());
    }
}
