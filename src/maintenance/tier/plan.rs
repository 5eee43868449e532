//! Which warm files go to cold: a pure value from a manifest and a policy.

use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::model::TimestampUs;
use crate::pq::Codec;

/// Bytes of keys, hash and norms that a block keeps of each row.
const KEY_BYTES: f64 = 57.0;

/// What goes to cold, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Files all of whose points are older than this.
    pub before: TimestampUs,
    /// How vectors are coded.
    pub codec: Codec,
    /// The largest 99th percentile of a block's relative errors; a file above it stays warm.
    pub max_error: Option<f64>,
    /// Keep the exact files at the target too.
    pub keep_original: bool,
    /// Directory or URL; `None` for the dataset's own directory.
    pub target: Option<String>,
    /// A codebook is trained anew when its squared error has grown by more than this share.
    pub drift_threshold: f64,
    /// Seed of samples and training.
    pub seed: u64,
}

/// A file that would go, and the size of its block, about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// The warm file.
    pub file: FileEntry,
    /// Rows that count.
    pub points: u64,
    /// Bytes of the block, without metadata; of a kept original too.
    pub bytes_after: u64,
}

/// The files that the policy sends to cold, oldest first.
pub fn plan(m: &Manifest, policy: &Policy) -> Vec<Move> {
    let mut files: Vec<FileEntry> =
        m.of(FileKind::Warm).filter(|f| f.t_max < policy.before).copied().collect();
    files.sort_by_key(|f| (f.t_min, f.id));
    let row_bytes = policy.codec.row_bytes(m.dim as usize) + KEY_BYTES;
    let one = |file: FileEntry| {
        let points = file.rows - m.deletions_of(file.id).map_or(0, |d| d.rows);
        let kept = if policy.keep_original { file.seal.len } else { 0 };
        Move { file, points, bytes_after: (points as f64 * row_bytes) as u64 + kept }
    };
    files.into_iter().map(one).collect()
}
