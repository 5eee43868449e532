//! The analytics on single trajectories: velocity, drift, change points looking back and online,
//! and tests of populations.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cvx::analytics::changepoint::{Params, bocpd, detect};
use cvx::analytics::population::{self, Test, Window, compare};
use cvx::analytics::rng::Random;
use cvx::analytics::{drift, velocity};
use cvx::model::Trajectory;
use std::hint::black_box;
use std::time::Duration;

/// White noise with `changes` jumps of one noise radius, `n` rows of `dim` values.
fn noise(n: usize, dim: usize, changes: usize) -> (Vec<i64>, Vec<f32>) {
    let mut random = Random::new(1, "bench analytics", (n * dim) as u64);
    let mut level = vec![0.0; dim];
    let mut x = Vec::with_capacity(n * dim);
    let every = n / (changes + 1);
    for i in 0..n {
        if i > 0 && i % every == 0 && i / every <= changes {
            level.iter_mut().for_each(|l| *l += random.normal());
        }
        x.extend(level.iter().map(|l| (l + random.normal()) as f32));
    }
    ((0..n as i64).map(|i| i * 1_000_000).collect(), x)
}

fn view<'a>((t, x): &'a (Vec<i64>, Vec<f32>), dim: usize) -> Trajectory<'a> {
    Trajectory { entity: 1, t, x, dim, model: &[] }
}

fn motion(c: &mut Criterion) {
    let mut group = c.benchmark_group("motion/20x128");
    let data = noise(20, 128, 0);
    let trajectory = view(&data, 128);
    group.throughput(Throughput::Elements(20));
    group.bench_function("velocity", |b| {
        let params = velocity::Params::default();
        b.iter(|| velocity::rows(black_box(&trajectory), &params).count())
    });
    for flips in [0, 999] {
        group.bench_function(BenchmarkId::new("drift", flips), |b| {
            let params = drift::Params { flips, ..drift::Params::default() };
            b.iter(|| drift::drift(black_box(&trajectory), &params))
        });
    }
    group.bench_function("changepoints", |b| b.iter(|| detect(black_box(&trajectory), &Params::default())));
    group.finish();
}

fn changes(c: &mut Criterion) {
    let mut group = c.benchmark_group("changepoints");
    group.sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    for (n, dim) in [(1_000, 1), (10_000, 1), (1_000, 64), (10_000, 64), (1_000, 768)] {
        for changes in [0, 9] {
            let data = noise(n, dim, changes);
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(BenchmarkId::new(format!("{n}x{dim}"), changes), |b| {
                b.iter(|| detect(black_box(&view(&data, dim)), &Params::default()))
            });
        }
    }
    group.finish();
}

fn online(c: &mut Criterion) {
    let mut group = c.benchmark_group("bocpd/1000");
    group.throughput(Throughput::Elements(1_000));
    for dim in [1, 64, 768] {
        let data = noise(1_000, dim, 1);
        let trajectory = view(&data, dim);
        group.bench_function(BenchmarkId::from_parameter(dim), |b| {
            b.iter(|| {
                let mut detector = bocpd::Detector::new(dim, bocpd::Params::default());
                (0..trajectory.len())
                    .filter_map(|i| detector.observe(trajectory.t[i], trajectory.row(i)))
                    .count()
            })
        });
    }
    group.finish();
}

fn populations(c: &mut Criterion) {
    let mut group = c.benchmark_group("population/500+500x64");
    group.sample_size(10);
    let data = noise(1_000, 64, 0);
    let entities: Vec<u64> = (0..500).collect();
    let (a, b) = data.1.split_at(500 * 64);
    let window = |x| Window { entity: &entities, x, dim: 64 };
    for test in [Test::Mmd, Test::Energy, Test::Centroid, Test::Norm, Test::Classifier] {
        let params =
            population::Params { tests: vec![test], permutations: 99, ..population::Params::default() };
        group.bench_function(test.as_str(), |bench| {
            bench.iter(|| compare(black_box(&window(a)), &window(b), 0, &params))
        });
    }
    group.finish();
}

criterion_group!(benches, motion, changes, online, populations);
criterion_main!(benches);
