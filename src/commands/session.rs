//! The one handle of a run: a dataset, the version that is read, and what a run may use.

use super::storing::Provenance;
use crate::dataset::{self, Select, Snapshot};
use crate::error::{Result, Words};
use crate::time::{Now, TimeExpr, clock_us};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// Memory to use where the system does not say how much it has, in bytes.
const DEFAULT_MEMORY: usize = 1 << 30;

/// What a run may use, beside its request. The default suits a library: no waiting for locks, the system's clock,
/// half of the memory that the process may use.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Settings {
    /// Read the dataset as it was after this commit; `None` reads the newest version.
    pub read_at: Option<u64>,
    /// Seed of everything random.
    pub seed: u64,
    /// Memory in bytes; `None` for half of what the process may use.
    pub memory: Option<usize>,
    /// How long a command that writes waits for the dataset's lock.
    pub lock_timeout: Duration,
    /// What relative times count from; `None` for the system's clock.
    pub now: Option<TimeExpr>,
    /// Say what would be done, and change nothing.
    pub dry_run: bool,
    /// How texts in rows and files name parameters.
    pub words: Words,
    /// The command that results are said to be made by.
    pub command_line: String,
}

/// The one handle of a run. The dataset is opened when it is first needed, and once.
#[derive(Debug)]
pub struct Session {
    dir: PathBuf,
    settings: Settings,
    snapshot: OnceLock<Snapshot>,
    /// Held while the dataset is opened, so that threads that ask at once open it once.
    opening: Mutex<()>,
}

impl Session {
    /// A session on the dataset in `dir`.
    pub fn new(dir: impl Into<PathBuf>, settings: Settings) -> Session {
        Session { dir: dir.into(), settings, snapshot: OnceLock::new(), opening: Mutex::new(()) }
    }

    /// The dataset's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the run may use.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The version that the run reads, the same for the whole run.
    ///
    /// # Errors
    /// Fails when there is no dataset, no such version, or a file of it is damaged.
    pub fn snapshot(&self) -> Result<&Snapshot> {
        if let Some(snapshot) = self.snapshot.get() {
            return Ok(snapshot);
        }
        let _opening = self.opening.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(snapshot) = self.snapshot.get() {
            return Ok(snapshot);
        }
        let opened = Snapshot::open(&self.dir, self.settings.read_at)?;
        Ok(self.snapshot.get_or_init(|| opened))
    }

    /// A session of its own on the same dataset, for what a writing command has to read first. A session holds the
    /// version that it reads, with its files; a command that removes files drops this one before.
    pub(super) fn reading(&self) -> Session {
        Session::new(&self.dir, self.settings.clone())
    }

    /// How a command named `command` opens the dataset for writing.
    pub fn writing(&self, command: &str) -> dataset::Options {
        dataset::Options {
            lock_timeout: self.settings.lock_timeout,
            command: command.to_owned(),
            ..dataset::Options::default()
        }
    }

    /// Memory that the run may use, in bytes.
    pub fn memory(&self) -> usize {
        let half = || crate::fsio::memory_bytes().map_or(DEFAULT_MEMORY, |b| (b / 2) as usize);
        self.settings.memory.unwrap_or_else(half)
    }

    /// The seed of everything random.
    pub fn seed(&self) -> u64 {
        self.settings.seed
    }

    /// What relative times count from. The times of the selected points are looked at only when one of
    /// `times`, `period` or the setting `now` asks for them, since that can mean reading every key.
    ///
    /// # Errors
    /// Fails when the dataset cannot be read, or when a time counts from points and there are none.
    pub fn now(&self, select: &Select, times: &[Option<TimeExpr>], period: Option<&str>) -> Result<Now> {
        let named = |text: &str| text.contains("min") || text.contains("max");
        let from_points = times.iter().flatten().chain(&self.settings.now).any(TimeExpr::needs_bounds);
        let bounds = match from_points || period.is_some_and(named) {
            true => select.bounds(self.snapshot()?)?,
            false => None,
        };
        let clock = Now { now: clock_us(), bounds };
        let now = self.settings.now.map_or(Ok(clock.now), |t| t.resolve(&clock))?;
        Ok(Now { now, bounds })
    }

    /// A time of the request as an instant, in microseconds since 1970.
    ///
    /// # Errors
    /// As [`Session::now`].
    pub fn instant(&self, select: &Select, t: Option<&TimeExpr>) -> Result<Option<i64>> {
        t.map(|t| t.resolve(&self.now(select, &[Some(*t)], None)?)).transpose()
    }

    /// What a result that is made now says of its making.
    pub fn provenance(&self) -> Provenance {
        Provenance { created_us: clock_us(), command: self.settings.command_line.clone() }
    }
}
