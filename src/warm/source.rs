//! The bytes of a warm file, checked on first touch, as the Parquet reader wants them.

use super::schema::Expect;
use super::seal::{self, BLOCK_LEN, Blocks, END_LEN, FOOTER, INDEXES};
use crate::error::{Error, Result};
use crate::format::checksum::{Identity, holds};
use crate::format::guard::catch;
use crate::fsio::Bytes;
use bytes::Buf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An open file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    bytes: Bytes,
    id: Identity,
    blocks: Blocks,
    /// A bit for each block that was checked.
    checked: Vec<AtomicU64>,
}

impl AsRef<[u8]> for Source {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl Source {
    /// Opens the file, checks footer and indexes, and decodes them.
    pub fn open(path: &Path, bytes: Bytes, expect: &Expect) -> Result<(Source, ParquetMetaData)> {
        let damaged = |what: &str| Error::damaged(path, what);
        let id = seal::identity(expect.dataset, expect.id);
        let footer_at = footer_at(&bytes).ok_or_else(|| damaged("the file does not end as Parquet does"))?;
        if !holds(seal::part_sum(&id, FOOTER, &bytes[footer_at..]), expect.seal.root) {
            return Err(damaged("the checksum of the file's footer does not hold").byte(footer_at as u64));
        }
        let footer = &bytes[footer_at..bytes.len() - END_LEN];
        let metadata = catch(|| ParquetMetaDataReader::decode_metadata(footer)).map_err(|e| damaged(&e))?;
        let values = metadata.file_metadata().key_value_metadata();
        let text = values.and_then(|kv| kv.iter().find(|kv| kv.key == seal::KEY)?.value.as_deref());
        let blocks = text.and_then(Blocks::parse).filter(|b| b.body_len <= footer_at as u64);
        let blocks = blocks.ok_or_else(|| damaged("the footer holds no checksums of the file"))?;
        let indexes = &bytes[blocks.body_len as usize..footer_at];
        if !holds(seal::part_sum(&id, INDEXES, indexes), blocks.index_sum) {
            return Err(damaged("the checksum of the page indexes does not hold").byte(blocks.body_len));
        }
        let checked = (0..blocks.sums.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let source = Source(Arc::new(Inner { path: path.to_owned(), bytes, id, blocks, checked }));
        let mut reader = ParquetMetaDataReader::new_with_metadata(metadata)
            .with_page_index_policy(PageIndexPolicy::Required);
        let metadata = catch(|| reader.read_page_indexes(&source).and_then(|()| reader.finish()));
        let metadata = metadata.map_err(|e| damaged(&e))?;
        Ok((source, metadata))
    }

    /// The file's name, for errors.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Checks every block that was not checked yet.
    pub fn check_all(&self) -> Result<()> {
        self.check(0..self.0.blocks.body_len)
    }

    /// Checks the blocks of the body that a range touches, each once.
    fn check(&self, range: Range<u64>) -> Result<()> {
        let inner = &*self.0;
        let end = range.end.min(inner.blocks.body_len);
        if range.start >= end {
            return Ok(());
        }
        let body = inner.blocks.body_len as usize;
        for block in range.start as usize / BLOCK_LEN..=(end as usize - 1) / BLOCK_LEN {
            let (word, bit) = (&inner.checked[block / 64], 1u64 << (block % 64));
            if word.load(Ordering::Relaxed) & bit != 0 {
                continue;
            }
            let start = block * BLOCK_LEN;
            let bytes = &inner.bytes[start..(start + BLOCK_LEN).min(body)];
            if !holds(inner.id.block_sum(block as u64, bytes), inner.blocks.sums[block]) {
                return Err(
                    Error::damaged(&inner.path, "the checksum of a block does not hold").byte(start as u64)
                );
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }

    fn slice(&self, range: Range<u64>) -> Result<bytes::Bytes, ParquetError> {
        if range.start > range.end || range.end > self.len() {
            return Err(ParquetError::EOF(format!(
                "bytes {}..{} lie outside the file",
                range.start, range.end
            )));
        }
        self.check(range.clone()).map_err(|e| ParquetError::External(Box::new(e)))?;
        Ok(bytes::Bytes::from_owner(self.clone()).slice(range.start as usize..range.end as usize))
    }
}

/// Where the footer begins: its length stands before the last magic.
fn footer_at(bytes: &[u8]) -> Option<usize> {
    let (rest, magic) = bytes.split_last_chunk::<4>()?;
    let (rest, len) = rest.split_last_chunk::<4>()?;
    let footer = rest.len().checked_sub(u32::from_le_bytes(*len) as usize)?;
    (magic == b"PAR1").then_some(footer)
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.bytes.len() as u64
    }
}

impl ChunkReader for Source {
    type T = bytes::buf::Reader<bytes::Bytes>;

    /// A page header is read from here, so only a little is checked ahead.
    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let end = start.saturating_add(BLOCK_LEN as u64).min(self.len());
        Ok(self.slice(start..end)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes, ParquetError> {
        self.slice(start..start.saturating_add(length as u64))
    }
}
