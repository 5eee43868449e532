//! Times in options: absolute, or relative to now or to the data; periods and ranges.

use super::duration::{Duration, parse_duration};
use super::parse::{Span, parse_absolute, unreadable};
use crate::error::{Error, Result};
use crate::model::{TimeRange, TimestampUs};

/// What relative times count from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// The clock, or `--now`.
    pub now: TimestampUs,
    /// Times of the oldest and the newest point selected, when there is one.
    pub bounds: Option<(TimestampUs, TimestampUs)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Absolute(Span),
    Now,
    Min,
    Max,
}

/// A time as an option holds it, before `now`, `min` and `max` are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeExpr {
    base: Base,
    /// Steps of a duration to add: -1 or 1.
    shift: Option<(i64, Duration)>,
}

impl TimeExpr {
    /// Reads any form of [`parse_absolute`], `-30d`, `+6h`, `now`, `min`, `max`, `now-6h`, `max-1w`.
    pub fn parse(text: &str) -> Result<TimeExpr> {
        let text = text.trim();
        for (name, base) in [("now", Base::Now), ("min", Base::Min), ("max", Base::Max)] {
            if let Some(rest) = text.strip_prefix(name) {
                return match rest {
                    "" => Ok(TimeExpr { base, shift: None }),
                    _ => Ok(TimeExpr { base, shift: Some(signed(rest).ok_or_else(|| unreadable(text))??) }),
                };
            }
        }
        // A sign, digits and a unit is relative to now; `-0044` and `-0044-03` are years.
        let digits = text.trim_start_matches(['+', '-']).trim_start_matches(|c: char| c.is_ascii_digit());
        if digits.starts_with(|c: char| c.is_ascii_alphabetic())
            && let Some(shift) = signed(text)
        {
            return Ok(TimeExpr { base: Base::Now, shift: Some(shift?) });
        }
        Ok(TimeExpr { base: Base::Absolute(parse_absolute(text)?), shift: None })
    }

    /// True when `min` or `max` is named, which only the data can tell.
    pub fn needs_bounds(&self) -> bool {
        matches!(self.base, Base::Min | Base::Max)
    }

    /// The instant; of a period its first.
    pub fn resolve(&self, now: &Now) -> Result<TimestampUs> {
        let bounds = || {
            now.bounds.ok_or_else(|| {
                Error::usage("`min` and `max` are the times of points, and there are none")
                    .fix("give a date, or select something else")
            })
        };
        let t = match self.base {
            Base::Absolute(span) => span.from,
            Base::Now => now.now,
            Base::Min => bounds()?.0,
            Base::Max => bounds()?.1,
        };
        match self.shift {
            None => Ok(t),
            Some((n, d)) => d.step(t, n),
        }
    }

    /// Where a range that ends with this time ends (exclusive): after the period, after the
    /// point that `min` or `max` names, at an instant. `None` when that lies beyond all times.
    fn end(&self, now: &Now) -> Result<Option<TimestampUs>> {
        match self {
            TimeExpr { base: Base::Absolute(Span { to: Some(to), .. }), shift: None } => Ok(Some(*to)),
            TimeExpr { base: Base::Min | Base::Max, shift: None } => Ok(self.resolve(now)?.checked_add(1)),
            _ => self.resolve(now).map(Some),
        }
    }
}

/// A sign and a duration; `None` without the sign.
fn signed(text: &str) -> Option<Result<(i64, Duration)>> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        _ => return None,
    };
    Some(parse_duration(rest).map(|d| (sign, d)))
}

/// Reads a time of any form; a period gives its first instant.
pub fn parse_time(text: &str, now: &Now) -> Result<TimestampUs> {
    TimeExpr::parse(text)?.resolve(now)
}

/// Reads a period (`--in`): a day, month, year, ISO week or `A..B`, as a half-open range.
pub fn parse_period(text: &str, now: &Now) -> Result<TimeRange> {
    if text.contains("..") {
        return parse_range(text, now);
    }
    match parse_absolute(text) {
        Ok(Span { from, to: Some(to) }) => Ok(TimeRange::half_open(Some(from), Some(to))),
        _ => {
            TimeExpr::parse(text)?.resolve(now)?;
            Err(Error::usage(format!("`{text}` is an instant, not a period"))
                .fix("name a day, month, year or ISO week, or write a range A..B"))
        }
    }
}

/// Reads `A..B`: from the start of A to the end of B's period, so `2000..2010` ends before
/// 2011. An instant B is not inside itself; `min` and `max` are. Either side may be missing.
pub fn parse_range(text: &str, now: &Now) -> Result<TimeRange> {
    let Some((a, b)) = text.split_once("..") else {
        return Err(
            Error::usage(format!("`{text}` is not a range of times")).fix("write A..B, e.g. 2000..2010")
        );
    };
    let from = match a.trim() {
        "" => None,
        a => Some(TimeExpr::parse(a)?.resolve(now)?),
    };
    let to = match b.trim() {
        "" => None,
        b => TimeExpr::parse(b)?.end(now)?,
    };
    let range = TimeRange::half_open(from, to);
    if range.is_empty() {
        return Err(Error::usage(format!("the range `{text}` holds no time"))
            .fix("the first time must lie before the second; ranges end before their end"));
    }
    Ok(range)
}

impl Now {
    /// `[from, to)` from two options, each of which may be missing; refused when empty. `max` and
    /// `min` as the end are inside, as in [`parse_range`]: `--to max` is all up to the newest point.
    pub fn window(&self, from: Option<&TimeExpr>, to: Option<&TimeExpr>) -> Result<TimeRange> {
        let from = from.map(|e| e.resolve(self)).transpose()?;
        let to = match to {
            Some(e) if e.needs_bounds() => e.end(self)?,
            Some(e) => Some(e.resolve(self)?),
            None => None,
        };
        let range = TimeRange::half_open(from, to);
        if range.is_empty() {
            return Err(Error::usage("the window is empty: ‹to› is not after ‹from›")
                .fix("ranges are half open, [from, to)"));
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{TimeFormat, US_PER_DAY, format_time};

    /// 2024-03-31T12:00:00Z.
    const NOW: i64 = 1_711_886_400_000_000;

    fn now() -> Now {
        Now { now: NOW, bounds: Some((5, 1_000_000)) }
    }

    fn at(text: &str) -> String {
        format_time(parse_time(text, &now()).unwrap(), TimeFormat::Rfc3339)
    }

    #[test]
    fn every_form_of_instant() {
        for (text, want) in [
            ("2024-03-01T12:00:00+01:00", "2024-03-01T11:00:00Z"),
            ("2024-03-01t12:00:00z", "2024-03-01T12:00:00Z"),
            ("2024-03-01 12:00", "2024-03-01T12:00:00Z"),
            ("2024-03-01T12:00:00.5-0130", "2024-03-01T13:30:00.500Z"),
            ("2024-03-01 12:00:00 UTC", "2024-03-01T12:00:00Z"),
            ("2024-03-01 12:00:00.25 +0100", "2024-03-01T11:00:00.250Z"),
            ("2024-03-01T12:00:00.123456789", "2024-03-01T12:00:00.123456Z"),
            ("2024-03-01", "2024-03-01T00:00:00Z"),
            ("2024-03", "2024-03-01T00:00:00Z"),
            ("1990", "1990-01-01T00:00:00Z"),
            ("-0044", "-0044-01-01T00:00:00Z"),
            ("-0044-03-15", "-0044-03-15T00:00:00Z"),
            ("+12024-01-01", "+12024-01-01T00:00:00Z"),
            ("2024-W05", "2024-01-29T00:00:00Z"),
            ("2024-W05-3", "2024-01-31T00:00:00Z"),
            ("2020-W53-7", "2021-01-03T00:00:00Z"),
            ("@1700000000s", "2023-11-14T22:13:20Z"),
            ("@-1ms", "1969-12-31T23:59:59.999Z"),
            ("@1us", "1970-01-01T00:00:00.000001Z"),
            ("@-1ns", "1969-12-31T23:59:59.999999Z"),
            ("-30d", "2024-03-01T12:00:00Z"),
            ("+6h", "2024-03-31T18:00:00Z"),
            ("now-6h", "2024-03-31T06:00:00Z"),
            ("now-1mo", "2024-02-29T12:00:00Z"),
            ("-1y", "2023-03-31T12:00:00Z"),
            ("max-1s", "1970-01-01T00:00:00Z"),
            ("min", "1970-01-01T00:00:00.000005Z"),
            (" now ", "2024-03-31T12:00:00Z"),
        ] {
            assert_eq!(at(text), want, "{text}");
        }
    }

    #[test]
    fn refusals_carry_the_named_hint() {
        for (text, hint) in [
            ("1700000000", "@1700000000s"),
            ("-30", "which unit"),
            ("03/04/2024", "year-month-day"),
            ("2024-03-01T12:00:00 Europe/Berlin", "offset"),
            ("2024-03-01T12:00:00 CET", "offset"),
            ("2024-03-01T12:00:00[Europe/Paris]", "offset"),
            ("2024-02-30", "year-month-day"),
            ("2024-13-01", "2024-03-01T12"),
            ("2024-03-01T24:00:00Z", "2024-03-01T12"),
            ("2024-03-01T23:59:60Z", "2024-03-01T12"),
            ("2023-W53", "52"),
            ("2024-W05-8", "2024-03-01T12"),
            ("yesterday", "2024-03-01"),
            ("2024-3-1", "2024-03-01"),
            ("2024-03-01T", "2024-03-01"),
            ("2024-03-01T12:00:00.Z", "2024-03-01"),
            ("", "2024-03-01"),
            ("now-6", "which unit"),
            ("nowhere", "2024-03-01"),
            ("max 1w", "2024-03-01"),
            ("@1700000000", "@1700000000s"),
            ("@99999999999999s", "64-bit"),
            ("+294247-01-10T04:00:54.775808Z", "64-bit"),
            ("+294247", "64-bit"),
            ("-290308", "64-bit"),
            ("-300000y", "64-bit"),
        ] {
            let e = parse_time(text, &now()).expect_err(text);
            assert!(e.hint().unwrap().contains(hint), "{text}: {:?}", e.hint());
            assert_eq!(e.exit_code(), 2);
        }
        let e = parse_time("max", &Now { now: NOW, bounds: None }).unwrap_err();
        assert!(e.message().contains("there are none"));
    }

    #[test]
    fn periods_are_half_open() {
        let period = |text: &str| parse_period(text, &now()).unwrap();
        let march = period("2024-03");
        assert_eq!(march.last() - march.first() + 1, 31 * US_PER_DAY);
        let leap = period("2024");
        assert_eq!(leap.last() - leap.first() + 1, 366 * US_PER_DAY);
        assert_eq!(period("2024-W05").last() - period("2024-W05-1").first() + 1, 7 * US_PER_DAY);
        assert_eq!(period("2024-12").last() + 1, period("2025").first());
        for text in ["2024-03-01T00:00:00Z", "now", "max-1w", "@5s"] {
            assert!(parse_period(text, &now()).unwrap_err().message().contains("instant"), "{text}");
        }
    }

    #[test]
    fn ranges_end_after_the_period_of_their_end() {
        let range = |text: &str| parse_range(text, &now()).unwrap();
        assert_eq!(range("2000..2010").last() + 1, parse_time("2011", &now()).unwrap());
        assert_eq!(range("@5s..@6s").last(), 5_999_999);
        assert!(range("min..max").contains(1_000_000));
        assert_eq!(range("..1970").first(), i64::MIN);
        assert_eq!(range("1970..").last(), i64::MAX);
        assert_eq!(range("-0044..-0043").first(), parse_time("-0044", &now()).unwrap());
        for text in ["2010..2000", "@5s..@5s", "now..now"] {
            assert!(parse_range(text, &now()).unwrap_err().message().contains("holds no time"), "{text}");
        }
        assert!(parse_range("2010", &now()).is_err());
        let all = Now { now: 0, bounds: Some((i64::MIN, i64::MAX)) };
        assert_eq!(parse_range("min..max", &all).unwrap(), TimeRange::ALL);
    }

    #[test]
    fn windows_are_refused_when_empty() {
        let (a, b) = (TimeExpr::parse("2024").unwrap(), TimeExpr::parse("2025").unwrap());
        assert_eq!(now().window(Some(&a), Some(&b)).unwrap(), parse_period("2024", &now()).unwrap());
        assert!(now().window(Some(&b), Some(&a)).is_err());
        let (min, max) = (TimeExpr::parse("min").unwrap(), TimeExpr::parse("max").unwrap());
        assert_eq!(now().window(Some(&min), Some(&max)).unwrap(), parse_range("min..max", &now()).unwrap());
        assert!(now().window(Some(&max), Some(&max)).unwrap().contains(1_000_000));
        assert_eq!(now().window(None, None).unwrap(), TimeRange::ALL);
    }
}
