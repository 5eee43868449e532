//! A codec together with what it learnt: trains, encodes, decodes, and answers queries.

use super::codec::Codec;
use super::drift::{Drift, relative_square_error};
use super::fastscan::{self, ByteTables, Piece};
use super::opq::{self, Rotation};
use super::product::{Product, Tables};
use super::rabitq::{self, Rabitq};
use super::random::Draws;
use super::{lossless, scalar};
use crate::error::{Error, Result};
use crate::format::codec::Malformed;
use std::ops::Range;

/// Rows of a chunk; only the last one of a block has fewer.
pub const CHUNK_ROWS: usize = 1024;
/// Lloyd's iterations of a codebook.
const ITERATIONS: usize = 15;
/// Rows of a sample kept from training, one in ten and at most so many: on them the error of a
/// fresh codebook is measured, since on rows that it has seen it looks better than it is.
const HELD_OUT_ROWS: usize = 4096;

/// A trained codec.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantizer {
    codec: Codec,
    dim: usize,
    trained_error: f64,
    learnt: Learnt,
}

#[derive(Debug, Clone, PartialEq)]
enum Learnt {
    Nothing,
    Product(Product),
    Rotated(Rotation, Product),
    Rabitq(Rabitq),
}

/// A quantizer as plain values, for storing.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// The codec.
    pub codec: Codec,
    /// Dimension.
    pub dim: usize,
    /// Centroids of each part; 0 for codecs without centroids.
    pub k: usize,
    /// Seed of the random rotation (RaBitQ).
    pub seed: u64,
    /// Relative squared error on rows of the sample that were not trained on.
    pub trained_error: f64,
    /// Shrinkage of reconstructions (RaBitQ).
    pub shrink: f32,
    /// Centroids of all parts one after the other, or the mean (RaBitQ).
    pub centroids: Vec<f32>,
    /// The learnt rotation, `dim * dim` row-major (OPQ).
    pub rotation: Vec<f32>,
}

/// A query, prepared for scanning chunks of one quantizer.
#[derive(Debug)]
pub struct Query<'a> {
    quantizer: &'a Quantizer,
    q: Vec<f32>,
    prepared: Prepared,
}

#[derive(Debug)]
enum Prepared {
    Decode,
    Bytes(Tables),
    Halves { dots: ByteTables, norms2: ByteTables },
    Rabitq(rabitq::Prepared),
}

impl Quantizer {
    /// Learns from a sample (row-major, `dim` values a row, best a random one of some 32,768
    /// rows). The same sample and seed give the same codebook. A codec that is trained needs
    /// at least one row.
    pub fn train(codec: Codec, dim: usize, sample: &[f32], seed: u64) -> Result<Quantizer> {
        codec.check_dim(dim)?;
        let mut this = Quantizer { codec, dim, trained_error: 0.0, learnt: Learnt::Nothing };
        if !codec.is_trained() {
            return Ok(this);
        }
        if sample.len() < dim {
            return Err(Error::usage(format!("codec {codec} has no points to learn from")));
        }
        let all = shuffled(sample, dim, seed);
        let held_out = (all.len() / dim / 10).min(HELD_OUT_ROWS);
        let (unseen, x) = all.split_at(held_out * dim);
        this.learnt = match codec {
            Codec::Pq { m } => Learnt::Product(Product::train(x, dim, m.into(), 256, ITERATIONS, seed)),
            Codec::Pq4 { m } => Learnt::Product(Product::train(x, dim, m.into(), 16, ITERATIONS, seed)),
            Codec::Opq { m } => {
                let (r, p) = opq::train(x, dim, m.into(), 256, ITERATIONS, seed);
                Learnt::Rotated(r, p)
            }
            Codec::Rabitq { bits } => Learnt::Rabitq(Rabitq::train(x, dim, bits, seed)),
            Codec::Sq8 | Codec::F16 | Codec::Zstd => Learnt::Nothing,
        };
        this.trained_error = this.error(if unseen.is_empty() { x } else { unseen })?;
        Ok(this)
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Dimension.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Relative squared error on rows.
    fn error(&self, x: &[f32]) -> Result<f64> {
        Ok(relative_square_error(x, &self.reconstruct(x)?))
    }

    /// Encodes and decodes rows of any number.
    pub fn reconstruct(&self, x: &[f32]) -> Result<Vec<f32>> {
        let mut out = Vec::with_capacity(x.len());
        for chunk in x.chunks(CHUNK_ROWS * self.dim) {
            let rows = chunk.len() / self.dim;
            let code = self.encode(chunk)?;
            self.decode(&code, rows, 0..rows, &mut out).map_err(|m| Error::internal(m.to_string()))?;
        }
        Ok(out)
    }

    /// How its error on new rows compares with that when it was trained.
    pub fn drift(&self, x: &[f32]) -> Result<Drift> {
        Ok(Drift { trained: self.trained_error, now: self.error(x)? })
    }

    /// Bytes of a chunk of `rows` rows; `None` for a codec whose size depends on the data.
    pub fn chunk_len(&self, rows: usize) -> Option<usize> {
        let dim = self.dim;
        Some(match (&self.codec, &self.learnt) {
            (Codec::Pq4 { m }, _) => rows.div_ceil(fastscan::GROUP) * fastscan::group_bytes(usize::from(*m)),
            (_, Learnt::Product(p) | Learnt::Rotated(_, p)) => rows * p.m(),
            (_, Learnt::Rabitq(r)) => r.chunk_len(rows),
            (Codec::Sq8, _) => rows * scalar::sq8_row(dim),
            (Codec::F16, _) => rows * scalar::f16_row(dim),
            _ => return None,
        })
    }

    /// Codes a chunk of at most [`CHUNK_ROWS`] rows.
    pub fn encode(&self, x: &[f32]) -> Result<Vec<u8>> {
        debug_assert!(x.len() <= CHUNK_ROWS * self.dim && x.len() % self.dim == 0);
        let rows = x.chunks_exact(self.dim);
        let mut out = Vec::new();
        match (&self.codec, &self.learnt) {
            (Codec::Pq4 { m }, Learnt::Product(p)) => out = fastscan::pack(&p.encode(x), usize::from(*m)),
            (_, Learnt::Product(p)) => out = p.encode(x),
            (_, Learnt::Rotated(r, p)) => out = p.encode(&r.apply(x)),
            (_, Learnt::Rabitq(r)) => out = r.encode(x),
            (Codec::Sq8, _) => rows.for_each(|x| scalar::sq8_encode(x, &mut out)),
            (Codec::F16, _) => rows.for_each(|x| scalar::f16_encode(x, &mut out)),
            _ => out = lossless::encode(x).map_err(|e| Error::internal(format!("zstd: {e}")))?,
        }
        Ok(out)
    }

    /// Checks the length of a chunk that was read.
    fn check(&self, chunk: &[u8], rows: usize) -> Result<(), Malformed> {
        match self.chunk_len(rows) {
            Some(len) if len != chunk.len() => Err(Malformed {
                at: 0,
                what: format!("{} bytes of codes for {rows} rows, {len} are expected", chunk.len()),
            }),
            _ => Ok(()),
        }
    }

    /// The codes of some rows of several chunks as one chunk, as they are. Together they are at
    /// most [`CHUNK_ROWS`]. A codec without loss has no codes of single rows.
    pub fn regroup(&self, pieces: &[Piece]) -> Result<Vec<u8>, Malformed> {
        for p in pieces {
            self.check(&p.chunk, p.rows)?;
        }
        let rows = || pieces.iter().flat_map(|p| p.which.iter().map(move |row| (p, *row)));
        let plain =
            |len: usize| rows().flat_map(move |(p, row)| p.chunk[row * len..(row + 1) * len].to_vec());
        Ok(match (&self.codec, &self.learnt) {
            (Codec::Pq4 { m }, _) => {
                let m = usize::from(*m);
                let codes = rows().flat_map(|(p, row)| fastscan::unpack_row(&p.chunk, m, row));
                fastscan::pack(&codes.collect::<Vec<_>>(), m)
            }
            (_, Learnt::Product(p) | Learnt::Rotated(_, p)) => plain(p.m()).collect(),
            (_, Learnt::Rabitq(r)) => r.regroup(pieces),
            (Codec::Sq8, _) => plain(scalar::sq8_row(self.dim)).collect(),
            (Codec::F16, _) => plain(scalar::f16_row(self.dim)).collect(),
            _ => return Err(Malformed { at: 0, what: format!("codec {} codes no single rows", self.codec) }),
        })
    }

    /// Appends the reconstructions of some rows of a chunk of `rows` rows. `which` lies inside.
    pub fn decode(
        &self,
        chunk: &[u8],
        rows: usize,
        which: Range<usize>,
        out: &mut Vec<f32>,
    ) -> Result<(), Malformed> {
        self.check(chunk, rows)?;
        let dim = self.dim;
        match (&self.codec, &self.learnt) {
            (Codec::Sq8, _) => {
                let row = scalar::sq8_row(dim);
                which.for_each(|i| scalar::sq8_decode(&chunk[i * row..(i + 1) * row], out));
            }
            (Codec::F16, _) => {
                let row = scalar::f16_row(dim);
                which.for_each(|i| scalar::f16_decode(&chunk[i * row..(i + 1) * row], out));
            }
            (_, Learnt::Rabitq(r)) => which.for_each(|i| r.decode_row(chunk, rows, i, out)),
            (_, Learnt::Product(p)) => self.decode_product(p, chunk, which, out)?,
            (_, Learnt::Rotated(r, p)) => {
                let mut y = Vec::new();
                self.decode_product(p, chunk, which, &mut y)?;
                out.extend_from_slice(&r.undo(&y));
            }
            _ => {
                let all = lossless::decode(chunk, rows * dim)?;
                out.extend_from_slice(&all[which.start * dim..which.end * dim]);
            }
        }
        Ok(())
    }

    fn decode_product(
        &self,
        p: &Product,
        chunk: &[u8],
        which: Range<usize>,
        out: &mut Vec<f32>,
    ) -> Result<(), Malformed> {
        let m = p.m();
        for i in which {
            let done = match self.codec {
                Codec::Pq4 { .. } => p.decode_row(fastscan::unpack_row(chunk, m, i), out),
                _ => p.decode_row(chunk[i * m..(i + 1) * m].iter().copied(), out),
            };
            if done.is_none() {
                return Err(Malformed { at: i * m, what: "a code without centroid".into() });
            }
        }
        Ok(())
    }

    /// Prepares a query of `dim` values.
    pub fn query(&self, q: &[f32]) -> Query<'_> {
        let prepared = match &self.learnt {
            Learnt::Nothing => Prepared::Decode,
            Learnt::Rabitq(r) => Prepared::Rabitq(r.prepare(q)),
            Learnt::Product(p) if matches!(self.codec, Codec::Pq4 { .. }) => halves(&p.tables(q)),
            Learnt::Product(p) => Prepared::Bytes(p.tables(q)),
            Learnt::Rotated(r, p) => Prepared::Bytes(p.tables(&r.apply(q))),
        };
        Query { quantizer: self, q: q.to_vec(), prepared }
    }

    /// As plain values.
    pub fn parts(&self) -> Parts {
        let mut parts = Parts {
            codec: self.codec,
            dim: self.dim,
            k: 0,
            seed: 0,
            trained_error: self.trained_error,
            shrink: 1.0,
            centroids: Vec::new(),
            rotation: Vec::new(),
        };
        match &self.learnt {
            Learnt::Nothing => {}
            Learnt::Product(p) => (parts.k, parts.centroids) = (p.k(), p.rows()),
            Learnt::Rotated(r, p) => {
                (parts.k, parts.centroids) = (p.k(), p.rows());
                parts.rotation = r.rows().to_vec();
            }
            Learnt::Rabitq(r) => {
                (parts.seed, parts.shrink, parts.centroids) = (r.seed(), r.shrink(), r.mean().to_vec());
            }
        }
        parts
    }

    /// From plain values, which are checked.
    pub fn from_parts(parts: Parts) -> Result<Quantizer, Malformed> {
        let bad = |what: &str| Malformed { at: 0, what: what.into() };
        let dim = parts.dim;
        if crate::model::check_dim(dim).is_err() || parts.codec.check_dim(dim).is_err() {
            return Err(bad("a codebook whose dimension does not go with its codec"));
        }
        let finite =
            parts.centroids.iter().chain(&parts.rotation).chain([&parts.shrink]).all(|v| v.is_finite());
        if !finite || !parts.trained_error.is_finite() {
            return Err(bad("a codebook holds a value that is not finite"));
        }
        let product = |m: u16, k: usize| {
            Product::from_rows(dim, m.into(), parts.k, &parts.centroids)
                .filter(|p| p.k() <= k)
                .ok_or_else(|| bad("a codebook has another size than its codec needs"))
        };
        let learnt = match parts.codec {
            Codec::Pq { m } => Learnt::Product(product(m, 256)?),
            Codec::Pq4 { m } => Learnt::Product(product(m, 16)?),
            Codec::Opq { m } => {
                let p = product(m, 256)?;
                let r = Rotation::new(dim, parts.rotation).ok_or_else(|| bad("a rotation that is none"))?;
                Learnt::Rotated(r, p)
            }
            Codec::Rabitq { bits } if parts.centroids.len() == dim => {
                Learnt::Rabitq(Rabitq::new(bits, parts.seed, parts.centroids, parts.shrink))
            }
            Codec::Rabitq { .. } => return Err(bad("a mean of another dimension")),
            Codec::Sq8 | Codec::F16 | Codec::Zstd => Learnt::Nothing,
        };
        Ok(Quantizer { codec: parts.codec, dim, trained_error: parts.trained_error, learnt })
    }
}

/// Four-bit tables of inner products and of norms.
fn halves(tables: &Tables) -> Prepared {
    let side = |which: usize| -> Vec<[f32; 16]> {
        tables.parts().iter().map(|t| std::array::from_fn(|c| t[c][which])).collect()
    };
    Prepared::Halves { dots: ByteTables::new(&side(0)), norms2: ByteTables::new(&side(1)) }
}

/// The rows in a seeded random order, so that no part of training meets them sorted.
fn shuffled(x: &[f32], dim: usize, seed: u64) -> Vec<f32> {
    let mut order: Vec<usize> = (0..x.len() / dim).collect();
    let mut draws = Draws::new(seed, 0x5348_5546);
    for i in (1..order.len()).rev() {
        order.swap(i, draws.below(i + 1));
    }
    order.into_iter().flat_map(|i| &x[i * dim..(i + 1) * dim]).copied().collect()
}

impl Query<'_> {
    /// For each row of a chunk of `rows` rows, appends the approximate `<q, x>` to `dots` and
    /// to `norms2` the squared norm it is to be paired with.
    ///
    /// `norms2` gets the norm of the reconstruction where the inner product is one with the
    /// reconstruction, and NaN where it is an unbiased estimate (RaBitQ): then the caller
    /// takes the norm of the original.
    pub fn scan(
        &self,
        chunk: &[u8],
        rows: usize,
        dots: &mut Vec<f32>,
        norms2: &mut Vec<f32>,
    ) -> Result<(), Malformed> {
        self.quantizer.check(chunk, rows)?;
        match &self.prepared {
            Prepared::Bytes(tables) => tables.scan(chunk, dots, norms2),
            Prepared::Halves { dots: d, norms2: n } => {
                d.scan(chunk, rows, dots);
                n.scan(chunk, rows, norms2);
            }
            Prepared::Rabitq(p) => {
                if let Learnt::Rabitq(r) = &self.quantizer.learnt {
                    r.scan(p, chunk, rows, dots);
                }
                norms2.resize(dots.len(), f32::NAN);
            }
            Prepared::Decode => {
                let mut x = Vec::with_capacity(rows * self.q.len());
                self.quantizer.decode(chunk, rows, 0..rows, &mut x)?;
                for x in x.chunks_exact(self.q.len()) {
                    let (dot, norm2) = dot_and_norm2(&self.q, x);
                    dots.push(dot);
                    norms2.push(norm2);
                }
            }
        }
        Ok(())
    }

    /// True when [`Query::refine`] knows more than [`Query::scan`].
    pub fn can_refine(&self) -> bool {
        matches!(&self.quantizer.learnt, Learnt::Rabitq(r) if r.bits() > 1)
    }

    /// A better estimate of `<q, x>` for one row, where the codec holds more bits than a scan
    /// reads (RaBitQ of two bits or more). `row < rows`.
    pub fn refine(&self, chunk: &[u8], rows: usize, row: usize) -> Result<Option<f32>, Malformed> {
        self.quantizer.check(chunk, rows)?;
        Ok(match (&self.prepared, &self.quantizer.learnt) {
            (Prepared::Rabitq(p), Learnt::Rabitq(r)) if r.bits() > 1 => Some(r.refine(p, chunk, rows, row)),
            _ => None,
        })
    }
}

fn dot_and_norm2(q: &[f32], x: &[f32]) -> (f32, f32) {
    let (mut dot, mut norm2) = (0.0f64, 0.0f64);
    for (q, x) in q.iter().zip(x) {
        let (q, x) = (f64::from(*q), f64::from(*x));
        dot += q * x;
        norm2 += x * x;
    }
    (dot as f32, norm2 as f32)
}
