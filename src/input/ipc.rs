//! Arrow IPC: streams front to back, files by the directory at their end.
//!
//! A file is read by its directory since some writers, polars among them, put other bytes before
//! its first message than a stream has. Messages are framed here, so that no length that a message
//! claims is allocated before as many bytes have come, and what its compressed buffers say they
//! unpack to is checked against the memory allowed.

use super::arrow::{Batches, TableReader, find_columns};
use super::dimension;
use super::guard::{broken, decode, too_large};
use super::options::InputOptions;
use super::reader::Checkpoint;
use super::reader::{Opened, Spec};
use super::sources::STDIN;
use super::sources::{open_bytes, open_seekable};
use crate::error::{Error, Result};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, StreamDecoder};
use arrow_ipc::{Block, Endianness, MessageHeader};
use arrow_schema::{Schema, SchemaRef};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 6] = b"ARROW1";
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Largest description of one message, or of a file.
const MAX_HEADER: usize = 64 << 20;
/// Memory for a message that is always allowed.
const LEAST_MESSAGE: u64 = 64 << 20;
/// Bytes between the last message of a file and its directory: an end mark and padding.
const MAX_GAP: u64 = 128;

/// An open file or stream: its columns, and its batches.
pub(super) struct Table {
    pub(super) schema: SchemaRef,
    pub(super) batches: Box<dyn Batches>,
}

impl Table {
    /// Opens a file, a stream, or a pipe that holds either.
    pub(super) fn open(path: &Path, memory: usize) -> Result<Table> {
        let limit = (memory as u64 / 2).max(LEAST_MESSAGE);
        let mut source = open_bytes(path)?;
        let mut head = Vec::with_capacity(8);
        (&mut source).take(8).read_to_end(&mut head).map_err(|e| Error::io("read", path, &e))?;
        if head.starts_with(b"FEA1") {
            let e = broken(path, "it is a Feather file of version 1, not Arrow IPC");
            return Err(e.fix("write it with pyarrow.feather.write_feather, which writes version 2"));
        }
        if !head.starts_with(MAGIC) {
            return Messages::open(Box::new(Cursor::new(head).chain(source)), path, limit);
        }
        let is_file = path.as_os_str() != STDIN && path.is_file();
        let file = match is_file {
            true => open_seekable(path)?,
            false => super::sources::spool(Box::new(Cursor::new(head).chain(source)), path)?,
        };
        Blocks::open(file, path, limit)
    }
}

pub(super) const ARROW: Spec = Spec {
    name: "arrow",
    endings: &["arrow", "arrows", "ipc", "feather"],
    is_text: false,
    open: |path, options, from| {
        let rows = Box::new(open(path, options, from)?);
        Ok(Opened { rows, resumed: from.is_some() })
    },
    dimension: dimension_of,
};

/// Opens a stream or file; the rows before a checkpoint are decoded and passed over.
fn open(path: &Path, options: &InputOptions, from: Option<&Checkpoint>) -> Result<TableReader> {
    let table = Table::open(path, options.memory)?;
    let columns = find_columns(&table.schema, options, path)?;
    let skip = from.map_or(0, |c| c.rows);
    Ok(TableReader::new(table.batches, columns, options, path, 0, skip))
}

/// A stream, or several one after the other.
struct Messages {
    source: BufReader<Box<dyn Read + Send>>,
    path: PathBuf,
    limit: u64,
    decoder: StreamDecoder,
    schema: Option<SchemaRef>,
    /// A record batch that came with the schema: the decoder takes in a message without a body
    /// only when the next one comes.
    first: Option<RecordBatch>,
    ended: bool,
}

impl Messages {
    fn open(source: Box<dyn Read + Send>, path: &Path, limit: u64) -> Result<Table> {
        let source = BufReader::with_capacity(1 << 20, source);
        let (decoder, path) = (StreamDecoder::new(), path.to_owned());
        let mut messages = Messages { source, path, limit, decoder, schema: None, first: None, ended: false };
        while messages.schema.is_none() && !messages.ended {
            messages.first = messages.step()?;
        }
        let schema = messages.schema.clone().ok_or_else(|| broken(&messages.path, "it holds no schema"))?;
        Ok(Table { schema, batches: Box::new(messages) })
    }

    /// Appends up to `len` bytes to `out`, as they come; false when there are fewer.
    fn take(&mut self, len: usize, out: &mut Vec<u8>) -> Result<bool> {
        let got = (&mut self.source)
            .take(len as u64)
            .read_to_end(out)
            .map_err(|e| Error::io("read", &self.path, &e))?;
        Ok(got == len)
    }

    /// The next message as the decoder takes it, `None` at the end of the last stream.
    fn message(&mut self) -> Result<Option<Vec<u8>>> {
        let cut = |path: &Path| broken(path, "it ends inside a message");
        loop {
            let mut prefix = Vec::with_capacity(8);
            if !self.take(4, &mut prefix)? {
                return if prefix.is_empty() { Ok(None) } else { Err(cut(&self.path)) };
            }
            if prefix == CONTINUATION {
                prefix.clear();
                if !self.take(4, &mut prefix)? {
                    return Err(cut(&self.path));
                }
            }
            let len = prefix.first_chunk().map_or(0, |b| u32::from_le_bytes(*b)) as usize;
            if len == 0 {
                // The end of a stream; another may follow, as after `cat a.arrows b.arrows`.
                continue;
            }
            if len > MAX_HEADER {
                return Err(broken(&self.path, "a message's description is too long"));
            }
            let mut frame = CONTINUATION.to_vec();
            frame.extend_from_slice(&prefix);
            if !self.take(len, &mut frame)? {
                return Err(cut(&self.path));
            }
            let header = frame.get(8..).unwrap_or_default();
            let (body, starts) = decode(&self.path, || described(header))?;
            if starts {
                self.decoder = StreamDecoder::new();
            }
            let start = frame.len();
            if !self.take(body, &mut frame)? {
                return Err(cut(&self.path));
            }
            let (header, body) = frame.split_at_checked(start).unwrap_or((&frame, &[]));
            check_message(header.get(8..).unwrap_or_default(), body, self.limit, &self.path)?;
            return Ok(Some(frame));
        }
    }

    /// Decodes one message; after the last one the end of the stream.
    fn step(&mut self) -> Result<Option<RecordBatch>> {
        let frame = match self.message()? {
            Some(frame) => frame,
            None => {
                self.ended = true;
                [CONTINUATION, [0; 4]].concat()
            }
        };
        let (decoder, mut buffer) = (&mut self.decoder, Buffer::from_vec(frame));
        let batch = decode(&self.path, || decoder.decode(&mut buffer))?;
        match (self.decoder.schema(), &self.schema) {
            (Some(new), Some(old)) if !Arc::ptr_eq(&new, old) => {
                if new.fields() != old.fields() {
                    let e = broken(&self.path, "a second stream in it has other columns");
                    return Err(e.fix("give each stream in a file of its own"));
                }
                self.schema = Some(new);
            }
            (Some(new), None) => self.schema = Some(new),
            _ => {}
        }
        Ok(batch)
    }
}

impl Batches for Messages {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.first.is_none() && !self.ended {
            self.first = self.step()?;
        }
        Ok(self.first.take())
    }
}

/// Bytes of a message's body, and whether it begins a stream. Numbers in the other byte order
/// are refused: the decoder would take them as they stand.
fn described(header: &[u8]) -> Result<(usize, bool), String> {
    let message = arrow_ipc::root_as_message(header).map_err(|e| e.to_string())?;
    let schema = message.header_as_schema();
    if schema.is_some_and(|s| s.endianness() != Endianness::Little) {
        return Err(BIG_ENDIAN.into());
    }
    let body = usize::try_from(message.bodyLength()).map_err(|_| "a message has a negative length")?;
    Ok((body, message.header_type() == MessageHeader::Schema))
}

const BIG_ENDIAN: &str = "big-endian numbers are not supported";

/// Checks the sizes that a message claims against its body and the memory allowed.
fn check_message(header: &[u8], body: &[u8], limit: u64, path: &Path) -> Result<()> {
    let total = decode(path, || claimed(header, body))?;
    if total > limit && total > body.len() as u64 {
        let message = format!("a message of {} bytes unpacks to {total}, {limit} are allowed", body.len());
        return Err(too_large(path, &message));
    }
    Ok(())
}

/// Bytes that a message has once its buffers are unpacked.
fn claimed(header: &[u8], body: &[u8]) -> Result<u64, String> {
    let message = arrow_ipc::root_as_message(header).map_err(|e| e.to_string())?;
    let dictionary = message.header_as_dictionary_batch();
    let batch = message.header_as_record_batch().or_else(|| dictionary.and_then(|d| d.data()));
    let Some(batch) = batch else { return Ok(0) };
    let packed = batch.compression().is_some();
    let (mut total, mut stored) = (0u64, 0u64);
    for buffer in batch.buffers().into_iter().flatten().filter(|b| b.length() > 0) {
        let start = usize::try_from(buffer.offset()).map_err(|_| "a buffer has a negative place")?;
        let length = usize::try_from(buffer.length()).map_err(|_| "a buffer has a negative length")?;
        let bytes = start
            .checked_add(length)
            .and_then(|end| body.get(start..end))
            .ok_or("a buffer lies outside its message")?;
        // Buffers that overlap are copied once each.
        stored = stored.saturating_add(length as u64);
        if packed {
            let claim = bytes.first_chunk().ok_or("a packed buffer has no length")?;
            // -1 marks a buffer that is not compressed.
            total = total.saturating_add(u64::try_from(i64::from_le_bytes(*claim)).unwrap_or(0));
        }
    }
    // A column without a buffer of its own is made of its length alone.
    for node in batch.nodes().into_iter().flatten() {
        let values = u64::try_from(node.length()).map_err(|_| "a column has a negative length")?;
        total = total.saturating_add(values / 8);
    }
    Ok(total.max(stored))
}

/// A file: its messages where its directory says.
struct Blocks {
    file: File,
    path: PathBuf,
    limit: u64,
    decoder: FileDecoder,
    batches: VecDeque<Block>,
}

impl Blocks {
    fn open(file: File, path: &Path, limit: u64) -> Result<Table> {
        let len = file.metadata().map_err(|e| Error::io("stat", path, &e))?.len();
        let mut end = [0u8; 10];
        let at = len.checked_sub(10).filter(|at| *at >= 8);
        let missing = || broken(path, "its end is missing");
        file.read_exact_at(&mut end, at.ok_or_else(missing)?).map_err(|e| Error::io("read", path, &e))?;
        let (size, magic) = end.split_at(4);
        if magic != MAGIC {
            return Err(missing());
        }
        let size = size.first_chunk().map_or(0, |b| i32::from_le_bytes(*b));
        let size = usize::try_from(size).ok().filter(|n| *n <= MAX_HEADER && *n as u64 <= len - 18);
        let size = size.ok_or_else(|| broken(path, "its directory is longer than the file"))?;
        let start = len - 10 - size as u64;
        let bytes = read_at(&file, path, start, size)?;
        let (schema, version, dictionaries, batches) = decode(path, || directory(&bytes))?;
        check_blocks(&dictionaries, &batches, start, path)?;
        let decoder = FileDecoder::new(schema.clone(), version);
        let mut blocks = Blocks { file, path: path.to_owned(), limit, decoder, batches: batches.into() };
        for block in dictionaries {
            let buffer = blocks.read(&block)?;
            decode(path, || blocks.decoder.read_dictionary(&block, &buffer))?;
        }
        Ok(Table { schema, batches: Box::new(blocks) })
    }

    /// The bytes of a block, checked.
    fn read(&self, block: &Block) -> Result<Buffer> {
        // Not negative and inside the file: checked when it was opened.
        let (meta, body) = (block.metaDataLength() as usize, block.bodyLength() as usize);
        let bytes = read_at(&self.file, &self.path, block.offset() as u64, meta + body)?;
        let (header, body) = bytes.split_at_checked(meta).unwrap_or((&bytes, &[]));
        let prefix = if header.starts_with(&CONTINUATION) { 8 } else { 4 };
        check_message(header.get(prefix..).unwrap_or_default(), body, self.limit, &self.path)?;
        Ok(Buffer::from_vec(bytes))
    }
}

impl Batches for Blocks {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(block) = self.batches.pop_front() {
            let buffer = self.read(&block)?;
            if let Some(batch) = decode(&self.path, || self.decoder.read_record_batch(&block, &buffer))? {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

type Directory = (SchemaRef, arrow_ipc::MetadataVersion, Vec<Block>, Vec<Block>);

fn directory(bytes: &[u8]) -> Result<Directory, String> {
    let footer = arrow_ipc::root_as_footer(bytes).map_err(|e| e.to_string())?;
    let schema = footer.schema().ok_or("its directory has no schema")?;
    if schema.endianness() != Endianness::Little {
        return Err(BIG_ENDIAN.into());
    }
    let fields: Schema = arrow_ipc::convert::try_fb_to_schema(schema).map_err(|e| e.to_string())?;
    let dictionaries = footer.dictionaries().into_iter().flatten().copied().collect();
    let batches = footer.recordBatches().into_iter().flatten().copied().collect();
    Ok((Arc::new(fields), footer.version(), dictionaries, batches))
}

/// Refuses a directory that points outside the file, or leaves a part of it out: what `cat` makes
/// of two files is read by the second one's directory alone.
fn check_blocks(dictionaries: &[Block], batches: &[Block], start: u64, path: &Path) -> Result<()> {
    let mut last = None;
    for block in dictionaries.iter().chain(batches) {
        let sizes = (
            u64::try_from(block.offset()),
            u64::try_from(block.metaDataLength()),
            u64::try_from(block.bodyLength()),
        );
        let (Ok(offset), Ok(meta), Ok(body)) = sizes else {
            return Err(broken(path, "its directory has a negative place"));
        };
        let end = offset.checked_add(meta).and_then(|n| n.checked_add(body)).filter(|end| *end <= start);
        last = last.max(Some(end.ok_or_else(|| broken(path, "its directory points outside of it"))?));
    }
    match last {
        Some(end) if start - end > MAX_GAP => {
            let message = format!("its directory leaves {} bytes of it out", start - end);
            Err(broken(path, &message).fix("are these several files in one? give each as a file of its own"))
        }
        _ => Ok(()),
    }
}

fn read_at(file: &File, path: &Path, at: u64, len: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, at).map_err(|e| Error::io("read", path, &e))?;
    Ok(bytes)
}

/// Components of the vectors in a file, from its schema or its first row.
fn dimension_of(path: &Path, options: &InputOptions) -> Result<Option<usize>> {
    let mut table = Table::open(path, options.memory)?;
    let Some(index) = dimension::vector_field(&table.schema, &dimension::columns(options)) else {
        return Ok(dimension::numbered(&table.schema));
    };
    if let Some(n) = dimension::fixed(table.schema.field(index).data_type()) {
        return Ok(Some(n));
    }
    while let Some(batch) = table.batches.next()? {
        if batch.num_rows() > 0 {
            return dimension::list_len(batch.column(index));
        }
    }
    Ok(None)
}
