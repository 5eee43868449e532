//! Ids and times as values of a row, whatever format they came from; the end of a row.

use super::meta::{self, Entry};
use super::options::{IdKind, InputOptions, TimeUnit};
use super::rows::{Fault, Row};
use crate::error::{Code, Error};
use crate::model::TimestampUs;
use crate::time::{Date, US_PER_DAY, Unit, days_from_civil, parse_absolute};
use std::borrow::Cow;

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
                return Err(bad(message).fix("is another column meant? see --map entity=COL"));
            }
            if text.contains('\0') {
                return Err(bad("the entity's name holds a NUL character".into()).fix("remove it"));
            }
            row.name.clear();
            row.name.push_str(text);
        }
        IdKind::U64 => {
            let canonical =
                text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
            row.entity = text.parse().ok().filter(|_| canonical).ok_or_else(|| {
                let hint = "ids are whole numbers from 0 to 18446744073709551615; for names create the dataset with --ids string";
                bad(format!("entity id `{}` is not a 64-bit unsigned integer", shorten(text))).fix(hint)
            })?;
        }
    }
    Ok(())
}

/// A time as text: a calendar form, or an integer if a unit is given.
pub(super) fn time_from_text(text: &str, unit: Option<TimeUnit>) -> Result<TimestampUs, Fault> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let n = text.parse().map_err(|_| beyond(text))?;
        return time_from_integer(n, unit);
    }
    match parse_absolute(text) {
        Ok(span) => Ok(span.from),
        Err(e) => Err(unreadable(text, &e)),
    }
}

/// An integer time, in the unit that the user gave.
pub(super) fn time_from_integer(n: i128, unit: Option<TimeUnit>) -> Result<TimestampUs, Fault> {
    let t = match unit {
        None => {
            return Err(bad_time(format!("timestamp {n} is a bare integer: which unit?"))
                .fix("add --time-unit us (or s, ms, ns, year)"));
        }
        Some(TimeUnit::Rfc3339) => {
            return Err(bad_time(format!("timestamp {n} is an integer, --time-unit rfc3339 asks for text"))
                .fix("use --time-unit us (or s, ms, ns, year)"));
        }
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
    bad_time(format!("timestamp {} is outside the range of times, years -290307 to 294246", shorten(text)))
        .fix("times are 64-bit microseconds since 1970; check --time-unit")
}

fn unreadable(text: &str, e: &Error) -> Fault {
    let message = match text {
        "" => "the timestamp is empty".to_owned(),
        _ if text.len() > 80 => format!("timestamp `{}` cannot be read", shorten(text)),
        _ => format!("timestamp {} ", e.message()).trim_end().to_owned(),
    };
    let hint = match e.hint() {
        Some(h) if h.starts_with("which unit") || h.contains("now or max") => {
            "write 2024-03-01T12:00:00Z or 2024-03-01, or give integers and --time-unit"
        }
        Some(h) => h,
        None => "write 2024-03-01T12:00:00Z",
    };
    bad_time(message).fix(hint)
}

/// Text for a message: at most 40 characters of it.
pub(super) fn shorten(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(40) {
        Some((at, _)) => Cow::Owned(format!("{}...", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

/// Ends a row whose vector is complete: scales it if asked, and writes its metadata.
pub(super) fn finish<'a>(
    row: &mut Row,
    mut entries: Vec<Entry<'a>>,
    options: &InputOptions,
) -> Result<(), Fault> {
    if options.normalize {
        let norm = row.vector.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
        if entries.iter().any(|(k, _)| k == "_norm") {
            return Err(Fault::new(Code::BadMetadata, "the metadata holds `_norm` already")
                .fix("these vectors are normalised: leave out --normalize"));
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
        for bad in ["", "-1", "+1", "1.0", "1e3", "007", "18446744073709551616", "x", " 1"] {
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
        for (text, unit, say) in [
            ("1990", None, "which unit"),
            ("1704067200", None, "which unit"),
            ("1704067200", Some(TimeUnit::Rfc3339), "asks for text"),
            ("9223372036854775808", Some(TimeUnit::Us), "outside the range"),
            ("99999999999999999999999999999999999999999999", Some(TimeUnit::Us), "outside the range"),
            ("9223372036854775807", Some(TimeUnit::Ms), "outside the range"),
            ("1e9", Some(TimeUnit::S), "not a time"),
            ("1.5", Some(TimeUnit::S), "not a time"),
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
