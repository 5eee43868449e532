//! One file a command: its arguments, and `run`.

pub mod completions;
pub mod config;
pub mod man;
pub mod schema;
