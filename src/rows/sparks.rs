//! Small drawings in a column of a table: how far a trajectory is from its first state, over time.

use crate::analytics::l2_distance;
use crate::model::Trajectory;

/// Columns of a drawing at most.
const WIDTH: usize = 16;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', ',', '-', '=', '+', '*', '#'];

/// Draws in the letters that the terminal has.
#[derive(Debug, Clone, Copy)]
pub struct Sparks {
    /// Beyond ASCII.
    pub unicode: bool,
}

impl Sparks {
    /// Distance of the points to the first one, each drawing on its own scale; at most 16 columns,
    /// each the last point of an equal share of them.
    pub fn of(&self, trajectory: &Trajectory<'_>) -> String {
        let n = trajectory.len();
        let columns = n.min(WIDTH);
        let wide = |i: usize| trajectory.row(i).iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let last = |c: usize| ((c + 1) * n).div_ceil(columns) - 1;
        let distances: Vec<f64> = (0..columns).map(|c| l2_distance(&wide(last(c)), &wide(0))).collect();
        let most = distances.iter().copied().fold(0.0, f64::max);
        self.draw(distances.into_iter().map(Some), most)
    }

    /// One letter a value, the highest for `most`; a space where there is none.
    pub fn draw(&self, values: impl IntoIterator<Item = Option<f64>>, most: f64) -> String {
        let letters = if self.unicode { BLOCKS } else { ASCII };
        let level = |v: f64| if most > 0.0 { (v / most * 7.0).round() as usize } else { 0 };
        values.into_iter().map(|v| v.map_or(' ', |v| letters[level(v).min(7)])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_rises_and_a_standstill_does_not() {
        let x: Vec<f32> = (0..32).map(|i| i as f32).collect();
        let t: Vec<i64> = (0..32).collect();
        let line = Trajectory { entity: 0, t: &t, x: &x, dim: 1, model: &[] };
        assert_eq!(Sparks { unicode: false }.of(&line), "_..,,,--==++**##");
        assert_eq!(Sparks { unicode: true }.of(&line).chars().count(), 16);
        let still = Trajectory { x: &[2.0, 2.0, 2.0], t: &t[..3], ..line };
        assert_eq!(Sparks { unicode: true }.of(&still), "▁▁▁");
        assert_eq!(Sparks { unicode: true }.of(&Trajectory { x: &[], t: &[], ..line }), "");
    }
}
