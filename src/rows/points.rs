//! The rows of commands by which points come and go: ingest, export, delete.

use crate::output::{Id, Meta, Time};
use crate::row;

row! {
    /// What ingest did.
    pub struct IngestRow {
        /// Files given.
        pub files: u64,
        /// Rows read, bad ones included.
        pub rows_read: u64,
        /// Rows with a new entity and time.
        pub rows_added: u64,
        /// Rows that were stored already.
        pub rows_unchanged: u64,
        /// Rows that replaced other content.
        pub rows_replaced: u64,
        /// Bad rows and conflicts that were tolerated.
        pub rows_rejected: u64,
        /// Rows of entities and points that were erased, which were left out.
        pub rows_erased: u64,
        /// Entities without a point before.
        pub entities_new: u64,
        /// Points in the dataset afterwards.
        pub points_total: u64,
        /// Bytes of input.
        pub bytes_read: u64 => "byte",
        /// Bytes written to log and files.
        pub bytes_written: u64 => "byte",
        /// Versions published.
        pub commits: u64,
        /// Sequence number of the first row stored.
        pub seq_from: u64,
        /// Sequence number behind the last row stored.
        pub seq_to: u64,
        /// Time taken.
        pub seconds: f64 => "s",
        /// Rows read per second.
        pub rows_per_s: f64 => "1/s",
        /// Files that had been ingested before and were skipped.
        pub files_skipped: u64,
        /// Files that were not read to their end.
        pub files_failed: u64,
    }
    wide [rows_erased, points_total, bytes_read, bytes_written, commits, seq_from, seq_to]
}

row! {
    /// Something noticed while points came in.
    pub struct EventRow {
        /// change.
        pub event: &'static str,
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the first point after the change.
        pub t: Time,
        /// Time of the point at which it was noticed.
        pub detected_at: Time,
        /// bocpd.
        pub method: &'static str,
        /// level, or outlier for a single far point.
        pub kind: &'static str,
        /// Posterior mass on a change of level within the last 64 points.
        pub p_recent: f64,
        /// Distance of the levels in standard deviations of the whole noise vector.
        pub severity: Option<f64>,
    }
}

row! {
    /// What ingest would do with a file.
    pub struct IngestPlanRow {
        /// The file.
        pub file: String,
        /// Its format.
        pub format: String,
        /// Its length.
        pub bytes: u64 => "byte",
        /// read, resume behind rows that are stored, or skip.
        pub action: &'static str,
        /// Its first rows that an earlier run took in.
        pub rows_known: Option<u64>,
    }
}

row! {
    /// Beside an array of exported vectors: the key of each row.
    pub struct PointKey {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the point.
        pub timestamp: Time,
    }
}

row! {
    /// A point, whole: ingesting it again changes nothing.
    pub struct PointRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time.
        pub timestamp: Time,
        /// Vector.
        pub vector: Vec<f32>,
        /// Metadata, a JSON object.
        pub metadata: Option<Meta>,
        /// Source of its batch.
        pub source: Option<String>,
        /// Embedding model.
        pub model: Option<String>,
        /// Place in the order in which rows were made durable.
        pub seq: u64,
        /// True when the vector comes from a lossy block.
        pub approx: bool,
    }
}

row! {
    /// What delete did, or would do.
    pub struct DeleteRow {
        /// Points.
        pub points: u64,
        /// Entities that had them.
        pub entities: u64,
        /// The version without them; with --dry-run the newest one.
        pub commit: u64,
    }
}

row! {
    /// What erase did, and what is left.
    pub struct EraseRow {
        /// Points that no longer count.
        pub points: u64,
        /// Entities that had them.
        pub entities: u64,
        /// Names taken out of the dictionary.
        pub names: u64,
        /// Parts of the index that were dropped.
        pub index_parts: u64,
        /// Baselines, states and saved changes that were rewritten.
        pub results_rewritten: u64,
        /// Calibrations and unfinished trainings that were dropped.
        pub results_dropped: u64,
        /// Files of points that were rewritten.
        pub files_rewritten: u64,
        /// Dead rows that are gone with them, those of other entities included.
        pub points_purged: u64,
        /// Tombstones of the dataset.
        pub tombstones: u64,
        /// True when a search of every file found nothing of what was erased.
        pub clean: bool,
        /// Where something is left.
        pub left: Option<String>,
        /// The newest version.
        pub commit: u64,
    }
    wide [results_rewritten, results_dropped, tombstones]
}
