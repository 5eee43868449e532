//! Writing beside the data: under the writer's lock, without a new version.

use super::DIRS;
use super::options::{Options, owner};
use crate::error::Result;
use crate::fsio::{self, Lock};
use std::path::Path;
use std::time::Duration;

/// Takes the writer's lock. Directories that are missing are made: many ways of copying leave empty ones out.
pub fn lock(dir: &Path, timeout: Duration, owner: &str) -> Result<Lock> {
    let lock = Lock::acquire(&dir.join("LOCK"), timeout, owner)?;
    for missing in DIRS.map(|d| dir.join(d)).iter().filter(|d| d.symlink_metadata().is_err()) {
        fsio::create_dir(missing)?;
    }
    Ok(lock)
}

/// Runs `then` while holding the writer's lock, so that nobody sweeps its temporary files.
/// Nothing is recovered: what a killed writer left is for the next one.
pub fn publish<T>(dir: &Path, options: &Options, then: impl FnOnce() -> Result<T>) -> Result<T> {
    let lock = lock(dir, options.lock_timeout, &owner(&options.command))?;
    let out = then();
    if !lock.was_abandoned() {
        lock.release()?;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn holds_the_lock_and_keeps_the_sign_of_a_crash() {
        let t = tempfile::tempdir().unwrap();
        let path = t.path().join("LOCK");
        std::fs::write(&path, "").unwrap();
        let again = || publish(t.path(), &Options::default(), || Ok(()));
        let inner = publish(t.path(), &Options::default(), || Ok(again().unwrap_err().code()));
        assert_eq!(inner.unwrap(), Code::Locked);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        std::fs::write(&path, "process 1").unwrap();
        again().unwrap();
        assert_ne!(std::fs::read_to_string(&path).unwrap(), "");
    }
}
