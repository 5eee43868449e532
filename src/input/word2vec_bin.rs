//! Words and their vectors as word2vec and gensim write them in binary: a line with the number of words and the
//! dimension, then for each word its letters, a blank, and its values as 32-bit floats. word2vec itself puts a
//! line end behind each vector, gensim does not.

use super::base64::float_bytes;
use super::options::IdKind;
use super::options::InputOptions;
use super::origin::origin_without_columns;
use super::reader::BadSink;
use super::reader::Checkpoint;
use super::reader::Limits;
use super::reader::{Opened, RowReader, Spec};
use super::rows::{Fault, InputRows, Row};
use super::sources::open_bytes;
use super::value::{MAX_NAME, finish, set_entity};
use super::word2vec::{check_dim, header, no_header, time};
use crate::error::{Code, Error, Result};
use crate::points::Origin;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

pub(super) const W2V_BIN: Spec = Spec {
    name: "w2v-bin",
    endings: &[],
    is_text: false,
    open: |path, options, from| {
        let rows = Box::new(open(path, options, from.map_or(0, |c| c.rows))?);
        Ok(Opened { rows, resumed: from.is_some() })
    },
    dimension: |path, _| Ok(Some(start(path)?.2)),
};

/// Longest first line.
const HEADER: u64 = 64;
/// Longest word that is passed over or named in an error.
const WORD: u64 = 64 << 10;

type Source = BufReader<Box<dyn Read + Send>>;

/// The source behind its first line, and what that says.
fn start(path: &Path) -> Result<(Source, u64, usize)> {
    let mut source = BufReader::with_capacity(1 << 20, open_bytes(path)?);
    let mut line = Vec::new();
    let read = (&mut source).take(HEADER).read_until(b'\n', &mut line);
    read.map_err(|e| Error::io("read", path, &e))?;
    let line = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
    let (words, dim) = line.and_then(header).ok_or_else(|| no_header(path))?;
    Ok((source, words, dim))
}

fn open(path: &Path, options: &InputOptions, skip: u64) -> Result<BinaryWords> {
    let (source, words, dim) = start(path)?;
    check_dim(dim, options.dim, path)?;
    let mut reader = BinaryWords {
        source,
        path: path.to_owned(),
        words,
        read: 0,
        t: time(path, options)?,
        options: options.clone(),
        origin: origin_without_columns(path, options)?,
        word: Vec::new(),
        bytes: vec![0; dim * 4],
        row: Row::default(),
    };
    while reader.read < skip.min(words) {
        reader.step()?;
    }
    Ok(reader)
}

/// A reader of one file.
struct BinaryWords {
    source: Source,
    path: PathBuf,
    /// Words that the file has, and those that were read.
    words: u64,
    read: u64,
    t: i64,
    options: InputOptions,
    origin: Origin,
    /// The current word and the bytes of its vector.
    word: Vec<u8>,
    bytes: Vec<u8>,
    row: Row,
}

impl BinaryWords {
    /// Reads the next word and its vector.
    fn step(&mut self) -> Result<()> {
        let cut = format!("the file ends inside word {} of {}", self.read + 1, self.words);
        let io = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Error::new(Code::BadFile, cut.clone()).file(&self.path).fix("is the file cut? copy it again")
            }
            _ => Error::io("read", &self.path, &e),
        };
        self.word.clear();
        (&mut self.source).take(WORD).read_until(b' ', &mut self.word).map_err(io)?;
        if self.word.pop() != Some(b' ') {
            return Err(Error::new(Code::BadFile, format!("no blank ends word {}", self.read + 1))
                .file(&self.path)
                .fix("is the file whole, and written in binary by word2vec or gensim?"));
        }
        self.source.read_exact(&mut self.bytes).map_err(io)?;
        self.read += 1;
        Ok(())
    }

    /// Refuses bytes behind the last word; a line end is none.
    fn check_end(&mut self) -> Result<()> {
        let mut rest = [0u8; 2];
        let mut left = (&mut self.source).take(2);
        let mut read = 0;
        while let n @ 1.. = left.read(&mut rest[read..]).map_err(|e| Error::io("read", &self.path, &e))? {
            read += n;
        }
        match &rest[..read] {
            [] | b"\n" => Ok(()),
            _ => Err(Error::new(Code::BadFile, format!("more follows the last of {} words", self.words))
                .file(&self.path)
                .fix("does the first line say how many words there are?")),
        }
    }

    /// The word just read as a JSON object; numbers that are not finite become null.
    fn raw(&self) -> String {
        let word = self.word.strip_prefix(b"\n").unwrap_or(&self.word);
        let vector: Vec<f32> = self.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        serde_json::json!({"entity": String::from_utf8_lossy(word), "vector": vector}).to_string()
    }

    fn set_row(&mut self) -> Result<(), Fault> {
        let word = self.word.strip_prefix(b"\n").unwrap_or(&self.word);
        let word = std::str::from_utf8(word).map_err(|_| {
            let shown = String::from_utf8_lossy(&word[..word.len().min(MAX_NAME)]).into_owned();
            Fault::new(Code::BadEntity, format!("the word `{}` is not UTF-8", crate::text::shorten(&shown)))
                .fix("leave the row out with ‹max-errors›, or write the file again as UTF-8")
                .column("entity")
        })?;
        set_entity(word, self.options.ids, &mut self.row).map_err(|f| f.column("entity"))?;
        self.row.t = self.t;
        float_bytes(&self.bytes, self.options.dim, &mut self.row.vector).map_err(|f| f.column("vector"))?;
        finish(&mut self.row, Vec::new(), &self.options)
    }
}

impl RowReader for BinaryWords {
    fn next_batch(&mut self, rows: &mut InputRows, limits: Limits, bad: &mut BadSink<'_>) -> Result<bool> {
        let named = self.options.ids == IdKind::Name;
        let row_bytes = self.options.dim * 4 + 128;
        while self.read < self.words && rows.len() < limits.rows {
            if !rows.is_empty() && rows.size_bytes() + row_bytes > limits.bytes {
                break;
            }
            self.step()?;
            match self.set_row() {
                Ok(()) => rows.push(&self.row, &self.origin, named, self.read, 0),
                Err(fault) => {
                    let raw = self.raw();
                    bad(fault.in_rows(&self.path, self.read, raw))?;
                }
            }
        }
        if rows.is_empty() {
            self.check_end()?;
        }
        Ok(!rows.is_empty())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint { rows: self.read, byte: 0, prefix: 0 }
    }
}
