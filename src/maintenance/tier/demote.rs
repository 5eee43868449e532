//! A warm file as a cold block.

use super::codebook::Codebook;
use crate::cold::{BlockWriter, write_codebook};
use crate::dataset::{Made, Part, Select, Snapshot, Workshop};
use crate::error::{Error, Result};
use crate::format::container::Finished;
use crate::maintenance::entry_of;
use crate::manifest::{FileEntry, FileKind, Placement};
use crate::model::{Key, VectorSource};
use crate::points::KeptPoints;
use crate::pq::ErrorStats;
use crate::watch::Watch;
use std::ops::Range;

/// Rows coded at a time.
const BATCH: usize = 4096;

/// Codes the live rows of a part; returns the block and its measured errors.
pub(super) fn block(
    snapshot: &Snapshot,
    shop: &Workshop,
    part: &Part,
    codebook: &Codebook,
    watch: &dyn Watch,
) -> Result<(Made, ErrorStats)> {
    let Some(place) = part.entry.and_then(|e| snapshot.manifest().placement(e.id)) else {
        return Err(Error::internal("a file that is not warm goes to cold"));
    };
    let id = shop.take_id()?;
    let (dataset, quantizer) = (snapshot.config().id, codebook.quantizer.clone());
    let mut out = BlockWriter::create(shop.temp(id)?, dataset, id, quantizer, codebook.id)?;
    push_live(&mut out, part, watch)?;
    let place =
        Placement { codebook: codebook.id, codec: codebook.quantizer.codec().to_string(), ..place.clone() };
    finish(out, id, place)
}

/// Completes the file of a block.
pub(super) fn finish(out: BlockWriter, id: u64, place: Placement) -> Result<(Made, ErrorStats)> {
    let (finished, written) = out.finish()?;
    let Finished::File(mut file) = finished else {
        return Err(Error::internal("a block that was written to memory"));
    };
    file.sync()?;
    let entry = entry_of(FileKind::Cold, id, written.seal, &written.summary)?;
    let e = written.errors;
    let place = Placement { id, errors: [e.p50, e.p99, e.max], ..place };
    Ok((Made { file, entry, place }, e))
}

/// Appends the live rows of a part to a block.
pub(super) fn push_live(out: &mut BlockWriter, part: &Part, watch: &dyn Watch) -> Result<()> {
    for (part, ranges) in Select::default().resolve_in(vec![part])?.parts {
        for range in ranges {
            for start in (range.start..range.end).step_by(BATCH) {
                watch.stop()?;
                let end = range.end.min(start + BATCH as u32);
                push(out, part, start as usize..end as usize)?;
            }
        }
    }
    Ok(())
}

/// Appends rows of a part to a block.
pub(super) fn push(out: &mut BlockWriter, part: &Part, rows: Range<usize>) -> Result<()> {
    let mut kept = KeptPoints::new(part.dim());
    let mut buffer = Vec::new();
    let x = part.vectors(rows.clone(), &mut buffer)?;
    let (first, dim) = (rows.start, part.dim());
    part.metas(rows, &mut |row, meta| {
        let vector = &x[(row - first) * dim..(row - first + 1) * dim];
        let origin = kept.points.intern(part.origin(row));
        kept.points.push(Key { entity: part.key(row).entity, t: part.times()[row] }, vector, meta, origin);
        kept.seq.push(part.seq(row));
        kept.original.push(part.original(row)?);
        Ok(())
    })?;
    out.push(&kept)
}

/// The file of a fresh codebook.
pub(super) fn codebook_file(snapshot: &Snapshot, shop: &Workshop, codebook: &Codebook) -> Result<Made> {
    let (bytes, seal) = write_codebook(&codebook.quantizer, snapshot.config().id, codebook.id)?;
    let mut file = shop.temp(codebook.id)?;
    file.write_all(&bytes)?;
    file.sync()?;
    let entry = FileEntry::bare(FileKind::Codebook, codebook.id, seal);
    let codec = codebook.quantizer.codec().to_string();
    let place = Placement { codec, ..Placement::warm(codebook.id, 0, 0, String::new()) };
    Ok(Made { file, entry, place })
}
