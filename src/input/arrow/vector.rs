//! Vectors in Arrow columns: lists of floats, text, or a column a component.

use super::texts::{Texts, is_text};
use crate::error::{Code, Error, Result};
use crate::input::base64::float_bytes;
use crate::input::columns::VectorColumns;
use crate::input::numbers::list;
use crate::input::rows::{Fault, check_count, infinite};
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, Float32Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Schema};
use std::ops::Range;
use std::path::Path;

/// Refuses vector columns of types that hold no floats.
pub(super) fn check(schema: &Schema, columns: &VectorColumns, path: &Path) -> Result<()> {
    let wrong = |i: usize, need: &str| {
        let field = schema.field(i);
        Err(Error::new(Code::BadFile, format!("the column is {}, {need}", field.data_type()))
            .file(path)
            .column(field.name())
            .fix("name the right one with ‹map vector=COL› or ‹vector-cols A..B›"))
    };
    match columns {
        VectorColumns::List(i) => match schema.field(*i).data_type() {
            DataType::FixedSizeList(item, _) | DataType::List(item) | DataType::LargeList(item)
                if item.data_type().is_numeric() =>
            {
                Ok(())
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Ok(()),
            DataType::FixedSizeBinary(n) if n % 4 == 0 => Ok(()),
            other if is_text(other) => Ok(()),
            _ => wrong(*i, "a vector is a list of floats, its text, or the bytes of 32-bit floats"),
        },
        VectorColumns::Each(list) => {
            match list.iter().find(|i| !schema.field(**i).data_type().is_numeric()) {
                Some(i) => wrong(*i, "a component is a float"),
                None => Ok(()),
            }
        }
    }
}

/// The vectors of one record batch.
pub(super) enum Vectors {
    /// Lists over a column of values.
    Lists { lists: ArrayRef, values: Float32Array, name: usize },
    /// Lists as text.
    Text { texts: Texts, name: usize },
    /// Little-endian 32-bit floats, as a database keeps them in a column of bytes.
    Bytes { bytes: ArrayRef, name: usize },
    /// A column a component.
    Each { values: Vec<Float32Array>, names: Vec<usize> },
}

fn floats(array: &ArrayRef) -> Result<Float32Array, ArrowError> {
    Ok(cast(array, &DataType::Float32)?.as_primitive::<Float32Type>().clone())
}

impl Vectors {
    pub(super) fn new(
        batch: &RecordBatch,
        columns: &VectorColumns,
        dim: usize,
    ) -> Result<Vectors, ArrowError> {
        let name = match columns {
            VectorColumns::List(i) => *i,
            VectorColumns::Each(list) => {
                debug_assert_eq!(list.len(), dim);
                let values = list.iter().map(|i| floats(batch.column(*i))).collect::<Result<_, _>>()?;
                return Ok(Vectors::Each { values, names: list.clone() });
            }
        };
        let lists = batch.column(name).clone();
        let values = match lists.data_type() {
            DataType::FixedSizeList(..) => floats(lists.as_fixed_size_list().values())?,
            DataType::List(_) => floats(lists.as_list::<i32>().values())?,
            DataType::LargeList(_) => floats(lists.as_list::<i64>().values())?,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => return Ok(Vectors::Bytes { bytes: lists, name }),
            _ => return Ok(Vectors::Text { texts: Texts::new(&lists)?, name }),
        };
        Ok(Vectors::Lists { lists, values, name })
    }

    /// Reads row `i` into `out`, replacing it. `names` are those of the batch's columns.
    pub(super) fn read(
        &self,
        i: usize,
        dim: usize,
        out: &mut Vec<f32>,
        names: &[String],
    ) -> Result<(), Fault> {
        out.clear();
        let column = |i: &usize| names.get(*i).map_or("", |n| n.as_str());
        let null = || Fault::new(Code::BadRow, "the vector is null").fix("leave the row out");
        match self {
            Vectors::Text { texts, name } => {
                let text = texts.get(i).ok_or_else(null).map_err(|f| f.column(column(name)))?;
                list(text.as_bytes(), dim, out).map_err(|f| f.column(column(name)))
            }
            Vectors::Bytes { bytes, name } if bytes.is_valid(i) => {
                float_bytes(bytes_at(bytes, i), dim, out).map_err(|f| f.column(column(name)))
            }
            Vectors::Lists { lists, values, name } if lists.is_valid(i) => {
                read_list(values, range(lists, i), dim, out).map_err(|f| f.column(column(name)))
            }
            Vectors::Each { values, names } => {
                for (ordinal, (values, name)) in values.iter().zip(names).enumerate() {
                    let value = component(values, i, ordinal + 1).map_err(|f| f.column(column(name)))?;
                    out.push(value);
                }
                Ok(())
            }
            Vectors::Bytes { name, .. } | Vectors::Lists { name, .. } => Err(null().column(column(name))),
        }
    }
}

/// The bytes of row `i`.
fn bytes_at(array: &ArrayRef, i: usize) -> &[u8] {
    if let Some(a) = array.as_binary_opt::<i32>() {
        a.value(i)
    } else if let Some(a) = array.as_binary_opt::<i64>() {
        a.value(i)
    } else if let Some(a) = array.as_binary_view_opt() {
        a.value(i)
    } else {
        array.as_fixed_size_binary_opt().map_or(&[], |a| a.value(i))
    }
}

/// Where the values of list `i` lie.
fn range(lists: &ArrayRef, i: usize) -> Range<usize> {
    if let Some(list) = lists.as_fixed_size_list_opt() {
        let len = usize::try_from(list.value_length()).unwrap_or(0);
        let start = list.value_offset_at(i);
        start..start + len
    } else if let Some(list) = lists.as_list_opt::<i32>() {
        offset(list.value_offsets(), i)..offset(list.value_offsets(), i + 1)
    } else if let Some(list) = lists.as_list_opt::<i64>() {
        offset(list.value_offsets(), i)..offset(list.value_offsets(), i + 1)
    } else {
        0..0
    }
}

fn offset<T: Copy + TryInto<usize>>(offsets: &[T], i: usize) -> usize {
    offsets.get(i).and_then(|o| (*o).try_into().ok()).unwrap_or(0)
}

fn read_list(
    values: &Float32Array,
    range: Range<usize>,
    dim: usize,
    out: &mut Vec<f32>,
) -> Result<(), Fault> {
    check_count(range.len(), dim)?;
    let plain = values.values().get(range.clone()).ok_or_else(|| {
        Fault::new(Code::BadRow, "the vector lies outside its column").fix("write the file again")
    })?;
    let nulls = values.nulls().is_some_and(|n| n.slice(range.start, range.len()).null_count() > 0);
    if nulls || !plain.iter().all(|v| v.is_finite()) {
        for (ordinal, i) in range.enumerate() {
            component(values, i, ordinal + 1)?;
        }
    }
    // Adding zero makes -0.0 a 0.0 and changes nothing else.
    out.extend(plain.iter().map(|v| v + 0.0));
    Ok(())
}

fn component(values: &Float32Array, i: usize, ordinal: usize) -> Result<f32, Fault> {
    if values.is_null(i) {
        return Err(Fault::new(Code::BadRow, format!("value {ordinal} of the vector is null"))
            .fix("every value must be a finite 32-bit float"));
    }
    let value = values.value(i);
    if value.is_finite() { Ok(value + 0.0) } else { Err(infinite(value, ordinal)) }
}
