//! The formats that are read.
//!
//! A format is a file of its own that ends in a [`Spec`]: its name, the endings of its files, and how one is
//! opened. To add one, write that file, and give it a variant of [`Format`] and a line in each of the two lists.

use super::options::InputOptions;
use super::rows::InputRows;
use super::unpack::unpacked_name;
use super::{BadSink, Checkpoint, Limits, csv, ipc, jsonl, npy, parquet, word2vec, word2vec_bin};
use crate::error::Result;
use std::path::Path;

/// A format that points can be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header.
    Tsv,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, file or stream.
    Arrow,
    /// A NumPy array of vectors, with ids and times in files of their own.
    Npy,
    /// Several NumPy arrays by name.
    Npz,
    /// Words and vectors as text, after a line with their number and dimension: word2vec, fastText.
    W2v,
    /// The same in binary: word2vec, gensim.
    W2vBin,
    /// Words and vectors as text without such a line.
    Glove,
    /// Vectors, each after its dimension.
    Fvecs,
    /// Vectors after their number and dimension.
    Fbin,
}

/// What there is to know about a format.
pub(super) struct Spec {
    /// As `--input-format` takes it.
    pub name: &'static str,
    /// Endings of its files, in lower case.
    pub endings: &'static [&'static str],
    /// True when a row has a line.
    pub is_text: bool,
    /// Opens a file, at a checkpoint where there is one.
    pub open: fn(&Path, &InputOptions, Option<&Checkpoint>) -> Result<Opened>,
    /// The dimension of its vectors, `None` without any.
    pub dimension: fn(&Path, &InputOptions) -> Result<Option<usize>>,
}

/// An open file.
pub(super) struct Opened {
    pub rows: Box<dyn RowReader>,
    /// True when reading goes on from the checkpoint.
    pub resumed: bool,
}

/// A reader of one file, whatever its format.
pub(super) trait RowReader {
    /// Appends the next rows to `rows`, which is empty, and hands bad ones to `bad` in their order.
    /// False when there are none.
    fn next_batch(&mut self, rows: &mut InputRows, limits: Limits, bad: &mut BadSink<'_>) -> Result<bool>;

    /// How far the last batch reached.
    fn checkpoint(&mut self) -> Checkpoint;

    /// Where the last row begins, if its line may be a part of what its writer meant.
    fn tail(&self) -> Option<Checkpoint> {
        None
    }
}

impl Format {
    /// Every format, in the order in which help texts list them.
    pub const ALL: [Format; 12] = [
        Format::Jsonl,
        Format::Csv,
        Format::Tsv,
        Format::Parquet,
        Format::Arrow,
        Format::Npy,
        Format::Npz,
        Format::W2v,
        Format::W2vBin,
        Format::Glove,
        Format::Fvecs,
        Format::Fbin,
    ];

    pub(super) fn spec(self) -> &'static Spec {
        match self {
            Format::Jsonl => &jsonl::JSONL,
            Format::Csv => &csv::CSV,
            Format::Tsv => &csv::TSV,
            Format::Parquet => &parquet::PARQUET,
            Format::Arrow => &ipc::ARROW,
            Format::Npy => &npy::NPY,
            Format::Npz => &npy::NPZ,
            Format::W2v => &word2vec::W2V,
            Format::W2vBin => &word2vec_bin::W2V_BIN,
            Format::Glove => &word2vec::GLOVE,
            Format::Fvecs => &npy::FVECS,
            Format::Fbin => &npy::FBIN,
        }
    }

    /// The format that a file's name ends in, before an ending that says that it is packed.
    pub fn of_path(path: &Path) -> Option<Format> {
        let name = path.file_name()?.to_string_lossy();
        let ending = unpacked_name(&name).rsplit_once('.')?.1.to_ascii_lowercase();
        Format::ALL.into_iter().find(|f| f.spec().endings.contains(&ending.as_str()))
    }

    /// True when a row has a line.
    pub fn is_text(self) -> bool {
        self.spec().is_text
    }

    /// The format's name, as `--input-format` takes it.
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// The names of all formats, as a hint lists them.
    pub(super) fn names() -> String {
        let (last, others) = Format::ALL.split_last().unwrap_or((&Format::Jsonl, &[]));
        let others: Vec<&str> = others.iter().map(|f| f.as_str()).collect();
        format!("{} or {}", others.join(", "), last.as_str())
    }
}

impl std::str::FromStr for Format {
    type Err = crate::error::Error;

    fn from_str(name: &str) -> Result<Format> {
        Format::ALL.into_iter().find(|f| f.as_str() == name).ok_or_else(|| {
            crate::error::Error::usage(format!("`{name}` is not a format that is read"))
                .fix(format!("use {}", Format::names()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_endings_are_those_of_one_format() {
        let of = |name: &str| Format::of_path(Path::new(name));
        assert_eq!(of("a/b.NDJSON"), Some(Format::Jsonl));
        assert_eq!(of("a.csv.GZ"), Some(Format::Csv));
        assert_eq!((of("a.txt"), of("a.gz"), of("a")), (None, None, None));
        let mut endings: Vec<_> = Format::ALL.into_iter().flat_map(|f| f.spec().endings).collect();
        let all = endings.len();
        endings.sort();
        endings.dedup();
        assert_eq!(endings.len(), all);
        for format in Format::ALL {
            assert_eq!(format.as_str().parse::<Format>().unwrap(), format);
        }
        assert!("xls".parse::<Format>().unwrap_err().hint().unwrap().contains("parquet"));
    }
}
