//! Which past cases stand for a horizon, and how much each counts.

use super::rolling::Case;

/// Relative difference below which two horizons are the same.
const SAME: f64 = 1e-6;
/// Cases taken from either side of a horizon.
const SIDE: usize = 200;
/// Most cases of a window; of more, evenly many are taken.
const MOST: usize = 2000;
/// Effective cases of exactly this horizon that need no others beside them.
const ENOUGH: f64 = 9.0;
/// Share of the cases that must lie at the horizon or beyond, for it to lie within the data.
const BEYOND: f64 = 0.1;

/// Cases that stand for a horizon.
#[derive(Debug)]
pub(super) struct Window<'a> {
    /// The horizon that they stand for: the one asked for, or where nothing is near it, the next
    /// longer one with cases.
    pub horizon_s: f64,
    /// False when the horizon lies beyond the data: the cases are the longest there are.
    pub reached: bool,
    /// The cases.
    pub cases: Vec<&'a Case>,
}

/// The window at a horizon. `cases` ascend by horizon. Where many cases have exactly this horizon,
/// as at regular times, they are the window. Otherwise it reaches to either side, until it has
/// enough cases or is one `unit_s` (or a tenth of the horizon) away.
pub(super) fn around(cases: &[Case], horizon_s: f64, unit_s: f64) -> Option<Window<'_>> {
    let longest = cases.last()?.horizon_s;
    let below = |h: f64| cases.partition_point(|c| c.horizon_s < h);
    let (from, to) = (below(horizon_s * (1.0 - SAME)), below(horizon_s * (1.0 + SAME)));
    let ties = thinned(&cases[from..to]);
    if weigh(&ties).effective >= ENOUGH {
        return Some(Window { horizon_s, reached: true, cases: ties });
    }
    let limit = unit_s.max(0.1 * horizon_s);
    let left = nearest(cases, below((horizon_s - limit) * (1.0 - SAME))..from, false);
    let right = nearest(cases, from..below((horizon_s + limit) * (1.0 + SAME)), true);
    if right.is_empty() || left.is_empty() {
        let next = cases.get(from).map(|c| c.horizon_s).filter(|&h| h > horizon_s);
        match next {
            // Below the shortest horizon, or in a gap of the data.
            Some(next) if next > horizon_s * (1.0 + SAME) => return around(cases, next, unit_s),
            None if right.is_empty() => {
                let cases = thinned(&cases[cases.len().saturating_sub(SIDE)..]);
                return Some(Window { horizon_s: longest, reached: false, cases });
            }
            _ => {}
        }
    }
    let all = &cases[left.start..right.end];
    let reached = right.len() as f64 >= BEYOND * all.len() as f64;
    Some(Window { horizon_s, reached, cases: thinned(all) })
}

/// The part of a range that is nearest to its end (to its start when `upwards`): [`SIDE`] cases
/// and those of the same horizon as the last of them.
fn nearest(cases: &[Case], range: std::ops::Range<usize>, upwards: bool) -> std::ops::Range<usize> {
    let (mut start, mut end) = (range.start, range.end);
    if end - start <= SIDE {
        return range;
    }
    if upwards {
        let last = cases[start + SIDE - 1].horizon_s * (1.0 + SAME);
        end = start + cases[start..end].partition_point(|c| c.horizon_s <= last);
    } else {
        let first = cases[end - SIDE].horizon_s * (1.0 - SAME);
        start += cases[start..end].partition_point(|c| c.horizon_s < first);
    }
    start..end
}

fn thinned(cases: &[Case]) -> Vec<&Case> {
    let n = cases.len();
    if n <= MOST {
        return cases.iter().collect();
    }
    (0..MOST).map(|i| &cases[i * n / MOST]).collect()
}

/// What cases count for.
#[derive(Debug, Default)]
pub(super) struct Weights {
    /// One a case; those of an entity add up to 1.
    pub each: Vec<f64>,
    /// How many independent cases they are worth: those of an entity that overlap in time, from
    /// the last point of history to the target, count as one.
    pub effective: f64,
}

/// Every entity counts as much as another, however many cases it has.
pub(super) fn weigh(cases: &[&Case]) -> Weights {
    let mut order: Vec<usize> = (0..cases.len()).collect();
    order.sort_unstable_by_key(|&i| (cases[i].entity, cases[i].t, cases[i].t_last));
    let mut each = vec![0.0; cases.len()];
    let (mut entities, mut shares) = (0.0, 0.0);
    for group in order.chunk_by(|&a, &b| cases[a].entity == cases[b].entity) {
        let (mut apart, mut until) = (0.0, i64::MIN);
        for &i in group {
            each[i] = 1.0 / group.len() as f64;
            if cases[i].t_last >= until {
                apart += 1.0;
                until = cases[i].t;
            }
        }
        entities += 1.0;
        shares += 1.0 / apart;
    }
    Weights { each, effective: if entities > 0.0 { entities * entities / shares } else { 0.0 } }
}

/// The share of the weight that a quantile must reach so that a new case lies below it with
/// probability `level` (Vovk et al. 2005, Tibshirani et al. 2019): the new one counts as one of
/// `effective + 1`. `None` when there are too few.
pub(super) fn share(level: f64, effective: f64) -> Option<f64> {
    let share = level * (effective + 1.0) / effective;
    // The product is exact or a hair above: 0.9 * 10 must be 9.
    (effective > 0.0 && share <= 1.0 + 1e-9).then_some(share)
}

/// The smallest value with which the weights of those up to it reach `share` of the whole. Sorts.
pub(super) fn quantile(values: &mut [(f64, f64)], share: f64) -> Option<f64> {
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let whole: f64 = values.iter().map(|v| v.1).sum();
    let wanted = share * whole * (1.0 - 1e-9);
    let mut sum = 0.0;
    let found = values.iter().find(|v| {
        sum += v.1;
        sum >= wanted
    });
    found.or(values.last()).map(|v| v.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::Method;
    use crate::analytics::predict::rolling::Outcome;

    pub(crate) fn case(entity: u64, t_last: i64, horizon_s: i64) -> Case {
        Case {
            entity,
            history: 9,
            t_last,
            t: t_last + horizon_s,
            horizon_s: horizon_s as f64,
            step: 1.0,
            step_s: 1.0,
            outcomes: [Outcome::NoAnswer; Method::ALL.len()],
        }
    }

    fn horizons(w: &Window) -> Vec<f64> {
        let mut out: Vec<f64> = w.cases.iter().map(|c| c.horizon_s).collect();
        out.dedup();
        out
    }

    #[test]
    fn entities_weigh_the_same_and_overlaps_count_once() {
        let cases = [case(1, 0, 4), case(1, 2, 4), case(1, 4, 4), case(2, 0, 4)];
        let w = weigh(&cases.iter().collect::<Vec<_>>());
        assert_eq!(w.each, [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0]);
        // Two stretches apart for the first, one for the second: 4 / (1/2 + 1).
        assert!((w.effective - 4.0 / 1.5).abs() < 1e-12);
        assert_eq!(weigh(&[]).effective, 0.0);
    }

    #[test]
    fn the_quantile_is_the_stated_order_statistic() {
        assert_eq!((share(0.9, 9.0), share(0.9, 8.0), share(0.5, 0.0)), (Some(1.0), None, None));
        let values = |n: u32| (1..=n).map(|v| (f64::from(v), 1.0)).collect::<Vec<_>>();
        let at = |n: u32, level| quantile(&mut values(n), share(level, f64::from(n)).unwrap());
        assert_eq!((at(9, 0.9), at(19, 0.5), at(10, 0.5)), (Some(9.0), Some(10.0), Some(6.0)));
        let mut heavy = [(2.0, 1.0), (1.0, 3.0)];
        assert_eq!((quantile(&mut heavy, 0.75), quantile(&mut heavy, 0.76)), (Some(1.0), Some(2.0)));
        assert_eq!(quantile(&mut [], 0.5), None);
    }

    #[test]
    fn equal_horizons_are_a_window_and_other_ones_have_neighbours_on_both_sides() {
        let cases: Vec<Case> = (1..=6).flat_map(|h| (0..12).map(move |e| case(e, 0, 10 * h))).collect();
        let at = |h| around(&cases, h, 10.0).unwrap();
        assert_eq!((horizons(&at(30.0)), at(30.0).reached), (vec![30.0], true));
        assert_eq!((horizons(&at(34.0)), at(34.0).horizon_s), (vec![30.0, 40.0], 34.0));
        // Below the shortest the shortest stands in; beyond the longest nothing does.
        assert_eq!((horizons(&at(1.0)), at(1.0).horizon_s, at(1.0).reached), (vec![10.0], 10.0, true));
        assert_eq!((at(61.0).reached, at(60.0).reached), (false, true));
        assert!(around(&[], 1.0, 1.0).is_none());
    }

    #[test]
    fn a_gap_is_bridged_by_the_next_longer_horizon() {
        let cases: Vec<Case> = [10, 200].iter().flat_map(|&h| (0..12).map(move |e| case(e, 0, h))).collect();
        let w = around(&cases, 50.0, 10.0).unwrap();
        assert_eq!((horizons(&w), w.horizon_s, w.reached), (vec![200.0], 200.0, true));
    }

    #[test]
    fn irregular_horizons_are_taken_from_near_on_both_sides() {
        let cases: Vec<Case> = (1..5000).map(|h| case(h as u64, 0, h)).collect();
        let w = around(&cases, 2000.5, 100.0).unwrap();
        let h = horizons(&w);
        assert_eq!((h.len(), h[0], h[399]), (2 * SIDE, 1801.0, 2200.0));
    }
}
