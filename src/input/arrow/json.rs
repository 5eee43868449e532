//! Arrow values as JSON text, for metadata.

use super::scalar::Times;
use crate::error::Code;
use crate::input::meta::{MAX_METADATA_DEPTH, write_text};
use crate::input::rows::Fault;
use crate::time::{TimeFormat, format_time};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use std::fmt::Write;

/// Writes the value of row `i`. Integers, floats and booleans stay what they are (NaN and
/// infinities become null), lists become arrays, structs objects, times RFC 3339 or dates, all
/// else its usual text. Refuses what is deeper than metadata may be or longer than `most` bytes.
pub(in crate::input) fn write(
    array: &ArrayRef,
    i: usize,
    out: &mut String,
    depth: usize,
    most: usize,
) -> Result<(), Fault> {
    let bad =
        |message: String| Fault::new(Code::BadMetadata, message).fix("leave the column out with --meta");
    if depth > MAX_METADATA_DEPTH || out.len() > most {
        return Err(bad(format!("the metadata is deeper than {MAX_METADATA_DEPTH} or longer than {most}")));
    }
    if array.is_null(i) || matches!(array.data_type(), DataType::Null) {
        out.push_str("null");
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
            let keys = cast(entries.column(0), &DataType::Utf8).map_err(|e| bad(e.to_string()))?;
            let keys = keys.as_string::<i32>();
            let values = entries.column(1);
            let pairs = (0..entries.len()).map(|k| (keys.value(k).to_owned(), values.clone(), k));
            return object(pairs, out, depth, most);
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary.normalized_keys().get(i).copied().unwrap_or(usize::MAX);
            if key >= dictionary.values().len() {
                return Err(bad("a dictionary key has no value".into()));
            }
            return write(dictionary.values(), key, out, depth + 1, most);
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let t = Times::new(&array.slice(i, 1)).map_err(|e| bad(e.to_string()))?.get(0, None)?;
            let whole = matches!(array.data_type(), DataType::Date32 | DataType::Date64);
            let format = if whole { TimeFormat::Date } else { TimeFormat::Rfc3339 };
            write_text(&format_time(t, format), out);
        }
        data_type => {
            let options = FormatOptions::default();
            let text = ArrayFormatter::try_new(array, &options)
                .map_err(|e| bad(e.to_string()))?
                .value(i)
                .try_to_string()
                .map_err(|e| bad(e.to_string()))?;
            let plain = data_type.is_integer() || data_type.is_decimal() || *data_type == DataType::Boolean;
            if plain { out.push_str(&text) } else { write_text(&text, out) }
        }
    }
    Ok(())
}

fn items(list: &ArrayRef, out: &mut String, depth: usize, most: usize) -> Result<(), Fault> {
    out.push('[');
    for i in 0..list.len() {
        if i > 0 {
            out.push(',');
        }
        write(list, i, out, depth + 1, most)?;
    }
    out.push(']');
    Ok(())
}

/// An object; fields that are null are left out.
fn object(
    fields: impl Iterator<Item = (String, ArrayRef, usize)>,
    out: &mut String,
    depth: usize,
    most: usize,
) -> Result<(), Fault> {
    out.push('{');
    let mut sep = "";
    for (name, column, i) in fields {
        if column.is_valid(i) {
            out.push_str(sep);
            write_text(&name, out);
            out.push(':');
            write(&column, i, out, depth + 1, most)?;
            sep = ",";
        }
    }
    out.push('}');
    Ok(())
}

/// Writing to a String cannot fail.
fn float(v: f64, out: &mut String) {
    let _ = match serde_json::Number::from_f64(v) {
        Some(n) => write!(out, "{n}"),
        None => write!(out, "null"),
    };
}

/// The shortest text that reads back to the same f32.
fn narrow(v: f32, out: &mut String) {
    match serde_json::to_string(&v) {
        Ok(text) => out.push_str(&text),
        Err(_) => out.push_str("null"),
    }
}
