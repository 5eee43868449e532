//! Whether a series repeats itself: a season looks like a row of changes, and no null of the search has one.

use super::series::Series;
use crate::analytics::geometry::dot;

/// Least period, in points: shorter ones are noise that remembers.
const LEAST: usize = 4;
/// Periods that a series must hold. Of 300 series of 120 to 400 points none whose level leaves and comes back is taken
/// for a season; of walks 1 to 4 in 100 are, of AR(1) at 0.9 up to 23.
const TIMES: usize = 2;
/// Longest period that is looked for, in points.
const LONGEST: usize = 4096;
/// The autocorrelation has to fall below minus this and to rise above it again. Sines of 16 to 100 points under noise
/// reach 0.4 and more along the direction of their largest change where a search finds changes in them; walks and steps
/// of 200 to 600 points stay below in all but a few of a hundred series (`tests::who_repeats`).
const DEPTH: f64 = 0.3;
/// And by so many standard errors of the autocorrelation of independent noise.
const SURE: f64 = 3.5;

/// The number of points after which a centred series repeats itself along a direction; `None` when it does not.
pub(super) fn period(series: &Series, direction: &[f64]) -> Option<usize> {
    let n = series.len();
    let mut y: Vec<f64> = (0..n).map(|i| dot(series.row(i), direction)).collect();
    let mean = y.iter().sum::<f64>() / n as f64;
    y.iter_mut().for_each(|v| *v -= mean);
    let variance = dot(&y, &y) / n as f64;
    if variance == 0.0 {
        return None;
    }
    let correlation = |lag: usize| dot(&y[..n - lag], &y[lag..]) / ((n - lag) as f64 * variance);
    // Of a short series of noise alone, too, some lag lies beyond `DEPTH`.
    let depth = |lag: usize| DEPTH.max(SURE / ((n - lag) as f64).sqrt());
    let (mut fell, mut best) = (false, None);
    for lag in LEAST / 2..=(n / TIMES).min(LONGEST) {
        let r = correlation(lag);
        fell |= r < -depth(lag);
        match best {
            // Past the first peak: its place is the period.
            Some((_, top)) if r < top / 2.0 => break,
            Some((_, top)) if r > top => best = Some((lag, r)),
            None if fell && lag >= LEAST && r > depth(lag) => best = Some((lag, r)),
            _ => {}
        }
    }
    best.map(|(lag, _)| lag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::rng::Random;

    fn series(n: usize, seed: u64, level: impl Fn(usize) -> f64) -> Series {
        let mut random = Random::new(seed, "repeats", n as u64);
        let x = (0..n).flat_map(|i| [level(i) + random.normal(), random.normal()]).collect();
        Series::new(x, 2)
    }

    #[test]
    fn who_repeats() {
        let of = |s: &Series| period(s, &[1.0, 0.0]);
        for p in [16.0, 50.0, 90.0] {
            let sine = series(400, 1, |i| 2.0 * (std::f64::consts::TAU * i as f64 / p).sin());
            let found = of(&sine).unwrap() as f64;
            assert!((found - p).abs() <= p / 8.0, "{p}: {found}");
        }
        let wrong = |make: &dyn Fn(u64) -> Series| (0..100).filter(|s| of(&make(*s)).is_some()).count();
        assert_eq!(wrong(&|s| series(400, s, |_| 0.0)), 0);
        assert_eq!(wrong(&|s| series(30, s, |_| 0.0)), 0);
        assert_eq!(wrong(&|s| series(400, s, |i| f64::from(u8::from(i >= 130)) * 4.0)), 0);
        // A level that leaves and comes back.
        assert_eq!(wrong(&|s| series(400, s, |i| f64::from(u8::from((130..260).contains(&i))) * 4.0)), 0);
        let walk = |seed| {
            let mut random = Random::new(seed, "repeats walk", 0);
            let mut at = 0.0;
            let levels: Vec<f64> = (0..400)
                .map(|_| {
                    at += random.normal();
                    at
                })
                .collect();
            series(400, seed, move |i| levels[i])
        };
        assert!(wrong(&walk) <= 12, "{}", wrong(&walk));
        assert_eq!(period(&Series::new(vec![1.0; 20], 2), &[1.0, 0.0]), None);
    }
}
