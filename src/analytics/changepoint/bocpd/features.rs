//! What a detector looks at, learnt from the first points of a stream.

use super::super::noise::median;
use super::super::series::Series;
use crate::analytics::geometry::{dot, l2_distance, norm};
use crate::analytics::gram::gram;
use serde::{Deserialize, Serialize};

/// Rounds of the power iteration for a principal component.
const POWER_ROUNDS: usize = 100;
/// Median absolute deviation of a standard normal law.
const MAD: f64 = 0.674_489_750_196_081_7;

/// A map from vectors to a few standardised numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Map {
    /// Distance to the warm-up's mean.
    Distance { mean: Vec<f64>, shrink: f64, scale: Scale },
    /// The columns, in the directions `axes` around `mean`; no axes means the columns themselves.
    Columns { mean: Vec<f64>, axes: Vec<Vec<f64>>, scales: Vec<Scale> },
}

/// Centre and spread of one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scale {
    centre: f64,
    spread: f64,
}

impl Scale {
    /// Median, and the median absolute deviation as a standard deviation; where more than half
    /// the values are equal, the standard deviation; 1 for a constant.
    fn of(values: &[f64]) -> Scale {
        let centre = median(&mut values.to_vec());
        let mad = median(&mut values.iter().map(|v| (v - centre).abs()).collect::<Vec<_>>()) / MAD;
        let n = values.len().max(1) as f64;
        let sd = (values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / n).sqrt();
        let spread = [mad, sd].into_iter().find(|&s| s > 0.0).unwrap_or(1.0);
        Scale { centre, spread }
    }

    fn apply(&self, v: f64) -> f64 {
        (v - self.centre) / self.spread
    }
}

impl Map {
    /// Distances to the mean of the warm-up; each is scaled to what it would be had its point not
    /// been part of the mean, or the mean been exact.
    pub fn distance(warmup: &Series) -> Map {
        let n = warmup.len() as f64;
        let mean = warmup.mean(0, warmup.len());
        let inside = (n / (n - 1.0)).sqrt();
        let distances: Vec<f64> =
            (0..warmup.len()).map(|i| inside * l2_distance(warmup.row(i), &mean)).collect();
        Map::Distance { mean, shrink: (n / (n + 1.0)).sqrt(), scale: Scale::of(&distances) }
    }

    /// The columns themselves.
    pub fn value(warmup: &Series) -> Map {
        Map::columns(warmup, Vec::new())
    }

    /// The first `q` principal components of the warm-up, fewer when it has fewer.
    pub fn pca(warmup: &Series, q: usize) -> Map {
        let mut centred = warmup.clone();
        centred.centre();
        let axes = principal_axes(&centred, q);
        Map::columns(warmup, axes)
    }

    fn columns(warmup: &Series, axes: Vec<Vec<f64>>) -> Map {
        let mean = warmup.mean(0, warmup.len());
        let rows: Vec<Vec<f64>> =
            (0..warmup.len()).map(|i| coordinates(warmup.row(i), &mean, &axes)).collect();
        let width = rows.first().map_or(0, Vec::len);
        let scales = (0..width).map(|d| Scale::of(&rows.iter().map(|r| r[d]).collect::<Vec<_>>())).collect();
        Map::Columns { mean, axes, scales }
    }

    /// The features of a point after the warm-up.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        match self {
            Map::Distance { mean, shrink, scale } => vec![scale.apply(shrink * l2_distance(x, mean))],
            Map::Columns { mean, axes, scales } => {
                coordinates(x, mean, axes).into_iter().zip(scales).map(|(v, s)| s.apply(v)).collect()
            }
        }
    }
}

/// `x - mean` along the axes, or by column without axes.
fn coordinates(x: &[f64], mean: &[f64], axes: &[Vec<f64>]) -> Vec<f64> {
    let centred: Vec<f64> = x.iter().zip(mean).map(|(x, m)| x - m).collect();
    if axes.is_empty() { centred } else { axes.iter().map(|a| dot(a, &centred)).collect() }
}

/// Unit directions of largest variance, by power iteration on the inner products with deflation;
/// the first entry that differs from zero is positive.
fn principal_axes(centred: &Series, q: usize) -> Vec<Vec<f64>> {
    let (n, dim) = (centred.len(), centred.dim);
    let mut products = gram(&centred.x, dim);
    let total: f64 = (0..n).map(|i| products[i * n + i]).sum();
    let mut axes = Vec::new();
    for _ in 0..q.min(n.saturating_sub(1)).min(dim) {
        let mut v: Vec<f64> = (0..n).map(|i| 1.0 + 0.1 * (i as f64).sin()).collect();
        let mut value = 0.0;
        for _ in 0..POWER_ROUNDS {
            let w: Vec<f64> = products.chunks_exact(n).map(|row| dot(row, &v)).collect();
            value = norm(&w);
            if value == 0.0 {
                break;
            }
            v = w.into_iter().map(|x| x / value).collect();
        }
        if value <= 1e-12 * total {
            break;
        }
        let mut axis = vec![0.0; dim];
        for (row, weight) in centred.x.chunks_exact(dim).zip(&v) {
            axis.iter_mut().zip(row).for_each(|(a, x)| *a += weight * x);
        }
        let sign = axis.iter().find(|&&a| a != 0.0).map_or(1.0, |a| a.signum());
        let length = sign * norm(&axis);
        axis.iter_mut().for_each(|a| *a /= length);
        axes.push(axis);
        for i in 0..n {
            for j in 0..n {
                products[i * n + j] -= value * v[i] * v[j];
            }
        }
    }
    axes
}
