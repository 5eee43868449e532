//! A season that a level may have, and that no jump is.

use crate::analytics::changepoint::series::Series;

/// A season shows itself at least this often.
const LEAST_CYCLES: f64 = 3.0;
/// And has at least this many points a cycle.
const LEAST_PERIOD: f64 = 4.0;
/// Cycles by which two tried frequencies differ.
const APART: f64 = 0.25;
/// Share of the sum of squares that a season explains. Of a jump or a walk one wave of three or more
/// cycles explains less than a fifth, so that neither is taken for a season.
const LEAST_SHARE: f64 = 0.25;

/// `x` less its strongest wave, where it has one. Leaves `x` centred or as it is.
pub(crate) fn without_season(x: &Series) -> Option<Series> {
    let n = x.len();
    let most = n as f64 / LEAST_PERIOD;
    let mut centred = x.clone();
    centred.centre();
    let total: f64 = centred.x.iter().map(|v| v * v).sum();
    let mut best = (0.0, None);
    let mut cycles = LEAST_CYCLES;
    while cycles <= most {
        let wave = Wave::of(&centred, cycles);
        if wave.explains > best.0 {
            best = (wave.explains, Some(wave));
        }
        cycles += APART;
    }
    let wave = best.1.filter(|w| w.explains >= LEAST_SHARE * total)?;
    for (i, row) in centred.x.chunks_exact_mut(x.dim).enumerate() {
        let (sin, cos) = (wave.step * i as f64).sin_cos();
        for (d, v) in row.iter_mut().enumerate() {
            *v -= 2.0 / n as f64 * (cos * wave.cos[d] + sin * wave.sin[d]);
        }
    }
    Some(centred)
}

/// Sums of a series over one wave.
struct Wave {
    step: f64,
    cos: Vec<f64>,
    sin: Vec<f64>,
    explains: f64,
}

impl Wave {
    fn of(x: &Series, cycles: f64) -> Wave {
        let step = std::f64::consts::TAU * cycles / x.len() as f64;
        let (mut cos, mut sin) = (vec![0.0; x.dim], vec![0.0; x.dim]);
        for i in 0..x.len() {
            let (s, c) = (step * i as f64).sin_cos();
            for (d, v) in x.row(i).iter().enumerate() {
                cos[d] += c * v;
                sin[d] += s * v;
            }
        }
        let square = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
        let explains = 2.0 / x.len() as f64 * (square(&cos) + square(&sin));
        Wave { step, cos, sin, explains }
    }
}
