//! cvx: temporal vectors, embeddings that change over time.
//!
//! The library behind the `cvx` program. ARCHITECTURE.md is the map; the modules
//! stand below in the order in which they may use each other.

pub mod backup;
pub mod batch;
pub mod config;
pub mod dataset;
pub mod delete;
pub mod dict;
pub mod erase;
pub mod error;
pub mod filter;
pub mod forecast;
pub mod format;
pub mod fsio;
pub mod ingest;
pub mod input;
pub mod manifest;
pub mod metric;
pub mod model;
pub mod online;
pub mod output;
pub mod periods;
pub mod points;
pub mod pq;
pub mod results;
pub mod suggest;
pub mod time;
pub mod windows;

pub mod analytics;
pub mod cold;
pub mod index;
pub mod indexing;
pub mod maintenance;
pub mod query;
pub mod segment;
pub mod simd;
pub mod wal;
pub mod warm;

pub use error::{Code, Error, Result};
