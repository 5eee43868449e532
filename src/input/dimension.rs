//! How long the vectors of a file are, from its schema or its first row: for `init --like`.

use super::guard::{broken, decode};
use super::jsonl::names;
use super::sources::{open_bytes, open_file};
use super::{Format, InputOptions, format_of, npy};
use crate::error::{Code, Error, Result};
use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray};
use arrow_schema::{DataType, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The dimension of the vectors in a file. `options` say its format and how its vector column is
/// called; the dimension that they hold is not looked at.
pub fn dimension(path: &Path, options: &InputOptions) -> Result<usize> {
    let columns = names(&options.map.vector, &["vector", "embedding"]);
    let found = match format_of(path, options)? {
        Format::Jsonl => of_jsonl(path, &columns, options.max_line)?,
        Format::Csv => of_table(path, &columns, b',', options.max_line)?,
        Format::Tsv => of_table(path, &columns, b'\t', options.max_line)?,
        Format::Parquet => of_parquet(path, &columns)?,
        Format::Arrow => of_arrow(path, &columns)?,
        Format::Npy => Some(npy::dimension(path)?),
    };
    found.filter(|d| *d > 0).ok_or_else(|| {
        Error::new(Code::BadFile, format!("no vector was found in a column {}", columns.join(" or ")))
            .file(path)
            .fix("give --dim N")
    })
}

fn of_jsonl(path: &Path, columns: &[String], max_line: usize) -> Result<Option<usize>> {
    let mut lines = BufReader::new(open_bytes(path)?.take(max_line as u64));
    let mut line = String::new();
    while line.trim_matches(['\u{feff}', ' ', '\n', '\r', '\t']).is_empty() {
        line.clear();
        if lines.read_line(&mut line).map_err(|e| Error::io("read", path, &e))? == 0 {
            return Ok(None);
        }
    }
    let row: serde_json::Value = serde_json::from_str(line.trim_matches(['\u{feff}', '\n', '\r']))
        .map_err(|e| broken(path, &e.to_string()).line(1))?;
    Ok(columns.iter().find_map(|c| row.get(c)?.as_array().map(Vec::len)))
}

/// The first record of a table: a list in the vector's column, or columns `v0`, `v1`, …
fn of_table(path: &Path, columns: &[String], delimiter: u8, max_line: usize) -> Result<Option<usize>> {
    let source = open_bytes(path)?.take(2 * max_line as u64);
    let mut table = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(source);
    let bad = |e: csv::Error| broken(path, &e.to_string());
    let header = table.headers().map_err(bad)?.clone();
    let at = |name: &str| header.iter().position(|h| h.trim_start_matches('\u{feff}') == name);
    let Some(column) = columns.iter().find_map(|c| at(c)) else {
        return Ok(Some((0..).map_while(|i| at(&format!("v{i}"))).count()));
    };
    let mut record = csv::StringRecord::new();
    if !table.read_record(&mut record).map_err(bad)? {
        return Ok(None);
    }
    let list = record.get(column).unwrap_or("").trim().trim_start_matches('[').trim_end_matches(']');
    Ok(Some(list.split([',', ' ', ';']).filter(|v| !v.trim().is_empty()).count()))
}

fn of_parquet(path: &Path, columns: &[String]) -> Result<Option<usize>> {
    let file = open_file(path)?;
    let builder = decode(path, || ParquetRecordBatchReaderBuilder::try_new(file))?;
    let Some(index) = vector_field(builder.schema(), columns) else { return Ok(None) };
    if let DataType::FixedSizeList(_, n) = builder.schema().field(index).data_type() {
        return Ok(usize::try_from(*n).ok());
    }
    let first = decode(path, || {
        let mask = parquet::arrow::ProjectionMask::roots(builder.parquet_schema(), [index]);
        let mut rows = builder.with_projection(mask).with_batch_size(1).with_limit(1).build()?;
        rows.next().transpose().map_err(parquet::errors::ParquetError::from)
    })?;
    Ok(first.and_then(|b| list_len(b.column(0))))
}

fn of_arrow(path: &Path, columns: &[String]) -> Result<Option<usize>> {
    let whole = |b: &RecordBatch| vector_field(b.schema_ref(), columns).and_then(|i| list_len(b.column(i)));
    let first = decode(path, || {
        let mut head = [0; 6];
        let is_file =
            open_file(path).is_ok_and(|mut f| f.read_exact(&mut head).is_ok()) && head == *b"ARROW1";
        let file = std::fs::File::open(path)?;
        if is_file {
            arrow_ipc::reader::FileReader::try_new(file, None)?.next().transpose()
        } else {
            arrow_ipc::reader::StreamReader::try_new(file, None)?.next().transpose()
        }
    })?;
    Ok(first.as_ref().and_then(whole))
}

fn vector_field(schema: &Schema, columns: &[String]) -> Option<usize> {
    columns.iter().find_map(|c| schema.index_of(c).ok())
}

/// Values in the first row of a column of lists.
fn list_len(array: &ArrayRef) -> Option<usize> {
    match array.data_type() {
        DataType::FixedSizeList(_, n) => usize::try_from(*n).ok(),
        _ if array.is_empty() => None,
        DataType::List(_) => Some(array.as_list::<i32>().value(0).len()),
        DataType::LargeList(_) => Some(array.as_list::<i64>().value(0).len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::IdKind;

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
