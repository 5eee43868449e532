//! The rows of index.

use crate::output::{Json, Time};
use crate::row;

row! {
    /// What an index build did.
    pub struct IndexBuiltRow {
        /// graph or lists.
        pub kind: &'static str,
        /// Distance.
        pub metric: String,
        /// Points in the index.
        pub points: u64,
        /// Points that were worked in, those of merged parts included.
        pub points_built: u64,
        /// Parts of the index.
        pub parts: usize,
        /// Of these, new ones.
        pub parts_new: usize,
        /// Bytes of the index.
        pub bytes: u64 => "byte",
        /// Bytes of the index a point.
        pub bytes_per_point: Option<f64> => "byte",
        /// Time taken.
        pub seconds: f64 => "s",
        /// Points worked in per second.
        pub points_per_s: f64 => "1/s",
        /// Least share of the true ten nearest found when the parts were built, of all kinds of questions and modes of asking;
        /// none where every part is compared exactly because it is small.
        pub recall: Option<f64>,
        /// That share for each mode: all points, a quarter and a twentieth of the time, states at an instant, points of
        /// other entities, the best point of each entity.
        pub recall_by_mode: Option<Json>,
        /// Parts that queries scan, since searches of them do not find 95 of 100.
        pub parts_scanned: usize,
        /// Share of the true ten nearest neighbours found, with --check-recall.
        pub recall_at_10: Option<f64>,
        /// Stored points that were asked with.
        pub recall_queries: Option<usize>,
        /// Rows made durable when it was built.
        pub seq: u64,
        /// The version with the new index.
        pub commit: u64,
    }
    wide [bytes_per_point, recall_by_mode, recall_queries, seq, commit]
}

row! {
    /// A part of the index.
    pub struct IndexRow {
        /// Path in the dataset.
        pub part: String,
        /// ok, scanned (searches do not find 95 of 100, so queries compare every point of it), outdated (built by an older cvx
        /// and not used) or damaged.
        pub status: &'static str,
        /// graph, lists or codes: what it was large enough for.
        pub kind: Option<&'static str>,
        /// Distance.
        pub metric: Option<String>,
        /// Rows.
        pub rows: u64,
        /// Rows that no longer count.
        pub rows_dead: u64,
        /// Inverted lists.
        pub lists: Option<u32>,
        /// Sequence number of the first point covered.
        pub seq_from: u64,
        /// Sequence number behind the last point covered.
        pub seq_to: u64,
        /// First instant covered; none for all times.
        pub from: Option<Time>,
        /// Last instant covered.
        pub to: Option<Time>,
        /// Length of the file.
        pub bytes: u64 => "byte",
        /// Length of the file a row.
        pub bytes_per_row: f64 => "byte",
        /// Least share of the true ten nearest found when it was built; none for a small part, which is compared point by point.
        pub recall: Option<f64>,
        /// That share for each mode of asking.
        pub recall_by_mode: Option<Json>,
        /// Bytes of each section, by its name in FORMAT.md.
        pub sections: Option<Json>,
    }
    wide [seq_from, seq_to, from, to, recall_by_mode, sections]
}

row! {
    /// An index that was dropped.
    pub struct IndexDroppedRow {
        /// Parts.
        pub parts: usize,
        /// Their bytes; they go when no version names them any more.
        pub bytes: u64 => "byte",
        /// The version without them.
        pub commit: u64,
    }
}
