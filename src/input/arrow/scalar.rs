//! Ids, times and texts in Arrow columns.

use crate::error::{Code, Error, Result};
use crate::input::options::{IdKind, TimeUnit};
use crate::input::rows::{Fault, Row};
use crate::input::value::{beyond, set_entity, time_from_integer, time_from_text};
use crate::time::Unit;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Int64Array, StringArray, UInt64Array};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, TimeUnit as ArrowUnit};
use std::path::Path;

/// True for text, plain or as a dictionary.
fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// A column as plain text.
pub(super) fn as_text(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if !is_text(array.data_type()) && !matches!(array.data_type(), DataType::Null) {
        let message = format!("a column of text is needed, not {}", array.data_type());
        return Err(ArrowError::SchemaError(message));
    }
    cast(array, &DataType::Utf8)
}

/// The text of row `i` of a column made by [`as_text`].
pub(super) fn text_at(array: &ArrayRef, i: usize) -> Option<&str> {
    let texts = array.as_string_opt::<i32>()?;
    texts.is_valid(i).then(|| texts.value(i))
}

fn wrong_type(field: &Field, path: &Path, need: &str) -> Error {
    Error::new(Code::BadFile, format!("the column is {}, {need}", field.data_type()))
        .file(path)
        .column(field.name())
}

/// Refuses entity columns that are neither integers nor text.
pub(super) fn check_entity(field: &Field, path: &Path) -> Result<()> {
    let data_type = field.data_type();
    if data_type.is_integer() || is_text(data_type) {
        return Ok(());
    }
    Err(wrong_type(field, path, "entities are integers or text")
        .fix("convert it, or name another column with --map entity=COL"))
}

/// Refuses time columns of other types, and bare integers without a unit.
pub(super) fn check_time(field: &Field, unit: Option<TimeUnit>, path: &Path) -> Result<()> {
    let data_type = field.data_type();
    match data_type {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Ok(()),
        _ if is_text(data_type) => Ok(()),
        _ if data_type.is_integer() && unit.is_some() => Ok(()),
        _ if data_type.is_integer() => {
            let message = format!("time column \"{}\" is {data_type}: which unit?", field.name());
            Err(Error::new(Code::BadTime, message)
                .file(path)
                .column(field.name())
                .fix("add --time-unit us (or s, ms, ns, year)"))
        }
        _ => Err(wrong_type(field, path, "times are timestamps, dates, integers or text")
            .fix("convert it, or name another column with --map t=COL")),
    }
}

/// A column of entities.
pub(super) enum Entities {
    Signed(Int64Array),
    Unsigned(UInt64Array),
    Text(StringArray),
}

impl Entities {
    pub(super) fn new(array: &ArrayRef) -> Result<Entities, ArrowError> {
        let data_type = array.data_type();
        Ok(if data_type.is_unsigned_integer() {
            Entities::Unsigned(cast(array, &DataType::UInt64)?.as_primitive::<UInt64Type>().clone())
        } else if data_type.is_signed_integer() {
            Entities::Signed(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
        } else {
            Entities::Text(as_text(array)?.as_string::<i32>().clone())
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
            (Entities::Text(a), _) if a.is_valid(i) => set_entity(a.value(i), ids, row),
            _ => Err(null()),
        }
    }
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
    Text(StringArray),
}

impl Times {
    pub(super) fn new(array: &ArrayRef) -> Result<Times, ArrowError> {
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
            _ => Times::Text(as_text(array)?.as_string::<i32>().clone()),
        })
    }

    /// The timestamp of row `i`.
    pub(super) fn get(&self, i: usize, unit: Option<TimeUnit>) -> Result<i64, Fault> {
        let scaled = |n: i64, unit: Unit| unit.to_us(i128::from(n)).ok_or_else(|| beyond(&n.to_string()));
        match self {
            Times::Scaled(a, own) if a.is_valid(i) => scaled(a.value(i), *own),
            Times::Days(a) if a.is_valid(i) => scaled(a.value(i).saturating_mul(86_400), Unit::S),
            Times::Signed(a) if a.is_valid(i) => time_from_integer(i128::from(a.value(i)), unit),
            Times::Unsigned(a) if a.is_valid(i) => time_from_integer(i128::from(a.value(i)), unit),
            Times::Text(a) if a.is_valid(i) => time_from_text(a.value(i), unit),
            _ => Err(Fault::new(Code::BadTime, "the timestamp is null").fix("give every row a time")),
        }
    }
}
