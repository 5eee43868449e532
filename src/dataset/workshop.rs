//! A place in `tmp/` for a long build that works without the writer's lock.
//!
//! Owns `tmp/NNNNNNNNNN-build/`. The number is the last of the file ids set aside for it, so
//! that no writer gives them out while the directory is there. A lock on a file in it says that
//! the build lives; a writer removes the directories of dead ones.

use super::gc;
use crate::error::{Error, Result};
use crate::fsio::{self, HeldLock, TempFile};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const ENDING: &str = "-build";
const LOCK: &str = "LOCK";

/// A directory for unfinished files, and ids for them. Removed when dropped.
#[derive(Debug)]
pub struct Workshop {
    dir: PathBuf,
    next: AtomicU64,
    end: u64,
    _lock: HeldLock,
}

impl Workshop {
    /// Sets aside the ids from `first` to before `end`. The caller holds the writer's lock.
    pub(super) fn create(dataset: &Path, first: u64, end: u64) -> Result<Workshop> {
        let dir = gc::own_tmp(dataset)?.join(format!("{:010}{ENDING}", end - 1));
        fsio::create_dir(&dir)?;
        let lock = HeldLock::create(&dir.join(LOCK))?;
        Ok(Workshop { dir, next: AtomicU64::new(first), end, _lock: lock })
    }

    /// An id that no other file has.
    pub fn take_id(&self) -> Result<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if id < self.end { Ok(id) } else { Err(Error::internal("more files than were planned for")) }
    }

    /// A new file under its temporary name.
    pub fn temp(&self, id: u64) -> Result<TempFile> {
        TempFile::create(self.path(id))
    }

    /// The temporary name of a file.
    pub fn path(&self, id: u64) -> PathBuf {
        self.dir.join(format!("{id:010}"))
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What stays behind is swept by the next writer.
        let _ = gc::clear(&self.dir).and_then(|()| fsio::remove_dir(&self.dir));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::gc::sweep;

    #[test]
    fn only_the_dead_are_swept() {
        let t = tempfile::tempdir().unwrap();
        std::fs::create_dir(t.path().join("tmp")).unwrap();
        let shop = Workshop::create(t.path(), 5, 7).unwrap();
        let dir = t.path().join("tmp/0000000006-build");
        sweep(t.path()).unwrap();
        assert!(dir.exists());
        let file = shop.temp(shop.take_id().unwrap()).unwrap();
        assert_eq!(file.path(), dir.join("0000000005"));
        assert_eq!(shop.take_id().unwrap(), 6);
        assert!(shop.take_id().is_err());
        std::mem::forget(file);
        drop(shop);
        assert!(!dir.exists());
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("0000000005"), "left").unwrap();
        std::fs::write(dir.join(LOCK), "").unwrap();
        sweep(t.path()).unwrap();
        assert!(!dir.exists());
    }
}
