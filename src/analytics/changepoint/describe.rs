//! What a change and a segment look like to a reader.

use super::Cost;
use super::cost::{LineCost, SegmentCost};
use super::series::Series;
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
    /// True when a level that wanders explains the series as well without this change.
    pub doubtful: bool,
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
    /// The changes between `segments`, under noise of the given trace; those of `doubtful` are marked.
    pub fn changes(&self, segments: &[Segment], trace: f64, top: usize, doubtful: &[usize]) -> Vec<Change> {
        let edges = self.edges();
        let jumps = edges.windows(3).zip(segments.windows(2)).zip(self.gains(&edges));
        jumps
            .map(|((edge, pair), gain)| {
                let delta: Vec<f64> = pair[1].mean.iter().zip(&pair[0].mean).map(|(b, a)| b - a).collect();
                let l2 = norm(&delta);
                let index = edge[1] + self.offset;
                Change {
                    t: self.part.t[index],
                    index,
                    t_before: self.part.t[index - 1],
                    severity: (trace > 0.0).then(|| l2 / trace.sqrt()),
                    gain,
                    n_before: edge[1] - edge[0],
                    n_after: edge[2] - edge[1],
                    l2,
                    cosine: cosine_distance(&pair[0].mean, &pair[1].mean),
                    top_dims: attribute(&delta, top).0,
                    doubtful: doubtful.contains(&edge[1]),
                }
            })
            .collect()
    }

    /// The stretches between the changes.
    pub fn segments(&self) -> Vec<Segment> {
        self.edges().windows(2).map(|w| self.segment(w[0], w[1])).collect()
    }

    /// First rows of the segments, and the end.
    fn edges(&self) -> Vec<usize> {
        [0].into_iter().chain(self.changes.iter().copied()).chain([self.series.len()]).collect()
    }

    /// What each change saves, given its neighbours.
    fn gains(&self, edges: &[usize]) -> Vec<f64> {
        if self.cost == Cost::Line && edges.len() > 2 {
            let cost = LineCost::new(self.series);
            let saved = |w: &[usize]| cost.cost(w[0], w[2]) - cost.cost(w[0], w[1]) - cost.cost(w[1], w[2]);
            return edges.windows(3).map(saved).collect();
        }
        let means: Vec<Vec<f64>> = edges.windows(2).map(|w| self.series.mean(w[0], w[1])).collect();
        let pairs = edges.windows(3).zip(means.windows(2));
        pairs
            .map(|(w, means)| {
                let (m, n) = ((w[1] - w[0]) as f64, (w[2] - w[1]) as f64);
                m * n / (m + n) * squared_distance(&means[0], &means[1])
            })
            .collect()
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
