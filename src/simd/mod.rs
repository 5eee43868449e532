//! Vector kernels: f32 dot product and squared L2, one pair, one against many, and many
//! against many, on the best instruction set of the machine; and their f64 counterparts.
//!
//! The f32 kernels are filters. Their results differ in the last bits between machines, so
//! what is printed comes from [`wide`], whose sums run in one fixed order everywhere.
//! [`rounding_bound`] says how far an f32 result can lie from the true one.
//!
//! | file | holds |
//! |---|---|
//! | `kernel.rs` | what a kernel does with one register: the products of dot and L2 |
//! | `pair.rs` | one pair at a time |
//! | `tile.rs` | M queries x N rows in registers, and blocks of such tiles |
//! | `wide.rs` | f32 in, f64 accumulated, the same bits on every machine |
//! | `double.rs` | f64 in, the same bits on every machine |
//! | `int8.rs` | dot products of 8-bit codes |
//! | `bits.rs` | table lookups for blocks of 1-bit codes |
//! | `reference.rs` | the plain twins that the tests compare with |

pub mod bits;
pub mod double;
pub mod hadamard;
pub mod int8;
mod kernel;
mod pair;
pub mod reference;
mod tile;
pub mod wide;

use kernel::{Dot, L2Squared};
use pulp::{Arch, Simd, WithSimd};

/// Inner product of two vectors of equal length, in f32.
///
/// # Panics
/// When the lengths differ.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    pair::run::<Dot>(Arch::new(), a, b)
}

/// Squared Euclidean distance of two vectors of equal length, in f32.
///
/// # Panics
/// When the lengths differ.
pub fn l2_squared(a: &[f32], b: &[f32]) -> f32 {
    pair::run::<L2Squared>(Arch::new(), a, b)
}

/// Euclidean norm in f32. Overflows where the squares do; [`wide::norm`] does not.
pub fn norm(a: &[f32]) -> f32 {
    dot(a, a).sqrt()
}

/// `1 / |a|` computed in f64 and rounded to f32; 0 for a zero vector.
///
/// Infinite for norms below 2^-128, which f32 holds as subnormal numbers only.
pub fn inverse_norm(a: &[f32]) -> f32 {
    let norm = wide::norm(a);
    if norm == 0.0 { 0.0 } else { (1.0 / norm) as f32 }
}

/// Inner products of every query with every row.
///
/// `queries` and `rows` are row-major with `dim` columns; `out[q * n_rows + r]` receives the
/// product of query `q` and row `r`. Rows are read once, so some 48 to 96 queries that stay in
/// the L2 cache make it independent of memory speed; with one query it is one against many.
///
/// # Panics
/// When `dim` is 0, or the lengths do not fit each other.
pub fn dot_block(queries: &[f32], rows: &[f32], dim: usize, out: &mut [f32]) {
    tile::run::<Dot>(Arch::new(), queries, rows, dim, out);
}

/// Squared Euclidean distances of every query to every row; shapes as in [`dot_block`].
///
/// # Panics
/// As [`dot_block`].
pub fn l2_squared_block(queries: &[f32], rows: &[f32], dim: usize, out: &mut [f32]) {
    tile::run::<L2Squared>(Arch::new(), queries, rows, dim, out);
}

/// Bound on the relative rounding error of the f32 kernels on this machine.
///
/// `|dot(a, b) - a.b| <= bound * sum |a_i b_i|` and `|l2_squared - true| <= bound * true`, apart
/// from overflow and from underflow of single products. It is `gamma_n = n u / (1 - n u)` of Higham,
/// Accuracy and Stability of Numerical Algorithms (2002), 3.1, with `n` the longest
/// chain of roundings that a product passes through.
pub fn rounding_bound(dim: usize) -> f64 {
    let n = Arch::new().dispatch(Roundings { dim }) as f64;
    let u = f64::from(f32::EPSILON) / 2.0;
    n * u / (1.0 - n * u)
}

struct Roundings {
    dim: usize,
}

impl WithSimd for Roundings {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let registers = self.dim.div_ceil(S::F32_LANES);
        // Then across the lanes, and three for the difference and its square.
        pair::roundings(registers).max(tile::roundings(registers)) + S::F32_LANES + 3
    }
}

#[cfg(test)]
mod tests;
