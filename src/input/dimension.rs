//! How long the vectors of a file are, from its schema or its first row: for `init --like`.

use super::fields::names;
use super::guard::broken;
use super::options::InputOptions;
use super::sources::open_bytes;
use crate::error::{Error, Result};
use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_schema::{DataType, Schema};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Names of the column of vectors.
pub(super) fn columns(options: &InputOptions) -> Vec<String> {
    names(&options.map.vector, &["vector", "embedding"])
}

pub(super) fn of_jsonl(path: &Path, options: &InputOptions) -> Result<Option<usize>> {
    let mut lines = BufReader::new(open_bytes(path)?.take(options.max_line as u64));
    let mut line = String::new();
    while line.trim_matches(['\u{feff}', ' ', '\n', '\r', '\t']).is_empty() {
        line.clear();
        if lines.read_line(&mut line).map_err(|e| Error::io("read", path, &e))? == 0 {
            return Ok(None);
        }
    }
    let row: serde_json::Value = serde_json::from_str(line.trim_matches(['\u{feff}', '\n', '\r']))
        .map_err(|e| broken(path, &e.to_string()).line(1))?;
    Ok(columns(options).iter().find_map(|c| match row.get(c)? {
        serde_json::Value::Array(values) => Some(values.len()),
        serde_json::Value::String(text) => super::numbers::count(text.as_bytes()),
        _ => None,
    }))
}

/// The first record of a table: a list in the vector's column, or columns `v0`, `v1`, …
pub(super) fn of_table(path: &Path, options: &InputOptions, delimiter: u8) -> Result<Option<usize>> {
    let source = open_bytes(path)?.take(2 * options.max_line as u64);
    let mut table = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(source);
    let bad = |e: csv::Error| broken(path, &e.to_string());
    let header = table.headers().map_err(bad)?.clone();
    let at = |name: &str| header.iter().position(|h| h.trim_start_matches('\u{feff}') == name);
    let Some(column) = columns(options).iter().find_map(|c| at(c)) else {
        let names: HashSet<&str> = header.iter().map(|h| h.trim_start_matches('\u{feff}')).collect();
        return Ok(Some((0..).take_while(|i| names.contains(format!("v{i}").as_str())).count()));
    };
    let mut record = csv::StringRecord::new();
    if !table.read_record(&mut record).map_err(bad)? {
        return Ok(None);
    }
    Ok(super::numbers::count(record.get(column).unwrap_or("").as_bytes()))
}

pub(super) fn vector_field(schema: &Schema, columns: &[String]) -> Option<usize> {
    columns.iter().find_map(|c| schema.index_of(c).ok())
}

/// Columns `v0`, `v1`, ... of a table without a column of vectors.
pub(super) fn numbered(schema: &Schema) -> Option<usize> {
    let names: HashSet<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    Some((0..).take_while(|i| names.contains(format!("v{i}").as_str())).count())
}

/// The length that the type itself says.
pub(super) fn fixed(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::FixedSizeList(_, n) => usize::try_from(*n).ok(),
        DataType::FixedSizeBinary(n) => usize::try_from(*n).ok().map(|n| n / 4),
        _ => None,
    }
}

/// Values in the first row of a column of vectors.
pub(super) fn list_len(array: &ArrayRef) -> Result<Option<usize>> {
    if array.is_empty() || array.is_null(0) {
        return Ok(None);
    }
    Ok(match array.data_type() {
        DataType::List(_) => Some(array.as_list::<i32>().value(0).len()),
        DataType::LargeList(_) => Some(array.as_list::<i64>().value(0).len()),
        _ => text_len(array),
    })
}

/// Values of a vector that is written as text, or as the bytes of 32-bit floats.
fn text_len(array: &ArrayRef) -> Option<usize> {
    let mut json = super::arrow::json::Json::default();
    super::arrow::json::write(array, 0, &mut json, 0, crate::model::MAX_DIM * 32).ok()?;
    let text: String = serde_json::from_str(&json.text).ok()?;
    match array.data_type() {
        // Two hexadecimal digits a byte.
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(text.len() / 8),
        _ => super::numbers::count(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::input::{IdKind, dimension};

    fn of(name: &str, bytes: &[u8]) -> Result<usize> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        dimension(&path, &InputOptions::new(1, IdKind::U64))
    }

    #[test]
    fn from_text() {
        assert_eq!(of("a.jsonl", b"\n{\"vector\":[1,2,3]}\n{").unwrap(), 3);
        assert_eq!(of("a.csv", b"entity,embedding\n1,\"[1, 2]\"\n").unwrap(), 2);
        assert_eq!(of("b.jsonl", b"{\"vector\":\"[1, 2]\"}\n").unwrap(), 2);
        assert_eq!(of("a.tsv", b"t\tv0\tv1\tv2\tx\n").unwrap(), 3);
        assert_eq!(of("a.jsonl", b"{\"x\":[1]}\n").unwrap_err().code(), Code::BadFile);
        assert_eq!(of("a.jsonl", b"").unwrap_err().code(), Code::BadFile);
        assert!(of("a.jsonl", b"{\"vector\":[1,").is_err());
    }

    #[test]
    fn from_the_shipped_parquet() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/un-speeches/un-speeches.parquet");
        assert_eq!(dimension(&path, &InputOptions::new(1, IdKind::U64)).unwrap(), 384);
        assert!(of("a.parquet", b"PAR1 no PAR1").is_err());
        assert!(of("a.arrow", b"ARROW1 no").is_err());
        assert!(of("a.npy", b"\x93NUMPY no").is_err());
    }
}
