//! Absolute times as text: RFC 3339, calendar periods, ISO weeks, epochs with a unit.

use super::civil::{Date, days_from_civil, days_in_month, iso_week_start, timestamp};
use super::out_of_range;
use crate::error::{Error, Result};
use crate::model::TimestampUs;

/// What an absolute time names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The instant itself, or the first of the period.
    pub from: TimestampUs,
    /// The first instant after the period; `None` for a single instant.
    pub to: Option<TimestampUs>,
}

/// Unit of integer times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds; what is below a microsecond is cut off (towards the past).
    Ns,
}

impl Unit {
    /// Its usual short name.
    pub fn name(self) -> &'static str {
        match self {
            Unit::S => "s",
            Unit::Ms => "ms",
            Unit::Us => "us",
            Unit::Ns => "ns",
        }
    }

    /// Microseconds of `n` units, `None` outside the range of times.
    pub fn to_us(self, n: i128) -> Option<TimestampUs> {
        let us = match self {
            Unit::S => n.checked_mul(1_000_000)?,
            Unit::Ms => n.checked_mul(1_000)?,
            Unit::Us => n,
            Unit::Ns => n.div_euclid(1_000),
        };
        i64::try_from(us).ok()
    }
}

/// Reads an absolute time: `2024-03-01T12:00:00+01:00` (no offset means UTC, a space may stand
/// for the `T`, digits below a microsecond are cut off), a date, a month `2024-03`, a year
/// `1990` or `-0044` (more than four digits need a sign), an ISO week `2024-W05`, a week day
/// `2024-W05-3`, an epoch `@1700000000s` (`s`, `ms`, `us`, `ns`).
pub fn parse_absolute(text: &str) -> Result<Span> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('@') {
        return epoch(rest).ok_or_else(|| unreadable(text))?;
    }
    let mut cursor = Cursor { text: text.as_bytes() };
    calendar(&mut cursor).ok_or_else(|| unreadable(text))?.map_err(|fault| fault.describe(text))
}

/// What is wrong with a time that has the right shape.
enum Fault {
    Field(&'static str, i64, i64, i64),
    NoSuchDay(Date),
    NoSuchWeek(i64, u8),
    Range,
}

impl Fault {
    fn describe(self, text: &str) -> Error {
        match self {
            Fault::Field(name, n, low, high) => {
                Error::usage(format!("`{text}`: {name} {n} is not in {low} to {high}"))
                    .fix("write times as 2024-03-01T12:00:00Z")
            }
            Fault::NoSuchDay(d) => {
                let last = days_in_month(d.year, d.month);
                Error::usage(format!("`{text}`: there is no such day, the month has {last}"))
                    .fix("check the date; dates are year-month-day")
            }
            Fault::NoSuchWeek(year, week) => {
                Error::usage(format!("`{text}`: the ISO year {year} has no week {week}"))
                    .fix("ISO weeks are 01 to 52, in long years to 53")
            }
            Fault::Range => out_of_range(&format!("`{text}`")),
        }
    }
}

/// `None`: not of any known form.
type Parsed<T> = Option<Result<T, Fault>>;

/// Bytes still to be read. Every method consumes what it recognises.
struct Cursor<'a> {
    text: &'a [u8],
}

impl Cursor<'_> {
    fn eat(&mut self, one_of: &[u8]) -> Option<u8> {
        let (&first, rest) = self.text.split_first()?;
        one_of.contains(&first).then(|| {
            self.text = rest;
            first
        })
    }

    fn done(&self) -> bool {
        self.text.is_empty()
    }

    /// The number that the run of digits at the front makes, and their count; at most 18 digits.
    fn run(&mut self) -> Option<(i64, usize)> {
        let n = self.text.iter().take_while(|b| b.is_ascii_digit()).count();
        if n == 0 || n > 18 {
            return None;
        }
        let (digits, rest) = self.text.split_at(n);
        self.text = rest;
        Some((digits.iter().fold(0, |v, b| v * 10 + i64::from(b - b'0')), n))
    }

    /// Exactly two digits.
    fn two(&mut self) -> Option<i64> {
        match *self.text {
            [a, b, ref rest @ ..] if a.is_ascii_digit() && b.is_ascii_digit() => {
                self.text = rest;
                Some(i64::from(a - b'0') * 10 + i64::from(b - b'0'))
            }
            _ => None,
        }
    }

    fn year(&mut self) -> Option<i64> {
        let sign = self.eat(b"+-");
        let (n, digits) = self.run()?;
        match (sign, digits) {
            (None, 4) | (Some(b'+'), 4..=6) => Some(n),
            (Some(_), 4..=6) => Some(-n),
            _ => None,
        }
    }
}

fn epoch(text: &str) -> Option<Result<Span>> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "s" => Unit::S,
        "ms" => Unit::Ms,
        "us" => Unit::Us,
        "ns" => Unit::Ns,
        _ => return None,
    };
    if !number.trim_start_matches(['+', '-']).bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let us = unit.to_us(number.parse().ok()?);
    Some(us.map(|from| Span { from, to: None }).ok_or_else(|| out_of_range(&format!("`@{text}`"))))
}

fn calendar(c: &mut Cursor<'_>) -> Parsed<Span> {
    let year = c.year()?;
    if c.done() {
        return Some(days_span(first_of(year, 1), first_of(year + 1, 1)));
    }
    c.eat(b"-")?;
    if c.eat(b"W").is_some() {
        return iso_week(c, year);
    }
    let month = c.two()?;
    if !(1..=12).contains(&month) {
        return Some(Err(Fault::Field("month", month, 1, 12)));
    }
    let month = month as u8;
    if c.done() {
        let next = if month == 12 { first_of(year + 1, 1) } else { first_of(year, month + 1) };
        return Some(days_span(first_of(year, month), next));
    }
    c.eat(b"-")?;
    let day = c.two()?;
    let date = Date { year, month, day: day as u8 };
    if day < 1 || day > i64::from(days_in_month(year, month)) {
        return Some(Err(Fault::NoSuchDay(date)));
    }
    let days = days_from_civil(date);
    if c.done() {
        return Some(days_span(days, days + 1));
    }
    c.eat(b"Tt ")?;
    let us = match time_of_day(c)? {
        Ok(us) => us,
        Err(fault) => return Some(Err(fault)),
    };
    Some(timestamp(days, us).map(|from| Span { from, to: None }).ok_or(Fault::Range))
}

fn first_of(year: i64, month: u8) -> i64 {
    days_from_civil(Date { year, month, day: 1 })
}

/// The period from one day number up to another.
fn days_span(from: i64, to: i64) -> Result<Span, Fault> {
    match (timestamp(from, 0), timestamp(to, 0)) {
        (Some(from), Some(to)) => Ok(Span { from, to: Some(to) }),
        _ => Err(Fault::Range),
    }
}

fn iso_week(c: &mut Cursor<'_>, year: i64) -> Parsed<Span> {
    let week = c.two()? as u8;
    let Some(monday) = iso_week_start(year, week) else {
        return Some(Err(Fault::NoSuchWeek(year, week)));
    };
    if c.done() {
        return Some(days_span(monday, monday + 7));
    }
    c.eat(b"-")?;
    let (day, digits) = c.run()?;
    if digits != 1 || !c.done() {
        return None;
    }
    if !(1..=7).contains(&day) {
        return Some(Err(Fault::Field("week day", day, 1, 7)));
    }
    Some(days_span(monday + day - 1, monday + day))
}

/// `hh:mm[:ss[.f]]` and an offset, as microseconds from the day's start in UTC.
fn time_of_day(c: &mut Cursor<'_>) -> Parsed<i64> {
    let hour = c.two()?;
    c.eat(b":")?;
    let minute = c.two()?;
    let mut second = 0;
    let mut fraction = 0;
    if c.eat(b":").is_some() {
        second = c.two()?;
        if c.eat(b".,").is_some() {
            fraction = fraction_us(c)?;
        }
    }
    let offset = match offset_minutes(c)? {
        Ok(offset) => offset,
        Err(fault) => return Some(Err(fault)),
    };
    for (name, n, high) in [("hour", hour, 23), ("minute", minute, 59), ("second", second, 59)] {
        if n > high {
            return Some(Err(Fault::Field(name, n, 0, high)));
        }
    }
    let minutes = hour * 60 + minute - offset;
    Some(Ok((minutes * 60 + second) * 1_000_000 + fraction))
}

/// Digits after the decimal point, cut to microseconds.
fn fraction_us(c: &mut Cursor<'_>) -> Option<i64> {
    let n = c.text.iter().take_while(|b| b.is_ascii_digit()).count();
    if n == 0 {
        return None;
    }
    let (digits, rest) = c.text.split_at(n);
    c.text = rest;
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    Some(padded.fold(0, |v, b| v * 10 + i64::from(b - b'0')))
}

/// Nothing, `Z`, `UTC` or `GMT`, or `+01:00`, `+0100` or `+01`, a blank before it or none: minutes
/// east of UTC. It must be the end.
fn offset_minutes(c: &mut Cursor<'_>) -> Parsed<i64> {
    while c.eat(b" ").is_some() {}
    if c.text.eq_ignore_ascii_case(b"UTC") || c.text.eq_ignore_ascii_case(b"GMT") {
        return Some(Ok(0));
    }
    if c.done() || c.eat(b"Zz").is_some() {
        return c.done().then_some(Ok(0));
    }
    let sign = if c.eat(b"+-")? == b'-' { -1 } else { 1 };
    let hours = c.two()?;
    let minutes = if c.done() {
        0
    } else {
        c.eat(b":");
        c.two()?
    };
    if !c.done() {
        return None;
    }
    if hours > 23 {
        return Some(Err(Fault::Field("offset hour", hours, 0, 23)));
    }
    if minutes > 59 {
        return Some(Err(Fault::Field("offset minute", minutes, 0, 59)));
    }
    Some(Ok(sign * (hours * 60 + minutes)))
}

/// The error for text of no known form, with the hint that its look suggests.
pub(super) fn unreadable(text: &str) -> Error {
    let digits = text.trim_start_matches(['+', '-']);
    let ends_in_name = || {
        let tail = text.rsplit([' ', ':', ']', '[']).find(|s| !s.is_empty()).unwrap_or("");
        text.len() > 10 && tail.starts_with(|c: char| c.is_alphabetic())
    };
    let hint = if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        format!("which unit? write @{text}s, @{text}ms or @{text}us; a year has four digits")
    } else if text.contains('/') && text.starts_with(|c: char| c.is_ascii_digit()) && !ends_in_name() {
        "day or month first? write year-month-day: 2024-03-01".to_owned()
    } else if ends_in_name() {
        "give the offset instead of a zone's name: 2024-03-01T12:00:00+01:00".to_owned()
    } else {
        "write 2024-03-01, 2024-03-01T12:00:00Z, 2024-03, 1990, 2024-W05, @1700000000s, -30d, now or max"
            .to_owned()
    };
    Error::usage(format!("`{text}` is not a time")).fix(hint)
}
