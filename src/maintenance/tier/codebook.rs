//! Which codebook a file is coded with: the newest one while it fits, else one trained anew.

use super::Policy;
use crate::dataset::{Part, Snapshot};
use crate::error::Result;
use crate::manifest::{FileKind, Placement};
use crate::model::VectorSource;
use crate::pq::{Drift, Quantizer};
use std::sync::Arc;

/// Rows that are read together for a sample.
const RUN_ROWS: usize = 128;
/// Rows of a sample for training.
const TRAINING_ROWS: usize = 65_536;
/// Vectors of a sample, in bytes.
const TRAINING_BYTES: usize = 128 << 20;
/// Rows of a sample to measure drift on.
const DRIFT_ROWS: usize = 2048;

/// A codec with what it learnt.
#[derive(Debug, Clone)]
pub(super) struct Codebook {
    pub(super) quantizer: Arc<Quantizer>,
    /// Its file id; 0 for codecs without one.
    pub(super) id: u64,
    /// True when no version names it yet.
    pub(super) fresh: bool,
}

/// The newest codebook of the policy's codec at its target.
pub(super) fn newest(s: &Snapshot, policy: &Policy) -> Result<Option<Codebook>> {
    let m = s.manifest();
    if !policy.codec.is_trained() {
        let quantizer = Quantizer::train(policy.codec, s.settings().dim, &[], policy.seed)?;
        return Ok(Some(Codebook { quantizer: Arc::new(quantizer), id: 0, fresh: false }));
    }
    let text = policy.codec.to_string();
    let at_target = |p: &Placement| match (p.store as usize).checked_sub(1) {
        None => policy.target.is_none(),
        Some(i) => m.stores.get(i) == policy.target.as_ref(),
    };
    let fits = |p: &&Placement| p.codec == text && at_target(p);
    let ids = m.of(FileKind::Codebook).filter_map(|f| m.placement(f.id)).filter(fits).map(|p| p.id);
    let Some(id) = ids.max() else { return Ok(None) };
    Ok(Some(Codebook { quantizer: s.quantizer(&text, id)?, id, fresh: false }))
}

/// How a codebook's error on a part compares with that when it was trained.
pub(super) fn drift(codebook: &Codebook, part: &Part, seed: u64) -> Result<Drift> {
    codebook.quantizer.drift(&sample(&[part], DRIFT_ROWS, seed)?)
}

/// Learns from a sample of the parts.
pub(super) fn train(parts: &[&Part], policy: &Policy, dim: usize) -> Result<Quantizer> {
    let rows = TRAINING_ROWS.min(TRAINING_BYTES / (4 * dim));
    Quantizer::train(policy.codec, dim, &sample(parts, rows, policy.seed)?, policy.seed)
}

/// About `rows` live rows of the parts: seeded runs, spread evenly.
fn sample(parts: &[&Part], rows: usize, seed: u64) -> Result<Vec<f32>> {
    let total: usize = parts.iter().map(|p| p.rows()).sum();
    let (mut out, mut buffer) = (Vec::new(), Vec::new());
    let runs = rows.div_ceil(RUN_ROWS).max(1);
    let stride = (total / runs).max(RUN_ROWS);
    // A run lies anywhere within its stride.
    let mut state = seed ^ 0x5eed_c0de;
    let mut roll = |n: usize| {
        state = crate::dataset::entity_hash(state);
        (state % n.max(1) as u64) as usize
    };
    for part in parts {
        let mut start = 0;
        while start < part.rows() {
            let at = (start + roll(stride - RUN_ROWS + 1)).min(part.rows());
            let mut ranges = Vec::new();
            part.live_ranges(at..(at + RUN_ROWS).min(part.rows()), &mut ranges);
            for r in ranges {
                out.extend_from_slice(part.vectors(r.start as usize..r.end as usize, &mut buffer)?);
            }
            start += stride;
        }
    }
    Ok(out)
}
