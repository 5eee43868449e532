//! Arrow values as JSON text, for metadata.

use crate::error::Code;
use crate::input::meta::{MAX_METADATA_DEPTH, write_text};
use crate::input::rows::Fault;
use crate::time::{TimeFormat, US_PER_DAY, civil_from_days, format_time};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, StructArray};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A value as JSON while it is written.
#[derive(Debug, Default)]
pub(in crate::input) struct Json {
    pub text: String,
    /// Floats that JSON does not have, NaN and infinities: they became null.
    pub lost: u64,
}

/// Writes the value of row `i`. Integers, floats and booleans stay what they are (NaN and
/// infinities become null), lists become arrays, structs objects, times RFC 3339 or dates, all
/// else its usual text. Refuses what is deeper than metadata may be or longer than `most` bytes.
pub(in crate::input) fn write(
    array: &ArrayRef,
    i: usize,
    out: &mut Json,
    depth: usize,
    most: usize,
) -> Result<(), Fault> {
    let bad =
        |message: String| Fault::new(Code::BadMetadata, message).fix("leave the column out with ‹meta›");
    if depth > MAX_METADATA_DEPTH || out.text.len() > most {
        return Err(bad(format!("the metadata is deeper than {MAX_METADATA_DEPTH} or longer than {most}")));
    }
    if array.is_null(i) || matches!(array.data_type(), DataType::Null) {
        out.text.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Float16 => float(f64::from(array.as_primitive::<Float16Type>().value(i).to_f32()), out),
        DataType::Float32 => narrow(array.as_primitive::<Float32Type>().value(i), out),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(i), out),
        DataType::List(_) => return items(&array.as_list::<i32>().value(i), out, depth, most),
        DataType::LargeList(_) => return items(&array.as_list::<i64>().value(i), out, depth, most),
        DataType::FixedSizeList(..) => return items(&array.as_fixed_size_list().value(i), out, depth, most),
        DataType::Struct(_) => {
            let fields = array.as_struct();
            let columns = fields.column_names().into_iter().zip(fields.columns());
            return object(
                columns.map(|(name, column)| (name.to_owned(), column.clone(), i)),
                out,
                depth,
                most,
            );
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(i);
            let values = entries.column(1);
            let pairs = keys(&entries)?.into_iter();
            return object(pairs.map(|(key, k)| (key, values.clone(), k)), out, depth, most);
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            // Of this row alone: the keys of all rows for each of them would be quadratic.
            let one =
                cast(&dictionary.keys().slice(i, 1), &DataType::Int64).map_err(|e| bad(e.to_string()))?;
            let key = one.as_primitive::<Int64Type>().value(0);
            let key = usize::try_from(key).ok().filter(|k| *k < dictionary.values().len());
            let key = key.ok_or_else(|| bad("a dictionary key has no value".into()))?;
            return write(dictionary.values(), key, out, depth + 1, most);
        }
        DataType::Utf8 => write_text(array.as_string::<i32>().value(i), &mut out.text),
        DataType::LargeUtf8 => write_text(array.as_string::<i64>().value(i), &mut out.text),
        DataType::Utf8View => write_text(array.as_string_view().value(i), &mut out.text),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let text = time(array, i).map_err(|e| bad(e.to_string()))?;
            write_text(&text, &mut out.text);
        }
        data_type => {
            let options = FormatOptions::default();
            let text = ArrayFormatter::try_new(array, &options)
                .map_err(|e| bad(e.to_string()))?
                .value(i)
                .try_to_string()
                .map_err(|e| bad(e.to_string()))?;
            let plain = data_type.is_integer() || data_type.is_decimal() || *data_type == DataType::Boolean;
            if plain { out.text.push_str(&text) } else { write_text(&text, &mut out.text) }
        }
    }
    Ok(())
}

/// The keys of a map's entries, as text, and the place of each one's value. Of a key that is given
/// twice the last value counts, as the Parquet format has it.
pub(in crate::input) fn keys(entries: &StructArray) -> Result<BTreeMap<String, usize>, Fault> {
    let bad = |e: String| Fault::new(Code::BadMetadata, e).fix("leave the column out with ‹meta›");
    let keys = cast(entries.column(0), &DataType::Utf8).map_err(|e| bad(e.to_string()))?;
    let keys = keys.as_string::<i32>();
    Ok((0..entries.len()).map(|k| (keys.value(k).to_owned(), k)).collect())
}

/// A time or a date as text. The largest and the smallest numbers stand for infinity, as
/// PostgreSQL and DuckDB write it.
fn time(array: &ArrayRef, i: usize) -> Result<String, ArrowError> {
    let one = array.slice(i, 1);
    let one = match one.data_type() {
        DataType::Date32 => cast(&cast(&one, &DataType::Int32)?, &DataType::Int64)?,
        _ => cast(&one, &DataType::Int64)?,
    };
    let n = one.as_primitive::<Int64Type>().value(0);
    let (unit, most) = match array.data_type() {
        DataType::Date32 => (US_PER_DAY, i64::from(i32::MAX)),
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => (1_000, i64::MAX),
        DataType::Timestamp(TimeUnit::Second, _) => (1_000_000, i64::MAX),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (1, i64::MAX),
        _ => (0, i64::MAX),
    };
    let us = if unit == 0 { Some(n.div_euclid(1_000)) } else { n.checked_mul(unit) };
    let whole = matches!(array.data_type(), DataType::Date32 | DataType::Date64);
    Ok(match us {
        _ if n == most => "infinity".to_owned(),
        _ if n <= -most => "-infinity".to_owned(),
        Some(us) => format_time(us, if whole { TimeFormat::Date } else { TimeFormat::Rfc3339 }),
        // Beyond 64-bit microseconds: the day is exact, and all that such a time can mean.
        None => {
            let day = civil_from_days(
                i128::from(n).saturating_mul(i128::from(unit)).div_euclid(i128::from(US_PER_DAY)) as i64,
            );
            let sign = if day.year < 0 { '-' } else { '+' };
            format!("{sign}{}-{:02}-{:02}", day.year.abs(), day.month, day.day)
        }
    })
}

fn items(list: &ArrayRef, out: &mut Json, depth: usize, most: usize) -> Result<(), Fault> {
    out.text.push('[');
    for i in 0..list.len() {
        if i > 0 {
            out.text.push(',');
        }
        write(list, i, out, depth + 1, most)?;
    }
    out.text.push(']');
    Ok(())
}

/// An object; fields that are null are left out.
fn object(
    fields: impl Iterator<Item = (String, ArrayRef, usize)>,
    out: &mut Json,
    depth: usize,
    most: usize,
) -> Result<(), Fault> {
    out.text.push('{');
    let mut sep = "";
    for (name, column, i) in fields {
        if column.is_valid(i) {
            out.text.push_str(sep);
            write_text(&name, &mut out.text);
            out.text.push(':');
            write(&column, i, out, depth + 1, most)?;
            sep = ",";
        }
    }
    out.text.push('}');
    Ok(())
}

/// Writing to a String cannot fail.
fn float(v: f64, out: &mut Json) {
    match serde_json::Number::from_f64(v) {
        Some(n) => drop(write!(out.text, "{n}")),
        None => lose(out),
    }
}

/// The shortest text that reads back to the same f32.
fn narrow(v: f32, out: &mut Json) {
    match serde_json::to_string(&v) {
        Ok(text) if v.is_finite() => out.text.push_str(&text),
        _ => lose(out),
    }
}

fn lose(out: &mut Json) {
    out.lost += 1;
    out.text.push_str("null");
}
