//! Bad rows as JSON lines.

use crate::error::{Error, Result, Words};
use crate::input::BadRow;
use serde::Serialize;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The file that bad rows go to. It is created with the first of them, or empty at the end of a
/// run that read rows, so that a run which fails before leaves what was there.
#[derive(Debug)]
pub(super) struct Rejects {
    path: PathBuf,
    words: Words,
    out: Option<BufWriter<File>>,
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
    column: Option<Cow<'a, str>>,
    code: &'a str,
    message: Cow<'a, str>,
    raw: &'a str,
}

impl Rejects {
    /// Bad rows will go to `path`, which must not lie inside the dataset in `dataset`.
    pub(super) fn new(path: &Path, dataset: &Path, words: Words) -> Result<Rejects> {
        if path.as_os_str() == "-" {
            return Err(Error::usage("rejects cannot go to standard output, which has the report")
                .fix("name a file, or /dev/stderr"));
        }
        let parent = match path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        crate::fsio::refuse_inside_dataset(path, "file of rejected rows")?;
        let parent = parent.canonicalize().map_err(|e| Error::io("open the directory", parent, &e))?;
        let target =
            path.canonicalize().unwrap_or_else(|_| parent.join(path.file_name().unwrap_or_default()));
        if dataset.canonicalize().is_ok_and(|d| target.starts_with(d)) {
            return Err(Error::usage("rejects cannot go into the dataset directory")
                .file(path)
                .fix("name a file outside it"));
        }
        Ok(Rejects { path: path.to_owned(), words, out: None })
    }

    /// Refuses a file that is also read.
    pub(super) fn check_inputs<'a>(&self, mut inputs: impl Iterator<Item = &'a Path>) -> Result<()> {
        let Ok(target) = self.path.canonicalize() else { return Ok(()) };
        if inputs.any(|i| i.canonicalize().is_ok_and(|i| i == target)) {
            return Err(Error::usage("rejects cannot go into a file that is read")
                .file(&self.path)
                .fix("name another file"));
        }
        Ok(())
    }

    fn open(&mut self) -> Result<&mut BufWriter<File>> {
        if self.out.is_none() {
            let file = File::create(&self.path).map_err(|e| Error::io("create", &self.path, &e))?;
            self.out = Some(BufWriter::new(file));
        }
        self.out.as_mut().ok_or_else(|| Error::internal("a file that was just opened"))
    }

    /// Writes rows down.
    pub(super) fn write(&mut self, rows: &[BadRow]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let (path, words) = (self.path.clone(), self.words);
        let out = self.open()?;
        for b in rows {
            let line = Line {
                file: b.file.display().to_string(),
                line: b.line,
                row: b.row,
                byte: b.byte,
                column: b.column.as_deref().map(|c| words.write(c)),
                code: b.code.as_str(),
                message: words.write(&b.message),
                raw: &b.raw,
            };
            let mut go = || {
                serde_json::to_writer(&mut *out, &line)?;
                out.write_all(b"\n")
            };
            go().map_err(|e| Error::io("write", &path, &e))?;
        }
        out.flush().map_err(|e| Error::io("write", &path, &e))
    }

    /// Makes sure that the file is there, with or without rows.
    pub(super) fn finish(mut self) -> Result<()> {
        self.open().map(|_| ())
    }
}
