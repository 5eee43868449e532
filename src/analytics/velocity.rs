//! Velocity, acceleration and turning angle along a trajectory with irregular times.
//!
//! Three-point scheme: the derivative of the parabola through a point and its neighbours, so it
//! is exact on quadratics (Fornberg 1988; `numpy.gradient(edge_order=2)` gives the same). The
//! ends use the parabola of the three points there. Nothing crosses a gap.

use super::Status;
use super::geometry::{angle_of_units, norm};
use super::pieces::{Cuts, slice};
use crate::model::{TimestampUs, Trajectory, seconds_between};
use std::ops::Range;

/// How derivatives are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// Second order: the parabola through three points.
    #[default]
    ThreePoint,
    /// First order: the step in, and at the first point the step out.
    TwoPoint,
}

/// Parameters of [`rows`] and [`at`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    /// How derivatives are taken.
    pub scheme: Scheme,
    /// Compute the acceleration too.
    pub acceleration: bool,
    /// The unit of time, in seconds: rates are per this.
    pub per_s: f64,
    /// Keep the vectors of velocity and acceleration.
    pub vectors: bool,
    /// Gaps and embedding models.
    pub cuts: Cuts,
}

impl Default for Params {
    /// Per day, three points, no acceleration, no vectors, no cuts.
    fn default() -> Self {
        Params {
            scheme: Scheme::ThreePoint,
            acceleration: false,
            per_s: 86_400.0,
            vectors: false,
            cuts: Cuts::default(),
        }
    }
}

/// How the entity moves at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Velocity {
    /// Position in the trajectory; for a time between points, of the last point before it.
    pub index: usize,
    /// The time.
    pub t: TimestampUs,
    /// Seconds since the point before, when there is one on this side of a gap.
    pub dt_before_s: Option<f64>,
    /// Seconds to the point after, likewise.
    pub dt_after_s: Option<f64>,
    /// Length of the velocity, vector units per `per_s`.
    pub speed: Option<f64>,
    /// Length of the acceleration, vector units per `per_s` squared.
    pub accel: Option<f64>,
    /// Angle between the steps in and out, in degrees.
    pub turn_deg: Option<f64>,
    /// The points whose vectors it comes from.
    pub used: Range<usize>,
    /// Why something is missing.
    pub status: Status,
    /// The velocity, when asked for.
    pub velocity: Option<Vec<f64>>,
    /// The acceleration, when asked for.
    pub acceleration: Option<Vec<f64>>,
}

impl Velocity {
    fn empty(index: usize, t: TimestampUs, status: Status) -> Self {
        Velocity {
            index,
            t,
            dt_before_s: None,
            dt_after_s: None,
            speed: None,
            accel: None,
            turn_deg: None,
            used: 0..0,
            status,
            velocity: None,
            acceleration: None,
        }
    }
}

/// One row a point, in order, computed as they are asked for.
///
/// A row next to a gap has the status `gap` and the one-sided values of its own side.
pub fn rows<'a>(trajectory: &Trajectory<'a>, params: &Params) -> impl Iterator<Item = Velocity> + use<'a> {
    let (whole, p) = (*trajectory, *params);
    let refusal = p.cuts.refusal(&whole);
    let cuts = if refusal.is_some() { Cuts::default() } else { p.cuts };
    cuts.pieces(whole.t).into_iter().flat_map(move |piece| {
        let part = slice(&whole, piece.clone());
        let mut steps = Steps::new(part, p.per_s);
        (0..part.len()).map(move |i| {
            if let Some(status) = refusal {
                return Velocity::empty(i, part.t[i], status);
            }
            let mut row = point_row(&mut steps, i, &p);
            row.index = piece.start + i;
            row.used = row.used.start + piece.start..row.used.end + piece.start;
            let cut_before = i == 0 && piece.start > 0;
            let cut_after = i + 1 == part.len() && piece.end < whole.len();
            if cut_before || cut_after {
                row.status = Status::Gap;
            }
            row
        })
    })
}

/// The motion at time `t`: at a stored time its row, between two points the derivative of the
/// parabola through them and the nearer of their outer neighbours.
///
/// Outside the trajectory nothing is known (`few_points`), nor inside a gap (`gap`).
pub fn at(trajectory: &Trajectory<'_>, t: TimestampUs, params: &Params) -> Velocity {
    let after = trajectory.t.partition_point(|&u| u <= t);
    let index = after.saturating_sub(1);
    if let Some(status) = params.cuts.refusal(trajectory) {
        return Velocity::empty(index, t, status);
    }
    if after == 0 || (after == trajectory.len() && trajectory.t[index] != t) {
        return Velocity::empty(index, t, Status::FewPoints);
    }
    let piece = params.cuts.piece_around(trajectory.t, index);
    let part = slice(trajectory, piece.clone());
    let i = index - piece.start;
    let mut steps = Steps::new(part, params.per_s);
    let mut row = if trajectory.t[index] == t {
        let mut row = point_row(&mut steps, i, params);
        if (i == 0 && piece.start > 0) || (i + 1 == part.len() && piece.end < trajectory.len()) {
            row.status = Status::Gap;
        }
        row
    } else if i + 1 == part.len() {
        Velocity::empty(index, t, Status::Gap)
    } else {
        between(&mut steps, i, t, params)
    };
    row.index = index;
    row.used = row.used.start + piece.start..row.used.end + piece.start;
    row
}

/// The row of point `i` of a trajectory without gaps.
fn point_row(steps: &mut Steps<'_>, i: usize, p: &Params) -> Velocity {
    let part = steps.part;
    let n = part.len();
    if n < 2 {
        return Velocity::empty(i, part.t[i], Status::FewPoints);
    }
    let mut row = Velocity::empty(i, part.t[i], Status::Ok);
    row.dt_before_s = (i > 0).then(|| seconds_between(part.t[i - 1], part.t[i]));
    row.dt_after_s = (i + 1 < n).then(|| seconds_between(part.t[i], part.t[i + 1]));
    if i > 0 && i + 1 < n {
        row.turn_deg = steps.turn_deg(i);
    }
    let nodes = match p.scheme {
        Scheme::ThreePoint => three_around(i, n),
        Scheme::TwoPoint => i.max(1) - 1..i.max(1) + 1,
    };
    // The turn looks at both neighbours, the acceleration at three points.
    let wide = p.acceleration || row.turn_deg.is_some();
    row.used = if wide { three_around(i, n) } else { nodes.clone() };
    let slope = steps.slope_at(&nodes, part.t[i]);
    fill(&mut row, steps, &three_around(i, n), slope, p);
    row
}

/// The row of a time strictly between points `i` and `i + 1` of a trajectory without gaps.
fn between(steps: &mut Steps<'_>, i: usize, t: TimestampUs, p: &Params) -> Velocity {
    let part = steps.part;
    let n = part.len();
    let mut row = Velocity::empty(i, t, Status::Ok);
    row.dt_before_s = Some(seconds_between(part.t[i], t));
    row.dt_after_s = Some(seconds_between(t, part.t[i + 1]));
    let left_s = (i > 0).then(|| seconds_between(part.t[i - 1], t));
    let right_s = (i + 2 < n).then(|| seconds_between(t, part.t[i + 2]));
    let three = match (left_s, right_s) {
        (Some(left), Some(right)) if left <= right => i - 1..i + 2,
        (Some(_), None) => i - 1..i + 2,
        (_, Some(_)) => i..i + 3,
        (None, None) => i..i + 2,
    };
    let nodes = if p.scheme == Scheme::TwoPoint { i..i + 2 } else { three.clone() };
    row.used = if p.acceleration { three.clone() } else { nodes.clone() };
    let slope = steps.slope_at(&nodes, t);
    fill(&mut row, steps, &three, slope, p);
    row
}

/// Puts the derivatives into a row; the acceleration comes from the points `three`.
fn fill(row: &mut Velocity, steps: &mut Steps<'_>, three: &Range<usize>, velocity: Vec<f64>, p: &Params) {
    row.speed = Some(norm(&velocity));
    if p.acceleration {
        match steps.curvature(three) {
            Some(a) => {
                row.accel = Some(norm(&a));
                row.acceleration = p.vectors.then_some(a);
            }
            None => row.status = Status::FewPoints,
        }
    }
    row.velocity = p.vectors.then_some(velocity);
}

/// The three points whose parabola serves point `i` of `n`; fewer when there are fewer.
fn three_around(i: usize, n: usize) -> Range<usize> {
    let start = i.saturating_sub(1).min(n.saturating_sub(3));
    start..(start + 3).min(n)
}

/// A step of the trajectory, as the rows around it need it.
struct Step {
    /// From point `i - 1` to point `i`; 0 for none.
    i: usize,
    /// The step over its time: the first divided difference.
    quotient: Vec<f64>,
    /// The step over its length; `None` for a step of length zero.
    direction: Option<Vec<f64>>,
}

/// The newest steps: neighbouring rows share them.
struct Steps<'a> {
    part: Trajectory<'a>,
    per_s: f64,
    /// Step `i` stands at `i % 2`.
    kept: [Step; 2],
}

impl<'a> Steps<'a> {
    fn new(part: Trajectory<'a>, per_s: f64) -> Self {
        let none = || Step { i: 0, quotient: Vec::new(), direction: None };
        Steps { part, per_s, kept: [none(), none()] }
    }

    /// Time from one instant to another, in the unit of the rates.
    fn units(&self, from: TimestampUs, to: TimestampUs) -> f64 {
        seconds_between(from, to) / self.per_s
    }

    fn make(&self, i: usize) -> Step {
        let h = self.units(self.part.t[i - 1], self.part.t[i]);
        let rows = self.part.row(i).iter().zip(self.part.row(i - 1));
        let step: Vec<f64> = rows.map(|(&b, &a)| f64::from(b) - f64::from(a)).collect();
        let length = norm(&step);
        let direction = (length > 0.0).then(|| step.iter().map(|d| d / length).collect());
        Step { i, quotient: step.into_iter().map(|d| d / h).collect(), direction }
    }

    /// Steps `i` and, if it is wanted, `i + 1`.
    fn pair(&mut self, i: usize, both: bool) -> (&Step, Option<&Step>) {
        for i in i..=i + usize::from(both) {
            if self.kept[i % 2].i != i {
                self.kept[i % 2] = self.make(i);
            }
        }
        (&self.kept[i % 2], both.then_some(&self.kept[(i + 1) % 2]))
    }

    /// The angle between the steps into and out of point `i`.
    fn turn_deg(&mut self, i: usize) -> Option<f64> {
        let (before, after) = self.pair(i, true);
        Some(angle_of_units(before.direction.as_ref()?, after?.direction.as_ref()?))
    }

    /// The derivative at `t` of the polynomial through two or three consecutive points.
    fn slope_at(&mut self, nodes: &Range<usize>, t: TimestampUs) -> Vec<f64> {
        let s = nodes.start;
        let [t0, t1] = [self.part.t[s], self.part.t[s + 1]];
        let weight = self.units(t0, t) + self.units(t1, t);
        let span = self.units(t0, self.part.t[nodes.end - 1]);
        match self.pair(s + 1, nodes.len() == 3) {
            (first, None) => first.quotient.clone(),
            (first, Some(next)) => {
                let quotients = first.quotient.iter().zip(&next.quotient);
                quotients.map(|(a, b)| a + (b - a) / span * weight).collect()
            }
        }
    }

    /// The second derivative of the parabola through three consecutive points.
    fn curvature(&mut self, nodes: &Range<usize>) -> Option<Vec<f64>> {
        let s = nodes.start;
        let span = self.units(self.part.t[s], self.part.t[nodes.end - 1]);
        let (first, next) = self.pair(s + 1, nodes.len() == 3);
        let quotients = first.quotient.iter().zip(&next?.quotient);
        Some(quotients.map(|(a, b)| 2.0 * ((b - a) / span)).collect())
    }
}

#[cfg(test)]
mod tests;
