//! Rows to Arrow record batches and back.

use super::schema::{Columns, HASH_BYTES, Shape};
use crate::error::{Error, Result};
use crate::points::{KeptPoints, Origin, Texts};
use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, RecordBatch, StringArray,
};
use arrow_array::{TimestampMicrosecondArray, UInt64Array};
use arrow_schema::{DataType, Schema};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// A record batch of rows; `names` holds the entity's name of each row where the shape has names.
pub fn to_batch(
    shape: Shape,
    schema: &Arc<Schema>,
    rows: &KeptPoints,
    names: Option<&Texts>,
) -> Result<RecordBatch> {
    let points = &rows.points;
    let internal = |e: arrow_schema::ArrowError| Error::internal(format!("warm batch: {e}"));
    let DataType::FixedSizeList(item, dim) = schema.field(shape.column("vector")).data_type() else {
        return Err(Error::internal("the vector column is no list"));
    };
    let values: ArrayRef = Arc::new(Float32Array::from(points.x.clone()));
    let vectors = FixedSizeListArray::try_new(item.clone(), *dim, values, None).map_err(internal)?;
    let origin = |i: &u32| points.origins.get(*i as usize);
    let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(points.entity.clone()))];
    if shape.named {
        let names = names.filter(|n| n.len() == rows.len());
        let names = names.ok_or_else(|| Error::internal("rows without their entities' names"))?;
        columns.push(Arc::new(StringArray::from_iter_values(names.iter())));
    }
    let mut hashes = FixedSizeBinaryBuilder::new(HASH_BYTES);
    for hash in &rows.original {
        match hash {
            Some(hash) => hashes.append_value(hash.to_le_bytes()).map_err(internal)?,
            None => hashes.append_null(),
        }
    }
    columns.extend([
        Arc::new(TimestampMicrosecondArray::from(points.t.clone()).with_timezone("UTC")) as ArrayRef,
        Arc::new(vectors),
        texts(points.meta.iter()),
        texts(points.origin.iter().map(|i| origin(i).map_or("", |o| o.source.as_str()))),
        texts(points.origin.iter().map(|i| origin(i).map_or("", |o| o.model.as_str()))),
        Arc::new(UInt64Array::from(rows.seq.clone())),
        Arc::new(rows.original.iter().map(|o| Some(o.is_some())).collect::<BooleanArray>()),
        Arc::new(hashes.finish()),
    ]);
    RecordBatch::try_new(schema.clone(), columns).map_err(internal)
}

/// Empty texts are nulls.
fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    let mut b = StringBuilder::new();
    for v in values {
        b.append_option(if v.is_empty() { None } else { Some(v) });
    }
    Arc::new(b.finish())
}

/// Appends a record batch, which holds the columns asked for, to `rows`.
pub fn append(path: &Path, batch: &RecordBatch, what: Columns, rows: &mut KeptPoints) -> Result<()> {
    let column = |name: &str| batch.column_by_name(name).filter(|c| may_be_null(name) || c.null_count() == 0);
    let missing = |name: &str| Error::damaged(path, format!("column {name} is missing or has nulls"));
    let numbers = |name: &str| {
        column(name).and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(|| missing(name))
    };
    if what.keys {
        rows.points.entity.extend_from_slice(numbers("entity_id")?.values());
        rows.seq.extend_from_slice(numbers("seq")?.values());
        let time = column("timestamp").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        rows.points.t.extend_from_slice(time.ok_or_else(|| missing("timestamp"))?.values());
        let approx = column("approx").and_then(|c| c.as_boolean_opt()).ok_or_else(|| missing("approx"))?;
        let hashes = column("original_hash").and_then(|c| c.as_fixed_size_binary_opt());
        let hashes = hashes.ok_or_else(|| missing("original_hash"))?;
        for (approx, hash) in approx.iter().zip(hashes) {
            let hash = hash.and_then(|h| h.try_into().ok()).map(u128::from_le_bytes);
            if hash.is_some() != approx.unwrap_or(false) {
                return Err(Error::damaged(
                    path,
                    "a row is approximate without a hash of its original, or not and has one",
                ));
            }
            rows.original.push(hash);
        }
    }
    if what.vectors {
        let values = column("vector")
            .and_then(|c| c.as_fixed_size_list_opt())
            .map(|l| l.values().clone())
            .filter(|v| v.null_count() == 0 && v.len() == batch.num_rows() * rows.points.dim);
        let values = values.as_ref().and_then(|v| v.as_primitive_opt::<Float32Type>());
        rows.points.x.extend_from_slice(values.ok_or_else(|| missing("vector"))?.values());
    }
    let text = |name: &str| column(name).and_then(|c| c.as_string_opt::<i32>()).ok_or_else(|| missing(name));
    if what.metadata {
        text("metadata")?.iter().for_each(|v| rows.points.meta.push(v.unwrap_or("")));
    } else if what.keys {
        (0..batch.num_rows()).for_each(|_| rows.points.meta.push(""));
    }
    if what.origins {
        append_origins(text("source")?, text("model")?, rows);
    } else if what.keys {
        let unknown = rows.points.intern(&Origin::default());
        rows.points.origin.resize(rows.points.entity.len(), unknown);
    }
    Ok(())
}

fn may_be_null(name: &str) -> bool {
    ["metadata", "source", "model", "original_hash"].contains(&name)
}

fn append_origins(source: &StringArray, model: &StringArray, rows: &mut KeptPoints) {
    let mut known: HashMap<(&str, &str), u32> = HashMap::new();
    for (source, model) in source.iter().zip(model) {
        let (source, model) = (source.unwrap_or(""), model.unwrap_or(""));
        let points = &mut rows.points;
        let at = *known
            .entry((source, model))
            .or_insert_with(|| points.intern(&Origin { source: source.to_owned(), model: model.to_owned() }));
        points.origin.push(at);
    }
}
