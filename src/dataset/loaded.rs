//! A warm or cold file with its key columns in memory; vectors and metadata are decoded by
//! pieces when asked for.

use super::chunks::{Chunk, Chunks, What};
use crate::cold::ColdBlock;
use crate::error::{Error, Result};
use crate::model::{EntityId, TimestampUs};
use crate::points::{KeptPoints, Origin};
use crate::pq::{CHUNK_ROWS, Quantizer};
use crate::segment::{content_hash, inverse_norm};
use crate::warm::{Columns, WarmFile};
use roaring::RoaringBitmap;
use std::ops::Range;
use std::path::Path;
use std::slice::from_ref;
use std::sync::Arc;

/// Rows of keys decoded at a time.
const BATCH: usize = 64 * 1024;

/// The file itself.
#[derive(Debug)]
enum File {
    Warm(WarmFile),
    Cold(Box<ColdBlock>, Arc<Quantizer>),
}

/// A file and the small columns of all of its rows: 16 bytes a row, 4 more where rows have several origins,
/// 16 more for each row that is not exact. They stay while the file is open, beside any budget of memory.
#[derive(Debug)]
pub struct Loaded {
    id: u64,
    dim: usize,
    file: File,
    chunks: Arc<Chunks>,
    entities: Vec<EntityId>,
    /// First row of each run, and the number of rows.
    runs: Vec<u32>,
    times: Vec<TimestampUs>,
    seqs: Vec<u64>,
    /// Ordinals into `origins`; empty while there is one origin.
    origin: Vec<u32>,
    origins: Vec<Origin>,
    approx: RoaringBitmap,
    /// The hashes of their originals; empty for a block, which is asked when one is needed.
    originals: Vec<u128>,
}

impl Loaded {
    /// Takes an open warm file and reads its keys.
    pub(super) fn warm(id: u64, file: WarmFile, chunks: Arc<Chunks>) -> Result<Loaded> {
        let rows = file.rows() as usize;
        let mut this = Loaded::empty(id, file.dim(), File::Warm(file), chunks, rows)?;
        let File::Warm(file) = &this.file else { return Err(Error::internal("a file that was just given")) };
        let scan = file.scan(from_ref(&(0..rows as u64)), Columns::TABLE, BATCH)?;
        for batch in scan {
            let rows = batch?;
            let approx: Vec<bool> = rows.original.iter().map(Option::is_some).collect();
            this.originals.extend(rows.original.iter().flatten());
            this.take(rows, &approx)?;
        }
        this.finish()
    }

    /// Takes an open cold block and reads its keys.
    pub(super) fn cold(
        id: u64,
        block: ColdBlock,
        quantizer: Arc<Quantizer>,
        chunks: Arc<Chunks>,
    ) -> Result<Loaded> {
        let (rows, dim) = (block.rows(), block.head().dim);
        let mut this = Loaded::empty(id, dim, File::Cold(Box::new(block), quantizer), chunks, rows)?;
        for start in (0..rows).step_by(BATCH) {
            let File::Cold(block, _) = &this.file else {
                return Err(Error::internal("a block that was just given"));
            };
            let span = start..(start + BATCH).min(rows);
            let (table, approx) = (block.table(span.clone())?, block.approx(span)?);
            this.take(table, &approx)?;
        }
        this.finish()
    }

    fn empty(id: u64, dim: usize, file: File, chunks: Arc<Chunks>, rows: usize) -> Result<Loaded> {
        let mut this = Loaded {
            id,
            dim,
            file,
            chunks,
            entities: Vec::new(),
            runs: Vec::new(),
            times: Vec::new(),
            seqs: Vec::new(),
            origin: Vec::new(),
            origins: Vec::new(),
            approx: RoaringBitmap::new(),
            originals: Vec::new(),
        };
        if u32::try_from(rows).is_err() {
            return Err(this.damaged(format!("{rows} rows are more than a file may have")));
        }
        let room = this.times.try_reserve_exact(rows).and_then(|()| this.seqs.try_reserve_exact(rows));
        if room.is_err() {
            let text = format!("not enough memory for the keys of {rows} rows, 16 bytes each");
            return Err(Error::new(crate::Code::Failed, text).file(this.path()));
        }
        Ok(this)
    }

    /// Appends rows, whose keys follow all before.
    fn take(&mut self, rows: KeptPoints, approx: &[bool]) -> Result<()> {
        let (first, points) = (self.times.len(), &rows.points);
        let ordinals: Vec<u32> = points.origins.iter().map(|o| self.intern(o)).collect();
        for i in 0..points.entity.len() {
            let (entity, t) = (points.entity[i], points.t[i]);
            let row = (first + i) as u32;
            match self.entities.last() {
                Some(last) if *last == entity => {
                    if self.times.last().is_some_and(|before| *before >= t) {
                        return Err(self.disorder(row));
                    }
                }
                Some(last) if *last > entity => return Err(self.disorder(row)),
                _ => {
                    self.entities.push(entity);
                    self.runs.push(row);
                }
            }
            self.times.push(t);
            if approx.get(i).copied().unwrap_or(false) {
                self.approx.insert(row);
            }
            let ordinal = ordinals.get(points.origin[i] as usize).copied();
            let ordinal = ordinal.ok_or_else(|| self.damaged("a row names an origin that does not exist"))?;
            // Nearly all files have one origin, and need no column of zeros.
            if self.origin.is_empty() && ordinal > 0 {
                self.origin.reserve_exact(self.times.capacity());
                self.origin.resize(row as usize, 0);
            }
            if ordinal > 0 || !self.origin.is_empty() {
                self.origin.push(ordinal);
            }
        }
        self.seqs.extend(rows.seq);
        Ok(())
    }

    fn finish(mut self) -> Result<Loaded> {
        self.runs.push(self.times.len() as u32);
        if self.origins.len() < 2 {
            self.origin = Vec::new();
        }
        self.entities.shrink_to_fit();
        self.runs.shrink_to_fit();
        self.times.shrink_to_fit();
        self.seqs.shrink_to_fit();
        Ok(self)
    }

    fn intern(&mut self, origin: &Origin) -> u32 {
        let at = self.origins.iter().position(|o| o == origin).unwrap_or_else(|| {
            self.origins.push(origin.clone());
            self.origins.len() - 1
        });
        at as u32
    }

    fn disorder(&self, row: u32) -> Error {
        self.damaged("the rows are not in order").row(u64::from(row) + 1)
    }

    /// An error that names the file.
    pub fn damaged(&self, what: impl Into<String>) -> Error {
        Error::damaged(self.path(), what)
    }

    /// The file's name, for errors.
    pub fn path(&self) -> &Path {
        match &self.file {
            File::Warm(f) => f.path(),
            File::Cold(b, _) => b.path(),
        }
    }

    /// The cold block and its codec.
    pub fn block(&self) -> Option<(&ColdBlock, &Arc<Quantizer>)> {
        match &self.file {
            File::Cold(b, q) => Some((b, q)),
            File::Warm(_) => None,
        }
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    pub(super) fn entities(&self) -> &[EntityId] {
        &self.entities
    }

    pub(super) fn runs(&self) -> &[u32] {
        &self.runs
    }

    pub(super) fn times(&self) -> &[TimestampUs] {
        &self.times
    }

    pub(super) fn seq(&self, row: usize) -> u64 {
        self.seqs[row]
    }

    pub(super) fn origin_ordinal(&self, row: usize) -> usize {
        self.origin.get(row).map_or(0, |o| *o as usize)
    }

    pub(super) fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// True when the row's vector is not the one that was ingested.
    pub(super) fn is_approx(&self, row: usize) -> bool {
        self.approx.contains(row as u32)
    }

    /// The hash of the content that was ingested, of a row whose vector is not the original.
    pub(super) fn original(&self, row: usize) -> Result<Option<u128>> {
        if !self.is_approx(row) {
            return Ok(None);
        }
        match &self.file {
            File::Cold(b, _) => Ok(b.hashes(row..row + 1)?.first().copied()),
            File::Warm(_) => {
                let at = self.approx.rank(row as u32) as usize - 1;
                self.originals
                    .get(at)
                    .copied()
                    .map(Some)
                    .ok_or_else(|| Error::internal("a hash that is not there"))
            }
        }
    }

    /// The rows that are decoded together with `row`.
    fn chunk_of(&self, row: usize) -> Range<usize> {
        match &self.file {
            File::Warm(f) => {
                let r = f.chunk_of(row as u64);
                r.start as usize..r.end as usize
            }
            File::Cold(b, _) => {
                let first = row / CHUNK_ROWS * CHUNK_ROWS;
                first..(first + CHUNK_ROWS).min(b.rows())
            }
        }
    }

    fn chunk(&self, row: usize, what: What) -> Result<Arc<Chunk>> {
        let rows = self.chunk_of(row);
        self.chunks.get((self.id, what, rows.start), || match what {
            What::Vectors => self.decode_vectors(rows),
            What::Texts => self.decode_texts(rows),
        })
    }

    fn decode_vectors(&self, rows: Range<usize>) -> Result<Chunk> {
        let mut x = Vec::new();
        match &self.file {
            File::Warm(f) => {
                x = f.read(from_ref(&(rows.start as u64..rows.end as u64)), Columns::PLAIN_VECTORS)?.points.x;
            }
            File::Cold(b, q) => b.decode(q, rows.clone(), &mut x)?,
        }
        if x.len() != rows.len() * self.dim {
            return Err(self
                .damaged("a piece of vectors has another number of rows")
                .row(rows.start as u64 + 1));
        }
        let inverse_norms = x.chunks_exact(self.dim).map(inverse_norm).collect();
        Ok(Chunk { first: rows.start, x, inverse_norms, ..Chunk::default() })
    }

    fn decode_texts(&self, rows: Range<usize>) -> Result<Chunk> {
        let texts = match &self.file {
            File::Warm(f) => {
                f.read(from_ref(&(rows.start as u64..rows.end as u64)), Columns::METADATA)?.points.meta
            }
            File::Cold(b, _) => b.metas(rows.clone())?,
        };
        if texts.len() != rows.len() {
            return Err(self
                .damaged("a piece of metadata has another number of rows")
                .row(rows.start as u64 + 1));
        }
        Ok(Chunk { first: rows.start, texts, ..Chunk::default() })
    }

    /// Runs `f` over the pieces that hold `rows`: the piece and the asked rows within it.
    fn each(&self, rows: Range<usize>, mut f: impl FnMut(&Chunk, Range<usize>)) -> Result<()> {
        if rows.start > rows.end || rows.end > self.times.len() {
            return Err(Error::internal("rows outside a file"));
        }
        let mut row = rows.start;
        while row < rows.end {
            let chunk = self.chunk(row, What::Vectors)?;
            let end = (chunk.first + chunk.inverse_norms.len()).min(rows.end);
            f(&chunk, row - chunk.first..end - chunk.first);
            row = end;
        }
        Ok(())
    }

    /// Reads the vectors of some rows into `buffer`, which is replaced.
    pub(super) fn vectors<'a>(&self, rows: Range<usize>, buffer: &'a mut Vec<f32>) -> Result<&'a [f32]> {
        buffer.clear();
        buffer.reserve(rows.len() * self.dim);
        self.each(rows, |c, r| buffer.extend_from_slice(&c.x[r.start * self.dim..r.end * self.dim]))?;
        Ok(buffer)
    }

    /// Appends `1 / |x|` of some rows.
    pub(super) fn inverse_norms(&self, rows: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        self.each(rows, |c, r| out.extend_from_slice(&c.inverse_norms[r]))
    }

    /// Hands the metadata of a run of rows to `f`, in order.
    pub(super) fn metas(
        &self,
        rows: Range<usize>,
        f: &mut dyn FnMut(usize, &str) -> Result<()>,
    ) -> Result<()> {
        let mut row = rows.start;
        while row < rows.end {
            let chunk = self.chunk(row, What::Texts)?;
            let end = (chunk.first + chunk.texts.len()).min(rows.end);
            (row..end).try_for_each(|r| f(r, chunk.texts.get(r - chunk.first)))?;
            row = end;
        }
        Ok(())
    }

    /// True when a row is the point with this content: by the hash of the original where
    /// that is lost, bit for bit elsewhere.
    pub(super) fn same_content(
        &self,
        row: usize,
        x: &[f32],
        meta: &str,
        buffer: &mut Vec<f32>,
    ) -> Result<bool> {
        if let Some(hash) = self.original(row)? {
            return Ok(hash == content_hash(x, meta));
        }
        let stored = self.vectors(row..row + 1, buffer)?;
        let equal = stored.iter().zip(x).all(|(a, b)| a.to_bits() == b.to_bits());
        let mut same = equal;
        self.metas(row..row + 1, &mut |_, text| {
            same &= text == meta;
            Ok(())
        })?;
        Ok(same)
    }

    /// Checks every byte of the file.
    pub(super) fn check_all(&self) -> Result<()> {
        match &self.file {
            File::Warm(f) => f.check_all(),
            File::Cold(b, _) => b.check_all(),
        }
    }

    /// Checks every byte and decodes every row.
    pub(super) fn verify(&self) -> Result<()> {
        match &self.file {
            File::Warm(f) => f.verify().map(|_| ()),
            File::Cold(b, q) => b.verify(Some(q)).map(|_| ()),
        }
    }
}
