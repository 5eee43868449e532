//! Shards in Parquet and Arrow files: rows of record batches.

use super::shard::{self, Run};
use crate::error::{Code, Error, Result};
use crate::output::arrow::{Batches as Encoder, Columnar};
use crate::output::encode::Encode;
use crate::output::layout::Slot;
use crate::output::row::{Cell, Type};
use crate::output::style::{Format, Stamp};
use crate::output::target::Target;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_schema::{ArrowError, DataType, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Begins the names of metadata that cvx wrote.
const PREFIX: &str = "cvx.";

/// Rows of a file, batch by batch.
pub struct Batches {
    path: PathBuf,
    schema: SchemaRef,
    reader: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>,
    batch: Option<RecordBatch>,
    row: usize,
    entity: Option<u64>,
}

fn unreadable(path: &Path, e: impl std::fmt::Display) -> Error {
    Error::new(Code::BadFile, format!("the file cannot be read: {e}")).file(path)
}

type Opened = (SchemaRef, Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>);

fn open(path: &Path, format: Format) -> Result<Opened> {
    let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
    if format == Format::Parquet {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| unreadable(path, e))?;
        let schema = builder.schema().clone();
        Ok((schema, Box::new(builder.build().map_err(|e| unreadable(path, e))?)))
    } else {
        let reader = FileReader::try_new(file, None).map_err(|e| unreadable(path, e))?;
        Ok((reader.schema(), Box::new(reader)))
    }
}

/// What the file's metadata says of its run.
pub fn run_of(path: &Path, format: Format) -> Result<Run> {
    let (schema, _) = open(path, format)?;
    let ours = schema.metadata().iter().filter_map(|(k, v)| Some((k.strip_prefix(PREFIX)?, v)));
    Ok(ours.map(|(k, v)| (k.to_string(), v.clone())).collect())
}

impl Batches {
    /// Opens a file at its first row.
    pub fn open(path: &Path, format: Format) -> Result<Batches> {
        let (schema, reader) = open(path, format)?;
        let path = path.to_path_buf();
        let mut out = Batches { path, schema, reader, batch: None, row: 0, entity: None };
        if out.schema.index_of("entity_id").is_err() {
            return Err(unreadable(&out.path, "its rows have no entity_id to be merged by"));
        }
        out.load()?;
        Ok(out)
    }

    /// Goes on to the next batch with a row.
    fn load(&mut self) -> Result<()> {
        loop {
            self.batch = self.reader.next().transpose().map_err(|e| unreadable(&self.path, e))?;
            self.row = 0;
            if self.batch.as_ref().is_none_or(|b| b.num_rows() > 0) {
                return self.find_entity();
            }
        }
    }

    fn find_entity(&mut self) -> Result<()> {
        self.entity = match &self.batch {
            None => None,
            Some(batch) => {
                let ids = batch.column_by_name("entity_id").and_then(|c| c.as_primitive_opt::<UInt64Type>());
                let ids = ids.ok_or_else(|| unreadable(&self.path, "entity_id does not hold ids"))?;
                Some(ids.value(self.row))
            }
        };
        Ok(())
    }
}

impl shard::Rows for Batches {
    fn entity(&self) -> Option<u64> {
        self.entity
    }

    fn advance(&mut self) -> Result<()> {
        self.row += 1;
        match &self.batch {
            Some(batch) if self.row < batch.num_rows() => self.find_entity(),
            _ => self.load(),
        }
    }
}

/// Encodes rows as a run without shards does.
pub struct Sink {
    encoder: Encoder,
}

impl Sink {
    pub fn new(
        files: &[PathBuf],
        sources: &[Batches],
        format: Format,
        stamp: &Stamp,
        target: &Target,
    ) -> Result<Sink> {
        let (Some(path), Some(first)) = (files.first(), sources.first()) else {
            return Err(Error::internal("a merge of nothing"));
        };
        if let Some(other) = sources.iter().find(|s| s.schema.fields() != first.schema.fields()) {
            return Err(unreadable(&other.path, "its columns are not those of the other shards"));
        }
        let (slots, dim) =
            slots(&first.schema).ok_or_else(|| unreadable(path, "cvx wrote no such columns"))?;
        let kind = match (format, target) {
            (Format::Parquet, _) => Columnar::Parquet,
            (_, Target::File { .. }) => Columnar::ArrowFile,
            _ => Columnar::ArrowStream,
        };
        Ok(Sink { encoder: Encoder::new(slots, dim, stamp, kind) })
    }
}

impl shard::Sink<Batches> for Sink {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.encoder.begin(out)
    }

    fn row(&mut self, from: &Batches, out: &mut Vec<u8>) -> Result<()> {
        let Some(batch) = &from.batch else { return Err(Error::internal("a row behind the last")) };
        let vectors: Vec<Option<arrow_array::ArrayRef>> = batch
            .columns()
            .iter()
            .map(|c| c.as_fixed_size_list_opt().filter(|l| l.is_valid(from.row)).map(|l| l.value(from.row)))
            .collect();
        let cells: Option<Vec<Cell<'_>>> =
            batch.columns().iter().zip(&vectors).map(|(c, v)| cell(c, v.as_ref(), from.row)).collect();
        let cells = cells.ok_or_else(|| unreadable(&from.path, "a column holds what cvx never writes"))?;
        self.encoder.row(&cells, out)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.encoder.end(out)
    }
}

/// The columns of a schema that cvx wrote, and the length of its vectors.
fn slots(schema: &SchemaRef) -> Option<(Vec<Slot>, usize)> {
    let mut dim = 0;
    let mut slots = Vec::new();
    for (source, field) in schema.fields().iter().enumerate() {
        let kind = match field.data_type() {
            DataType::UInt64 => Type::U64,
            DataType::Int64 => Type::I64,
            DataType::Float32 => Type::F32,
            DataType::Float64 => Type::F64,
            DataType::Boolean => Type::Bool,
            DataType::Utf8 => Type::Text,
            DataType::Timestamp(..) => Type::Time,
            DataType::FixedSizeList(_, n) => {
                dim = usize::try_from(*n).ok()?;
                Type::Vector
            }
            _ => return None,
        };
        let (name, nullable) = (field.name().clone(), field.is_nullable());
        slots.push(Slot { name, kind, nullable, wide: false, source, component: None });
    }
    Some((slots, dim))
}

/// The value of a column in a row.
fn cell<'a>(
    column: &'a arrow_array::ArrayRef,
    vector: Option<&'a arrow_array::ArrayRef>,
    row: usize,
) -> Option<Cell<'a>> {
    if column.is_null(row) {
        return Some(Cell::Null);
    }
    Some(match column.data_type() {
        DataType::UInt64 => Cell::U64(column.as_primitive_opt::<UInt64Type>()?.value(row)),
        DataType::Int64 => Cell::I64(column.as_primitive_opt::<Int64Type>()?.value(row)),
        DataType::Float32 => Cell::F32(column.as_primitive_opt::<Float32Type>()?.value(row)),
        DataType::Float64 => Cell::F64(column.as_primitive_opt::<Float64Type>()?.value(row)),
        DataType::Boolean => Cell::Bool(column.as_boolean_opt()?.value(row)),
        DataType::Utf8 => Cell::Text(column.as_string_opt::<i32>()?.value(row)),
        DataType::Timestamp(..) => {
            Cell::Time(column.as_primitive_opt::<TimestampMicrosecondType>()?.value(row))
        }
        DataType::FixedSizeList(..) => Cell::Vector(vector?.as_primitive_opt::<Float32Type>()?.values()),
        _ => return None,
    })
}
