//! A file for sorting what does not fit into memory: written and read anywhere, nameless, gone
//! with its handle. Nothing in it needs to survive.

use crate::error::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Creates a file in a directory and takes its name away at once: it is gone with its handle, also
/// after a crash.
///
/// # Errors
/// `io` when the directory cannot be written.
pub fn unnamed_file(dir: &Path) -> Result<File> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let path = dir.join(format!(".cvx-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed)));
    let file = File::options().read(true).write(true).create_new(true).open(&path);
    let file = file.map_err(|e| Error::io("create", &path, &e))?;
    std::fs::remove_file(&path).map_err(|e| Error::io("remove", &path, &e))?;
    Ok(file)
}

/// Room on disk for values at numbered places.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    path: PathBuf,
}

impl Scratch {
    /// Creates it in a directory.
    pub fn create(dir: &Path) -> Result<Scratch> {
        let path = dir.join("scratch");
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|e| Error::io("create", &path, &e))?;
        // Without a name nobody has to clean up after a crash.
        std::fs::remove_file(&path).map_err(|e| Error::io("remove", &path, &e))?;
        Ok(Scratch { file, path })
    }

    /// Writes values at a place counted in values of the same length.
    pub fn write(&self, place: u64, values: &[f32]) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let at = place * bytes.len() as u64;
        self.file.write_all_at(bytes, at).map_err(|e| Error::io("write", &self.path, &e))
    }

    /// Reads values from a place.
    pub fn read(&self, place: u64, values: &mut [f32]) -> Result<()> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
        let at = place * bytes.len() as u64;
        self.file.read_exact_at(bytes, at).map_err(|e| Error::io("read", &self.path, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_their_places() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(dir.path()).unwrap();
        for place in [3u64, 0, 7] {
            scratch.write(place, &[place as f32, -1.0]).unwrap();
        }
        let mut x = [0.0; 2];
        for place in [0u64, 3, 7] {
            scratch.read(place, &mut x).unwrap();
            assert_eq!(x, [place as f32, -1.0]);
        }
        assert!(scratch.read(8, &mut x).is_err(), "nothing was written there");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
