//! One live file: its kind, its name, and what is known of it without opening it.

use crate::format::container::Seal;
use crate::model::{EntityId, TimeRange, TimestampUs};

/// What a live file holds. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FileKind {
    /// `hot/`: a sealed segment of points.
    Segment = 1,
    /// `dict/`: entity names.
    Dictionary = 2,
    /// `hot/`: superseded rows of another file.
    Deletions = 3,
    /// `warm/`: Parquet.
    Warm = 4,
    /// `cold/`, or another store: a block of codes.
    Cold = 5,
    /// Beside cold blocks: what their codec learnt.
    Codebook = 6,
    /// `index/`: a part of the index.
    Index = 7,
    /// Beside a cold block: the exact points that it holds as codes, as a warm file. `target` is the block.
    Original = 8,
}

impl FileKind {
    pub(super) fn from_number(n: u8) -> Option<FileKind> {
        use FileKind::*;
        [Segment, Dictionary, Deletions, Warm, Cold, Codebook, Index, Original]
            .into_iter()
            .find(|k| *k as u8 == n)
    }

    /// True for files whose rows are live points.
    pub fn holds_points(self) -> bool {
        matches!(self, FileKind::Segment | FileKind::Warm | FileKind::Cold)
    }

    /// True for files that have a [`Placement`](super::Placement).
    pub fn is_placed(self) -> bool {
        matches!(self, FileKind::Warm | FileKind::Cold | FileKind::Codebook | FileKind::Original)
    }

    /// Path of the file with this kind and id, relative to the dataset directory. Files with a
    /// placement have [`super::Manifest::path_of`].
    pub fn path(self, id: u64) -> String {
        match self {
            FileKind::Segment => format!("hot/{id:010}.seg"),
            FileKind::Dictionary => format!("dict/{id:010}.dict"),
            FileKind::Deletions => format!("hot/{id:010}.del"),
            FileKind::Warm => format!("warm/{id:010}.parquet"),
            FileKind::Cold => format!("cold/{id:010}.pqvec"),
            FileKind::Codebook => format!("cold/codebook-{id:010}.pqcb"),
            FileKind::Original => format!("cold/original/{id:010}.parquet"),
            FileKind::Index => format!("index/{id:010}.idx"),
        }
    }
}

/// A live file and what is known of it without opening it.
///
/// The sequence numbers of an index part bound the rows in it, and its times are those that it was
/// built for. They say what it may hold; what it holds is a question of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileEntry {
    /// What it holds.
    pub kind: FileKind,
    /// Its id; never used twice in a dataset.
    pub id: u64,
    /// Length and root checksum.
    pub seal: Seal,
    /// For deletions: the file whose rows they are. For originals: their block. Otherwise 0.
    pub target: u64,
    /// Rows, names or deleted rows in it.
    pub rows: u64,
    /// Least entity id.
    pub entity_min: EntityId,
    /// Largest entity id.
    pub entity_max: EntityId,
    /// Earliest timestamp.
    pub t_min: TimestampUs,
    /// Latest timestamp.
    pub t_max: TimestampUs,
    /// Least sequence number of its rows.
    pub seq_min: u64,
    /// Largest sequence number of its rows.
    pub seq_max: u64,
}

impl FileEntry {
    /// A file that holds no points.
    pub fn bare(kind: FileKind, id: u64, seal: Seal) -> FileEntry {
        FileEntry {
            kind,
            id,
            seal,
            target: 0,
            rows: 0,
            entity_min: 0,
            entity_max: 0,
            t_min: 0,
            t_max: 0,
            seq_min: 0,
            seq_max: 0,
        }
    }

    /// Path relative to the dataset directory.
    pub fn path(&self) -> String {
        self.kind.path(self.id)
    }

    /// The time span of its rows.
    pub fn time(&self) -> TimeRange {
        TimeRange::closed(self.t_min, self.t_max)
    }
}
