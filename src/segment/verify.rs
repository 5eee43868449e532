//! Reads everything in a segment and holds it against what must be true.

use super::writer::inverse_norm;
use super::{Segment, content_hash};
use crate::error::Result;
use crate::model::VectorSource;

/// Rows decoded at a time.
const CHUNK: usize = 1024;

impl Segment {
    /// Checks every checksum and the order of keys: what a writer asks of a file before it is
    /// named in a manifest.
    pub fn check_written(&self) -> Result<()> {
        let c = self.container();
        c.check_all()?;
        for run in 0..self.entities().len() {
            let rows = self.run(run);
            let start = rows.start;
            if let Some(i) = self.times()[rows].windows(2).position(|w| w[0] >= w[1]) {
                return Err(c.damaged("timestamps are not in order").row((start + i + 2) as u64));
            }
        }
        Ok(())
    }

    /// Checks every checksum, the order of keys, and that every vector and metadata text
    /// decodes to finite values, the stored norm and the stored hash.
    pub fn verify(&self) -> Result<()> {
        let c = self.container();
        self.check_written()?;
        let mut buffer = Vec::new();
        for start in (0..self.rows()).step_by(CHUNK) {
            let rows = start..(start + CHUNK).min(self.rows());
            let norms = self.stored_inverse_norms(rows.clone())?;
            let x = self.vectors(rows.clone(), &mut buffer)?;
            self.metas(rows.clone(), &mut |row, text| {
                if text.is_empty() || text.starts_with('{') {
                    return Ok(());
                }
                Err(c.damaged("metadata is not a JSON object").row(row as u64 + 1))
            })?;
            for (i, vector) in x.chunks_exact(self.dim()).enumerate() {
                if vector.iter().any(|v| !v.is_finite())
                    || inverse_norm(vector).to_bits() != norms[i].to_bits()
                {
                    return Err(c
                        .damaged("a vector does not have its stored norm")
                        .row((start + i + 1) as u64));
                }
            }
        }
        Ok(())
    }

    /// True when a row is the point with this content: bit for bit, or by the hash of the
    /// original where vectors are stored within a tolerance.
    pub fn same_content(
        &self,
        row: usize,
        vector: &[f32],
        meta: &str,
        buffer: &mut Vec<f32>,
    ) -> Result<bool> {
        if let Some(hash) = self.original_hash(row)? {
            return Ok(hash == content_hash(vector, meta));
        }
        let stored = self.vectors(row..row + 1, buffer)?;
        let equal = stored.iter().zip(vector).all(|(a, b)| a.to_bits() == b.to_bits());
        Ok(equal && self.meta(row)? == meta)
    }
}
