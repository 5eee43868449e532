//! Hot segments: immutable points sorted by (entity, time), delta-coded, mapped.
//!
//! Owns `hot/NNNNNNNNNN.seg`, a container of kind `Segment`. Vectors that are stored whole
//! lie contiguous and page-aligned, so a scan runs over the map itself; a segment in which no
//! delta paid off is exactly the n x D matrix. Everything else is small and checked on open.
//! FORMAT.md lists the sections.

mod delta;
mod meta;
mod reader;
mod verify;
mod writer;

pub use reader::Segment;
pub use writer::{SegmentWriter, Spec, Written, inverse_norm};

use crate::format::container::Tag;

/// Fixed numbers: rows, dim, keyframe interval, tolerance, least sequence number.
const HEAD: Tag = *b"HEAD";
/// u64 a run: entity ids, ascending.
const ENTITIES: Tag = *b"ENTS";
/// u32 a run and one more: first row of each run.
const RUNS: Tag = *b"RUNS";
/// i64 a row: timestamps, ascending within a run.
const TIMES: Tag = *b"TIME";
/// u64 a row: sequence numbers, or u32 relative to the least one.
const SEQS: Tag = *b"SEQS";
/// f32 a row: 1 / |x|, 0 for a zero vector.
const NORMS: Tag = *b"NORM";
/// u32 a row: ordinal of its origin; absent when there is one origin.
const ORIGIN: Tag = *b"ORIG";
/// The origins, each a source and a model text.
const ORIGINS: Tag = *b"ORGS";
/// u128 a row of [`ALTERED`]: hash of its original vector and metadata.
const HASHES: Tag = *b"HASH";
/// u32, ascending: the rows that do not hold their original, bit for bit; absent when none.
const ALTERED: Tag = *b"ALTR";
/// u32 a row: encoding and place of its vector; absent when all are whole.
const PLACES: Tag = *b"LOCS";
/// f32: whole vectors, in row order.
const WHOLE: Tag = *b"RAWV";
/// Deltas, each aligned to 4 bytes.
const DELTAS: Tag = *b"DELT";
/// Metadata blocks: first row, raw length, offset, length.
const META_TABLE: Tag = *b"MBLK";
/// Metadata texts, zstd a block.
const META_DATA: Tag = *b"MDAT";

/// 128-bit hash of a point's content, by which the same row is known again.
pub fn content_hash(vector: &[f32], meta: &str) -> u128 {
    let mut h = crate::format::checksum::Hasher128::new();
    h.update(bytemuck::cast_slice(vector));
    h.update(meta.as_bytes());
    h.finish()
}

#[cfg(test)]
mod tests;
