//! Reads the golden values that `scripts/golden_analytics.py` wrote. Tests only.

use serde_json::Value;

/// The parsed file `testdata/golden/analytics_NAME.json`.
pub(crate) fn load(name: &str) -> Value {
    let path = format!("{}/testdata/golden/analytics_{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap()
}

/// An array of numbers.
pub(crate) fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// An array of integers.
pub(crate) fn integers(v: &Value) -> Vec<i64> {
    v.as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect()
}

/// An array of rows, flattened, and the length of a row.
pub(crate) fn matrix(v: &Value) -> (Vec<f64>, usize) {
    let rows = v.as_array().unwrap();
    let dim = rows[0].as_array().unwrap().len();
    (rows.iter().flat_map(numbers).collect(), dim)
}

/// As [`matrix`], of values that are exact in f32.
pub(crate) fn matrix_f32(v: &Value) -> (Vec<f32>, usize) {
    let (x, dim) = matrix(v);
    (x.iter().map(|&v| v as f32).collect(), dim)
}

/// Asserts `|a - b| <= rel * max(1, |b|)`.
#[track_caller]
pub(crate) fn close(a: f64, b: f64, rel: f64) {
    assert!((a - b).abs() <= rel * b.abs().max(1.0), "{a} is not {b} within {rel}");
}
