//! How far an entity moved between two of its states, in which dimensions, and whether the
//! move is more than wandering.

use super::Status;
use super::geometry::{self, DimShare, cosine_and_angle, l2_distance, norm, rounding};
use super::pieces::{Cuts, slice};
use super::signflip::{self, SignFlip};
use crate::model::{TimestampUs, Trajectory, seconds_between};
use std::ops::Range;

/// The state that the last one is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Reference<'a> {
    /// The entity's own state at `from`.
    #[default]
    First,
    /// The mean of the entity's points from `from` to `to`.
    Centroid,
    /// A given state, e.g. another entity's, and its time when it has one.
    State(&'a [f32], Option<TimestampUs>),
}

/// Parameters of [`drift`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params<'a> {
    /// The first state is the one valid at this time; `None` for the first point.
    pub from: Option<TimestampUs>,
    /// The second state is the one valid at this time; `None` for the last point.
    pub to: Option<TimestampUs>,
    /// What the second state is compared with.
    pub reference: Reference<'a>,
    /// The unit of time of `rate`, in seconds.
    pub per_s: f64,
    /// How many dimensions to name.
    pub top: usize,
    /// Random sign flips of the significance test; 0 for no test.
    pub flips: usize,
    /// Seed of the test.
    pub seed: u64,
    /// Gaps and embedding models.
    pub cuts: Cuts,
}

impl Default for Params<'_> {
    /// First to last point, per day, ten dimensions, 999 flips with seed 0.
    fn default() -> Self {
        Params {
            from: None,
            to: None,
            reference: Reference::First,
            per_s: 86_400.0,
            top: 10,
            flips: 999,
            seed: 0,
            cuts: Cuts::default(),
        }
    }
}

/// The move from state `x` at `t1` to state `y` at `t2`.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Time of the first point used; that of a given reference state, if it has one.
    pub t1: Option<TimestampUs>,
    /// Time of the last point used.
    pub t2: Option<TimestampUs>,
    /// Points from the first to the last one used.
    pub n: usize,
    /// `|y - x|`.
    pub l2: Option<f64>,
    /// Cosine distance, by half chord.
    pub cosine: Option<f64>,
    /// Angle between the states, in degrees.
    pub angle_deg: Option<f64>,
    /// `|y| / |x|`.
    pub norm_ratio: Option<f64>,
    /// `l2` over the time between the points used, per `per_s`.
    pub rate: Option<f64>,
    /// Sum of the lengths of the steps between, without those over gaps.
    pub path_l2: Option<f64>,
    /// `l2 / path_l2`, 1 for a straight line; missing when nothing moved or a gap was left out.
    pub efficiency: Option<f64>,
    /// The dimensions with the largest shares of `l2` squared.
    pub top_dims: Vec<DimShare>,
    /// Least number of dimensions whose shares add to 0.8.
    pub pareto80: Option<usize>,
    /// `|sum r_i|^2 / sum |r_i|^2` of the rate-standardised steps `r_i = dx_i / sqrt(dt_i)`.
    pub t2_stat: Option<f64>,
    /// Its p-value by sign flips of blocks of steps: how often steps without a common direction add up
    /// as far. It does not ask whether the states differ.
    pub direction_p: Option<f64>,
    /// Steps from the start of one block of the flips to that of the next; 1 when steps are taken for
    /// independent.
    pub direction_block: Option<usize>,
    /// `y - x`.
    pub delta: Vec<f64>,
    /// The points whose vectors it comes from.
    pub used: Range<usize>,
    /// Why something is missing.
    pub status: Status,
}

impl Drift {
    fn empty(n: usize, status: Status) -> Self {
        Drift {
            t1: None,
            t2: None,
            n,
            l2: None,
            cosine: None,
            angle_deg: None,
            norm_ratio: None,
            rate: None,
            path_l2: None,
            efficiency: None,
            top_dims: Vec::new(),
            pareto80: None,
            t2_stat: None,
            direction_p: None,
            direction_block: None,
            delta: Vec::new(),
            used: 0..0,
            status,
        }
    }
}

/// Drift between two as-of states, or from a reference state.
///
/// An entity without a point between the two instants has the same state at both: its drift is 0 and
/// its status `untouched`. Without a state at either instant, or with a single point where none is
/// named, the status is `few_points`.
pub fn drift(trajectory: &Trajectory<'_>, p: &Params<'_>) -> Drift {
    let last_at_or_before = |t: TimestampUs| trajectory.t.partition_point(|&u| u <= t).checked_sub(1);
    let own = !matches!(p.reference, Reference::State(..));
    let end = match p.to {
        Some(t) => last_at_or_before(t),
        None => trajectory.len().checked_sub(1),
    };
    let start = match p.from {
        Some(t) if own => last_at_or_before(t),
        // A given reference needs no own state at `from`: the path starts at the first point after it.
        Some(t) => Some(last_at_or_before(t).unwrap_or(0)),
        None => Some(0),
    };
    let (Some(start), Some(end)) = (start, end) else {
        return Drift::empty(0, Status::FewPoints);
    };
    // Without --from the first state is the first point, which is no second state.
    if start > end || (start == end && own && p.from.is_none()) {
        let n = usize::from(start == end);
        return Drift::empty(n, Status::FewPoints);
    }
    let part = slice(trajectory, start..end + 1);
    match p.cuts.refusal(&part) {
        Some(status) => Drift::empty(part.len(), status),
        None if start == end && own => untouched(&part, start, p),
        None => Drift { used: if own { start } else { end }..end + 1, ..between_states(&part, p) },
    }
}

/// Drift of an entity whose state is its only point at both instants.
fn untouched(part: &Trajectory<'_>, at: usize, p: &Params<'_>) -> Drift {
    let mut out = Drift::empty(1, Status::Ok);
    (out.t1, out.t2) = (Some(part.t[0]), Some(part.t[0]));
    compare(&mut out, part.row(0), part.row(0), p);
    out.path_l2 = Some(0.0);
    out.status = if out.status == Status::Ok { Status::Untouched } else { out.status };
    Drift { used: at..at + 1, ..out }
}

/// Drift over all points of `part`, which has at least one.
fn between_states(part: &Trajectory<'_>, p: &Params<'_>) -> Drift {
    let (first, last) = (part.t[0], part.t[part.len() - 1]);
    let mut out = Drift::empty(part.len(), Status::Ok);
    out.t2 = Some(last);
    match p.reference {
        Reference::First => {
            out.t1 = Some(first);
            compare(&mut out, part.row(0), part.row(part.len() - 1), p);
        }
        Reference::Centroid => {
            out.t1 = Some(first);
            compare(&mut out, &centroid(part), part.row(part.len() - 1), p);
        }
        Reference::State(x, t) => {
            out.t1 = t;
            compare(&mut out, x, part.row(part.len() - 1), p);
        }
    }
    let spans_time = !matches!(p.reference, Reference::Centroid);
    if let (Some(t1), Some(l2), true) = (out.t1, out.l2, spans_time)
        && t1 < last
    {
        out.rate = Some(l2 / (seconds_between(t1, last) / p.per_s));
    }
    if p.reference == Reference::First {
        along_the_path(&mut out, part, p);
    }
    out
}

/// Fills what depends on the two states alone.
fn compare<X: Copy + Into<f64>>(out: &mut Drift, x: &[X], y: &[f32], p: &Params<'_>) {
    out.delta = y.iter().zip(x).map(|(&y, &x)| f64::from(y) - x.into()).collect();
    out.l2 = Some(norm(&out.delta));
    (out.cosine, out.angle_deg) = cosine_and_angle(x, y).unzip();
    let from_norm = norm(x);
    out.norm_ratio = (from_norm > 0.0).then(|| norm(y) / from_norm);
    (out.top_dims, out.pareto80) = geometry::attribute(&out.delta, p.top);
    if out.cosine.is_none() {
        out.status = Status::ZeroNorm;
    }
}

/// Fills path length, efficiency and significance, and the statuses that come from the steps.
fn along_the_path(out: &mut Drift, part: &Trajectory<'_>, p: &Params<'_>) {
    let largest = (0..part.len()).map(|i| norm(part.row(i))).fold(0.0, f64::max);
    let blur = rounding(largest);
    let mut path = 0.0;
    let mut moved = out.l2.is_some_and(|l2| l2 > blur);
    let mut rates: Vec<f64> = Vec::new();
    let mut skipped = false;
    for i in 1..part.len() {
        if p.cuts.is_gap(part.t[i - 1], part.t[i]) {
            skipped = true;
            continue;
        }
        let (from, to) = (part.row(i - 1), part.row(i));
        let length = l2_distance(to, from);
        path += length;
        moved |= length > blur;
        if p.flips > 0 {
            // A step that is rounding alone has no direction.
            let root = seconds_between(part.t[i - 1], part.t[i]).sqrt();
            let scale = if length > blur { 1.0 / root } else { 0.0 };
            rates.extend(to.iter().zip(from).map(|(&b, &a)| (f64::from(b) - f64::from(a)) * scale));
        }
    }
    out.path_l2 = Some(path);
    if skipped {
        out.status = if out.status == Status::Ok { Status::Gap } else { out.status };
    } else if moved {
        out.efficiency = out.l2.map(|l2| (l2 / path).min(1.0));
    } else if out.status == Status::Ok {
        out.status = Status::Constant;
    }
    if let Some(SignFlip { statistic, p_value, block }) =
        signflip::test(&rates, part.dim, p.flips, p.seed, part.entity)
    {
        out.t2_stat = Some(statistic);
        out.direction_p = p_value;
        out.direction_block = Some(block);
    }
}

/// Mean of all points.
fn centroid(part: &Trajectory<'_>) -> Vec<f64> {
    let mut mean = vec![0.0; part.dim];
    for i in 0..part.len() {
        for (m, &x) in mean.iter_mut().zip(part.row(i)) {
            *m += f64::from(x);
        }
    }
    let n = part.len() as f64;
    mean.iter_mut().for_each(|m| *m /= n);
    mean
}

#[cfg(test)]
mod tests;
