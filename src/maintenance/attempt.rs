//! How a run begins, and begins again: files are built without the lock, so another process may change what they are
//! made from meanwhile.

use crate::dataset::{Options, Snapshot, Workshop, Writer};
use crate::error::{Code, Error, Result};
use std::path::Path;
use std::time::Duration;

/// How often files that another process changed meanwhile are planned for again.
pub const ATTEMPTS: usize = 10;
/// File ids set aside for one run.
const IDS: u64 = 4096;
/// A finished build waits at least so long for the lock rather than be thrown away.
const PATIENCE: Duration = Duration::from_secs(600);

/// What files are built from, and where.
pub struct Attempt {
    /// The directory and the ids of new files.
    pub shop: Workshop,
    /// The version that is read.
    pub snapshot: Snapshot,
    /// The newest version when the lock was held.
    pub commit: u64,
    /// True when a log that another writer left was sealed.
    pub sealed: bool,
}

impl Attempt {
    /// Takes the lock for a moment: seals the log and sets ids aside. Pins the newest version then.
    pub fn begin(dir: &Path, writing: &Options) -> Result<Attempt> {
        let mut writer = Writer::open(dir, writing.clone())?;
        let sealed = writer.recovered().rows > 0;
        let shop = writer.workshop(IDS)?;
        let commit = writer.finish()?.0;
        Ok(Attempt { shop, snapshot: Snapshot::open(dir, None)?, commit, sealed })
    }
}

/// How to open the writer that publishes a finished build.
pub fn patient(writing: &Options) -> Options {
    Options { lock_timeout: writing.lock_timeout.max(PATIENCE), ..writing.clone() }
}

/// The error of a run whose files another process changed at each attempt.
pub fn lost() -> Error {
    Error::new(Code::Failed, "another process changed these files meanwhile; nothing was done")
        .fix("run the command again")
}
