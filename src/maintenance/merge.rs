//! Rows of some parts, merged in key order into warm files: the one way that Parquet is made.

use super::entry_of;
use super::period::Periods;
use crate::config::{Buckets, IdKind};
use crate::dataset::{Made, Part, Rows, Select, Shard, Snapshot, Trajectories, Workshop};
use crate::error::{Code, Error, Result};
use crate::fsio;
use crate::manifest::{FileKind, Placement};
use crate::model::{TimeRange, TimestampUs, VectorSource};
use crate::points::{KeptPoints, Texts};
use crate::warm::WarmWriter;
use crate::watch::Watch;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// Vectors of a batch given to the writer, in bytes.
const BATCH_BYTES: usize = 4 << 20;
/// Walks over the rows at the same time.
const AT_ONCE: usize = 2;
/// Bytes of the row groups that the files of one walk hold in memory, about: two of them.
const WALK_BYTES: f64 = (64 << 20) as f64;
/// A file holds a row group in memory, about so many bytes, or all of it.
const GROUP_BYTES: f64 = (32 << 20) as f64;
/// Files that one walk fills at most: each has compressors of its own.
const WALK_FILES: usize = 16;
/// Periods with a file of their own in one merge. Of a longer history, neighbouring small periods
/// share files: a query opens every file of its range.
const MOST_PERIODS: usize = 512;
/// Most buckets, as a power of two.
const MAX_BITS: u8 = 16;

/// Rows to be merged.
pub(super) struct Merge<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) shop: &'a Workshop,
    /// The parts whose live rows are taken.
    pub(super) parts: Vec<&'a Part>,
    /// Which of their rows.
    pub(super) select: Select,
    /// Size of a file, about.
    pub(super) target_bytes: u64,
    /// An instant that no file spans.
    pub(super) cut: Option<TimestampUs>,
    pub(super) watch: &'a dyn Watch,
}

/// One file to be written: a bucket and a period, or a run of small ones.
#[derive(Clone)]
struct Output {
    bucket: u16,
    bits: u8,
    time: TimeRange,
    label: String,
    bytes: f64,
}

/// Rows and bytes of a period.
type Sizes = BTreeMap<i64, (TimeRange, f64)>;

impl Merge<'_> {
    /// Writes the files. They hold every selected row once.
    pub(super) fn run(&self) -> Result<Vec<Made>> {
        let selected = self.select.resolve_in(self.parts.clone())?;
        let rows = selected.points();
        let periods = Periods::new(self.snapshot.settings().partition).cut_at(self.cut);
        let sizes = sizes(&selected.parts, &periods);
        drop(selected);
        let bytes: f64 = sizes.values().map(|(_, b)| b).sum();
        self.check_space(bytes as u64)?;
        let bits = self.bits(&sizes, &periods);
        let walks = walks(outputs(&sizes, bits, &periods));
        let mut made = Vec::new();
        for some in walks.chunks(AT_ONCE) {
            let files: Result<Vec<Vec<Made>>> = some.par_iter().map(|w| self.write(w)).collect();
            made.extend(files?.into_iter().flatten());
        }
        let written: u64 = made.iter().map(|m| m.entry.rows).sum();
        if written != rows {
            return Err(Error::internal(format!("{rows} rows were to be merged, {written} were")));
        }
        Ok(made)
    }

    fn check_space(&self, bytes: u64) -> Result<()> {
        let free = fsio::available_bytes(self.snapshot.dir())?;
        if free > bytes + bytes / 8 {
            return Ok(());
        }
        let text = format!("about {bytes} bytes are needed for a while, {free} are free");
        Err(Error::new(Code::NoSpace, text)
            .file(self.snapshot.dir())
            .fix("free some space, or give ‹max-bytes›"))
    }

    /// How many buckets as a power of two: enough that no bucket of a period outgrows a file.
    fn bits(&self, sizes: &Sizes, periods: &Periods) -> u8 {
        if let Buckets::Fixed(n) = self.snapshot.settings().buckets {
            return n.ilog2() as u8;
        }
        let m = self.snapshot.manifest();
        let mut bits = m.of(FileKind::Warm).filter_map(|f| Some(m.placement(f.id)?.bits)).max().unwrap_or(0);
        let inputs: Vec<u64> = self.parts.iter().filter_map(|p| Some(p.entry?.id)).collect();
        let mut all: BTreeMap<i64, f64> = sizes.iter().map(|(start, (_, bytes))| (*start, *bytes)).collect();
        for f in m.of(FileKind::Warm).filter(|f| !inputs.contains(&f.id)) {
            let (start, last) = periods.of(f.t_min);
            if f.t_max <= last {
                *all.entry(start).or_default() += f.seal.len as f64;
            }
        }
        let largest = all.into_values().fold(0.0, f64::max);
        while bits < MAX_BITS && largest / f64::from(1u32 << bits) > self.target_bytes as f64 {
            bits += 1;
        }
        bits
    }

    /// Writes files of one bucket in one walk over their rows; of each one, or several, when it is
    /// larger than two files.
    fn write(&self, outs: &[Output]) -> Result<Vec<Made>> {
        let (first, last) = (&outs[0], &outs[outs.len() - 1]);
        let shard = Shard {
            index: (u32::from(first.bucket) >> (16 - u32::from(first.bits))) + 1,
            of: 1 << first.bits,
        };
        let time = TimeRange::closed(first.time.first(), last.time.last()).intersect(&self.select.time);
        let both = |a: Option<Shard>| if a.is_some() { a } else { (first.bits > 0).then_some(shard) };
        let select = Select { time, shard: both(self.select.shard), ..self.select.clone() };
        let mut files: Vec<OneFile<'_>> = outs.iter().map(|o| OneFile::new(self, o)).collect();
        for rows in Trajectories::new(select.resolve_in(self.parts.clone())?) {
            self.watch.stop()?;
            let mut at = 0;
            for file in &mut files {
                let end = rows.t.partition_point(|t| *t <= file.out.time.last());
                file.push(&rows, at..end)?;
                at = end;
            }
        }
        let done: Result<Vec<Vec<Made>>> = files.into_iter().map(OneFile::finish).collect();
        Ok(done?.into_iter().flatten().collect())
    }

    /// Writes all rows into one file of the place of another one; none without a row.
    pub(super) fn write_one(&self, place: &Placement) -> Result<Option<Made>> {
        let Placement { bucket, bits, label, .. } = place.clone();
        let out = Output { bucket, bits, time: TimeRange::ALL, label, bytes: 0.0 };
        let mut file = OneFile::new(self, &out);
        for rows in Trajectories::new(self.select.resolve_in(self.parts.clone())?) {
            self.watch.stop()?;
            file.push(&rows, 0..rows.len())?;
        }
        Ok(file.finish()?.pop())
    }
}

/// Rows and bytes of each period among the selected rows.
fn sizes(parts: &[(&Part, Vec<Range<u32>>)], periods: &Periods) -> Sizes {
    let mut out = Sizes::new();
    for (part, ranges) in parts {
        let plain = 4.0 * part.dim() as f64;
        let row_bytes = match part.entry {
            Some(e) if e.kind != FileKind::Cold => e.seal.len as f64 / e.rows.max(1) as f64,
            // What its codes take says nothing about the vectors.
            _ => plain,
        };
        let times = part.times();
        let mut cell = TimeRange::EMPTY;
        let mut count = 0u64;
        let mut note = |cell: TimeRange, count: u64| {
            if count > 0 {
                out.entry(cell.first()).or_insert((cell, 0.0)).1 += count as f64 * row_bytes;
            }
        };
        for row in ranges.iter().cloned().flatten() {
            let t = times[row as usize];
            if !cell.contains(t) {
                note(cell, count);
                let (first, last) = periods.of(t);
                (cell, count) = (TimeRange::closed(first, last), 0);
            }
            count += 1;
        }
        note(cell, count);
    }
    out
}

/// Files in walks: those of a bucket that follow each other, as many as memory allows.
fn walks(outputs: Vec<Output>) -> Vec<Vec<Output>> {
    let mut walks: Vec<(Vec<Output>, f64)> = Vec::new();
    for out in outputs {
        let held = out.bytes.min(GROUP_BYTES);
        match walks.last_mut() {
            Some((walk, sum))
                if walk[0].bucket == out.bucket && walk.len() < WALK_FILES && *sum + held <= WALK_BYTES =>
            {
                *sum += held;
                walk.push(out);
            }
            _ => walks.push((vec![out], held)),
        }
    }
    walks.into_iter().map(|(walk, _)| walk).collect()
}

/// The periods in each bucket. Only where there are more of them than files are good for do small
/// neighbours share one.
fn outputs(sizes: &Sizes, bits: u8, periods: &Periods) -> Vec<Output> {
    let total: f64 = sizes.values().map(|(_, b)| b).sum();
    let goal = if sizes.len() > MOST_PERIODS { total / MOST_PERIODS as f64 } else { 0.0 };
    let cut = |t: TimestampUs| periods.cuts_at(t);
    let mut runs: Vec<(TimeRange, f64)> = Vec::new();
    for (cell, bytes) in sizes.values() {
        match runs.last_mut() {
            Some((time, sum)) if *sum + bytes / 2.0 <= goal && !cut(cell.first()) => {
                *time = TimeRange::closed(time.first(), cell.last());
                *sum += bytes;
            }
            _ => runs.push((*cell, *bytes)),
        }
    }
    let width = 1u32 << (16 - u32::from(bits));
    let buckets = (0..1u32 << bits).map(|b| (b * width) as u16);
    let of_bucket = |bucket| {
        let one = move |(time, bytes): &(TimeRange, f64)| {
            // A period cut short by the beginning of time is named by its end.
            let label = periods.label(time.first().max(i64::MIN / 2).min(time.last()));
            Output { bucket, bits, time: *time, label, bytes: bytes / f64::from(1u32 << bits) }
        };
        runs.iter().map(one).collect::<Vec<_>>()
    };
    buckets.flat_map(of_bucket).collect()
}

/// A file that grows row by row, and what came before it.
struct OneFile<'a> {
    merge: &'a Merge<'a>,
    out: &'a Output,
    named: bool,
    writer: Option<(u64, WarmWriter)>,
    batch: KeptPoints,
    names: Texts,
    batch_rows: usize,
    x: Vec<f32>,
    done: Vec<Made>,
}

impl<'a> OneFile<'a> {
    fn new(merge: &'a Merge<'a>, out: &'a Output) -> OneFile<'a> {
        let s = merge.snapshot.settings();
        OneFile {
            merge,
            out,
            named: s.ids == IdKind::String,
            writer: None,
            batch: KeptPoints::new(s.dim),
            names: Texts::new(),
            batch_rows: (BATCH_BYTES / (4 * s.dim)).clamp(64, 8192),
            x: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Appends some rows of an entity.
    fn push(&mut self, rows: &Rows<'_>, which: Range<usize>) -> Result<()> {
        if which.is_empty() {
            return Ok(());
        }
        let dim = self.batch.points.dim;
        let name = self.merge.snapshot.entity_name(rows.entity)?.unwrap_or_default();
        for start in which.clone().step_by(self.batch_rows) {
            let end = which.end.min(start + self.batch_rows);
            rows.read(start..end, &mut self.x)?;
            for (i, x) in (start..end).zip(self.x.chunks_exact(dim)) {
                let p = &mut self.batch.points;
                let origin = p.intern(rows.origin(i));
                p.push(crate::model::Key { entity: rows.entity, t: rows.t[i] }, x, &rows.meta(i)?, origin);
                self.batch.seq.push(rows.seq(i));
                self.batch.original.push(rows.original(i)?);
                if self.named {
                    self.names.push(&name);
                }
            }
            if self.batch.len() >= self.batch_rows {
                self.flush()?;
            }
        }
        if self.writer.as_ref().is_some_and(|(_, w)| w.size_bytes() > 2 * self.merge.target_bytes) {
            self.close()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let (_, writer) = match &mut self.writer {
            Some(w) => w,
            none => {
                let (config, dim) = (self.merge.snapshot.config(), self.batch.points.dim);
                let id = self.merge.shop.take_id()?;
                let file = self.merge.shop.temp(id)?;
                none.insert((id, WarmWriter::create(file, config.id, id, dim, self.named)?))
            }
        };
        writer.write(&self.batch, self.named.then_some(&self.names))?;
        self.batch.clear();
        self.names.clear();
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.flush()?;
        let Some((id, writer)) = self.writer.take() else { return Ok(()) };
        let (mut file, seal, summary) = writer.finish()?;
        file.sync()?;
        let entry = entry_of(FileKind::Warm, id, seal, &summary)?;
        let place = Placement::warm(id, self.out.bucket, self.out.bits, self.out.label.clone());
        self.done.push(Made { file, entry, place });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Made>> {
        self.close()?;
        Ok(self.done)
    }
}
