//! The splits that explain most of a series, one after the other.

use crate::analytics::changepoint::cost::{MeanCost, SegmentCost};

/// A split of the stretch `start..end`, found beside `choices` stretches that could be split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    pub start: usize,
    pub at: usize,
    pub end: usize,
    pub choices: usize,
}

/// Up to `count` splits, the best first: each is the one that lowers the sum of squares most, given
/// those before it (binary segmentation; Scott and Knott 1974). Stretches have at least `min` rows.
pub(crate) fn splits(cost: &MeanCost, min: usize, count: usize) -> Vec<Split> {
    let mut open: Vec<(f64, Split)> = widest(cost, 0, cost.len(), min).into_iter().collect();
    let mut out = Vec::new();
    while out.len() < count {
        let Some(best) = (0..open.len()).max_by(|&a, &b| open[a].0.total_cmp(&open[b].0)) else { break };
        let choices = open.len();
        let split = Split { choices, ..open.swap_remove(best).1 };
        open.extend(widest(cost, split.start, split.at, min));
        open.extend(widest(cost, split.at, split.end, min));
        out.push(split);
    }
    out.sort_by_key(|s| s.at);
    out
}

/// The split of `start..end` with the largest gain; none where it is too short or gains nothing.
fn widest(cost: &MeanCost, start: usize, end: usize, min: usize) -> Option<(f64, Split)> {
    let whole = cost.cost(start, end);
    let gain = |at: usize| whole - cost.cost(start, at) - cost.cost(at, end);
    let places = start + min..(end + 1).saturating_sub(min);
    let best = places.map(|at| (gain(at), at)).reduce(|a, b| if b.0 > a.0 { b } else { a })?;
    (best.0 > 0.0).then_some((best.0, Split { start, at: best.1, end, choices: 1 }))
}
