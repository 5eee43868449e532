//! Reads warm files: one entity from a few pages, or everything in batches.

use super::batch::append;
use super::schema::{Columns, Expect, HASH_BYTES, Shape};
use super::select::{self, KeyPage};
use super::source::Source;
use crate::error::{Error, Result};
use crate::format::guard::catch;
use crate::fsio::Bytes;
use crate::model::{EntityId, TimeRange};
use crate::points::{KeptPoints, Summary};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::file::metadata::ParquetMetaData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::Arc;

/// Rows decoded at a time when looking for keys.
const KEY_BATCH: usize = 8192;
/// Pages of vectors that are decoded together.
const CHUNK_PAGES: usize = 4;
/// Longest metadata, source or model text of a row.
const MAX_TEXT: u64 = 64 * 1024;

/// An open warm file. Rows are named by their ordinal.
#[derive(Debug)]
pub struct WarmFile {
    source: Source,
    arrow: ArrowReaderMetadata,
    shape: Shape,
    rows: u64,
    /// First row of each row group, and the number of rows at the end.
    group_starts: Vec<u64>,
    pages: Vec<KeyPage>,
}

impl WarmFile {
    /// Maps the file at `path`; checks and decodes its footer and page indexes. Opening costs
    /// nothing that grows with the vectors.
    pub fn open(path: &Path, expect: &Expect) -> Result<WarmFile> {
        WarmFile::from_bytes(path, Bytes::open(path, expect.seal.len)?, expect)
    }

    /// As [`WarmFile::open`] over bytes at hand; `path` names them in errors.
    pub fn from_bytes(path: &Path, bytes: Bytes, expect: &Expect) -> Result<WarmFile> {
        let damaged = |what: String| Error::damaged(path, what);
        let (source, metadata) = Source::open(path, bytes, expect)?;
        let shape = Shape { dim: expect.dim, named: expect.named };
        check_limits(&metadata, shape, expect.rows).map_err(damaged)?;
        let mut group_starts = vec![0u64];
        for group in metadata.row_groups() {
            group_starts.push(group_starts[group_starts.len() - 1] + group.num_rows().cast_unsigned());
        }
        let pages = select::key_pages(&metadata, shape.column("entity_id")).map_err(damaged)?;
        let arrow = catch(|| ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new()));
        let arrow = arrow.map_err(damaged)?;
        if arrow.schema().fields() != &shape.schema().fields {
            return Err(damaged("the columns are not those of a warm file of this dataset".into()));
        }
        Ok(WarmFile { source, arrow, shape, rows: expect.rows, group_starts, pages })
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Dimension.
    pub fn dim(&self) -> usize {
        self.shape.dim
    }

    /// The rows of an entity whose timestamps lie in `time`. They are contiguous.
    pub fn find(&self, entity: EntityId, time: &TimeRange) -> Result<Range<u64>> {
        let candidates = select::candidates(&self.pages, self.rows, entity);
        if candidates.is_empty() || time.is_empty() {
            return Ok(0..0);
        }
        let keys = self.read(from_ref(&candidates), Columns::KEYS)?.points;
        let at = |from: usize, before: &dyn Fn(usize) -> bool| {
            from + (from..keys.len()).collect::<Vec<_>>().partition_point(|i| before(*i))
        };
        let first =
            at(0, &|i| keys.entity[i] < entity || (keys.entity[i] == entity && keys.t[i] < time.first()));
        let last = at(first, &|i| keys.entity[i] == entity && keys.t[i] <= time.last());
        Ok(candidates.start + first as u64..candidates.start + last as u64)
    }

    /// Each entity with its rows, in order.
    pub fn runs(&self) -> Result<Vec<(EntityId, Range<u64>)>> {
        let mut runs: Vec<(EntityId, Range<u64>)> = Vec::new();
        let mut row = 0;
        for batch in self.scan(from_ref(&(0..self.rows)), Columns::KEYS, KEY_BATCH)? {
            for entity in batch?.points.entity {
                match runs.last_mut() {
                    Some((e, rows)) if *e == entity => rows.end = row + 1,
                    _ => runs.push((entity, row..row + 1)),
                }
                row += 1;
            }
        }
        Ok(runs)
    }

    /// The rows of some ranges, which are in order and do not overlap.
    pub fn read(&self, ranges: &[Range<u64>], what: Columns) -> Result<KeptPoints> {
        let mut rows = KeptPoints::new(self.shape.dim);
        let batch = if what.vectors { self.shape.vector_page_rows().max(256) } else { KEY_BATCH };
        let mut scan = self.scan(ranges, what, batch)?;
        while scan.next_into(&mut rows)? {}
        Ok(rows)
    }

    /// As [`WarmFile::read`], in batches of at most `batch_rows` rows. Only pages that hold
    /// asked rows are read.
    pub fn scan(&self, ranges: &[Range<u64>], what: Columns, batch_rows: usize) -> Result<Scan> {
        let in_order = ranges.windows(2).all(|w| w[0].end <= w[1].start);
        let inside = ranges.iter().all(|r| r.start <= r.end && r.end <= self.rows);
        if !in_order || !inside {
            return Err(Error::internal("row ranges of a warm file out of order"));
        }
        let (groups, selection) = self.select(ranges);
        let build = || {
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.source.clone(), self.arrow.clone())
                .with_projection(self.projection(what))
                .with_row_groups(groups)
                .with_row_selection(selection)
                .with_batch_size(batch_rows.max(1))
                .build()
        };
        let reader = catch(build).map_err(|e| Error::damaged(self.path(), e))?;
        let left = ranges.iter().map(|r| r.end - r.start).sum();
        Ok(Scan { path: self.path().to_owned(), reader, what, dim: self.shape.dim, left })
    }

    /// Row groups that hold asked rows, and which of their rows are asked.
    fn select(&self, ranges: &[Range<u64>]) -> (Vec<usize>, RowSelection) {
        let mut groups = Vec::new();
        let mut wanted: Vec<Range<usize>> = Vec::new();
        let mut before = 0u64;
        for (group, w) in self.group_starts.windows(2).enumerate() {
            let (start, end) = (w[0], w[1]);
            let from = ranges.partition_point(|r| r.end <= start);
            let inside = ranges[from..].iter().take_while(|r| r.start < end);
            let mut inside = inside.filter(|r| !r.is_empty()).peekable();
            if inside.peek().is_none() {
                continue;
            }
            groups.push(group);
            wanted.extend(inside.map(|r| {
                let (from, to) = (r.start.max(start) - start + before, r.end.min(end) - start + before);
                from as usize..to as usize
            }));
            before += end - start;
        }
        (groups, RowSelection::from_consecutive_ranges(wanted.into_iter(), before as usize))
    }

    fn projection(&self, what: Columns) -> ProjectionMask {
        let shape = self.shape;
        let mut names = Vec::new();
        if what.keys {
            names.extend(["entity_id", "timestamp", "seq", "approx", "original_hash"]);
        }
        names.extend(what.vectors.then_some("vector"));
        names.extend(what.metadata.then_some("metadata"));
        if what.origins {
            names.extend(["source", "model"]);
        }
        ProjectionMask::leaves(self.arrow.parquet_schema(), names.into_iter().map(|n| shape.column(n)))
    }

    /// The rows that are best decoded together with `row`: whole pages of one row group, with
    /// about half a MiB of vectors.
    pub fn chunk_of(&self, row: u64) -> Range<u64> {
        let group = self.group_starts.partition_point(|s| *s <= row).saturating_sub(1);
        let start = self.group_starts.get(group).copied().unwrap_or(0);
        let end = self.group_starts.get(group + 1).copied().unwrap_or(self.rows);
        let chunk = (CHUNK_PAGES * self.shape.vector_page_rows()) as u64;
        let first = start + (row - start) / chunk * chunk;
        first..(first + chunk).min(end)
    }

    /// First rows, within the group, of the pages of vectors of a row group.
    pub fn vector_pages(&self, group: usize) -> Vec<u64> {
        let index = self.arrow.metadata().page_index_for_row_group(group);
        let pages = index.offset_index(self.shape.column("vector"));
        pages.map_or_else(Vec::new, |o| {
            o.page_locations().iter().map(|l| l.first_row_index.cast_unsigned()).collect()
        })
    }

    /// Checks every byte of the file against its checksums.
    pub fn check_all(&self) -> Result<()> {
        self.source.check_all()
    }

    /// Checks every byte, decodes every row, and checks order and values. What it returns
    /// must be what the writer said.
    pub fn verify(&self) -> Result<Summary> {
        self.check_all()?;
        let mut summary = Summary::default();
        for rows in
            self.scan(from_ref(&(0..self.rows)), Columns::ALL, self.shape.vector_page_rows().max(1024))?
        {
            let rows = rows?;
            let before = summary.rows;
            let place = |i: usize, what: &str| Error::damaged(self.path(), what).row(before + i as u64 + 1);
            if let Some(i) = rows.points.x.iter().position(|v| !v.is_finite()) {
                return Err(place(i / self.shape.dim, "a vector holds a value that is not finite"));
            }
            for i in 0..rows.len() {
                if !summary.add(rows.points.key(i), rows.seq[i]) {
                    return Err(place(i, "the rows are not in order"));
                }
            }
        }
        Ok(summary)
    }
}

/// Sizes that the footer claims, against what rows of this shape can need. The file's bytes
/// are checked by checksum; this bounds the memory that a forged file could ask for.
fn check_limits(metadata: &ParquetMetaData, shape: Shape, rows: u64) -> Result<(), String> {
    let claimed = metadata.file_metadata().num_rows();
    if u64::try_from(claimed) != Ok(rows) {
        return Err(format!("the file has {claimed} rows, {rows} are expected"));
    }
    let mut left = rows;
    for (i, group) in metadata.row_groups().iter().enumerate() {
        let n = u64::try_from(group.num_rows()).ok().filter(|n| *n <= left);
        let n = n.ok_or_else(|| format!("row group {i} claims {} rows", group.num_rows()))?;
        left -= n;
        if group.num_columns() != shape.columns() {
            return Err(format!("row group {i} has {} columns", group.num_columns()));
        }
        for (c, column) in group.columns().iter().enumerate() {
            let row_bytes = match c {
                _ if c == shape.column("vector") => shape.dim as u64 * 4,
                _ if ["metadata", "source", "model"].iter().any(|n| c == shape.column(n)) => MAX_TEXT,
                _ if shape.named && c == shape.column("entity") => MAX_TEXT,
                _ if c == shape.column("original_hash") => HASH_BYTES as u64,
                _ => 8,
            };
            // Levels, dictionaries and headers come on top.
            let limit = n.saturating_mul(2 * row_bytes + 16).saturating_add(2 << 20);
            if u64::try_from(column.uncompressed_size()).is_err()
                || column.uncompressed_size().cast_unsigned() > limit
            {
                return Err(format!(
                    "column {c} of row group {i} claims {} bytes",
                    column.uncompressed_size()
                ));
            }
        }
    }
    if left == 0 { Ok(()) } else { Err(format!("the row groups lack {left} rows")) }
}

/// Rows of a warm file in batches.
pub struct Scan {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    what: Columns,
    dim: usize,
    /// Rows still to come.
    left: u64,
}

impl Scan {
    /// Appends the next batch to `rows`. False at the end.
    pub fn next_into(&mut self, rows: &mut KeptPoints) -> Result<bool> {
        match catch(|| self.reader.next().transpose()) {
            Ok(Some(batch)) => {
                self.left = self.left.saturating_sub(batch.num_rows() as u64);
                append(&self.path, &batch, self.what, rows)?;
                Ok(true)
            }
            Err(e) => Err(Error::damaged(&self.path, e)),
            Ok(None) if self.left > 0 => {
                Err(Error::damaged(&self.path, format!("the file ends {} rows early", self.left)))
            }
            Ok(None) => Ok(false),
        }
    }
}

impl Iterator for Scan {
    type Item = Result<KeptPoints>;

    fn next(&mut self) -> Option<Result<KeptPoints>> {
        let mut rows = KeptPoints::new(self.dim);
        match self.next_into(&mut rows) {
            Ok(true) => Some(Ok(rows)),
            Ok(false) => None,
            Err(e) => {
                self.left = 0;
                Some(Err(e))
            }
        }
    }
}
