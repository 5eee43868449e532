//! Writes a cold block: codes as they come, chunk by chunk, then the columns of the keys.

use super::block::{ColdBlock, tags};
use super::head::Head;
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::format::codec::Encoder;
use crate::format::container::{ALIGN, Finished, Kind, PAGE, Seal, Writer};
use crate::fsio::TempFile;
use crate::model::Key;
use crate::points::{KeptPoints, Origin, Summary};
use crate::pq::{CHUNK_ROWS, ErrorStats, Piece, Quantizer, relative_errors};
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
    /// Errors that were measured when rows copied from another block were coded.
    copied: Option<ErrorStats>,
    summary: Summary,
    columns: Columns,
}

/// What a block keeps of a row beside its code.
struct RowKeys<'a> {
    key: Key,
    seq: u64,
    hash: u128,
    approx: bool,
    /// Norm and its inverse.
    norms: [f32; 2],
    meta: &'a str,
    origin: &'a Origin,
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
            copied: None,
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
            let (x, meta) = (points.row(i), points.meta.get(i));
            let norm = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            let inverse = if norm > 0.0 { 1.0 / norm } else { 0.0 };
            let origin = points.origins.get(points.origin[i] as usize).cloned().unwrap_or_default();
            self.push_keys(RowKeys {
                key: points.key(i),
                seq: seq[i],
                hash: original[i].unwrap_or_else(|| content_hash(x, meta)),
                approx: original[i].is_some(),
                norms: [norm as f32, inverse as f32],
                meta,
                origin: &origin,
            })?;
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
        self.pending.clear();
        self.write_chunk(&codes)
    }

    fn write_chunk(&mut self, codes: &[u8]) -> Result<()> {
        self.offsets.push(self.offsets[self.offsets.len() - 1] + codes.len() as u64);
        self.out.write(codes)
    }

    /// Copies rows of a lossy block of the same codebook, which are ascending, codes and all.
    pub fn copy(&mut self, from: &ColdBlock, rows: &[u32]) -> Result<()> {
        let norms = from.keys()?;
        self.copied = Some(from.head().errors);
        for group in rows.chunks(CHUNK_ROWS) {
            let (first, last) = (group[0] as usize, group[group.len() - 1] as usize);
            let kept = from.read(first..last + 1, None)?;
            for row in group.iter().map(|r| *r as usize) {
                let (i, points) = (row - first, &kept.points);
                self.push_keys(RowKeys {
                    key: points.key(i),
                    seq: kept.seq[i],
                    hash: kept.original[i]
                        .ok_or_else(|| Error::internal("codes of exact rows are copied"))?,
                    approx: true,
                    norms: [norms.norm[row], norms.inverse_norm[row]],
                    meta: points.meta.get(i),
                    origin: &points.origins[points.origin[i] as usize],
                })?;
            }
            let pieces = group.chunk_by(|a, b| *a as usize / CHUNK_ROWS == *b as usize / CHUNK_ROWS);
            let pieces = pieces.map(|rows| piece(from, rows)).collect::<Result<Vec<_>>>()?;
            let codes = self.quantizer.regroup(&pieces).map_err(|m| from.malformed(&m))?;
            self.write_chunk(&codes)?;
        }
        Ok(())
    }

    fn push_keys(&mut self, row: RowKeys<'_>) -> Result<()> {
        if !self.summary.add(row.key, row.seq) {
            return Err(Error::internal("rows of a cold block out of order"));
        }
        self.columns.push(row);
        Ok(())
    }

    /// Writes the keys. A file still has its temporary name and is not synced.
    pub fn finish(mut self) -> Result<(Finished, Written)> {
        self.flush()?;
        let code_bytes = self.offsets[self.offsets.len() - 1];
        let errors = self.copied.unwrap_or_else(|| ErrorStats::of(self.errors));
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

/// Some rows of one chunk of a block.
fn piece(from: &ColdBlock, rows: &[u32]) -> Result<Piece> {
    let first = rows[0] as usize / CHUNK_ROWS * CHUNK_ROWS;
    let which = rows.iter().map(|r| *r as usize - first).collect();
    let mut out = Piece { chunk: Vec::new(), rows: 0, which };
    from.each_chunk(first..first + 1, |_, rows, codes| {
        (out.rows, out.chunk) = (rows, codes.to_vec());
        Ok(())
    })?;
    Ok(out)
}

impl Columns {
    fn push(&mut self, row: RowKeys<'_>) {
        self.entity.push(row.key.entity);
        self.t.push(row.key.t);
        self.seq.push(row.seq);
        self.hash.push([row.hash as u64, (row.hash >> 64) as u64]);
        self.norm.push(row.norms[0]);
        self.inverse_norm.push(row.norms[1]);
        self.approx.push(u8::from(row.approx));
        self.meta.extend_from_slice(row.meta.as_bytes());
        self.meta_ends.push(self.meta.len() as u64);
        let next = self.origins.len() as u32;
        let known = self.known.get(row.origin).copied();
        self.origin.push(known.unwrap_or_else(|| {
            self.origins.push(row.origin.clone());
            self.known.insert(row.origin.clone(), next);
            next
        }));
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
