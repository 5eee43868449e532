//! Writes a segment front to back from rows in key order.

use super::delta::{self, Coding, Scratch};
use super::meta::MetaWriter;
use super::*;
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::format::codec::Encoder;
use crate::format::container::{ALIGN, Finished, Kind, PAGE, Seal, Writer};
use crate::fsio::TempFile;
use crate::model::{EntityId, Key, TimestampUs};
use crate::points::Origin;

/// What a segment is and how it codes vectors.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The dataset.
    pub dataset: DatasetId,
    /// The file's id.
    pub id: u64,
    /// Dimension.
    pub dim: usize,
    /// A whole vector at least every so many rows of a trajectory; 1 or less: all whole.
    pub keyframe_interval: u32,
    /// Largest error of a reconstructed value; 0 is lossless.
    pub tolerance: f64,
}

/// What was written: for the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Length and checksum.
    pub seal: Seal,
    /// Rows.
    pub rows: u64,
    /// Least and largest entity.
    pub entities: (EntityId, EntityId),
    /// Earliest and latest timestamp.
    pub times: (TimestampUs, TimestampUs),
    /// Least and largest sequence number.
    pub seqs: (u64, u64),
}

/// Takes rows in ascending key order, each key once.
#[derive(Debug)]
pub struct SegmentWriter {
    out: Writer,
    spec: Spec,
    deltas: Vec<u8>,
    places: Vec<u32>,
    whole: usize,
    since_whole: u32,
    scratch: Scratch,
    entities: Vec<EntityId>,
    runs: Vec<u32>,
    times: Vec<TimestampUs>,
    seqs: Vec<u64>,
    norms: Vec<f32>,
    origin: Vec<u32>,
    origins: Vec<Origin>,
    /// Rows that do not hold their original, and the hashes of these.
    altered: Vec<u32>,
    hashes: Vec<u128>,
    meta: MetaWriter,
}

impl SegmentWriter {
    /// Into a new temporary file.
    pub fn create(file: TempFile, spec: Spec) -> Result<SegmentWriter> {
        SegmentWriter::start(Writer::create(file, Kind::Segment, spec.dataset, spec.id)?, spec)
    }

    /// Into memory, e.g. for the rows of a live log.
    pub fn in_memory(spec: Spec) -> Result<SegmentWriter> {
        SegmentWriter::start(Writer::in_memory(Kind::Segment, spec.dataset, spec.id)?, spec)
    }

    fn start(mut out: Writer, spec: Spec) -> Result<SegmentWriter> {
        out.section(WHOLE, 4, PAGE)?;
        Ok(SegmentWriter {
            out,
            spec,
            deltas: Vec::new(),
            places: Vec::new(),
            whole: 0,
            since_whole: 0,
            scratch: Scratch::default(),
            entities: Vec::new(),
            runs: Vec::new(),
            times: Vec::new(),
            seqs: Vec::new(),
            norms: Vec::new(),
            origin: Vec::new(),
            origins: Vec::new(),
            altered: Vec::new(),
            hashes: Vec::new(),
            meta: MetaWriter::default(),
        })
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// Bytes of the file so far, about.
    pub fn size_bytes(&self) -> u64 {
        self.out.position() + self.deltas.len() as u64 + 24 * self.rows() as u64
    }

    /// Appends a row. `hash` is that of the original content when the vector went through a
    /// lossy segment before; otherwise it is computed here.
    pub fn push(
        &mut self,
        key: Key,
        vector: &[f32],
        meta: &str,
        origin: &Origin,
        seq: u64,
        hash: Option<u128>,
    ) -> Result<()> {
        let same_run = self.entities.last() == Some(&key.entity);
        let ordered = match self.entities.last() {
            None => true,
            Some(e) => *e < key.entity || (same_run && self.times.last() < Some(&key.t)),
        };
        if !ordered || vector.len() != self.spec.dim {
            return Err(Error::internal("rows reach a segment out of order or with another dimension"));
        }
        if !same_run {
            self.entities.push(key.entity);
            let row =
                u32::try_from(self.rows()).map_err(|_| Error::internal("too many rows for a segment"))?;
            self.runs.push(row);
        }
        self.put_vector(vector, same_run)?;
        let kept = self.scratch.rebuilt.iter().zip(vector).all(|(a, b)| a.to_bits() == b.to_bits());
        if hash.is_some() || !kept {
            self.altered.push(self.times.len() as u32);
            self.hashes.push(hash.unwrap_or_else(|| content_hash(vector, meta)));
        }
        self.times.push(key.t);
        self.seqs.push(seq);
        self.norms.push(inverse_norm(&self.scratch.rebuilt));
        let ordinal = match self.origins.iter().rposition(|o| o == origin) {
            Some(i) => i,
            None => {
                self.origins.push(origin.clone());
                self.origins.len() - 1
            }
        };
        self.origin.push(ordinal as u32);
        self.meta.push(meta);
        Ok(())
    }

    fn put_vector(&mut self, vector: &[f32], same_run: bool) -> Result<()> {
        let mut coding = Coding::Whole;
        let at = self.deltas.len();
        if same_run && self.since_whole + 1 < self.spec.keyframe_interval {
            let before = std::mem::take(&mut self.scratch.rebuilt);
            coding = delta::encode(&before, vector, self.spec.tolerance, &mut self.scratch, &mut self.deltas);
        }
        let place = match coding {
            Coding::Whole => delta::pack(coding, self.whole),
            _ => delta::pack(coding, at / 4),
        };
        self.places.push(place.ok_or_else(|| Error::internal("a segment has grown beyond 2 GiB of deltas"))?);
        if coding == Coding::Whole {
            self.out.write(bytemuck::cast_slice(vector))?;
            self.whole += 1;
            self.since_whole = 0;
            self.scratch.rebuilt.clear();
            self.scratch.rebuilt.extend_from_slice(vector);
        } else {
            self.since_whole += 1;
        }
        Ok(())
    }

    /// Writes the rest. The file keeps its temporary name until published.
    pub fn finish(mut self) -> Result<(Finished, Written)> {
        let rows = self.rows();
        let out = &mut self.out;
        if self.whole < rows {
            out.section(DELTAS, 1, ALIGN)?;
            out.write(&self.deltas)?;
            out.write_section(PLACES, &self.places)?;
        }
        out.write_section(ENTITIES, &self.entities)?;
        self.runs.push(rows as u32);
        out.write_section(RUNS, &self.runs)?;
        out.write_section(TIMES, &self.times)?;
        let seq_min = self.seqs.iter().copied().min().unwrap_or(0);
        let seq_max = self.seqs.iter().copied().max().unwrap_or(0);
        if u32::try_from(seq_max - seq_min).is_ok() {
            let relative: Vec<u32> = self.seqs.iter().map(|s| (s - seq_min) as u32).collect();
            out.write_section(SEQS, &relative)?;
        } else {
            out.write_section(SEQS, &self.seqs)?;
        }
        out.write_section(NORMS, &self.norms)?;
        if self.origins.len() > 1 {
            out.write_section(ORIGIN, &self.origin)?;
        }
        let mut e = Encoder::new();
        e.u32(self.origins.len() as u32);
        for o in &self.origins {
            e.text(&o.source).text(&o.model);
        }
        out.section(ORIGINS, 1, ALIGN)?;
        out.write(&e.bytes)?;
        if !self.altered.is_empty() {
            out.write_section(ALTERED, &self.altered)?;
            out.section(HASHES, 16, ALIGN)?;
            for h in &self.hashes {
                out.write(&h.to_le_bytes())?;
            }
        }
        let (table, data) = self.meta.finish();
        if !table.is_empty() {
            out.write_section(META_TABLE, &table)?;
            out.section(META_DATA, 1, ALIGN)?;
            out.write(&data)?;
        }
        let mut head = Encoder::new();
        head.u64(rows as u64).u64(seq_min).f64(self.spec.tolerance);
        head.u32(self.spec.dim as u32).u32(self.spec.keyframe_interval);
        out.section(HEAD, 1, ALIGN)?;
        out.write(&head.bytes)?;
        let written = Written {
            seal: Seal { len: 0, root: 0 },
            rows: rows as u64,
            entities: (
                self.entities.first().copied().unwrap_or(0),
                self.entities.last().copied().unwrap_or(0),
            ),
            times: (
                self.times.iter().copied().min().unwrap_or(0),
                self.times.iter().copied().max().unwrap_or(0),
            ),
            seqs: (seq_min, seq_max),
        };
        let (finished, seal) = self.out.finish()?;
        Ok((finished, Written { seal, ..written }))
    }
}

/// `1 / |x|`, 0 for a zero vector; computed in f64. Vectors so small that the result exceeds
/// f32 get infinity, by which a scan knows that f32 arithmetic does not serve them.
pub fn inverse_norm(x: &[f32]) -> f32 {
    let mut lanes = [0f64; 8];
    let chunks = x.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    for c in chunks {
        for (l, v) in lanes.iter_mut().zip(c) {
            *l += f64::from(*v) * f64::from(*v);
        }
    }
    let sum = rest + lanes.iter().sum::<f64>();
    if sum == 0.0 { 0.0 } else { (1.0 / sum.sqrt()) as f32 }
}
