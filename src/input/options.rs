//! What the user says about the input.

use super::names::Names;
use crate::error::{Error, Result};
use std::path::PathBuf;

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
}

/// The columns that make up a point; `None` takes the usual names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Else `entity_id` or `entity`.
    pub entity: Option<String>,
    /// Else `timestamp` or `t`.
    pub t: Option<String>,
    /// Else `vector` or `embedding`.
    pub vector: Option<String>,
    /// The entity's name, beside a column of its number, which is then passed over.
    pub name: Option<String>,
    /// The model of each row; else one for all.
    pub model: Option<String>,
    /// The source of each row; else one for all.
    pub source: Option<String>,
}

/// How a mapping is written.
const MAPPING: &str = "write entity=COL,t=COL,vector=COL,name=COL,model=COL,source=COL, any of them";

impl Mapping {
    /// The columns that it names.
    pub(super) fn columns(&self) -> Vec<&str> {
        let Mapping { entity, t, vector, name, model, source } = self;
        [entity, t, vector, name, model, source].into_iter().flatten().map(String::as_str).collect()
    }

    /// Reads `entity=COL,t=COL,vector=COL,name=COL,model=COL,source=COL`, any of them in any order.
    pub fn parse(text: &str) -> Result<Mapping> {
        let mut mapping = Mapping::default();
        for part in text.split(',') {
            let slot = match part.split_once('=') {
                Some(("entity", _)) => &mut mapping.entity,
                Some(("t" | "time" | "timestamp", _)) => &mut mapping.t,
                Some(("name", _)) => &mut mapping.name,
                Some(("vector", _)) => &mut mapping.vector,
                Some(("model", _)) => &mut mapping.model,
                Some(("source", _)) => &mut mapping.source,
                _ => return Err(Error::usage(format!("`{part}` is not a mapping")).fix(MAPPING)),
            };
            let column = part.split_once('=').map_or("", |(_, c)| c.trim());
            if column.is_empty() || slot.is_some() {
                return Err(Error::usage(format!("`{part}`: one column is needed, once")).fix(MAPPING));
            }
            *slot = Some(column.to_owned());
        }
        Ok(mapping)
    }
}

/// What integer (or text) times mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// Text only: RFC 3339, a date, a month, an ISO week.
    Rfc3339,
    /// Microseconds since 1970.
    Us,
    /// Milliseconds since 1970.
    Ms,
    /// Seconds since 1970.
    S,
    /// Nanoseconds since 1970, cut to microseconds.
    Ns,
    /// A year: its first instant.
    Year,
    /// A date, as text or as an integer YYYYMMDD: its first instant.
    Date,
}

impl std::str::FromStr for TimeUnit {
    type Err = Error;

    fn from_str(text: &str) -> Result<TimeUnit> {
        Ok(match text {
            "rfc3339" => TimeUnit::Rfc3339,
            "us" => TimeUnit::Us,
            "ms" => TimeUnit::Ms,
            "s" => TimeUnit::S,
            "ns" => TimeUnit::Ns,
            "year" => TimeUnit::Year,
            "date" => TimeUnit::Date,
            _ => {
                return Err(Error::usage(format!("`{text}` is not a unit of time"))
                    .fix("use rfc3339, us, ms, s, ns, year or date"));
            }
        })
    }
}

/// Which other columns become metadata. A column `metadata` (or `meta`) that holds a JSON
/// object is the metadata itself and is taken unless this is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MetaColumns {
    /// All.
    #[default]
    All,
    /// No metadata at all.
    None,
    /// These.
    List(Vec<String>),
}

impl MetaColumns {
    /// True when the column is wanted.
    pub(super) fn takes(&self, column: &str) -> bool {
        match self {
            MetaColumns::All => true,
            MetaColumns::None => false,
            MetaColumns::List(list) => list.iter().any(|c| c == column),
        }
    }
}

/// How the dataset names its entities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// Unsigned 64-bit integers.
    #[default]
    U64,
    /// Names; the caller turns them into ids.
    Name,
}

/// Everything a reader needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputOptions {
    /// The format, or `None` to go by the file's name (`-` is JSONL).
    pub format: Option<Format>,
    /// Columns of entity, time and vector.
    pub map: Mapping,
    /// First and last of the columns that hold one component each.
    pub vector_cols: Option<(String, String)>,
    /// The time of all points, in place of a column.
    pub time: Option<String>,
    /// What integer times mean.
    pub time_unit: Option<TimeUnit>,
    /// Other columns to keep.
    pub meta: MetaColumns,
    /// Source of all points; else that of an exported row, else the file's name.
    pub source: Option<String>,
    /// Model of all points, `NAME@VERSION`; else that of an exported row, else unknown.
    pub model: Option<String>,
    /// Scale vectors to unit length, keeping the norm in metadata `_norm`.
    pub normalize: bool,
    /// Dimension of the dataset.
    pub dim: usize,
    /// Kind of the dataset's entity ids.
    pub ids: IdKind,
    /// Longest line or CSV record taken, bytes.
    pub max_line: usize,
    /// Ids beside an NPY file: an `.npy` of integers, or one id or name a line.
    pub ids_file: Option<PathBuf>,
    /// Times beside an NPY file: an `.npy` of integers, or one time a line.
    pub times_file: Option<PathBuf>,
    /// Names for the ids of the input, in a dataset with names.
    pub names: Option<Names>,
    /// Bytes that decoding may hold at once. It changes no row.
    pub memory: usize,
}

impl InputOptions {
    /// The defaults for a dataset.
    pub fn new(dim: usize, ids: IdKind) -> InputOptions {
        InputOptions {
            format: None,
            map: Mapping::default(),
            vector_cols: None,
            time: None,
            time_unit: None,
            meta: MetaColumns::All,
            source: None,
            model: None,
            normalize: false,
            dim,
            ids,
            max_line: 4 << 20,
            ids_file: None,
            times_file: None,
            names: None,
            memory: 1 << 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings() {
        let map = Mapping::parse("t=year,entity=word").unwrap();
        assert_eq!((map.entity.as_deref(), map.t.as_deref(), map.vector), (Some("word"), Some("year"), None));
        let map = Mapping::parse("model=m,source=s").unwrap();
        assert_eq!((map.model.as_deref(), map.source.as_deref()), (Some("m"), Some("s")));
        for bad in ["", "word", "entity=", "entity=a,entity=b", "id=a"] {
            assert_eq!(Mapping::parse(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
        assert!("minutes".parse::<TimeUnit>().is_err());
    }
}
