//! Finds change points in annotated series, for a scorer to judge.
//!
//! ```text
//! cargo run --release --example score_changepoints -- DIR [--cost auto|mean|line|level] > predictions.json
//! cargo run --release --example score_changepoints -- DIR --online [ARL] > predictions.json
//! ```
//!
//! DIR holds one JSON object a file with `name` and `values` (n rows of d numbers, or n numbers;
//! null repeats the last value). The output maps each name to the 0-based first indices of the
//! new segments; with --online to the indices at which the online detector raises its alarms, of
//! either kind, knowing nothing that comes later. ARL is the points between false alarms.

use cvx::analytics::Cuts;
use cvx::analytics::changepoint::{Cost, Params, bocpd, detect};
use cvx::model::Trajectory;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: score_changepoints DIR [--cost auto|mean|line|level | --online [ARL]]";
    let directory = args.first().ok_or(usage)?;
    let online = args.get(1).is_some_and(|a| a == "--online");
    let mut settings = bocpd::Params::default();
    if let (true, Some(points)) = (online, args.get(2)) {
        settings.arl = bocpd::Arl::Points(points.parse()?);
    }
    let cost = match args.get(2).map(String::as_str) {
        _ if online => Cost::Auto,
        None | Some("auto") => Cost::Auto,
        Some("mean") => Cost::Mean,
        Some("line") => Cost::Line,
        Some("level") => Cost::Level,
        Some(other) => return Err(format!("{other} is no cost").into()),
    };
    let mut files: Vec<_> =
        std::fs::read_dir(directory)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut found = BTreeMap::new();
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "json")) {
        let (name, x, dim) = read(path)?;
        let t: Vec<i64> = (0..(x.len() / dim) as i64).collect();
        let trajectory = Trajectory { entity: 0, t: &t, x: &x, dim, model: &[] };
        let indices: Vec<usize> = if online {
            alarms(&trajectory, settings)
        } else {
            let report = detect(&trajectory, &Params { cost, permutations: 0, ..Params::default() });
            report.changes.iter().map(|c| c.index).collect()
        };
        found.insert(name, indices);
    }
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}

/// Where the online detector raises its alarms.
fn alarms(trajectory: &Trajectory<'_>, settings: bocpd::Params) -> Vec<usize> {
    let mut stream = bocpd::Stream::new(trajectory.dim, settings);
    let mut observe = |(t, x): (&i64, &[f32])| stream.observe(*t, x, &Cuts::default());
    let points = trajectory.t.iter().zip(trajectory.x.chunks_exact(trajectory.dim));
    points.filter_map(|p| observe(p).map(|a| a.detected_index as usize)).collect()
}

/// Name, row-major values and dimension of a series.
fn read(path: &Path) -> Result<(String, Vec<f32>, usize), Box<dyn Error>> {
    let series: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let name = series["name"].as_str().ok_or("no name")?.to_string();
    let rows = series["values"].as_array().ok_or("no values")?;
    let dim = rows.first().and_then(Value::as_array).map_or(1, Vec::len);
    let mut x: Vec<f32> = Vec::with_capacity(rows.len() * dim);
    for row in rows {
        let row = row.as_array().map_or(std::slice::from_ref(row), Vec::as_slice);
        for (d, value) in row.iter().enumerate() {
            let before = x.len().checked_sub(dim).map_or(0.0, |i| x[i]);
            debug_assert!(d < dim);
            x.push(value.as_f64().map_or(before, |v| v as f32));
        }
    }
    Ok((name, x, dim))
}
