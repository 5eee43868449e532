//! Fetched pieces of remote objects on the local disk, bounded in bytes. Nothing here is
//! trusted: every piece is checked by the checksums of the block it belongs to, and it may
//! vanish at any time.

use crate::error::{Error, Result};
use crate::format::checksum::hash64;
use crate::fsio;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// A directory of pieces. The least recently used ones go when it is full.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    limit_bytes: u64,
    /// Bytes in the directory, about.
    held: AtomicU64,
    /// Names temporary files.
    next: AtomicU64,
    evicting: Mutex<()>,
}

impl Cache {
    /// Uses (and makes) a directory, at most `limit_bytes` large.
    pub fn open(dir: &Path, limit_bytes: u64) -> Result<Cache> {
        std::fs::create_dir_all(dir).map_err(|e| Error::io("create directory", dir, &e))?;
        let cache = Cache {
            dir: dir.to_owned(),
            limit_bytes,
            held: AtomicU64::new(0),
            next: AtomicU64::new(0),
            evicting: Mutex::new(()),
        };
        let held = cache.pieces().iter().map(|p| p.1).sum();
        cache.held.store(held, Ordering::Relaxed);
        Ok(cache)
    }

    fn file(&self, object: &Path, piece: u64) -> PathBuf {
        let name = hash64(object.as_os_str().as_encoded_bytes());
        self.dir.join(format!("{name:016x}-{piece:08}.piece"))
    }

    /// A piece of an object, when it is here. Marks it as used.
    pub fn get(&self, object: &Path, piece: u64) -> Option<Vec<u8>> {
        let path = self.file(object, piece);
        let bytes = fsio::read_file(&path, self.limit_bytes).ok()?;
        // Only the order of eviction depends on it.
        fsio::touch(&path);
        Some(bytes)
    }

    /// Keeps a piece. Failing to is no error: the cache only saves time.
    pub fn put(&self, object: &Path, piece: u64, bytes: &[u8]) {
        if bytes.len() as u64 > self.limit_bytes {
            return;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let temporary = self.dir.join(format!("{}-{number}.tmp", std::process::id()));
        let done = fsio::create_new(&temporary)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| std::fs::rename(&temporary, self.file(object, piece)));
        if done.is_err() {
            let _ = std::fs::remove_file(&temporary);
            return;
        }
        let held = self.held.fetch_add(bytes.len() as u64, Ordering::Relaxed) + bytes.len() as u64;
        if held > self.limit_bytes {
            self.evict();
        }
    }

    /// Forgets a piece that turned out to be damaged.
    pub fn forget(&self, object: &Path, piece: u64) {
        let _ = std::fs::remove_file(self.file(object, piece));
    }

    /// Pieces with their size and last use.
    fn pieces(&self) -> Vec<(PathBuf, u64, SystemTime)> {
        if !fsio::is_own_dir(&self.dir) {
            return Vec::new();
        }
        let names = fsio::list_dir(&self.dir).unwrap_or_default();
        let piece = |name: &String| {
            let path = self.dir.join(name);
            let meta = path.symlink_metadata().ok().filter(|m| m.is_file())?;
            Some((path, meta.len(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
        };
        names.iter().filter(|name| name.ends_with(".piece")).filter_map(piece).collect()
    }

    /// Removes the least recently used pieces until a tenth of the room is free.
    fn evict(&self) {
        let Ok(_one) = self.evicting.try_lock() else { return };
        let mut pieces = self.pieces();
        pieces.sort_by(|a, b| a.2.cmp(&b.2).then_with(|| a.0.cmp(&b.0)));
        let mut held: u64 = pieces.iter().map(|p| p.1).sum();
        for (path, len, _) in pieces {
            if held <= self.limit_bytes / 10 * 9 {
                break;
            }
            if std::fs::remove_file(path).is_ok() {
                held -= len;
            }
        }
        self.held.store(held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_kept_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), 1000).unwrap();
        let object = Path::new("s3://b/x");
        for piece in 0..20 {
            cache.put(object, piece, &[piece as u8; 100]);
            let held: u64 = cache.pieces().iter().map(|p| p.1).sum();
            assert!(held <= 1000, "{held}");
        }
        assert_eq!(cache.get(object, 19), Some(vec![19; 100]));
        assert_eq!(cache.get(object, 0), None);
        assert_eq!(cache.get(Path::new("other"), 19), None);
        cache.put(object, 30, &[0; 2000]);
        assert_eq!(cache.get(object, 30), None);
        cache.forget(object, 19);
        assert_eq!(cache.get(object, 19), None);
        assert!(Cache::open(dir.path(), 1000).unwrap().held.load(Ordering::Relaxed) <= 1000);
    }
}
