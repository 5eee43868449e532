//! Text formats as batches: blocks of whole records, parsed on all threads, handed out in order.
//!
//! Memory is bounded by the block and the longest record, whatever the input. A batch ends on
//! a record, and the checkpoint after it says how many bytes of the file it covers and what
//! they hash to, so that a later run can go on from there.

use super::ahead::Source;
use super::options::InputOptions;
use super::reader::BadSink;
use super::reader::Checkpoint;
use super::reader::Limits;
use super::reader::RowReader;
use super::rows::{BadRow, Fault, InputRows, Row};
use super::sources::open_text;
use crate::error::{Code, Error, Result};
use crate::format::checksum::Hasher128;
use crate::points::Origin;
use rayon::prelude::*;
use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Rows of a live source wait at most so long for others of their batch.
const PATIENCE: Duration = Duration::from_secs(1);
/// Text read before it is parsed.
const BLOCK: usize = 8 << 20;
/// Text that one task parses.
const PIECE: usize = 256 << 10;
/// Most of a bad line that is kept for the report.
pub const RAW_KEPT: u64 = 1 << 10;
/// Distinct origins after which a batch ends.
const MAX_ORIGINS: usize = 1024;

/// What stands at the front of some text.
pub(super) enum Split {
    /// A whole record of so many bytes, line end included.
    Record(usize),
    /// So many bytes that are no record.
    Malformed(usize, Fault),
    /// A record without end in sight, longer than a record may be.
    TooLong,
    /// The record goes on behind the text.
    More,
}

/// A text format.
pub(super) trait Grammar: Send + Sync {
    /// The first record of `text`, which is not empty; `last`: nothing follows it in the file.
    fn split(&self, text: &[u8], last: bool) -> Split;

    /// Parses one record with its line end. `None` for a blank one.
    fn parse(&self, record: &[u8], row: &mut Row, origin: &mut Origin) -> Option<Result<(), Fault>>;

    /// True when a record at the end of a file reads as a whole one, and may go on once the file
    /// has grown: its writer may have been stopped inside it.
    fn may_be_cut(&self, _record: &[u8]) -> bool {
        false
    }
}

/// A rule that cuts records: [`Grammar::split`].
pub(super) type SplitFn<'a> = dyn Fn(&[u8], bool) -> Split + 'a;

/// Records that one task parses, or one stretch that cannot be parsed.
struct Piece {
    start: usize,
    end: usize,
    line: u64,
    fault: Option<Fault>,
}

/// The rows of a piece, and between them the bad ones.
#[derive(Default)]
struct Parsed {
    rows: InputRows,
    /// File offset behind each row's record.
    ends: Vec<u64>,
    /// Before which row, file offset behind it, and why.
    bad: VecDeque<(usize, u64, BadRow)>,
    /// The next row to hand out.
    at: usize,
    /// The last row may be a part of what its writer meant.
    cut: bool,
}

/// The bytes of a text file, some of them in memory.
pub(super) struct Blocks {
    source: Source,
    path: PathBuf,
    /// Bytes from `offset` on; the first `used` of them belong to the current block.
    buffer: Vec<u8>,
    offset: u64,
    used: usize,
    /// Line of `buffer[used]`.
    line: u64,
    eof: bool,
    /// The rest of an over-long line is passed over.
    skipping: bool,
    hasher: Hasher128,
    hashed: u64,
    max_line: usize,
}

impl Blocks {
    pub(super) fn new(source: Source, path: &Path, max_line: usize) -> Blocks {
        Blocks {
            source,
            path: path.to_owned(),
            buffer: Vec::new(),
            offset: 0,
            used: 0,
            line: 1,
            eof: false,
            skipping: false,
            hasher: Hasher128::new(),
            hashed: 0,
            max_line,
        }
    }

    /// Reads once, at most `want` bytes.
    fn read(&mut self, want: usize) -> Result<usize> {
        let old = self.buffer.len();
        self.buffer.resize(old + want, 0);
        let got = loop {
            match self.source.read(&mut self.buffer[old..]) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let n = *got.as_ref().unwrap_or(&0);
        self.buffer.truncate(old + n);
        got.map_err(|e| Error::io("read", &self.path, &e))?;
        self.eof |= n == 0;
        if self.offset == 0 && self.used == 0 && self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.used = 3;
        }
        Ok(n)
    }

    /// Drops the current block and fills the buffer up to `size` bytes or `lines` lines.
    fn fill(&mut self, size: usize, lines: usize) -> Result<()> {
        self.hash_to(self.offset + self.used as u64);
        self.buffer.drain(..self.used);
        self.offset += self.used as u64;
        self.used = 0;
        let mut seen = memchr::memchr_iter(b'\n', &self.buffer).count();
        while !self.eof && self.buffer.len() - self.used < size && seen < lines {
            if seen > 0 && !self.source.ready(Duration::ZERO) {
                break;
            }
            let old = self.buffer.len();
            self.read((size - (old - self.used)).min(1 << 20))?;
            seen += memchr::memchr_iter(b'\n', &self.buffer[old..]).count();
        }
        Ok(())
    }

    /// True when more would have to be waited for, longer than rows that came at `since` may wait.
    fn keeps_waiting(&mut self, since: Instant) -> bool {
        let whole_line = memchr::memchr(b'\n', &self.buffer[self.used..]).is_some();
        let left = PATIENCE.saturating_sub(since.elapsed());
        self.source.is_live() && (left.is_zero() || !(whole_line || self.source.ready(left)))
    }

    /// Adds the bytes before a file offset inside the buffer to the checksum.
    fn hash_to(&mut self, offset: u64) {
        let (from, to) = ((self.hashed - self.offset) as usize, (offset - self.offset) as usize);
        self.hasher.update(&self.buffer[from..to]);
        self.hashed = offset;
    }

    /// Passes over the rest of an over-long line.
    fn skip_line(&mut self) -> Result<()> {
        while self.skipping {
            match memchr::memchr(b'\n', &self.buffer[self.used..]) {
                Some(n) => {
                    self.used += n + 1;
                    self.line += 1;
                    self.skipping = false;
                }
                None => {
                    self.used = self.buffer.len();
                    self.skipping = !self.eof;
                    self.fill(BLOCK, usize::MAX)?;
                }
            }
        }
        Ok(())
    }

    /// The next records, at most `records` of them, cut into pieces. None at the end.
    fn next_block(&mut self, split: &SplitFn<'_>, records: usize) -> Result<Vec<Piece>> {
        self.skip_line()?;
        let (mut size, mut lines) = (BLOCK, records);
        loop {
            self.fill(size, lines)?;
            let pieces = self.cut(split, records);
            if !pieces.is_empty() || (self.eof && self.used == self.buffer.len()) {
                return Ok(pieces);
            }
            // One record, longer than what is there, whatever lines it has.
            (size, lines) = ((self.buffer.len() * 2).max(1 << 16), usize::MAX);
        }
    }

    fn cut(&mut self, split: &SplitFn<'_>, records: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut start, mut line) = (self.used, self.line);
        let mut taken = 0;
        while self.used < self.buffer.len() && taken < records {
            let at = self.used;
            let (len, fault) = match split(&self.buffer[at..], self.eof) {
                Split::More => break,
                Split::Record(len) => (len, None),
                Split::Malformed(len, fault) => (len, Some(fault)),
                Split::TooLong => {
                    self.skipping = true;
                    (self.buffer.len() - at, Some(too_long(self.max_line)))
                }
            };
            taken += 1;
            let lines = memchr::memchr_iter(b'\n', &self.buffer[at..at + len]).count() as u64;
            if fault.is_some() && start < at {
                pieces.push(Piece { start, end: at, line, fault: None });
                (start, line) = (at, self.line);
            }
            self.used += len;
            self.line += lines;
            if fault.is_some() || self.used - start >= PIECE {
                pieces.push(Piece { start, end: self.used, line, fault });
                (start, line) = (self.used, self.line);
            }
        }
        if start < self.used {
            pieces.push(Piece { start, end: self.used, line, fault: None });
        }
        pieces
    }

    /// The first record, for headers; `None` in an empty file.
    pub(super) fn first_record(&mut self, split: &SplitFn<'_>) -> Result<Option<Vec<u8>>> {
        let pieces = self.next_block(split, 1)?;
        match pieces.into_iter().next() {
            None => Ok(None),
            Some(Piece { fault: Some(fault), start, line, .. }) => {
                Err(fault.in_text(&self.path, line, self.offset + start as u64, b"").into_error())
            }
            Some(piece) => Ok(Some(self.buffer[piece.start..piece.end].to_vec())),
        }
    }

    /// Moves to a checkpoint if the bytes before it are those it was made of.
    pub(super) fn resume(&mut self, checkpoint: &Checkpoint) -> Result<bool> {
        while self.offset < checkpoint.byte {
            let left = usize::try_from(checkpoint.byte - self.offset).unwrap_or(usize::MAX);
            if self.buffer.is_empty() && self.read(left.min(1 << 20))? == 0 {
                return Ok(false);
            }
            self.used = left.min(self.buffer.len());
            self.line += memchr::memchr_iter(b'\n', &self.buffer[..self.used]).count() as u64;
            self.fill(0, 0)?;
        }
        Ok(self.offset == checkpoint.byte && self.hasher.finish() == checkpoint.prefix)
    }
}

/// Cuts lines.
pub(super) fn split_line(text: &[u8], last: bool, max_line: usize) -> Split {
    match memchr::memchr(b'\n', text) {
        Some(n) if n <= max_line => Split::Record(n + 1),
        Some(n) => Split::Malformed(n + 1, too_long(max_line)),
        None if text.len() > max_line => Split::TooLong,
        None if last => Split::Record(text.len()),
        None => Split::More,
    }
}

pub(super) fn too_long(max_line: usize) -> Fault {
    Fault::new(Code::BadRow, format!("the record is longer than {max_line} bytes"))
        .fix("is a line end or a closing quote missing? else raise ‹max-line›")
}

/// The fault of bytes that are not UTF-8, or hold a NUL.
pub(super) fn check_text(record: &[u8]) -> Result<&str, Fault> {
    let text = std::str::from_utf8(record).map_err(|e| {
        let at = e.valid_up_to();
        let byte = record.get(at).copied().unwrap_or(0);
        Fault::new(Code::BadRow, format!("byte 0x{byte:02X} is not UTF-8"))
            .fix("convert the file to UTF-8, e.g. with iconv")
            .at(at)
    })?;
    if let Some(at) = memchr::memchr(0, record) {
        return Err(Fault::new(Code::BadRow, "the record holds a NUL byte").fix("remove it").at(at));
    }
    if text.starts_with('\u{feff}') {
        return Err(Fault::new(Code::BadRow, "a byte order mark stands inside the file")
            .fix("remove it; it can only be the first thing in a file"));
    }
    Ok(text)
}

/// A reader of one text file.
pub(super) struct TextReader<G> {
    blocks: Blocks,
    rules: Rules<G>,
    queue: VecDeque<Parsed>,
    /// Records handed out, good and bad, and the file offset behind them.
    records: u64,
    end: u64,
    /// Where the last record begins, when it was handed out and may have been cut.
    tail: Option<Checkpoint>,
}

/// All that parsing a piece needs beside its bytes.
struct Rules<G> {
    grammar: G,
    path: PathBuf,
    origin: Origin,
    named: bool,
    dim: usize,
}

impl<G: Grammar> TextReader<G> {
    pub(super) fn new(
        blocks: Blocks,
        grammar: G,
        origin: Origin,
        options: &InputOptions,
        records: u64,
    ) -> Self {
        let end = blocks.offset + blocks.used as u64;
        let named = options.ids == super::options::IdKind::Name;
        let rules = Rules { grammar, path: blocks.path.clone(), origin, named, dim: options.dim };
        TextReader { blocks, rules, queue: VecDeque::new(), records, end, tail: None }
    }

    /// Hands out parsed rows; true when the batch is full, false when there are no more.
    fn deliver(&mut self, rows: &mut InputRows, limits: Limits, sink: &mut BadSink<'_>) -> Result<bool> {
        while let Some(piece) = self.queue.front_mut() {
            while piece.at < piece.rows.len() || !piece.bad.is_empty() {
                if rows.len() >= limits.rows {
                    return Ok(true);
                }
                if let Some((_, end, row)) = piece.bad.pop_front_if(|(before, ..)| *before <= piece.at) {
                    self.end = end;
                    self.records += 1;
                    sink(row)?;
                    continue;
                }
                let size = piece.rows.row_bytes(piece.at);
                let full =
                    rows.size_bytes() + size > limits.bytes || rows.points.origins.len() >= MAX_ORIGINS;
                if full && !rows.is_empty() {
                    return Ok(true);
                }
                if piece.cut && piece.at + 1 == piece.rows.len() {
                    let byte = piece.rows.byte[piece.at];
                    self.blocks.hash_to(byte);
                    let prefix = self.blocks.hasher.finish();
                    self.tail = Some(Checkpoint { rows: self.records, byte, prefix });
                }
                rows.push_from(&piece.rows, piece.at);
                self.end = piece.ends[piece.at];
                self.records += 1;
                piece.at += 1;
            }
            self.queue.pop_front();
        }
        // Blank lines at the end of the block belong to what is done.
        self.end = self.blocks.offset + self.blocks.used as u64;
        Ok(false)
    }
}

impl<G: Grammar> RowReader for TextReader<G> {
    fn next_batch(&mut self, rows: &mut InputRows, limits: Limits, bad: &mut BadSink<'_>) -> Result<bool> {
        let started = Instant::now();
        loop {
            if self.deliver(rows, limits, bad)? || rows.len() >= limits.rows {
                break;
            }
            if !rows.is_empty() && self.blocks.keeps_waiting(started) {
                break;
            }
            let left = limits.rows.saturating_sub(rows.len()).max(1);
            let pieces = self.blocks.next_block(&|text, last| self.rules.grammar.split(text, last), left)?;
            if pieces.is_empty() {
                break;
            }
            let (rules, buffer, offset) = (&self.rules, &self.blocks.buffer, self.blocks.offset);
            let parse = |piece: Piece| rules.parse(&buffer[piece.start..piece.end], offset, piece);
            self.queue = pieces.into_par_iter().map(parse).collect();
        }
        Ok(!rows.is_empty())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.blocks.hash_to(self.end);
        Checkpoint { rows: self.records, byte: self.end, prefix: self.blocks.hasher.finish() }
    }

    fn tail(&self) -> Option<Checkpoint> {
        self.tail
    }
}

impl<G: Grammar> Rules<G> {
    /// Parses a piece, whose bytes are `text`, of a buffer at a file offset.
    fn parse(&self, text: &[u8], offset: u64, piece: Piece) -> Parsed {
        let base = offset + piece.start as u64;
        let mut out = Parsed { rows: InputRows::new(self.dim), ..Parsed::default() };
        if let Some(fault) = piece.fault {
            let raw = &text[..text.len().min(RAW_KEPT as usize)];
            let row = fault.in_text(&self.path, piece.line, base, trim_line(raw));
            out.bad.push_back((0, base + text.len() as u64, row));
            return out;
        }
        let mut row = Row::default();
        let mut origin = self.origin.clone();
        let (mut at, mut line) = (0, piece.line);
        while at < text.len() {
            let len = match self.grammar.split(&text[at..], true) {
                Split::Record(len) => len,
                // Not in a piece that was cut by the same rule.
                _ => text.len() - at,
            };
            let record = &text[at..at + len];
            let (start, end) = (base + at as u64, base + (at + len) as u64);
            if origin != self.origin {
                origin.clone_from(&self.origin);
            }
            match self.grammar.parse(record, &mut row, &mut origin) {
                None => {}
                Some(Ok(())) => {
                    out.rows.push(&row, &origin, self.named, line, start);
                    out.ends.push(end);
                    out.cut = self.grammar.may_be_cut(record);
                }
                Some(Err(fault)) => {
                    let bad = fault.in_text(&self.path, line, start, trim_line(record));
                    out.bad.push_back((out.rows.len(), end, bad));
                }
            }
            line += memchr::memchr_iter(b'\n', record).count() as u64;
            at += len;
        }
        out
    }
}

/// A record without its line end.
pub(super) fn trim_line(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// Bytes of a text file, moved to the checkpoint where that still fits.
pub(super) fn text_blocks(
    path: &Path,
    options: &InputOptions,
    from: Option<&Checkpoint>,
) -> Result<(Blocks, Option<Checkpoint>)> {
    let fresh = || Ok::<_, Error>(Blocks::new(open_text(path)?, path, options.max_line));
    let mut blocks = fresh()?;
    if let Some(checkpoint) = from {
        if blocks.resume(checkpoint)? {
            return Ok((blocks, Some(*checkpoint)));
        }
        blocks = fresh()?;
    }
    Ok((blocks, None))
}
