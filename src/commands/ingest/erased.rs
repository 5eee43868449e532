//! Rows of what was erased: left out, or taken back when the user says so.

use crate::error::Result;
use crate::format::DatasetId;
use crate::input::InputRows;
use crate::results::erased::Tombstones;
use std::path::Path;

/// The tombstones as one run sees them. The run holds the writer's lock, so nobody adds any meanwhile.
#[derive(Debug)]
pub struct Erased {
    tombstones: Tombstones,
    /// True with `--allow-erased`.
    allowed: bool,
    lifted: bool,
}

impl Erased {
    /// Reads the tombstones of the dataset in `dir`.
    pub fn open(dir: &Path, dataset: DatasetId, allowed: bool) -> Result<Erased> {
        Ok(Erased { tombstones: Tombstones::read(dir, dataset)?, allowed, lifted: false })
    }

    /// Takes the rows of what was erased out of a batch; returns how many. Where they are allowed it keeps them and
    /// lifts their tombstones, so that later runs take their entities too.
    pub fn filter(&mut self, rows: &mut InputRows) -> u64 {
        if self.tombstones.is_empty() {
            return 0;
        }
        let mut label = String::new();
        let covered: Vec<bool> = (0..rows.len())
            .map(|i| {
                let key = rows.points.key(i);
                label.clear();
                match rows.names.is_empty() {
                    true => label.push_str(&key.entity.to_string()),
                    false => label.push_str(rows.names.get(i)),
                }
                match self.allowed {
                    true => {
                        self.lifted |= self.tombstones.lift(&label, key.t);
                        false
                    }
                    false => self.tombstones.covers(&label, key.t),
                }
            })
            .collect();
        rows.retain(|i| !covered[i]);
        covered.iter().filter(|c| **c).count() as u64
    }

    /// Writes what was lifted; the caller holds the writer's lock.
    pub fn finish(self, dir: &Path) -> Result<()> {
        if self.lifted { self.tombstones.write(dir) } else { Ok(()) }
    }
}
