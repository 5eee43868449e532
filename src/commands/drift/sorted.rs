//! Rows out as they come, or once all are there and sorted.

use super::SortBy;
use crate::commands::Rows;
use crate::error::Result;

/// What rows are sorted by, and the number of a row.
type Key<R> = (SortBy, fn(SortBy, &R) -> f64);

/// Sorts and cuts rows on their way out.
pub(super) struct Sorted<'a, R> {
    out: &'a mut dyn Rows<R>,
    key: Option<Key<R>>,
    rows: Vec<R>,
    room: usize,
}

impl<'a, R> Sorted<'a, R> {
    /// Rows by `key`, largest first, where they are sorted; no more than `most`.
    pub fn new(
        out: &'a mut dyn Rows<R>,
        by: Option<SortBy>,
        key: fn(SortBy, &R) -> f64,
        most: Option<usize>,
    ) -> Self {
        Sorted { out, key: by.map(|by| (by, key)), rows: Vec::new(), room: most.unwrap_or(usize::MAX) }
    }

    pub fn take(&mut self, row: R) -> Result<()> {
        if !self.out.admits(&row) {
            return Ok(());
        }
        if self.key.is_some() {
            self.rows.push(row);
        } else if self.room > 0 {
            self.room -= 1;
            self.out.admitted(row)?;
        }
        Ok(())
    }

    /// Equal rows stay in the order of entities.
    pub fn finish(mut self) -> Result<()> {
        if let Some((by, key)) = self.key {
            self.rows.sort_by(|a, b| key(by, b).total_cmp(&key(by, a)));
            let out = &mut self.out;
            self.rows.into_iter().take(self.room).try_for_each(|r| out.admitted(r))?;
        }
        self.out.end()
    }
}
