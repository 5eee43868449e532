//! Fetched pieces of remote objects on the local disk, bounded in bytes. Nothing here is
//! trusted: every piece is checked by the checksums of the block it belongs to, and it may
//! vanish at any time.

use crate::error::{Error, Result};
use crate::format::checksum::hash64;
use crate::fsio::{self, Copies};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory of pieces. The least recently used ones go when it is full.
#[derive(Debug)]
pub struct Cache {
    copies: Copies,
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
        let copies = Copies::open(dir)?;
        let held = AtomicU64::new(copies.bytes(&is_piece));
        Ok(Cache { copies, limit_bytes, held, next: AtomicU64::new(0), evicting: Mutex::new(()) })
    }

    /// A piece of an object, when it is here. Marks it as used.
    pub fn get(&self, object: &Path, piece: u64) -> Option<Vec<u8>> {
        let path = self.copies.path(&name(object, piece));
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
        let temporary = format!("{}-{number}.tmp", std::process::id());
        let done = self.copies.put(&name(object, piece), &temporary, |file| {
            file.write_all(bytes).map_err(|e| Error::io("write", object, &e))
        });
        if done.is_err() {
            return;
        }
        let held = self.held.fetch_add(bytes.len() as u64, Ordering::Relaxed) + bytes.len() as u64;
        if held > self.limit_bytes {
            self.evict();
        }
    }

    /// Forgets a piece that turned out to be damaged.
    pub fn forget(&self, object: &Path, piece: u64) {
        self.copies.remove(&name(object, piece));
    }

    /// Removes the least recently used pieces until a tenth of the room is free.
    fn evict(&self) {
        let Ok(_one) = self.evicting.try_lock() else { return };
        let held = self.copies.shrink(&is_piece, self.limit_bytes / 10 * 9);
        self.held.store(held, Ordering::Relaxed);
    }
}

fn name(object: &Path, piece: u64) -> String {
    let object = hash64(object.as_os_str().as_encoded_bytes());
    format!("{object:016x}-{piece:08}.piece")
}

fn is_piece(name: &str) -> bool {
    name.ends_with(".piece")
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
            let held = cache.copies.bytes(&is_piece);
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
