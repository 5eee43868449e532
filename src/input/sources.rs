//! Arguments to files: names, patterns, directories, standard input; and how they are opened.

use super::ahead::{Ahead, Source};
use super::glob::{self, is_private};
use super::options::Format;
use super::unpack::{self, packing, unpack};
use crate::error::{Code, Error, Result};
use crate::format::checksum::Hasher128;
use crate::watch::Watch;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The name of standard input.
pub const STDIN: &str = "-";

/// Names that are shown of each kind of file that was left out.
const SHOWN: usize = 3;
/// Files that engines put beside their data to say that it is complete.
const MARKS: [&str; 5] = ["_SUCCESS", "_metadata", "_common_metadata", "_committed_", "_started_"];

/// The files that arguments stand for.
#[derive(Debug, Default)]
pub struct Sources {
    /// In the order given; what a pattern or a directory holds is sorted by name.
    pub files: Vec<PathBuf>,
    /// A line for each argument of which something was left out: what, and how many.
    pub left_out: Vec<String>,
}

/// Turns the arguments of `ingest` into files.
///
/// A directory is walked without following links to other directories, and gives its files, and
/// links to files: those whose name tells their format, or all of them when `format` is given.
/// Hidden names are passed over as a shell does. Everything else that is left out is counted in
/// [`Sources::left_out`]. A pipe or device is taken only by its own name. With `allow_empty` a directory
/// and a pattern may hold no file. `stop` is asked between directories.
///
/// # Errors
/// `io` for what cannot be read and for arguments that stand for no file; what `stop` gives.
pub fn expand_sources(
    arguments: &[PathBuf],
    format: Option<Format>,
    allow_empty: bool,
    watch: &dyn Watch,
) -> Result<Sources> {
    let mut out = Sources::default();
    for argument in arguments {
        if argument.as_os_str() == STDIN {
            if out.files.iter().any(|f| f.as_os_str() == STDIN) {
                return Err(Error::usage("standard input can be read once").fix("give - once"));
            }
            out.files.push(argument.clone());
            continue;
        }
        let mut found = Found::new(format, watch);
        match std::fs::metadata(argument) {
            Ok(meta) if meta.is_dir() => {
                found.walk(argument)?;
                if found.files.is_empty() && !allow_empty {
                    return Err(found.nothing(argument));
                }
            }
            Ok(_) => found.files.push(argument.clone()),
            Err(_) if glob::is_pattern(argument) => {
                found.pattern(argument)?;
                if found.files.is_empty() && !allow_empty {
                    let e = Error::new(Code::Io, "no file matches the pattern").file(argument);
                    return Err(e.fix("check the pattern; ‹allow-empty› takes it as nothing to read"));
                }
            }
            Err(e) => return Err(Error::io("open", argument, &e).fix("check the name; - is standard input")),
        }
        found.settle_links();
        out.left_out.extend(found.told(argument));
        out.files.append(&mut found.files);
    }
    Ok(out)
}

/// Files of one argument, and what it names beside them.
struct Found<'a> {
    format: Option<Format>,
    watch: &'a dyn Watch,
    files: Vec<PathBuf>,
    /// Which of them are links.
    links: HashSet<PathBuf>,
    /// Why files were left out, how many, and the names of some.
    left: BTreeMap<&'static str, (usize, Vec<String>)>,
}

impl<'a> Found<'a> {
    fn new(format: Option<Format>, watch: &'a dyn Watch) -> Found<'a> {
        Found { format, watch, files: Vec::new(), links: HashSet::new(), left: BTreeMap::new() }
    }

    fn leave(&mut self, why: &'static str, path: &Path) {
        let (count, names) = self.left.entry(why).or_default();
        *count += 1;
        if names.len() < SHOWN {
            names.push(path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned());
        }
    }

    fn pattern(&mut self, pattern: &Path) -> Result<()> {
        for path in glob::expand(pattern, self.watch)? {
            let kind = std::fs::symlink_metadata(&path).map_err(|e| Error::io("open", &path, &e))?;
            if kind.is_dir() {
                self.walk(&path)?;
            } else {
                self.file(path, kind.is_symlink(), true);
            }
        }
        Ok(())
    }

    fn walk(&mut self, root: &Path) -> Result<()> {
        let mut entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            self.watch.stop()?;
            let entry = entry.map_err(|e| {
                let path = e.path().unwrap_or(root).to_owned();
                let kind = e.into_io_error().unwrap_or_else(|| std::io::ErrorKind::Other.into());
                Error::io("read", &path, &kind)
            })?;
            let is_dir = entry.file_type().is_dir();
            if entry.depth() > 0 && is_private(entry.file_name()) {
                if is_dir {
                    entries.skip_current_dir();
                }
                let name = entry.file_name().to_string_lossy();
                if name.starts_with('_') && !MARKS.iter().any(|m| name.starts_with(m)) {
                    self.leave("with a leading underscore", entry.path());
                }
            } else if !is_dir {
                let link = entry.path_is_symlink();
                self.file(entry.into_path(), link, false);
            }
        }
        Ok(())
    }

    /// Takes a file if it is one. A pattern says itself which names it wants.
    fn file(&mut self, path: PathBuf, link: bool, named: bool) {
        let Ok(meta) = std::fs::metadata(&path) else {
            return self.leave("that are links to nothing", &path);
        };
        if meta.is_dir() {
            self.leave("that are links to directories", &path);
        } else if !meta.is_file() {
            self.leave("that are no regular files", &path);
        } else if !named && self.format.is_none() && Format::of_path(&path).is_none() {
            self.leave("of no known format", &path);
        } else {
            if link {
                self.links.insert(path.clone());
            }
            self.files.push(path);
        }
    }

    /// A link to a file that is read anyway is not read a second time.
    fn settle_links(&mut self) {
        if self.links.is_empty() {
            return;
        }
        let identity = |p: &PathBuf| std::fs::metadata(p).ok().map(|m| (m.dev(), m.ino()));
        let links = std::mem::take(&mut self.links);
        let mut seen: HashSet<_> =
            self.files.iter().filter(|f| !links.contains(*f)).filter_map(identity).collect();
        let mut twice = Vec::new();
        self.files.retain(|f| {
            let kept = !links.contains(f) || identity(f).is_none_or(|id| seen.insert(id));
            if !kept {
                twice.push(f.clone());
            }
            kept
        });
        for path in twice {
            self.leave("that are links to files read anyway", &path);
        }
    }

    /// What was left out, in a line.
    fn told(&self, argument: &Path) -> Option<String> {
        let parts: Vec<String> = self
            .left
            .iter()
            .map(|(why, (count, names))| {
                let more = if *count > names.len() { ", ..." } else { "" };
                format!("{count} {why} ({}{more})", names.join(", "))
            })
            .collect();
        (!parts.is_empty()).then(|| format!("{}: left out {}", argument.display(), parts.join("; ")))
    }

    fn nothing(&self, root: &Path) -> Error {
        let beside = self.told(root).map(|t| format!(" ({t})")).unwrap_or_default();
        Error::new(Code::Io, format!("the directory holds no file of a known format{beside}")).file(root).fix(
            "files end in .jsonl, .csv, .tsv, .parquet, .arrow, .npy, .npz, .vec, .fvecs or .fbin, packed ones also in .gz, .zst or .bz2; else name ‹input-format›",
        )
    }
}

/// Opens a source for reading from its beginning; a packed one is unpacked.
pub(super) fn open_bytes(path: &Path) -> Result<Box<dyn Read + Send>> {
    if path.as_os_str() == STDIN {
        return unpacked(std::io::stdin(), path);
    }
    unpacked(open_file(path)?, path)
}

/// As [`open_bytes`], for readers that do not keep rows waiting.
pub(super) fn open_text(path: &Path) -> Result<Source> {
    if path.as_os_str() != STDIN {
        return Ok(Source::File(open_bytes(path)?));
    }
    let io = |e: std::io::Error| Error::io("read", path, &e);
    let mut ahead = Ahead::new(std::io::stdin()).map_err(io)?;
    let start = unpack::head(&mut ahead).map_err(io)?;
    match packing(&start) {
        Some(packing) => Ok(Source::File(unpack(packing, Cursor::new(start).chain(ahead)).map_err(io)?)),
        None => {
            ahead.put_back(start);
            Ok(Source::Live(ahead))
        }
    }
}

fn unpacked(mut source: impl Read + Send + 'static, path: &Path) -> Result<Box<dyn Read + Send>> {
    let io = |e: std::io::Error| Error::io("read", path, &e);
    let start = unpack::head(&mut source).map_err(io)?;
    let packing = packing(&start);
    let whole = Cursor::new(start).chain(source);
    match packing {
        Some(packing) => unpack(packing, whole).map_err(io),
        None => Ok(Box::new(whole)),
    }
}

/// True when a regular file is packed, so that its bytes are not those that are read.
pub fn is_packed(path: &Path) -> Result<bool> {
    let mut file = open_file(path)?;
    let start = unpack::head(&mut file).map_err(|e| Error::io("read", path, &e))?;
    Ok(packing(&start).is_some())
}

/// Opens a source for reading at any place. A pipe, and what is packed, is copied first to a
/// temporary file without a name.
pub(super) fn open_seekable(path: &Path) -> Result<File> {
    if path.as_os_str() == STDIN {
        return spool(open_bytes(path)?, path);
    }
    let file = open_file(path)?;
    let regular = file.metadata().map_err(|e| Error::io("stat", path, &e))?.is_file();
    if !regular {
        return spool(unpacked(file, path)?, path);
    }
    if is_packed(path)? {
        return spool(open_bytes(path)?, path);
    }
    Ok(file)
}

pub(super) fn spool(mut source: Box<dyn Read + Send>, path: &Path) -> Result<File> {
    let mut file = crate::fsio::unnamed_file(&std::env::temp_dir())?;
    std::io::copy(&mut source, &mut file)
        .and_then(|_| file.rewind())
        .map_err(|e| Error::io("copy to a temporary file", path, &e).fix("set TMPDIR to a disk with room"))?;
    Ok(file)
}

/// Opens a source that must be a regular file, a pipe or a device.
pub(super) fn open_file(path: &Path) -> Result<File> {
    let file = File::open(path)
        .map_err(|e| Error::io("open", path, &e).fix("check the name and who may read it"))?;
    let meta = file.metadata().map_err(|e| Error::io("stat", path, &e))?;
    if meta.is_dir() {
        return Err(Error::new(Code::Io, "this is a directory").file(path).fix("name a file"));
    }
    Ok(file)
}

/// True when the name ends so, whatever its case.
pub(super) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// Length and XXH3-128 of a file's content. `stop` is asked between reads.
pub fn content_hash(path: &Path, watch: &dyn Watch) -> Result<(u64, u128)> {
    let mut file = open_file(path)?;
    let (mut hasher, mut len) = (Hasher128::new(), 0u64);
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        watch.stop()?;
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
        let expand = |arguments: &[PathBuf], format| expand_sources(arguments, format, false, &|| Ok(()));
        let names = |arguments: &[PathBuf], format| -> Vec<String> {
            let files = expand(arguments, format).unwrap().files;
            files.iter().map(|f| f.strip_prefix(root).unwrap_or(f).display().to_string()).collect()
        };
        assert_eq!(names(&[root.to_owned()], None), ["a.parquet", "b/1.jsonl", "b/2.csv"]);
        assert_eq!(names(&[root.join("b")], None), ["b/1.jsonl", "b/2.csv", "b/link.parquet"]);
        assert_eq!(names(&[root.join("b/*.csv"), "-".into()], None), ["b/2.csv", "-"]);
        assert_eq!(names(&[root.join("b/notes.txt")], None), ["b/notes.txt"]);
        let told = expand(&[root.to_owned()], None).unwrap().left_out;
        let want = "left out 1 of no known format (notes.txt); 1 that are links to directories (out.csv); \
                    1 that are links to files read anyway (link.parquet)";
        assert!(told.len() == 1 && told[0].ends_with(want), "{told:?}");
        for missing in ["none.csv", "b/*.tsv", "b/.hidden/.x"] {
            let e = expand(&[root.join(missing)], None).unwrap_err();
            assert_eq!((e.exit_code(), e.hint().is_some()), (1, true), "{missing}");
        }
        assert_eq!(expand_sources(&[root.join("b/*.tsv")], None, true, &|| Ok(())).unwrap().files.len(), 0);
        assert!(expand_sources(&[root.join("none.csv")], None, true, &|| Ok(())).is_err());
        let e = expand_sources(&[root.to_owned()], None, false, &|| Err(Error::usage("stop"))).unwrap_err();
        assert_eq!(e.message(), "stop");
    }

    #[test]
    fn what_engines_keep_for_themselves_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for d in ["_temporary/0", "_delta_log", "_k=1", "day=1"] {
            fs::create_dir_all(root.join(d)).unwrap();
        }
        for name in ["_temporary/0/a.csv", "_delta_log/0.json", "_k=1/b.csv", "day=1/c.csv.gz", "_SUCCESS"] {
            fs::write(root.join(name), "x").unwrap();
        }
        let found = expand_sources(&[root.to_owned()], None, false, &|| Ok(())).unwrap();
        let names: Vec<_> = found.files.iter().map(|f| f.strip_prefix(root).unwrap()).collect();
        assert_eq!(names, [Path::new("_k=1/b.csv"), Path::new("day=1/c.csv.gz")]);
        let told = "left out 2 with a leading underscore (_delta_log, _temporary)";
        assert!(found.left_out[0].ends_with(told), "{:?}", found.left_out);
    }

    #[test]
    fn content_is_hashed_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        assert_eq!(
            content_hash(&path, &|| Ok(())).unwrap(),
            (3_000_000, crate::format::checksum::hash128(&bytes))
        );
        assert!(content_hash(dir.path(), &|| Ok(())).is_err());
    }
}
