//! Copies of what lies elsewhere, in a directory of their own. None of them is synced or trusted, and each may vanish at
//! any time.

use super::file::{create_new, is_own_dir, list_dir};
use crate::error::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A directory of copies.
#[derive(Debug)]
pub struct Copies {
    dir: PathBuf,
}

/// A copy that is there.
struct Held {
    path: PathBuf,
    len: u64,
    used: SystemTime,
}

impl Copies {
    /// Makes the directory where it is missing.
    ///
    /// # Errors
    /// `io` when it cannot be made.
    pub fn open(dir: &Path) -> Result<Copies> {
        create_dirs(dir)?;
        Ok(Copies { dir: dir.to_owned() })
    }

    /// Where a copy is, or would be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Lets `write` fill a copy, which has its name once it is whole. `temporary` is its name until then: no other
    /// thread or process may use it at the same time.
    ///
    /// # Errors
    /// `io`, and the errors of `write`; nothing is left then.
    pub fn put(
        &self,
        name: &str,
        temporary: &str,
        write: impl FnOnce(&mut File) -> Result<()>,
    ) -> Result<()> {
        let from = self.path(temporary);
        let _ = std::fs::remove_file(&from);
        let done = create_new(&from)
            .map_err(|e| Error::io("write", &from, &e))
            .and_then(|mut file| write(&mut file))
            .and_then(|()| {
                let to = self.path(name);
                std::fs::rename(&from, &to).map_err(|e| Error::io("rename", &to, &e))
            });
        if done.is_err() {
            let _ = std::fs::remove_file(&from);
        }
        done
    }

    /// Removes a copy, if it is there.
    pub fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.path(name));
    }

    /// Bytes of the copies whose names `are` chooses.
    pub fn bytes(&self, are: &dyn Fn(&str) -> bool) -> u64 {
        self.held(are).iter().map(|c| c.len).sum()
    }

    /// Removes the least recently used of the copies that `are` chooses until they hold at most `most` bytes. Returns
    /// how many are left. A reader that has one mapped keeps it.
    pub fn shrink(&self, are: &dyn Fn(&str) -> bool, most: u64) -> u64 {
        let mut held = self.held(are);
        held.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.path.cmp(&b.path)));
        let mut left: u64 = held.iter().map(|c| c.len).sum();
        for copy in held {
            if left <= most {
                break;
            }
            if std::fs::remove_file(copy.path).is_ok() {
                left -= copy.len;
            }
        }
        left
    }

    /// Through a link in the place of the directory nothing is looked at: it would lead to files that are no copies.
    fn held(&self, are: &dyn Fn(&str) -> bool) -> Vec<Held> {
        if !is_own_dir(&self.dir) {
            return Vec::new();
        }
        let names = list_dir(&self.dir).unwrap_or_default();
        let look = |name: &String| {
            let path = self.path(name);
            let meta = path.symlink_metadata().ok().filter(|m| m.is_file())?;
            Some(Held { path, len: meta.len(), used: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH) })
        };
        names.iter().filter(|name| are(name)).filter_map(look).collect()
    }
}

/// Makes a directory and those above it, where they are missing. Not synced: for what need not survive a crash, and for
/// places outside of a dataset.
///
/// # Errors
/// `io` when one cannot be made.
pub fn create_dirs(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|e| Error::io("create directory", dir, &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn copies_come_whole_and_go_by_last_use() {
        let t = tempfile::tempdir().unwrap();
        let copies = Copies::open(&t.path().join("a/b")).unwrap();
        let all = |_: &str| true;
        for (i, name) in ["one", "two", "three"].into_iter().enumerate() {
            copies
                .put(name, "tmp", |f| f.write_all(&[0; 10]).map_err(|e| Error::io("write", t.path(), &e)))
                .unwrap();
            let file = File::options().append(true).open(copies.path(name)).unwrap();
            let used = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(10 - i as u64);
            file.set_modified(used).unwrap();
        }
        let failed = copies.put("four", "tmp", |f| {
            f.write_all(&[0; 10]).map_err(|e| Error::io("write", t.path(), &e))?;
            Err(Error::internal("no"))
        });
        assert!(failed.is_err() && !copies.path("four").exists() && !copies.path("tmp").exists());
        assert_eq!(copies.bytes(&all), 30);
        assert_eq!(copies.bytes(&|name| name.starts_with('t')), 20);
        assert_eq!(copies.shrink(&|name| name == "one", 0), 0);
        assert_eq!(copies.shrink(&all, 10), 10);
        // `three` was used before `two`.
        assert!(copies.path("two").exists() && !copies.path("three").exists());
        copies.remove("two");
        copies.remove("two");
        assert_eq!(copies.bytes(&all), 0);
    }

    #[test]
    fn nothing_is_removed_through_a_link() {
        let t = tempfile::tempdir().unwrap();
        let real = t.path().join("real");
        std::fs::create_dir(&real).unwrap();
        std::fs::write(real.join("precious"), [0; 10]).unwrap();
        std::os::unix::fs::symlink(&real, t.path().join("cache")).unwrap();
        let copies = Copies::open(&t.path().join("cache")).unwrap();
        assert_eq!((copies.bytes(&|_| true), copies.shrink(&|_| true, 0)), (0, 0));
        assert!(real.join("precious").exists());
    }
}
