//! INT96 times that 64-bit microseconds do not hold.
//!
//! Such a time is a day, of 32 bits, and nanoseconds in it. The crate turns it into any unit, and wraps where
//! that has too few bits. Seconds always have enough, so the columns are read a second time in seconds, and
//! these are compared with the range of microseconds.

use super::super::guard::decode;
use super::pages::Groups;
use crate::error::{Code, Error, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampSecondType;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Type;
use parquet::schema::types::SchemaDescriptor;
use std::path::Path;
use std::sync::Arc;

/// Seconds that fit into 64-bit microseconds on both sides of 1970.
const MOST: i64 = i64::MAX / 1_000_000;

/// A second reader of the INT96 columns.
pub(super) struct Check {
    reader: ParquetRecordBatchReader,
    /// Rows that were compared.
    rows: u64,
}

impl Check {
    /// For the columns `roots` of `fields`; `None` when none of them holds INT96.
    pub(super) fn open(
        groups: &Groups,
        descr: &SchemaDescriptor,
        fields: &Fields,
        roots: &[usize],
        (batch, selection, skip): (usize, Option<RowSelection>, u64),
    ) -> Result<Option<Check>, parquet::errors::ParquetError> {
        let is_int96 = |leaf: &usize| {
            descr.column(*leaf).physical_type() == Type::INT96
                && roots.contains(&descr.get_column_root_idx(*leaf))
        };
        let leaves: Vec<usize> = (0..descr.num_columns()).filter(is_int96).collect();
        if leaves.is_empty() {
            return Ok(None);
        }
        let mut leaf = 0;
        let fields = in_seconds(fields, descr, &mut leaf);
        let levels =
            parquet_to_arrow_field_levels(descr, ProjectionMask::leaves(descr, leaves), Some(&fields))?;
        let reader = ParquetRecordBatchReader::try_new_with_row_groups(&levels, groups, batch, selection)?;
        Ok(Some(Check { reader, rows: skip }))
    }

    /// Compares the times of the next batch.
    pub(super) fn step(&mut self, path: &Path) -> Result<()> {
        let Some(batch) = decode(path, || self.reader.next().transpose())? else { return Ok(()) };
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if let Some(at) = beyond(column) {
                let row = self.rows + at.unwrap_or(0) as u64 + 1;
                return Err(Error::new(Code::BadFile, "an INT96 time is outside the range of times, -290308-12-22 to 294247-01-10")
                    .file(path)
                    .row(row)
                    .column(field.name().clone())
                    .fix("write the column as 64-bit timestamps; leave the column out with ‹meta› if it is not needed"));
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

/// The first row of a column that holds a time that does not fit; the row of a nested one is not known.
fn beyond(column: &ArrayRef) -> Option<Option<usize>> {
    if let Some(times) = column.as_primitive_opt::<TimestampSecondType>() {
        let fits = |s: i64| (-MOST..=MOST).contains(&s);
        return (0..times.len()).find(|i| times.is_valid(*i) && !fits(times.value(*i))).map(Some);
    }
    let children: Vec<ArrayRef> = match column.data_type() {
        DataType::Struct(_) => column.as_struct().columns().to_vec(),
        DataType::List(_) => vec![column.as_list::<i32>().values().clone()],
        DataType::LargeList(_) => vec![column.as_list::<i64>().values().clone()],
        DataType::FixedSizeList(..) => vec![column.as_fixed_size_list().values().clone()],
        DataType::Map(..) => column.as_map().entries().columns().to_vec(),
        _ => Vec::new(),
    };
    children.iter().find_map(beyond).map(|_| None)
}

/// The fields with INT96 times in seconds.
fn in_seconds(fields: &Fields, descr: &SchemaDescriptor, leaf: &mut usize) -> Fields {
    fields.iter().map(|f| second(f, descr, leaf)).collect()
}

fn second(field: &FieldRef, descr: &SchemaDescriptor, leaf: &mut usize) -> FieldRef {
    let mut inner = |f: &FieldRef| second(f, descr, leaf);
    let data_type = match field.data_type() {
        DataType::List(f) => DataType::List(inner(f)),
        DataType::LargeList(f) => DataType::LargeList(inner(f)),
        DataType::FixedSizeList(f, n) => DataType::FixedSizeList(inner(f), *n),
        DataType::Map(f, sorted) => DataType::Map(inner(f), *sorted),
        DataType::Struct(list) => DataType::Struct(in_seconds(list, descr, leaf)),
        other => {
            let int96 = *leaf < descr.num_columns() && descr.column(*leaf).physical_type() == Type::INT96;
            *leaf += 1;
            match other {
                DataType::Timestamp(_, zone) if int96 => DataType::Timestamp(TimeUnit::Second, zone.clone()),
                same => same.clone(),
            }
        }
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}
