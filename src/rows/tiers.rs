//! The rows of compact and tier.

use crate::output::Time;
use crate::row;

row! {
    /// What compact did.
    pub struct CompactRow {
        /// Logs that were sealed.
        pub wal_segments: u64,
        /// Files that were replaced.
        pub files_in: u64,
        /// Files in their place.
        pub files_out: u64,
        /// Points in them.
        pub points: u64,
        /// Bytes of the replaced files.
        pub bytes_before: u64 => "byte",
        /// Bytes of the new ones.
        pub bytes_after: u64 => "byte",
        /// Rows taken out that no longer counted.
        pub points_purged: u64,
        /// Time taken.
        pub seconds: f64 => "s",
        /// Rows made durable so far.
        pub seq: u64,
        /// The newest version.
        pub commit: u64,
        /// Jobs that a limit left for the next run.
        pub jobs_left: u64,
    }
    wide [seq, commit, jobs_left]
}

row! {
    /// A file that compact or tier would take.
    pub struct PlanRow {
        /// Files of one job are published together; 0 is what comes first.
        pub job: u64,
        /// Why compact takes it: seal, hot, small, purge or rewrite; or the codec that tier gives it,
        /// with cut before it where tier makes a warm file of the older points first.
        pub action: String,
        /// Path in the dataset.
        pub path: String,
        /// Points that count; of tier those that go.
        pub points: u64,
        /// Rows that no longer count.
        pub points_dead: u64,
        /// Length.
        pub bytes: u64 => "byte",
        /// Length of what takes its place, about, as a sample of the rows gives it; of tier only.
        pub bytes_after: Option<u64> => "byte",
    }
}

row! {
    /// Files of a tier that are stored alike.
    pub struct TierGroupRow {
        /// hot, warm or cold.
        pub tier: &'static str,
        /// Where they lie: a directory of the dataset, or a store.
        pub target: String,
        /// How vectors are coded.
        pub codec: Option<String>,
        /// File id of the codebook.
        pub codebook: Option<u64>,
        /// Files.
        pub files: u64,
        /// Points.
        pub points: u64,
        /// Length of the files.
        pub bytes: u64 => "byte",
        /// Length of the exact files that were kept.
        pub bytes_original: u64 => "byte",
        /// Length of the files over that of the vectors alone, 4 bytes a value.
        pub ratio: Option<f64>,
        /// Median of the relative errors of the worst block.
        pub err_p50: Option<f64>,
        /// Their 99th percentile.
        pub err_p99: Option<f64>,
        /// The greatest.
        pub err_max: Option<f64>,
        /// Earliest time.
        pub t_min: Option<Time>,
        /// Latest time.
        pub t_max: Option<Time>,
    }
    wide [err_p50, err_max]
}

row! {
    /// What tier run did.
    pub struct TierRunRow {
        /// Warm files that became blocks.
        pub partitions: u64,
        /// Points in them.
        pub points: u64,
        /// Length of the warm files.
        pub bytes_before: u64 => "byte",
        /// Length of the blocks, new codebooks and kept originals.
        pub bytes_after: u64 => "byte",
        /// bytes_after over bytes_before.
        pub ratio: Option<f64>,
        /// How vectors are coded.
        pub codec: String,
        /// Median of the relative errors of the worst block.
        pub err_p50: Option<f64>,
        /// Their 99th percentile.
        pub err_p99: Option<f64>,
        /// The greatest.
        pub err_max: Option<f64>,
        /// Files that stay warm: above --max-error, or not exact any more.
        pub skipped: u64,
        /// Time taken.
        pub seconds: f64 => "s",
        /// Codebooks trained.
        pub codebooks: u64,
        /// Files that a limit left for the next run.
        pub left: u64,
        /// The newest version.
        pub commit: u64,
        /// Files that were cut in two, or came from hot, so that their older points could go.
        pub files_cut: u64,
        /// Points that are old enough and not cold: those of the week that is not over, and of files that were
        /// skipped or left.
        pub points_waiting: u64,
    }
    wide [err_p50, err_max, codebooks, left, commit, files_cut]
}

row! {
    /// What tier restore did, or would do.
    pub struct RestoreRow {
        /// Cold blocks that gave points.
        pub partitions: u64,
        /// Points that came back.
        pub points: u64,
        /// Of these, points whose exact vectors are lost.
        pub points_approx: u64,
        /// Length of the blocks.
        pub bytes_before: u64 => "byte",
        /// Length of the warm files made.
        pub bytes_after: u64 => "byte",
        /// Time taken.
        pub seconds: f64 => "s",
        /// The newest version.
        pub commit: u64,
    }
}
