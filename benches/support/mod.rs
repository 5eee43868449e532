//! What the benches share: a clock that other jobs disturb less, and vectors.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Processor time of the process: on a busy machine it does not count the waiting.
pub struct CpuTime;

fn now() -> Duration {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        now()
    }

    fn end(&self, start: Duration) -> Duration {
        now().saturating_sub(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// `n` vectors of `dim` values in [-1, 1), row-major.
pub fn vectors(seed: u64, n: usize, dim: usize) -> Vec<f32> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..n * dim).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

/// Pairs of vectors, for rates in pairs a second.
pub fn pairs(n: usize) -> Throughput {
    Throughput::Elements(n as u64)
}
