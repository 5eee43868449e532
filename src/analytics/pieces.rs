//! Where a trajectory may not be crossed: gaps in time and changes of embedding model.

use super::Status;
use crate::model::{TimestampUs, Trajectory};
use std::ops::Range;

/// What to do with a trajectory that spans several embedding models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Refuse it with [`Status::ModelBreak`].
    #[default]
    Error,
    /// Take all models for one space.
    Off,
}

/// Where trajectories are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cuts {
    /// A step longer than this, in microseconds, is a gap that nothing crosses.
    pub max_gap_us: Option<i64>,
    /// What to do when embedding models differ.
    pub align: Align,
}

impl Cuts {
    /// True when the step between two times is a gap.
    pub(crate) fn is_gap(&self, earlier: TimestampUs, later: TimestampUs) -> bool {
        self.max_gap_us.is_some_and(|max| i128::from(later) - i128::from(earlier) > i128::from(max))
    }

    /// Why the points cannot be analysed at all, if so.
    pub(crate) fn refusal(&self, trajectory: &Trajectory<'_>) -> Option<Status> {
        if self.align == Align::Error && trajectory.mixes_models() {
            Some(Status::ModelBreak)
        } else if trajectory.t.windows(2).any(|w| w[0] >= w[1]) {
            Some(Status::ZeroDt)
        } else {
            None
        }
    }

    /// The trajectory between its gaps, in order; where models are not to be told apart, none are named.
    pub fn pieces_of<'a>(&self, trajectory: &Trajectory<'a>) -> Vec<Trajectory<'a>> {
        let whole = match self.align {
            Align::Off => Trajectory { model: &[], ..*trajectory },
            Align::Error => *trajectory,
        };
        self.pieces(whole.t).into_iter().map(|piece| slice(&whole, piece)).collect()
    }

    /// The run of points without a gap that holds point `i`.
    pub(crate) fn piece_around(&self, t: &[TimestampUs], i: usize) -> Range<usize> {
        let mut piece = i..i + 1;
        if self.max_gap_us.is_none() {
            return 0..t.len();
        }
        while piece.start > 0 && !self.is_gap(t[piece.start - 1], t[piece.start]) {
            piece.start -= 1;
        }
        while piece.end < t.len() && !self.is_gap(t[piece.end - 1], t[piece.end]) {
            piece.end += 1;
        }
        piece
    }

    /// All runs of points without a gap, in order.
    pub(crate) fn pieces(&self, t: &[TimestampUs]) -> Vec<Range<usize>> {
        let mut out = Vec::new();
        let mut start = 0;
        for i in 1..=t.len() {
            if i == t.len() || self.is_gap(t[i - 1], t[i]) {
                out.push(start..i);
                start = i;
            }
        }
        out
    }
}

/// The points `range` of a trajectory.
pub(crate) fn slice<'a>(trajectory: &Trajectory<'a>, range: Range<usize>) -> Trajectory<'a> {
    Trajectory {
        entity: trajectory.entity,
        t: &trajectory.t[range.clone()],
        x: &trajectory.x[range.start * trajectory.dim..range.end * trajectory.dim],
        dim: trajectory.dim,
        model: if trajectory.model.is_empty() { &[] } else { &trajectory.model[range] },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_at_gaps_even_between_extreme_times() {
        let t = [i64::MIN, 0, 5, 10, 21, i64::MAX];
        let cuts = Cuts { max_gap_us: Some(10), ..Cuts::default() };
        assert_eq!(cuts.pieces(&t), [0..1, 1..4, 4..5, 5..6]);
        assert_eq!(cuts.piece_around(&t, 2), 1..4);
        assert_eq!(Cuts::default().pieces(&t).first(), Some(&(0..6)));
        assert_eq!(Cuts::default().piece_around(&t, 4), 0..6);
        assert!(Cuts::default().pieces(&[]).is_empty());
    }

    #[test]
    fn mixed_models_and_equal_times_are_refused() {
        let x = [0.0f32; 2];
        let mixed = Trajectory { entity: 1, t: &[1, 2], x: &x, dim: 1, model: &[0, 1] };
        assert_eq!(Cuts::default().refusal(&mixed), Some(Status::ModelBreak));
        assert_eq!(Cuts { align: Align::Off, ..Cuts::default() }.refusal(&mixed), None);
        let twice = Trajectory { t: &[2, 2], model: &[], ..mixed };
        assert_eq!(Cuts::default().refusal(&twice), Some(Status::ZeroDt));
    }
}
