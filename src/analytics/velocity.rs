//! Velocity, acceleration and turning angle along a trajectory with irregular times.
//!
//! Three-point scheme: the derivative of the parabola through a point and its neighbours, so it
//! is exact on quadratics (Fornberg 1988; `numpy.gradient(edge_order=2)` gives the same). The
//! ends use the parabola of the three points there. Nothing crosses a gap.

use super::Status;
use super::geometry::{angle_deg, norm};
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
        (0..part.len()).map(move |i| {
            if let Some(status) = refusal {
                return Velocity::empty(i, part.t[i], status);
            }
            let mut row = point_row(&part, i, &p);
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
    let mut row = if trajectory.t[index] == t {
        let mut row = point_row(&part, i, params);
        if (i == 0 && piece.start > 0) || (i + 1 == part.len() && piece.end < trajectory.len()) {
            row.status = Status::Gap;
        }
        row
    } else if i + 1 == part.len() {
        Velocity::empty(index, t, Status::Gap)
    } else {
        between(&part, i, t, params)
    };
    row.index = index;
    row.used = row.used.start + piece.start..row.used.end + piece.start;
    row
}

/// The row of point `i` of a trajectory without gaps.
fn point_row(part: &Trajectory<'_>, i: usize, p: &Params) -> Velocity {
    let n = part.len();
    if n < 2 {
        return Velocity::empty(i, part.t[i], Status::FewPoints);
    }
    let mut row = Velocity::empty(i, part.t[i], Status::Ok);
    row.dt_before_s = (i > 0).then(|| seconds_between(part.t[i - 1], part.t[i]));
    row.dt_after_s = (i + 1 < n).then(|| seconds_between(part.t[i], part.t[i + 1]));
    if i > 0 && i + 1 < n {
        row.turn_deg = angle_deg(&step(part, i), &step(part, i + 1));
    }
    let nodes = match p.scheme {
        Scheme::ThreePoint => three_around(i, n),
        Scheme::TwoPoint => i.max(1) - 1..i.max(1) + 1,
    };
    // The turn looks at both neighbours, the acceleration at three points.
    let wide = p.acceleration || row.turn_deg.is_some();
    row.used = if wide { three_around(i, n) } else { nodes.clone() };
    let slope = Newton::new(part, nodes, p.per_s).slope_at(part.t[i]);
    fill(&mut row, part, three_around(i, n), slope, p);
    row
}

/// The row of a time strictly between points `i` and `i + 1` of a trajectory without gaps.
fn between(part: &Trajectory<'_>, i: usize, t: TimestampUs, p: &Params) -> Velocity {
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
    let slope = Newton::new(part, nodes, p.per_s).slope_at(t);
    fill(&mut row, part, three, slope, p);
    row
}

/// Puts the derivatives into a row; the acceleration comes from the points `three`.
fn fill(row: &mut Velocity, part: &Trajectory<'_>, three: Range<usize>, velocity: Vec<f64>, p: &Params) {
    row.speed = Some(norm(&velocity));
    if p.acceleration {
        match Newton::new(part, three, p.per_s).curvature() {
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

/// `x_i - x_{i-1}`.
pub(crate) fn step(part: &Trajectory<'_>, i: usize) -> Vec<f64> {
    part.row(i).iter().zip(part.row(i - 1)).map(|(&b, &a)| f64::from(b) - f64::from(a)).collect()
}

/// The polynomial through two or three consecutive points, by divided differences.
struct Newton {
    /// Times of the first two nodes.
    t: [TimestampUs; 2],
    /// First divided difference of the first two nodes.
    first: Vec<f64>,
    /// Second divided difference, with three nodes.
    second: Option<Vec<f64>>,
    per_s: f64,
}

impl Newton {
    /// `nodes` holds two or three positions.
    fn new(part: &Trajectory<'_>, nodes: Range<usize>, per_s: f64) -> Self {
        let s = nodes.start;
        let units = |a: usize, b: usize| seconds_between(part.t[a], part.t[b]) / per_s;
        let quotient = |i: usize| -> Vec<f64> {
            let h = units(i - 1, i);
            step(part, i).into_iter().map(|d| d / h).collect()
        };
        let first = quotient(s + 1);
        let second = (nodes.len() == 3).then(|| {
            let span = units(s, s + 2);
            quotient(s + 2).iter().zip(&first).map(|(b, a)| (b - a) / span).collect()
        });
        Newton { t: [part.t[s], part.t[s + 1]], first, second, per_s }
    }

    /// The derivative at `t`.
    fn slope_at(&self, t: TimestampUs) -> Vec<f64> {
        let from = |node| seconds_between(node, t) / self.per_s;
        let weight = from(self.t[0]) + from(self.t[1]);
        match &self.second {
            Some(c) => self.first.iter().zip(c).map(|(b, c)| b + c * weight).collect(),
            None => self.first.clone(),
        }
    }

    /// The second derivative, with three nodes.
    fn curvature(&self) -> Option<Vec<f64>> {
        self.second.as_ref().map(|c| c.iter().map(|c| 2.0 * c).collect())
    }
}

#[cfg(test)]
mod tests;
