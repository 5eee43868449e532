//! The plain forecasts: the last point, the mean, a least-squares line.
//!
//! Each takes a history with enough points and horizons in seconds past its last point, and
//! returns one vector per horizon, row-major.

use crate::model::{Trajectory, seconds_between};

/// The last point, whatever the horizon.
pub fn last(history: &Trajectory, horizons_s: &[f64]) -> Vec<f64> {
    let row: Vec<f64> = history.row(history.len() - 1).iter().map(|&v| f64::from(v)).collect();
    row.repeat(horizons_s.len())
}

/// The mean of all points, whatever the horizon.
pub fn mean(history: &Trajectory, horizons_s: &[f64]) -> Vec<f64> {
    mean_of(history, 0).repeat(horizons_s.len())
}

/// The least-squares line through the last `window` points in real time; two points make it the
/// line through both. Times are taken relative to the last point, so no digits are lost.
pub fn trend(history: &Trajectory, window: usize, horizons_s: &[f64]) -> Vec<f64> {
    let n = history.len();
    let from = n - window.clamp(2, n);
    let end = history.t[n - 1];
    let time: Vec<f64> = history.t[from..].iter().map(|&t| -seconds_between(t, end)).collect();
    let centre = time.iter().sum::<f64>() / time.len() as f64;
    let spread: f64 = time.iter().map(|u| (u - centre).powi(2)).sum();
    let mean = mean_of(history, from);
    let mut slope = vec![0.0; history.dim];
    for (i, u) in time.iter().enumerate() {
        let weight = (u - centre) / spread;
        slope.iter_mut().zip(history.row(from + i)).for_each(|(s, &x)| *s += weight * f64::from(x));
    }
    horizons_s.iter().flat_map(|h| mean.iter().zip(&slope).map(move |(m, s)| m + s * (h - centre))).collect()
}

/// The mean of the points from `from` on.
fn mean_of(history: &Trajectory, from: usize) -> Vec<f64> {
    let mut sum = vec![0.0; history.dim];
    for i in from..history.len() {
        sum.iter_mut().zip(history.row(i)).for_each(|(s, &x)| *s += f64::from(x));
    }
    let n = (history.len() - from) as f64;
    sum.iter_mut().for_each(|s| *s /= n);
    sum
}

#[cfg(test)]
mod tests {
    use crate::analytics::predict::{Method, Settings, forecast, golden};

    #[test]
    fn agree_with_numpy() {
        let golden = golden::load();
        for case in golden["series"].as_array().unwrap() {
            let series = golden::Series::of(case);
            for m in [Method::Last, Method::Mean, Method::Linear, Method::Trend] {
                let f = forecast(m, &series.view(), &series.horizons_s, &Settings::default());
                golden::assert_close(m.as_str(), &f.vectors, &golden::numbers(&case[m.as_str()]), 1e-9);
            }
        }
    }
}
