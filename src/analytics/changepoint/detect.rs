//! The change points of one trajectory: its pieces, each searched, described and judged.

use super::cost::{LineCost, MeanCost};
use super::describe::{Change, Outlier, Segment, View};
use super::longrun::{self, Shape, Stakes};
use super::mean::{self, Outcome};
use super::noise;
use super::params::{
    Cost, FEW_DIMENSIONS, MIN_FEW, Noise, PROJECT_ABOVE, PROJECTED, Params, Signal, min_segment, resolve,
};
use super::penalty::{Penalty, Rule};
use super::select;
use super::series::Series;
use super::worth::Bench;
use crate::analytics::pieces::slice;
use crate::analytics::{Status, geometry};
use crate::model::{Trajectory, seconds_between};
use std::borrow::Cow;

/// Splits at most so many points apart are the same change.
const SAME: usize = 2;
/// What was found in one trajectory.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Number of points searched.
    pub n: usize,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// The stretches between them, in order.
    pub segments: Vec<Segment>,
    /// Single far points, in order.
    pub outliers: Vec<Outlier>,
    /// The penalty a change paid, in the units of `cost`; of the longest stretch between gaps.
    pub penalty: Option<f64>,
    /// Square root of the trace of the noise's covariance.
    pub noise_sd: Option<f64>,
    /// Lag-one coefficient of what the segments leave over.
    pub lag1: Option<f64>,
    /// What segments looked like.
    pub cost: Cost,
    /// True when the level wanders or the noise remembers so long that jumps and slow drift can
    /// hardly be told apart.
    pub drifts: bool,
    /// Why something is missing.
    pub status: Status,
}

impl Report {
    fn empty(n: usize, cost: Cost, status: Status) -> Self {
        Report {
            n,
            changes: Vec::new(),
            segments: Vec::new(),
            outliers: Vec::new(),
            penalty: None,
            noise_sd: None,
            lag1: None,
            cost,
            drifts: false,
            status,
        }
    }
}

/// The change points of one trajectory.
pub fn detect(trajectory: &Trajectory<'_>, params: &Params) -> Report {
    let dim = if params.signal == Signal::Norm { 1 } else { trajectory.dim };
    let cost = resolve(params, dim);
    if let Some(status) = params.cuts.refusal(trajectory) {
        return Report::empty(trajectory.len(), cost, status);
    }
    let mut out = Report::empty(trajectory.len(), cost, Status::Ok);
    let pieces = params.cuts.pieces(trajectory.t);
    let longest = pieces.iter().map(|p| p.len()).max().unwrap_or(0);
    for piece in &pieces {
        let part = slice(trajectory, piece.clone());
        let found = detect_piece(&part, params, cost);
        if piece.len() == longest && out.penalty.is_none() {
            (out.penalty, out.noise_sd, out.lag1) = (found.penalty, found.noise_sd, found.lag1);
            out.cost = found.cost;
            out.status = found.status;
        }
        out.drifts |= found.drifts;
        out.changes.extend(found.changes.into_iter().map(|c| c.shifted(piece.start)));
        out.outliers.extend(found.outliers.into_iter().map(|o| o.shifted(piece.start)));
        out.segments.extend(found.segments.into_iter().map(|s| s.shifted(piece.start)));
    }
    if pieces.len() > 1 {
        out.status = Status::Gap;
    } else if pieces.is_empty() {
        out.status = Status::FewPoints;
    }
    out
}

fn detect_piece(part: &Trajectory<'_>, params: &Params, cost: Cost) -> Report {
    let mut series = signal(part, params);
    // An increment belongs to the point it leads to: its first point has none.
    let offset = part.len() - series.len();
    let min = min_segment(params, cost, series.len(), series.dim);
    if series.len() < 2 * min {
        return Report::empty(part.len(), cost, Status::FewPoints);
    }
    let constant = series.x.chunks_exact(series.dim).all(|row| row == series.row(0));
    let centre = series.centre();
    let view = |changes, cost| View { part, series: &series, centre: &centre, offset, changes, cost };
    if constant {
        let segments = view(&[], cost).segments();
        return Report { segments, noise_sd: Some(0.0), ..Report::empty(part.len(), cost, Status::Constant) };
    }
    let found = search(&series, params, cost, min);
    let (trace, lag1) = noise::within(&series, &found.changes);
    let view = view(&found.changes, found.cost);
    let bench = Bench::new(&series, params.permutations, part.entity);
    // Means stand beside the best splits, whatever stands between the changes that were found.
    let shape = if params.best.is_some() && found.cost == Cost::Line { Cost::Mean } else { found.cost };
    let least = min_segment(params, shape, series.len(), series.dim);
    let splits = match params.best {
        Some(count) => bench.best(least, count),
        None => view.splits(),
    };
    let changes = splits.iter().map(|&split| {
        let change = view.change(split, trace, params.top);
        let is_among = |places: &[usize]| places.iter().any(|c| c.abs_diff(split.at) <= SAME);
        let (reported, doubtful) = (is_among(&found.changes), is_among(&found.doubtful));
        let worth = bench.worth(split, least, shape == Cost::Line);
        view.judged(Change { reported, doubtful, ..change }, worth)
    });
    Report {
        changes: changes.collect(),
        segments: view.segments(),
        outliers: if params.outliers { view.outliers(&found.changes, params.alpha) } else { Vec::new() },
        penalty: Some(found.penalty),
        noise_sd: Some(trace.sqrt()),
        lag1: Some(lag1),
        drifts: found.drifts || lag1 >= 0.8,
        ..Report::empty(part.len(), found.cost, Status::Ok)
    }
}

/// Finds the changes in a centred series that is not constant.
fn search(series: &Series, params: &Params, cost: Cost, min_segment: usize) -> Outcome {
    let parameters = if cost == Cost::Line { 2 } else { 1 };
    let rule = Rule { penalty: params.penalty, alpha: params.alpha, sensitive: params.sensitive, parameters };
    let long = series.len() > PROJECT_ABOVE && series.dim > PROJECTED;
    let series = &if long { Cow::Owned(series.project(PROJECTED)) } else { Cow::Borrowed(series) };
    let mean_segments = || mean::search(series, &MeanCost::new(series), rule, min_segment, params.noise);
    let few = series.dim <= FEW_DIMENSIONS && params.penalty == Penalty::Auto;
    match cost {
        Cost::Auto | Cost::Line | Cost::Mean if few => few_dimensions(&series.whitened(), params, cost, rule),
        Cost::Level | Cost::Auto => match select::explain(series, rule, min_segment) {
            Some(f) => {
                let doubtful = Vec::new();
                Outcome { cost, changes: f.changes, penalty: f.penalty, drifts: f.wanders, doubtful }
            }
            None => mean_segments(),
        },
        Cost::Line => mean::search(series, &LineCost::new(series), rule, min_segment, params.noise),
        Cost::Mean => mean_segments(),
    }
}

/// Lines, means, or whichever of the two explains a whitened series better.
fn few_dimensions(whitened: &Series, params: &Params, cost: Cost, rule: Rule) -> Outcome {
    let calm = select::without_spikes(whitened);
    let series = calm.as_ref().unwrap_or(whitened);
    let stakes = Stakes { price: rule.price(series.len()), remembers: params.noise == Noise::Ar1 };
    let fit = |shape, cost| {
        longrun::search(series, shape, min_segment(params, cost, series.len(), series.dim), stakes)
    };
    let found = match cost {
        Cost::Line => fit(Shape::Line, Cost::Line),
        Cost::Mean => fit(Shape::Mean, Cost::Mean),
        _ => {
            let (line, mean) = (fit(Shape::Line, Cost::Line), fit(Shape::Mean, Cost::Mean));
            if mean.criterion < line.criterion { mean } else { line }
        }
    };
    let cost = if found.shape == Shape::Line { Cost::Line } else { Cost::Mean };
    let doubtful = explained_by_wandering(whitened, &found.changes, rule);
    Outcome { cost, changes: found.changes, penalty: found.penalty, drifts: found.phi >= 0.8, doubtful }
}

/// The changes that a search for jumps of a level that may wander does not find: slow drift, a
/// curve or a walk explains the series as well without them.
fn explained_by_wandering(series: &Series, changes: &[usize], rule: Rule) -> Vec<usize> {
    if changes.is_empty() {
        return Vec::new();
    }
    let rule = Rule { parameters: 1, ..rule };
    let jumps = select::explain(series, rule, 2).map_or(Vec::new(), |e| e.changes);
    let is_jump = |c: usize| jumps.iter().any(|j| j.abs_diff(c) <= MIN_FEW);
    changes.iter().copied().filter(|&c| !is_jump(c)).collect()
}

/// The numbers to search: one row a point, or one a step.
fn signal(part: &Trajectory<'_>, params: &Params) -> Series {
    let mut rows: Vec<f64> = part.x.iter().map(|&v| f64::from(v)).collect();
    if params.normalize {
        for row in rows.chunks_exact_mut(part.dim) {
            let length = geometry::norm(row);
            if length > 0.0 {
                row.iter_mut().for_each(|v| *v /= length);
            }
        }
    }
    let values = Series::new(rows, part.dim);
    match params.signal {
        Signal::Value => values,
        Signal::Norm => Series::new(values.x.chunks_exact(part.dim).map(geometry::norm).collect(), 1),
        Signal::Increment => {
            let mut steps = Vec::with_capacity(values.x.len().saturating_sub(part.dim));
            for i in 1..values.len() {
                let dt = seconds_between(part.t[i - 1], part.t[i]);
                steps.extend(values.row(i).iter().zip(values.row(i - 1)).map(|(b, a)| (b - a) / dt));
            }
            Series::new(steps, part.dim)
        }
    }
}
