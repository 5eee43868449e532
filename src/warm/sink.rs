//! Where a Parquet writer writes: a temporary file, summed block by block, with the end held
//! back until it is complete and its checksums are filled in.

use super::seal::{self, BLOCK_LEN, Blocks, END_LEN, FOOTER, INDEXES};
use crate::error::{Error, Result};
use crate::format::checksum::Identity;
use crate::format::container::Seal;
use crate::fsio::TempFile;
use std::io::Write;

/// The file so far.
#[derive(Debug)]
pub struct Sink {
    file: TempFile,
    id: Identity,
    block: Vec<u8>,
    blocks: Blocks,
    /// What follows the body, once it is complete.
    end: Option<Vec<u8>>,
    /// The error behind the last `std::io::Error`, with path and operation.
    failed: Option<Error>,
}

impl Sink {
    /// Starts in a temporary file.
    pub fn new(file: TempFile, id: Identity) -> Sink {
        let blocks = Blocks { index_sum: 0, body_len: 0, sums: Vec::new() };
        Sink { file, id, block: Vec::with_capacity(BLOCK_LEN), blocks, end: None, failed: None }
    }

    /// The body is complete: what is written from now on is held back. The returned text is
    /// to go into the footer; in it the sum of the indexes is still zero.
    pub fn end_body(&mut self) -> Result<String> {
        self.flush_block()?;
        self.end = Some(Vec::new());
        Ok(self.blocks.to_text())
    }

    /// Takes the error of a failed write.
    pub fn take_error(&mut self) -> Option<Error> {
        self.failed.take()
    }

    fn flush_block(&mut self) -> Result<()> {
        if !self.block.is_empty() {
            let number = self.blocks.sums.len() as u64;
            self.blocks.sums.push(self.id.block_sum(number, &self.block));
            self.blocks.body_len += self.block.len() as u64;
            self.file.write_all(&self.block)?;
            self.block.clear();
        }
        Ok(())
    }

    /// Fills in the sum of the indexes and writes the end. Neither synced nor published.
    pub fn finish(mut self) -> Result<(TempFile, Seal)> {
        let broken = || Error::internal("the end of a Parquet file is not as expected");
        let text = self.blocks.to_text();
        let mut end = self.end.take().ok_or_else(broken)?;
        let length_at = end.len().checked_sub(END_LEN).ok_or_else(broken)?;
        let footer_len = u32::from_le_bytes(end[length_at..length_at + 4].try_into().map_err(|_| broken())?);
        let footer_at = length_at.checked_sub(footer_len as usize).ok_or_else(broken)?;
        let at =
            end[footer_at..].windows(text.len()).position(|w| w == text.as_bytes()).ok_or_else(broken)?;
        self.blocks.index_sum = seal::part_sum(&self.id, INDEXES, &end[..footer_at]);
        let digits = Blocks::index_sum_digits();
        let filled = self.blocks.to_text();
        end[footer_at + at..][digits.clone()].copy_from_slice(&filled.as_bytes()[digits]);
        let root = seal::part_sum(&self.id, FOOTER, &end[footer_at..]);
        self.file.write_all(&end)?;
        Ok((self.file, Seal { len: self.blocks.body_len + end.len() as u64, root }))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(end) = &mut self.end {
            end.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let n = (BLOCK_LEN - self.block.len()).min(bytes.len());
        self.block.extend_from_slice(&bytes[..n]);
        if self.block.len() == BLOCK_LEN
            && let Err(e) = self.flush_block()
        {
            let text = e.to_string();
            self.failed = Some(e);
            return Err(std::io::Error::other(text));
        }
        Ok(n)
    }

    /// Blocks are written when full; there is nothing that could be hurried.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
