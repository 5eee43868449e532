//! Writes a cold block: codes as they come, chunk by chunk, then the columns of the keys.

use super::block::tags;
use super::head::Head;
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::format::codec::Encoder;
use crate::format::container::{ALIGN, Finished, Kind, PAGE, Seal, Writer};
use crate::fsio::TempFile;
use crate::points::{KeptPoints, Origin, Points, Summary};
use crate::pq::{CHUNK_ROWS, ErrorStats, Quantizer, relative_errors};
use crate::segment::content_hash;
use std::collections::HashMap;
use std::sync::Arc;

/// A finished block.
#[derive(Debug)]
pub struct Written {
    /// Length and root checksum.
    pub seal: Seal,
    /// Its rows.
    pub summary: Summary,
    /// Relative errors of the reconstructions against the originals.
    pub errors: ErrorStats,
    /// Bytes of the codes alone.
    pub code_bytes: u64,
}

/// A block being written. Codes go out chunk by chunk; memory is the keys, some 80 bytes a
/// row and the metadata.
#[derive(Debug)]
pub struct BlockWriter {
    out: Writer,
    quantizer: Arc<Quantizer>,
    codebook: u64,
    /// Vectors of the chunk not yet full.
    pending: Vec<f32>,
    /// Where the chunks begin in section `CODE`, and where the last one ends.
    offsets: Vec<u64>,
    errors: Vec<f64>,
    summary: Summary,
    columns: Columns,
}

#[derive(Debug, Default)]
struct Columns {
    entity: Vec<u64>,
    t: Vec<i64>,
    seq: Vec<u64>,
    hash: Vec<[u64; 2]>,
    norm: Vec<f32>,
    inverse_norm: Vec<f32>,
    approx: Vec<u8>,
    origin: Vec<u32>,
    meta_ends: Vec<u64>,
    meta: Vec<u8>,
    origins: Vec<Origin>,
    known: HashMap<Origin, u32>,
}

impl BlockWriter {
    /// Starts a block in a temporary file; `codebook` is the file id of the quantizer's
    /// codebook, 0 when its codec has none.
    pub fn create(
        file: TempFile,
        dataset: DatasetId,
        id: u64,
        quantizer: Arc<Quantizer>,
        codebook: u64,
    ) -> Result<BlockWriter> {
        BlockWriter::start(Writer::create(file, Kind::ColdBlock, dataset, id)?, quantizer, codebook)
    }

    /// Starts a block in memory.
    pub fn in_memory(
        dataset: DatasetId,
        id: u64,
        quantizer: Arc<Quantizer>,
        codebook: u64,
    ) -> Result<BlockWriter> {
        BlockWriter::start(Writer::in_memory(Kind::ColdBlock, dataset, id)?, quantizer, codebook)
    }

    fn start(mut out: Writer, quantizer: Arc<Quantizer>, codebook: u64) -> Result<BlockWriter> {
        out.section(tags::CODES, 1, PAGE)?;
        Ok(BlockWriter {
            out,
            quantizer,
            codebook,
            pending: Vec::new(),
            offsets: vec![0],
            errors: Vec::new(),
            summary: Summary::default(),
            columns: Columns::default(),
        })
    }

    /// Appends rows, whose keys follow all before.
    pub fn push(&mut self, rows: &KeptPoints) -> Result<()> {
        let KeptPoints { points, seq, original } = rows;
        let n = points.len();
        if points.dim != self.quantizer.dim() || [seq.len(), original.len()] != [n; 2] {
            return Err(Error::internal("columns of a cold block of different lengths"));
        }
        for i in 0..n {
            if !self.summary.add(points.key(i), seq[i]) {
                return Err(Error::internal("rows of a cold block out of order"));
            }
            self.columns.push(points, i, seq[i], original[i]);
            self.pending.extend_from_slice(points.row(i));
            if self.pending.len() == CHUNK_ROWS * points.dim {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Codes the pending chunk, decodes it again, and measures the error.
    fn flush(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let rows = self.pending.len() / self.quantizer.dim();
        let codes = self.quantizer.encode(&self.pending)?;
        let mut back = Vec::with_capacity(self.pending.len());
        self.quantizer
            .decode(&codes, rows, 0..rows, &mut back)
            .map_err(|m| Error::internal(format!("codes just made: {m}")))?;
        self.errors.extend(relative_errors(&self.pending, &back, self.quantizer.dim()));
        self.out.write(&codes)?;
        self.offsets.push(self.offsets[self.offsets.len() - 1] + codes.len() as u64);
        self.pending.clear();
        Ok(())
    }

    /// Writes the keys. A file still has its temporary name and is not synced.
    pub fn finish(mut self) -> Result<(Finished, Written)> {
        self.flush()?;
        let code_bytes = self.offsets[self.offsets.len() - 1];
        let errors = ErrorStats::of(self.errors);
        let head = Head {
            codec: self.quantizer.codec(),
            codebook: self.codebook,
            dim: self.quantizer.dim(),
            rows: self.columns.entity.len(),
            errors,
        };
        self.out.write_section(tags::OFFSETS, &self.offsets)?;
        self.columns.write(&mut self.out)?;
        self.out.section(tags::HEAD, 1, ALIGN)?;
        self.out.write(&head.encode())?;
        let (finished, seal) = self.out.finish()?;
        Ok((finished, Written { seal, summary: self.summary, errors, code_bytes }))
    }
}

impl Columns {
    fn push(&mut self, points: &Points, i: usize, seq: u64, original: Option<u128>) {
        self.entity.push(points.entity[i]);
        self.t.push(points.t[i]);
        self.seq.push(seq);
        let hash = original.unwrap_or_else(|| content_hash(points.row(i), points.meta.get(i)));
        self.hash.push([hash as u64, (hash >> 64) as u64]);
        let norm = points.row(i).iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        self.norm.push(norm as f32);
        self.inverse_norm.push(if norm > 0.0 { (1.0 / norm) as f32 } else { 0.0 });
        self.approx.push(u8::from(original.is_some()));
        self.meta.extend_from_slice(points.meta.get(i).as_bytes());
        self.meta_ends.push(self.meta.len() as u64);
        let origin = points.origins.get(points.origin[i] as usize).cloned().unwrap_or_default();
        let next = self.origins.len() as u32;
        let ordinal = *self.known.entry(origin).or_insert_with_key(|origin| {
            self.origins.push(origin.clone());
            next
        });
        self.origin.push(ordinal);
    }

    fn write(&self, out: &mut Writer) -> Result<()> {
        out.write_section(tags::ENTITIES, &self.entity)?;
        out.write_section(tags::TIMES, &self.t)?;
        out.write_section(tags::SEQS, &self.seq)?;
        out.write_section(tags::HASHES, &self.hash)?;
        out.write_section(tags::NORMS, &self.norm)?;
        out.write_section(tags::INVERSE_NORMS, &self.inverse_norm)?;
        out.write_section(tags::APPROX, &self.approx)?;
        out.write_section(tags::ORIGIN, &self.origin)?;
        out.write_section(tags::META_ENDS, &self.meta_ends)?;
        out.write_section(tags::META, &self.meta)?;
        let mut e = Encoder::new();
        e.u32(self.origins.len() as u32);
        for o in &self.origins {
            e.text(&o.source).text(&o.model);
        }
        out.section(tags::ORIGINS, 1, ALIGN)?;
        out.write(&e.bytes)
    }
}
