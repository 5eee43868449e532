//! One file a command: its arguments, and `run`.

pub mod backup;
pub mod changepoints;
pub mod compact;
pub mod completions;
pub mod config;
pub mod delete;
pub mod drift;
pub mod erase;
pub mod export;
pub mod index;
pub mod info;
pub mod ingest;
pub mod init;
pub mod man;
pub mod merge;
pub mod predict;
pub mod query;
pub mod results;
pub mod schema;
pub mod tier;
pub mod velocity;
pub mod verify;
