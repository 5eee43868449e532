//! One array in a file: its header and its rows.

use crate::error::{Code, Error, Result};
use crate::input::rows::{Fault, infinite};
use crate::input::sources::{STDIN, open_bytes, open_seekable};
use crate::text::shorten;
use half::f16;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line of an ids or times file.
pub(super) const MAX_LINE: u64 = 64 << 10;

pub(super) fn bad_file(path: &Path, message: impl Into<String>) -> Error {
    Error::new(Code::BadFile, message)
        .file(path)
        .fix("write it with numpy.save from a C-ordered array of little-endian numbers")
}

/// An array's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The type, e.g. `<f4`.
    pub(super) descr: String,
    pub(super) shape: Vec<u64>,
    /// Bytes before the first value.
    pub(super) len: u64,
}

/// An array file behind its header.
pub(super) struct Array {
    pub(super) source: Box<dyn BufRead + Send>,
    pub(super) path: PathBuf,
    pub(super) header: Header,
    /// The file's length, where it has one.
    pub(super) bytes: Option<u64>,
    /// The number before each row: its dimension.
    pub(super) prefix: Option<u32>,
}

impl Array {
    pub(super) fn open(path: &Path) -> Result<Array> {
        if path.as_os_str() == STDIN {
            return Array::of(open_bytes(path)?, path, None);
        }
        let file = open_seekable(path)?;
        let bytes = file.metadata().map_err(|e| Error::io("stat", path, &e))?.len();
        Array::of(Box::new(file), path, Some(bytes))
    }

    /// An array at the front of a source.
    pub(super) fn of(source: Box<dyn Read + Send>, path: &Path, bytes: Option<u64>) -> Result<Array> {
        let mut source = BufReader::with_capacity(1 << 20, source);
        let header = read_header(&mut source, path)?;
        Ok(Array { source: Box::new(source), path: path.to_owned(), header, bytes, prefix: None })
    }

    /// Bytes of one value: the digits of the type's name; a letter of a text has four.
    pub(super) fn item(&self) -> Result<usize> {
        let descr = self.header.descr.as_str();
        let digits = descr.get(2..).map(|d| d.split('[').next().unwrap_or(d));
        let n: Option<usize> = digits.and_then(|d| d.parse().ok());
        let n = match descr.get(..2) {
            Some("<U") => n.filter(|n| *n <= MAX_LINE as usize / 4).map(|n| n * 4),
            Some("|S") => n.filter(|n| *n <= MAX_LINE as usize),
            _ => n.filter(|n| matches!(n, 1 | 2 | 4 | 8)),
        };
        n.ok_or_else(|| self.wrong("a supported type"))
    }

    pub(super) fn wrong(&self, need: &str) -> Error {
        let descr = &self.header.descr;
        let e = bad_file(&self.path, format!("the array has type `{descr}`, not {need}"));
        match descr.as_str() {
            d if d.contains("M8") => e.fix("convert it: a.astype('M8[us]')"),
            d if d.starts_with('>') => {
                e.fix("convert it to little-endian: a.astype(a.dtype.newbyteorder('<'))")
            }
            d if d.contains('O') => {
                e.fix("an array of objects cannot be read: convert it, e.g. a.astype('f4')")
            }
            _ => e,
        }
    }

    /// Refuses a file that is shorter or longer than its shape says.
    pub(super) fn check_length(&self) -> Result<()> {
        let Some(bytes) = self.bytes else { return Ok(()) };
        let values = self.header.shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d));
        let needed = values.and_then(|n| n.checked_mul(self.item().ok()? as u64));
        match needed.and_then(|b| b.checked_add(self.header.len)) {
            Some(needed) if needed == bytes => Ok(()),
            Some(needed) if needed < bytes => Err(self.more(bytes - needed)),
            _ => Err(bad_file(&self.path, format!("the file has {bytes} bytes, its shape needs more"))),
        }
    }

    pub(super) fn more(&self, bytes: u64) -> Error {
        bad_file(&self.path, format!("{bytes} bytes stand behind the array"))
            .fix("is it several arrays in one file? save each in a file of its own")
    }

    /// Refuses bytes behind the array, where the length was not known before.
    pub(super) fn check_end(&mut self) -> Result<()> {
        let left = self.source.fill_buf().map_err(|e| Error::io("read", &self.path, &e))?.len();
        match left {
            0 => Ok(()),
            n => Err(self.more(n as u64)),
        }
    }

    /// The numbers in the bytes of a row as they are.
    pub(super) fn floats(&self, bytes: &[u8]) -> Vec<f64> {
        match self.header.descr.as_str() {
            "<f2" => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f64()).collect(),
            "<f4" => bytes.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
            _ => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        }
    }

    /// The floats in the bytes of a row; -0.0 becomes 0.0.
    pub(super) fn values(&self, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), Fault> {
        out.clear();
        match self.header.descr.as_str() {
            "<f2" => out.extend(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
            "<f4" => out.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            _ => out.extend(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32)),
        }
        for (ordinal, v) in out.iter_mut().enumerate() {
            if !v.is_finite() {
                return Err(infinite(*v, ordinal + 1));
            }
            *v += 0.0;
        }
        Ok(())
    }

    /// Passes over rows of `bytes` bytes.
    pub(super) fn skip(&mut self, rows: u64, bytes: usize) -> Result<()> {
        let prefix = if self.prefix.is_some() { 4 } else { 0 };
        let all = rows.saturating_mul(bytes as u64 + prefix);
        std::io::copy(&mut (&mut self.source).take(all), &mut std::io::sink())
            .map(|_| ())
            .map_err(|e| Error::io("read", &self.path, &e))
    }

    /// Reads the bytes of a row.
    pub(super) fn read_row(&mut self, bytes: &mut [u8]) -> Result<()> {
        if let Some(prefix) = self.prefix {
            let mut found = [0u8; 4];
            self.read(&mut found)?;
            if found != prefix.to_le_bytes() {
                let found = u32::from_le_bytes(found);
                return Err(Error::new(
                    Code::BadFile,
                    format!("a vector has dimension {found}, the first {prefix}"),
                )
                .file(&self.path)
                .fix("is the file whole, and of the format that its name says?"));
            }
        }
        self.read(bytes)
    }

    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.source.read_exact(bytes).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => bad_file(&self.path, "the file ends inside the array"),
            _ => Error::io("read", &self.path, &e),
        })
    }
}

pub(super) fn read_header(source: &mut dyn Read, path: &Path) -> Result<Header> {
    let cut = |_| bad_file(path, "the file is no NPY array: its header is cut off");
    let mut start = [0u8; 8];
    source.read_exact(&mut start).map_err(cut)?;
    if &start[..6] != b"\x93NUMPY" || !(1..=3).contains(&start[6]) {
        return Err(bad_file(path, "the file is no NPY array: its first bytes are others"));
    }
    let mut len = [0u8; 4];
    let width = if start[6] == 1 { 2 } else { 4 };
    source.read_exact(&mut len[..width]).map_err(cut)?;
    let len = u32::from_le_bytes(len) as u64;
    if len > MAX_LINE {
        return Err(bad_file(path, format!("the header says that it has {len} bytes")));
    }
    let mut text = String::new();
    let got = source.take(len).read_to_string(&mut text).map_err(cut)?;
    let before = 8 + width as u64 + len;
    parse_header(&text, before).filter(|_| got as u64 == len).ok_or_else(|| {
        if text.contains("'fortran_order': True") {
            return bad_file(path, "the array lies in Fortran order, column after column")
                .fix("save it as np.ascontiguousarray(a)");
        }
        bad_file(path, format!("the header cannot be read: {}", shorten(text.trim())))
    })
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
pub(super) fn parse_header(text: &str, len: u64) -> Option<Header> {
    let after = |key: &str| {
        let at = text.find(&format!("'{key}'"))?;
        text.get(at + key.len() + 2..)?.trim_start().strip_prefix(':').map(str::trim_start)
    };
    let descr = after("descr")?.strip_prefix('\'')?.split('\'').next()?;
    if !after("fortran_order")?.starts_with("False") {
        return None;
    }
    let shape = after("shape")?.strip_prefix('(')?.split(')').next()?;
    let shape = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
    let shape = shape.map(|s| s.parse().ok()).collect::<Option<Vec<u64>>>()?;
    Some(Header { descr: descr.to_owned(), shape, len })
}

/// Components of each row of an array of vectors.
pub(super) fn dimension(path: &Path) -> Result<usize> {
    match Array::open(path)?.header.shape.as_slice() {
        [_, dim] => usize::try_from(*dim).map_err(|_| bad_file(path, "the shape is out of bounds")),
        shape => Err(bad_file(path, format!("the shape is {shape:?}, rows and components are needed"))),
    }
}

/// An array that holds vectors of a dimension; with it the number of its rows.
pub(super) fn checked(vectors: Array, want: usize) -> Result<(Array, u64)> {
    let path = &vectors.path;
    if !matches!(vectors.header.descr.as_str(), "<f2" | "<f4" | "<f8") {
        return Err(vectors.wrong("f2, f4 or f8"));
    }
    let &[len, dim] = vectors.header.shape.as_slice() else {
        let message = format!("the shape is {:?}, rows and components are needed", vectors.header.shape);
        return Err(bad_file(path, message));
    };
    if dim != want as u64 {
        let message = format!("vector has {dim} values, the dataset has dimension {want}");
        return Err(Error::new(Code::DimMismatch, message)
            .file(path)
            .fix("check the model that wrote this, or create another dataset with `cvx init ‹like FILE›`"));
    }
    vectors.check_length()?;
    Ok((vectors, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let parsed =
            parse_header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  \n", 9).unwrap();
        assert_eq!(parsed, Header { descr: "<f4".into(), shape: vec![3, 4], len: 9 });
        assert_eq!(
            parse_header("{'descr': '<i8', 'fortran_order': False, 'shape': (7,), }", 0).unwrap().shape,
            [7]
        );
        for bad in [
            "",
            "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, -4), }",
            "{'descr': '<f4', 'fortran_order': False}",
        ] {
            assert_eq!(parse_header(bad, 0), None, "{bad}");
        }
    }
}
