//! Change points online: Bayesian detection that looks at each point once, with a stated rate of
//! false alarms.
//!
//! A [`Detector`] keeps a bounded state that can be stored and taken up again; points fed one by
//! one or in batches give the same states and alarms. A point goes through four steps:
//!
//! 1. Its level, season and memory are predicted from the points before it (`column`, `whole`,
//!    `season`, `memory`).
//! 2. What is left becomes a score whose law is known in noise of any law: a normal score by rank for
//!    each column in up to eight dimensions, a direction above (`ranks`, `whole`).
//! 3. The posterior odds of a change within the last 64 points (`sums`), and how far out the point
//!    lies (`ranks`).
//! 4. Either is an alarm when it exceeds what this stream has shown, carried on to a length of
//!    twice the stated number of points (`records`), so that both together keep to that number.

mod column;
mod memory;
mod model;
mod ranks;
mod records;
mod season;
mod stream;
mod stretch;
mod sums;
mod whole;

pub use stream::Stream;
pub use stretch::Stretches;

use crate::model::{TimestampUs, seconds_between};
use model::{Model, Told};
use records::Records;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use stretch::Stretch;
use sums::{Evidence, LONGEST, Sums};

/// Points before sums are formed: what is left of the first ones is mostly the level itself.
const START: u64 = 20;
/// Points of warm-up at least: `ranks::LEAST_TAIL` values, and as many scores to compare with.
pub const MIN_WARMUP: usize = 50;
/// Points after an alarm from which the new level is learnt; nothing is told meanwhile.
const QUIET: u64 = 25;
/// Points after a far one in which it may turn out to be the first of a new level.
const HOLD: u64 = 4;
/// Points after a change of the period before an alarm: [`Records`] begin again.
const REWARM: u64 = 60;
/// Scale of the evidence's upper tail before any is measured: a round figure between 1, that of a
/// likelihood ratio, and the lighter tail that ranks leave. That of a point's distance is 1.
const EVIDENCE_SCALE: f64 = 0.8;
/// A level wanders when its memory's coefficients sum to more.
const WANDERS: f64 = 0.97;
/// Sums over 64 points that vary this much more than the scores explain are told.
const EXCESS: f64 = 3.0;

/// How far apart false alarms are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Arl {
    /// This many points on average.
    Points(f64),
    /// This many seconds on average, by the mean step of the stream so far.
    Seconds(f64),
}

impl fmt::Display for Arl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arl::Points(n) => write!(f, "{n} points"),
            Arl::Seconds(s) => write!(f, "{s} s"),
        }
    }
}

/// Parameters of a [`Detector`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// The average run length: how far apart false alarms are.
    pub arl: Arl,
    /// Points before the first alarm, at least [`MIN_WARMUP`].
    pub warmup: usize,
}

impl Default for Params {
    /// A false alarm in 2,000 points, 100 points of warm-up.
    fn default() -> Self {
        Params { arl: Arl::Points(2000.0), warmup: 100 }
    }
}

/// What an alarm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The level changed: several points lie apart from those before.
    Level,
    /// One point lies farther out than this stream's points do, and those after it do not.
    Outlier,
}

impl Kind {
    /// As rows have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Level => "level",
            Kind::Outlier => "outlier",
        }
    }
}

/// What makes a stream's answers doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Doubt {
    /// The level wanders by itself: a change is a step that is large for it.
    Wanders,
    /// The level varies slowly, this many times as much over 64 points as the noise explains.
    Varies(f64),
}

/// A change that was noticed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// A change of level, or an outlier.
    pub kind: Kind,
    /// Time of the first point of the new level, by the likeliest run length; of an outlier its own.
    pub t: TimestampUs,
    /// Its position in the stream, 0-based.
    pub index: u64,
    /// Time of the point before it.
    pub t_before: TimestampUs,
    /// Time of the point at which the change was noticed.
    pub detected_at: TimestampUs,
    /// Its position in the stream.
    pub detected_index: u64,
    /// Posterior mass on a change of level within the last 64 points, when changes come as often
    /// as false alarms.
    pub p_recent: f64,
    /// Distance of the two sides' means in standard deviations of the whole noise vector.
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
    first_time: TimestampUs,
    /// Times of the last points, the newest last.
    times: VecDeque<TimestampUs>,
    stretch: Stretch,
    model: Model,
    sums: Sums,
    /// The scores of the evidence, and of single points.
    levels: Records,
    outliers: Records,
    evidence: f64,
    /// Points without scores still to come, after an alarm.
    quiet: u64,
    /// Points without an outlier still to come.
    outlier_quiet: u64,
    /// An outlier that may yet turn out to be the start of a new level, and points until it is told.
    pending: Option<(u64, Alarm)>,
    /// No alarm before this many points.
    from: u64,
}

impl Detector {
    /// A detector for vectors of `dim` values.
    pub fn new(dim: usize, params: Params) -> Self {
        Detector {
            params,
            dim,
            seen: 0,
            first_time: 0,
            times: VecDeque::new(),
            stretch: Stretch::default(),
            model: Model::new(dim),
            sums: Sums::new(dim),
            levels: Records::new(LONGEST, EVIDENCE_SCALE),
            outliers: Records::new(0, 1.0),
            evidence: 0.0,
            quiet: 0,
            outlier_quiet: 0,
            pending: None,
            from: params.warmup.max(MIN_WARMUP) as u64,
        }
    }

    /// Number of points seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Time of the last point seen: the next one must be later.
    pub fn last_time(&self) -> Option<TimestampUs> {
        self.times.back().copied()
    }

    /// Posterior mass on a change of level within the last 64 points; `None` during the warm-up.
    pub fn p_recent(&self) -> Option<f64> {
        let warm = self.seen >= self.params.warmup.max(MIN_WARMUP) as u64;
        warm.then(|| 1.0 / (1.0 + self.points_apart() * (-self.evidence).exp()))
    }

    /// What makes its answers doubtful.
    pub fn doubt(&self) -> Option<Doubt> {
        self.p_recent()?;
        if self.model.persistence() > WANDERS {
            return Some(Doubt::Wanders);
        }
        let excess = self.sums.excess();
        (excess > EXCESS).then_some(Doubt::Varies(excess))
    }

    /// Takes in the next point. `x` has the detector's dimension and `t` is later than all before;
    /// points that are not are left out.
    pub fn observe(&mut self, t: TimestampUs, x: &[f32]) -> Option<Alarm> {
        if x.len() != self.dim || self.last_time().is_some_and(|last| t <= last) {
            return None;
        }
        if self.seen == 0 {
            self.first_time = t;
        }
        self.times.push_back(t);
        if self.times.len() > LONGEST + 1 {
            self.times.pop_front();
        }
        self.seen += 1;
        self.stretch.observe(x);
        let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let told = self.model.observe(&x, self.seen > START);
        if told.changed {
            self.sums = Sums::new(self.dim);
            self.levels.clear();
            self.outliers.clear();
            self.quiet = QUIET;
            self.from = self.from.max(self.seen + REWARM);
        }
        if self.seen <= START {
            return None;
        }
        self.outlier_quiet = self.outlier_quiet.saturating_sub(1);
        let due = self.due();
        if self.quiet > 0 {
            self.quiet -= 1;
            return due;
        }
        self.judge(&told).or(due)
    }

    /// An outlier that the points after it did not make a new level.
    fn due(&mut self) -> Option<Alarm> {
        let (left, alarm) = self.pending.as_mut()?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        alarm.detected_at = self.times.back().copied()?;
        alarm.detected_index = self.seen - 1;
        self.pending.take().map(|(_, alarm)| alarm)
    }

    /// Holds a point's scores to the stream's own.
    fn judge(&mut self, told: &Told) -> Option<Alarm> {
        // Two kinds of alarm, each half as often.
        let apart = 2.0 * self.points_apart();
        let Evidence { log_odds, window } = self.sums.push(&told.scores, told.kind);
        self.evidence = log_odds;
        // What speaks for no change at all is no score: ln(1 + odds) is never below 0.
        let score = log_odds.max(0.0) + (-log_odds.abs()).exp().ln_1p();
        let may = self.seen > self.from;
        let level = may && score > self.levels.threshold(apart);
        self.levels.push(score, apart);
        let mut outlier = false;
        if self.seen > ranks::LEAST_TAIL as u64 + START {
            outlier = may && self.outlier_quiet == 0 && told.tail > self.outliers.threshold(apart);
            self.outliers.push(told.tail, apart);
        }
        if level {
            let length = window.min(self.times.len() - 1);
            let alarm = self.alarm(Kind::Level, length);
            (self.quiet, self.outlier_quiet) = (QUIET, QUIET);
            self.sums.restart();
            self.model.relearn();
            self.pending = None;
            return Some(alarm);
        }
        if outlier {
            self.outlier_quiet = QUIET;
            self.pending = Some((HOLD, self.alarm(Kind::Outlier, 1)));
        }
        None
    }

    fn alarm(&mut self, kind: Kind, length: usize) -> Alarm {
        let stretches = match kind {
            Kind::Level => self.stretch.cut(length),
            Kind::Outlier => self.stretch.sides(length),
        };
        let start = self.times.len() - length;
        let sd = self.model.scale();
        Alarm {
            kind,
            t: self.times[start],
            index: self.seen - length as u64,
            t_before: self.times[start.saturating_sub(1)],
            detected_at: self.times[self.times.len() - 1],
            detected_index: self.seen - 1,
            p_recent: self.p_recent().unwrap_or(0.0),
            severity: (sd > 0.0).then(|| stretches.l2 / sd),
            stretches,
        }
    }

    /// The stated number of points between false alarms.
    fn points_apart(&self) -> f64 {
        let points = match (self.params.arl, self.last_time()) {
            (Arl::Points(n), _) => n,
            (Arl::Seconds(s), Some(last)) if self.seen > 1 => {
                s * (self.seen - 1) as f64 / seconds_between(self.first_time, last).max(1e-6)
            }
            (Arl::Seconds(_), _) => f64::MAX,
        };
        points.clamp(1.0, 1e12)
    }
}

#[cfg(test)]
mod tests;
