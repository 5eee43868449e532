//! Ids and times as values of a row, whatever format they came from; the end of a row.

use super::meta::{self, Entry};
use super::options::{IdKind, InputOptions, TimeUnit};
use super::rows::{Fault, Row};
use crate::error::{Code, Error};
use crate::model::TimestampUs;
use crate::text::shorten;
use crate::time::{Date, US_PER_DAY, Unit, days_from_civil, parse_absolute};

/// Longest name of an entity, bytes.
pub const MAX_NAME: usize = 1024;

/// Sets the entity from text: a name, or for numbered entities a decimal u64 without sign,
/// fraction or leading zeros (`007` and `7` would become one entity).
pub(super) fn set_entity(text: &str, ids: IdKind, row: &mut Row) -> Result<(), Fault> {
    let bad = |message: String| Fault::new(Code::BadEntity, message);
    match ids {
        IdKind::Name => {
            if text.is_empty() {
                return Err(bad("the entity's name is empty".into()).fix("give every row an entity"));
            }
            if text.len() > MAX_NAME {
                let message =
                    format!("the entity's name has {} bytes, at most {MAX_NAME} are taken", text.len());
                return Err(bad(message).fix("is another column meant? see ‹map entity=COL›"));
            }
            if text.contains('\0') {
                return Err(bad("the entity's name holds a NUL character".into()).fix("remove it"));
            }
            row.name.clear();
            row.name.push_str(text);
        }
        IdKind::U64 => {
            let digits = whole_part(text);
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            if plain && digits.len() > 1 && digits.starts_with('0') {
                let message = format!("entity id `{}` begins with a zero", shorten(text));
                return Err(bad(message).fix(
                    "007 and 7 would be one entity: remove the zeros, or keep ids as text in a dataset made with ‹ids string›",
                ));
            }
            row.entity = digits.parse().ok().filter(|_| plain).ok_or_else(|| {
                let hint = "ids are whole numbers from 0 to 18446744073709551615; for names create the dataset with ‹ids string›";
                bad(format!("entity id `{}` is not a 64-bit unsigned integer", shorten(text))).fix(hint)
            })?;
        }
    }
    Ok(())
}

/// The digits before a fraction of zeros: `42.0`, which is how tables with gaps write whole numbers.
pub(super) fn whole_part(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

/// A time as text: a calendar form, or an integer if a unit is given.
pub(super) fn time_from_text(text: &str, unit: Option<TimeUnit>) -> Result<TimestampUs, Fault> {
    let text = text.trim();
    if is_number(text) {
        return time_from_number(text, unit);
    }
    match parse_absolute(text) {
        Ok(span) => Ok(span.from),
        Err(e) => Err(unreadable(text, &e)),
    }
}

/// True for a decimal number without a leading plus: it needs a unit to be a time.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text.parse::<f64>().is_ok()
}

/// A number as text, in the unit that the user gave. A fraction is exact down to a microsecond,
/// and cut there.
pub(super) fn time_from_number(text: &str, unit: Option<TimeUnit>) -> Result<TimestampUs, Fault> {
    let whole = whole_part(text);
    if let Ok(n) = whole.parse::<i128>() {
        return time_from_integer(n, unit);
    }
    if whole.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        // More digits than any time has.
        unit_of(text, unit)?;
        return Err(beyond(text));
    }
    let (Some(scale), Some((whole, places))) = (scale_of(unit), text.split_once('.')) else {
        return time_from_float(text.parse().unwrap_or(f64::NAN), unit);
    };
    if !places.bytes().all(|b| b.is_ascii_digit()) || whole.len() > 20 {
        return time_from_float(text.parse().unwrap_or(f64::NAN), unit);
    }
    // Eighteen places are far below a microsecond of any unit.
    let places = &places[..places.len().min(18)];
    let ten = 10i128.pow(places.len() as u32);
    let parts = format!("{whole}{places}").parse::<i128>().map_err(|_| beyond(text))?;
    let us = parts.saturating_mul(scale.0).div_euclid(ten.saturating_mul(scale.1));
    i64::try_from(us).map_err(|_| beyond(text))
}

/// Microseconds of a unit, as a fraction; `None` for those that count no fixed time.
fn scale_of(unit: Option<TimeUnit>) -> Option<(i128, i128)> {
    match unit? {
        TimeUnit::S => Some((1_000_000, 1)),
        TimeUnit::Ms => Some((1_000, 1)),
        TimeUnit::Us => Some((1, 1)),
        TimeUnit::Ns => Some((1, 1_000)),
        TimeUnit::Rfc3339 | TimeUnit::Year | TimeUnit::Date => None,
    }
}

/// A time as a float, in the unit that the user gave, to the nearest microsecond: a float of
/// seconds of this century is exact to a quarter of one.
pub(super) fn time_from_float(v: f64, unit: Option<TimeUnit>) -> Result<TimestampUs, Fault> {
    unit_of(&v.to_string(), unit)?;
    if v.fract() == 0.0 && v.abs() < 1e30 {
        return time_from_integer(v as i128, unit);
    }
    match scale_of(unit) {
        Some((up, down)) if v.is_finite() => {
            let us = (v * up as f64 / down as f64).round();
            // The bounds of i64 as floats; the upper one is no i64.
            if us >= i64::MIN as f64 && us < i64::MAX as f64 {
                Ok(us as i64)
            } else {
                Err(beyond(&v.to_string()))
            }
        }
        Some(_) => Err(bad_time(format!("timestamp {v} is no time")).fix("leave the row out")),
        None => Err(bad_time(format!("timestamp {v} is not a whole number"))
            .fix("years and dates are whole; for fractions give ‹time-unit s› or ms")),
    }
}

/// The unit of a number, which is never guessed.
fn unit_of(text: &str, unit: Option<TimeUnit>) -> Result<TimeUnit, Fault> {
    let years = text.len() == 4 && !text.starts_with('-');
    let date = text.len() == 8 && (text.starts_with("19") || text.starts_with("20"));
    let hint = match (years, date) {
        (true, _) => "add ‹time-unit year› if it is one, else us, s, ms or ns",
        (_, true) => "add ‹time-unit date› if it is YYYYMMDD, else us, s, ms or ns",
        _ => "add ‹time-unit us› (or s, ms, ns, year)",
    };
    match unit {
        None => {
            let text = shorten(text);
            Err(bad_time(format!("timestamp {text} is a bare number: which unit?")).fix(hint))
        }
        Some(TimeUnit::Rfc3339) => {
            let message = format!("timestamp {} is a number, ‹time-unit rfc3339› needs text", shorten(text));
            Err(bad_time(message).fix(hint))
        }
        Some(unit) => Ok(unit),
    }
}

/// What NumPy and pandas write for a missing time in an array of integers.
pub(super) const NAT: i64 = i64::MIN;

/// The fault of a missing time.
pub(super) fn missing_time() -> Fault {
    bad_time("the timestamp is NaT, a missing time".into()).fix("give every row a time, or leave the row out")
}

/// An integer time, in the unit that the user gave.
pub(super) fn time_from_integer(n: i128, unit: Option<TimeUnit>) -> Result<TimestampUs, Fault> {
    if matches!(unit, Some(TimeUnit::Ns | TimeUnit::Ms | TimeUnit::S)) && n == i128::from(NAT) {
        return Err(missing_time());
    }
    let unit = unit_of(&n.to_string(), unit).map(Some)?;
    let t = match unit {
        None | Some(TimeUnit::Rfc3339) => None,
        Some(TimeUnit::Us) => Unit::Us.to_us(n),
        Some(TimeUnit::Ms) => Unit::Ms.to_us(n),
        Some(TimeUnit::S) => Unit::S.to_us(n),
        Some(TimeUnit::Ns) => Unit::Ns.to_us(n),
        Some(TimeUnit::Year) => first_of_year(n),
        Some(TimeUnit::Date) => return compact_date(n),
    };
    t.ok_or_else(|| beyond(&n.to_string()))
}

fn first_of_year(year: i128) -> Option<TimestampUs> {
    let year = i64::try_from(year).ok().filter(|y| y.abs() < 300_000)?;
    days_from_civil(Date { year, month: 1, day: 1 }).checked_mul(US_PER_DAY)
}

/// YYYYMMDD.
fn compact_date(n: i128) -> Result<TimestampUs, Fault> {
    let text = n.to_string();
    let dashed = match text.len() {
        8 if n > 0 => format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]),
        _ => {
            return Err(bad_time(format!("{n} is not a date of eight digits, YYYYMMDD"))
                .fix("write dates as 2024-03-01 or 20240301"));
        }
    };
    parse_absolute(&dashed).map(|span| span.from).map_err(|e| unreadable(&text, &e))
}

fn bad_time(message: String) -> Fault {
    Fault::new(Code::BadTime, message)
}

pub(super) fn beyond(text: &str) -> Fault {
    bad_time(format!(
        "timestamp {} is outside the range of times, -290308-12-22 to 294247-01-10",
        shorten(text)
    ))
    .fix("times are 64-bit microseconds since 1970; check ‹time-unit›")
}

fn unreadable(text: &str, e: &Error) -> Fault {
    let message = match text {
        "" => "the timestamp is empty".to_owned(),
        _ if text.len() > 80 => format!("timestamp `{}` cannot be read", shorten(text)),
        _ => format!("timestamp {} ", e.message()).trim_end().to_owned(),
    };
    let hint = match e.hint() {
        Some(h) if h.starts_with("which unit") || h.contains("now or max") => {
            "write 2024-03-01T12:00:00Z or 2024-03-01, or give integers and ‹time-unit›"
        }
        Some(h) => h,
        None => "write 2024-03-01T12:00:00Z",
    };
    bad_time(message).fix(hint)
}

/// Ends a row whose vector is complete: names its entity, scales it, and writes its metadata.
pub(super) fn finish<'a>(
    row: &mut Row,
    mut entries: Vec<Entry<'a>>,
    options: &InputOptions,
) -> Result<(), Fault> {
    if let Some(names) = &options.names {
        names.give(row)?;
    }
    if options.normalize {
        let norm = row.vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
        if entries.iter().any(|(k, _)| k == "_norm") {
            return Err(Fault::new(Code::BadMetadata, "the metadata holds `_norm` already")
                .fix("these vectors are normalised: leave out ‹normalize›"));
        }
        if norm > 0.0 {
            row.vector.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
        }
        let text = serde_json::to_string(&norm)
            .map_err(|e| Fault::new(Code::Internal, format!("the norm has no text: {e}")))?;
        entries.push(("_norm".into(), text.into()));
    }
    meta::write(entries, &mut row.meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(text: &str, ids: IdKind) -> Result<Row, Fault> {
        let mut row = Row::default();
        set_entity(text, ids, &mut row).map(|()| row)
    }

    #[test]
    fn ids() {
        assert_eq!(entity("18446744073709551615", IdKind::U64).unwrap().entity, u64::MAX);
        assert_eq!(entity("0", IdKind::U64).unwrap().entity, 0);
        assert_eq!(entity("42.00", IdKind::U64).unwrap().entity, 42);
        assert!(entity("007", IdKind::U64).unwrap_err().hint.unwrap().contains("‹ids string›"));
        for bad in
            ["", "-1", "+1", "1.5", ".0", "1.", "1e3", "007", "00.0", "18446744073709551616", "x", " 1"]
        {
            assert_eq!(entity(bad, IdKind::U64).expect_err(bad).code, Code::BadEntity);
        }
        assert_eq!(entity("été", IdKind::Name).unwrap().name, "été");
        for bad in ["", "a\0b", &"x".repeat(1025)] {
            assert_eq!(entity(bad, IdKind::Name).expect_err(bad).code, Code::BadEntity);
        }
    }

    #[test]
    fn times() {
        let t = |text, unit| time_from_text(text, unit);
        assert_eq!(t("1970-01-02", None).unwrap(), US_PER_DAY);
        assert_eq!(t(" 1970-01-01 00:00:01 ", None).unwrap(), 1_000_000);
        assert_eq!(t("1970-01", None).unwrap(), 0);
        assert_eq!(t("-1", Some(TimeUnit::S)).unwrap(), -1_000_000);
        assert_eq!(t("1971", Some(TimeUnit::Year)).unwrap(), 365 * US_PER_DAY);
        assert_eq!(t("-44", Some(TimeUnit::Year)).unwrap(), parse_absolute("-0044").unwrap().from);
        assert_eq!(t("19700102", Some(TimeUnit::Date)).unwrap(), US_PER_DAY);
        assert_eq!(t("1970-01-02", Some(TimeUnit::Date)).unwrap(), US_PER_DAY);
        assert_eq!(t("-1", Some(TimeUnit::Ns)).unwrap(), -1);
        assert_eq!(time_from_integer(i128::from(i64::MIN), Some(TimeUnit::Us)).unwrap(), i64::MIN);
        for (text, unit, want) in [
            ("1.5", TimeUnit::S, 1_500_000),
            ("-1.5", TimeUnit::S, -1_500_000),
            ("-0.5", TimeUnit::S, -500_000),
            ("1700000000.123456789", TimeUnit::S, 1_700_000_000_123_456),
            ("-0.0000001", TimeUnit::S, -1),
            ("1700000000123.4567", TimeUnit::Ms, 1_700_000_000_123_456),
            ("1999.9", TimeUnit::Ns, 1),
            ("1e9", TimeUnit::S, 1_000_000_000_000_000),
            ("1970.0", TimeUnit::Year, 0),
        ] {
            assert_eq!(t(text, Some(unit)).unwrap(), want, "{text}");
        }
        assert_eq!(time_from_float(1_700_000_000.1, Some(TimeUnit::S)).unwrap(), 1_700_000_000_100_000);
        assert!(time_from_float(f64::NAN, Some(TimeUnit::S)).is_err());
        assert!(time_from_float(9.3e18, Some(TimeUnit::Us)).is_err());
        assert!(t("20240301", None).unwrap_err().hint.unwrap().contains("‹time-unit date›"));
        for (text, unit, say) in [
            ("1990", None, "which unit"),
            ("1704067200", None, "which unit"),
            ("1704067200", Some(TimeUnit::Rfc3339), "needs text"),
            ("1704067200.5", None, "which unit"),
            ("2012.0", None, "which unit"),
            ("9223372036854775808", Some(TimeUnit::Us), "outside the range"),
            ("99999999999999999999999999999999999999999999", Some(TimeUnit::Us), "outside the range"),
            ("9223372036854775807", Some(TimeUnit::Ms), "outside the range"),
            ("1990.5", Some(TimeUnit::Year), "not a whole number"),
            ("1e300", Some(TimeUnit::S), "outside the range"),
            ("1.5.2", Some(TimeUnit::S), "not a time"),
            ("-9223372036854775808", Some(TimeUnit::Ns), "NaT"),
            ("yesterday", None, "not a time"),
            ("", None, "empty"),
            ("2024-02-30", None, "no such day"),
            ("20241301", Some(TimeUnit::Date), "month 13"),
            ("240301", Some(TimeUnit::Date), "eight digits"),
            ("300000", Some(TimeUnit::Year), "outside the range"),
        ] {
            let fault = t(text, unit).expect_err(text);
            assert_eq!(fault.code, Code::BadTime);
            assert!(fault.message.contains(say), "{text}: {}", fault.message);
            assert!(fault.hint.is_some());
        }
    }
}
