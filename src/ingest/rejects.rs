//! Bad rows as JSON lines.

use crate::error::{Error, Result};
use crate::input::BadRow;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The file that bad rows go to; created before the work starts.
#[derive(Debug)]
pub(super) struct Rejects {
    path: PathBuf,
    out: BufWriter<File>,
}

#[derive(Serialize)]
struct Line<'a> {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
    byte: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    code: &'a str,
    message: &'a str,
    raw: &'a str,
}

impl Rejects {
    /// Creates the file, which must not lie inside the dataset in `dataset`.
    pub(super) fn create(path: &Path, dataset: &Path) -> Result<Rejects> {
        let file = File::create(path).map_err(|e| Error::io("create", path, &e))?;
        let inside = match (path.canonicalize(), dataset.canonicalize()) {
            (Ok(p), Ok(d)) => p.starts_with(d),
            _ => false,
        };
        if inside {
            // It was empty a moment ago; leaving it would look like damage.
            let _ = std::fs::remove_file(path);
            return Err(Error::usage("rejects cannot go into the dataset directory")
                .file(path)
                .fix("name a file outside it"));
        }
        Ok(Rejects { path: path.to_owned(), out: BufWriter::new(file) })
    }

    /// Writes rows down.
    pub(super) fn write(&mut self, rows: &[BadRow]) -> Result<()> {
        for b in rows {
            let line = Line {
                file: b.file.display().to_string(),
                line: b.line,
                row: b.row,
                byte: b.byte,
                column: b.column.as_deref(),
                code: b.code.as_str(),
                message: &b.message,
                raw: &b.raw,
            };
            let mut go = || {
                serde_json::to_writer(&mut self.out, &line)?;
                self.out.write_all(b"\n")
            };
            go().map_err(|e| Error::io("write", &self.path, &e))?;
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|e| Error::io("write", &self.path, &e))
    }

    /// Makes sure that everything was written.
    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()
    }
}
