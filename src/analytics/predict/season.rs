//! Do the trajectories of a sample repeat themselves, after how long, and how do they go on?
//!
//! The period is found by the structure function: `V(lag) = mean |x(t + lag) - x(t)|^2` of each
//! trajectory, its straight line removed. It is a lag at which `V` is lower than at half and at one
//! and a half of it, by more than the trajectories differ among themselves.
//!
//! The forecast of the method `season` is a level and up to three harmonics of the period, fitted to
//! the history by least squares at whatever times its points have (as in Lomb 1976).

use super::minimize::inverse;
use crate::analytics::rng::Random;
use crate::model::{Trajectory, seconds_between};
use std::f64::consts::TAU;

/// Most harmonics.
const HARMONICS: usize = 3;
/// Fewest points that are fitted.
pub const MIN_POINTS: usize = 10;
/// Periods that a history must span.
const MIN_PERIODS: f64 = 1.25;

/// Forecasts of a history, one vector per horizon, row-major; `None` when the history is shorter
/// than a period and a quarter, or its times do not determine the harmonics.
pub fn forecast(history: &Trajectory, period_s: f64, horizons_s: &[f64]) -> Option<Vec<f64>> {
    let n = history.len();
    let end = history.t[n - 1];
    let span = seconds_between(history.t[0], end);
    if n < MIN_POINTS || span < MIN_PERIODS * period_s {
        return None;
    }
    // Points of a regular grid determine as many harmonics as half a period has steps.
    let steps = period_s * (n - 1) as f64 / span;
    let harmonics = (((steps - 1.0) / 2.0 + 1e-9) as usize).clamp(1, HARMONICS);
    let design = |ahead_s: f64| -> Vec<f64> {
        let angle = TAU * (ahead_s / period_s).fract();
        let wave = |k: usize| [(k as f64 * angle).cos(), (k as f64 * angle).sin()];
        std::iter::once(1.0).chain((1..=harmonics).flat_map(wave)).collect()
    };
    let rows: Vec<Vec<f64>> = history.t.iter().map(|&t| design(-seconds_between(t, end))).collect();
    let p = 1 + 2 * harmonics;
    let product = |i: usize, j: usize| rows.iter().map(|r| r[i] * r[j]).sum::<f64>() / n as f64;
    let inverse = inverse((0..p).map(|i| (0..p).map(|j| product(i, j)).collect()).collect())?;
    let mut out = Vec::with_capacity(horizons_s.len() * history.dim);
    for &h in horizons_s {
        let at = design(h);
        let by: Vec<f64> = inverse.iter().map(|r| r.iter().zip(&at).map(|(a, b)| a * b).sum()).collect();
        let mut vector = vec![0.0; history.dim];
        for (i, row) in rows.iter().enumerate() {
            let weight = row.iter().zip(&by).map(|(a, b)| a * b).sum::<f64>() / n as f64;
            vector.iter_mut().zip(history.row(i)).for_each(|(v, &x)| *v += weight * f64::from(x));
        }
        out.extend(vector);
    }
    Some(out)
}

/// Trajectories that are looked at.
const SERIES: usize = 64;
/// Newest points of each.
const POINTS: usize = 512;
/// Random directions onto which vectors are projected: distances among eight numbers stand for
/// those among hundreds, on average over trajectories.
const DIRECTIONS: usize = 8;
/// Lags are gathered in bins of half a median step.
const BINS_PER_STEP: f64 = 2.0;
/// Pairs of points that a bin of one trajectory needs.
const MIN_PAIRS: u32 = 4;
/// Trajectories from which the spread between them is estimated; fewer need a deeper dip.
const MIN_SERIES: usize = 8;
/// Standard errors by which the dip must stand out. Of lags by the hundred the largest of
/// chance is about 3.5.
const STANDARD_ERRORS: f64 = 4.0;
/// `V` at the period over that at one half and one and a half of it, at most.
const DEPTH: f64 = 0.9;
/// The same where there are few trajectories.
const DEPTH_OF_FEW: f64 = 0.5;

/// The period that most trajectories share, in seconds.
pub fn period(sample: &[Trajectory], unit_s: f64, seed: u64) -> Option<f64> {
    let long = |tr: &&Trajectory| tr.len() >= 12 && !tr.mixes_models();
    let mut chosen: Vec<&Trajectory> = sample.iter().filter(long).collect();
    Random::new(seed, "predict period", 0).shuffle(&mut chosen);
    chosen.truncate(SERIES);
    let curves: Vec<Vec<Bin>> = chosen.iter().filter_map(|tr| structure(tr, unit_s, seed)).collect();
    let longest = curves.iter().map(Vec::len).max().unwrap_or(0);
    // From four bins (two steps) on, and while one and a half periods are seen.
    let dips: Vec<Dip> = (4..longest).filter_map(|lag| dip(&curves, lag)).collect();
    let deepest = dips.iter().map(|d| d.depth).fold(f64::INFINITY, f64::min);
    // Three periods dip as low as one, and leave fewer points to start from.
    let first = dips.iter().find(|d| d.depth <= 1.2 * deepest)?;
    let around = dips.iter().filter(|d| d.lag_s < 1.2 * first.lag_s);
    around.min_by(|a, b| a.depth.total_cmp(&b.depth)).map(|d| d.lag_s)
}

/// Squared distances of the pairs whose lag falls into a bin.
#[derive(Clone, Default)]
struct Bin {
    pairs: u32,
    squares: f64,
    lag_s: f64,
}

impl Bin {
    fn mean(&self) -> Option<f64> {
        (self.pairs >= MIN_PAIRS).then(|| self.squares / f64::from(self.pairs))
    }
}

/// The structure function over lags up to six tenths of the time seen, in units of its mean.
fn structure(tr: &Trajectory, unit_s: f64, seed: u64) -> Option<Vec<Bin>> {
    let from = tr.len() - tr.len().min(POINTS);
    let time: Vec<f64> = tr.t[from..].iter().map(|&t| seconds_between(tr.t[from], t)).collect();
    let rows = projected(tr, from, &time, seed);
    let span = time[time.len() - 1];
    let bin_of = |lag: f64| (lag / unit_s * BINS_PER_STEP).round() as usize;
    // A trajectory of far longer steps than the others fills no bins.
    let most = bin_of(0.6 * span).min(2 * POINTS);
    let mut bins = vec![Bin::default(); most + 1];
    let (mut all, mut pairs) = (0.0, 0u32);
    for i in 0..time.len() {
        for j in i + 1..time.len() {
            let lag = time[j] - time[i];
            let Some(bin) = bins.get_mut(bin_of(lag)) else { break };
            let squares: f64 = rows[i].iter().zip(&rows[j]).map(|(a, b)| (a - b).powi(2)).sum();
            bin.pairs += 1;
            bin.squares += squares;
            bin.lag_s += lag;
            all += squares;
            pairs += 1;
        }
    }
    let mean = all / f64::from(pairs.max(1));
    if !(mean > 0.0 && mean.is_finite()) {
        return None;
    }
    bins.iter_mut().for_each(|b| b.squares /= mean);
    Some(bins)
}

/// The points from `from` on along random directions, without their straight lines.
fn projected(tr: &Trajectory, from: usize, time: &[f64], seed: u64) -> Vec<[f64; DIRECTIONS]> {
    let mut random = Random::new(seed, "predict directions", tr.entity);
    let mut signs = vec![[0.0; DIRECTIONS]; tr.dim];
    signs.iter_mut().flatten().for_each(|s| *s = if random.bits() & 1 == 0 { -1.0 } else { 1.0 });
    let mut rows = vec![[0.0; DIRECTIONS]; time.len()];
    for (i, row) in rows.iter_mut().enumerate() {
        for (&x, s) in tr.row(from + i).iter().zip(&signs) {
            row.iter_mut().zip(s).for_each(|(r, s)| *r += s * f64::from(x));
        }
    }
    let n = time.len() as f64;
    let centre = time.iter().sum::<f64>() / n;
    let spread: f64 = time.iter().map(|t| (t - centre).powi(2)).sum();
    for k in 0..DIRECTIONS {
        let slope = rows.iter().zip(time).map(|(r, t)| r[k] * (t - centre)).sum::<f64>() / spread;
        rows.iter_mut().zip(time).for_each(|(r, t)| r[k] -= slope * (t - centre));
    }
    rows
}

struct Dip {
    lag_s: f64,
    depth: f64,
}

/// Whether the structure functions dip at a lag.
fn dip(curves: &[Vec<Bin>], lag: usize) -> Option<Dip> {
    let at = |c: &[Bin], k: usize| near(c, k);
    let (half, more) = (lag / 2, lag + lag.div_ceil(2));
    let seen: Vec<[f64; 3]> =
        curves.iter().filter_map(|c| Some([at(c, half)?, at(c, lag)?, at(c, more)?])).collect();
    let n = seen.len() as f64;
    let mean = |f: &dyn Fn(&[f64; 3]) -> f64| seen.iter().map(f).sum::<f64>() / n;
    let sides = mean(&|v| v[0]).min(mean(&|v| v[2]));
    let depth = mean(&|v| v[1]) / sides;
    let most = if seen.len() < MIN_SERIES { DEPTH_OF_FEW } else { DEPTH };
    if seen.is_empty() || depth.is_nan() || depth > most {
        return None;
    }
    let stands_out = |side: usize| {
        let rise = mean(&|v| v[side] - v[1]);
        let variance = mean(&|v| (v[side] - v[1] - rise).powi(2));
        rise > STANDARD_ERRORS * (variance / n).sqrt()
    };
    if seen.len() >= MIN_SERIES && !(stands_out(0) && stands_out(2)) {
        return None;
    }
    let (sum, pairs) =
        curves.iter().filter_map(|c| c.get(lag)).fold((0.0, 0u32), |(s, n), b| (s + b.lag_s, n + b.pairs));
    (pairs > 0).then(|| Dip { lag_s: sum / f64::from(pairs), depth })
}

/// The bin, or its neighbour: at regular times every second one is empty.
fn near(bins: &[Bin], k: usize) -> Option<f64> {
    [k, k + 1].into_iter().find_map(|k| bins.get(k)?.mean())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::rolling::median_step_s;
    use crate::analytics::predict::synthetic::{self, Kind};

    fn found(kind: Kind, irregular: bool, entities: u64, dim: usize, seed: u64) -> Option<f64> {
        let set = synthetic::of(kind, irregular, entities, 60, dim, seed);
        let sample = synthetic::views(&set);
        Some(period(&sample, median_step_s(&sample).unwrap(), seed)? / 3600.0)
    }

    #[test]
    fn seasons_are_found_and_what_does_not_repeat_is_not() {
        for (dim, entities) in [(1, 40), (8, 40), (64, 12), (1, 3)] {
            for irregular in [false, true] {
                let p = found(Kind::Season, irregular, entities, dim, 5).unwrap();
                let harmonic = p / 12.0;
                assert!((harmonic - harmonic.round()).abs() < 0.06, "{dim} {entities} {irregular}: {p}");
                for kind in [Kind::Walk, Kind::Reverting, Kind::Noise, Kind::Trend] {
                    let p = if entities < 8 { None } else { found(kind, irregular, entities, dim, 5) };
                    assert_eq!(p, None, "{kind:?} {dim} {entities} {irregular}");
                }
            }
        }
    }

    #[test]
    fn a_wave_goes_on() {
        for (irregular, noise) in [(false, 0.0), (true, 0.0), (true, 0.1)] {
            let mut random = Random::new(3, "season test", 0);
            let hour = |i: usize, r: &mut Random| i as f64 + if irregular { r.unit() } else { 0.0 };
            let hours: Vec<f64> = (0..40).map(|i| hour(i, &mut random)).collect();
            let wave = |h: f64| 2.0 + (TAU * h / 12.0 + 0.3).sin() + 0.5 * (2.0 * TAU * h / 12.0).cos();
            let t: Vec<i64> = hours.iter().map(|h| (h * 3.6e9) as i64).collect();
            let x: Vec<f32> = hours.iter().map(|&h| (wave(h) + noise * random.normal()) as f32).collect();
            let tr = Trajectory { entity: 1, t: &t, x: &x, dim: 1, model: &[] };
            let f = forecast(&tr, 12.0 * 3600.0, &[3600.0, 100.0 * 3600.0]).unwrap();
            let truth = [1.0, 100.0].map(|h| wave(hours[39] + h));
            assert!(f.iter().zip(truth).all(|(a, b)| (a - b).abs() < 1e-4 + 3.0 * noise), "{f:?} {truth:?}");
            assert_eq!(forecast(&tr, 40.0 * 3600.0, &[1.0]), None);
        }
    }

    #[test]
    fn too_little_has_no_period() {
        assert_eq!(period(&[], 1.0, 1), None);
        let t: Vec<i64> = (0..40).collect();
        let still = Trajectory { entity: 1, t: &t, x: &[0.5; 40], dim: 1, model: &[] };
        assert_eq!(period(&[still], 1e-6, 1), None);
    }
}
