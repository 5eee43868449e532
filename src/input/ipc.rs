//! Arrow IPC, streams and files.
//!
//! A file is a stream between two magic words with a directory behind it; both are read from
//! front to back. Messages are framed here, so that no length that a message claims is
//! allocated before as many bytes have come.

use super::arrow::{Batches, TableReader, find_columns};
use super::guard::{broken, decode};
use super::options::InputOptions;
use super::parquet::{ALWAYS_TAKEN, MAX_RATIO};
use super::sources::open_bytes;
use super::{Checkpoint, STDIN};
use crate::error::{Error, Result};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"ARROW1\0\0";
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Largest description of one message.
const MAX_HEADER: usize = 64 << 20;

struct Messages {
    source: BufReader<Box<dyn Read + Send>>,
    path: PathBuf,
    decoder: StreamDecoder,
    /// Bytes read ahead while looking for the magic word.
    head: Vec<u8>,
    /// A record batch that came with the schema: the decoder takes in a message without a body
    /// only when the next one comes.
    first: Option<RecordBatch>,
    ended: bool,
}

impl Messages {
    /// Appends up to `len` bytes to `out`, as they come; false when there are fewer.
    fn take(&mut self, len: usize, out: &mut Vec<u8>) -> Result<bool> {
        let ahead = self.head.len().min(len);
        out.extend(self.head.drain(..ahead));
        let want = (len - ahead) as u64;
        let got =
            (&mut self.source).take(want).read_to_end(out).map_err(|e| Error::io("read", &self.path, &e))?;
        Ok(got as u64 == want)
    }

    /// The next message as the decoder takes it, `None` at the end of the stream.
    fn message(&mut self) -> Result<Option<Vec<u8>>> {
        let cut = |path: &Path| broken(path, "it ends inside a message");
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
            return Ok(None);
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
        let body = decode(&self.path, || body_length(header))?;
        let start = frame.len();
        if !self.take(body, &mut frame)? {
            return Err(cut(&self.path));
        }
        let (header, body) =
            (frame.get(8..start).unwrap_or_default(), frame.get(start..).unwrap_or_default());
        decode(&self.path, || check_claims(header, body))?;
        Ok(Some(frame))
    }
}

fn body_length(header: &[u8]) -> Result<usize, String> {
    let message = arrow_ipc::root_as_message(header).map_err(|e| e.to_string())?;
    usize::try_from(message.bodyLength()).map_err(|_| "a message has a negative length".into())
}

/// Checks what the compressed buffers of a message say they unpack to.
fn check_claims(header: &[u8], body: &[u8]) -> Result<(), String> {
    let message = arrow_ipc::root_as_message(header).map_err(|e| e.to_string())?;
    let dictionary = message.header_as_dictionary_batch();
    let batch = message.header_as_record_batch().or_else(|| dictionary.and_then(|d| d.data()));
    let Some(batch) = batch.filter(|b| b.compression().is_some()) else { return Ok(()) };
    let mut total = 0u64;
    for buffer in batch.buffers().into_iter().flatten().filter(|b| b.length() > 0) {
        let start = usize::try_from(buffer.offset()).map_err(|_| "a buffer has a negative place")?;
        let claim =
            body.get(start..).and_then(|b| b.first_chunk()).ok_or("a buffer lies outside its message")?;
        // -1 marks a buffer that is not compressed.
        total = total.saturating_add(u64::try_from(i64::from_le_bytes(*claim)).unwrap_or(0));
    }
    if total > ALWAYS_TAKEN.max((body.len() as u64).saturating_mul(MAX_RATIO)) {
        return Err(format!("a message of {} bytes says that it unpacks to {total}", body.len()));
    }
    Ok(())
}

impl Messages {
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
        decode(&self.path, || decoder.decode(&mut buffer))
    }

    /// Passes over the zeros between a file's magic word and its first message.
    fn skip_padding(&mut self) -> Result<()> {
        let mut word = Vec::with_capacity(4);
        while word.is_empty() || word == [0; 4] {
            word.clear();
            if !self.take(4, &mut word)? {
                return Err(broken(&self.path, "it holds no message"));
            }
        }
        self.head = word;
        Ok(())
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

/// Opens a stream or file; the rows before a checkpoint are decoded and passed over.
pub(super) fn open(path: &Path, options: &InputOptions, from: Option<&Checkpoint>) -> Result<TableReader> {
    let source = BufReader::with_capacity(1 << 20, open_bytes(path)?);
    let mut messages = Messages {
        source,
        path: path.to_owned(),
        decoder: StreamDecoder::new(),
        head: Vec::new(),
        first: None,
        ended: false,
    };
    let mut head = Vec::with_capacity(8);
    messages.take(8, &mut head)?;
    if head == MAGIC {
        if path.as_os_str() != STDIN {
            check_end(path)?;
        }
        messages.skip_padding()?;
    } else {
        messages.head = head;
    }
    while messages.decoder.schema().is_none() && !messages.ended {
        messages.first = messages.step()?;
    }
    let schema = messages.decoder.schema().ok_or_else(|| broken(path, "it holds no schema"))?;
    let columns = find_columns(&schema, options, path)?;
    let skip = from.map_or(0, |c| c.rows);
    Ok(TableReader::new(Box::new(messages), columns, options, path, 0, skip))
}

/// A file that was cut has lost the magic word at its end.
fn check_end(path: &Path) -> Result<()> {
    use std::io::{Seek, SeekFrom};
    let mut file = super::sources::open_file(path)?;
    let mut end = [0u8; 6];
    let read = file.seek(SeekFrom::End(-6)).and_then(|_| file.read_exact(&mut end));
    if read.is_err() || end != MAGIC[..6] {
        return Err(broken(path, "its end is missing"));
    }
    Ok(())
}
