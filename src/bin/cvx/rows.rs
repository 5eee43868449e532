//! The rows of every command: names, types and order are the contract with scripts.
//!
//! Fields are only ever added, at the end.

mod predict;

pub use predict::{CaseRow, EvalRow, NodeRow, PredictRow};

use cvx::output::{Column, Id, Json, Label, Row, Time};
use cvx::row;

row! {
    /// A setting's effective value.
    pub struct Setting {
        /// Name, as in config files and after `--`.
        pub key: &'static str,
        /// Value.
        pub value: String,
        /// Where the value comes from: option, env NAME, FILE:LINE or default.
        pub origin: String,
    }
}

row! {
    /// A field of a command's rows.
    pub struct FieldOf {
        /// The command.
        pub command: &'static str,
        /// Name: JSON key, CSV header and Parquet column.
        pub field: &'static str,
        /// Type of the values.
        pub kind: &'static str,
        /// Unit of the values.
        pub unit: Option<&'static str>,
        /// True when there may be no value.
        pub nullable: bool,
        /// What it means.
        pub meaning: &'static str,
    }
}

row! {
    /// A stable error code.
    pub struct ErrorCode {
        /// The word in `error.code`.
        pub code: &'static str,
        /// Exit status of the process.
        pub exit: u32,
        /// When it is used.
        pub meaning: &'static str,
    }
}

row! {
    /// A dataset that was made.
    pub struct Made {
        /// Its directory.
        pub dataset: String,
        /// Dimension.
        pub dim: usize,
        /// Default metric.
        pub metric: String,
        /// Kind of entity ids.
        pub ids: String,
        /// Format of the directory.
        pub format: u32,
        /// Buckets of the long-term files.
        pub buckets: String,
        /// Periods of the long-term files.
        pub partition: String,
    }
}

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
    }
    wide [points_total, bytes_read, bytes_written, commits, seq_from, seq_to]
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
        /// Mass on runs of at most ten points.
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
    /// A neighbour of a query.
    pub struct NeighbourRow {
        /// The query: its id, or its position from 0.
        pub query: Label,
        /// Place in the order of distance, from 1.
        pub rank: u64,
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the point.
        pub t: Time,
        /// What the rows are ordered by.
        pub distance: f64,
        /// Distance of the vectors.
        pub d_vec: f64,
        /// Distance in time, when it takes part.
        pub d_time: Option<f64>,
        /// True when the vector comes from a lossy block.
        pub approx: bool,
        /// Metadata.
        pub meta: Option<Json>,
        /// The vector.
        pub vector: Vec<f32>,
    }
    wide [approx]
}

row! {
    /// The state of an entity at an instant.
    pub struct StateRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of its latest point.
        pub t: Time,
        /// Time since that point.
        pub age_s: f64 => "s",
        /// Length of the vector.
        pub norm: f64,
        /// Embedding model.
        pub model: Option<String>,
        /// True when the vector comes from a lossy block.
        pub approx: bool,
        /// Vector.
        pub vector: Vec<f32>,
        /// Metadata.
        pub meta: Option<Json>,
    }
    wide [approx]
}

row! {
    /// A point of a trajectory.
    pub struct TrajectoryRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time.
        pub t: Time,
        /// Position in the selected trajectory, from 0.
        pub n: usize,
        /// Length of the vector.
        pub norm: f64,
        /// Euclidean distance from the point before.
        pub step_l2: Option<f64>,
        /// Cosine distance from the point before.
        pub step_cosine: Option<f64>,
        /// Time since the point before.
        pub dt_s: Option<f64> => "s",
        /// Embedding model.
        pub model: Option<String>,
        /// True when something in the row comes from a lossy block.
        pub approx: bool,
        /// Vector.
        pub vector: Vec<f32>,
        /// Metadata.
        pub meta: Option<Json>,
    }
    wide [approx]
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
        pub metadata: Option<Json>,
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
        /// Why compact takes it: seal, hot, small, purge or rewrite; or the codec that tier gives it.
        pub action: String,
        /// Path in the dataset.
        pub path: String,
        /// Points that count.
        pub points: u64,
        /// Rows that no longer count.
        pub points_dead: u64,
        /// Length.
        pub bytes: u64 => "byte",
        /// Length of what takes its place, about, without metadata; of tier only.
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
    wide [bytes_original, err_p50, err_max]
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
    }
    wide [err_p50, err_max, codebooks, left, commit]
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
        /// Share of the true ten nearest neighbours found, with --check-recall.
        pub recall_at_10: Option<f64>,
        /// Stored points that were asked with.
        pub recall_queries: Option<usize>,
        /// Rows made durable when it was built.
        pub seq: u64,
        /// The version with the new index.
        pub commit: u64,
    }
    wide [bytes_per_point, recall_queries, seq, commit]
}

row! {
    /// A part of the index.
    pub struct IndexRow {
        /// Path in the dataset.
        pub part: String,
        /// ok or damaged.
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
        /// Bytes of each section, by its name in FORMAT.md.
        pub sections: Option<Json>,
    }
    wide [seq_from, seq_to, from, to, sections]
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

row! {
    /// The motion of an entity at one time.
    pub struct VelocityRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time.
        pub t: Time,
        /// Points of the selected trajectory.
        pub n: usize,
        /// Time since the point before.
        pub dt_before_s: Option<f64> => "s",
        /// Time to the point after.
        pub dt_after_s: Option<f64> => "s",
        /// Length of the velocity.
        pub speed: Option<f64> => "1/per",
        /// Length of the acceleration, with --order 2.
        pub accel: Option<f64> => "1/per^2",
        /// Angle between the steps in and out.
        pub turn_deg: Option<f64> => "degree",
        /// The unit of time of speed and acceleration.
        pub per: String,
        /// Why something is missing.
        pub status: &'static str,
        /// The velocity.
        pub vector_velocity: Option<Vec<f32>> => "1/per",
        /// The acceleration.
        pub vector_accel: Option<Vec<f32>> => "1/per^2",
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
    }
    wide [dt_before_s, dt_after_s, per]
}

row! {
    /// How far an entity has moved.
    pub struct DriftRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the first point used.
        pub t1: Option<Time>,
        /// Time of the last point used.
        pub t2: Option<Time>,
        /// Points from the first to the last one used.
        pub n: usize,
        /// Euclidean distance.
        pub l2: Option<f64>,
        /// Cosine distance.
        pub cosine: Option<f64>,
        /// Angle.
        pub angle_deg: Option<f64> => "degree",
        /// Length of the last state over that of the first.
        pub norm_ratio: Option<f64>,
        /// The unit of time of rate.
        pub rate_per: String,
        /// Euclidean distance per rate_per.
        pub rate: Option<f64> => "1/rate_per",
        /// Length of the path.
        pub path_l2: Option<f64>,
        /// Distance over path: 1 is a straight line.
        pub efficiency: Option<f64>,
        /// The dimensions with the largest shares of the squared distance: dim, delta, share.
        pub top_dims: Json,
        /// Least number of dimensions with 80 % of the squared distance.
        pub pareto80: Option<usize>,
        /// How far the steps share a direction.
        pub t2_stat: Option<f64>,
        /// Probability of a statistic this large without a common direction.
        pub p_value: Option<f64>,
        /// Why something is missing.
        pub status: &'static str,
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
        /// Slope of ln path_l2 on ln scale over all scales, with --scale: about H - 1.
        pub roughness: Option<f64>,
        /// Distance to the first state along the trajectory, in tables.
        pub path: Option<String>,
    }
    wide [norm_ratio, rate_per, rate, path_l2, pareto80, t2_stat]
}

row! {
    /// A test of whether a population has moved between two windows.
    pub struct PopulationRow {
        /// Value of the --by key.
        pub group: Option<String>,
        /// Start of the reference window.
        pub ref_from: Option<Time>,
        /// End of the reference window, outside of it.
        pub ref_to: Option<Time>,
        /// Start of the current window.
        pub cur_from: Option<Time>,
        /// End of the current window, outside of it.
        pub cur_to: Option<Time>,
        /// Points of the reference window that were compared.
        pub n_ref: u64,
        /// Points of the current window that were compared.
        pub n_cur: u64,
        /// Which test.
        pub test: &'static str,
        /// Its statistic.
        pub statistic: Option<f64>,
        /// How often relabelled windows differ as much.
        pub p_value: Option<f64>,
        /// The same, by Holm over all rows of the run.
        pub p_adjusted: Option<f64>,
        /// True when p_adjusted is at most --alpha.
        pub drift: bool,
        /// Statistic over its standard deviation under relabelling.
        pub effect: Option<f64>,
        /// The dimensions in which the means moved most, for the centroid.
        pub top_dims: Json,
        /// Why something is missing.
        pub status: &'static str,
        /// Cosine distance of the two means, for the centroid.
        pub cosine: Option<f64>,
    }
    wide [ref_to, cur_to]
}

row! {
    /// A change point.
    pub struct ChangeRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the first point after the change.
        pub t: Time,
        /// Its position in the selected trajectory, from 0.
        pub index: u64,
        /// Time of the last point before it.
        pub t_before: Time,
        /// pelt or bocpd.
        pub method: &'static str,
        /// Distance of the levels in standard deviations of the whole noise vector.
        pub severity: Option<f64>,
        /// How much the change lowers the cost, in squared vector units.
        pub gain: Option<f64>,
        /// Mass on runs of at most ten points, for bocpd.
        pub p_recent: Option<f64>,
        /// Points of the stretch before.
        pub n_before: Option<u64>,
        /// Points of the stretch after.
        pub n_after: Option<u64>,
        /// Distance of the two stretches' means.
        pub l2: Option<f64>,
        /// Their cosine distance.
        pub cosine: Option<f64>,
        /// The dimensions that moved most: dim, delta, share.
        pub top_dims: Option<Json>,
        /// Time of the point at which the change was noticed, for bocpd.
        pub detected_at: Option<Time>,
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
        /// The scales whose changes confirm this one, with --scale.
        pub scales: Option<Json>,
    }
    wide [t_before, method, gain, detected_at]
}

row! {
    /// What was searched for changes, and how.
    pub struct SearchRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Points of the selected trajectory.
        pub n: u64,
        /// Changes found.
        pub changepoints: u64,
        /// What a change had to be worth, in the units of the cost.
        pub penalty: Option<f64>,
        /// Standard deviation of the whole noise vector.
        pub noise_sd: Option<f64>,
        /// Correlation of neighbours that the stretches leave over.
        pub lag1: Option<f64>,
        /// What makes the result doubtful.
        pub warning: Option<String>,
        /// What a stretch was taken for: mean, line or level.
        pub cost: Option<&'static str>,
        /// Mass on runs of at most ten points at the end, for bocpd.
        pub p_recent: Option<f64>,
        /// Why something is missing.
        pub status: &'static str,
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
        /// Distance to the first state along the trajectory, in tables.
        pub path: Option<String>,
    }
    wide [cost, p_recent]
}

row! {
    /// A stretch without a change.
    pub struct SegmentRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Position among the entity's stretches, from 0.
        pub segment: u64,
        /// Time of its first point.
        pub t_first: Time,
        /// Time of its last point.
        pub t_last: Time,
        /// Position of its first point in the selected trajectory, from 0.
        pub start: u64,
        /// Points.
        pub n: u64,
        /// Root mean squared distance of its points to their mean.
        pub spread: f64,
        /// Length of the mean.
        pub norm: f64,
        /// The mean.
        pub vector_mean: Option<Vec<f32>>,
        /// The grid that the trajectory was put on, with --scale.
        pub scale: Option<String>,
    }
}

row! {
    /// A stored result.
    pub struct SavedRow {
        /// Its name.
        pub name: String,
        /// Change points or points in it.
        pub rows: u64,
        /// The version that was read.
        pub commit: u64,
        /// When it was stored.
        pub created: Time,
        /// The command that stored it.
        pub command: String,
    }
}

/// The row type of each command that prints rows, by the words of the command.
pub const TABLES: &[(&str, &[Column])] = &[
    ("init", Made::COLUMNS),
    ("info", InfoRow::COLUMNS),
    ("info --entities", EntityRow::COLUMNS),
    ("info --partitions", PartRow::COLUMNS),
    ("info --tiers", TierRow::COLUMNS),
    ("info --models", ModelRow::COLUMNS),
    ("verify", Check::COLUMNS),
    ("ingest", IngestRow::COLUMNS),
    ("ingest --events", EventRow::COLUMNS),
    ("ingest --dry-run", IngestPlanRow::COLUMNS),
    ("query knn", NeighbourRow::COLUMNS),
    ("query range", NeighbourRow::COLUMNS),
    ("query asof", StateRow::COLUMNS),
    ("query asof --vector", NeighbourRow::COLUMNS),
    ("query trajectory", TrajectoryRow::COLUMNS),
    ("index build", IndexBuiltRow::COLUMNS),
    ("index status", IndexRow::COLUMNS),
    ("index drop", IndexDroppedRow::COLUMNS),
    ("export", PointRow::COLUMNS),
    ("export --npy", PointKey::COLUMNS),
    ("delete", DeleteRow::COLUMNS),
    ("compact", CompactRow::COLUMNS),
    ("compact --dry-run", PlanRow::COLUMNS),
    ("tier status", TierGroupRow::COLUMNS),
    ("tier plan", PlanRow::COLUMNS),
    ("tier run", TierRunRow::COLUMNS),
    ("tier restore", RestoreRow::COLUMNS),
    ("velocity", VelocityRow::COLUMNS),
    ("drift", DriftRow::COLUMNS),
    ("drift population", PopulationRow::COLUMNS),
    ("changepoints", ChangeRow::COLUMNS),
    ("changepoints --summary", SearchRow::COLUMNS),
    ("changepoints --segments", SegmentRow::COLUMNS),
    ("changepoints --saved", SavedRow::COLUMNS),
    ("predict", PredictRow::COLUMNS),
    ("predict eval", EvalRow::COLUMNS),
    ("predict eval --cases", CaseRow::COLUMNS),
    ("predict models", NodeRow::COLUMNS),
    ("predict train", NodeRow::COLUMNS),
    ("config show", Setting::COLUMNS),
    ("schema", FieldOf::COLUMNS),
    ("schema --errors", ErrorCode::COLUMNS),
];
