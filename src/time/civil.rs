//! The civil calendar: days since 1970 to year, month, day and back; ISO weeks; months.
//!
//! Proleptic Gregorian with a year 0. Days are counted in cycles of 400 years that begin on
//! 1 March, so that the leap day is the last of its year (Hinnant, "chrono-compatible
//! low-level date algorithms").

use super::US_PER_DAY;
use crate::model::TimestampUs;

const DAYS_PER_CYCLE: i64 = 146_097;
/// 1 March of year 0 to 1 January 1970.
const EPOCH_DAYS: i64 = 719_468;

/// A day of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Astronomical year: 0 is 1 BC, -43 is 44 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// True for years with a 29 February.
pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month, 1 to 12.
pub(super) fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        2 => 28 + u8::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date. The year is within a million of 0.
pub fn days_from_civil(date: Date) -> i64 {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let since_march = (month + 9) % 12;
    let year = date.year - i64::from(month <= 2);
    let (cycle, y) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * since_march + 2) / 5 + day - 1;
    cycle * DAYS_PER_CYCLE + y * 365 + y / 4 - y / 100 + of_year - EPOCH_DAYS
}

/// The date that lies `days` after 1970-01-01.
pub fn civil_from_days(days: i64) -> Date {
    let shifted = days + EPOCH_DAYS;
    let (cycle, d) = (shifted.div_euclid(DAYS_PER_CYCLE), shifted.rem_euclid(DAYS_PER_CYCLE));
    let y = (d - d / 1460 + d / 36_524 - d / 146_096) / 365;
    let of_year = d - (365 * y + y / 4 - y / 100);
    let since_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * since_march + 2) / 5 + 1;
    let month = if since_march < 10 { since_march + 3 } else { since_march - 9 };
    Date { year: cycle * 400 + y + i64::from(month <= 2), month: month as u8, day: day as u8 }
}

/// ISO week day of a day number: Monday is 1, Sunday 7.
pub(super) fn iso_weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// Day number of the Monday of an ISO week, or `None` when the year has no such week.
pub(super) fn iso_week_start(year: i64, week: u8) -> Option<i64> {
    let monday_of_first = |year| {
        let fourth = days_from_civil(Date { year, month: 1, day: 4 });
        fourth - (iso_weekday(fourth) - 1)
    };
    let start = monday_of_first(year) + 7 * (i64::from(week) - 1);
    (week >= 1 && start < monday_of_first(year + 1)).then_some(start)
}

/// Microseconds of a day number and a time within (or beyond) that day.
pub(super) fn timestamp(days: i64, us: i64) -> Option<TimestampUs> {
    i64::try_from(i128::from(days) * i128::from(US_PER_DAY) + i128::from(us)).ok()
}

/// `t` moved by calendar months: same day of the month and time of day, or the month's last
/// day where it is shorter. `None` outside the range of times.
pub fn add_months(t: TimestampUs, months: i64) -> Option<TimestampUs> {
    let (days, of_day) = (t.div_euclid(US_PER_DAY), t.rem_euclid(US_PER_DAY));
    let date = civil_from_days(days);
    let month = months.checked_add(date.year * 12 + i64::from(date.month) - 1)?;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) as u8 + 1);
    if year.abs() > 300_000 {
        return None;
    }
    let day = date.day.min(days_in_month(year, month));
    timestamp(days_from_civil(Date { year, month, day }), of_day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn days_and_dates_are_one_to_one(t in any::<i64>()) {
            let days = t.div_euclid(US_PER_DAY);
            let date = civil_from_days(days);
            prop_assert!((1..=12).contains(&date.month));
            prop_assert!((1..=days_in_month(date.year, date.month)).contains(&date.day));
            prop_assert_eq!(days_from_civil(date), days);
            prop_assert!(civil_from_days(days + 1) > date);
        }

        #[test]
        fn months_keep_the_day_where_they_can(t in any::<i64>(), n in -5000i64..5000) {
            if let Some(u) = add_months(t, n) {
                let (a, b) = (civil_from_days(t.div_euclid(US_PER_DAY)), civil_from_days(u.div_euclid(US_PER_DAY)));
                prop_assert_eq!(a.year * 12 + i64::from(a.month) + n, b.year * 12 + i64::from(b.month));
                prop_assert_eq!(b.day, a.day.min(days_in_month(b.year, b.month)));
                prop_assert_eq!(t.rem_euclid(US_PER_DAY), u.rem_euclid(US_PER_DAY));
            }
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        let first = civil_from_days(i64::MIN.div_euclid(US_PER_DAY));
        let last = civil_from_days(i64::MAX.div_euclid(US_PER_DAY));
        assert_eq!((first.year, first.month, first.day), (-290_308, 12, 21));
        assert_eq!((last.year, last.month, last.day), (294_247, 1, 10));
        assert_eq!(add_months(i64::MAX, 1), None);
        assert_eq!(add_months(0, i64::MAX), None);
        assert_eq!(timestamp(i64::MAX, 0), None);
    }
}
