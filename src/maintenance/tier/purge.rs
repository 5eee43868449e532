//! Rows that no longer count, out of cold blocks.

use super::restore::{Restored, bring_back, source};
use super::{ATTEMPTS, IDS, PATIENCE, demote};
use crate::cold::BlockWriter;
use crate::dataset::{self, Exchange, Part, Snapshot, Workshop, Writer};
use crate::error::{Error, Result};
use crate::manifest::FileKind;
use std::path::Path;

/// What a purge did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Purged {
    /// Blocks that were rewritten, or left cold because their exact vectors were there.
    pub blocks: u64,
    /// The newest version.
    pub commit: u64,
}

/// Takes the rows that no longer count out of cold blocks. Where the exact vectors are there,
/// the others go back to warm, to be coded anew; where only codes are left, the codes of
/// the others are copied.
pub fn purge(
    dir: &Path,
    writing: &dataset::Options,
    target_bytes: u64,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Purged> {
    let mut out = Purged::default();
    let patient = dataset::Options { lock_timeout: writing.lock_timeout.max(PATIENCE), ..writing.clone() };
    for attempt in 0..ATTEMPTS {
        let first = if attempt == 0 { writing } else { &patient };
        let back = bring_back(dir, first, target_bytes, stop, |snapshot| {
            let blocks = dead_blocks(snapshot)?.into_iter().filter(|b| b.exact);
            blocks.map(|b| source(snapshot, b.part, b.id, b.alive.into_iter().collect())).collect()
        })?;
        let Restored { blocks, commit, .. } = back;
        (out.blocks, out.commit) = (out.blocks + blocks, commit);
        let left = copy_codes(dir, &patient, stop, &mut out)?;
        if left == 0 {
            break;
        }
        // Another process changed these blocks, or made new ones with dead rows, meanwhile.
        stop()?;
    }
    crate::maintenance::collect(dir, writing)?;
    Ok(out)
}

/// Copies the living codes of blocks whose exact vectors are lost. Returns how many blocks with dead rows
/// are left, because other processes work on them.
fn copy_codes(
    dir: &Path,
    writing: &dataset::Options,
    stop: &(dyn Fn() -> Result<()> + Sync),
    out: &mut Purged,
) -> Result<usize> {
    let mut writer = Writer::open(dir, writing.clone())?;
    let shop = writer.workshop(IDS)?;
    writer.finish()?;
    let snapshot = Snapshot::open(dir, None)?;
    let mut left = 0;
    for block in dead_blocks(&snapshot)? {
        stop()?;
        // Those whose exact vectors are there come back instead.
        if block.exact {
            left += 1;
            continue;
        }
        let x = without_dead(&snapshot, &shop, &block)?;
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
    /// True when exact vectors can be had: the codec loses nothing, or originals are kept.
    exact: bool,
}

fn dead_blocks(snapshot: &Snapshot) -> Result<Vec<DeadBlock<'_>>> {
    let m = snapshot.manifest();
    let mut out = Vec::new();
    for f in m.of(FileKind::Cold) {
        let (Some(_), Some(part)) = (m.deletions_of(f.id), snapshot.part_of(f.id)?) else { continue };
        let alive = (0..part.rows() as u32).filter(|r| part.is_live(*r as usize)).collect();
        let exact = !part.is_lossy() || m.original_of(f.id).is_some();
        out.push(DeadBlock { id: f.id, part, alive, exact });
    }
    Ok(out)
}

/// The exchange of a block for one without its dead rows.
fn without_dead<'a>(snapshot: &'a Snapshot, shop: &Workshop, block: &DeadBlock<'_>) -> Result<Exchange<'a>> {
    let m = snapshot.manifest();
    let (Some((cold, quantizer)), Some(place)) = (block.part.block(), m.placement(block.id)) else {
        return Err(Error::internal("a block that is none"));
    };
    let mut made = Vec::new();
    if !block.alive.is_empty() {
        let (id, dataset) = (shop.take_id()?, snapshot.config().id);
        let codebook = cold.head().codebook;
        let mut out = BlockWriter::create(shop.temp(id)?, dataset, id, quantizer.clone(), codebook)?;
        out.copy(cold, &block.alive)?;
        made.push(demote::finish(out, id, place.clone())?.0);
    }
    let target = (place.store as usize).checked_sub(1).and_then(|i| m.stores.get(i)).cloned();
    Ok(Exchange { replaced: vec![block.id], made, target, ..Exchange::new(snapshot) })
}
