//! Did one entity's mean move between two periods?
//!
//! Each period holds several points. The distance of the two means is larger than nothing also without
//! a change, and the more so the fewer the points: `change` is the squared distance less what noise
//! adds to it, zero in the mean without a change for any numbers of points. The noise is that of whole
//! units, which are independent of one another: blocks of consecutive points, with gaps as long as the
//! points remember (see `blocks`), or clusters such as authors. The test relabels units, with
//! a statistic that is studentised, so that it also holds where the periods differ in their spread
//! (Janssen 1997; Chung and Romano 2013).

mod interval;
mod parts;
mod relabel;
mod side;

use super::Status;
use super::blocks::{self, Layout};
use super::geometry::{self, DimShare, cosine_and_angle, norm, rounding};
use super::pieces::Align;
use crate::model::Trajectory;
use parts::Parts;
use side::Side;

/// What is independent of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Units<'a> {
    /// Blocks of consecutive points, as long as the points remember.
    #[default]
    Auto,
    /// Blocks of so many consecutive points, without gaps.
    Block(usize),
    /// Points with the same number are one unit, also when they lie in both periods: one number a point
    /// of the first period, and of the second.
    Clusters(&'a [u32], &'a [u32]),
}

/// Parameters of [`shift`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params<'a> {
    /// Every point is brought to length 1 first: directions are compared.
    pub unit_length: bool,
    /// What is independent of what.
    pub units: Units<'a>,
    /// Random relabellings at most; 0 for no test.
    pub permutations: usize,
    /// Probability with which the interval holds the distance of the true means.
    pub level: f64,
    /// How many dimensions to name.
    pub top: usize,
    /// Seed of the test.
    pub seed: u64,
    /// What to do when the periods hold several embedding models.
    pub align: Align,
}

impl Default for Params<'_> {
    /// Vectors as they are, blocks by memory, 99,999 relabellings, level 0.95, ten dimensions.
    fn default() -> Self {
        Params {
            unit_length: false,
            units: Units::Auto,
            permutations: 99_999,
            level: 0.95,
            top: 10,
            seed: 0,
            align: Align::Error,
        }
    }
}

/// How the mean of an entity's points differs between two periods.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// Points of the first period.
    pub n_from: usize,
    /// Points of the second period.
    pub n_to: usize,
    /// Euclidean distance of the two means.
    pub l2: Option<f64>,
    /// Cosine distance of the two means.
    pub cosine: Option<f64>,
    /// Angle between the two means, in degrees.
    pub angle_deg: Option<f64>,
    /// Length of the second mean over that of the first.
    pub norm_ratio: Option<f64>,
    /// Squared distance of the means of the units, less what noise adds: unbiased, negative at times.
    pub change: Option<f64>,
    /// Cosine distance of the means, corrected for noise; missing when either mean is not longer
    /// than its noise.
    pub cosine_corrected: Option<f64>,
    /// The distance, in the root of the mean square, of two means that are as noisy without a change.
    pub noise_floor: Option<f64>,
    /// Lower and upper end of the interval of the distance of the true means.
    pub interval: Option<(f64, f64)>,
    /// How often relabelled units differ as much.
    pub p_value: Option<f64>,
    /// Units of the first period, and of the second.
    pub units: (usize, usize),
    /// The blocks, unless clusters were given.
    pub layout: Option<Layout>,
    /// The dimensions with the largest shares of `l2` squared.
    pub top_dims: Vec<DimShare>,
    /// Least number of dimensions whose shares add to 0.8.
    pub pareto80: Option<usize>,
    /// Why something is missing.
    pub status: Status,
}

impl Shift {
    fn empty(n_from: usize, n_to: usize, status: Status) -> Shift {
        Shift {
            n_from,
            n_to,
            l2: None,
            cosine: None,
            angle_deg: None,
            norm_ratio: None,
            change: None,
            cosine_corrected: None,
            noise_floor: None,
            interval: None,
            p_value: None,
            units: (0, 0),
            layout: None,
            top_dims: Vec::new(),
            pareto80: None,
            status,
        }
    }
}

/// Compares the mean of the points `from` with that of the points `to`, both of one entity.
///
/// One point in each period gives the distances (`few_points`), two units in each the correction and
/// the interval; where no relabelling can reach p = 0.05, the p-value is missing (`few_blocks`).
/// Sums run in f64 and in a fixed order, draws come from `seed` and the entity: the result depends on
/// nothing else. O(n d) for the means and the memory, O(k^2 d) for k units.
pub fn shift(from: &Trajectory<'_>, to: &Trajectory<'_>, p: &Params<'_>) -> Shift {
    let refused = |status| Shift::empty(from.len(), to.len(), status);
    if from.is_empty() || to.is_empty() {
        return refused(Status::FewPoints);
    }
    let first = from.model.first().copied();
    let models = || from.model.iter().chain(to.model);
    if p.align == Align::Error && models().any(|m| Some(*m) != first) {
        return refused(Status::ModelBreak);
    }
    if [from, to].iter().any(|part| part.t.windows(2).any(|w| w[0] >= w[1])) {
        return refused(Status::ZeroDt);
    }
    let mut sides = [Side::new(from, p.unit_length), Side::new(to, p.unit_length)];
    let mut out = refused(Status::Ok);
    compare(&mut out, &sides, p.top);
    let blur = rounding(sides[0].largest.max(sides[1].largest));
    for side in &mut sides {
        side.residuals_of(blur);
    }
    if sides.iter().all(|s| s.still) && out.l2.is_some_and(|l2| l2 <= blur) {
        out.status = Status::Constant;
        return out;
    }
    test(&mut out, &sides, from.entity, p);
    out
}

/// Fills what depends on the two means alone.
fn compare(out: &mut Shift, [from, to]: &[Side; 2], top: usize) {
    let delta: Vec<f64> = to.mean.iter().zip(&from.mean).map(|(b, a)| b - a).collect();
    out.l2 = Some(norm(&delta));
    (out.cosine, out.angle_deg) = cosine_and_angle(&from.mean, &to.mean).unzip();
    let length = norm(&from.mean);
    out.norm_ratio = (length > 0.0).then(|| norm(&to.mean) / length);
    (out.top_dims, out.pareto80) = geometry::attribute(&delta, top);
    if out.cosine.is_none() {
        out.status = Status::ZeroNorm;
    }
}

/// Fills what depends on the noise of the units.
fn test(out: &mut Shift, sides: &[Side; 2], entity: u64, p: &Params<'_>) {
    let parts = match p.units {
        Units::Clusters(from, to) => Parts::of_clusters(sides, [from, to]),
        Units::Auto | Units::Block(_) => {
            let layout = match p.units {
                Units::Block(len) => Layout { len: len.max(1), gap: 0 },
                _ => blocks::layout(&[&sides[0].rows, &sides[1].rows], sides[0].dim),
            };
            out.layout = Some(layout);
            Parts::of_blocks(sides, layout)
        }
    };
    out.units = parts.units();
    if out.units.0 < 2 || out.units.1 < 2 {
        out.status = if out.n_from < 2 || out.n_to < 2 { Status::FewPoints } else { Status::FewBlocks };
        return;
    }
    let seen = parts.observed();
    out.change = Some(seen.squared - seen.noise);
    out.noise_floor = Some(seen.noise.sqrt());
    out.cosine_corrected = parts.cosine(sides);
    out.interval = Some(interval::distance(&parts, &seen, p.level));
    if p.permutations > 0 {
        out.p_value = relabel::p_value(&parts, &seen, p.permutations, p.seed, entity);
        if out.p_value.is_none() && out.status == Status::Ok {
            out.status = Status::FewBlocks;
        }
    }
}

#[cfg(test)]
mod tests;
