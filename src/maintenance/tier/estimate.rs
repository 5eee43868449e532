//! How large blocks would be, measured on a sample before anything is moved.

use super::{Move, Policy, demote};
use crate::cold::BlockWriter;
use crate::dataset::{Part, Select, Snapshot};
use crate::error::Result;
use crate::pq::{Codec, Quantizer};
use std::sync::Arc;

/// Files that are looked at.
const FILES: usize = 3;
/// Rows of each.
const ROWS: u32 = 2048;

/// Bytes of a block: for itself, and for each row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Estimate {
    fixed: f64,
    row: f64,
    codebook: u64,
}

impl Estimate {
    /// Codes a sample of the files without loss and takes from it what a row takes beside its code.
    pub(super) fn measure(s: &Snapshot, policy: &Policy, moves: &[Move]) -> Result<Estimate> {
        let (dim, dataset) = (s.settings().dim, s.config().id);
        let quantizer = Arc::new(Quantizer::train(Codec::Zstd, dim, &[], policy.seed)?);
        let empty = BlockWriter::in_memory(dataset, 0, quantizer.clone(), 0)?.finish()?.1.seal.len as f64;
        let step = moves.len().div_ceil(FILES).max(1);
        let (mut rows, mut keys, mut codes) = (0.0, 0.0, 0.0);
        for m in moves.iter().step_by(step) {
            let Some(part) = s.part_of(m.file.id)? else { continue };
            let mut out = BlockWriter::in_memory(dataset, 0, quantizer.clone(), 0)?;
            rows += f64::from(push(&mut out, part)?);
            let written = out.finish()?.1;
            codes += written.code_bytes as f64;
            keys += written.seal.len as f64 - written.code_bytes as f64 - empty;
        }
        if rows == 0.0 {
            return Ok(Estimate::default());
        }
        let code = if policy.codec.is_lossless() { codes / rows } else { policy.codec.row_bytes(dim) };
        let codebook = match super::codebook::newest(s, policy)? {
            Some(_) => 0,
            None => codebook_bytes(policy.codec, dim),
        };
        Ok(Estimate { fixed: empty, row: keys / rows + code, codebook })
    }

    /// Puts the sizes into the moves.
    pub(super) fn fill(self, policy: &Policy, moves: &mut [Move]) {
        let mut codebook = self.codebook;
        for m in moves.iter_mut().filter(|m| m.points > 0) {
            let share = m.points as f64 / m.file.rows.max(1) as f64;
            m.bytes = if m.cut { (m.file.seal.len as f64 * share) as u64 } else { m.file.seal.len };
            let kept = if policy.keep_original { m.bytes } else { 0 };
            let block = if m.cut { 0.0 } else { self.fixed };
            m.bytes_after = (block + m.points as f64 * self.row) as u64 + kept + codebook;
            codebook = 0;
        }
    }
}

/// Writes the first living rows of a part; returns how many.
fn push(out: &mut BlockWriter, part: &Part) -> Result<u32> {
    let mut left = ROWS.min(part.rows() as u32);
    let mut done = 0;
    for (part, ranges) in Select::default().resolve_in(vec![part])?.parts {
        for range in ranges {
            let end = range.end.min(range.start + left);
            demote::push(out, part, range.start as usize..end as usize)?;
            (left, done) = (left - (end - range.start), done + end - range.start);
            if left == 0 {
                return Ok(done);
            }
        }
    }
    Ok(done)
}

/// Bytes of the centroids and rotations that a codec learns.
fn codebook_bytes(codec: Codec, dim: usize) -> u64 {
    let d = dim as u64;
    match codec {
        Codec::Pq { .. } => 1024 * d,
        Codec::Pq4 { .. } => 64 * d,
        Codec::Opq { .. } => 1024 * d + 4 * d * d,
        _ => 0,
    }
}

/// What the moves take now, and what they would take, in bytes.
pub fn totals(moves: &[Move]) -> (u64, u64) {
    moves.iter().fold((0, 0), |(a, b), m| (a + m.bytes, b + m.bytes_after))
}
