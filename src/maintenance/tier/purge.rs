//! Rows that no longer count, out of cold blocks, which stay cold and keep their codec.

use super::{demote, restore};
use crate::cold::BlockWriter;
use crate::dataset::{self, Exchange, Made, Part, Select, Snapshot, Workshop, Writer};
use crate::error::{Error, Result};
use crate::maintenance::attempt::{ATTEMPTS, Attempt, patient};
use crate::maintenance::merge::Merge;
use crate::manifest::{FileEntry, FileKind, Placement};
use std::path::Path;

/// What a purge did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Purged {
    /// Blocks that were rewritten.
    pub blocks: u64,
    /// The newest version.
    pub commit: u64,
}

/// Takes the rows that no longer count out of cold blocks, and out of the originals kept of them. The
/// codes of the others are copied; a codec that loses nothing codes them again.
pub fn purge(
    dir: &Path,
    writing: &dataset::Options,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Purged> {
    let mut out = Purged::default();
    let patient = patient(writing);
    for attempt in 0..ATTEMPTS {
        let first = if attempt == 0 { writing } else { &patient };
        if pass(dir, first, &patient, stop, &mut out)? == 0 {
            break;
        }
        // Another process changed these blocks, or made new ones with dead rows, meanwhile.
        stop()?;
    }
    crate::maintenance::collect(dir, writing)?;
    Ok(out)
}

/// Rewrites each block with dead rows in a version of its own. Returns how many are left, because
/// other processes work on them.
fn pass(
    dir: &Path,
    first: &dataset::Options,
    writing: &dataset::Options,
    stop: &(dyn Fn() -> Result<()> + Sync),
    out: &mut Purged,
) -> Result<usize> {
    let Attempt { shop, snapshot, .. } = Attempt::begin(dir, first)?;
    let mut left = 0;
    for block in dead_blocks(&snapshot)? {
        stop()?;
        let x = without_dead(&snapshot, &shop, &block, stop)?;
        let mut writer = Writer::open(dir, writing.clone())?;
        let done = writer.exchange(x)?;
        let commit = writer.finish()?.0;
        match done {
            Some(_) => (out.blocks, out.commit) = (out.blocks + 1, commit),
            None => left += 1,
        }
    }
    Ok(left)
}

/// A block with dead rows.
struct DeadBlock<'a> {
    id: u64,
    part: &'a Part,
    alive: Vec<u32>,
}

fn dead_blocks(snapshot: &Snapshot) -> Result<Vec<DeadBlock<'_>>> {
    let m = snapshot.manifest();
    let mut out = Vec::new();
    for f in m.of(FileKind::Cold) {
        let (Some(_), Some(part)) = (m.deletions_of(f.id), snapshot.part_of(f.id)?) else { continue };
        let alive = (0..part.rows() as u32).filter(|r| part.is_live(*r as usize)).collect();
        out.push(DeadBlock { id: f.id, part, alive });
    }
    Ok(out)
}

/// The exchange of a block for one without its dead rows.
fn without_dead<'a>(
    snapshot: &'a Snapshot,
    shop: &Workshop,
    block: &DeadBlock<'_>,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Exchange<'a>> {
    let m = snapshot.manifest();
    let (Some((cold, quantizer)), Some(place)) = (block.part.block(), m.placement(block.id)) else {
        return Err(Error::internal("a block that is none"));
    };
    let mut made = Vec::new();
    if !block.alive.is_empty() {
        let (id, dataset) = (shop.take_id()?, snapshot.config().id);
        let codebook = cold.head().codebook;
        let mut out = BlockWriter::create(shop.temp(id)?, dataset, id, quantizer.clone(), codebook)?;
        if block.part.is_lossy() {
            out.copy(cold, &block.alive)?;
        } else {
            demote::push_live(&mut out, block.part, stop)?;
        }
        made.push(demote::finish(out, id, place.clone())?.0);
        made.extend(original(snapshot, shop, block, id, stop)?);
    }
    let target = (place.store as usize).checked_sub(1).and_then(|i| m.stores.get(i)).cloned();
    Ok(Exchange { replaced: vec![block.id], made, target, ..Exchange::new(snapshot) })
}

/// The exact file kept of a block, without the dead rows, for the new block `target`.
fn original(
    snapshot: &Snapshot,
    shop: &Workshop,
    block: &DeadBlock<'_>,
    target: u64,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Option<Made>> {
    let m = snapshot.manifest();
    let Some(place) = m.original_of(block.id).and_then(|f| m.placement(f.id)) else { return Ok(None) };
    let exact = restore::source(snapshot, block.part, block.id, block.alive.iter().copied().collect())?;
    let merge = Merge {
        snapshot,
        shop,
        parts: vec![&exact.part],
        select: Select::default(),
        target_bytes: u64::MAX / 4,
        cut: None,
        stop,
    };
    let made = merge.write_one(place)?;
    Ok(made.map(|made| Made {
        entry: FileEntry { kind: FileKind::Original, target, ..made.entry },
        place: Placement { codec: place.codec.clone(), ..made.place },
        ..made
    }))
}
