//! Vectors without anything beside them, as benchmarks of nearest neighbours have them: `.fvecs` (TEXMEX: each
//! vector after its dimension) and `.fbin` (big-ann: number and dimension once, then all values). Ids are the
//! ordinals from 0 unless `--ids-file` gives others; times come from `--times-file` or `--at`.

use super::array::{Array, Header, checked};
use super::reader::NpyReader;
use super::values::{Values, What};
use crate::error::{Code, Error, Result};
use crate::input::options::InputOptions;
use crate::input::reader::Checkpoint;
use crate::input::reader::{Opened, Spec};
use crate::input::sources::STDIN;
use crate::input::sources::open_seekable;
use std::io::{BufReader, Read};
use std::path::Path;

pub(in crate::input) const FVECS: Spec = Spec {
    name: "fvecs",
    endings: &["fvecs"],
    is_text: false,
    open: |path, options, from| opened(fvecs(path)?, path, options, from),
    dimension: |path, _| Ok(fvecs(path)?.header.shape.get(1).and_then(|d| usize::try_from(*d).ok())),
};

pub(in crate::input) const FBIN: Spec = Spec {
    name: "fbin",
    endings: &["fbin"],
    is_text: false,
    open: |path, options, from| opened(fbin(path)?, path, options, from),
    dimension: |path, _| Ok(fbin(path)?.header.shape.get(1).and_then(|d| usize::try_from(*d).ok())),
};

fn opened(array: Array, path: &Path, options: &InputOptions, from: Option<&Checkpoint>) -> Result<Opened> {
    let (vectors, len) = checked(array, options.dim)?;
    let ids = Values::find(What::Ids, options, path, len, |_| Ok(None))?.unwrap_or(Values::Ordinals(0));
    let times = Values::find(What::Times, options, path, len, |_| Ok(None))?;
    let times = times.ok_or_else(|| What::Times.missing(path))?;
    let rows = Box::new(NpyReader::new(vectors, ids, times, len, options, from)?);
    Ok(Opened { rows, resumed: from.is_some() })
}

/// The source, its length, and its first `n` numbers.
fn start<const N: usize>(path: &Path) -> Result<(Box<dyn Read + Send>, u64, [u32; N])> {
    if path.as_os_str() == STDIN {
        return Err(Error::usage("this format is not read from standard input").fix("name a file"));
    }
    let file = open_seekable(path)?;
    let bytes = file.metadata().map_err(|e| Error::io("stat", path, &e))?.len();
    let mut source: Box<dyn Read + Send> = Box::new(file);
    let mut numbers = [0; N];
    for n in &mut numbers {
        let mut four = [0u8; 4];
        source.read_exact(&mut four).map_err(|_| bad(path, "the file ends inside its first numbers"))?;
        *n = u32::from_le_bytes(four);
    }
    Ok((source, bytes, numbers))
}

fn bad(path: &Path, message: impl Into<String>) -> Error {
    Error::new(Code::BadFile, message)
        .file(path)
        .fix("is the file whole, and of the format that its name says?")
}

fn array(
    source: impl Read + Send + 'static,
    path: &Path,
    shape: [u64; 2],
    len: u64,
    prefix: Option<u32>,
) -> Array {
    Array {
        source: Box::new(BufReader::with_capacity(1 << 20, source)),
        path: path.to_owned(),
        header: Header { descr: "<f4".into(), shape: shape.to_vec(), len },
        bytes: None,
        prefix,
    }
}

fn fvecs(path: &Path) -> Result<Array> {
    let (source, bytes, [dim]) = start::<1>(path)?;
    let row = 4 + 4 * u64::from(dim);
    if dim == 0 || bytes % row != 0 {
        return Err(bad(path, format!("{bytes} bytes are not whole vectors of dimension {dim}")));
    }
    // The first number again: each vector has its own.
    let source = std::io::Cursor::new(dim.to_le_bytes()).chain(source);
    Ok(array(source, path, [bytes / row, u64::from(dim)], 0, Some(dim)))
}

fn fbin(path: &Path) -> Result<Array> {
    let (source, bytes, [rows, dim]) = start::<2>(path)?;
    let shape = [rows, dim].map(u64::from);
    match shape[0].checked_mul(shape[1]).and_then(|n| n.checked_mul(4)?.checked_add(8)) {
        Some(needed) if needed == bytes => Ok(array(source, path, shape, 8, None)),
        _ => Err(bad(path, format!("{rows} vectors of dimension {dim} do not make {bytes} bytes"))),
    }
}
