//! Several NumPy arrays in one file, as `numpy.savez` and `savez_compressed` write them: a zip archive with an
//! `.npy` for each. The arrays of vectors, ids and times go by their names; others are passed over.

use super::array::{Array, bad_file, checked};
use super::reader::NpyReader;
use super::values::{Values, What};
use crate::error::{Code, Error, Result};
use crate::input::fields::names;
use crate::input::guard::broken;
use crate::input::options::InputOptions;
use crate::input::reader::Checkpoint;
use crate::input::reader::{Opened, Spec};
use crate::input::sources::open_seekable;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(in crate::input) const NPZ: Spec = Spec {
    name: "npz",
    endings: &["npz"],
    is_text: false,
    open: |path, options, from| {
        let rows = Box::new(open(path, options, from)?);
        Ok(Opened { rows, resumed: from.is_some() })
    },
    dimension: |path, options| match Archive::open(path)?.vectors(options)?.header.shape.as_slice() {
        [_, dim] => Ok(usize::try_from(*dim).ok()),
        shape => Err(bad_file(path, format!("the shape is {shape:?}, rows and components are needed"))),
    },
};

/// Most arrays of one file.
const MOST: usize = 10_000;

fn open(path: &Path, options: &InputOptions, from: Option<&Checkpoint>) -> Result<NpyReader> {
    let archive = Archive::open(path)?;
    let (vectors, len) = checked(archive.vectors(options)?, options.dim)?;
    let find = |what: What| -> Result<Values> {
        let found = Values::find(what, options, path, len, |names| {
            let array = archive.first(names)?;
            array.map(|array| Values::of(array, len)).transpose()
        })?;
        found.ok_or_else(|| archive.missing(&what.names(options), what.option()))
    };
    let (ids, times) = (find(What::Ids)?, find(What::Times)?);
    NpyReader::new(vectors, ids, times, len, options, from)
}

/// The arrays of a file.
struct Archive {
    file: Arc<File>,
    path: PathBuf,
    archive: ZipArchive<rawzip::FileReader>,
    /// By their names, without `.npy`.
    arrays: BTreeMap<String, (ZipArchiveEntryWayfinder, CompressionMethod)>,
}

impl Archive {
    fn open(path: &Path) -> Result<Archive> {
        let bad = |e: rawzip::Error| broken(path, &e.to_string());
        let file = open_seekable(path)?;
        let again = file.try_clone().map_err(|e| Error::io("open", path, &e))?;
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipArchive::from_file(again, &mut buffer).map_err(bad)?;
        let mut arrays = BTreeMap::new();
        let mut entries = archive.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(bad)? {
            let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
            let Some(name) = name.strip_suffix(".npy") else { continue };
            if arrays.len() == MOST {
                return Err(broken(path, "it holds more than 10,000 arrays"));
            }
            if arrays.insert(name.to_owned(), (entry.wayfinder(), entry.compression_method())).is_some() {
                return Err(broken(path, &format!("it holds two arrays `{name}`")));
            }
        }
        Ok(Archive { file: Arc::new(file), path: path.to_owned(), archive, arrays })
    }

    /// The array of vectors.
    fn vectors(&self, options: &InputOptions) -> Result<Array> {
        let usual = ["vectors", "vector", "embeddings", "embedding"];
        let names = names(&options.map.vector, &usual);
        self.first(&names)?.ok_or_else(|| self.missing(&names, "‹map vector=NAME›"))
    }

    /// The first of the arrays that is there.
    fn first(&self, names: &[String]) -> Result<Option<Array>> {
        names.iter().find_map(|n| self.arrays.get(n)).map(|entry| self.array(entry)).transpose()
    }

    fn array(&self, (place, method): &(ZipArchiveEntryWayfinder, CompressionMethod)) -> Result<Array> {
        let bad = |e: rawzip::Error| broken(&self.path, &e.to_string());
        let entry = self.archive.get_entry(*place).map_err(bad)?;
        let (at, end) = entry.compressed_data_range();
        let packed = BufReader::with_capacity(1 << 18, Part { file: self.file.clone(), at, end });
        let plain: Box<dyn Read + Send> = match *method {
            CompressionMethod::STORE => Box::new(packed),
            CompressionMethod::DEFLATE => Box::new(flate2::bufread::DeflateDecoder::new(packed)),
            _ => return Err(broken(&self.path, "its compression is not supported")),
        };
        let size = place.uncompressed_size_hint();
        Array::of(Box::new(entry.verifying_reader(plain)), &self.path, Some(size))
    }

    fn missing(&self, names: &[String], option: &str) -> Error {
        let shown: Vec<&str> = self.arrays.keys().take(12).map(String::as_str).collect();
        Error::new(Code::BadFile, format!("there is no array {}", names.join(" or ")))
            .file(&self.path)
            .fix(format!("the arrays are {}; name the right one with {option}", shown.join(", ")))
    }
}

/// Some bytes of a file.
struct Part {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let want = out.len().min(left);
        let n = self.file.read_at(&mut out[..want], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}
