//! Ids, times and texts in Arrow columns.

use super::texts::{Texts, is_text};
use crate::error::{Code, Error, Result};
use crate::input::options::{IdKind, TimeUnit};
use crate::input::rows::{Fault, Row};
use crate::input::value::{beyond, set_entity, time_from_float, time_from_integer, time_from_text};
use crate::time::Unit;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, Float64Array, Int64Array, UInt64Array};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, TimeUnit as ArrowUnit};
use std::path::Path;

/// The type of a column's values: a dictionary's, a run's.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => value_type(values),
        DataType::RunEndEncoded(_, values) => value_type(values.data_type()),
        other => other,
    }
}

/// A column of numbers or times without its dictionary or runs.
fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) if !is_text(array.data_type()) => {
            plain(&cast(array, value_type(array.data_type()))?)
        }
        _ => Ok(array.clone()),
    }
}

fn wrong_type(field: &Field, path: &Path, need: &str) -> Error {
    Error::new(Code::BadFile, format!("the column is {}, {need}", field.data_type()))
        .file(path)
        .column(field.name())
}

/// Refuses entity columns that are neither integers nor text.
pub(super) fn check_entity(field: &Field, path: &Path) -> Result<()> {
    let data_type = value_type(field.data_type());
    if data_type.is_integer() || data_type.is_floating() || is_uuid(field) || is_text(data_type) {
        return Ok(());
    }
    Err(wrong_type(field, path, "entities are integers or text")
        .fix("convert it, or name another column with ‹map entity=COL›"))
}

/// Refuses time columns of other types, and bare integers without a unit.
pub(super) fn check_time(field: &Field, unit: Option<TimeUnit>, path: &Path) -> Result<()> {
    let data_type = value_type(field.data_type());
    match data_type {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Ok(()),
        _ if is_text(data_type) => Ok(()),
        _ if (data_type.is_integer() || data_type.is_floating()) && unit.is_some() => Ok(()),
        _ if data_type.is_integer() || data_type.is_floating() => {
            let message = format!("time column \"{}\" is {data_type}: which unit?", field.name());
            Err(Error::new(Code::BadTime, message)
                .file(path)
                .column(field.name())
                .fix("add ‹time-unit us› (or s, ms, ns, year)"))
        }
        _ => Err(wrong_type(field, path, "times are timestamps, dates, integers or text")
            .fix("convert it, or name another column with ‹map t=COL›")),
    }
}

/// True for 16 bytes that are meant as a UUID.
fn is_uuid(field: &Field) -> bool {
    *field.data_type() == DataType::FixedSizeBinary(16)
}

/// A column of entities.
pub(super) enum Entities {
    Signed(Int64Array),
    Unsigned(UInt64Array),
    /// Whole numbers that a column with nulls became, as pandas has it.
    Floats(Float64Array),
    Uuids(FixedSizeBinaryArray),
    Text(Texts),
}

/// Largest f64 up to which every whole number has a float of its own.
const WHOLE: f64 = 9_007_199_254_740_992.0;

impl Entities {
    pub(super) fn new(array: &ArrayRef) -> Result<Entities, ArrowError> {
        let array = &plain(array)?;
        let data_type = array.data_type();
        Ok(if data_type.is_unsigned_integer() {
            Entities::Unsigned(cast(array, &DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
        } else if data_type.is_signed_integer() {
            Entities::Signed(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
        } else if data_type.is_floating() {
            Entities::Floats(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
        } else if *data_type == DataType::FixedSizeBinary(16) {
            Entities::Uuids(array.as_fixed_size_binary().clone())
        } else {
            Entities::Text(Texts::new(array)?)
        })
    }

    /// Sets the entity of a row from row `i`.
    pub(super) fn set(&self, i: usize, ids: IdKind, row: &mut Row) -> Result<(), Fault> {
        let null = || Fault::new(Code::BadEntity, "the entity is null").fix("give every row an entity");
        match (self, ids) {
            (Entities::Unsigned(a), IdKind::U64) if a.is_valid(i) => {
                row.entity = a.value(i);
                Ok(())
            }
            (Entities::Unsigned(a), _) if a.is_valid(i) => set_entity(&a.value(i).to_string(), ids, row),
            (Entities::Signed(a), _) if a.is_valid(i) => set_entity(&a.value(i).to_string(), ids, row),
            (Entities::Floats(a), _) if a.is_valid(i) => {
                let v = a.value(i);
                if v.fract() != 0.0 || !(0.0..=WHOLE).contains(&v) {
                    let message = format!("entity `{v}` is not a whole number from 0 to 9007199254740992");
                    return Err(Fault::new(Code::BadEntity, message)
                        .fix("write ids as integers or text; floats hold whole numbers up to 2^53 only"));
                }
                set_entity(&(v as u64).to_string(), ids, row)
            }
            (Entities::Uuids(a), _) if a.is_valid(i) => set_entity(&uuid(a.value(i)), ids, row),
            (Entities::Text(a), _) => set_entity(a.get(i).ok_or_else(null)?, ids, row),
            _ => Err(null()),
        }
    }
}

/// The usual text of a UUID: groups of 8, 4, 4, 4 and 12 hexadecimal digits.
pub(super) fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (i, b) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{b:02x}"));
    }
    text
}

/// A column of times.
pub(super) enum Times {
    /// In a unit that the column itself states.
    Scaled(Int64Array, Unit),
    /// Days since 1970.
    Days(Int64Array),
    /// In the user's unit.
    Signed(Int64Array),
    Unsigned(UInt64Array),
    Floats(Float64Array),
    Text(Texts),
}

impl Times {
    pub(super) fn new(array: &ArrayRef) -> Result<Times, ArrowError> {
        let array = &plain(array)?;
        let signed = |array: &ArrayRef| -> Result<Int64Array, ArrowError> {
            Ok(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
        };
        Ok(match array.data_type() {
            DataType::Timestamp(unit, _) => {
                let unit = match unit {
                    ArrowUnit::Second => Unit::S,
                    ArrowUnit::Millisecond => Unit::Ms,
                    ArrowUnit::Microsecond => Unit::Us,
                    ArrowUnit::Nanosecond => Unit::Ns,
                };
                Times::Scaled(signed(array)?, unit)
            }
            DataType::Date32 => Times::Days(signed(&cast(array, &DataType::Int32)?)?),
            DataType::Date64 => Times::Scaled(signed(array)?, Unit::Ms),
            t if t.is_unsigned_integer() => {
                Times::Unsigned(cast(array, &DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
            }
            t if t.is_signed_integer() => Times::Signed(signed(array)?),
            t if t.is_floating() => {
                Times::Floats(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            _ => Times::Text(Texts::new(array)?),
        })
    }

    /// The timestamp of row `i`.
    pub(super) fn get(&self, i: usize, unit: Option<TimeUnit>) -> Result<i64, Fault> {
        let scaled = |n: i64, unit: Unit| {
            unit.to_us(i128::from(n)).ok_or_else(|| beyond(&format!("{n} {}", unit.name())))
        };
        let null = || Fault::new(Code::BadTime, "the timestamp is null").fix("give every row a time");
        match self {
            Times::Scaled(a, own) if a.is_valid(i) => scaled(a.value(i), *own),
            Times::Days(a) if a.is_valid(i) => a
                .value(i)
                .checked_mul(crate::time::US_PER_DAY)
                .ok_or_else(|| beyond(&format!("{} days", a.value(i)))),
            Times::Signed(a) if a.is_valid(i) => time_from_integer(i128::from(a.value(i)), unit),
            Times::Unsigned(a) if a.is_valid(i) => time_from_integer(i128::from(a.value(i)), unit),
            Times::Floats(a) if a.is_valid(i) => time_from_float(a.value(i), unit),
            Times::Text(a) => time_from_text(a.get(i).ok_or_else(null)?, unit),
            _ => Err(null()),
        }
    }
}
