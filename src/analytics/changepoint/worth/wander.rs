//! Does a level that wanders explain a stretch as well as a jump does?
//!
//! Without a jump the level is a random walk or a smooth curve under noise (local level and
//! integrated random walk; Durbin and Koopman 2012, 2.1 and 3.2), which of them and how much it
//! moves by likelihood. The statistic is the gain in log likelihood that a jump at the best split
//! adds, the movement fitted again. One backward pass gives the gain at every split: that of a
//! shock to the level is `|r|^2 / N` (de Jong and Penzer 1998). Without a jump the slope may break once,
//! and the strongest season is taken out before: a curve that turns is no jump. The null law comes from the same
//! series with the signs of its one-step errors flipped at random, row by row, so neither the noise's
//! covariance nor its loudness at each point has to be known.

use super::draws::{Draws, Tail};
use super::season::without_season;
use crate::analytics::changepoint::series::Series;
use crate::analytics::geometry::dot;
use crate::analytics::rng::Random;
use pulp::{Arch, NullaryFnOnce};
use std::ops::Range;

/// Variances of a step of the walk, in those of the noise: the least but 0, the ratio of
/// neighbours, and how many. A coarser ratio shows in the level from 32 dimensions on.
const LEAST_WALK: f64 = 5e-4;
const RATIO: f64 = 1.3;
const WALKS: usize = 50;
/// The narrowest smoothing of a curve, in points to either side; the variance of its slope's steps
/// is the width to the power -4.
const LEAST_WIDTH: f64 = 1.2;
const WIDTHS: usize = 64;
/// Fewer rows do not show how a level moves.
const MIN_ROWS: usize = 8;

/// What one step of a filter does, whatever the data.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// Variance of the one-step error, and one over its standard deviation.
    f: f64,
    weight: f64,
    /// What of the error is added to the level and to the slope.
    gain: [f64; 2],
    /// Information on a shock to the level, and to the slope, before this row, from the rows from here on.
    information: [f64; 2],
}

/// A level that moves by itself: a walk, or a curve whose slope walks.
struct Movement {
    /// Rows that fix where the level starts: one for a walk, two for a curve.
    start: usize,
    steps: Vec<Step>,
    mean_log: f64,
}

impl Movement {
    /// For `n` rows: `q` is the variance of a step of the level, or of the slope.
    fn new(q: f64, curve: bool, n: usize) -> Movement {
        let start = if curve { 2 } else { 1 };
        // Covariance of level and slope, before the next row.
        let mut p = if curve { [5.0 + q, 3.0 + q, 2.0 + 2.0 * q] } else { [1.0 + q, 0.0, 0.0] };
        let mut steps = vec![Step { f: 1.0, weight: 1.0, gain: [0.0; 2], information: [0.0; 2] }; n];
        for step in &mut steps[start..] {
            let f = p[0] + 1.0;
            let gain = [p[0] / f, p[1] / f];
            *step = Step { f, weight: f.sqrt().recip(), gain, information: [0.0; 2] };
            let left = [p[0] - gain[0] * p[0], p[1] - gain[0] * p[1], p[2] - gain[1] * p[1]];
            p = if curve {
                [left[0] + 2.0 * left[1] + left[2], left[1] + left[2], left[2] + q]
            } else {
                [left[0] + q, 0.0, 0.0]
            };
        }
        let m = (n - start) as f64;
        let mean_log = steps[start..].iter().map(|s| s.f.ln()).sum::<f64>() / m;
        let mut out = Movement { start, steps, mean_log };
        out.inform();
        out
    }

    /// Fills in the information, from the last row back.
    fn inform(&mut self) {
        let curve = self.start == 2;
        let mut n = [0.0; 3];
        for step in self.steps[self.start..].iter_mut().rev() {
            let l = step.back(curve);
            // L' N L + Z Z' / F, for the rows of L' as in `Step::back`.
            let apply = |a: [f64; 2], b: [f64; 2]| {
                a[0] * b[0] * n[0] + (a[0] * b[1] + a[1] * b[0]) * n[1] + a[1] * b[1] * n[2]
            };
            n = [apply(l[0], l[0]) + 1.0 / step.f, apply(l[0], l[1]), apply(l[1], l[1])];
            step.information = [n[0], n[2]];
        }
    }

    /// One-step errors of every row, over their standard deviations; 0 for the first rows.
    fn errors(&self, x: &Series) -> Vec<f64> {
        let mut out = vec![0.0; x.x.len()];
        match self.start {
            1 => Arch::new().dispatch(Forward::<false> { movement: self, x, out: &mut out }),
            _ => Arch::new().dispatch(Forward::<true> { movement: self, x, out: &mut out }),
        }
        out
    }

    /// The series whose one-step errors are those of `x` with the signs given.
    fn rebuild(&self, x: &Series, errors: &[f64], sign: impl FnMut() -> f64) -> Series {
        let (dim, mut sign) = (x.dim, sign);
        let mut out = x.clone();
        let (mut level, mut slope) = self.begin(x);
        for (i, step) in self.steps.iter().enumerate().skip(self.start) {
            let scale = sign() * step.f.sqrt();
            let (row, e) = (&mut out.x[i * dim..(i + 1) * dim], &errors[i * dim..(i + 1) * dim]);
            for d in 0..dim {
                let v = scale * e[d];
                row[d] = level[d] + v;
                slope[d] += step.gain[1] * v;
                level[d] += step.gain[0] * v + slope[d];
            }
        }
        out
    }

    /// Level and slope before the first row that is predicted.
    fn begin(&self, x: &Series) -> (Vec<f64>, Vec<f64>) {
        if self.start == 1 {
            return (x.row(0).to_vec(), vec![0.0; x.dim]);
        }
        let slope: Vec<f64> = x.row(1).iter().zip(x.row(0)).map(|(b, a)| b - a).collect();
        (x.row(1).iter().zip(&slope).map(|(v, s)| v + s).collect(), slope)
    }

    /// How well this explains `x`, with a jump or a break of slope at `min..=n-min`.
    fn fit(&self, x: &Series, min: usize) -> Fit {
        let (n, dim) = (x.len(), x.dim);
        let errors = self.errors(x);
        let squares = dot(&errors, &errors);
        let places = min..n - min + 1;
        let (most, kink) = match self.start {
            1 => Arch::new().dispatch(Backward::<false> { movement: self, errors: &errors, dim, places }),
            _ => Arch::new().dispatch(Backward::<true> { movement: self, errors: &errors, dim, places }),
        };
        let m = (n - self.start) as f64;
        let value = |s: f64| n as f64 * (self.mean_log + (s.max(f64::MIN_POSITIVE) / m).ln());
        let rest = |gain: f64| value((squares - gain).max(LEAST_LEFT * squares));
        Fit { still: value(squares), kink: rest(kink), jump: rest(most) }
    }
}

/// The filter. A struct, since a closure given to `dispatch` is compiled for the least instruction set; no operations are
/// fused, and sums have one order, so every machine gives the same bits.
struct Forward<'a, const CURVE: bool> {
    movement: &'a Movement,
    x: &'a Series,
    out: &'a mut [f64],
}

impl<const CURVE: bool> NullaryFnOnce for Forward<'_, CURVE> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Forward { movement, x, out } = self;
        let (mut level, mut slope) = movement.begin(x);
        let rows = x.x.chunks_exact(x.dim).zip(out.chunks_exact_mut(x.dim)).zip(&movement.steps);
        for ((row, errors), step) in rows.skip(movement.start) {
            let (weight, [to_level, to_slope]) = (step.weight, step.gain);
            for (((x, e), level), slope) in row.iter().zip(errors).zip(&mut level).zip(&mut slope) {
                let v = x - *level;
                *e = v * weight;
                // A walk has no slope.
                if CURVE {
                    *slope += to_slope * v;
                }
                *level += to_level * v + *slope;
            }
        }
    }
}

/// Sums that run side by side.
const LANES: usize = 8;

/// The smoother: the largest gains of a jump and of a break of slope at `places`.
struct Backward<'a, const CURVE: bool> {
    movement: &'a Movement,
    errors: &'a [f64],
    dim: usize,
    places: Range<usize>,
}

impl<const CURVE: bool> NullaryFnOnce for Backward<'_, CURVE> {
    type Output = (f64, f64);

    #[inline(always)]
    fn call(self) -> (f64, f64) {
        let Backward { movement, errors, dim, places } = self;
        // Whole lanes: what is beyond the last dimension stays zero.
        let wide = dim.next_multiple_of(LANES);
        let (mut level, mut slope, mut row) = (vec![0.0; wide], vec![0.0; wide], vec![0.0; wide]);
        let (mut most, mut kink) = (0.0f64, 0.0f64);
        for (i, step) in movement.steps.iter().enumerate().skip(movement.start).rev() {
            let (l, weight) = (step.back(CURVE), step.weight);
            row[..dim].copy_from_slice(&errors[i * dim..(i + 1) * dim]);
            let (mut squares, mut turns) = ([0.0; LANES], [0.0; LANES]);
            let lanes = level.chunks_exact_mut(LANES).zip(slope.chunks_exact_mut(LANES));
            for ((level, slope), row) in lanes.zip(row.chunks_exact(LANES)) {
                for lane in 0..LANES {
                    let (a, b) = (level[lane], slope[lane]);
                    level[lane] = l[0][0] * a + row[lane] * weight;
                    if CURVE {
                        level[lane] += l[0][1] * b;
                        slope[lane] = a + b;
                        turns[lane] += slope[lane] * slope[lane];
                    }
                    squares[lane] += level[lane] * level[lane];
                }
            }
            if places.contains(&i) {
                most = most.max(squares.iter().sum::<f64>() / step.information[0]);
                if CURVE && step.information[1] > KNOWN {
                    kink = kink.max(turns.iter().sum::<f64>() / step.information[1]);
                }
            }
        }
        (most, kink)
    }
}

/// `-2 log likelihood` a dimension: without a jump, with the best break of slope, with the best jump.
#[derive(Debug, Clone, Copy)]
struct Fit {
    still: f64,
    kink: f64,
    jump: f64,
}

/// Less information on a break of slope is rounding.
const KNOWN: f64 = 1e-9;
/// Share of the sum of squares that counts as left over: a perfect fit has no finite likelihood.
const LEAST_LEFT: f64 = 1e-12;

impl Step {
    /// The rows of `L'`, L the transition of errors of level and slope over this row.
    fn back(&self, curve: bool) -> [[f64; 2]; 2] {
        if curve {
            [[1.0 - self.gain[0] - self.gain[1], -self.gain[1]], [1.0, 1.0]]
        } else {
            [[1.0 - self.gain[0], 0.0], [0.0, 0.0]]
        }
    }
}

/// Movements of one kind, from the stillest to the liveliest.
struct Family(Vec<Movement>);

/// What fits best: without a jump, with a break of slope at most, with a jump.
#[derive(Debug, Clone, Copy)]
struct Best {
    still: (f64, usize),
    kink: f64,
    jump: (f64, usize),
}

impl Family {
    fn walks(n: usize) -> Family {
        let walk = |i: usize| if i == 0 { 0.0 } else { LEAST_WALK * RATIO.powi(i as i32 - 1) };
        Family((0..WALKS).map(|i| Movement::new(walk(i), false, n)).collect())
    }

    fn curves(n: usize) -> Family {
        let least = LEAST_WIDTH.powi(-4);
        let curve = |i: usize| if i == 0 { 0.0 } else { least * RATIO.powi(i as i32 + 1 - WIDTHS as i32) };
        Family((0..WIDTHS).map(|i| Movement::new(curve(i), true, n)).collect())
    }

    /// The best movements, sought downhill from `starts` in steps of `stride` and less.
    fn best(&self, x: &Series, min: usize, starts: &[usize], stride: usize) -> Best {
        let mut fits: Vec<Option<Fit>> = vec![None; self.0.len()];
        let mut fit = |i: usize| *fits[i].get_or_insert_with(|| self.0[i].fit(x, min));
        let mut still = (f64::INFINITY, 0);
        let mut jump = (f64::INFINITY, 0);
        for &start in starts {
            still = lesser(still, self.downhill(start, stride, |i| fit(i).still));
            jump = lesser(jump, self.downhill(start, stride, |i| fit(i).jump));
        }
        let kink = fits.iter().flatten().map(|f| f.kink).fold(f64::INFINITY, f64::min);
        Best { still, kink, jump }
    }

    fn downhill(&self, start: usize, stride: usize, mut value: impl FnMut(usize) -> f64) -> (f64, usize) {
        let mut here = (value(start), start);
        let mut step = stride;
        while step > 0 {
            let before = here.1;
            for next in [before.saturating_sub(step), (before + step).min(self.0.len() - 1)] {
                here = lesser(here, (value(next), next));
            }
            if here.1 == before {
                step /= 2;
            }
        }
        here
    }
}

fn lesser(a: (f64, usize), b: (f64, usize)) -> (f64, usize) {
    if b.0 < a.0 { b } else { a }
}

/// How much a jump gains, and the best movements of both families.
struct Judged {
    gain: f64,
    best: [Best; 2],
}

impl Judged {
    fn of(families: &[Family; 2], x: &Series, min: usize, starts: [&[usize]; 2], stride: usize) -> Judged {
        let best = [0, 1].map(|i| families[i].best(x, min, starts[i], stride));
        let without = best[0].kink.min(best[1].kink);
        Judged { gain: without - best[0].jump.0.min(best[1].jump.0), best }
    }
}

/// The p-value of a jump somewhere in `x` against a level that wanders. `None` where there are too
/// few rows.
pub(crate) fn p_value(x: &Series, min: usize, draws: Draws, random: &mut Random) -> Option<f64> {
    let n = x.len();
    if n < MIN_ROWS.max(2 * min) {
        return None;
    }
    let calm = without_season(x);
    let x = calm.as_ref().unwrap_or(x);
    let families = [Family::walks(n), Family::curves(n)];
    let all: Vec<usize> = (0..WIDTHS).step_by(7).collect();
    let walks: Vec<usize> = (0..WALKS).step_by(7).collect();
    let seen = Judged::of(&families, x, min, [&walks, &all], 3);
    let [walk, curve] = seen.best;
    let null = if walk.still.0 <= curve.still.0 {
        &families[0].0[walk.still.1]
    } else {
        &families[1].0[curve.still.1]
    };
    let starts = seen.best.map(|b| [b.still.1, b.jump.1]);
    let errors = null.errors(x);
    let mut tail = Tail::new(draws);
    while !tail.is_settled() {
        let flipped = null.rebuild(x, &errors, || if random.bits() & 1 == 0 { 1.0 } else { -1.0 });
        let drawn = Judged::of(&families, &flipped, min, [&starts[0], &starts[1]], 2);
        tail.count(drawn.gain >= seen.gain);
    }
    Some(tail.p())
}
