//! cvx stores *temporal vectors*, embeddings that change over time, and answers questions about them: what is near a
//! vector, what was near it on a date, how an entity moved, when it changed, and where it will be.
//!
//! A *point* is an entity, a time in microseconds since 1970, a vector of f32 values and JSON metadata. The points of an
//! entity in time order are its *trajectory*. A dataset is a directory of immutable files and a log; any number of
//! processes read one version of it while one writes.
//!
//! # Quick start
//!
//! ```
//! use cvx::commands::query::{Question, neighbours};
//! use cvx::commands::{Selection, Session, Unwatched, changepoints, session};
//! use cvx::config::Settings;
//! use cvx::dataset::{self, Writer};
//! use cvx::points::{Point, Points};
//!
//! # fn main() -> cvx::Result<()> {
//! # let parent = tempfile::tempdir().unwrap();
//! # let dir = parent.path().join("news");
//! // A dataset of vectors of two values, and two entities that swap their places on the fifth day.
//! dataset::init(&dir, &Settings::new(2), false)?;
//! let mut points = Points::new(2);
//! for day in 0..10 {
//!     for entity in [1, 2] {
//!         let vector = if (day < 5) == (entity == 1) { [1.0, 0.1] } else { [0.1, 1.0] };
//!         points.add(Point { entity, t: day * 86_400_000_000, vector: &vector, ..Point::default() });
//!     }
//! }
//! let mut writer = Writer::open(&dir, dataset::Options::default())?;
//! writer.add(&points)?;
//! writer.finish()?;
//!
//! // The nearest points, each with its entity, time and distance.
//! let session = Session::new(&dir, session::Settings::default());
//! let request = neighbours::Request {
//!     question: Question::Vector(vec![1.0, 0.0]),
//!     k: Some(3),
//!     ..neighbours::Request::default()
//! };
//! let mut rows = Vec::new();
//! neighbours::run(&session, &request, &Unwatched, &mut rows)?.into_result()?;
//! assert_eq!(rows.len(), 3);
//! assert!(rows.iter().all(|row| row.distance < Some(0.01)));
//!
//! // When each entity changed.
//! let mut found = Vec::new();
//! changepoints::run(&session, &changepoints::Request::default(), &Unwatched, &mut found)?;
//! let days = found.iter().flat_map(|f| &f.changes).map(|c| c.t.unwrap().0 / 86_400_000_000);
//! assert_eq!(days.collect::<Vec<_>>(), [5, 5]);
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! - [`commands`]: every command as a typed request that yields typed rows; [`rows`] are their types, [`output`] writes
//!   them as tables, JSON, CSV, Parquet or Arrow.
//! - [`dataset`]: one directory: init, write, pinned versions, selections, verify. [`config`] are its settings,
//!   [`points`] what is written, [`model`] and [`time`] the small types.
//! - [`analytics`]: pure functions from a trajectory to a report. [`query`]: exact search over a version, by scan and by
//!   its index.
//! - [`input`]: rows out of files of many formats. [`filter`]: conditions on metadata and rows.
//! - [`error`]: the one error type. [`watch`]: progress, and how a run is asked to stop.
//! - [`cli`]: the options of the command line, and the requests that they make.
//!
//! The rest is how it is stored. ARCHITECTURE.md is the map, FORMAT.md the bytes on disk.

pub mod analytics;
pub mod cli;
pub mod commands;
pub mod config;
pub mod dataset;
pub mod error;
pub mod filter;
pub mod input;
pub mod metric;
pub mod model;
pub mod output;
pub mod points;
pub mod query;
pub mod rows;
pub mod time;
pub mod watch;

pub mod cold;
pub mod dict;
pub mod format;
pub mod fsio;
pub mod index;
pub mod maintenance;
pub mod manifest;
pub mod pq;
pub mod results;
pub mod segment;
pub mod simd;
pub mod suggest;
pub mod text;
pub mod wal;
pub mod warm;

pub use error::{Code, Error, Result};
