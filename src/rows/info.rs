//! The rows of info and verify.

use crate::output::{Id, Json, Time};
use crate::row;

row! {
    /// A dataset in numbers.
    pub struct InfoRow {
        /// Names the dataset.
        pub dataset_id: String,
        /// Format of the directory.
        pub format: u32,
        /// Dimension.
        pub dim: usize,
        /// Default metric.
        pub metric: String,
        /// Points.
        pub points: u64,
        /// False when superseded rows may be counted.
        pub points_exact: bool,
        /// Earliest time.
        pub t_min: Option<Time>,
        /// Latest time.
        pub t_max: Option<Time>,
        /// Bytes of the live log.
        pub bytes_wal: u64 => "byte",
        /// Bytes of hot segments.
        pub bytes_hot: u64 => "byte",
        /// Bytes of the dictionary.
        pub bytes_dict: u64 => "byte",
        /// Live files.
        pub files: u64,
        /// Rows made durable so far.
        pub seq: u64,
        /// Number of the version.
        pub commit: u64,
        /// When it was committed, by the writer's clock.
        pub last_commit: Time,
        /// Bytes of warm files.
        pub bytes_warm: u64 => "byte",
        /// Bytes of cold blocks, codebooks and kept originals.
        pub bytes_cold: u64 => "byte",
        /// Bytes of the index.
        pub bytes_index: u64 => "byte",
        /// Share of the points that the index covers.
        pub index_fresh: Option<f64>,
        /// Who writes to it now.
        pub locked_by: Option<String>,
    }
}

row! {
    /// An entity in numbers.
    pub struct EntityRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Its points.
        pub points: u64,
        /// First seen.
        pub t_min: Time,
        /// Last seen.
        pub t_max: Time,
        /// Embedding models of its points.
        pub models: Json,
        /// Longest time between two points.
        pub gap_max_s: Option<f64> => "s",
    }
}

row! {
    /// A live file.
    pub struct PartRow {
        /// Path in the dataset.
        pub path: String,
        /// What it holds.
        pub kind: &'static str,
        /// Rows in it.
        pub rows: u64,
        /// Rows in it that no longer count.
        pub rows_dead: u64,
        /// Length.
        pub bytes: u64 => "byte",
        /// Earliest time.
        pub t_min: Option<Time>,
        /// Latest time.
        pub t_max: Option<Time>,
        /// Least entity.
        pub entity_min: Option<Id>,
        /// Largest entity.
        pub entity_max: Option<Id>,
    }
    wide [entity_min, entity_max]
}

row! {
    /// A tier in numbers.
    pub struct TierRow {
        /// wal, hot, warm or cold.
        pub tier: &'static str,
        /// Files of points.
        pub files: u64,
        /// Points.
        pub points: u64,
        /// Length of the files.
        pub bytes: u64 => "byte",
    }
}

row! {
    /// Points of one origin.
    pub struct ModelRow {
        /// Embedding model.
        pub model: Option<String>,
        /// Source.
        pub source: Option<String>,
        /// Points.
        pub points: u64,
    }
}

row! {
    /// A check of verify.
    pub struct Check {
        /// Which check.
        pub check: &'static str,
        /// Which file.
        pub object: String,
        /// ok, repairable or damaged.
        pub status: &'static str,
        /// What was found.
        pub detail: String,
    }
}
