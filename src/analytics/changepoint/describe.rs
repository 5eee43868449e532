//! What a change and a segment look like to a reader.

use super::cost::{LineCost, SegmentCost};
use super::params::{Cost, FEW_DIMENSIONS};
use super::series::Series;
use super::worth::Worth;
use super::worth::best::Split;
use super::worth::outlier::far;
use crate::analytics::geometry::{DimShare, attribute, cosine_distance, norm, squared_distance};
use crate::model::{TimestampUs, Trajectory};

/// A jump between two points.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Time of the first point of the new segment.
    pub t: TimestampUs,
    /// Its position in the trajectory, 0-based.
    pub index: usize,
    /// Time of the last point of the old segment.
    pub t_before: TimestampUs,
    /// Distance of the two segments' means in standard deviations of the whole noise vector;
    /// missing when there is no noise at all.
    pub severity: Option<f64>,
    /// How much this change lowers the cost, in squared vector units.
    pub gain: f64,
    /// Points of the segment before.
    pub n_before: usize,
    /// Points of the segment after.
    pub n_after: usize,
    /// Distance of the two segments' means.
    pub l2: f64,
    /// Their cosine distance; missing when one has length zero.
    pub cosine: Option<f64>,
    /// The dimensions that moved most.
    pub top_dims: Vec<DimShare>,
    /// Time of the first and the last point at which the new segment may begin, with a probability
    /// of 90 %.
    pub t_low: TimestampUs,
    /// See `t_low`.
    pub t_high: TimestampUs,
    /// How often the points of the two segments in random order show as large a split.
    pub p_any_order: Option<f64>,
    /// How often a level that wanders shows as sudden a split.
    pub p_wander: Option<f64>,
    /// True when a level that wanders explains the series as well without this change.
    pub doubtful: bool,
    /// True when the penalty leaves this change; false for a best split beyond these.
    pub reported: bool,
}

/// A single point far from its neighbours.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlier {
    /// Its time.
    pub t: TimestampUs,
    /// Its position in the trajectory, 0-based.
    pub index: usize,
    /// Time of the point before; missing for the first.
    pub t_before: Option<TimestampUs>,
    /// Its distance from the middle of its neighbours, in standard deviations of the whole noise
    /// vector.
    pub severity: f64,
}

impl Outlier {
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.index += by;
        self
    }
}

/// A stretch without a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Position of its first point, 0-based.
    pub start: usize,
    /// Position after its last point.
    pub end: usize,
    /// Time of its first point.
    pub t_first: TimestampUs,
    /// Time of its last point.
    pub t_last: TimestampUs,
    /// Mean of the signal over it.
    pub mean: Vec<f64>,
    /// Root mean squared distance of its points to the mean.
    pub spread: f64,
}

impl Change {
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.index += by;
        self
    }
}

impl Segment {
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.start += by;
        self.end += by;
        self
    }
}

/// Above this p-value a change carries a warning.
const DOUBTFUL: f64 = 0.05;

/// What the search found in a centred series, whose row 0 belongs to point `offset` of `part`.
pub(crate) struct View<'a> {
    pub part: &'a Trajectory<'a>,
    pub series: &'a Series,
    /// What was subtracted from every row.
    pub centre: &'a [f64],
    pub offset: usize,
    pub changes: &'a [usize],
    /// What segments look like.
    pub cost: Cost,
}

impl View<'_> {
    /// The changes as splits of the stretches beside them.
    pub fn splits(&self) -> Vec<Split> {
        let edges = self.edges();
        edges.windows(3).map(|w| Split { start: w[0], at: w[1], end: w[2], choices: 1 }).collect()
    }

    /// A split under noise of the given trace. What it is worth is not known yet.
    pub fn change(&self, split: Split, trace: f64, top: usize) -> Change {
        let Split { start, at, end, .. } = split;
        let before = self.absolute(start, at);
        let after = self.absolute(at, end);
        let delta: Vec<f64> = after.iter().zip(&before).map(|(b, a)| b - a).collect();
        let l2 = norm(&delta);
        let index = at + self.offset;
        let t = self.part.t[index];
        Change {
            t,
            index,
            t_before: self.part.t[index - 1],
            severity: (trace > 0.0).then(|| l2 / trace.sqrt()),
            gain: self.gain(split),
            n_before: at - start,
            n_after: end - at,
            l2,
            cosine: cosine_distance(&before, &after),
            top_dims: attribute(&delta, top).0,
            t_low: t,
            t_high: t,
            p_any_order: None,
            p_wander: None,
            doubtful: false,
            reported: true,
        }
    }

    /// A change with what it is worth.
    pub fn judged(&self, change: Change, worth: Worth) -> Change {
        Change {
            t_low: self.part.t[worth.low + self.offset],
            t_high: self.part.t[worth.high + self.offset],
            p_any_order: worth.p_any_order,
            p_wander: worth.p_wander,
            doubtful: change.doubtful || worth.p_wander.is_some_and(|p| p > DOUBTFUL),
            ..change
        }
    }

    /// Single far points that are no change.
    pub fn outliers(&self, changes: &[usize], alpha: f64) -> Vec<Outlier> {
        let few = self.series.dim <= FEW_DIMENSIONS;
        let found = if few { far(&self.series.whitened(), alpha) } else { far(self.series, alpha) };
        let is_change = |i: usize| changes.contains(&i);
        let outlier = |f: super::worth::outlier::Far| {
            let index = f.index + self.offset;
            let t_before = index.checked_sub(1).map(|i| self.part.t[i]);
            Outlier { t: self.part.t[index], index, t_before, severity: f.radii }
        };
        found.into_iter().filter(|f| !is_change(f.index)).map(outlier).collect()
    }

    /// Mean of rows `a..b` as they were before they were centred.
    fn absolute(&self, a: usize, b: usize) -> Vec<f64> {
        self.series.mean(a, b).iter().zip(self.centre).map(|(m, c)| m + c).collect()
    }

    /// The stretches between the changes.
    pub fn segments(&self) -> Vec<Segment> {
        self.edges().windows(2).map(|w| self.segment(w[0], w[1])).collect()
    }

    /// First rows of the segments, and the end.
    fn edges(&self) -> Vec<usize> {
        [0].into_iter().chain(self.changes.iter().copied()).chain([self.series.len()]).collect()
    }

    /// What a split saves, given the stretch that it divides.
    fn gain(&self, split: Split) -> f64 {
        let Split { start, at, end, .. } = split;
        if self.cost == Cost::Line {
            let stretch = self.series.part(start..end);
            let (cost, at, end) = (LineCost::new(&stretch), at - start, end - start);
            return cost.cost(0, end) - cost.cost(0, at) - cost.cost(at, end);
        }
        let (m, n) = ((at - start) as f64, (end - at) as f64);
        m * n / (m + n) * squared_distance(&self.series.mean(start, at), &self.series.mean(at, end))
    }

    fn segment(&self, a: usize, b: usize) -> Segment {
        let centred = self.series.mean(a, b);
        let squares: f64 = (a..b).map(|i| squared_distance(self.series.row(i), &centred)).sum();
        // The point before the first step belongs to the first segment of increments.
        let start = if a == 0 { 0 } else { a + self.offset };
        Segment {
            start,
            end: b + self.offset,
            t_first: self.part.t[start],
            t_last: self.part.t[b + self.offset - 1],
            mean: centred.iter().zip(self.centre).map(|(m, c)| m + c).collect(),
            spread: (squares / (b - a) as f64).sqrt(),
        }
    }
}
