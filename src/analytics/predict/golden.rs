//! The reference values of `testdata/golden/predict.json`, made by `scripts/golden_predict.py`.

use crate::model::Trajectory;
use serde_json::Value;

/// The whole file.
pub fn load() -> Value {
    serde_json::from_str(include_str!("../../../testdata/golden/predict.json")).unwrap()
}

/// A flat list of numbers.
pub fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// A series of the file.
pub struct Series {
    pub t: Vec<i64>,
    pub x: Vec<f32>,
    pub dim: usize,
    pub horizons_s: Vec<f64>,
}

impl Series {
    pub fn of(case: &Value) -> Self {
        Series {
            t: case["t"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect(),
            x: numbers(&case["x"]).iter().map(|&v| v as f32).collect(),
            dim: case["dim"].as_u64().unwrap() as usize,
            horizons_s: numbers(&case["horizons_s"]),
        }
    }

    pub fn view(&self) -> Trajectory<'_> {
        Trajectory { entity: 1, t: &self.t, x: &self.x, dim: self.dim, model: &[] }
    }
}

/// `|a - b| <= tolerance * max(1, |b|)` everywhere.
pub fn assert_close(what: &str, a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}[{i}]: {a} against {b}");
    }
}

/// `|a - b| <= tolerance * |b|`.
pub fn assert_relative(what: &str, a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * b.abs(), "{what}: {a} against {b}");
}
