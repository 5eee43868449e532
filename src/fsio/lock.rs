//! Kernel locks: one writer a dataset, and readers that say which version they hold.

use crate::error::{Code, Error, Result};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
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
        let file = File::options().read(true).write(true).open(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Error::new(Code::ReadOnly, "the dataset cannot be written").file(path).fix(
                    "check the permissions of the dataset directory and that it is not mounted read-only",
                )
            }
            _ => Error::io("open", path, &e),
        })?;
        let deadline = Instant::now() + timeout;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20).min(timeout));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let _ = (&file).take(4096).read_to_string(&mut holder);
                    let holder = holder.trim();
                    let by = if holder.is_empty() { "another process".to_owned() } else { holder.to_owned() };
                    return Err(Error::new(Code::Locked, format!("the dataset is locked by {by}"))
                        .file(path)
                        .fix("wait for it with --lock-timeout 10m, or leave quietly with --skip-if-locked"));
                }
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", path, &e)),
            }
        }
        let mut previous = String::new();
        let _ = (&file).take(4096).read_to_string(&mut previous);
        let mut lock = Lock { file, path: path.to_owned(), previous };
        lock.write_owner(owner)?;
        Ok(lock)
    }

    /// True when the last owner did not end cleanly.
    pub fn was_abandoned(&self) -> bool {
        !self.previous.trim().is_empty()
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

/// What the owner of the lock on `path` wrote, while somebody holds it. Takes no lock itself, so
/// that a writer which starts meanwhile is not turned away; `None` also where the system does not
/// list its locks.
pub fn holder(path: &Path) -> Option<String> {
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).ok()?);
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF"
    let held = locks.lines().map(|l| l.split_whitespace().collect::<Vec<_>>()).any(|words| {
        let of = words.get(5).and_then(|id| id.rsplit(':').next()).and_then(|i| i.parse().ok());
        words.get(1) == Some(&"FLOCK") && words.get(3) == Some(&"WRITE") && of == Some(inode)
    });
    let owner = std::fs::read_to_string(path).ok()?;
    held.then(|| owner.trim().to_owned())
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

/// True when nobody holds any lock on `path`; keeps an exclusive lock on the returned file.
pub fn try_exclusive(path: &Path) -> Result<Option<File>> {
    let file = match File::open(path) {
        Ok(f) => f,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("open", path, &e)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
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
