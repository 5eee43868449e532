//! Kernel locks: one writer a dataset, and readers that say which version they hold.

use super::file::{create_new, open_regular};
use crate::error::{Code, Error, Result};
use rustix::io::Errno;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The writer's lock, held until dropped. It is `flock`: the kernel frees it when the owner dies.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    /// What the last owner wrote: empty after a clean end.
    previous: String,
}

impl Lock {
    /// Takes the lock on the existing file `path`, waiting at most `timeout`.
    ///
    /// `owner` is one line that says who holds it, for the message another process prints.
    pub fn acquire(path: &Path, timeout: Duration, owner: &str) -> Result<Lock> {
        let file = open_regular(path, File::options().read(true).write(true)).map_err(|e| {
            let denied = [Errno::ACCESS, Errno::PERM, Errno::ROFS].map(|n| Some(n.raw_os_error()));
            match denied.contains(&e.errno()) {
                true => Error::new(Code::ReadOnly, "the dataset cannot be written").file(path).fix(
                    "check the permissions of the dataset directory and that it is not mounted read-only",
                ),
                false => e,
            }
        })?;
        let deadline = Instant::now() + timeout;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20).min(timeout));
                }
                Err(TryLockError::WouldBlock) => {
                    let by = text(&file).unwrap_or_else(|| "another process".to_owned());
                    return Err(Error::new(Code::Locked, format!("the dataset is locked by {by}"))
                        .file(path)
                        .fix("wait for it with ‹lock-timeout 10m›, or leave quietly with ‹skip-if-locked›"));
                }
                Err(TryLockError::Error(e)) => return Err(no_lock(path, &e)),
            }
        }
        let previous = text(&file).unwrap_or_default();
        let mut lock = Lock { file, path: path.to_owned(), previous };
        lock.write_owner(owner)?;
        Ok(lock)
    }

    /// True when the last owner did not end cleanly.
    pub fn was_abandoned(&self) -> bool {
        !self.previous.trim().is_empty()
    }

    /// True when the lock's path still names the locked file. It may have been removed between opening
    /// and locking it; then the lock keeps nobody out.
    pub fn is_current(&self) -> bool {
        is_named(&self.file, &self.path)
    }

    /// What the owner of the lock on `path` wrote, whether it lives or not. `None` for no text.
    pub fn owner(path: &Path) -> Option<String> {
        text(&open_regular(path, File::options().read(true)).ok()?)
    }

    /// Notes a clean end and releases the lock.
    pub fn release(mut self) -> Result<()> {
        self.write_owner("")
    }

    /// The text decides nothing about durability, so it is not synced.
    fn write_owner(&mut self, owner: &str) -> Result<()> {
        let mut go = || {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.set_len(0)?;
            self.file.write_all(owner.as_bytes())
        };
        go().map_err(|e| Error::io("write", &self.path, &e))
    }
}

/// The error of a lock that the file system does not give.
fn no_lock(path: &Path, e: &std::io::Error) -> Error {
    // ENOLCK and EOPNOTSUPP have no kinds of their own.
    let none = matches!(e.raw_os_error(), Some(37 | 95)) || e.kind() == std::io::ErrorKind::Unsupported;
    let error = Error::io("lock", path, e);
    if !none {
        return error;
    }
    error.fix(
        "this file system gives no locks, without which two writers would damage the dataset: mount NFS with its lock service or with local_lock=flock where one host writes, or copy the dataset to a local disk",
    )
}

/// What the owner of the lock on `path` wrote, while somebody holds it. Takes no lock itself, so
/// that a writer which starts meanwhile is not turned away; `None` also where the system does not
/// list its locks.
pub fn holder(path: &Path) -> Option<String> {
    let inode = std::fs::symlink_metadata(path).ok()?.ino();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF"
    let held = locks.lines().map(|l| l.split_whitespace().collect::<Vec<_>>()).any(|words| {
        let of = words.get(5).and_then(|id| id.rsplit(':').next()).and_then(|i| i.parse().ok());
        words.get(1) == Some(&"FLOCK") && words.get(3) == Some(&"WRITE") && of == Some(inode)
    });
    held.then(|| Lock::owner(path).unwrap_or_default())
}

/// The one line in a lock's file, without what is too long for one.
fn text(file: &File) -> Option<String> {
    let mut bytes = Vec::new();
    file.take(4096).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// A new file with an exclusive lock, held until dropped, which says that its directory is in use.
#[derive(Debug)]
pub struct HeldLock(#[expect(dead_code, reason = "held for its lock")] File);

impl HeldLock {
    /// Creates the file, which must not exist, and locks it. Whoever looks whether it is locked holds it
    /// for a moment, so that the lock may have to be waited for.
    pub fn create(path: &Path) -> Result<HeldLock> {
        let file = create_new(path).map_err(|e| Error::io("create", path, &e))?;
        file.lock().map_err(|e| Error::io("lock", path, &e))?;
        Ok(HeldLock(file))
    }
}

/// A shared lock on an open file, held until dropped.
#[derive(Debug)]
pub struct SharedLock(#[expect(dead_code, reason = "held for its lock")] File);

impl SharedLock {
    /// Takes a shared lock without waiting. `None` when someone holds it exclusively or the
    /// file system has no locks; the caller decides what that means.
    pub fn try_new(file: File) -> Option<SharedLock> {
        match file.try_lock_shared() {
            Ok(()) => Some(SharedLock(file)),
            Err(_) => None,
        }
    }
}

/// True when `path` is still the name of the open file, which another process may have removed or replaced.
fn is_named(file: &File, path: &Path) -> bool {
    let id = |m: std::fs::Metadata| (m.dev(), m.ino());
    let named = std::fs::symlink_metadata(path).ok().map(id);
    named.is_some() && named == file.metadata().ok().map(id)
}

/// An exclusive lock on the regular file `path`, held by the returned file. `None` when another process holds
/// a lock on it, or has just removed or replaced it.
pub fn try_exclusive(path: &Path) -> Result<Option<File>> {
    let file = match open_regular(path, File::options().read(true)) {
        Ok(f) => f,
        Err(e) if e.code() == Code::Damaged || e.errno() == Some(Errno::NOENT.raw_os_error()) => {
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    match file.try_lock() {
        Ok(()) => Ok(is_named(&file, path).then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(Error::io("lock", path, &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_and_a_message_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        std::fs::write(&path, b"").unwrap();
        let first = Lock::acquire(&path, Duration::ZERO, "pid 1, ingest").unwrap();
        assert!(!first.was_abandoned());
        if Path::new("/proc/locks").exists() {
            assert_eq!(holder(&path).as_deref(), Some("pid 1, ingest"));
        }
        let e = Lock::acquire(&path, Duration::from_millis(30), "pid 2").unwrap_err();
        assert_eq!(e.code(), Code::Locked);
        assert!(e.message().contains("pid 1, ingest"), "{}", e.message());
        first.release().unwrap();
        assert_eq!(holder(&path), None);
        let third = Lock::acquire(&path, Duration::ZERO, "pid 3").unwrap();
        assert!(!third.was_abandoned());
        drop(third);
        assert!(Lock::acquire(&path, Duration::ZERO, "pid 4").unwrap().was_abandoned());
    }
}
