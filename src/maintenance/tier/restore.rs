//! Cold points back to warm: exact where originals were kept, else as the codes give them.

use crate::dataset::{self, Exchange, Part, Select, Snapshot, Writer};
use crate::error::Result;
use crate::maintenance::attempt::{self, ATTEMPTS, Attempt, patient};
use crate::maintenance::merge::Merge;
use crate::manifest::FileKind;
use crate::model::VectorSource;
use roaring::RoaringBitmap;
use std::path::Path;
use std::time::Instant;

/// What a restore did, or would do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restored {
    /// Blocks that gave points.
    pub blocks: u64,
    /// Points that came back.
    pub points: u64,
    /// Of these, points whose original vectors are lost: they stay marked.
    pub points_approx: u64,
    /// Bytes of the blocks.
    pub bytes_before: u64,
    /// Bytes of the warm files made.
    pub bytes_after: u64,
    /// Wall time.
    pub seconds: f64,
    /// The newest version.
    pub commit: u64,
}

/// A block and the rows of it that come back.
pub(super) struct Source {
    id: u64,
    rows: RoaringBitmap,
    /// The rows to be merged: of the block, or of the exact file that was kept.
    pub(super) part: Part,
}

/// What a restore would bring back.
pub fn restore_plan(dir: &Path, select: &Select) -> Result<Restored> {
    let snapshot = Snapshot::open(dir, None)?;
    Ok(report(&snapshot, &sources(&snapshot, select)?))
}

/// Brings the selected points of cold blocks back to warm, in one version.
pub fn restore(
    dir: &Path,
    writing: &dataset::Options,
    select: &Select,
    target_bytes: u64,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Restored> {
    bring_back(dir, writing, target_bytes, stop, |snapshot| sources(snapshot, select))
}

/// Brings rows of blocks back to warm, in one version. When another process changes the blocks
/// meanwhile, the selection is resolved in its version and all is done again.
pub(super) fn bring_back(
    dir: &Path,
    writing: &dataset::Options,
    target_bytes: u64,
    stop: &(dyn Fn() -> Result<()> + Sync),
    sources: impl Fn(&Snapshot) -> Result<Vec<Source>>,
) -> Result<Restored> {
    let started = Instant::now();
    let patient = patient(writing);
    for attempt in 0..ATTEMPTS {
        let first = if attempt == 0 { writing } else { &patient };
        let Attempt { shop, snapshot, .. } = Attempt::begin(dir, first)?;
        let sources = sources(&snapshot)?;
        let mut out = report(&snapshot, &sources);
        if sources.is_empty() {
            out.seconds = started.elapsed().as_secs_f64();
            return Ok(out);
        }
        let parts = sources.iter().map(|s| &s.part).collect();
        let select = Select::default();
        let made =
            Merge { snapshot: &snapshot, shop: &shop, parts, select, target_bytes, cut: None, stop }.run()?;
        out.bytes_after = made.iter().map(|m| m.entry.seal.len).sum();
        let moved = sources.iter().map(|s| (s.id, s.rows.clone())).collect();
        let mut writer = Writer::open(dir, patient.clone())?;
        let done = writer.exchange(Exchange { moved, made, ..Exchange::new(&snapshot) })?;
        out.commit = writer.finish()?.0;
        drop(sources);
        drop(snapshot);
        if done.is_some() {
            crate::maintenance::collect(dir, writing)?;
            out.seconds = started.elapsed().as_secs_f64();
            return Ok(out);
        }
        stop()?;
    }
    Err(attempt::lost())
}

fn report(snapshot: &Snapshot, sources: &[Source]) -> Restored {
    let approx = |s: &Source| {
        let alive = (0..s.part.rows()).filter(|r| s.part.is_live(*r));
        alive.filter(|r| s.part.is_approx(*r)).count() as u64
    };
    let m = snapshot.manifest();
    Restored {
        blocks: sources.len() as u64,
        points: sources.iter().map(|s| s.rows.len()).sum(),
        points_approx: sources.iter().map(approx).sum(),
        bytes_before: sources.iter().filter_map(|s| m.find(FileKind::Cold, s.id)).map(|f| f.seal.len).sum(),
        commit: m.commit,
        ..Restored::default()
    }
}

/// The selected rows of cold blocks. The selection is resolved over all tiers, so that a limit
/// or a sample means the same entities as everywhere.
fn sources(snapshot: &Snapshot, select: &Select) -> Result<Vec<Source>> {
    let mut out = Vec::new();
    for (part, ranges) in select.resolve(snapshot)?.parts {
        let Some(entry) = part.entry.filter(|e| e.kind == FileKind::Cold) else { continue };
        let mut rows = RoaringBitmap::new();
        ranges.into_iter().for_each(|r| {
            rows.insert_range(r);
        });
        out.push(source(snapshot, part, entry.id, rows)?);
    }
    Ok(out)
}

/// Rows of a block, in its kept original where there is one.
pub(super) fn source(snapshot: &Snapshot, block: &Part, id: u64, rows: RoaringBitmap) -> Result<Source> {
    let exact = snapshot.original_of(block)?.map(|original| exact_part(block, &rows, original));
    let part = exact.unwrap_or_else(|| only(block.clone(), &rows));
    Ok(Source { id, rows, part })
}

/// The part with all other rows dead.
fn only(part: Part, rows: &RoaringBitmap) -> Part {
    let mut all = RoaringBitmap::new();
    all.insert_range(0..part.rows() as u32);
    Part { dead: all - rows, ..part }
}

/// The same points of the kept original, which may hold rows that the block does not.
fn exact_part(block: &Part, rows: &RoaringBitmap, original: Part) -> Part {
    let same = rows.iter().filter_map(|r| original.row_of(block.key(r as usize)));
    let same: RoaringBitmap = same.map(|r| r as u32).collect();
    only(original, &same)
}
