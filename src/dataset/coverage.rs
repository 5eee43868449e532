//! Which stored rows the index holds.
//!
//! A row is known by its sequence number, which is given out once and stays with it wherever it
//! moves. A part of the index holds a row when it has one with this key and sequence number that is
//! not dead. Nothing else decides, so what a part was built from, and what writers did meanwhile, is
//! of no matter. `Manifest::covered` only remembers the answer for whole files.

use super::index::IndexPart;
use super::part::{Part, RowId};
use crate::error::Result;
use crate::index::Reader;
use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::model::{EntityId, TimestampUs};
use std::ops::Range;

/// A row of a part of the index: which part, which row.
pub type Place = (usize, u32);

/// Some parts of the index with a reader for each.
#[derive(Debug, Clone, Copy)]
pub struct Coverage<'c, 'p> {
    parts: &'c [IndexPart],
    readers: &'c [Reader<'p>],
}

impl FileEntry {
    /// False when a part of the index cannot hold a row of a file.
    pub fn meets(&self, file: &FileEntry) -> bool {
        self.seq_min <= file.seq_max && file.seq_min <= self.seq_max && self.time().overlaps(&file.time())
    }
}

impl Manifest {
    /// True when all live rows of a file are known to be held by the index, with some parts gone.
    pub fn is_covered(&self, file: &FileEntry, gone: &[FileEntry]) -> bool {
        self.covered.binary_search(&file.id).is_ok() && !gone.iter().any(|part| part.meets(file))
    }
}

impl<'c, 'p> Coverage<'c, 'p> {
    /// Of parts and their readers, one for each.
    pub fn new(parts: &'c [IndexPart], readers: &'c [Reader<'p>]) -> Self {
        Coverage { parts, readers }
    }

    /// The place of a point.
    pub fn find(&self, point: RowId) -> Result<Option<Place>> {
        for (i, (part, reader)) in self.parts.iter().zip(self.readers).enumerate() {
            if let Some(row) = reader.row(point.key)?
                && !part.dead.contains(row)
                && reader.is_point(row, point.seq)?
            {
                return Ok(Some((i, row)));
            }
        }
        Ok(None)
    }

    /// Hands the place of each row of some ranges of a file to `put`, in order. Rows of the live log
    /// and of cold blocks have none: those are scanned, whatever the index holds.
    pub fn places(
        &self,
        file: &Part,
        rows: &[Range<u32>],
        put: &mut dyn FnMut(u32, Option<Place>),
    ) -> Result<()> {
        let indexable = file.entry.as_ref().filter(|f| f.kind != FileKind::Cold);
        let near: Vec<usize> = match indexable {
            None => Vec::new(),
            Some(entry) => (0..self.parts.len()).filter(|i| self.parts[*i].entry.meets(entry)).collect(),
        };
        if near.is_empty() {
            rows.iter().cloned().flatten().for_each(|row| put(row, None));
            return Ok(());
        }
        for range in rows {
            let mut row = range.start;
            while row < range.end {
                let run = file.run_of(row as usize);
                let end = (file.run(run).end as u32).min(range.end);
                self.places_of_run(file, file.entities()[run], row..end, &near, put)?;
                row = end;
            }
        }
        Ok(())
    }

    /// Rows of one entity, ascending in time, beside the rows that the parts have of it.
    fn places_of_run(
        &self,
        file: &Part,
        entity: EntityId,
        rows: Range<u32>,
        near: &[usize],
        put: &mut dyn FnMut(u32, Option<Place>),
    ) -> Result<()> {
        let times = file.times();
        let mut rests = Vec::new();
        for i in near {
            let rest = self.rows_from(*i, entity, times[rows.start as usize])?;
            if !rest.is_empty() {
                rests.push((*i, rest));
            }
        }
        for row in rows {
            let (t, seq) = (times[row as usize], file.seq(row as usize));
            let mut place = None;
            for (i, rest) in &mut rests {
                let reader = &self.readers[*i];
                while let Some((first, behind)) = rest.split_first() {
                    let at = reader.view().time.one(*first as usize)?;
                    if at == t && !self.parts[*i].dead.contains(*first) && reader.is_point(*first, seq)? {
                        place = Some((*i, *first));
                    }
                    if at > t {
                        break;
                    }
                    *rest = behind;
                }
            }
            put(row, place);
        }
        Ok(())
    }

    /// The rows of an entity in a part from an instant on.
    fn rows_from(&self, part: usize, entity: EntityId, t: TimestampUs) -> Result<&'p [u32]> {
        let all = self.readers[part].rows_until(entity, TimestampUs::MAX)?;
        let before = match t.checked_sub(1) {
            Some(before) => self.readers[part].rows_until(entity, before)?.len(),
            None => 0,
        };
        Ok(&all[before..])
    }

    /// Of some rows of a file those that no part holds.
    pub fn lacking(&self, file: &Part, rows: &[Range<u32>]) -> Result<Vec<Range<u32>>> {
        let mut kept: Vec<Range<u32>> = Vec::new();
        self.places(file, rows, &mut |row, place| match kept.last_mut() {
            _ if place.is_some() => {}
            Some(last) if last.end == row => last.end = row + 1,
            _ => kept.push(row..row + 1),
        })?;
        Ok(kept)
    }

    /// True when every live row of a file is held.
    pub(super) fn holds_all(&self, file: &Part) -> Result<bool> {
        let mut live = Vec::new();
        file.live_ranges(0..file.rows(), &mut live);
        Ok(self.lacking(file, &live)?.is_empty())
    }
}
