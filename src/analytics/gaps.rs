//! Steps in time that are far longer than the usual one.

use crate::model::{TimestampUs, seconds_between};

/// A long step between two points that follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// Position of the point after it, from 0.
    pub index: usize,
    /// Time of the point before it, in microseconds since 1970.
    pub t_before: TimestampUs,
    /// Time of the point after it.
    pub t: TimestampUs,
    /// Its length in seconds.
    pub seconds: f64,
    /// Its length in median steps of the trajectory.
    pub times: f64,
}

/// The median step of ascending times, in seconds; `None` for fewer than two times.
pub fn median_step_s(t: &[TimestampUs]) -> Option<f64> {
    let mut steps: Vec<f64> = t.windows(2).map(|w| seconds_between(w[0], w[1])).collect();
    steps.sort_by(f64::total_cmp);
    let n = steps.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(steps[n / 2]),
        _ => Some((steps[n / 2 - 1] + steps[n / 2]) / 2.0),
    }
}

/// The steps between ascending times that are longer than `least_s` seconds and than `times` median steps.
pub fn gaps(t: &[TimestampUs], least_s: f64, times: f64) -> Vec<Gap> {
    let Some(median) = median_step_s(t) else { return Vec::new() };
    let gap = |(i, w): (usize, &[TimestampUs])| {
        let seconds = seconds_between(w[0], w[1]);
        Gap { index: i + 1, t_before: w[0], t: w[1], seconds, times: seconds / median }
    };
    let is_long = |g: &Gap| g.seconds > least_s && g.times > times;
    t.windows(2).enumerate().map(gap).filter(is_long).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_steps_beyond_both_bounds_are_gaps() {
        let day = 86_400_000_000;
        let t = [0, day, 2 * day, 3 * day, 13 * day, 14 * day, 17 * day];
        let found = gaps(&t, 0.0, 5.0);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].index, found[0].t_before, found[0].t), (4, 3 * day, 13 * day));
        assert_eq!((found[0].seconds, found[0].times), (864_000.0, 10.0));
        assert_eq!(gaps(&t, 0.0, 2.0).len(), 2);
        assert_eq!(gaps(&t, 300_000.0, 2.0).len(), 1);
        assert_eq!(gaps(&t[..1], 0.0, 1.0), []);
        // An even number of steps: the median lies between the two in the middle.
        assert_eq!(median_step_s(&[0, day, 3 * day]), Some(1.5 * 86_400.0));
    }
}
