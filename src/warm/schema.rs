//! The columns of a warm file, and how each is stored.

use crate::format::DatasetId;
use crate::format::container::Seal;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{BloomFilterPosition, EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::sync::Arc;

/// Bytes of vectors in a row group, before compression.
const GROUP_BYTES: usize = 32 << 20;
/// Bytes of vectors in a page, before compression: a trajectory of a hundred rows is a few pages.
const VECTOR_PAGE_BYTES: usize = 128 << 10;
/// Rows in a page of keys.
const KEY_PAGE_ROWS: usize = 2048;
/// Bytes in a page of anything but vectors.
const PAGE_BYTES: usize = 128 << 10;

/// Bytes of the hash of a row's content.
pub const HASH_BYTES: i32 = 16;
/// The columns, `entity` only with named entities.
const NAMES: [&str; 10] = [
    "entity_id",
    "entity",
    "timestamp",
    "vector",
    "metadata",
    "source",
    "model",
    "seq",
    "approx",
    "original_hash",
];

/// What a file must be to be opened: from the manifest.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    /// The dataset.
    pub dataset: DatasetId,
    /// The file's id.
    pub id: u64,
    /// Its length and root checksum.
    pub seal: Seal,
    /// Its rows.
    pub rows: u64,
    /// Dimension.
    pub dim: usize,
    /// True when entities have names.
    pub named: bool,
}

/// Which columns a read decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// Entity, timestamp, seq, and the hashes of lost originals.
    pub keys: bool,
    /// Vectors.
    pub vectors: bool,
    /// Metadata.
    pub metadata: bool,
    /// Source and model.
    pub origins: bool,
}

impl Columns {
    /// Everything.
    pub const ALL: Columns = Columns { keys: true, vectors: true, metadata: true, origins: true };
    /// Keys, sequence numbers and the approx mark only.
    pub const KEYS: Columns = Columns { keys: true, vectors: false, metadata: false, origins: false };
    /// Keys and vectors.
    pub const VECTORS: Columns = Columns { keys: true, vectors: true, metadata: false, origins: false };
    /// What is small: everything but vectors and metadata.
    pub const TABLE: Columns = Columns { keys: true, vectors: false, metadata: false, origins: true };
    /// Metadata alone.
    pub const METADATA: Columns = Columns { keys: false, vectors: false, metadata: true, origins: false };
    /// Vectors alone.
    pub const PLAIN_VECTORS: Columns =
        Columns { keys: false, vectors: true, metadata: false, origins: false };
}

/// What sets the columns of one dataset's files apart from another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Dimension.
    pub dim: usize,
    /// True when entities have names.
    pub named: bool,
}

impl Shape {
    /// Rows of a row group.
    pub fn group_rows(self) -> usize {
        (GROUP_BYTES / (self.dim * 4)).clamp(2048, 128 * 1024)
    }

    /// Rows of a page of vectors.
    pub fn vector_page_rows(self) -> usize {
        (VECTOR_PAGE_BYTES / (self.dim * 4)).clamp(8, KEY_PAGE_ROWS)
    }

    /// The Arrow schema.
    pub fn schema(self) -> Schema {
        let dim = i32::try_from(self.dim).unwrap_or(i32::MAX);
        let item = Arc::new(Field::new("item", DataType::Float32, false));
        let mut fields = vec![Field::new("entity_id", DataType::UInt64, false)];
        if self.named {
            fields.push(Field::new("entity", DataType::Utf8, false));
        }
        fields.extend([
            Field::new("timestamp", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
            Field::new("vector", DataType::FixedSizeList(item, dim), false),
            Field::new("metadata", DataType::Utf8, true),
            Field::new("source", DataType::Utf8, true),
            Field::new("model", DataType::Utf8, true),
            Field::new("seq", DataType::UInt64, false),
            Field::new("approx", DataType::Boolean, false),
            Field::new("original_hash", DataType::FixedSizeBinary(HASH_BYTES), true),
        ]);
        Schema::new(fields)
    }

    /// Number of leaf columns, which is that of the columns.
    pub fn columns(self) -> usize {
        9 + usize::from(self.named)
    }

    /// Ordinal of a leaf column by name.
    pub fn column(self, name: &str) -> usize {
        let at = NAMES.iter().filter(|n| self.named || **n != "entity").position(|n| *n == name);
        at.unwrap_or(0)
    }

    /// How the columns are stored.
    pub fn properties(self) -> WriterProperties {
        // A path of parts: one text with dots in it matches no column, silently.
        let vector = path(&["vector", "list", "item"]);
        let (entity, time) = (path(&["entity_id"]), path(&["timestamp"]));
        let keys = [self.column("entity_id"), self.column("timestamp")];
        let sorted =
            keys.map(|c| SortingColumn { column_idx: c as i32, descending: false, nulls_first: false });
        let mut p = WriterProperties::builder()
            .set_created_by(concat!("cvx version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_sorting_columns(Some(sorted.to_vec()))
            .set_max_row_group_row_count(Some(self.group_rows()))
            .set_data_page_row_count_limit(KEY_PAGE_ROWS)
            .set_data_page_size_limit(PAGE_BYTES)
            // Limits of pages are looked at once a batch.
            .set_write_batch_size(self.vector_page_rows())
            .set_column_data_page_row_count_limit(vector.clone(), self.vector_page_rows())
            .set_column_data_page_size_limit(vector.clone(), 2 * VECTOR_PAGE_BYTES)
            .set_column_encoding(vector.clone(), Encoding::BYTE_STREAM_SPLIT)
            .set_column_dictionary_enabled(vector.clone(), false)
            .set_column_statistics_enabled(vector, EnabledStatistics::None)
            .set_bloom_filter_position(BloomFilterPosition::AfterRowGroup)
            .set_column_bloom_filter_enabled(entity.clone(), true)
            .set_column_bloom_filter_max_ndv(entity.clone(), self.group_rows() as u64);
        for column in [entity, time, path(&["seq"])] {
            p = p
                .set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_dictionary_enabled(column, false);
        }
        p.build()
    }
}

fn path(parts: &[&str]) -> ColumnPath {
    ColumnPath::from(parts.iter().map(|p| (*p).to_owned()).collect::<Vec<String>>())
}
