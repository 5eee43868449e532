//! Warm partitions: Parquet files that any tool can open, one row a point.
//!
//! Owns `warm/bucket=HHHH/PERIOD.ID.parquet`. Rows are sorted by (entity, timestamp), each
//! pair once. Columns: `entity_id` u64, `entity` (with named entities), `timestamp`
//! (microseconds, UTC), `vector` (fixed-size list of f32), `metadata` (JSON text), `source`,
//! `model`, `seq` u64, `approx` bool, and `original_hash` (16 bytes): the hash of the content that
//! was ingested, for rows whose vector a lossy codec took. See `schema`.
//!
//! Parquet itself covers its bytes with no checksum here, so the file carries ours: the
//! footer's key `cvx.blocks` holds an XXH3-64 for each 64 KiB block, the manifest holds the
//! checksum of the footer, and a block is checked on its first touch. Other readers ignore
//! the key. See `seal`.

mod batch;
mod reader;
mod schema;
mod seal;
mod select;
mod sink;
mod source;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::{Scan, WarmFile};
pub use schema::{Columns, Expect};
pub use writer::WarmWriter;
