//! Vectors as a NumPy array file: format version 1.0 of `numpy.lib.format`, little-endian f32,
//! C order.

use super::encode::BUFFER;
use crate::error::{Error, Result};
use crate::fsio::{Publish, TempFile, refuse_inside_dataset};
use std::path::{Path, PathBuf};

/// Bytes before the values: the header is padded to it.
const HEADER: usize = 128;

/// An array that is being written; dropped before [`NpyWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub struct NpyWriter {
    temp: TempFile,
    dest: PathBuf,
    dim: usize,
    /// Rows still to come.
    left: u64,
    buffer: Vec<u8>,
}

impl NpyWriter {
    /// Begins `dest`, an array of `rows` x `dim`.
    pub fn create(dest: &Path, rows: u64, dim: usize) -> Result<NpyWriter> {
        refuse_inside_dataset(dest, "array")?;
        let name = dest.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut temp = TempFile::create(dest.with_file_name(format!(".{name}.{}.tmp", std::process::id())))?;
        let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
        let mut header = b"\x93NUMPY\x01\x00".to_vec();
        header.extend_from_slice(&((HEADER - 10) as u16).to_le_bytes());
        header.extend_from_slice(dict.as_bytes());
        header.resize(HEADER - 1, b' ');
        header.push(b'\n');
        temp.write_all(&header)?;
        Ok(NpyWriter { temp, dest: dest.to_owned(), dim, left: rows, buffer: Vec::new() })
    }

    /// Appends a row of `dim` values.
    pub fn row(&mut self, x: &[f32]) -> Result<()> {
        if x.len() != self.dim || self.left == 0 {
            return Err(Error::internal("a row that the array's shape has no room for"));
        }
        self.left -= 1;
        self.buffer.extend(x.iter().flat_map(|v| v.to_le_bytes()));
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        self.temp.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<()> {
        if self.left != 0 {
            return Err(Error::internal("fewer rows than the array's shape says"));
        }
        self.flush()?;
        self.temp.publish(&self.dest, Publish::Replace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_numpys_and_the_count_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.npy");
        let mut w = NpyWriter::create(&path, 2, 3).unwrap();
        w.row(&[1.0, 2.0, 3.0]).unwrap();
        assert!(w.row(&[1.0]).is_err());
        w.row(&[4.0, 5.0, 6.0]).unwrap();
        assert!(w.row(&[0.0; 3]).is_err());
        w.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            (bytes.len(), &bytes[..10], bytes[127]),
            (128 + 24, &b"\x93NUMPY\x01\x00\x76\x00"[..], b'\n')
        );
        let mut rows = Vec::new();
        crate::input::matrix(&path, 3, &mut |x| {
            rows.push(x.to_vec());
            Ok(())
        })
        .unwrap();
        assert_eq!(rows, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert!(NpyWriter::create(&path, 1, 3).unwrap().finish().is_err());
    }
}
