//! Codebook files: what a codec learnt, stored once and named by the blocks that need it.
//!
//! Sections: `HEAD` (codec text, dimension u32, centroids a part u32, seed u64, training
//! error f64, shrinkage f64), `CENT` (f32: centroids of all parts, or the mean), `ROTA`
//! (f32, dimension², row-major; only OPQ). Written whole, read whole, never changed.

use super::head::codec;
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::format::codec::{Decoder, Encoder, Malformed};
use crate::format::container::{ALIGN, Container, Expect, Finished, Kind, Seal, Writer};
use crate::fsio::Bytes;
use crate::pq::{Parts, Quantizer};
use std::path::Path;

const HEAD: [u8; 4] = *b"HEAD";
const CENTROIDS: [u8; 4] = *b"CENT";
const ROTATION: [u8; 4] = *b"ROTA";

/// The file of a trained codec; `id` is its file id.
pub fn write_codebook(quantizer: &Quantizer, dataset: DatasetId, id: u64) -> Result<(Vec<u8>, Seal)> {
    let parts = quantizer.parts();
    let mut e = Encoder::new();
    e.text(&parts.codec.to_string()).u32(parts.dim as u32).u32(parts.k as u32).u64(parts.seed);
    e.f64(parts.trained_error).f64(f64::from(parts.shrink));
    let mut w = Writer::in_memory(Kind::Codebook, dataset, id)?;
    w.section(HEAD, 1, ALIGN)?;
    w.write(&e.bytes)?;
    w.write_section(CENTROIDS, &parts.centroids)?;
    w.write_section(ROTATION, &parts.rotation)?;
    match w.finish()? {
        (Finished::Memory(bytes), seal) => Ok((bytes, seal)),
        (Finished::File(_), _) => Err(Error::internal("a codebook in memory went to a file")),
    }
}

/// The trained codec of a file; `path` names it in errors.
pub fn read_codebook(path: &Path, bytes: &[u8], expect: &Expect) -> Result<Quantizer> {
    let c = Container::from_bytes(path, Bytes::from_vec(bytes), expect)?;
    let mut parts = head(c.all::<u8>(HEAD)?).map_err(|m| c.damaged(m.to_string()))?;
    parts.centroids = c.all::<f32>(CENTROIDS)?.to_vec();
    parts.rotation = c.all::<f32>(ROTATION)?.to_vec();
    Quantizer::from_parts(parts).map_err(|m| c.damaged(m.what))
}

fn head(bytes: &[u8]) -> Result<Parts, Malformed> {
    let mut d = Decoder::new(bytes);
    let parts = Parts {
        codec: codec(&mut d)?,
        dim: d.u32()? as usize,
        k: d.u32()? as usize,
        seed: d.u64()?,
        trained_error: d.f64()?,
        shrink: d.f64()? as f32,
        centroids: Vec::new(),
        rotation: Vec::new(),
    };
    d.end()?;
    Ok(parts)
}
