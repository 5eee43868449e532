//! How a writer is opened, and how it names itself.

use super::clock_us;
use std::time::Duration;

/// When rows become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// With each batch.
    #[default]
    Commit,
    /// All at the end: no log, one new version.
    End,
    /// As `End`, without waiting for the disk: for scratch data.
    None,
}

/// How to open a writer.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long to wait for the lock.
    pub lock_timeout: Duration,
    /// The command, for the lock's message and the manifest.
    pub command: String,
    /// When rows become durable.
    pub sync: Sync,
    /// How long versions that nobody reads are kept.
    pub keep_for: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            lock_timeout: Duration::ZERO,
            command: "library".into(),
            sync: Sync::Commit,
            keep_for: Duration::from_secs(3600),
        }
    }
}

/// One line that says who holds the lock.
pub(super) fn owner(command: &str) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let since = crate::time::format_time(clock_us(), crate::time::TimeFormat::Rfc3339);
    format!("process {} on {host} (cvx {command}, since {since})", std::process::id())
}
