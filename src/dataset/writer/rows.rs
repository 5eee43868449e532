//! Rows of sealed files: where they are, and marking them as dead.

use super::Writer;
use crate::dataset::part::{Part, RowId, may_hold};
use crate::error::{Error, Result};
use crate::manifest::FileKind;
use crate::model::{EntityId, Key, TimeRange};
use roaring::RoaringBitmap;

impl Writer {
    pub(super) fn sealed_row(&mut self, key: Key) -> Result<Option<(usize, usize)>> {
        let time = TimeRange::closed(key.t, key.t);
        for i in 0..self.slots.len() {
            if self.may_hold(i, (key.entity, key.entity), &time)
                && let Some(row) = self.part(i)?.live_row_of(key)
            {
                return Ok(Some((i, row)));
            }
        }
        Ok(None)
    }

    pub(super) fn may_hold(&self, slot: usize, entities: (EntityId, EntityId), time: &TimeRange) -> bool {
        let entry = &self.slots[slot].entry;
        may_hold(entry, self.manifest.placement(entry.id), entities, time)
    }

    pub(super) fn part(&mut self, i: usize) -> Result<&mut Part> {
        let slot = &mut self.slots[i];
        if slot.part.is_none() {
            slot.part = Some(self.shelf.part(&self.manifest, &slot.entry, &RoaringBitmap::new())?);
        }
        slot.part.as_mut().ok_or_else(|| Error::internal("a part that was just opened"))
    }

    /// The dead rows of a sealed file.
    pub(super) fn dead_of(&mut self, slot: usize) -> Result<RoaringBitmap> {
        match &self.slots[slot].part {
            Some(part) => Ok(part.dead.clone()),
            None => self.shelf.dead(&self.manifest, &self.slots[slot].entry),
        }
    }

    pub(super) fn kill(&mut self, slot: usize, row: u32) -> Result<()> {
        self.kill_all(slot, &RoaringBitmap::from_iter([row])).map(|_| ())
    }

    /// Marks rows of a sealed file as dead; returns how many were alive.
    pub(super) fn kill_all(&mut self, slot: usize, rows: &RoaringBitmap) -> Result<u64> {
        let part = self.part(slot)?;
        let alive = rows - &part.dead;
        part.dead |= &alive;
        let died: Vec<RowId> = alive.iter().map(|row| part.row_id(row)).collect();
        if self.manifest.of(FileKind::Index).next().is_some() {
            self.unindexed.extend(died);
        }
        self.slots[slot].dirty = true;
        Ok(alive.len())
    }

    /// Marks rows of sealed files as deleted, in one new version. `rows`: file id and its rows.
    /// Returns how many rows were alive before.
    pub fn delete(&mut self, rows: &[(u64, RoaringBitmap)]) -> Result<u64> {
        self.seal()?;
        self.change(|w| w.delete_now(rows))
    }

    fn delete_now(&mut self, rows: &[(u64, RoaringBitmap)]) -> Result<u64> {
        let mut deleted = 0;
        for (file, set) in rows {
            let i = self
                .slots
                .iter()
                .position(|s| s.entry.id == *file)
                .ok_or_else(|| Error::internal("rows of a file that is not live are to be deleted"))?;
            deleted += self.kill_all(i, set)?;
        }
        self.write_deletions()?;
        self.delta.deleted += deleted;
        self.publish()?;
        Ok(deleted)
    }
}
