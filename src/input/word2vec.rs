//! Words and their vectors as word2vec, fastText and GloVe write them in text: a word and its values a line,
//! apart by blanks. word2vec and fastText put the number of words and the dimension before them.
//!
//! The values are read from the end of a line, since words of some files hold blanks themselves. Neither form
//! has times: all points of a file have one.

use super::derived::constant;
use super::fields::time_names;
use super::numbers::cell;
use super::options::InputOptions;
use super::origin::origin_without_columns;
use super::reader::BadSink;
use super::reader::Checkpoint;
use super::reader::Limits;
use super::reader::{Opened, RowReader, Spec};
use super::rows::{Fault, InputRows, Row, check_count};
use super::text::text_blocks;
use super::text::{Blocks, Grammar, Split, TextReader, check_text, split_line, trim_line};
use super::value::{finish, set_entity, time_from_text};
use crate::error::{Code, Error, Result};
use crate::points::Origin;
use std::path::{Path, PathBuf};

pub(super) const W2V: Spec = Spec {
    name: "w2v",
    endings: &["vec"],
    is_text: true,
    open: |path, options, from| open(path, options, from, true),
    dimension: |path, options| {
        let mut blocks = text_blocks(path, options, None)?.0;
        Ok(first(&mut blocks, options)?.and_then(|line| header(&line)).map(|(_, dim)| dim))
    },
};

pub(super) const GLOVE: Spec = Spec {
    name: "glove",
    endings: &[],
    is_text: true,
    open: |path, options, from| open(path, options, from, false),
    dimension: |path, options| {
        let mut blocks = text_blocks(path, options, None)?.0;
        Ok(first(&mut blocks, options)?.map(|line| values_of(&line)))
    },
};

/// Longest first line: all that a header has.
const HEADER: usize = 64;

fn open(path: &Path, options: &InputOptions, from: Option<&Checkpoint>, headed: bool) -> Result<Opened> {
    let (mut blocks, _) = text_blocks(path, options, None)?;
    let line = first(&mut blocks, options)?.unwrap_or_default();
    let promised = match headed {
        true => {
            let (words, dim) = header(&line).ok_or_else(|| no_header(path))?;
            check_dim(dim, options.dim, path)?;
            Some(words)
        }
        false => {
            check_dim(values_of(&line), options.dim, path)?;
            blocks = text_blocks(path, options, None)?.0;
            None
        }
    };
    let (mut rows, mut resumed) = (0, false);
    if from.is_some()
        && let (there, Some(checkpoint)) = text_blocks(path, options, from)?
    {
        (blocks, rows, resumed) = (there, checkpoint.rows, true);
    }
    let grammar = Words { t: time(path, options)?, options: options.clone() };
    let text = TextReader::new(blocks, grammar, origin_without_columns(path, options)?, options, rows);
    let rows = Box::new(Counted { text, promised, path: path.to_owned() });
    Ok(Opened { rows, resumed })
}

/// The first line.
fn first(blocks: &mut Blocks, options: &InputOptions) -> Result<Option<String>> {
    let line = blocks.first_record(&|text, last| split_line(text, last, options.max_line))?;
    Ok(line.map(|line| String::from_utf8_lossy(trim_line(&line)).into_owned()))
}

/// Words and dimension, as the first line of a file says.
pub(super) fn header(line: &str) -> Option<(u64, usize)> {
    let (words, dim) = line.get(..line.len().min(HEADER))?.trim().split_once([' ', '\t'])?;
    Some((words.parse().ok()?, dim.trim().parse().ok()?))
}

pub(super) fn no_header(path: &Path) -> Error {
    Error::new(Code::BadFile, "the first line is not the number of words and the dimension")
        .file(path)
        .line(1)
        .fix("for a file without such a line, as GloVe writes it: ‹input-format glove›")
}

pub(super) fn check_dim(found: usize, dim: usize, path: &Path) -> Result<()> {
    if found == dim {
        return Ok(());
    }
    Err(Error::new(
        Code::DimMismatch,
        format!("vectors have {found} values, the dataset has dimension {dim}"),
    )
    .file(path)
    .fix("check the file, or create another dataset with `cvx init ‹like FILE›`"))
}

/// The one time of a file's points.
pub(super) fn time(path: &Path, options: &InputOptions) -> Result<i64> {
    let text = constant(options, path, &time_names(options)).ok_or_else(|| {
        Error::new(Code::BadTime, "files of this format have no times")
            .file(path)
            .fix("give all points one with ‹at›, or take it from a directory KEY=TIME with ‹map t=KEY›")
    })?;
    time_from_text(&text, options.time_unit).map_err(|f| f.in_rows(path, 1, String::new()).into_error())
}

/// Values of a line of which the first field is a word.
fn values_of(line: &str) -> usize {
    line.split([' ', '\t']).filter(|field| !field.is_empty()).count().saturating_sub(1)
}

/// A word and its values a line.
struct Words {
    t: i64,
    options: InputOptions,
}

impl Grammar for Words {
    fn split(&self, text: &[u8], last: bool) -> Split {
        split_line(text, last, self.options.max_line)
    }

    fn parse(&self, record: &[u8], row: &mut Row, _: &mut Origin) -> Option<Result<(), Fault>> {
        let line = trim_line(record);
        if line.trim_ascii().is_empty() {
            return None;
        }
        Some(check_text(line).and_then(|text| self.row(text, row)))
    }

    /// The last value may have been cut.
    fn may_be_cut(&self, record: &[u8]) -> bool {
        !record.ends_with(b"\n")
    }
}

impl Words {
    fn row(&self, line: &str, row: &mut Row) -> Result<(), Fault> {
        let blank = [' ', '\t'];
        let mut word = line.trim_end_matches(blank);
        row.vector.clear();
        row.vector.resize(self.options.dim, 0.0);
        for (i, value) in row.vector.iter_mut().enumerate().rev() {
            let Some((before, field)) = word.rsplit_once(blank) else {
                return check_count(self.options.dim - 1 - i, self.options.dim);
            };
            *value = cell(field.as_bytes(), i + 1).map_err(|f| f.column("vector").at(before.len() + 1))?;
            word = before.trim_end_matches(blank);
        }
        self.entity(word, row)
    }

    fn entity(&self, word: &str, row: &mut Row) -> Result<(), Fault> {
        set_entity(word, self.options.ids, row).map_err(|f| f.column("entity"))?;
        row.t = self.t;
        finish(row, Vec::new(), &self.options)
    }
}

/// The words of a file that may say how many they are: a file that was cut between two lines says it by this
/// alone.
struct Counted {
    text: TextReader<Words>,
    promised: Option<u64>,
    path: PathBuf,
}

impl RowReader for Counted {
    fn next_batch(&mut self, rows: &mut InputRows, limits: Limits, bad: &mut BadSink<'_>) -> Result<bool> {
        let more = self.text.next_batch(rows, limits, bad)?;
        let read = self.text.checkpoint().rows;
        match self.promised {
            Some(promised) if !more && read != promised => {
                let message = format!("the first line says {promised} words, the file has {read}");
                Err(Error::new(Code::BadFile, message)
                    .file(&self.path)
                    .line(1)
                    .fix("is the file cut? copy it again, or correct the number"))
            }
            _ => Ok(more),
        }
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.text.checkpoint()
    }

    fn tail(&self) -> Option<Checkpoint> {
        self.text.tail()
    }
}
