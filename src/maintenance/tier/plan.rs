//! Which warm files go to cold: a pure value from a manifest and a policy.

use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::model::TimestampUs;
use crate::pq::Codec;

/// What goes to cold, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Points that are older than this, by whole files; files are cut at the [`super::boundary`].
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

/// A file that would go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// The warm file.
    pub file: FileEntry,
    /// Rows that count and go.
    pub points: u64,
    /// What they take now.
    pub bytes: u64,
    /// Bytes of the block, about; of a kept original too. 0 until it is measured.
    pub bytes_after: u64,
    /// True for a file that is not warm yet, or is cut in two first.
    pub cut: bool,
}

/// The files that the policy sends to cold, oldest first.
pub fn plan(m: &Manifest, policy: &Policy) -> Vec<Move> {
    let mut files: Vec<FileEntry> =
        m.of(FileKind::Warm).filter(|f| f.t_max < policy.before).copied().collect();
    files.sort_by_key(|f| (f.t_min, f.id));
    let one = |file: FileEntry| {
        let points = file.rows - m.deletions_of(file.id).map_or(0, |d| d.rows);
        Move { file, points, bytes: file.seal.len, bytes_after: 0, cut: false }
    };
    files.into_iter().map(one).collect()
}
