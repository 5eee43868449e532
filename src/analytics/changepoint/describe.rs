//! What a change and a segment look like to a reader.

use super::Cost;
use super::cost::{LineCost, MeanCost, SegmentCost};
use super::noise;
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

/// Describes the `changes` of `raw`, whose row 0 belongs to point `offset`; `centred` is `raw`
/// without its mean.
pub(crate) fn describe(
    part: &Trajectory<'_>,
    raw: &Series,
    centred: &Series,
    changes: &[usize],
    offset: usize,
    cost: Cost,
    top: usize,
) -> (Vec<Change>, Vec<Segment>) {
    let edges: Vec<usize> =
        std::iter::once(0).chain(changes.iter().copied()).chain(std::iter::once(raw.len())).collect();
    let segments: Vec<Segment> = edges.windows(2).map(|w| segment(part, raw, w[0], w[1], offset)).collect();
    let trace = noise::within(centred, changes).0;
    let gains = gains(centred, &edges, cost);
    let jumps = edges.windows(3).zip(segments.windows(2)).zip(gains);
    let changes = jumps
        .map(|((edge, pair), gain)| {
            let delta: Vec<f64> = pair[1].mean.iter().zip(&pair[0].mean).map(|(b, a)| b - a).collect();
            let l2 = norm(&delta);
            let index = edge[1] + offset;
            Change {
                t: part.t[index],
                index,
                t_before: part.t[index - 1],
                severity: (trace > 0.0).then(|| l2 / trace.sqrt()),
                gain,
                n_before: edge[1] - edge[0],
                n_after: edge[2] - edge[1],
                l2,
                cosine: cosine_distance(&pair[0].mean, &pair[1].mean),
                top_dims: attribute(&delta, top).0,
            }
        })
        .collect();
    (changes, segments)
}

/// What each change saves, given its neighbours.
fn gains(centred: &Series, edges: &[usize], cost: Cost) -> Vec<f64> {
    fn saved(cost: &impl SegmentCost, edges: &[usize]) -> Vec<f64> {
        let one = |w: &[usize]| cost.cost(w[0], w[2]) - cost.cost(w[0], w[1]) - cost.cost(w[1], w[2]);
        edges.windows(3).map(one).collect()
    }
    if edges.len() < 3 {
        Vec::new()
    } else if cost == Cost::Line {
        saved(&LineCost::new(centred), edges)
    } else {
        saved(&MeanCost::new(centred), edges)
    }
}

fn segment(part: &Trajectory<'_>, raw: &Series, a: usize, b: usize, offset: usize) -> Segment {
    let mean = raw.mean(a, b);
    let squares: f64 = (a..b).map(|i| squared_distance(raw.row(i), &mean)).sum();
    // The point before the first step belongs to the first segment of increments.
    let start = if a == 0 { 0 } else { a + offset };
    Segment {
        start,
        end: b + offset,
        t_first: part.t[start],
        t_last: part.t[b + offset - 1],
        spread: (squares / (b - a) as f64).sqrt(),
        mean,
    }
}
