//! A place below `tmp/` where files are built without the writer's lock.

use super::gc;
use super::options::owner;
use crate::error::{Code, Error, Result};
use crate::fsio::{self, Lock, TempFile};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a sweep of `tmp/` by another process is waited for in any case.
const SWEEP: Duration = Duration::from_secs(10);
/// As [`SWEEP`], where the lock names a build; it may be one that was killed, whose place is being swept.
const BUILD: Duration = Duration::from_millis(500);

/// A directory below `tmp/` for files that are built without the writer's lock. It is locked
/// while this lives and removed afterwards; after a crash the next writer removes it.
#[derive(Debug)]
pub struct Staging {
    dir: PathBuf,
    lock: Option<Lock>,
}

impl Staging {
    /// Takes the directory `tmp/NAME` of a dataset. Another process that works there is waited for,
    /// at most `timeout`; then the error is [`Code::Locked`]. A writer that sweeps `tmp/` at this moment
    /// may hold the lock, or remove the directory, between any two steps: then they are taken again.
    pub fn open(dataset: &Path, name: &str, command: &str, timeout: Duration) -> Result<Staging> {
        let dir = gc::own_tmp(dataset)?.join(name);
        let path = dir.join("LOCK");
        let started = Instant::now();
        loop {
            match Staging::take(&dir, &path, command) {
                Ok(Some(lock)) => {
                    for name in fsio::list_dir(&dir)?.iter().filter(|name| *name != "LOCK") {
                        fsio::remove_file(&dir.join(name))?;
                    }
                    return Ok(Staging { dir, lock: Some(lock) });
                }
                Ok(None) if started.elapsed() < timeout.max(SWEEP) => {}
                Ok(None) => {
                    let text = "the directory of temporary files does not stay";
                    return Err(Error::new(Code::Failed, text).file(dir));
                }
                // A sweep takes milliseconds and writes no name into the lock.
                Err(e) if e.code() == Code::Locked => {
                    let least = if Lock::owner(&path).is_some() { BUILD } else { SWEEP };
                    if started.elapsed() >= timeout.max(least) {
                        return Err(e);
                    }
                }
                Err(e) => return Err(e),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// One attempt; `None` when the directory vanished meanwhile.
    fn take(dir: &Path, path: &Path, command: &str) -> Result<Option<Lock>> {
        fsio::create_dir(dir)?;
        if dir.is_symlink() {
            return Err(Error::damaged(dir, "a link is in the place of a directory of temporary files")
                .fix("remove the link"));
        }
        if !fsio::create_lock(path)? {
            return Ok(None);
        }
        match Lock::acquire(path, Duration::ZERO, &owner(command)) {
            Err(e) if e.errno() == Some(rustix::io::Errno::NOENT.raw_os_error()) => Ok(None),
            Err(e) => Err(e),
            Ok(lock) => Ok(lock.is_current().then_some(lock)),
        }
    }

    /// A new file in it.
    pub fn file(&self, name: &str) -> Result<TempFile> {
        TempFile::create(self.dir.join(name))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What stays is swept by the next writer.
        let _ = gc::clear(&self.dir);
        drop(self.lock.take());
        let _ = fsio::remove_dir(&self.dir);
    }
}
