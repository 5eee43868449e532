//! Where bytes go: standard output, or a file that gets its name only when it is whole.

use crate::error::{Error, Result};
use crate::fsio::{Publish, TempFile, refuse_inside_dataset};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What a reader that goes away means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipe {
    /// The end: nobody wants the rest.
    Ends,
    /// Nothing: the command writes to a dataset and finishes that.
    Ignored,
}

/// The destination of a command's output.
#[derive(Debug)]
pub enum Target {
    /// Standard output.
    Stdout {
        /// What a closed pipe means.
        pipe: Pipe,
        /// True once the reader has gone.
        gone: bool,
    },
    /// A device or a pipe that has its name already.
    Stream {
        /// Open for writing.
        file: File,
        /// Its name.
        path: PathBuf,
    },
    /// A file, published by [`Target::finish`]; dropped before, it leaves nothing.
    File {
        /// The unnamed file.
        temp: TempFile,
        /// Its name to be.
        dest: PathBuf,
    },
}

impl Target {
    /// Standard output.
    pub fn stdout(pipe: Pipe) -> Target {
        Target::Stdout { pipe, gone: false }
    }

    /// A file. It is created at once, so that a wrong path fails before the long work.
    pub fn file(dest: &Path) -> Result<Target> {
        let name = dest.file_name().ok_or_else(|| Error::usage("the output needs a file name").file(dest))?;
        refuse_wrong_place(dest)?;
        if dest.is_dir() {
            return Err(Error::usage("the output is a directory").file(dest).fix("name a file in it"));
        }
        // A name of an open file is no name of its own: what it leads to may be a log of others.
        if dest.starts_with("/dev") || dest.starts_with("/proc") {
            return Target::append(dest);
        }
        // Only a regular file is replaced; what a link leads to is, and not the link.
        if std::fs::metadata(dest).is_ok_and(|m| !m.is_file()) {
            let file = File::options().write(true).open(dest).map_err(|e| Error::io("open", dest, &e))?;
            return Ok(Target::Stream { file, path: dest.to_path_buf() });
        }
        let dest = &dest.canonicalize().unwrap_or_else(|_| dest.to_path_buf());
        let name = dest.file_name().unwrap_or(name);
        let hidden = format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id());
        // The user knows the output, not the name that it has until it is whole.
        let temp = TempFile::create(dest.with_file_name(hidden)).map_err(|e| e.file(dest))?;
        Ok(Target::File { temp, dest: dest.to_path_buf() })
    }

    /// The end of a file, which is made when it is not there: rows can be read while they come.
    pub fn append(path: &Path) -> Result<Target> {
        refuse_wrong_place(path)?;
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|e| Error::io("open", path, &e))?;
        Ok(Target::Stream { file, path: path.to_path_buf() })
    }

    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Target::File { temp, .. } => temp.write_all(bytes),
            Target::Stream { file, path } => file.write_all(bytes).map_err(|e| Error::io("write", path, &e)),
            Target::Stdout { gone: true, .. } => Ok(()),
            Target::Stdout { pipe, gone } => {
                let mut stdout = std::io::stdout().lock();
                match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
                    Ok(()) => Ok(()),
                    Err(e) if e.kind() == ErrorKind::BrokenPipe && *pipe == Pipe::Ignored => {
                        *gone = true;
                        Ok(())
                    }
                    Err(e) => Err(Error::io("write", Path::new("standard output"), &e)),
                }
            }
        }
    }

    /// Gives a file its name.
    pub fn finish(self) -> Result<()> {
        match self {
            Target::Stdout { .. } | Target::Stream { .. } => Ok(()),
            Target::File { temp, dest } => temp.publish(&dest, Publish::Replace),
        }
    }
}

/// A wrong directory is told before the long work.
fn refuse_wrong_place(dest: &Path) -> Result<()> {
    refuse_inside_dataset(dest, "output")?;
    let parent = match dest.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    match parent.canonicalize() {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::io("open the directory", parent, &e).fix("make it first, or name another")),
    }
}
