//! Which points the index lacks, and which of its rows a selection allows.

use crate::dataset::{Coverage, Select, Selected, Snapshot};
use crate::error::Result;
use crate::manifest::{FileEntry, FileKind};
use crate::model::TimeRange;
use roaring::RoaringBitmap;

/// The live points in a range of time that no part of the index holds. `gone` are the parts of this
/// version that `coverage` leaves out. Files that are known to be held are not opened.
pub fn outside<'a>(
    snapshot: &'a Snapshot,
    coverage: Coverage<'_, '_>,
    gone: &[FileEntry],
    time: &TimeRange,
) -> Result<Selected<'a>> {
    let mut out = Selected::default();
    let select = Select { time: *time, ..Select::default() };
    for i in 0..snapshot.part_count() {
        let skip = |f: &FileEntry| {
            !f.time().overlaps(time) || f.kind != FileKind::Cold && snapshot.manifest().is_covered(f, gone)
        };
        if snapshot.part_entry(i).is_some_and(skip) {
            continue;
        }
        let part = snapshot.part(i)?;
        let rows = coverage.lacking(part, &select.rows_of(part)?)?;
        if !rows.is_empty() {
            out.parts.push((part, rows));
        }
    }
    Ok(out)
}

/// Splits selected points: the rows that each part of the index is allowed to find, and the
/// points that no part holds.
pub(super) fn split<'a>(
    selected: Selected<'a>,
    parts: usize,
    coverage: Coverage<'_, '_>,
) -> Result<(Vec<RoaringBitmap>, Selected<'a>)> {
    let mut allowed = vec![RoaringBitmap::new(); parts];
    let mut rest = Selected::default();
    for (part, rows) in selected.parts {
        let mut lacking: Vec<std::ops::Range<u32>> = Vec::new();
        coverage.places(part, &rows, &mut |row, place| match (place, lacking.last_mut()) {
            (Some((i, held)), _) => drop(allowed[i].insert(held)),
            (None, Some(last)) if last.end == row => last.end = row + 1,
            (None, _) => lacking.push(row..row + 1),
        })?;
        if !lacking.is_empty() {
            rest.parts.push((part, lacking));
        }
    }
    Ok((allowed, rest))
}
