//! The rows of every command: names, types and order are the contract with scripts.
//!
//! Fields are only ever added, at the end.

mod changes;
mod gaps;
mod index;
mod info;
mod kept;
mod motion;
mod points;
mod predict;
mod query;
mod setup;
mod sparks;
mod tiers;

pub use changes::{ChangeRow, SavedRow, SearchRow, SegmentRow};
pub use gaps::GapRow;
pub use index::{IndexBuiltRow, IndexDroppedRow, IndexRow};
pub use info::{Check, EntityRow, InfoRow, ModelRow, PartRow, TierRow};
pub use kept::{BackupRow, ResultDroppedRow, ResultRow};
pub use motion::{DriftRow, PeriodRow, PopulationRow, VelocityRow, top_dims};
pub use points::{DeleteRow, EraseRow, EventRow, IngestPlanRow, IngestRow, PointKey, PointRow};
pub use predict::{CaseRow, EvalRow, NodeRow, PredictRow};
pub use query::{Answer, NeighbourRow, StateRow, TrajectoryRow};
pub use setup::{ErrorCode, FieldOf, Made, Setting};
pub use sparks::Sparks;
pub use tiers::{CompactRow, PlanRow, RestoreRow, TierGroupRow, TierRunRow};

use crate::analytics::Status;
use crate::output::{Cell, Column, Field, Row, Type};

/// A status stays a type until it is printed.
impl Field for Status {
    const KIND: Type = Type::Text;
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        Cell::Text(self.as_str())
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
    ("erase", EraseRow::COLUMNS),
    ("compact", CompactRow::COLUMNS),
    ("compact --dry-run", PlanRow::COLUMNS),
    ("tier status", TierGroupRow::COLUMNS),
    ("tier plan", PlanRow::COLUMNS),
    ("tier run", TierRunRow::COLUMNS),
    ("tier restore", RestoreRow::COLUMNS),
    ("backup", BackupRow::COLUMNS),
    ("results list", ResultRow::COLUMNS),
    ("results show", ResultRow::COLUMNS),
    ("results drop", ResultDroppedRow::COLUMNS),
    ("velocity", VelocityRow::COLUMNS),
    ("gaps", GapRow::COLUMNS),
    ("drift", DriftRow::COLUMNS),
    ("drift --from A..B --to C..D", PeriodRow::COLUMNS),
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
