//! The same movement at several time scales: trajectories on calendar grids, and what their
//! analyses have in common.

use crate::model::{TimestampUs, Trajectory, seconds_between};

/// Cells of a grid over time, all starting from 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// Cells of a fixed length in microseconds, at least 1; whole weeks start on Mondays.
    Micros(i64),
    /// Cells of whole calendar months, at least 1, in UTC.
    Months(u32),
}

/// What a cell's value is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// The last point in the cell.
    #[default]
    Last,
    /// The last point in or before the cell, unless it is older than this many microseconds at the
    /// cell's end.
    Carry(i64),
    /// The mean of the cell's points.
    Mean,
    /// The line between the points around the cell's start.
    Linear,
}

/// The model of a mean over points of several models: none of theirs.
const MIXED: u32 = u32::MAX;
const DAY_US: i128 = 86_400_000_000;
const WEEK_US: i128 = 7 * DAY_US;
/// The first Monday of the calendar's grid: 1970-01-05.
const MONDAY_US: i128 = 4 * DAY_US;

impl Grid {
    /// The number of the cell that holds `t`.
    fn cell(self, t: TimestampUs) -> i128 {
        match self {
            Grid::Micros(width) => (i128::from(t) - self.origin()).div_euclid(i128::from(width.max(1))),
            Grid::Months(months) => month_of(t).div_euclid(i128::from(months.max(1))),
        }
    }

    /// The first instant of a cell, before it is known to be a timestamp.
    fn start(self, cell: i128) -> i128 {
        match self {
            Grid::Micros(width) => cell * i128::from(width.max(1)) + self.origin(),
            Grid::Months(months) => month_start(cell * i128::from(months.max(1))),
        }
    }

    fn origin(self) -> i128 {
        match self {
            Grid::Micros(width) if i128::from(width.max(1)) % WEEK_US == 0 => MONDAY_US,
            _ => 0,
        }
    }
}

/// Months since January 1970 (days to civil date after Hinnant).
fn month_of(t: TimestampUs) -> i128 {
    let days = i128::from(t).div_euclid(DAY_US) + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    // Years start in March here: months 0 to 9 are March to December.
    (era * 400 + year - 1970) * 12 + month + 2
}

/// The first instant of a month since January 1970.
fn month_start(months: i128) -> i128 {
    let march_based = months - 2;
    let (year, month) = (march_based.div_euclid(12) + 1970, march_based.rem_euclid(12));
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5;
    (era * 146_097 + day - 719_468) * DAY_US
}

/// A trajectory on a grid: one point a cell that has a value, at the cell's start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resampled {
    /// Starts of the cells.
    pub t: Vec<TimestampUs>,
    /// Values, row-major.
    pub x: Vec<f32>,
    /// Embedding model of each value, when the trajectory names them.
    pub model: Vec<u32>,
    /// The point that each value comes from, or the last of them.
    pub source: Vec<usize>,
}

impl Resampled {
    /// The points as a trajectory of `entity`.
    pub fn as_trajectory(&self, entity: u64, dim: usize) -> Trajectory<'_> {
        Trajectory { entity, t: &self.t, x: &self.x, dim, model: &self.model }
    }
}

/// Puts a trajectory on a grid. Cells without a value are absent; a cell that starts before the
/// first timestamp there is starts at it.
///
/// [`Fill::Carry`] and [`Fill::Linear`] also fill cells without points, between the first and the
/// last point.
pub fn resample(trajectory: &Trajectory<'_>, grid: Grid, fill: Fill) -> Resampled {
    let mut out = Resampled::default();
    let (Some(&first), Some(&last)) = (trajectory.t.first(), trajectory.t.last()) else { return out };
    let mut next = 0;
    let mut cell = grid.cell(first);
    let end = grid.cell(last);
    while cell <= end {
        let start = next;
        next += trajectory.t[next..].partition_point(|&t| grid.cell(t) <= cell);
        let begins = grid.start(cell);
        if let Some((row, source)) = value(trajectory, start..next, begins, grid.start(cell + 1), fill) {
            out.t.push(begins.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64);
            out.x.extend(row);
            out.source.push(source);
            if let Some(&model) = trajectory.model.get(source) {
                let inside = &trajectory.model[start..next];
                let mixes = fill == Fill::Mean && inside.iter().any(|m| *m != model);
                out.model.push(if mixes { MIXED } else { model });
            }
        }
        let skips = matches!(fill, Fill::Last | Fill::Mean);
        cell = match trajectory.t.get(next) {
            Some(&t) if skips => grid.cell(t),
            _ => cell + 1,
        };
    }
    out
}

/// The value of a cell that holds the points `inside`, and the point it comes from.
fn value(
    trajectory: &Trajectory<'_>,
    inside: std::ops::Range<usize>,
    begins: i128,
    ends: i128,
    fill: Fill,
) -> Option<(Vec<f32>, usize)> {
    let latest = inside.end.checked_sub(1)?;
    match fill {
        Fill::Last => (!inside.is_empty()).then(|| (trajectory.row(latest).to_vec(), latest)),
        Fill::Carry(max_age_us) => {
            let age = ends - i128::from(trajectory.t[latest]);
            let fresh = !inside.is_empty() || age <= i128::from(max_age_us);
            fresh.then(|| (trajectory.row(latest).to_vec(), latest))
        }
        Fill::Mean => (!inside.is_empty()).then(|| (mean(trajectory, inside.clone()), latest)),
        Fill::Linear => {
            let after = trajectory.t.partition_point(|&t| i128::from(t) < begins);
            let right = *trajectory.t.get(after)?;
            if i128::from(right) == begins {
                return Some((trajectory.row(after).to_vec(), after));
            }
            let before = after.checked_sub(1)?;
            let share = (begins - i128::from(trajectory.t[before])) as f64
                / (i128::from(right) - i128::from(trajectory.t[before])) as f64;
            let line = |(&a, &b): (&f32, &f32)| (f64::from(a) + share * (f64::from(b) - f64::from(a))) as f32;
            Some((trajectory.row(before).iter().zip(trajectory.row(after)).map(line).collect(), before))
        }
    }
}

fn mean(trajectory: &Trajectory<'_>, points: std::ops::Range<usize>) -> Vec<f32> {
    let n = points.len() as f64;
    let mut sum = vec![0.0f64; trajectory.dim];
    for i in points {
        sum.iter_mut().zip(trajectory.row(i)).for_each(|(s, &v)| *s += f64::from(v));
    }
    sum.into_iter().map(|s| (s / n) as f32).collect()
}

/// Which scales confirm a change at `t` found at scale `own`: those with a change within the wider
/// of the two cell widths. `found` holds each scale's width in seconds and its change times.
pub fn confirming(t: TimestampUs, own: usize, found: &[(f64, Vec<TimestampUs>)]) -> Vec<usize> {
    let Some((width, _)) = found.get(own) else { return Vec::new() };
    let agrees = |(w, times): &(f64, Vec<TimestampUs>)| {
        times.iter().any(|&u| seconds_between(t.min(u), t.max(u)) <= w.max(*width))
    };
    (0..found.len()).filter(|&k| k == own || agrees(&found[k])).collect()
}

/// Slope of `ln path` on `ln width` over the scales, about H - 1 for a path of Hurst exponent H.
/// `None` without two scales of different width and positive path.
pub fn roughness(width_and_path: &[(f64, f64)]) -> Option<f64> {
    let points: Vec<(f64, f64)> =
        width_and_path.iter().filter(|(w, p)| *w > 0.0 && *p > 0.0).map(|(w, p)| (w.ln(), p.ln())).collect();
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let spread: f64 = points.iter().map(|p| (p.0 - mx).powi(2)).sum();
    let slope = points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / spread;
    (points.len() > 1 && spread > 0.0).then_some(slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn trajectory<'a>(t: &'a [i64], x: &'a [f32]) -> Trajectory<'a> {
        Trajectory { entity: 1, t, x, dim: 1, model: &[] }
    }

    #[test]
    fn months_follow_the_calendar() {
        // 1969-12-31, 1970-01-01, 2000-02-29, 2000-03-01, 1900-03-01 as days since 1970.
        for (day, month) in [(-1, -1), (0, 0), (11_016, 361), (11_017, 362), (-25_508, -838)] {
            assert_eq!(month_of(day * DAY), month, "{day}");
        }
        for months in -30_000..30_000i128 {
            let start = month_start(months);
            let t = i64::try_from(start).unwrap();
            assert_eq!((month_of(t), month_of(t - 1)), (months, months - 1));
        }
    }

    #[test]
    fn cells_before_1970_and_weeks_from_monday() {
        assert_eq!(Grid::Micros(10).cell(-1), -1);
        let week = Grid::Micros(7 * DAY);
        // 1970-01-05 was a Monday.
        assert_eq!((week.cell(4 * DAY - 1), week.cell(4 * DAY)), (-1, 0));
        assert_eq!(week.start(0), i128::from(4 * DAY));
    }

    #[test]
    fn last_mean_and_absent_cells() {
        let (t, x) = ([0, 3, 11, 35], [1.0, 3.0, 5.0, 7.0]);
        let last = resample(&trajectory(&t, &x), Grid::Micros(10), Fill::Last);
        assert_eq!((last.t, last.x), (vec![0, 10, 30], vec![3.0, 5.0, 7.0]));
        let mean = resample(&trajectory(&t, &x), Grid::Micros(10), Fill::Mean);
        assert_eq!(mean.x, [2.0, 5.0, 7.0]);
    }

    #[test]
    fn carried_and_interpolated_values() {
        let (t, x) = ([0, 8, 31], [1.0, 3.0, 26.0]);
        let carry = resample(&trajectory(&t, &x), Grid::Micros(10), Fill::Carry(15));
        assert_eq!((carry.t, carry.x), (vec![0, 10, 30], vec![3.0, 3.0, 26.0]));
        let linear = resample(&trajectory(&t, &x), Grid::Micros(10), Fill::Linear);
        assert_eq!((linear.t, linear.x), (vec![0, 10, 20, 30], vec![1.0, 5.0, 15.0, 25.0]));
    }

    #[test]
    fn extreme_times_end() {
        let (t, x) = ([i64::MIN, i64::MAX], [1.0, 2.0]);
        let r = resample(&trajectory(&t, &x), Grid::Months(1), Fill::Last);
        assert_eq!((r.t.len(), r.x, r.t[0]), (2, vec![1.0, 2.0], i64::MIN));
        assert_eq!(resample(&trajectory(&[], &[]), Grid::Months(1), Fill::Mean), Resampled::default());
    }

    #[test]
    fn models_travel_along() {
        let t = [0, 1, 20];
        let x = [1.0, 2.0, 3.0];
        let mixed = Trajectory { model: &[4, 5, 6], ..trajectory(&t, &x) };
        let r = resample(&mixed, Grid::Micros(10), Fill::Last);
        assert_eq!(r.model, [5, 6]);
        assert!(r.as_trajectory(1, 1).mixes_models());
        // A mean over two models is of neither, also where every cell ends with the same one.
        let hidden = Trajectory { model: &[5, 6, 6], ..trajectory(&t, &x) };
        assert!(!resample(&hidden, Grid::Micros(10), Fill::Last).as_trajectory(1, 1).mixes_models());
        assert!(resample(&hidden, Grid::Micros(10), Fill::Mean).as_trajectory(1, 1).mixes_models());
    }

    #[test]
    fn scales_agree_within_the_wider_cell() {
        let found = [(1.0, vec![10_000_000]), (5.0, vec![14_000_000]), (2.0, vec![20_000_000])];
        assert_eq!(confirming(10_000_000, 0, &found), [0, 1]);
        assert_eq!(confirming(20_000_000, 2, &found), [2]);
    }

    #[test]
    fn roughness_of_a_power_law() {
        let points: Vec<(f64, f64)> = [1.0, 7.0, 30.0].map(|w: f64| (w, 3.0 * w.powf(-0.5))).to_vec();
        assert!((roughness(&points).unwrap() + 0.5).abs() < 1e-12);
        assert_eq!(roughness(&points[..1]), None);
        assert_eq!(roughness(&[(2.0, 1.0), (2.0, 3.0)]), None);
    }
}
