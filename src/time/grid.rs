//! A grid of instants for `--every` and `--scale`: equal steps, or calendar months.

use super::civil::{add_months, civil_from_days};
use super::duration::Duration;
use super::{US_PER_DAY, out_of_range};
use crate::error::{Error, Result};
use crate::model::{TimeRange, TimestampUs};

/// Monday 1969-12-29, where weeks are counted from.
const MONDAY_US: i64 = -3 * US_PER_DAY;

/// Cells of one length that cover all time, aligned to the calendar: whole weeks begin on
/// Monday, other fixed lengths count from 1970-01-01T00:00:00Z, months from a January.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    step: Duration,
    anchor: TimestampUs,
}

impl Grid {
    /// A grid of cells of a length above zero.
    pub fn new(step: Duration) -> Result<Grid> {
        if step.is_zero() {
            return Err(Error::usage("a step of zero never ends").fix("give a length above zero, e.g. 1d"));
        }
        let whole_weeks = matches!(step, Duration::Fixed(us) if us % (7 * US_PER_DAY) == 0);
        Ok(Grid { step, anchor: if whole_weeks { MONDAY_US } else { 0 } })
    }

    /// The start of the cell that holds `t`.
    pub fn floor(&self, t: TimestampUs) -> Result<TimestampUs> {
        let start = match self.step {
            Duration::Fixed(us) => {
                let into = (i128::from(t) - i128::from(self.anchor)).rem_euclid(i128::from(us));
                i64::try_from(i128::from(t) - into).ok()
            }
            Duration::Months(n) => {
                let date = civil_from_days(t.div_euclid(US_PER_DAY));
                let month = (date.year - 1970) * 12 + i64::from(date.month) - 1;
                add_months(0, month - month.rem_euclid(n))
            }
        };
        start.ok_or_else(|| out_of_range(&format!("the start of a cell of {}", self.step)))
    }

    /// The start of the cell after the one that starts at `start`; `None` beyond all times.
    pub fn after(&self, start: TimestampUs) -> Option<TimestampUs> {
        self.step.step(start, 1).ok()
    }

    /// The cells that share an instant with `range`, in order.
    pub fn cells(&self, range: TimeRange) -> Result<impl Iterator<Item = TimeRange> + use<>> {
        let grid = *self;
        let mut next = if range.is_empty() { None } else { Some(self.floor(range.first())?) };
        Ok(std::iter::from_fn(move || {
            let start = next.filter(|s| *s <= range.last())?;
            next = grid.after(start);
            Some(TimeRange::half_open(Some(start), next))
        }))
    }

    /// The instants of the grid inside `range`, in order.
    pub fn instants(&self, range: TimeRange) -> Result<impl Iterator<Item = TimestampUs> + use<>> {
        let cells = self.cells(range)?;
        Ok(cells.map(|c| c.first()).filter(move |t| range.contains(*t)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Now, TimeFormat, format_time, parse_duration, parse_period};
    use proptest::prelude::*;

    fn grid(step: &str) -> Grid {
        Grid::new(parse_duration(step).unwrap()).unwrap()
    }

    fn starts(step: &str, period: &str) -> Vec<String> {
        let range = parse_period(period, &Now::default()).unwrap();
        grid(step).cells(range).unwrap().map(|c| format_time(c.first(), TimeFormat::Date)).collect()
    }

    #[test]
    fn cells_follow_the_calendar() {
        assert_eq!(starts("1mo", "2024-02").len(), 1);
        assert_eq!(starts("3mo", "2024"), ["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"]);
        assert_eq!(starts("1w", "2024-02").first().unwrap(), "2024-01-29");
        assert_eq!(starts("1d", "2024-02").len(), 29);
        assert_eq!(starts("1y", "1968..1970"), ["1968-01-01", "1969-01-01", "1970-01-01"]);
        let day = parse_period("2024-02-29", &Now::default()).unwrap();
        assert_eq!(grid("6h").instants(day).unwrap().count(), 4);
        assert_eq!(grid("1w").instants(day).unwrap().count(), 0);
        assert_eq!(grid("1w").instants(TimeRange::EMPTY).unwrap().count(), 0);
    }

    #[test]
    fn the_ends_of_time_end_the_grid() {
        let last = TimeRange::closed(i64::MAX - 5, i64::MAX);
        let cells: Vec<_> = grid("1y").cells(last).unwrap().collect();
        assert_eq!((cells.len(), cells[0].last()), (1, i64::MAX));
        assert!(grid("1y").floor(i64::MIN).is_err());
        assert!(Grid::new(Duration::Fixed(0)).is_err());
        assert_eq!(grid("1us").floor(i64::MIN).unwrap(), i64::MIN);
    }

    proptest! {
        #[test]
        fn each_instant_lies_in_its_cell(t in any::<i64>(), n in 1i64..50, unit in 0usize..9) {
            let units = ["us", "ms", "s", "m", "h", "d", "w", "mo", "y"];
            let grid = grid(&format!("{n}{}", units[unit]));
            if let Ok(start) = grid.floor(t) {
                prop_assert!(start <= t);
                prop_assert!(grid.after(start).is_none_or(|end| t < end));
                prop_assert_eq!(grid.floor(start).unwrap(), start);
            }
        }
    }
}
