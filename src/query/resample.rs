//! A trajectory at the cells or the instants of a calendar grid.

use crate::error::Result;
use crate::model::{TimeRange, TimestampUs, Trajectory};
use crate::time::Grid;

/// What stands between the points of a trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interpolate {
    /// Nothing: the last point of each cell, at its own time.
    #[default]
    None,
    /// The straight line: at each instant of the grid, from the first point to the last.
    Linear,
    /// The state: at each instant of the grid the latest point, from the first instant asked for.
    Locf,
}

/// One value of the resampled trajectory.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its time.
    pub t: TimestampUs,
    /// The latest point at or before that time.
    pub point: usize,
    /// The vector there.
    pub vector: Vec<f32>,
}

/// Hands out the samples of a trajectory in time order; none lie outside of its points. On the
/// instants of the grid they begin at `from`, which points before it may serve.
pub fn resample(
    trajectory: &Trajectory<'_>,
    grid: &Grid,
    how: Interpolate,
    from: TimestampUs,
    emit: &mut dyn FnMut(Sample) -> Result<()>,
) -> Result<()> {
    let (Some(&first), Some(&last)) = (trajectory.t.first(), trajectory.t.last()) else { return Ok(()) };
    if how == Interpolate::None {
        for (point, &t) in trajectory.t.iter().enumerate() {
            let next = trajectory.t.get(point + 1).map(|u| grid.floor(*u)).transpose()?;
            if next != Some(grid.floor(t)?) {
                emit(Sample { t, point, vector: trajectory.row(point).to_vec() })?;
            }
        }
        return Ok(());
    }
    for t in grid.instants(TimeRange::closed(first.max(from), last))? {
        let point = trajectory.t.partition_point(|u| *u <= t).saturating_sub(1);
        let vector = match how {
            Interpolate::Linear => on_the_line(trajectory, point, t),
            _ => trajectory.row(point).to_vec(),
        };
        emit(Sample { t, point, vector })?;
    }
    Ok(())
}

/// The value at `t` of the line from a point to the next.
fn on_the_line(trajectory: &Trajectory<'_>, point: usize, t: TimestampUs) -> Vec<f32> {
    let from = trajectory.row(point);
    if trajectory.t[point] == t || point + 1 == trajectory.len() {
        return from.to_vec();
    }
    let since = |u: TimestampUs| (i128::from(u) - i128::from(trajectory.t[point])) as f64;
    let share = since(t) / since(trajectory.t[point + 1]);
    let line = |(a, b): (&f32, &f32)| (f64::from(*a) * (1.0 - share) + f64::from(*b) * share) as f32;
    from.iter().zip(trajectory.row(point + 1)).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{US_PER_DAY, parse_duration};

    fn samples(how: Interpolate, from_day: i64) -> Vec<(f64, usize, f32)> {
        let t: Vec<i64> = [0.5, 1.0, 1.5, 4.0].iter().map(|d| (d * US_PER_DAY as f64) as i64).collect();
        let x = [0.0, 10.0, 20.0, 70.0];
        let trajectory = Trajectory { entity: 1, t: &t, x: &x, dim: 1, model: &[] };
        let grid = Grid::new(parse_duration("1d").unwrap()).unwrap();
        let mut out = Vec::new();
        let mut emit = |s: Sample| {
            out.push((s.t as f64 / US_PER_DAY as f64, s.point, s.vector[0]));
            Ok(())
        };
        resample(&trajectory, &grid, how, from_day * US_PER_DAY, &mut emit).unwrap();
        out
    }

    #[test]
    fn by_hand() {
        assert_eq!(samples(Interpolate::None, 0), [(0.5, 0, 0.0), (1.5, 2, 20.0), (4.0, 3, 70.0)]);
        assert_eq!(
            samples(Interpolate::Locf, 0),
            [(1.0, 1, 10.0), (2.0, 2, 20.0), (3.0, 2, 20.0), (4.0, 3, 70.0)]
        );
        assert_eq!(samples(Interpolate::Locf, 3), [(3.0, 2, 20.0), (4.0, 3, 70.0)]);
        assert_eq!(samples(Interpolate::Locf, 5), []);
        assert_eq!(
            samples(Interpolate::Linear, 0),
            [(1.0, 1, 10.0), (2.0, 2, 30.0), (3.0, 2, 50.0), (4.0, 3, 70.0)]
        );
    }
}
