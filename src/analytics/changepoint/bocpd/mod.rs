//! Change points online: Bayesian detection that looks at each point once.
//!
//! A [`Detector`] keeps a bounded state that can be stored and taken up again; points fed one by
//! one or in batches give the same states and alarms.

mod features;
mod nig;
mod runs;
mod shared;
mod stream;
mod stretch;

pub use stream::Stream;
pub use stretch::Stretches;

use super::level::PURE_WALK;
use super::noise::{Memory, Shape, variogram};
use super::series::Series;
use crate::analytics::geometry::l2_distance;
use crate::model::{TimestampUs, seconds_between};
use features::Map;
use nig::Columns;
use runs::Runs;
use serde::{Deserialize, Serialize};
use shared::{Context, Level};
use std::fmt;
use stretch::Stretch;

/// Runs of at most this many points are recent: alarms rest on their mass, and follow one
/// another by more than this many points.
const RECENT: u64 = 10;
/// Least number of warm-up points: the run that they make must not itself count as recent.
const MIN_WARMUP: usize = RECENT as usize + 2;

/// What the detector looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Features {
    /// The columns up to eight dimensions, the whole vector above.
    #[default]
    Auto,
    /// The whole vector, under noise of one shared scale.
    Shared,
    /// The distance to the mean of the warm-up.
    Distance,
    /// Each column by itself.
    Value,
    /// The first principal components of the warm-up, each by itself.
    Pca(usize),
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Features::Auto => f.write_str("auto"),
            Features::Shared => f.write_str("shared"),
            Features::Distance => f.write_str("distance"),
            Features::Value => f.write_str("value"),
            Features::Pca(q) => write!(f, "pca:{q}"),
        }
    }
}

/// How long runs last before a change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum ExpectedRun {
    /// So many points, whatever their times.
    Points(f64),
    /// So many seconds: a change is the likelier, the longer the step.
    Seconds(f64),
}

impl fmt::Display for ExpectedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExpectedRun::Points(n) => write!(f, "{n} points"),
            ExpectedRun::Seconds(s) => write!(f, "{s} s"),
        }
    }
}

/// Parameters of a [`Detector`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// What the detector looks at.
    pub features: Features,
    /// How long runs last.
    pub expected_run: ExpectedRun,
    /// Points that scales are learnt from; no alarm before them. At least 12.
    pub warmup: usize,
    /// An alarm needs this much mass on runs of at most ten points.
    pub threshold: f64,
}

impl Default for Params {
    /// A change every 500 points, 80 points of warm-up, mass 0.5.
    fn default() -> Self {
        Params {
            features: Features::Auto,
            expected_run: ExpectedRun::Points(500.0),
            warmup: 80,
            threshold: 0.5,
        }
    }
}

/// A change that was noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Time of the first point of the new run, by the most likely run length.
    pub t: TimestampUs,
    /// Its position in the stream, 0-based.
    pub index: u64,
    /// Time of the last point of the run before.
    pub t_before: TimestampUs,
    /// Time of the point at which the change was noticed.
    pub detected_at: TimestampUs,
    /// Its position in the stream.
    pub detected_index: u64,
    /// Mass on runs of at most ten points.
    pub p_recent: f64,
    /// Distance of the two runs' levels in standard deviations of the whole noise vector.
    pub severity: Option<f64>,
    /// The stretches before and after.
    pub stretches: Stretches,
}

/// The state of one stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Detector {
    params: Params,
    dim: usize,
    seen: u64,
    /// Times of the last points, the newest last.
    times: Vec<TimestampUs>,
    last_alarm: Option<u64>,
    stretch: Stretch,
    stage: Stage,
}

/// Before and after the warm-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Stage {
    Warmup(Vec<f64>),
    Columns { map: Map, runs: Runs<Columns> },
    Shared { context: Context, runs: Runs<Level> },
}

impl Detector {
    /// A detector for vectors of `dim` values.
    pub fn new(dim: usize, params: Params) -> Self {
        Detector {
            params,
            dim,
            seen: 0,
            times: Vec::new(),
            last_alarm: None,
            stretch: Stretch::default(),
            stage: Stage::Warmup(Vec::new()),
        }
    }

    /// Number of points seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Time of the last point seen: the next one must be later.
    pub fn last_time(&self) -> Option<TimestampUs> {
        self.times.last().copied()
    }

    /// Mass on runs of at most ten points; `None` during the warm-up.
    pub fn p_recent(&self) -> Option<f64> {
        match &self.stage {
            Stage::Warmup(_) => None,
            Stage::Columns { runs, .. } => Some(runs.mass_up_to(RECENT)),
            Stage::Shared { runs, .. } => Some(runs.mass_up_to(RECENT)),
        }
    }

    /// Takes in the next point. `x` has the detector's dimension and `t` is later than all before;
    /// points that are not are left out.
    pub fn observe(&mut self, t: TimestampUs, x: &[f32]) -> Option<Alarm> {
        if x.len() != self.dim || self.last_time().is_some_and(|last| t <= last) {
            return None;
        }
        let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let hazard = self.hazard(t);
        self.times.push(t);
        if self.times.len() > RECENT as usize + 2 {
            self.times.remove(0);
        }
        self.seen += 1;
        self.stretch.observe(&x);
        match &mut self.stage {
            Stage::Warmup(rows) => {
                rows.extend(&x);
                if self.seen >= self.params.warmup.max(MIN_WARMUP) as u64 {
                    self.finish_warmup();
                }
                return None;
            }
            Stage::Columns { map, runs } => runs.observe(&(), &map.apply(&x), hazard),
            Stage::Shared { context, runs } => {
                runs.observe(context, &x, hazard);
                context.advance(runs, &x);
            }
        }
        self.judge(t)
    }

    /// The chance that a run ended before a point at `t`.
    fn hazard(&self, t: TimestampUs) -> f64 {
        let chance = match (self.params.expected_run, self.last_time()) {
            (ExpectedRun::Points(n), _) => 1.0 / n,
            (ExpectedRun::Seconds(tau), Some(last)) => -(-seconds_between(last, t) / tau).exp_m1(),
            (ExpectedRun::Seconds(_), None) => 0.0,
        };
        chance.clamp(1e-12, 0.5)
    }

    /// Raises an alarm when recent runs have the mass for it.
    fn judge(&mut self, t: TimestampUs) -> Option<Alarm> {
        let p_recent = self.p_recent()?;
        let quiet = self.last_alarm.is_some_and(|at| self.seen - at <= RECENT);
        if quiet || p_recent <= self.params.threshold {
            return None;
        }
        let (length, severity) = match &self.stage {
            Stage::Warmup(_) => return None,
            Stage::Columns { runs, .. } => {
                let new = runs.likeliest(|r| r <= RECENT)?;
                let old = runs.likeliest(|r| r > RECENT);
                (new.length, old.map(|old| columns_apart(&new.belief, &old.belief)))
            }
            Stage::Shared { context, runs } => {
                let new = runs.likeliest(|r| r <= RECENT)?;
                let old = runs.likeliest(|r| r > RECENT);
                // Levels and noise of the series itself, from those of the prewhitened one.
                let sd = (context.sigma2 / (1.0 - context.phi * context.phi)).sqrt() * (1.0 - context.phi);
                (new.length, old.map(|old| l2_distance(&new.belief.m, &old.belief.m) / sd))
            }
        };
        self.last_alarm = Some(self.seen);
        let start = self.times.len() - length as usize;
        Some(Alarm {
            t: self.times[start],
            index: self.seen - length,
            t_before: self.times[start - 1],
            detected_at: t,
            detected_index: self.seen - 1,
            p_recent,
            severity,
            stretches: self.stretch.cut(length as usize),
        })
    }

    /// Learns scales from the warm-up and starts the posterior with one run as long as it.
    fn finish_warmup(&mut self) {
        let Stage::Warmup(rows) = &mut self.stage else { return };
        let warmup = Series::new(std::mem::take(rows), self.dim);
        let map = match self.params.features {
            Features::Auto if self.dim <= super::FEW_DIMENSIONS => Map::value(&warmup),
            Features::Auto | Features::Shared => {
                self.stage = start_shared(&warmup);
                return;
            }
            Features::Distance => Map::distance(&warmup),
            Features::Value => Map::value(&warmup),
            Features::Pca(q) => Map::pca(&warmup, q),
        };
        self.stage = start_columns(map, &warmup);
    }
}

fn start_columns(map: Map, warmup: &Series) -> Stage {
    let width = map.apply(warmup.row(0)).len();
    let mut belief = Columns(vec![nig::PRIOR; width]);
    for i in 0..warmup.len() {
        runs::Predictive::update(&mut belief, &(), &map.apply(warmup.row(i)));
    }
    Stage::Columns { map, runs: Runs::from_past(warmup.len() as u64, belief) }
}

fn start_shared(warmup: &Series) -> Stage {
    let n = warmup.len();
    let flat = Shape { d_eff: warmup.dim as f64, top: 1.0 / warmup.dim as f64, spread: 1.0 };
    let shape = Shape::of(warmup).unwrap_or(flat);
    let memory = Memory::fit(&variogram(warmup, &shape));
    let noise = memory.s * (1.0 - memory.phi * memory.phi) + memory.w * memory.phi * memory.phi;
    // Vectors are stored in f32: what is smaller than their rounding is no noise.
    let square = warmup.x.iter().map(|v| v * v).sum::<f64>() / n as f64;
    let least = square * f64::from(f32::EPSILON).powi(2) + f64::from(f32::MIN_POSITIVE);
    let (phi, q, sigma2) = if noise > least {
        (memory.phi, memory.w * (1.0 - memory.phi).powi(2) / noise, noise)
    } else if memory.w > least {
        // A pure walk: its steps are told by a level that follows each of them.
        (0.0, PURE_WALK, memory.w / PURE_WALK)
    } else {
        (0.0, 0.0, least)
    };
    let mut context = Context {
        phi,
        q,
        sigma2,
        d_eff: shape.d_eff,
        last: warmup.row(0).to_vec(),
        level: warmup.row(0).to_vec(),
    };
    let mut belief = <Level as runs::Predictive>::start(&context, warmup.row(0));
    for i in 1..n {
        runs::Predictive::update(&mut belief, &context, warmup.row(i));
        context.last.copy_from_slice(warmup.row(i));
    }
    let runs = Runs::from_past(n as u64, belief);
    context.advance(&runs, warmup.row(n - 1));
    Stage::Shared { context, runs }
}

/// Distance of two runs' means, in standard deviations of the old run.
fn columns_apart(new: &Columns, old: &Columns) -> f64 {
    let columns = old.0.len().max(1) as f64;
    let squares = new.0.iter().zip(&old.0).map(|(n, o)| (n.mu - o.mu).powi(2) / (o.beta / o.alpha));
    (squares.sum::<f64>() / columns).sqrt()
}

#[cfg(test)]
mod tests;
