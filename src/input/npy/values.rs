//! Ids and times beside an array of vectors: arrays, columns of a table, or lines.

use super::array::{Array, MAX_LINE, bad_file};
use crate::error::{Code, Error, Result};
use crate::input::derived::constant;
use crate::input::fields::{entity_names, time_names};
use crate::input::options::InputOptions;
use crate::input::sources::{has_extension, open_seekable};
use crate::input::value::NAT;
use crate::time::US_PER_DAY;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// Ids or times beside the vectors.
pub(super) enum Values {
    Array(Array, Kind),
    Column {
        cells: csv::StringRecordsIntoIter<File>,
        at: usize,
        path: PathBuf,
    },
    Lines(BufReader<File>, PathBuf),
    /// The same for every vector.
    Constant(String),
    /// The ordinals of the vectors, from this one on.
    Ordinals(u64),
}

/// What is needed beside the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Ids,
    Times,
}

impl What {
    /// The names that an array or a column of it may have.
    pub(super) fn names(self, options: &InputOptions) -> Vec<String> {
        let (mut names, mapped, more) = match self {
            What::Ids => (entity_names(options), &options.map.entity, &["ids", "names", "words"]),
            What::Times => (time_names(options), &options.map.t, &["timestamps", "times", "time"]),
        };
        if mapped.is_none() {
            names.extend(more.iter().map(|s| (*s).to_owned()));
        }
        names
    }

    /// The options that give them.
    pub(super) fn option(self) -> &'static str {
        match self {
            What::Ids => "‹map entity=NAME›, or give ‹ids-file›",
            What::Times => "‹map t=NAME›, or give ‹times-file› or ‹at›",
        }
    }

    fn file(self, options: &InputOptions) -> Option<&PathBuf> {
        match self {
            What::Ids => options.ids_file.as_ref(),
            What::Times => options.times_file.as_ref(),
        }
    }

    /// The error of vectors without them.
    pub(super) fn missing(self, path: &Path) -> Error {
        let files = "an .npy file, a csv with a header, or a text of one value a line";
        let (message, hint) = match self {
            What::Ids => ("an NPY file needs ‹ids-file›", format!("name {files}")),
            What::Times => (
                "files of this format need ‹times-file› or ‹at›",
                format!("name {files} with ‹times-file›, or give all vectors one time with ‹at›"),
            ),
        };
        Error::usage(message).file(path).fix(hint)
    }
}

/// What an array of ids or times holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Signed,
    Unsigned,
    Float,
    /// UTF-32.
    Text,
    /// Bytes of UTF-8.
    Bytes,
    /// `datetime64`: microseconds of its unit, as a fraction.
    Times(i128, i128),
}

/// One id or time.
pub(super) enum Value {
    Integer(i128),
    Float(f64),
    Text(String),
    /// Microseconds.
    Time(i128),
    /// `NaT`.
    Missing,
}

impl Kind {
    fn of(descr: &str) -> Option<Kind> {
        Some(match descr {
            "|i1" | "<i2" | "<i4" | "<i8" => Kind::Signed,
            "|u1" | "<u2" | "<u4" | "<u8" => Kind::Unsigned,
            "<f4" | "<f8" => Kind::Float,
            "<M8[W]" => Kind::Times(7 * i128::from(US_PER_DAY), 1),
            "<M8[D]" => Kind::Times(i128::from(US_PER_DAY), 1),
            "<M8[h]" => Kind::Times(3_600_000_000, 1),
            "<M8[m]" => Kind::Times(60_000_000, 1),
            "<M8[s]" => Kind::Times(1_000_000, 1),
            "<M8[ms]" => Kind::Times(1_000, 1),
            "<M8[us]" => Kind::Times(1, 1),
            "<M8[ns]" => Kind::Times(1, 1_000),
            d if d.starts_with("<U") => Kind::Text,
            d if d.starts_with("|S") => Kind::Bytes,
            _ => return None,
        })
    }

    fn value(self, bytes: &[u8]) -> Option<Value> {
        let mut eight = [0u8; 8];
        eight[..bytes.len().min(8)].copy_from_slice(&bytes[..bytes.len().min(8)]);
        let n = u64::from_le_bytes(eight);
        let shift = 64 - 8 * bytes.len().min(8) as u32;
        let signed = || (n << shift).cast_signed() >> shift;
        Some(match self {
            Kind::Unsigned => Value::Integer(i128::from(n)),
            Kind::Signed => Value::Integer(i128::from(signed())),
            Kind::Float if bytes.len() == 4 => Value::Float(f64::from(f32::from_bits(n as u32))),
            Kind::Float => Value::Float(f64::from_bits(n)),
            Kind::Times(..) if signed() == NAT => Value::Missing,
            Kind::Times(up, down) => Value::Time((i128::from(signed()) * up).div_euclid(down)),
            Kind::Bytes => {
                let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
                Value::Text(std::str::from_utf8(&bytes[..end]).ok()?.to_owned())
            }
            Kind::Text => {
                let letters = bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b));
                let text: Option<String> = letters.map(char::from_u32).collect();
                Value::Text(text?.trim_end_matches('\0').to_owned())
            }
        })
    }
}

impl Values {
    /// The ids or times of `rows` vectors: from the file that the options name, from `inside` the file of the
    /// vectors by their names, or a constant.
    pub(super) fn find(
        what: What,
        options: &InputOptions,
        path: &Path,
        rows: u64,
        inside: impl FnOnce(&[String]) -> Result<Option<Values>>,
    ) -> Result<Option<Values>> {
        let names = what.names(options);
        if what == What::Times && options.time.is_some() {
            return Ok(constant(options, path, &names).map(Values::Constant));
        }
        if let Some(file) = what.file(options) {
            return Values::open(file, &names, rows).map(Some);
        }
        match inside(&names)? {
            Some(values) => Ok(Some(values)),
            None => Ok(constant(options, path, &names).map(Values::Constant)),
        }
    }

    /// `names` are those that the column of a table may have.
    fn open(path: &Path, names: &[String], rows: u64) -> Result<Values> {
        if has_extension(path, "csv") {
            return Values::column(path, names, rows);
        }
        if !has_extension(path, "npy") {
            let file = open_seekable(path)?;
            check_count("lines", count_lines(&file, path)?, rows, path)?;
            let source = BufReader::with_capacity(1 << 16, rewound(file, path)?);
            return Ok(Values::Lines(source, path.to_owned()));
        }
        Values::of(Array::open(path)?, rows)
    }

    /// The values of an array.
    pub(super) fn of(array: Array, rows: u64) -> Result<Values> {
        let Some(kind) = Kind::of(&array.header.descr) else {
            return Err(array.wrong("numbers, texts or datetime64"));
        };
        if array.header.shape != [rows] {
            let message = format!("the shape is {:?}, the vectors need [{rows}]", array.header.shape);
            return Err(bad_file(&array.path, message));
        }
        array.check_length()?;
        Ok(Values::Array(array, kind))
    }

    fn column(path: &Path, names: &[String], rows: u64) -> Result<Values> {
        let bad = |e: csv::Error| {
            let line = e.position().map_or(1, |p| p.line());
            Error::new(Code::BadFile, e.to_string()).file(path).line(line)
        };
        let mut reader = csv::Reader::from_reader(open_seekable(path)?);
        let header = reader.headers().map_err(bad)?;
        let at = names.iter().find_map(|n| header.iter().position(|h| h.trim_start_matches('\u{feff}') == n));
        let at = at.ok_or_else(|| {
            Error::new(Code::BadFile, format!("the header has no column {}", names.join(" or ")))
                .file(path)
                .line(1)
                .fix("name the column so, or leave the header out and name the file .txt")
        })?;
        let mut record = csv::ByteRecord::new();
        let mut count = 0;
        while reader.read_byte_record(&mut record).map_err(bad)? {
            count += 1;
        }
        check_count("rows", count, rows, path)?;
        let reader = csv::Reader::from_reader(rewound(reader.into_inner(), path)?);
        Ok(Values::Column { cells: reader.into_records(), at, path: path.to_owned() })
    }

    pub(super) fn next(&mut self) -> Result<Value> {
        match self {
            Values::Constant(text) => Ok(Value::Text(text.clone())),
            Values::Ordinals(n) => {
                *n += 1;
                Ok(Value::Integer(i128::from(*n - 1)))
            }
            Values::Column { cells, at, path } => match cells.next() {
                None => Err(bad_file(path, "there are fewer rows than vectors")),
                Some(record) => {
                    let record =
                        record.map_err(|e| Error::new(Code::BadFile, e.to_string()).file(path.as_path()))?;
                    Ok(Value::Text(record.get(*at).unwrap_or_default().trim().to_owned()))
                }
            },
            Values::Array(array, kind) => {
                let mut bytes = vec![0u8; array.item()?];
                array.read(&mut bytes)?;
                kind.value(&bytes).ok_or_else(|| bad_file(&array.path, "a text in it is not Unicode"))
            }
            Values::Lines(source, path) => {
                let mut line = String::new();
                let n =
                    source.take(MAX_LINE).read_line(&mut line).map_err(|e| Error::io("read", path, &e))?;
                if n == 0 {
                    return Err(bad_file(path, "there are fewer lines than vectors"));
                }
                let text = line.trim_start_matches('\u{feff}').trim();
                Ok(Value::Text(text.to_owned()))
            }
        }
    }
}

fn rewound(mut file: File, path: &Path) -> Result<File> {
    file.rewind().map_err(|e| Error::io("read", path, &e))?;
    Ok(file)
}

/// Lines up to the last one that is not blank.
fn count_lines(file: &File, path: &Path) -> Result<u64> {
    let mut source = BufReader::with_capacity(1 << 16, file);
    let (mut lines, mut filled, mut blank) = (1u64, 0u64, true);
    loop {
        let bytes = source.fill_buf().map_err(|e| Error::io("read", path, &e))?;
        if bytes.is_empty() {
            return Ok(filled);
        }
        for b in bytes {
            match b {
                b'\n' => (lines, blank) = (lines + 1, true),
                b if b.is_ascii_whitespace() => {}
                _ if blank => (filled, blank) = (lines, false),
                _ => {}
            }
        }
        let len = bytes.len();
        source.consume(len);
    }
}

fn check_count(what: &str, count: u64, rows: u64, path: &Path) -> Result<()> {
    if count == rows {
        return Ok(());
    }
    let e = Error::new(Code::BadFile, format!("there are {count} {what} for {rows} vectors")).file(path);
    Err(if what == "lines" && count == rows + 1 {
        e.fix("is the first line a header? remove it, or name the file .csv")
    } else {
        e.fix("each vector needs one, in the order of the vectors")
    })
}
