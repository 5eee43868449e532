//! Segments whose level may itself wander, under noise that may remember: the cost of local-level
//! segments, and the search for the best of them.
//!
//! With `y_t = x_t - phi x_{t-1}` the cost of a segment is the sum of squared one-step errors of
//! the Kalman filter of a level that walks with variance `q` (in units of the noise), each over
//! its variance factor F. With `phi = q = 0` it is the residual sum of squares around the mean.
//! Jumps in a wandering, autocorrelated signal: Romano, Rigaill, Runge and Fearnhead 2022 (DeCAFS).

use super::cost::{MeanCost, SegmentCost};
use super::pelt;
use super::recalling::RecallingCost;
use super::series::Series;
use crate::analytics::geometry::squared_distance;

/// A candidate whose filter has forgotten its start to this share is like any other old one.
const FORGOTTEN: f64 = 1e-7;

/// Longer series have old candidates thinned out: of this many ages all are kept, of the next as
/// many every second, then as many of every fourth, and so on.
const THIN_ABOVE: usize = 4096;
const FULL: usize = 64;

/// The walk of a model that is all walk.
pub(crate) const PURE_WALK: f64 = 1e4;

/// How noise and level move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Model {
    /// Lag-one coefficient of the noise.
    pub phi: f64,
    /// Variance of a step of the level over that of the noise's innovation.
    pub q: f64,
}

impl Model {
    /// True when jumps can hardly be told from how the level or the noise moves by itself.
    pub fn wanders(&self) -> bool {
        self.phi >= 0.8 || self.steady_gain() >= 0.5
    }

    /// The filter's gain after a long time.
    pub fn steady_gain(&self) -> f64 {
        1.0 - 1.0 / self.steady_factor()
    }

    /// Variance of a one-step error after a long time, over that of the noise's innovation.
    pub fn steady_factor(&self) -> f64 {
        1.0 + (self.q + (self.q * self.q + 4.0 * self.q).sqrt()) / 2.0
    }
}

/// Gain and variance factor of the filter by age, until they stand still.
struct Schedule {
    gain: Vec<f64>,
    factor: Vec<f64>,
}

impl Schedule {
    /// For ages 1, 2, .. below `n`.
    fn new(model: Model, n: usize) -> Self {
        let mut p = (1.0 - model.phi) / (1.0 + model.phi);
        let (mut gain, mut factor) = (vec![0.0], vec![1.0]);
        for _ in 1..n {
            let ahead = p + model.q;
            factor.push(1.0 + ahead);
            gain.push(ahead / (1.0 + ahead));
            p = ahead / (1.0 + ahead);
        }
        Schedule { gain, factor }
    }

    /// `sum ln F` over a segment of `len` rows.
    fn log_factors(&self, len: usize) -> f64 {
        self.factor[1..len.max(1)].iter().map(|f| f.ln()).sum()
    }
}

/// What the search found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    pub changes: Vec<usize>,
    /// Sum of the segments' costs, without penalties.
    pub cost: f64,
    /// `sum ln F` over all segments.
    pub log_factors: f64,
}

/// A possible last change with the state of its filter.
struct Candidate {
    start: usize,
    cost: f64,
    dead_from: usize,
}

/// The segmentation of least cost plus `penalty` a change.
///
/// Exact for `phi = 0`; otherwise splitting may raise the cost by a little, and
/// candidates are kept until they are worse by a whole further penalty. In series longer than
/// [`THIN_ABOVE`] old candidates are thinned out where the level wanders.
pub(crate) fn search(series: &Series, model: Model, penalty: f64, min_segment: usize) -> Fit {
    let schedule = Schedule::new(model, series.len().max(1));
    match model {
        Model { phi: 0.0, q: 0.0 } => fixed(&MeanCost::new(series), penalty, min_segment, &schedule),
        Model { phi, q: 0.0 } => fixed(&RecallingCost::new(series, phi), penalty, min_segment, &schedule),
        _ => {
            let thin = series.len() > THIN_ABOVE;
            wandering(series, model, penalty, min_segment, (&schedule, thin))
        }
    }
}

/// A level that does not wander has costs in closed form.
fn fixed(cost: &impl SegmentCost, penalty: f64, min_segment: usize, schedule: &Schedule) -> Fit {
    let found = pelt::search(cost, penalty, min_segment);
    let edges = found.changes.iter().copied().chain([cost.len()]);
    let starts = [0].into_iter().chain(found.changes.iter().copied());
    let log_factors = starts.zip(edges).map(|(a, b)| schedule.log_factors(b - a)).sum();
    Fit { cost: found.objective - penalty * found.changes.len() as f64, changes: found.changes, log_factors }
}

/// The search with a filter a candidate.
fn wandering(
    series: &Series,
    model: Model,
    penalty: f64,
    min_segment: usize,
    (schedule, thin): (&Schedule, bool),
) -> Fit {
    let n = series.len();
    let margin = if model.phi > 0.0 { penalty } else { 0.0 };
    let memory = memory_steps(model, n);
    let (mut f, mut last) = (vec![f64::INFINITY; n + 1], vec![0; n + 1]);
    f[0] = -penalty;
    let mut bank = Bank::new(series, model);
    for t in 1..=n {
        bank.observe(t - 1, f[t - 1], schedule);
        let (mut best, mut best_old) = ((f64::INFINITY, 0), (f64::INFINITY, 0));
        for c in &bank.candidates {
            let value = f[c.start] + c.cost;
            if t - c.start >= min_segment && value < best.0 {
                best = (value, c.start);
            }
            if t - c.start > memory && value < best_old.0 {
                best_old = (value, c.start);
            }
        }
        f[t] = best.0 + penalty;
        last[t] = best.1;
        let (goal, wait) = (f[t] + margin, t + min_segment);
        bank.prune(|c| {
            if f[c.start] + c.cost >= goal {
                c.dead_from = c.dead_from.min(wait);
            }
            t < c.dead_from && (t - c.start <= memory || c.start == best_old.1)
        });
        if thin {
            bank.thin(t, &f);
        }
    }
    finish(&f, &last, penalty, schedule)
}

/// Steps after which a filter has forgotten where it started; never for a fixed level.
fn memory_steps(model: Model, n: usize) -> usize {
    let keep = 1.0 - model.steady_gain();
    if keep >= 1.0 { n } else { (FORGOTTEN.ln() / keep.ln()).ceil() as usize + 1 }
}

fn finish(f: &[f64], last: &[usize], penalty: f64, schedule: &Schedule) -> Fit {
    let n = f.len() - 1;
    let mut changes = Vec::new();
    let (mut t, mut log_factors) = (n, 0.0);
    while t > 0 {
        log_factors += schedule.log_factors(t - last[t]);
        t = last[t];
        if t > 0 {
            changes.push(t);
        }
    }
    changes.reverse();
    Fit { cost: f[n] - penalty * changes.len() as f64, changes, log_factors }
}

/// All candidates, their levels side by side.
struct Bank<'a> {
    series: &'a Series,
    model: Model,
    candidates: Vec<Candidate>,
    /// One row a candidate.
    levels: Vec<f64>,
}

impl<'a> Bank<'a> {
    fn new(series: &'a Series, model: Model) -> Self {
        Bank { series, model, candidates: Vec::new(), levels: Vec::new() }
    }

    /// Feeds row `i` to every filter and starts a new one with it, unless no segment can start there.
    fn observe(&mut self, i: usize, f_start: f64, schedule: &Schedule) {
        let dim = self.series.dim;
        let x = self.series.row(i);
        if i > 0 {
            let before = self.series.row(i - 1);
            let y: Vec<f64> = x.iter().zip(before).map(|(x, b)| x - self.model.phi * b).collect();
            for (c, m) in self.candidates.iter_mut().zip(self.levels.chunks_exact_mut(dim)) {
                let (gain, factor) = (schedule.gain[i - c.start], schedule.factor[i - c.start]);
                c.cost += update(m, &y, gain, factor);
            }
        }
        if f_start < f64::INFINITY {
            self.candidates.push(Candidate { start: i, cost: 0.0, dead_from: usize::MAX });
            self.levels.extend(x.iter().map(|x| (1.0 - self.model.phi) * x));
        }
    }

    /// Keeps of neighbouring candidates the best, the more of them neighbours the older they are:
    /// by then nearly all that tells them apart has been seen, and what comes adds the same to each.
    fn thin(&mut self, t: usize, f: &[f64]) {
        let cell = |start: usize| {
            let octave = ((t - start) / FULL).max(1).ilog2();
            (octave, start >> octave)
        };
        let value = |c: &Candidate| f[c.start] + c.cost;
        for i in 1..self.candidates.len() {
            let (left, right) = self.candidates.split_at_mut(i);
            let (Some(a), Some(b)) = (left.last_mut(), right.first_mut()) else { return };
            if cell(a.start) != cell(b.start) {
                continue;
            }
            // The worse one goes with the next pruning; of equal ones the later.
            let worse = if value(a) <= value(b) { b } else { a };
            worse.dead_from = worse.dead_from.min(t + 1);
        }
    }

    /// Keeps the candidates that `keep` wants.
    fn prune(&mut self, mut keep: impl FnMut(&mut Candidate) -> bool) {
        let dim = self.series.dim;
        let mut kept = 0;
        for i in 0..self.candidates.len() {
            if keep(&mut self.candidates[i]) {
                if kept < i {
                    self.candidates.swap(kept, i);
                    self.levels.copy_within(i * dim..(i + 1) * dim, kept * dim);
                }
                kept += 1;
            }
        }
        self.candidates.truncate(kept);
        self.levels.truncate(kept * dim);
    }
}

/// One step of a filter: moves the level, returns the cost of the observation.
fn update(level: &mut [f64], y: &[f64], gain: f64, factor: f64) -> f64 {
    let squares = squared_distance(y, level);
    level.iter_mut().zip(y).for_each(|(m, y)| *m += gain * (y - *m));
    squares / factor
}

#[cfg(test)]
mod tests;
