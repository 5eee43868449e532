//! Counts alarms in generated series without a change of level, and hits in series with one.
//!
//! ```text
//! cargo run --release --example changepoint_alarms -- [--dims 1,2,8] [--kinds iid,walk] [--n 200] [--series 40]
//!     [--seed 1] [--cost auto|mean|line|level] [--best 1] [--permutations 99]
//! ```
//!
//! One row a kind and one column a dimension. Kinds without a change print the series that have an
//! alarm; kinds whose names begin with `jump` print the planted changes that were found within five
//! points, and after a `+` the changes elsewhere; both of all series. After `w` stand the series whose
//! alarms all carry a warning, or the found changes that carry one.
//!
//! With --best each cell has three shares of the first splits instead: of p_any_order <= .05, of p_wander
//! <= .05, and, where a change was planted, of t_low..t_high that hold it.

use cvx::analytics::changepoint::{Change, Cost, Params, detect};
use cvx::analytics::rng::Random;
use cvx::model::Trajectory;
use rayon::prelude::*;
use std::error::Error;

/// Kinds without a change of level.
const STILL: [&str; 21] = [
    "iid",
    "louder1.5",
    "louder2",
    "louder3",
    "loud.4",
    "loud.7",
    "texts",
    "offtopic",
    "t2",
    "t3",
    "lognormal",
    "rowt3",
    "season50",
    "parabola",
    "curve",
    "ar.5",
    "ar.9",
    "walk",
    "walk+noise",
    "trend",
    "thinning",
];
/// Kinds with one change in the middle third, or three of them; lengths in radii of the noise.
const JUMPS: [&str; 10] = [
    "jump1",
    "jump1.5",
    "jump2",
    "jump3",
    "jump3x3",
    "jump2ar.5",
    "jump2t3",
    "jump2louder",
    "jumpsd3",
    "jump2texts",
];

struct Options {
    dims: Vec<usize>,
    kinds: Vec<String>,
    n: usize,
    series: u64,
    seed: u64,
    params: Params,
}

fn main() -> Result<(), Box<dyn Error>> {
    let o = options()?;
    let head: Vec<String> = o.dims.iter().map(|d| format!("D={d}")).collect();
    println!("| {} points, {} series | {} |", o.n, o.series, head.join(" | "));
    println!("|---|{}", "---|".repeat(o.dims.len()));
    for kind in &o.kinds {
        let cells: Vec<String> = o.dims.iter().map(|&dim| cell(&o, kind, dim)).collect();
        println!("| {kind} | {} |", cells.join(" | "));
    }
    Ok(())
}

fn options() -> Result<Options, Box<dyn Error>> {
    let all = STILL.iter().chain(&JUMPS).map(|k| (*k).to_string()).collect();
    let mut o = Options {
        dims: vec![1, 2, 8, 64, 384, 768],
        kinds: all,
        n: 200,
        series: 40,
        seed: 1,
        params: Params::default(),
    };
    let mut args = std::env::args().skip(1);
    while let (Some(name), value) = (args.next(), args.next()) {
        let value = value.ok_or(format!("{name} needs a value"))?;
        match name.as_str() {
            "--dims" => o.dims = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--kinds" => o.kinds = value.split(',').map(String::from).collect(),
            "--n" => o.n = value.parse()?,
            "--series" => o.series = value.parse()?,
            "--best" => o.params.best = Some(value.parse()?),
            "--permutations" => o.params.permutations = value.parse()?,
            "--seed" => o.seed = value.parse()?,
            "--cost" => {
                o.params.cost = match value.as_str() {
                    "auto" => Cost::Auto,
                    "mean" => Cost::Mean,
                    "line" => Cost::Line,
                    "level" => Cost::Level,
                    other => return Err(format!("{other} is no cost").into()),
                }
            }
            other => return Err(format!("{other} is no option").into()),
        }
    }
    Ok(o)
}

/// What was found in one series.
#[derive(Default)]
struct Found {
    jumps: usize,
    hits: usize,
    /// Of these with a warning.
    doubtful: usize,
    far: usize,
    /// True when there are changes elsewhere, and all of them have a warning.
    warned: bool,
    any_order: bool,
    wander: bool,
    held: bool,
}

/// What was found in the series of one kind and dimension.
fn cell(o: &Options, kind: &str, dim: usize) -> String {
    let found: Vec<Found> = (0..o.series).into_par_iter().map(|s| one(o, kind, dim, s)).collect();
    let sum = |f: &dyn Fn(&Found) -> usize| found.iter().map(f).sum::<usize>();
    let share =
        |f: &dyn Fn(&Found) -> bool| found.iter().filter(|x| f(x)).count() as f64 / found.len() as f64;
    let jumps = sum(&|f| f.jumps);
    if o.params.best.is_some() {
        let held = if jumps == 0 { String::new() } else { format!(" {:.2}", share(&|f| f.held)) };
        format!("{:.2} {:.2}{held}", share(&|f| f.any_order), share(&|f| f.wander))
    } else if jumps == 0 {
        let alarmed = found.iter().filter(|f| f.far > 0).count();
        format!("{alarmed} w{} ({})", found.iter().filter(|f| f.warned).count(), sum(&|f| f.far))
    } else {
        format!(
            "{}/{jumps}+{} w{} in {:.2}",
            sum(&|f| f.hits),
            sum(&|f| f.far),
            sum(&|f| f.doubtful),
            found.iter().filter(|f| f.held).count() as f64
                / found.iter().filter(|f| f.hits > 0).count() as f64
        )
    }
}

fn one(o: &Options, kind: &str, dim: usize, s: u64) -> Found {
    let mut random = Random::new(o.seed, kind, s * 10_000 + dim as u64);
    let (x, jumps) = make(kind, o.n, dim, &mut random);
    let t: Vec<i64> = (0..o.n as i64).collect();
    let found = detect(&Trajectory { entity: s, t: &t, x: &x, dim, model: &[] }, &o.params).changes;
    let near = |j: usize| found.iter().find(|c| c.index.abs_diff(j) <= 5);
    let hits: Vec<_> = jumps.iter().filter_map(|&j| near(j).map(|c| (j, c))).collect();
    let far: Vec<_> = found.iter().filter(|c| jumps.iter().all(|j| c.index.abs_diff(*j) > 5)).collect();
    let low = |p: Option<f64>| p.is_some_and(|p| p <= 0.05);
    let holds = |c: &Change| jumps.iter().any(|&j| c.t_low <= j as i64 && j as i64 <= c.t_high);
    let first = found.first();
    Found {
        jumps: jumps.len(),
        hits: hits.len(),
        doubtful: hits.iter().filter(|(_, c)| c.doubtful).count(),
        far: far.len(),
        warned: !far.is_empty() && far.iter().all(|c| c.doubtful),
        any_order: first.is_some_and(|c| low(c.p_any_order)),
        wander: first.is_some_and(|c| low(c.p_wander)),
        held: if o.params.best.is_some() {
            first.is_some_and(holds)
        } else {
            !hits.is_empty() && hits.iter().all(|(_, c)| holds(c))
        },
    }
}

/// A series of one kind and the places of its changes.
fn make(kind: &str, n: usize, dim: usize, r: &mut Random) -> (Vec<f32>, Vec<usize>) {
    let noise = |r: &mut Random| -> Vec<f64> { (0..dim).map(|_| r.normal()).collect() };
    let direction = noise(r);
    let root = (dim as f64).sqrt();
    let mut rows: Vec<Vec<f64>> = (0..n).map(|_| noise(r)).collect();
    let mut places = Vec::new();
    let name = kind.strip_prefix("jump");
    let loud = |rows: &mut Vec<Vec<f64>>, i: usize, by: f64| rows[i].iter_mut().for_each(|v| *v *= by);
    let t_draw = |r: &mut Random, nu: u32| {
        let chi: f64 = (0..nu).map(|_| r.normal().powi(2)).sum();
        r.normal() / (chi / f64::from(nu)).sqrt()
    };
    // The noise.
    match kind {
        "louder1.5" | "louder2" | "louder3" => {
            let by: f64 = kind[6..].parse().unwrap_or(2.0);
            (n / 2..n).for_each(|i| loud(&mut rows, i, by));
        }
        "jump2louder" => (n / 2..n).for_each(|i| loud(&mut rows, i, 2.0)),
        "thinning" => (0..n).for_each(|i| loud(&mut rows, i, 3.0f64.powf(i as f64 / n as f64))),
        "loud.4" | "loud.7" => {
            let by = if kind == "loud.4" { 0.4 } else { 0.7 };
            (0..n).for_each(|i| loud(&mut rows, i, (by * r.normal()).exp()));
        }
        "t2" | "t3" | "jump2t3" => {
            let nu = if kind == "t2" { 2 } else { 3 };
            rows.iter_mut().flatten().for_each(|v| *v = t_draw(r, nu));
        }
        "rowt3" => (0..n).for_each(|i| {
            let chi: f64 = (0..3).map(|_| r.normal().powi(2)).sum();
            loud(&mut rows, i, 1.0 / (chi / 3.0).sqrt());
        }),
        "lognormal" => rows.iter_mut().flatten().for_each(|v| *v = v.exp()),
        "ar.5" | "ar.9" | "jump2ar.5" => {
            let phi: f64 = if kind == "ar.9" { 0.9 } else { 0.5 };
            for i in 1..n {
                let (before, now) = rows.split_at_mut(i);
                let pairs = now[0].iter_mut().zip(&before[i - 1]);
                pairs.for_each(|(v, b)| *v = phi * b + (1.0 - phi * phi).sqrt() * *v);
            }
        }
        "texts" | "jump2texts" => (0..n).for_each(|i| {
            let k = 1 + r.below(49);
            loud(&mut rows, i, 1.0 / (k as f64).sqrt());
        }),
        "walk" | "walk+noise" => {
            let mut level = vec![0.0; dim];
            let step = if kind == "walk" { 1.0 } else { 0.3 };
            for row in &mut rows {
                level.iter_mut().for_each(|l| *l += step * r.normal());
                let keep = f64::from(u8::from(kind != "walk"));
                row.iter_mut().zip(&level).for_each(|(v, l)| *v = keep * *v + l);
            }
        }
        "offtopic" => (0..n).for_each(|i| loud(&mut rows, i, 0.5)),
        _ => {}
    }
    // The level.
    let mut add = |i: usize, by: f64, u: &[f64]| rows[i].iter_mut().zip(u).for_each(|(v, u)| *v += by * u);
    match kind {
        "season50" => {
            let other = noise(r);
            for i in 0..n {
                let at = std::f64::consts::TAU * i as f64 / 50.0;
                add(i, 2.0 * at.sin(), &direction);
                add(i, 2.0 * at.cos(), &other);
            }
        }
        "parabola" => {
            (0..n).for_each(|i| add(i, 6.0 * (2.0 * i as f64 / n as f64 - 1.0).powi(2), &direction))
        }
        "curve" => {
            let other = noise(r);
            for i in 0..n {
                let at = std::f64::consts::TAU * i as f64 / n as f64;
                add(i, 3.0 * (1.3 * at).sin(), &direction);
                add(i, 2.0 * (2.1 * at + 1.0).sin(), &other);
            }
        }
        "trend" => (0..n).for_each(|i| add(i, 5.0 * i as f64 / n as f64, &direction)),
        "texts" | "offtopic" | "jump2texts" => (0..n).for_each(|i| add(i, 1.0, &direction)),
        _ => {}
    }
    if let Some(name) = name {
        let many = name.ends_with("x3");
        let count = if many { 3 } else { 1 };
        let digits: String =
            name.trim_start_matches("sd").chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let size: f64 = digits.trim_end_matches('.').parse().unwrap_or(2.0);
        let size = if kind == "jump2texts" { 0.3 * size } else { size };
        for j in 1..=count {
            let at = j * n / (count + 1) + r.below(n / 12) - n / 24;
            let way = noise(r);
            let norm = way.iter().map(|v| v * v).sum::<f64>().sqrt();
            let by = if name.starts_with("sd") { size } else { size * root };
            (at..n).for_each(|i| add(i, by / norm, &way));
            places.push(at);
        }
    }
    if kind == "offtopic" {
        let at = n / 4 + r.below(n / 2);
        rows[at] = noise(r);
    }
    if ["texts", "offtopic", "jump2texts"].contains(&kind) && dim > 1 {
        for row in &mut rows {
            let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            row.iter_mut().for_each(|v| *v /= length);
        }
    }
    (rows.into_iter().flatten().map(|v| v as f32).collect(), places)
}
