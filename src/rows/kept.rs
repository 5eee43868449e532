//! The rows of what is kept beside the data, and of copies of it.

use crate::output::{Json, Time};
use crate::row;

row! {
    /// A result that is kept beside the data.
    pub struct ResultRow {
        /// changepoints, states, baseline, calibration, model or checkpoint.
        pub kind: &'static str,
        /// The name that it was saved under.
        pub name: String,
        /// ok; damaged or version, when it cannot be read.
        pub status: &'static str,
        /// Rows, entities or points in it.
        pub rows: Option<u64>,
        /// When it was written.
        pub created: Option<Time>,
        /// The version that was read for it.
        pub commit: Option<u64>,
        /// Length of the file.
        pub bytes: u64 => "byte",
        /// The command that wrote it.
        pub command: Option<String>,
        /// What it was made with.
        pub parameters: Option<Json>,
        /// Rows that were made durable after it was written.
        pub seq_behind: Option<u64>,
    }
    wide [commit, command, parameters, seq_behind]
}

row! {
    /// A result that was dropped.
    pub struct ResultDroppedRow {
        /// Its kind.
        pub kind: &'static str,
        /// Its name.
        pub name: String,
        /// Length of the file.
        pub bytes: u64 => "byte",
    }
}

row! {
    /// What backup did.
    pub struct BackupRow {
        /// The copy.
        pub target: String,
        /// The version in it.
        pub commit: u64,
        /// Points in it.
        pub points: u64,
        /// Files that were copied.
        pub files_copied: u64,
        /// Files that an earlier backup had copied.
        pub files_kept: u64,
        /// Files of earlier backups that were removed.
        pub files_removed: u64,
        /// Files in other stores, which are not copied.
        pub files_elsewhere: u64,
        /// Bytes copied.
        pub bytes_copied: u64 => "byte",
        /// Time taken.
        pub seconds: f64 => "s",
    }
}
