//! Distances: smaller is nearer, whatever the metric.

use crate::error::{Error, Result};
use crate::simd::wide;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How far two vectors are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Half the squared chord between the directions, `|q/|q| - x/|x||^2 / 2 = 1 - cos`, in [0, 2].
    Cosine,
    /// Euclidean distance, not squared.
    L2,
    /// The inner product, negated: the larger the product, the smaller the distance.
    Dot,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::Dot];

    /// The word on the command line and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::L2 => "l2",
            Metric::Dot => "dot",
        }
    }

    /// The distance from `q` to `x`: f32 in, f64 accumulated, the same bits on every machine.
    ///
    /// Cosine sums the squared differences of the unit vectors, so that it is exactly 0 for equal
    /// vectors and keeps its digits for near ones, where `1 - cos` has none. `None` under cosine
    /// when either vector is zero.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn exact(self, q: &[f32], x: &[f32]) -> Option<f64> {
        ExactQuery::new(self, q).distance(x)
    }
}

/// A query vector, ready for exact distances to many others.
#[derive(Debug, Clone, Copy)]
pub struct ExactQuery<'a> {
    metric: Metric,
    vector: &'a [f32],
    norm: f64,
}

impl<'a> ExactQuery<'a> {
    /// Computes the norm of the query.
    pub fn new(metric: Metric, vector: &'a [f32]) -> Self {
        ExactQuery { metric, vector, norm: wide::norm(vector) }
    }

    /// The Euclidean norm of the query.
    pub fn norm(&self) -> f64 {
        self.norm
    }

    /// As [`Metric::exact`].
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn distance(&self, x: &[f32]) -> Option<f64> {
        match self.metric {
            Metric::Cosine => {
                let norm = wide::norm(x);
                let defined = self.norm > 0.0 && norm > 0.0;
                defined.then(|| wide::chord_squared(self.vector, 1.0 / self.norm, x, 1.0 / norm) / 2.0)
            }
            Metric::L2 => Some(wide::l2_squared(self.vector, x).sqrt()),
            // From 0, so that a zero product is +0 and sorts as one value.
            Metric::Dot => Some(0.0 - wide::dot(self.vector, x)),
        }
    }
}

/// The angle between two vectors in radians, `2 atan2(|u - v|, |u + v|)` of the unit vectors:
/// accurate at both ends, where the arc cosine is not. `None` when either is zero.
///
/// Source: W. Kahan, How Futile are Mindless Assessments of Roundoff (2006), section 12.
///
/// # Panics
/// When the lengths differ.
pub fn angle(a: &[f32], b: &[f32]) -> Option<f64> {
    let (na, nb) = (wide::norm(a), wide::norm(b));
    (na > 0.0 && nb > 0.0).then(|| {
        let difference = wide::chord_squared(a, 1.0 / na, b, 1.0 / nb).sqrt();
        let sum = wide::sum_squared(a, 1.0 / na, b, 1.0 / nb).sqrt();
        2.0 * difference.atan2(sum)
    })
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Metric {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        Metric::ALL
            .into_iter()
            .find(|m| m.as_str() == s)
            .ok_or_else(|| Error::usage(format!("unknown metric \"{s}\"")).fix("use cosine, l2 or dot"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        q: Vec<f32>,
        x: Vec<f32>,
        cosine: f64,
        cosine_scipy: f64,
        l2: f64,
        dot: f64,
        angle: f64,
    }

    fn near(got: f64, want: f64, relative: f64, absolute: f64) {
        assert!((got - want).abs() <= relative * want.abs() + absolute, "{got} for {want}");
    }

    /// Values of numpy in extended precision and of scipy: scripts/golden_metric.py.
    #[test]
    fn distances_equal_numpy_and_scipy() {
        let rows: Vec<Golden> = serde_json::from_str(include_str!("../testdata/golden/metric.json")).unwrap();
        assert!(rows.len() >= 20);
        for g in rows {
            let exact = |m: Metric| m.exact(&g.q, &g.x).unwrap();
            near(exact(Metric::Cosine), g.cosine, 1e-9, 1e-30);
            near(exact(Metric::Cosine), g.cosine_scipy, 0.0, 1e-15);
            near(exact(Metric::L2), g.l2, 1e-13, 0.0);
            near(exact(Metric::Dot), g.dot, 1e-12, 0.0);
            near(angle(&g.q, &g.x).unwrap(), g.angle, 1e-9, 1e-15);
        }
    }

    #[test]
    fn equal_vectors_have_distance_zero() {
        let x: Vec<f32> = (0..77).map(|i| (i as f32 * 0.37).sin()).collect();
        assert_eq!(Metric::Cosine.exact(&x, &x), Some(0.0));
        assert_eq!(Metric::L2.exact(&x, &x), Some(0.0));
        assert_eq!(angle(&x, &x), Some(0.0));
        let opposite: Vec<f32> = x.iter().map(|v| -v).collect();
        near(Metric::Cosine.exact(&x, &opposite).unwrap(), 2.0, 1e-15, 0.0);
        near(angle(&x, &opposite).unwrap(), std::f64::consts::PI, 1e-15, 0.0);
    }

    #[test]
    fn zero_vectors_have_no_direction() {
        let (zero, x) = ([0.0f32, -0.0], [1.0f32, 2.0]);
        assert_eq!(Metric::Cosine.exact(&zero, &x), None);
        assert_eq!(Metric::Cosine.exact(&x, &zero), None);
        assert_eq!(angle(&zero, &x), None);
        assert_eq!(Metric::L2.exact(&zero, &x), Some(5f64.sqrt()));
        let product = Metric::Dot.exact(&zero, &[-1.0, 1.0]).unwrap();
        assert!(product == 0.0 && product.is_sign_positive());
    }

    #[test]
    fn extreme_values_stay_finite() {
        let big = [f32::MAX, -f32::MAX];
        let small = [f32::from_bits(1), f32::from_bits(1)];
        for m in Metric::ALL {
            assert!(m.exact(&big, &small).unwrap().is_finite());
        }
        near(Metric::Cosine.exact(&small, &[1.0, 1.0]).unwrap(), 0.0, 0.0, 1e-15);
    }

    #[test]
    fn words_go_both_ways() {
        for m in Metric::ALL {
            assert_eq!(m.to_string().parse::<Metric>().unwrap(), m);
            assert_eq!(serde_json::to_string(&m).unwrap(), format!("\"{m}\""));
        }
        assert_eq!("euclid".parse::<Metric>().unwrap_err().code(), crate::Code::Usage);
    }
}
