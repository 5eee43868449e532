//! Arguments to files: names, globs, directories, standard input.

use super::ahead::{Ahead, Source};
use super::options::Format;
use crate::error::{Code, Error, Result};
use crate::format::checksum::Hasher128;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The name of standard input.
pub const STDIN: &str = "-";

/// Turns the arguments of `ingest` into files, in the order given; what a glob or a directory
/// holds is sorted by name. A directory is walked without following links, hidden names left
/// out, and gives its regular files: those whose name tells their format, or all of them when
/// `format` is given. A pipe or device is taken only by its own name.
pub fn expand_sources(arguments: &[PathBuf], format: Option<Format>) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for argument in arguments {
        if argument.as_os_str() == STDIN {
            if files.iter().any(|f| f.as_os_str() == STDIN) {
                return Err(Error::usage("standard input can be read once").fix("give - once"));
            }
            files.push(argument.clone());
            continue;
        }
        match std::fs::metadata(argument) {
            Ok(meta) if meta.is_dir() => walk(argument, format, &mut files)?,
            Ok(_) => files.push(argument.clone()),
            Err(e) => match argument.to_str().filter(|s| s.contains(['*', '?', '['])) {
                Some(pattern) => glob_files(pattern, format, &mut files)?,
                None => {
                    return Err(Error::io("open", argument, &e).fix("check the name; - is standard input"));
                }
            },
        }
    }
    Ok(files)
}

fn glob_files(pattern: &str, format: Option<Format>, files: &mut Vec<PathBuf>) -> Result<()> {
    let paths = glob::glob(pattern)
        .map_err(|e| Error::usage(format!("the pattern {pattern} is wrong: {}", e.msg)))?;
    let before = files.len();
    for path in paths {
        let path = path.map_err(|e| Error::io("read", e.path(), e.error()))?;
        // A link to a directory would lead out of what the pattern names.
        let link = std::fs::symlink_metadata(&path).map_err(|e| Error::io("open", &path, &e))?;
        if link.is_dir() {
            walk(&path, format, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    if files.len() == before {
        return Err(Error::new(Code::Io, "no file matches the pattern")
            .file(pattern)
            .fix("check the pattern"));
    }
    Ok(())
}

fn walk(root: &Path, format: Option<Format>, files: &mut Vec<PathBuf>) -> Result<()> {
    let visible =
        |e: &walkdir::DirEntry| e.depth() == 0 || !e.file_name().as_encoded_bytes().starts_with(b".");
    let before = files.len();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(visible) {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(root).to_owned();
            Error::io("read", &path, &e.into_io_error().unwrap_or_else(|| std::io::ErrorKind::Other.into()))
        })?;
        let wanted = format.is_some() || Format::of_path(entry.path()).is_some();
        if entry.file_type().is_file() && wanted {
            files.push(entry.into_path());
        }
    }
    if files.len() == before {
        return Err(Error::new(Code::Io, "the directory holds no file of a known format")
            .file(root)
            .fix("files end in .jsonl, .csv, .tsv, .parquet, .arrow or .npy; else name --input-format"));
    }
    Ok(())
}

/// Opens a source for reading from its beginning.
pub(super) fn open_bytes(path: &Path) -> Result<Box<dyn Read + Send>> {
    if path.as_os_str() == STDIN {
        return Ok(Box::new(std::io::stdin()));
    }
    Ok(Box::new(open_file(path)?))
}

/// As [`open_bytes`], for readers that do not keep rows waiting.
pub(super) fn open_text(path: &Path) -> Result<Source> {
    if path.as_os_str() == STDIN {
        let ahead = Ahead::new(std::io::stdin()).map_err(|e| Error::io("read", path, &e))?;
        return Ok(Source::Live(ahead));
    }
    Ok(Source::File(open_bytes(path)?))
}

/// Opens a source that must be a regular file.
pub(super) fn open_file(path: &Path) -> Result<File> {
    let file = File::open(path)
        .map_err(|e| Error::io("open", path, &e).fix("check the name and who may read it"))?;
    let meta = file.metadata().map_err(|e| Error::io("stat", path, &e))?;
    if meta.is_dir() {
        return Err(Error::new(Code::Io, "this is a directory").file(path).fix("name a file"));
    }
    Ok(file)
}

/// Length and XXH3-128 of a file's content.
pub fn content_hash(path: &Path) -> Result<(u64, u128)> {
    let mut file = open_file(path)?;
    let (mut hasher, mut len) = (Hasher128::new(), 0u64);
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((len, hasher.finish())),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                len += n as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", path, &e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn directories_globs_and_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("b/.hidden")).unwrap();
        for name in ["b/2.csv", "b/1.jsonl", "b/notes.txt", "b/.hidden/x.csv", "a.parquet"] {
            fs::write(root.join(name), "x").unwrap();
        }
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("o.csv"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("b/out.csv")).unwrap();
        std::os::unix::fs::symlink(root.join("a.parquet"), root.join("b/link.parquet")).unwrap();
        let names = |arguments: &[PathBuf], format| -> Vec<String> {
            let files = expand_sources(arguments, format).unwrap();
            files.iter().map(|f| f.strip_prefix(root).unwrap_or(f).display().to_string()).collect()
        };
        assert_eq!(names(&[root.to_owned()], None), ["a.parquet", "b/1.jsonl", "b/2.csv"]);
        assert_eq!(names(&[root.join("b")], Some(Format::Csv)), ["b/1.jsonl", "b/2.csv", "b/notes.txt"]);
        assert_eq!(names(&[root.join("b/*.csv"), "-".into()], None), ["b/2.csv", "-"]);
        assert_eq!(names(&[root.join("b/notes.txt")], None), ["b/notes.txt"]);
        for missing in ["none.csv", "b/*.tsv", "b/.hidden/.x"] {
            let e = expand_sources(&[root.join(missing)], None).unwrap_err();
            assert_eq!((e.exit_code(), e.hint().is_some()), (1, true), "{missing}");
        }
    }

    #[test]
    fn content_is_hashed_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        assert_eq!(content_hash(&path).unwrap(), (3_000_000, crate::format::checksum::hash128(&bytes)));
        assert!(content_hash(dir.path()).is_err());
    }
}
