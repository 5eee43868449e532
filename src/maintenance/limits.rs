//! How much one run may do.

use std::time::{Duration, Instant};

/// Bounds of a run, looked at between jobs: what is begun is finished, the next run goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of input files after which no further job is begun.
    pub bytes: Option<u64>,
    /// Time after which no further job is begun.
    pub time: Option<Duration>,
}

impl Limits {
    /// True when another job may begin.
    pub fn allow(&self, bytes: u64, started: Instant) -> bool {
        self.bytes.is_none_or(|most| bytes < most) && self.time.is_none_or(|most| started.elapsed() < most)
    }
}
