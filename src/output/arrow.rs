//! Parquet and Arrow IPC: typed columns, known even for no rows, with the run in the schema's
//! metadata.

use super::encode::Encode;
use super::layout::Slot;
use super::row::{Cell, Type};
use super::style::Stamp;
use super::text;
use crate::error::{Error, Result};
use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, FixedSizeListBuilder, Float32Builder, Float64Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::collections::HashMap;
use std::sync::Arc;

/// Rows of one batch.
const BATCH: usize = 8_192;

/// How batches become bytes.
enum Writer {
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Stream(Box<StreamWriter<Vec<u8>>>),
    File(Box<FileWriter<Vec<u8>>>),
}

/// Which of the columnar formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columnar {
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC stream, for pipes.
    ArrowStream,
    /// An Arrow IPC file, for files.
    ArrowFile,
}

/// Writes rows as record batches.
pub struct Batches {
    slots: Vec<Slot>,
    schema: SchemaRef,
    columns: Vec<Values>,
    rows: usize,
    kind: Columnar,
    writer: Option<Writer>,
}

impl Batches {
    /// `dim`: the length of every vector.
    pub fn new(slots: Vec<Slot>, dim: usize, stamp: &Stamp, kind: Columnar) -> Self {
        let fields: Vec<Field> =
            slots.iter().map(|s| Field::new(&s.name, data_type(s.kind, dim), s.nullable)).collect();
        let metadata: HashMap<String, String> =
            stamp.iter().map(|(k, v)| (format!("cvx.{k}"), v.clone())).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        let columns = slots.iter().map(|s| Values::new(s.kind, dim)).collect();
        Batches { slots, schema, columns, rows: 0, kind, writer: None }
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.rows > 0 {
            let columns = self.columns.iter_mut().map(Values::finish).collect();
            let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(failed)?;
            self.rows = 0;
            match self.writer.as_mut() {
                Some(Writer::Parquet(w)) => w.write(&batch).map_err(failed)?,
                Some(Writer::Stream(w)) => w.write(&batch).map_err(failed)?,
                Some(Writer::File(w)) => w.write(&batch).map_err(failed)?,
                None => return Err(Error::internal("rows before the schema")),
            }
        }
        self.drain(out);
        Ok(())
    }

    /// Moves what the writer has made to `out`; the writers count their offsets themselves.
    fn drain(&mut self, out: &mut Vec<u8>) {
        match self.writer.as_mut() {
            Some(Writer::Parquet(w)) => out.append(w.inner_mut()),
            Some(Writer::Stream(w)) => out.append(w.get_mut()),
            Some(Writer::File(w)) => out.append(w.get_mut()),
            None => {}
        }
    }
}

fn failed(e: impl std::fmt::Display) -> Error {
    Error::internal(format!("cannot encode the output: {e}"))
}

fn data_type(kind: Type, dim: usize) -> DataType {
    match kind {
        Type::Id | Type::U64 => DataType::UInt64,
        Type::I64 => DataType::Int64,
        Type::F32 => DataType::Float32,
        Type::F64 => DataType::Float64,
        Type::Bool => DataType::Boolean,
        Type::Text | Type::Json => DataType::Utf8,
        Type::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::Vector => DataType::FixedSizeList(Arc::new(component()), dim as i32),
    }
}

fn component() -> Field {
    Field::new("item", DataType::Float32, false)
}

impl Encode for Batches {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let schema = self.schema.clone();
        self.writer = Some(match self.kind {
            Columnar::Parquet => {
                let zstd = Compression::ZSTD(ZstdLevel::default());
                // Also as the file's own pairs, for readers that know nothing of Arrow schemas.
                let pairs = schema.metadata().iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone()));
                let mut pairs: Vec<KeyValue> = pairs.collect();
                pairs.sort_by(|a, b| a.key.cmp(&b.key));
                let properties = WriterProperties::builder()
                    .set_compression(zstd)
                    .set_created_by(format!("cvx {}", env!("CARGO_PKG_VERSION")))
                    .set_key_value_metadata(Some(pairs))
                    .build();
                let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(failed)?;
                Writer::Parquet(Box::new(writer))
            }
            Columnar::ArrowStream => {
                Writer::Stream(Box::new(StreamWriter::try_new(Vec::new(), &schema).map_err(failed)?))
            }
            Columnar::ArrowFile => {
                Writer::File(Box::new(FileWriter::try_new(Vec::new(), &schema).map_err(failed)?))
            }
        });
        self.drain(out);
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Result<()> {
        for (slot, column) in self.slots.iter().zip(&mut self.columns) {
            column.push(slot.pick(cells))?;
        }
        self.rows += 1;
        if self.rows == BATCH { self.flush(out) } else { Ok(()) }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.flush(out)?;
        match self.writer.as_mut() {
            Some(Writer::Parquet(w)) => {
                w.finish().map_err(failed)?;
            }
            Some(Writer::Stream(w)) => w.finish().map_err(failed)?,
            Some(Writer::File(w)) => w.finish().map_err(failed)?,
            None => return Err(Error::internal("output ended before it began")),
        }
        self.drain(out);
        Ok(())
    }
}

/// The values of one column of a batch.
enum Values {
    U64(UInt64Builder),
    I64(Int64Builder),
    F32(Float32Builder),
    F64(Float64Builder),
    Bool(BooleanBuilder),
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
    Vector(FixedSizeListBuilder<Float32Builder>, usize),
}

impl Values {
    fn new(kind: Type, dim: usize) -> Self {
        match kind {
            Type::Id | Type::U64 => Values::U64(UInt64Builder::new()),
            Type::I64 => Values::I64(Int64Builder::new()),
            Type::F32 => Values::F32(Float32Builder::new()),
            Type::F64 => Values::F64(Float64Builder::new()),
            Type::Bool => Values::Bool(BooleanBuilder::new()),
            Type::Text | Type::Json => Values::Text(StringBuilder::new()),
            Type::Time => Values::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Type::Vector => Values::Vector(
                FixedSizeListBuilder::new(Float32Builder::new(), dim as i32).with_field(component()),
                dim,
            ),
        }
    }

    fn push(&mut self, cell: Cell<'_>) -> Result<()> {
        match (self, cell) {
            (Values::U64(b), Cell::Id(v) | Cell::U64(v)) => b.append_value(v),
            (Values::U64(b), Cell::Null) => b.append_null(),
            (Values::I64(b), Cell::I64(v)) => b.append_value(v),
            (Values::I64(b), Cell::Null) => b.append_null(),
            (Values::F32(b), Cell::F32(v)) => b.append_value(v),
            (Values::F32(b), Cell::Null) => b.append_null(),
            (Values::F64(b), Cell::F64(v)) => b.append_value(v),
            (Values::F64(b), Cell::Null) => b.append_null(),
            (Values::Bool(b), Cell::Bool(v)) => b.append_value(v),
            (Values::Bool(b), Cell::Null) => b.append_null(),
            (Values::Text(b), Cell::Text(v) | Cell::Json(v) | Cell::Meta(v)) => b.append_value(v),
            (Values::Text(b), Cell::U64(v)) => b.append_value(v.to_string()),
            (Values::Text(b), Cell::Vector(v)) => b.append_value(base64(v)),
            (Values::Text(b), Cell::Null) => b.append_null(),
            (Values::Time(b), Cell::Time(v)) => b.append_value(v),
            (Values::Time(b), Cell::Null) => b.append_null(),
            (Values::Vector(b, dim), Cell::Vector(v)) if v.len() == *dim => {
                b.values().append_slice(v);
                b.append(true);
            }
            (Values::Vector(b, dim), Cell::Null) => {
                b.values().append_value_n(0.0, *dim);
                b.append(false);
            }
            (_, cell) => return Err(Error::internal(format!("a column cannot hold {cell:?}"))),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        let builder: &mut dyn ArrayBuilder = match self {
            Values::U64(b) => b,
            Values::I64(b) => b,
            Values::F32(b) => b,
            Values::F64(b) => b,
            Values::Bool(b) => b,
            Values::Text(b) => b,
            Values::Time(b) => b,
            Values::Vector(b, _) => b,
        };
        builder.finish()
    }
}

fn base64(v: &[f32]) -> String {
    let mut out = Vec::new();
    text::push_base64(&mut out, v);
    String::from_utf8_lossy(&out).into_owned()
}
