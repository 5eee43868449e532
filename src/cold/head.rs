//! The small record of a block that says what its codes are.

use crate::format::codec::{Decoder, Encoder, Malformed};
use crate::model::check_dim;
use crate::pq::{CHUNK_ROWS, Codec, ErrorStats};

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Head {
    /// How vectors are coded.
    pub codec: Codec,
    /// The codebook's file id; 0 for codecs without one.
    pub codebook: u64,
    /// Dimension.
    pub dim: usize,
    /// Rows.
    pub rows: usize,
    /// Relative errors of the reconstructions, measured against the originals before they went.
    pub errors: ErrorStats,
}

impl Head {
    /// As bytes of section `HEAD`.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        e.text(&self.codec.to_string()).u64(self.codebook).u32(self.dim as u32).u64(self.rows as u64);
        e.u32(CHUNK_ROWS as u32).u64(self.errors.rows);
        e.f64(self.errors.p50).f64(self.errors.p99).f64(self.errors.max);
        e.bytes
    }

    /// From bytes of section `HEAD`.
    pub fn decode(bytes: &[u8]) -> Result<Head, Malformed> {
        let mut d = Decoder::new(bytes);
        let codec = codec(&mut d)?;
        let (codebook, dim, rows) = (d.u64()?, d.u32()? as usize, d.u64()?);
        let chunk_rows = d.u32()?;
        let errors = ErrorStats { rows: d.u64()?, p50: d.f64()?, p99: d.f64()?, max: d.f64()? };
        d.end()?;
        let Ok(rows) = usize::try_from(rows) else {
            return d.malformed("more rows than this machine can count");
        };
        if check_dim(dim).is_err() || codec.check_dim(dim).is_err() || chunk_rows as usize != CHUNK_ROWS {
            return d.malformed("a block of unknown shape");
        }
        Ok(Head { codec, codebook, dim, rows, errors })
    }

    /// Number of chunks.
    pub fn chunks(&self) -> usize {
        self.rows.div_ceil(CHUNK_ROWS)
    }

    /// Rows of a chunk.
    pub fn chunk_rows(&self, chunk: usize) -> usize {
        CHUNK_ROWS.min(self.rows - chunk * CHUNK_ROWS)
    }
}

/// Reads the text of a codec.
pub fn codec(d: &mut Decoder<'_>) -> Result<Codec, Malformed> {
    match d.text()?.parse() {
        Ok(codec) => Ok(codec),
        Err(_) => d.malformed("an unknown codec"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_both_ways_and_every_cut_is_refused() {
        let errors = ErrorStats { rows: 9, p50: 0.1, p99: 0.2, max: 0.3 };
        let head = Head { codec: Codec::Opq { m: 64 }, codebook: 12, dim: 384, rows: 2049, errors };
        let bytes = head.encode();
        assert_eq!(Head::decode(&bytes), Ok(head));
        assert_eq!((head.chunks(), head.chunk_rows(0), head.chunk_rows(2)), (3, 1024, 1));
        assert!((0..bytes.len()).all(|n| Head::decode(&bytes[..n]).is_err()));
        assert!(Head::decode(&Head { dim: 63, ..head }.encode()).is_err());
    }
}
