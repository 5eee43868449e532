//! Times the search for change points on generated series, for a table beside other programs.
//!
//! ```text
//! cargo run --release --example bench_changepoints -- N DIM CHANGES [THREADS]
//! ```
//!
//! The series is white noise with jumps of one noise radius at even distances; prints
//! `n dim changes seconds cpu_seconds found hits`, where a hit lies within five points of a jump.

use cvx::analytics::changepoint::{Params, detect};
use cvx::analytics::rng::Random;
use cvx::model::Trajectory;
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<usize> = std::env::args().skip(1).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let (&[n, dim, changes] | &[n, dim, changes, _]) = args.as_slice() else {
        return Err("usage: bench_changepoints N DIM CHANGES [THREADS]".into());
    };
    let threads = args.get(3).copied().unwrap_or(1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let every = n / (changes + 1);
    let jumps: Vec<usize> = (1..=changes).map(|j| j * every).collect();
    let mut random = Random::new(1, "bench", 0);
    let mut level = vec![0.0; dim];
    let mut x: Vec<f32> = Vec::with_capacity(n * dim);
    for i in 0..n {
        if jumps.contains(&i) {
            // One noise radius in a random direction; 3 standard deviations in one dimension.
            let jump: Vec<f64> = (0..dim).map(|_| random.normal()).collect();
            let length = jump.iter().map(|v| v * v).sum::<f64>().sqrt();
            let size = if dim == 1 { 3.0 } else { (dim as f64).sqrt() };
            level.iter_mut().zip(&jump).for_each(|(l, j)| *l += size * j / length);
        }
        x.extend(level.iter().map(|l| (l + random.normal()) as f32));
    }
    let t: Vec<i64> = (0..n as i64).collect();
    let trajectory = Trajectory { entity: 1, t: &t, x: &x, dim, model: &[] };
    let (started, busy) = (Instant::now(), cpu_seconds());
    let found = detect(&trajectory, &Params::default()).changes;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - busy);
    let hits = jumps.iter().filter(|j| found.iter().any(|c| c.index.abs_diff(**j) <= 5)).count();
    println!("{n} {dim} {changes} {seconds:.3} {cpu:.3} {} {hits}", found.len());
    Ok(())
}

/// What all threads of this process have used of the processors.
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 * 1e-9
}
