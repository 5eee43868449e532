//! Which rows of a sealed file are superseded or deleted: `hot/NNNNNNNNNN.del`, a roaring
//! bitmap in the portable format inside a container.

use crate::error::Result;
use crate::format::DatasetId;
use crate::format::container::{ALIGN, Container, Expect, Finished, Kind, Seal, Tag, Writer};
use crate::fsio::TempFile;
use roaring::RoaringBitmap;
use std::path::Path;

/// The bitmap.
const ROWS: Tag = *b"ROWS";

/// Writes a set of rows into a temporary file.
pub(super) fn write(
    file: TempFile,
    dataset: DatasetId,
    id: u64,
    rows: &RoaringBitmap,
) -> Result<(Finished, Seal)> {
    let mut w = Writer::create(file, Kind::Deletions, dataset, id)?;
    let mut bytes = Vec::with_capacity(rows.serialized_size());
    // Writing into memory cannot fail.
    let _ = rows.serialize_into(&mut bytes);
    w.section(ROWS, 1, ALIGN)?;
    w.write(&bytes)?;
    w.finish()
}

/// Reads a set that should hold `count` rows, all below `rows`.
pub(super) fn read(path: &Path, expect: &Expect, count: u64, rows: u64) -> Result<RoaringBitmap> {
    let c = Container::open(path, expect)?;
    let bytes = c.bytes(c.require::<u8>(ROWS)?)?;
    let set =
        RoaringBitmap::deserialize_from(bytes).map_err(|e| c.damaged(format!("the set of rows: {e}")))?;
    c.check_all()?;
    if set.len() != count || set.max().is_some_and(|m| u64::from(m) >= rows) {
        return Err(c.damaged("the set of deleted rows is not the one that the manifest counts"));
    }
    Ok(set)
}
