//! Which points the index lacks, and which of its rows a selection allows.

use crate::dataset::{IndexPart, Part, Select, Selected, Snapshot};
use crate::error::Result;
use crate::index::Reader;
use crate::manifest::{FileEntry, FileKind};
use crate::model::{TimeRange, VectorSource};
use roaring::RoaringBitmap;
use std::ops::Range;

/// The live points in a range of time that no part of the index covers. Files that are covered
/// whole are not opened.
pub fn outside<'a>(snapshot: &'a Snapshot, time: &TimeRange) -> Result<Selected<'a>> {
    let index = snapshot.manifest().index_parts();
    let mut out = Selected::default();
    let select = Select { time: *time, ..Select::default() };
    for i in 0..snapshot.part_count() {
        let whole = |file: &FileEntry| index.iter().any(|part| part.covers_all(file));
        let entry = snapshot.part_entry(i);
        if entry.is_some_and(|f| f.kind != FileKind::Cold && whole(f) || !f.time().overlaps(time)) {
            continue;
        }
        let part = snapshot.part(i)?;
        let mut rows = select.rows_of(part)?;
        if entry.is_some_and(|f| index.iter().any(|p| meets(p, f))) {
            rows = keep(rows, |row| !covered(&index, part, row));
        }
        if !rows.is_empty() {
            out.parts.push((part, rows));
        }
    }
    Ok(out)
}

/// True when a part of the index can cover points of a file.
fn meets(part: &FileEntry, file: &FileEntry) -> bool {
    part.seq_min <= file.seq_max && file.seq_min <= part.seq_max && part.time().overlaps(&file.time())
}

/// True when the index answers for a row. Cold blocks are scanned: their codes are what there is.
fn covered(index: &[FileEntry], part: &Part, row: u32) -> bool {
    let cold = part.entry.is_some_and(|f| f.kind == FileKind::Cold);
    let (seq, t) = (part.seq(row as usize), part.times()[row as usize]);
    // Rows of the live log come after everything that is indexed.
    part.entry.is_some() && !cold && index.iter().any(|p| p.covers(seq, t))
}

/// The rows of sorted ranges for which `wanted` holds.
fn keep(rows: Vec<Range<u32>>, wanted: impl Fn(u32) -> bool) -> Vec<Range<u32>> {
    let mut kept: Vec<Range<u32>> = Vec::new();
    for row in rows.into_iter().flatten().filter(|row| wanted(*row)) {
        match kept.last_mut() {
            Some(last) if last.end == row => last.end = row + 1,
            _ => kept.push(row..row + 1),
        }
    }
    kept
}

/// Splits selected points: the rows that each part of the index is allowed to find, and the
/// points that no part covers.
pub(super) fn split<'a>(
    selected: Selected<'a>,
    parts: &[IndexPart],
    readers: &[Reader<'_>],
) -> Result<(Vec<RoaringBitmap>, Selected<'a>)> {
    let entries: Vec<FileEntry> = parts.iter().map(|p| p.entry).collect();
    let mut allowed = vec![RoaringBitmap::new(); parts.len()];
    let mut rest = Selected::default();
    for (part, rows) in selected.parts {
        for row in rows.iter().cloned().flatten().filter(|row| covered(&entries, part, *row)) {
            let (seq, key) = (part.seq(row as usize), part.key(row as usize));
            if let Some(i) = entries.iter().position(|e| e.covers(seq, key.t)) {
                allowed[i].extend(readers[i].row(key)?);
            }
        }
        let rows = keep(rows, |row| !covered(&entries, part, row));
        if !rows.is_empty() {
            rest.parts.push((part, rows));
        }
    }
    Ok((allowed, rest))
}
