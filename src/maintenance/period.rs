//! Periods of the warm partitions: where each begins, and what it is called in file names.

use crate::config::Partition;
use crate::model::TimestampUs;
use crate::time::{Duration, Grid, US_PER_DAY, civil_from_days, days_from_civil};

/// Cuts time into whole periods of a dataset's partitioning.
#[derive(Debug, Clone, Copy)]
pub struct Periods {
    unit: Partition,
    grid: Option<Grid>,
    cut: Option<TimestampUs>,
}

impl Periods {
    /// Periods of a unit.
    pub fn new(unit: Partition) -> Periods {
        let step = match unit {
            Partition::Day => Some(Duration::Fixed(US_PER_DAY)),
            Partition::Week => Some(Duration::Fixed(7 * US_PER_DAY)),
            Partition::Month => Some(Duration::Months(1)),
            Partition::Year => Some(Duration::Months(12)),
            Partition::None => None,
        };
        Periods { unit, grid: step.and_then(|s| Grid::new(s).ok()), cut: None }
    }

    /// The same periods, with the one around `at` cut in two there.
    pub fn cut_at(self, at: Option<TimestampUs>) -> Periods {
        Periods { cut: at, ..self }
    }

    /// The first instant of the period of `t`, and the last one.
    pub fn of(&self, t: TimestampUs) -> (TimestampUs, TimestampUs) {
        let (first, last) = self.whole(t);
        match self.cut {
            Some(cut) if first < cut && cut <= last && t < cut => (first, cut - 1),
            Some(cut) if first < cut && cut <= last => (cut, last),
            _ => (first, last),
        }
    }

    /// True when `t` is where a period is cut, or could be.
    pub fn cuts_at(&self, t: TimestampUs) -> bool {
        self.cut == Some(t)
    }

    /// The calendar's period of `t`, without the cut.
    fn whole(&self, t: TimestampUs) -> (TimestampUs, TimestampUs) {
        let Some(grid) = &self.grid else { return (i64::MIN, i64::MAX) };
        // The period at the beginning of time is cut short.
        let Ok(start) = grid.floor(t) else {
            let next =
                (1..).map(|n| i64::MIN.saturating_add(n * US_PER_DAY)).find_map(|t| grid.floor(t).ok());
            return (i64::MIN, next.map_or(i64::MAX, |n| n - 1));
        };
        (start, grid.after(start).map_or(i64::MAX, |end| end - 1))
    }

    /// The name of the period of `t`: `2026-01-05`, `2026-W05`, `2026-01`, `2026` or `all`.
    pub fn label(&self, t: TimestampUs) -> String {
        let days = self.whole(t).0.max(t.saturating_sub(366 * US_PER_DAY)).div_euclid(US_PER_DAY);
        let date = civil_from_days(days);
        let sign = if date.year < 0 { "-" } else { "" };
        let year = format!("{sign}{:04}", date.year.unsigned_abs());
        match self.unit {
            Partition::Day => format!("{year}-{:02}-{:02}", date.month, date.day),
            Partition::Week => week(days),
            Partition::Month => format!("{year}-{:02}", date.month),
            Partition::Year => year,
            Partition::None => "all".to_owned(),
        }
    }
}

/// The ISO week that begins on a Monday: its year is that of its Thursday.
fn week(monday: i64) -> String {
    let year = civil_from_days(monday + 3).year;
    let first = days_from_civil(crate::time::Date { year, month: 1, day: 1 });
    let sign = if year < 0 { "-" } else { "" };
    format!("{sign}{:04}-W{:02}", year.unsigned_abs(), (monday + 3 - first) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_absolute;

    fn at(text: &str) -> TimestampUs {
        parse_absolute(text).unwrap().from
    }

    #[test]
    fn labels_name_the_calendar() {
        let label = |unit, t| Periods::new(unit).label(at(t));
        assert_eq!(label(Partition::Day, "2026-01-05T23:59:59Z"), "2026-01-05");
        assert_eq!(label(Partition::Week, "2024-12-31"), "2025-W01");
        assert_eq!(label(Partition::Week, "2021-01-03"), "2020-W53");
        assert_eq!(label(Partition::Month, "1969-12-31T23:00:00Z"), "1969-12");
        assert_eq!(label(Partition::Year, "-0044"), "-0044");
        assert_eq!(label(Partition::None, "2026"), "all");
    }

    #[test]
    fn a_cut_parts_the_period_around_it_and_no_other() {
        let cut = at("2024-02-12");
        for unit in [Partition::Week, Partition::Month, Partition::Year, Partition::None] {
            let (whole, p) = (Periods::new(unit), Periods::new(unit).cut_at(Some(cut)));
            let (first, last) = whole.of(cut);
            if first == cut {
                assert_eq!(p.of(cut), whole.of(cut), "{unit:?}");
                continue;
            }
            assert_eq!((p.of(cut - 1), p.of(cut)), ((first, cut - 1), (cut, last)), "{unit:?}");
            assert_eq!((p.label(cut - 1), p.label(cut)), (whole.label(cut), whole.label(cut)), "{unit:?}");
        }
    }

    #[test]
    fn periods_cover_all_time_without_holes() {
        for unit in [Partition::Day, Partition::Week, Partition::Month, Partition::Year] {
            let p = Periods::new(unit);
            for t in [at("2024-02-29"), at("1969-12-29"), 0, -1, i64::MAX, i64::MIN, i64::MIN + 1] {
                let (first, last) = p.of(t);
                assert!(first <= t && t <= last, "{unit:?} {t}");
                assert!(!p.label(t).is_empty());
                if last < i64::MAX {
                    assert_eq!(p.of(last + 1).0, last + 1, "{unit:?} {t}");
                }
                assert_eq!(p.of(first), (first, last), "{unit:?} {t}");
            }
        }
    }
}
