//! cvx: temporal vectors, embeddings that change over time.
//!
//! The library behind the `cvx` program. ARCHITECTURE.md is the map; the modules
//! stand below in the order in which they may use each other.

pub mod cli;
pub mod commands;
pub mod config;
pub mod dataset;
pub mod dict;
pub mod error;
pub mod filter;
pub mod format;
pub mod fsio;
pub mod input;
pub mod manifest;
pub mod metric;
pub mod model;
pub mod output;
pub mod points;
pub mod pq;
pub mod results;
pub mod rows;
pub mod suggest;
pub mod text;
pub mod time;
pub mod watch;

pub mod analytics;
pub mod cold;
pub mod index;
pub mod maintenance;
pub mod query;
pub mod segment;
pub mod simd;
pub mod wal;
pub mod warm;

pub use error::{Code, Error, Result};
