//! Forecasts: each method on one history, the solver, a batch of entities; with the feature
//! `neural` also a trained model and an epoch of training.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cvx::analytics::predict::ode::{Control, solve};
use cvx::analytics::predict::{
    Calibration, Choice, Method, Options, Outlooks, Settings, forecast, predict, rolling,
};
use cvx::analytics::rng::Random;
use cvx::model::Trajectory;
use std::hint::black_box;

const HOUR_US: i64 = 3_600_000_000;

/// Points on circles in a plane of `dim` dimensions, about an hour apart, with noise.
fn circles(entities: usize, n: usize, dim: usize) -> Vec<(Vec<i64>, Vec<f32>)> {
    let mut axes = Random::new(1, "bench axes", 0);
    let plane: Vec<(f64, f64)> = (0..dim).map(|_| (axes.normal(), axes.normal())).collect();
    let make = |entity: usize| {
        let mut random = Random::new(1, "bench circles", entity as u64);
        let phase = std::f64::consts::TAU * random.unit();
        let t: Vec<i64> = (0..n as i64).map(|i| i * HOUR_US + (random.unit() * 3e9) as i64).collect();
        let angle = |t: i64| phase + 0.3 * t as f64 / HOUR_US as f64;
        let mut point = |t: i64| -> Vec<f32> {
            let (sin, cos) = angle(t).sin_cos();
            plane.iter().map(|(a, b)| (a * cos + b * sin + 0.05 * random.normal()) as f32).collect()
        };
        let x = t.iter().flat_map(|&t| point(t)).collect();
        (t, x)
    };
    (0..entities).map(make).collect()
}

fn views(set: &[(Vec<i64>, Vec<f32>)], dim: usize) -> Vec<Trajectory<'_>> {
    set.iter().enumerate().map(|(i, (t, x))| Trajectory { entity: i as u64, t, x, dim, model: &[] }).collect()
}

fn methods(c: &mut Criterion) {
    let mut group = c.benchmark_group("predict/one");
    let set = circles(1, 30, 768);
    let tr = views(&set, 768)[0];
    for method in Method::ALL.into_iter().filter(|m| *m != Method::Node) {
        group.bench_function(BenchmarkId::new(method.as_str(), "n=30 D=768"), |b| {
            b.iter(|| forecast(method, black_box(&tr), &[3600.0], &Settings::default()));
        });
    }
    group.finish();
}

fn solver(c: &mut Criterion) {
    let pendulum = |_: f64, y: &[f64], dy: &mut [f64]| {
        dy[0] = y[1];
        dy[1] = -y[0].sin();
    };
    c.bench_function("predict/dormand-prince pendulum to t=20, rtol 1e-8", |b| {
        let control = Control { rtol: 1e-8, atol: 1e-10, ..Control::default() };
        b.iter(|| solve(pendulum, 0.0, black_box(&[2.5, 0.0]), &[20.0], &control));
    });
}

fn batch(c: &mut Criterion) {
    let (entities, n, dim) = (1000, 30, 64);
    let set = circles(entities, n, dim);
    let sample = views(&set, dim);
    let methods = [Method::Last, Method::Mean, Method::Linear, Method::Trend];
    let cases = rolling::evaluate(&sample, &methods, 500, 1, &Settings::default());
    let calibration = Calibration::new(cases, rolling::median_step_s(&sample).unwrap_or(3600.0));
    let outlooks = Outlooks::new(calibration, &[0.9], Settings::default().window);
    let options = Options {
        choice: Choice::Auto,
        allowed: &methods,
        half_widths: false,
        outlooks: Some(&outlooks),
        settings: Settings::default(),
    };
    let mut group = c.benchmark_group("predict/batch");
    group.throughput(Throughput::Elements((entities * n) as u64));
    group.bench_function("1,000 entities x 30 points, D=64, auto, one thread", |b| {
        let ahead = |tr: &Trajectory| predict(tr, &[Some(tr.t[n - 1] + HOUR_US)], &options);
        b.iter(|| sample.iter().map(ahead).filter(|p| p.is_ok()).count());
    });
    group.bench_function("calibration of the same, 500 a class", |b| {
        b.iter(|| rolling::evaluate(&sample, &methods, 500, 1, &Settings::default()));
    });
    group.finish();
}

#[cfg(feature = "neural")]
fn node(c: &mut Criterion) {
    use criterion::BatchSize;
    use cvx::analytics::predict::node::{self, Event};
    use std::ops::ControlFlow;
    let dim = 768;
    let set = circles(40, 30, dim);
    let sample = views(&set, dim);
    let run = |epochs: u32, watch: &mut dyn FnMut(Event) -> ControlFlow<()>| {
        let options = node::Options { epochs, components: 16, ..node::Options::default() };
        node::train(&sample, &options, None, watch)
    };
    let Ok(Some(model)) = run(3, &mut |_| ControlFlow::Continue(())) else { return };
    let settings = Settings { model: Some(&model), ..Settings::default() };
    let mut group = c.benchmark_group("predict/node");
    group.bench_function("one entity, n=30 D=768, 10 steps ahead", |b| {
        b.iter(|| forecast(Method::Node, black_box(&sample[0]), &[36_000.0], &settings));
    });
    let bytes = model.encode();
    group.bench_function("decode the model", |b| {
        b.iter_batched(|| bytes.clone(), |b| node::Model::decode(&b), BatchSize::SmallInput);
    });
    group.finish();
}

#[cfg(not(feature = "neural"))]
fn node(_: &mut Criterion) {}

criterion_group!(benches, methods, solver, batch, node);
criterion_main!(benches);
