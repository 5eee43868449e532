//! Parquet: only the columns that are needed, some thousand rows at a time.

mod header;
mod int96;
mod pages;

use super::arrow::{Batches, TableReader, find_columns};
use super::columns::{Columns, VectorColumns};
use super::derived::{Derived, From};
use super::dimension;
use super::guard::{decode, too_large};
use super::options::InputOptions;
use super::reader::Checkpoint;
use super::reader::{Opened, Spec};
use super::sources::open_seekable;
use crate::error::{Code, Error, Result};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use int96::Check;
use pages::{Account, Groups, MEMORY, rows_of};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, RowSelection, RowSelector,
};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::schema::types::SchemaDescriptor;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of vectors that are decoded at once, about.
const BATCH_BYTES: usize = 8 << 20;
/// Memory for pages that is always allowed.
const LEAST_PAGES: usize = 64 << 20;

/// An open file: its directory, and its columns in the types that are read.
pub(super) struct Table {
    file: Arc<File>,
    path: PathBuf,
    metadata: Arc<ParquetMetaData>,
    schema: SchemaRef,
    memory: usize,
}

impl Table {
    /// Opens a file, or a pipe that holds one.
    pub(super) fn open(path: &Path, memory: usize) -> Result<Table> {
        let file = open_seekable(path)?;
        let read = decode(path, || ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()))?;
        let metadata = read.metadata().clone();
        check_whole(&file, &metadata, path)?;
        let mut leaves = 0;
        let descr = metadata.file_metadata().schema_descr();
        let fields = readable(read.schema().fields(), descr, &mut leaves);
        let schema = Arc::new(Schema::new_with_metadata(fields, read.schema().metadata().clone()));
        Ok(Table { file: Arc::new(file), path: path.to_owned(), metadata, schema, memory })
    }

    /// Its columns.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads the columns `roots`, in ascending order, from row `skip` on, `batch` rows at a time.
    pub(super) fn batches(&self, roots: &[usize], batch: usize, skip: u64) -> Result<Box<dyn Batches>> {
        self.check_counts(roots)?;
        let descr = self.metadata.file_metadata().schema_descr();
        let batch = batch.min(self.widest(roots, descr)?).max(1);
        let account = Account::new((self.memory / 2).max(LEAST_PAGES) as u64);
        let groups =
            Groups { file: self.file.clone(), metadata: self.metadata.clone(), account: account.clone() };
        let rows = rows_of(&self.metadata);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(rows);
        let (reader, int96) = decode(&self.path, || {
            let mask = ProjectionMask::roots(descr, roots.iter().copied());
            let levels = parquet_to_arrow_field_levels(descr, mask, Some(self.schema.fields()))?;
            let rest = vec![RowSelector::skip(skip), RowSelector::select(rows - skip)];
            let selection = (skip > 0).then(|| RowSelection::from(rest));
            let again = (batch, selection.clone(), skip as u64);
            let int96 = Check::open(&groups, descr, self.schema.fields(), roots, again)?;
            let reader =
                ParquetRecordBatchReader::try_new_with_row_groups(&levels, &groups, batch, selection)?;
            Ok::<_, parquet::errors::ParquetError>((reader, int96))
        })?;
        let left = (rows - skip) as u64;
        Ok(Box::new(Source { reader, int96, path: self.path.clone(), account, left, rows: rows as u64 }))
    }

    /// Refuses a directory whose counts contradict each other: rows would be left out.
    fn check_counts(&self, roots: &[usize]) -> Result<()> {
        let descr = self.metadata.file_metadata().schema_descr();
        for (ordinal, group) in self.metadata.row_groups().iter().enumerate() {
            for (leaf, column) in group.columns().iter().enumerate() {
                let flat = leaf < descr.num_columns() && descr.column(leaf).max_rep_level() == 0;
                let wanted = flat && roots.contains(&descr.get_column_root_idx(leaf));
                if group.num_rows() < 0 || (wanted && column.num_values() != group.num_rows()) {
                    let message = format!(
                        "the directory contradicts itself: row group {ordinal} has {} rows, and {} values in it",
                        group.num_rows(),
                        column.num_values()
                    );
                    return Err(Error::new(Code::BadFile, message)
                        .file(&self.path)
                        .column(column.column_path().string())
                        .fix("write the file again"));
                }
            }
        }
        Ok(())
    }

    /// Rows whose values of fixed width fit into the memory allowed.
    fn widest(&self, roots: &[usize], descr: &SchemaDescriptor) -> Result<usize> {
        let width = |leaf: usize| match descr.column(leaf).physical_type() {
            Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(descr.column(leaf).type_length()).unwrap_or(0),
            _ => 16,
        };
        let leaves = (0..descr.num_columns()).filter(|l| roots.contains(&descr.get_column_root_idx(*l)));
        let row: usize = leaves.map(width).fold(1, usize::saturating_add);
        match (self.memory / 4).max(LEAST_PAGES) / row {
            0 => Err(too_large(&self.path, &format!("a row has {row} bytes"))),
            n => Ok(n),
        }
    }
}

/// Bytes of a file that its directory may leave out without a further look.
const MAX_GAP: u64 = 64;

/// Refuses a directory that promises more rows than its row groups have, and a file in which
/// another one lies: what `cat` makes of two is read by the second one's directory, whose places
/// are those of the first.
fn check_whole(file: &File, metadata: &ParquetMetaData, path: &Path) -> Result<()> {
    let io = |e: std::io::Error| Error::io("read", path, &e);
    let promised = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    if promised > rows_of(metadata) as u64 {
        let message =
            format!("the directory says {promised} rows, its row groups have {}", rows_of(metadata));
        return Err(Error::new(Code::BadFile, message).file(path).fix("write the file again"));
    }
    let mut end = [0u8; 4];
    let len = file.metadata().map_err(io)?.len();
    file.read_exact_at(&mut end, len.saturating_sub(8)).map_err(io)?;
    let directory = len.saturating_sub(8 + u64::from(u32::from_le_bytes(end)));
    // The crate panics on negative places.
    let ends = || metadata.row_groups().iter().flat_map(|g| g.columns()).map(end_of).max();
    let named = decode(path, || Ok::<_, String>(ends()))?.unwrap_or(0);
    if named == 0 || directory.saturating_sub(named) <= MAX_GAP || !holds_two(file, len).map_err(io)? {
        return Ok(());
    }
    Err(Error::new(Code::BadFile, "several Parquet files lie in this one, one behind the other")
        .file(path)
        .fix("give each as a file of its own"))
}

/// Where the last of what a column chunk names ends.
fn end_of(chunk: &ColumnChunkMetaData) -> u64 {
    let place = |at: Option<i64>, len: Option<i32>| {
        let (at, len) = (u64::try_from(at?).ok()?, u64::try_from(len.unwrap_or(0)).ok()?);
        at.checked_add(len)
    };
    let (start, len) = chunk.byte_range();
    [
        Some(start.saturating_add(len)),
        place(chunk.column_index_offset(), chunk.column_index_length()),
        place(chunk.offset_index_offset(), chunk.offset_index_length()),
        place(chunk.bloom_filter_offset(), chunk.bloom_filter_length()),
    ]
    .into_iter()
    .flatten()
    .max()
    .unwrap_or(0)
}

/// True when the end of one file and the start of another stand side by side.
fn holds_two(file: &File, len: u64) -> std::io::Result<bool> {
    const SEAM: &[u8] = b"PAR1PAR1";
    let mut buffer = vec![0u8; 1 << 20];
    let mut at = 0;
    while at < len {
        let got = file.read_at(&mut buffer, at)?;
        if memchr::memmem::find(&buffer[..got], SEAM).is_some() {
            return Ok(true);
        }
        if got < SEAM.len() {
            break;
        }
        // The seam may lie across two reads.
        at += (got - SEAM.len() + 1) as u64;
    }
    Ok(false)
}

/// The fields as they are read. Texts become views, so that a dictionary's text stands once in
/// memory however many rows name it. INT96 times, which Spark, Hive and Impala write, are read in
/// microseconds: nanoseconds would wrap outside the years 1677 to 2262.
fn readable(fields: &Fields, descr: &SchemaDescriptor, leaf: &mut usize) -> Fields {
    fields.iter().map(|f| readable_field(f, descr, leaf)).collect()
}

fn readable_field(field: &FieldRef, descr: &SchemaDescriptor, leaf: &mut usize) -> FieldRef {
    let mut inner = |f: &FieldRef| readable_field(f, descr, leaf);
    let data_type = match field.data_type() {
        DataType::List(f) => DataType::List(inner(f)),
        DataType::LargeList(f) => DataType::LargeList(inner(f)),
        DataType::FixedSizeList(f, n) => DataType::FixedSizeList(inner(f), *n),
        DataType::Map(f, sorted) => DataType::Map(inner(f), *sorted),
        DataType::Struct(list) => DataType::Struct(readable(list, descr, leaf)),
        other => {
            let int96 = *leaf < descr.num_columns() && descr.column(*leaf).physical_type() == Type::INT96;
            *leaf += 1;
            match other {
                DataType::Timestamp(TimeUnit::Nanosecond, zone) if int96 => {
                    DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
                }
                DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
                DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
                same => same.clone(),
            }
        }
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}

struct Source {
    reader: ParquetRecordBatchReader,
    int96: Option<Check>,
    path: PathBuf,
    account: Arc<Account>,
    /// Rows that the directory promises and that have not come.
    left: u64,
    rows: u64,
}

impl Batches for Source {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Source { reader, path, account, .. } = self;
        let batch = decode(path, || reader.next().transpose()).map_err(|e| of_memory(e, path))?;
        account.batch_is_out();
        match &batch {
            Some(b) => {
                let n = b.num_rows() as u64;
                self.left = self.left.checked_sub(n).ok_or_else(|| self.miscounted("more"))?;
                if let Some(check) = &mut self.int96 {
                    check.step(&self.path).map_err(|e| of_memory(e, &self.path))?;
                }
            }
            None if self.left > 0 => return Err(self.miscounted("fewer")),
            None => {}
        }
        Ok(batch)
    }
}

impl Source {
    fn miscounted(&self, how: &str) -> Error {
        let message = format!("the directory says {} rows, and there are {how}", self.rows);
        Error::new(Code::BadFile, message).file(&self.path).fix("write the file again")
    }
}

/// An error of the account is no fault of the file.
fn of_memory(e: Error, path: &Path) -> Error {
    match e.message().split_once(MEMORY) {
        Some((_, why)) => too_large(path, why.trim()),
        None => e,
    }
}

pub(super) const PARQUET: Spec = Spec {
    name: "parquet",
    endings: &["parquet", "pq"],
    is_text: false,
    open: |path, options, from| {
        let rows = Box::new(open(path, options, from)?);
        Ok(Opened { rows, resumed: from.is_some() })
    },
    dimension: dimension_of,
};

/// Opens a file at a row.
fn open(path: &Path, options: &InputOptions, from: Option<&Checkpoint>) -> Result<TableReader> {
    let table = Table::open(path, options.memory)?;
    let (columns, derived) = find_columns(table.schema(), options, path)?;
    let roots = columns.roots(table.schema().fields().len(), &derived);
    let rows = from.map_or(0, |c| c.rows);
    let batch = (BATCH_BYTES / (options.dim * 4)).clamp(64, 8192);
    let source = table.batches(&roots, batch, rows)?;
    let fields = table.schema().fields().len();
    Ok(TableReader::new(source, project(columns, derived, &roots, fields), options, path, rows, 0))
}

/// The same columns as ordinals among those that are read: `roots` of the `fields` of the file, and the
/// derived ones behind them.
fn project(
    columns: Columns,
    mut derived: Vec<Derived>,
    roots: &[usize],
    fields: usize,
) -> (Columns, Vec<Derived>) {
    let at = |i: usize| match i.checked_sub(fields) {
        None => roots.partition_point(|r| *r < i),
        Some(behind) => roots.len() + behind,
    };
    for column in &mut derived {
        if let From::Field { root, .. } = &mut column.from {
            *root = at(*root);
        }
    }
    let columns = Columns {
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
    };
    (columns, derived)
}

/// Components of the vectors in a file, from its schema or its first row.
fn dimension_of(path: &Path, options: &InputOptions) -> Result<Option<usize>> {
    let table = Table::open(path, options.memory)?;
    let Some(index) = dimension::vector_field(table.schema(), &dimension::columns(options)) else {
        return Ok(dimension::numbered(table.schema()));
    };
    if let Some(n) = dimension::fixed(table.schema().field(index).data_type()) {
        return Ok(Some(n));
    }
    let first = table.batches(&[index], 1, 0)?.next()?;
    first.map_or(Ok(None), |b| dimension::list_len(b.column(0)))
}
