//! Durations: a fixed number of microseconds, or calendar months.

use super::civil::add_months;
use super::{US_PER_DAY, out_of_range};
use crate::error::{Error, Result};
use crate::model::TimestampUs;
use std::fmt;

/// A length of time, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Duration {
    /// Microseconds.
    Fixed(i64),
    /// Calendar months (`y` is 12 of them): their length depends on where they are laid.
    Months(i64),
}

/// Mean Gregorian month, 30.436875 days: what a month counts in rates.
const SECONDS_PER_MONTH: f64 = 2_629_746.0;

impl Duration {
    /// `t` moved by `n` steps, counted from `t` itself: 31 January plus two months is 31 March.
    pub fn step(&self, t: TimestampUs, n: i64) -> Result<TimestampUs> {
        let moved = match *self {
            Duration::Fixed(us) => us.checked_mul(n).and_then(|d| t.checked_add(d)),
            Duration::Months(m) => m.checked_mul(n).and_then(|m| add_months(t, m)),
        };
        moved.ok_or_else(|| out_of_range(&format!("{n} times {self} away")))
    }

    /// Length in seconds as rates count it: a month is 30.436875 days, a year 365.2425.
    pub fn seconds(&self) -> f64 {
        match *self {
            Duration::Fixed(us) => us as f64 / 1e6,
            Duration::Months(m) => m as f64 * SECONDS_PER_MONTH,
        }
    }

    /// Microseconds as rates count them, rounded.
    pub fn mean_us(&self) -> i64 {
        match *self {
            Duration::Fixed(us) => us,
            Duration::Months(m) => m.saturating_mul(2_629_746_000_000),
        }
    }

    /// True for no time at all.
    pub fn is_zero(&self) -> bool {
        matches!(self, Duration::Fixed(0) | Duration::Months(0))
    }
}

impl fmt::Display for Duration {
    /// The shortest text that [`parse_duration`] reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Duration::Months(m) if m % 12 == 0 => write!(f, "{}y", m / 12),
            Duration::Months(m) => write!(f, "{m}mo"),
            Duration::Fixed(0) => f.write_str("0s"),
            Duration::Fixed(us) => {
                let mut fits = UNITS.iter().filter_map(|(name, unit)| match unit {
                    Duration::Fixed(u) if us % u == 0 => Some((name, us / u)),
                    _ => None,
                });
                match fits.next_back() {
                    Some((name, n)) => write!(f, "{n}{name}"),
                    None => write!(f, "{us}us"),
                }
            }
        }
    }
}

/// Units from small to large.
const UNITS: [(&str, Duration); 9] = [
    ("us", Duration::Fixed(1)),
    ("ms", Duration::Fixed(1_000)),
    ("s", Duration::Fixed(1_000_000)),
    ("m", Duration::Fixed(60_000_000)),
    ("h", Duration::Fixed(3_600_000_000)),
    ("d", Duration::Fixed(US_PER_DAY)),
    ("w", Duration::Fixed(7 * US_PER_DAY)),
    ("mo", Duration::Months(1)),
    ("y", Duration::Months(12)),
];

/// Reads `250us 5ms 10s 15m 6h 30d 4w 3mo 1y`: a whole number and a unit.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if digits == 0 || unit.is_empty() {
        return Err(unreadable(text));
    }
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(|| unreadable(text))?;
    let n: Option<i64> = number.parse().ok();
    let scaled = n.and_then(|n| match unit {
        Duration::Fixed(us) => n.checked_mul(*us).map(Duration::Fixed),
        Duration::Months(m) => n.checked_mul(*m).map(Duration::Months),
    });
    scaled.ok_or_else(|| out_of_range(&format!("duration `{text}`")))
}

fn unreadable(text: &str) -> Error {
    let hint = if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        format!("which unit? write {text}s, {text}h or {text}d")
    } else if text.ends_with('M') {
        "m is minutes, mo is months".to_owned()
    } else if text.contains(['.', ',']) {
        "write a whole number of a smaller unit: 90m for one and a half hours".to_owned()
    } else {
        "write a whole number and one of us, ms, s, m, h, d, w, mo, y".to_owned()
    };
    Error::usage(format!("`{text}` is not a duration")).fix(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit() {
        let us = |t: &str| parse_duration(t).unwrap();
        assert_eq!(us("250us"), Duration::Fixed(250));
        assert_eq!(us("5ms"), Duration::Fixed(5_000));
        assert_eq!(us("10s"), Duration::Fixed(10_000_000));
        assert_eq!(us("15m"), Duration::Fixed(900_000_000));
        assert_eq!(us("6h"), Duration::Fixed(21_600_000_000));
        assert_eq!(us("30d"), Duration::Fixed(30 * US_PER_DAY));
        assert_eq!(us("4w"), Duration::Fixed(28 * US_PER_DAY));
        assert_eq!(us("3mo"), Duration::Months(3));
        assert_eq!(us("1y"), Duration::Months(12));
        assert!(us("0s").is_zero());
        assert_eq!(us("1mo").seconds(), 30.436875 * 86_400.0);
        assert_eq!(us("1y").seconds(), 365.2425 * 86_400.0);
    }

    #[test]
    fn refusals_say_why() {
        for (text, hint) in [
            ("30", "which unit"),
            ("3M", "mo is months"),
            ("1.5h", "smaller unit"),
            ("", "whole number"),
            ("-3d", "whole number"),
            ("d", "whole number"),
            ("3 fortnights", "whole number"),
            ("99999999999999999999d", "64-bit"),
            ("9223372036854775807d", "64-bit"),
        ] {
            let e = parse_duration(text).unwrap_err();
            assert!(e.hint().unwrap().contains(hint), "{text}: {:?}", e.hint());
        }
    }

    #[test]
    fn months_step_from_the_start() {
        let jan31 = 30 * US_PER_DAY;
        let mar31 = jan31 + 59 * US_PER_DAY;
        assert_eq!(Duration::Months(1).step(jan31, 2).unwrap(), mar31);
        assert_eq!(Duration::Months(1).step(jan31, 1).unwrap(), jan31 + 28 * US_PER_DAY);
        assert!(Duration::Fixed(US_PER_DAY).step(i64::MAX, 1).is_err());
        assert!(Duration::Months(i64::MAX).step(0, 2).is_err());
    }

    proptest! {
        #[test]
        fn text_reads_back(us in 0i64.., months in 0i64.., small in 0i64..100_000, unit in 0usize..7) {
            let Duration::Fixed(u) = UNITS[unit].1 else { unreachable!() };
            for d in [Duration::Fixed(us), Duration::Fixed(small * u), Duration::Months(months)] {
                prop_assert_eq!(parse_duration(&d.to_string()).unwrap(), d);
            }
        }
    }
}
