//! Times as text.

use super::US_PER_DAY;
use super::civil::{Date, civil_from_days};
use crate::model::TimestampUs;
use std::fmt;

/// How times are printed (`--time`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2024-03-01T12:00:00.500Z`: always UTC, no fraction or 3 or 6 digits.
    #[default]
    Rfc3339,
    /// Microseconds since 1970.
    Us,
    /// Milliseconds since 1970, cut towards the past.
    Ms,
    /// Seconds since 1970, cut towards the past.
    S,
    /// `2024-03-01`, the day that holds the time.
    Date,
}

/// The text of a time. RFC 3339 and microseconds read back to the same time.
pub fn format_time(t: TimestampUs, format: TimeFormat) -> String {
    let mut text = String::with_capacity(28);
    // Writing to a String cannot fail.
    let _ = write_time(&mut text, t, format);
    text
}

/// Writes a time. Years outside 0 to 9999 carry a sign.
pub fn write_time(out: &mut dyn fmt::Write, t: TimestampUs, format: TimeFormat) -> fmt::Result {
    match format {
        TimeFormat::Us => write!(out, "{t}"),
        TimeFormat::Ms => write!(out, "{}", t.div_euclid(1_000)),
        TimeFormat::S => write!(out, "{}", t.div_euclid(1_000_000)),
        TimeFormat::Date => write_date(out, t),
        TimeFormat::Rfc3339 => {
            write_date(out, t)?;
            let of_day = t.rem_euclid(US_PER_DAY);
            let (seconds, us) = (of_day / 1_000_000, of_day % 1_000_000);
            write!(out, "T{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
            match us {
                0 => out.write_char('Z'),
                _ if us % 1_000 == 0 => write!(out, ".{:03}Z", us / 1_000),
                _ => write!(out, ".{us:06}Z"),
            }
        }
    }
}

fn write_date(out: &mut dyn fmt::Write, t: TimestampUs) -> fmt::Result {
    let Date { year, month, day } = civil_from_days(t.div_euclid(US_PER_DAY));
    match year {
        0..=9999 => write!(out, "{year:04}")?,
        _ => write!(out, "{}{:04}", if year < 0 { '-' } else { '+' }, year.unsigned_abs())?,
    }
    write!(out, "-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Now, parse_time};
    use proptest::prelude::*;

    /// Rows of `timestamp_us, rfc3339 text, ISO week date`, written by scripts/golden_time.py
    /// with Python's datetime.
    const GOLDEN: &str = include_str!("../../testdata/golden/time.tsv");

    #[test]
    fn agrees_with_python() {
        let mut rows = 0;
        for line in GOLDEN.lines().filter(|l| !l.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let t: i64 = fields[0].parse().unwrap();
            let now = Now::default();
            assert_eq!(parse_time(fields[1], &now).unwrap(), t, "{line}");
            assert_eq!(format_time(t, TimeFormat::Date), fields[1][..10], "{line}");
            let day = parse_time(fields[2], &now).unwrap();
            assert_eq!(day, t - t.rem_euclid(US_PER_DAY), "{line}");
            rows += 1;
        }
        assert!(rows > 300);
    }

    #[test]
    fn shortest_fraction_and_cuts_towards_the_past() {
        let f = |t, f| format_time(t, f);
        assert_eq!(f(0, TimeFormat::Rfc3339), "1970-01-01T00:00:00Z");
        assert_eq!(f(-1, TimeFormat::Rfc3339), "1969-12-31T23:59:59.999999Z");
        assert_eq!(f(1_500_000, TimeFormat::Rfc3339), "1970-01-01T00:00:01.500Z");
        assert_eq!(f(-1, TimeFormat::Ms), "-1");
        assert_eq!(f(-1, TimeFormat::S), "-1");
        assert_eq!(f(-1, TimeFormat::Us), "-1");
        assert_eq!(f(-1, TimeFormat::Date), "1969-12-31");
        assert_eq!(f(i64::MAX, TimeFormat::Rfc3339), "+294247-01-10T04:00:54.775807Z");
        assert_eq!(f(i64::MIN, TimeFormat::Rfc3339), "-290308-12-21T19:59:05.224192Z");
    }

    proptest! {
        #[test]
        fn reads_back(t in any::<i64>()) {
            for t in [t, t / 1_000 * 1_000, t / 1_000_000, i64::MIN, i64::MAX] {
                prop_assert_eq!(parse_time(&format_time(t, TimeFormat::Rfc3339), &Now::default()).unwrap(), t);
                prop_assert_eq!(parse_time(&format!("@{t}us"), &Now::default()).unwrap(), t);
            }
        }

        #[test]
        fn any_text_is_a_time_or_an_error(text in "[-+0-9TWZ:.@ a-z/]{0,24}") {
            let _ = parse_time(&text, &Now::default());
        }
    }
}
