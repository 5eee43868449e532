//! Pages of a Parquet file, each looked at before it is decoded: its size and its values are
//! charged to an account, and what would pass the memory allowed is refused by name.
//!
//! The Parquet crate decodes a page whole, and a row of a list column across all the pages that it
//! spans, whatever memory that takes: 60 kB of run lengths can stand for 400 million floats. So
//! every page reader is wrapped, and reads the headers that the inner one will read next.

use super::header::{Fault, PageHeader, parse};
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Type;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a header that are read at first; statistics can make it longer.
const FIRST_READ: usize = 512;
/// Longest header that is read: its statistics hold two values of the column.
const MAX_HEADER: usize = 32 << 20;

/// Memory that the pages of a file hold while a batch of rows is read.
#[derive(Debug)]
pub(super) struct Account {
    most: u64,
    /// Pages that are decoded now.
    pages: AtomicU64,
    /// Values of list columns that came since the last batch.
    values: AtomicU64,
}

impl Account {
    /// An account of at most so many bytes.
    pub(super) fn new(most: u64) -> Arc<Account> {
        Arc::new(Account { most, pages: AtomicU64::new(0), values: AtomicU64::new(0) })
    }

    /// A batch is handed out: its values are no longer of the pages.
    pub(super) fn batch_is_out(&self) {
        self.values.store(0, Ordering::Relaxed);
    }

    fn check(&self, column: &str) -> Result<()> {
        let sum = self.pages.load(Ordering::Relaxed).saturating_add(self.values.load(Ordering::Relaxed));
        if sum <= self.most {
            return Ok(());
        }
        Err(ParquetError::General(format!(
            "{MEMORY} its rows need {sum} bytes at once in column {column}, {} are allowed",
            self.most
        )))
    }
}

/// Begins the message of a file that does not fit the memory allowed.
pub(super) const MEMORY: &str = "memory:";

/// The row groups of a file, as the record reader takes them.
pub(super) struct Groups {
    pub(super) file: Arc<File>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) account: Arc<Account>,
}

impl RowGroups for Groups {
    fn num_rows(&self) -> usize {
        rows_of(&self.metadata)
    }

    fn column_chunks(&self, i: usize) -> Result<Box<dyn PageIterator>> {
        Ok(Box::new(Chunks {
            file: self.file.clone(),
            metadata: self.metadata.clone(),
            account: self.account.clone(),
            column: i,
            group: 0,
        }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// Rows of all row groups; the file's own count is not trusted.
pub(super) fn rows_of(metadata: &ParquetMetaData) -> usize {
    metadata.row_groups().iter().map(|g| usize::try_from(g.num_rows()).unwrap_or(0)).sum()
}

/// The chunks of a column, row group after row group.
struct Chunks {
    file: Arc<File>,
    metadata: Arc<ParquetMetaData>,
    account: Arc<Account>,
    column: usize,
    group: usize,
}

impl PageIterator for Chunks {}

impl Iterator for Chunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.metadata.row_groups().get(self.group)?;
        self.group += 1;
        let chunk = group.columns().get(self.column)?;
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let inner = SerializedPageReader::new(self.file.clone(), chunk, rows, None);
        Some(inner.map(|inner| {
            let (at, left) = chunk.byte_range();
            Box::new(Checked {
                inner,
                file: self.file.clone(),
                account: self.account.clone(),
                name: chunk.column_path().string(),
                width: value_width(chunk),
                at,
                left,
                dictionary: 0,
                page: 0,
            }) as Box<dyn PageReader>
        }))
    }
}

/// Bytes that a value of a list column takes once decoded, with its two levels; 0 for columns
/// without lists, whose values a batch bounds.
fn value_width(chunk: &ColumnChunkMetaData) -> u64 {
    let descr = chunk.column_descr();
    if descr.max_rep_level() == 0 {
        return 0;
    }
    let width = match descr.physical_type() {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::BYTE_ARRAY => 16,
        Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(descr.type_length()).unwrap_or(0),
    };
    width + 4
}

/// A page reader that reads each header first.
struct Checked {
    inner: SerializedPageReader<File>,
    file: Arc<File>,
    account: Arc<Account>,
    name: String,
    width: u64,
    /// Where the next header is, and bytes of the chunk from there on.
    at: u64,
    left: u64,
    /// Bytes that its dictionary and its newest page hold.
    dictionary: u64,
    page: u64,
}

impl Checked {
    /// The header that the inner reader reads next, index pages passed over as there.
    fn next_header(&mut self) -> Result<Option<PageHeader>> {
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            let header = self.header_at()?;
            let packed = u64::try_from(header.packed).ok();
            let whole = packed.and_then(|p| p.checked_add(header.len as u64)).filter(|n| *n <= self.left);
            let (Some(whole), true) = (whole, header.unpacked >= 0 && header.values >= 0) else {
                return Err(broken(&self.name));
            };
            self.at += whole;
            self.left -= whole;
            if header.kind != 1 {
                return Ok(Some(header));
            }
        }
    }

    fn header_at(&self) -> Result<PageHeader> {
        let mut want = FIRST_READ;
        loop {
            let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(want);
            let mut bytes = vec![0; most];
            let mut got = 0;
            while got < most {
                match self.file.read_at(&mut bytes[got..], self.at + got as u64) {
                    Ok(0) => break,
                    Ok(n) => got += n,
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(ParquetError::External(Box::new(e))),
                }
            }
            match parse(&bytes[..got]) {
                Ok(header) => return Ok(header),
                Err(Fault::Short) if got == want && want < MAX_HEADER => want *= 8,
                Err(_) => return Err(broken(&self.name)),
            }
        }
    }

    fn charge(&mut self, header: &PageHeader) -> Result<()> {
        let (bytes, values) = (header.unpacked.unsigned_abs(), header.values.unsigned_abs());
        if header.kind == 2 {
            self.account.pages.fetch_add(bytes, Ordering::Relaxed);
            self.dictionary += bytes;
        } else {
            self.account.pages.fetch_sub(self.page, Ordering::Relaxed);
            self.account.pages.fetch_add(bytes, Ordering::Relaxed);
            self.page = bytes;
            self.account.values.fetch_add(values.saturating_mul(self.width), Ordering::Relaxed);
        }
        self.account.check(&self.name)
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        self.account.pages.fetch_sub(self.page + self.dictionary, Ordering::Relaxed);
    }
}

fn broken(column: &str) -> ParquetError {
    ParquetError::General(format!("a page of column {column} has no valid header"))
}

impl Iterator for Checked {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if let Some(header) = self.next_header()? {
            self.charge(&header)?;
        }
        self.inner.get_next_page()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.next_header()?;
        self.inner.skip_next_page()
    }
}
