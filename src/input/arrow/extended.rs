//! Record batches with the columns that [`derive`](crate::input::derived::derive) adds behind their own.

use super::batches::Batches;
use super::json;
use crate::error::Result;
use crate::input::derived::{Derived, From};
use crate::input::guard::decode;
use crate::input::nested;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, NullArray, RecordBatch, StringArray, StructArray, make_array};
use arrow_buffer::NullBuffer;
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use std::path::PathBuf;
use std::sync::Arc;

/// A schema with the derived columns.
pub(in crate::input) fn schema(schema: &Schema, derived: &[Derived]) -> Schema {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    for column in derived {
        let field = match &column.from {
            From::Text(_) => None,
            From::Field { root, path } => type_at(schema.field(*root).data_type(), path),
        };
        fields.push(match field {
            Some(field) => Arc::new(field.with_name(&column.name).with_nullable(true)),
            None => Arc::new(Field::new(&column.name, DataType::Utf8, true)),
        });
    }
    Schema::new(fields)
}

/// The field at the end of a path; `None` where the path goes through a map or text.
fn type_at(data_type: &DataType, path: &[String]) -> Option<Field> {
    let (first, rest) = path.split_first()?;
    let DataType::Struct(fields) = data_type else { return None };
    let (_, field) = fields.find(first)?;
    if rest.is_empty() { Some(Field::clone(field)) } else { type_at(field.data_type(), rest) }
}

/// Batches, each with the derived columns.
pub(in crate::input) struct Extended {
    pub inner: Box<dyn Batches>,
    /// Ordinals are those of the batches.
    pub derived: Vec<Derived>,
    pub path: PathBuf,
}

impl Batches for Extended {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.inner.next()? else { return Ok(None) };
        decode(&self.path, || extend(&batch, &self.derived)).map(Some)
    }
}

fn extend(batch: &RecordBatch, derived: &[Derived]) -> Result<RecordBatch, ArrowError> {
    let rows = batch.num_rows();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    let mut made = Vec::with_capacity(derived.len());
    for column in derived {
        made.push(match &column.from {
            From::Text(text) => {
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))) as ArrayRef
            }
            From::Field { root, path } => field(batch.column(*root), path)?,
        });
    }
    for column in derived.iter().filter(|d| d.taken) {
        if let From::Field { root, path } = &column.from {
            columns[*root] = without(&columns[*root], path)?;
        }
    }
    let names = batch.schema();
    let names = names.fields().iter().map(|f| f.name()).chain(derived.iter().map(|d| &d.name));
    columns.extend(made);
    let fields: Vec<Field> =
        names.zip(&columns).map(|(name, c)| Field::new(name, c.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// The column of a field inside another: of a struct the field itself, of a map or of JSON text a text.
fn field(array: &ArrayRef, path: &[String]) -> Result<ArrayRef, ArrowError> {
    let Some((first, rest)) = path.split_first() else { return Ok(array.clone()) };
    if let Some(parent) = array.as_struct_opt() {
        let Some(child) = parent.column_by_name(first) else {
            return Ok(Arc::new(NullArray::new(array.len())));
        };
        let nulls = NullBuffer::union(parent.nulls(), child.nulls());
        let child = match parent.nulls() {
            Some(_) if !matches!(child.data_type(), DataType::Null) => {
                make_array(child.to_data().into_builder().nulls(nulls).build()?)
            }
            _ => child.clone(),
        };
        return field(&child, rest);
    }
    let cells = (0..array.len()).map(|i| cell(array, i, path));
    Ok(Arc::new(cells.collect::<Result<StringArray, _>>()?))
}

/// The field of row `i` of a map or of JSON text, as a cell of a table holds it.
fn cell(array: &ArrayRef, i: usize, path: &[String]) -> Result<Option<String>, ArrowError> {
    if array.is_null(i) {
        return Ok(None);
    }
    let mut json = json::Json::default();
    let longest = crate::model::MAX_DIM * 32;
    json::write(array, i, &mut json, 0, longest).map_err(|f| ArrowError::CastError(f.message))?;
    let found = nested::find(&json.text, path).filter(|json| json != "null");
    Ok(found.map(|json| nested::as_cell(json).into_owned()))
}

/// A column without the field: a struct loses it, JSON text is written anew, a map stays as it is.
fn without(array: &ArrayRef, path: &[String]) -> Result<ArrayRef, ArrowError> {
    let Some((first, rest)) = path.split_first() else { return Ok(array.clone()) };
    if let Some(parent) = array.as_struct_opt() {
        let (mut fields, mut children) = (Vec::new(), Vec::new());
        for (name, child) in parent.column_names().into_iter().zip(parent.columns()) {
            let child = match name == first {
                true if rest.is_empty() => continue,
                true => without(child, rest)?,
                false => child.clone(),
            };
            fields.push(Field::new(name, child.data_type().clone(), true));
            children.push(child);
        }
        if children.is_empty() {
            return Ok(Arc::new(NullArray::new(array.len())));
        }
        return Ok(Arc::new(StructArray::try_new(fields.into(), children, parent.nulls().cloned())?));
    }
    if !super::texts::is_text(array.data_type()) {
        return Ok(array.clone());
    }
    let texts = cast(array, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>().iter();
    let left = texts.map(|text| text.map(|t| nested::without(t, path).unwrap_or_else(|| t.to_owned())));
    Ok(Arc::new(left.collect::<StringArray>()))
}
