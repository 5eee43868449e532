//! Metadata texts: rows in blocks of at most 256 rows or 64 KiB, each block one zstd frame.
//!
//! A block, once decompressed, is a u32 length for each of its rows and then the texts.

use crate::format::codec::{Decoder, Encoder};

/// Rows of a block.
const BLOCK_ROWS: usize = 256;
/// A block is closed when its texts reach this many bytes.
const BLOCK_BYTES: usize = 64 * 1024;
/// Largest block: one row may hold 64 KiB beyond a block that was almost full.
const MAX_RAW: usize = BLOCK_ROWS * 4 + 2 * BLOCK_BYTES + 1024;

/// One entry of the table of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Block {
    /// First row.
    pub(super) first: u32,
    /// Bytes when decompressed.
    pub(super) raw_len: u32,
    /// Where the frame lies in the data section.
    pub(super) offset: u64,
    /// Bytes of the frame.
    pub(super) len: u64,
}

/// Collects texts into blocks.
#[derive(Debug, Default)]
pub(super) struct MetaWriter {
    table: Vec<Block>,
    data: Vec<u8>,
    lens: Vec<u32>,
    texts: String,
    rows: usize,
    any: bool,
}

impl MetaWriter {
    pub(super) fn push(&mut self, text: &str) {
        self.any |= !text.is_empty();
        self.lens.push(text.len() as u32);
        self.texts.push_str(text);
        self.rows += 1;
        if self.lens.len() == BLOCK_ROWS || self.texts.len() >= BLOCK_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.lens.is_empty() {
            return;
        }
        let mut e = Encoder::new();
        for n in &self.lens {
            e.u32(*n);
        }
        e.raw(self.texts.as_bytes());
        // Level 3 cannot fail on memory; an empty frame would be caught by the reader's length.
        let frame = zstd::bulk::compress(&e.bytes, 3).unwrap_or_default();
        self.table.push(Block {
            first: (self.rows - self.lens.len()) as u32,
            raw_len: e.bytes.len() as u32,
            offset: self.data.len() as u64,
            len: frame.len() as u64,
        });
        self.data.extend_from_slice(&frame);
        self.lens.clear();
        self.texts.clear();
    }

    /// Table and data, both empty when no row had metadata.
    pub(super) fn finish(mut self) -> (Vec<Block>, Vec<u8>) {
        self.close();
        if self.any { (self.table, self.data) } else { (Vec::new(), Vec::new()) }
    }
}

/// The texts of one block.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    pub(super) first: usize,
    ends: Vec<usize>,
    text: String,
}

impl Texts {
    /// Decompresses a frame that should hold the texts of `rows` rows from `first` on.
    pub(super) fn decode(frame: &[u8], block: &Block, rows: usize) -> Result<Texts, String> {
        let raw_len = block.raw_len as usize;
        if raw_len > MAX_RAW.max(rows * 4 + rows * 65_536) || rows > BLOCK_ROWS {
            return Err("a metadata block is larger than any that is written".into());
        }
        let raw = zstd::bulk::decompress(frame, raw_len).map_err(|e| format!("a metadata block: {e}"))?;
        let mut d = Decoder::new(&raw);
        let mut ends = Vec::with_capacity(rows);
        let mut end = 0usize;
        for _ in 0..rows {
            end = end.saturating_add(d.u32().map_err(|e| e.to_string())? as usize);
            ends.push(end);
        }
        let bytes = d.raw(d.remaining()).map_err(|e| e.to_string())?;
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        if end != text.len() || ends.iter().any(|e| !text.is_char_boundary(*e)) {
            return Err("a metadata block has lengths that do not add up".into());
        }
        Ok(Texts { first: block.first as usize, ends, text: text.to_owned() })
    }

    /// One past the last row.
    pub(super) fn end(&self) -> usize {
        self.first + self.ends.len()
    }

    /// The text of `row`, which lies in this block.
    pub(super) fn get(&self, row: usize) -> &str {
        let i = row - self.first;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start..self.ends[i]]
    }
}
