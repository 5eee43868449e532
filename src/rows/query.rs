//! The rows of queries.

use crate::output::{Cell, Field, Id, Label, Meta, Time, Type};
use crate::row;

row! {
    /// A neighbour of a query.
    pub struct NeighbourRow {
        /// The query: its id, or its position from 0.
        pub query: Label,
        /// Place in the order of distance, from 1.
        pub rank: Option<u64>,
        /// Entity.
        pub entity_id: Option<Id>,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the point.
        pub t: Option<Time>,
        /// What the rows are ordered by.
        pub distance: Option<f64>,
        /// Distance of the vectors.
        pub d_vec: Option<f64>,
        /// Distance in time, when it takes part.
        pub d_time: Option<f64>,
        /// True when the vector comes from a lossy block.
        pub approx: bool,
        /// Metadata, with --meta.
        pub meta: Option<Meta>,
        /// The vector, with --vectors.
        pub vector: Option<Vec<f32>>,
        /// ok; not_found or no_state for a query of --queries whose entity is unknown or has no point then.
        pub status: Answer,
    }
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
        /// The vector, with --vectors.
        pub vector: Vec<f32>,
        /// Metadata, with --meta.
        pub meta: Option<Meta>,
    }
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
        /// The vector, with --vectors.
        pub vector: Vec<f32>,
        /// Metadata, with --meta.
        pub meta: Option<Meta>,
    }
}

/// Whether a query could be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was.
    Ok,
    /// Its entity is not in the dataset.
    NotFound,
    /// Its entity has no point at or before its time.
    NoState,
}

impl Field for Answer {
    const KIND: Type = Type::Text;
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        Cell::Text(match self {
            Answer::Ok => "ok",
            Answer::NotFound => "not_found",
            Answer::NoState => "no_state",
        })
    }
}
