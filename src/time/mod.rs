//! Instants, periods, ranges and durations: how users write times and how they are printed.
//!
//! A time is an i64 of microseconds since 1970 (proleptic Gregorian calendar, UTC, no leap
//! seconds); all of i64 is legal, years -290308 to 294247. What cannot be represented is an
//! error, nothing wraps or saturates. [`TimeExpr`] is what an option holds before the
//! dataset is open; [`Now`] gives `now`, `min` and `max` their values.

mod civil;
mod duration;
mod expr;
mod format;
mod grid;
mod parse;
mod span;

pub use civil::{Date, add_months, civil_from_days, days_from_civil};
pub use duration::{Duration, parse_duration};
pub use expr::{Now, TimeExpr, parse_period, parse_range, parse_time};
pub use format::{TimeFormat, format_time, write_time};
pub use grid::Grid;
pub use parse::{Span, Unit, parse_absolute};
pub use span::span_text;

/// Microseconds in a day.
pub const US_PER_DAY: i64 = 86_400_000_000;

/// The system's clock, in microseconds since 1970.
pub fn clock_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The error for a time that 64-bit microseconds cannot hold.
fn out_of_range(what: &str) -> crate::error::Error {
    crate::error::Error::usage(format!("{what} is outside the range of times, -290308-12-22 to 294247-01-10"))
        .fix("times are 64-bit microseconds since 1970; check the value and its unit")
}
