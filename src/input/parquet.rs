//! Parquet: only the columns that are needed, a thousand rows at a time.

use super::arrow::{Batches, TableReader, find_columns};
use super::columns::{Columns, VectorColumns};
use super::guard::decode;
use super::options::InputOptions;
use super::sources::open_file;
use super::{Checkpoint, STDIN};
use crate::error::{Code, Error, Result};
use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;
use std::path::{Path, PathBuf};

/// How many times its size a file may say it holds, beyond [`ALWAYS_TAKEN`].
pub(super) const MAX_RATIO: u64 = 200;
/// Bytes that a file may say it holds whatever its size.
pub(super) const ALWAYS_TAKEN: u64 = 1 << 30;

/// Bytes of vectors that are decoded at once, about.
const BATCH_BYTES: usize = 8 << 20;

struct Source {
    reader: ParquetRecordBatchReader,
    path: PathBuf,
}

impl Batches for Source {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Source { reader, path } = self;
        decode(path, || reader.next().transpose())
    }
}

/// Opens a file at a row.
pub(super) fn open(path: &Path, options: &InputOptions, from: Option<&Checkpoint>) -> Result<TableReader> {
    if path.as_os_str() == STDIN {
        return Err(from_stdin());
    }
    let file = open_file(path)?;
    let len = file.metadata().map_err(|e| Error::io("stat", path, &e))?.len();
    let builder = decode(path, || ParquetRecordBatchReaderBuilder::try_new(file))?;
    let columns = find_columns(builder.schema(), options, path)?;
    let roots = columns.all();
    check_sizes(builder.metadata(), &roots, len, path)?;
    let rows = from.map_or(0, |c| c.rows);
    let skip = usize::try_from(rows)
        .map_err(|_| Error::internal("a checkpoint beyond the address space").file(path))?;
    let batch = (BATCH_BYTES / (options.dim * 4)).clamp(64, 8192);
    let reader = decode(path, || {
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
        builder.with_projection(mask).with_batch_size(batch).with_offset(skip).build()
    })?;
    let source = Source { reader, path: path.to_owned() };
    Ok(TableReader::new(Box::new(source), project(columns, &roots), options, path, rows, 0))
}

/// The error for Parquet through a pipe.
pub(super) fn from_stdin() -> Error {
    Error::usage("Parquet cannot be read from standard input, its directory is at the end")
        .fix("give the file's name, or write Arrow or jsonl")
}

/// The same columns as ordinals among those that are read.
fn project(columns: Columns, roots: &[usize]) -> Columns {
    let at = |i: usize| roots.partition_point(|r| *r < i);
    Columns {
        entity: at(columns.entity),
        t: at(columns.t),
        vector: match columns.vector {
            VectorColumns::List(i) => VectorColumns::List(at(i)),
            VectorColumns::Each(list) => VectorColumns::Each(list.into_iter().map(at).collect()),
        },
        meta: columns.meta.map(at),
        others: columns.others.into_iter().map(at).collect(),
        source: columns.source.map(at),
        model: columns.model.map(at),
    }
}

/// Refuses a file whose directory promises more than its bytes can reasonably hold.
pub(super) fn check_sizes(metadata: &ParquetMetaData, roots: &[usize], len: u64, path: &Path) -> Result<()> {
    let schema = metadata.file_metadata().schema_descr();
    let mut total = 0u64;
    for group in metadata.row_groups() {
        for (leaf, column) in group.columns().iter().enumerate() {
            if leaf < schema.num_columns() && roots.contains(&schema.get_column_root_idx(leaf)) {
                let size = u64::try_from(column.uncompressed_size()).unwrap_or(u64::MAX);
                total = total.saturating_add(size);
            }
        }
    }
    if total <= ALWAYS_TAKEN.max(len.saturating_mul(MAX_RATIO)) {
        return Ok(());
    }
    Err(Error::new(Code::BadFile, format!("the file has {len} bytes and says that it unpacks to {total}"))
        .file(path)
        .fix("it looks damaged or made to do harm; write it again"))
}
