//! The formats that are read.
//!
//! A format is a file of its own that ends in a [`Spec`]: its name, the endings of its files, and how one is
//! opened. To add one, write that file, and give it a variant of [`Format`] and a line in each of the two lists.

use super::options::Format;
use super::reader::Spec;
use super::unpack::unpacked_name;
use super::{csv, ipc, jsonl, npy, parquet, word2vec, word2vec_bin};
use crate::error::Result;
use std::path::Path;

impl Format {
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
