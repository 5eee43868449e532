//! Tombstones: which entities and points were erased, so that `ingest` does not bring them back.
//!
//! Owns `results/erased`: a line with the checksum of the rest, then one 128-bit mark a line, in hexadecimal,
//! ascending. A mark is a hash of the dataset's id and the entity's name or id (and the time, for a single point): the
//! file holds no name. Someone who can guess a name or an id can test it against the file; it is not a secret.
//! Unlike the other files here it decides what a dataset may hold, so damage is an error and never a warning.

use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::format::checksum::{hash64, hash128, holds};
use crate::fsio::{self, Publish, TempFile};
use crate::model::TimestampUs;
use std::collections::BTreeSet;
use std::path::Path;

const HEAD: &str = "cvx-erased 1 ";
const FILE: &str = "results/erased";
/// Largest file that is read: 30 million marks.
const MAX_LEN: u64 = 1 << 30;

/// The marks of what was erased from one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstones {
    dataset: DatasetId,
    marks: BTreeSet<u128>,
}

impl Tombstones {
    /// Reads the tombstones of the dataset in `dir`; none when nothing was ever erased.
    ///
    /// # Errors
    /// `damaged` when the file is not as it was written: rows of erased entities could come back unseen.
    pub fn read(dir: &Path, dataset: DatasetId) -> Result<Tombstones> {
        let path = dir.join(FILE);
        let none = Tombstones { dataset, marks: BTreeSet::new() };
        if !path.exists() {
            return Ok(none);
        }
        let damaged = || {
            Error::damaged(&path, "the list of erased entities is not as it was written")
                .fix("restore it from a backup, or remove it and erase the entities again")
        };
        let text = String::from_utf8(fsio::read_file(&path, MAX_LEN)?).map_err(|_| damaged())?;
        let (head, body) = text.split_once('\n').ok_or_else(damaged)?;
        if !holds(format!("{HEAD}{:016x}", hash64(body.as_bytes())).as_str(), head) {
            return Err(damaged());
        }
        let marks = body.lines().map(|l| u128::from_str_radix(l, 16).map_err(|_| damaged()));
        Ok(Tombstones { marks: marks.collect::<Result<_>>()?, ..none })
    }

    /// Writes the tombstones, atomically; the caller holds the writer's lock.
    ///
    /// # Errors
    /// `io` when the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let body: String = self.marks.iter().map(|m| format!("{m:032x}\n")).collect();
        let temp = dir.join("tmp/erased");
        fsio::remove_file(&temp)?;
        let mut t = TempFile::create(temp)?;
        t.write_all(format!("{HEAD}{:016x}\n{body}", hash64(body.as_bytes())).as_bytes())?;
        t.publish(&dir.join(FILE), Publish::Replace)
    }

    /// True when nothing was erased.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Number of tombstones.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Records an entity by its label: its name, or its id in decimal where entities have no names.
    pub fn add_entity(&mut self, label: &str) {
        self.marks.insert(self.entity_mark(label));
    }

    /// Records one point of an entity.
    pub fn add_point(&mut self, label: &str, t: TimestampUs) {
        self.marks.insert(self.point_mark(label, t));
    }

    /// True when the entity was erased as a whole.
    pub fn has_entity(&self, label: &str) -> bool {
        self.marks.contains(&self.entity_mark(label))
    }

    /// True when a point was erased, alone or with its entity.
    pub fn covers(&self, label: &str, t: TimestampUs) -> bool {
        self.has_entity(label) || self.marks.contains(&self.point_mark(label, t))
    }

    /// Lifts the tombstones that cover a point; true when there was one.
    pub fn lift(&mut self, label: &str, t: TimestampUs) -> bool {
        let (entity, point) = (self.entity_mark(label), self.point_mark(label, t));
        self.marks.remove(&entity) | self.marks.remove(&point)
    }

    fn entity_mark(&self, label: &str) -> u128 {
        self.mark(b"entity", label, &[])
    }

    fn point_mark(&self, label: &str, t: TimestampUs) -> u128 {
        self.mark(b"point\0", label, &t.to_le_bytes())
    }

    /// The kinds have the same length and the time stands before the label, so no two subjects share their bytes.
    fn mark(&self, kind: &[u8; 6], label: &str, time: &[u8]) -> u128 {
        let mut bytes = Vec::with_capacity(32 + label.len());
        bytes.extend_from_slice(&self.dataset);
        bytes.extend_from_slice(kind);
        bytes.extend_from_slice(time);
        bytes.extend_from_slice(label.as_bytes());
        hash128(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::tests::dataset_dir;
    use super::*;
    use crate::error::Code;

    #[test]
    fn entities_and_points_round_trip() {
        let dir = dataset_dir();
        let mut t = Tombstones::read(dir.path(), [7; 16]).unwrap();
        assert!(t.is_empty());
        t.add_entity("bob");
        t.add_point("eve", -5);
        t.write(dir.path()).unwrap();
        let mut t = Tombstones::read(dir.path(), [7; 16]).unwrap();
        assert_eq!(t.len(), 2);
        assert!(t.has_entity("bob") && t.covers("bob", 9) && t.covers("eve", -5));
        assert!(!t.covers("eve", 5) && !t.has_entity("eve") && !t.covers("bo", 9));
        assert!(t.lift("bob", 1) && !t.lift("bob", 1) && !t.covers("bob", 9));
        let text = std::fs::read_to_string(dir.path().join("results/erased")).unwrap();
        assert!(!text.contains("bob") && !text.contains("eve"));
        let other = Tombstones::read(dir.path(), [8; 16]).unwrap();
        assert!(!other.has_entity("bob"), "marks of one dataset mean nothing in another");
    }

    #[test]
    fn every_flipped_byte_is_found() {
        let dir = dataset_dir();
        let mut t = Tombstones::read(dir.path(), [7; 16]).unwrap();
        t.add_entity("bob");
        t.write(dir.path()).unwrap();
        let path = dir.path().join("results/erased");
        let good = std::fs::read(&path).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 4;
            std::fs::write(&path, bad).unwrap();
            assert_eq!(Tombstones::read(dir.path(), [7; 16]).unwrap_err().code(), Code::Damaged, "byte {i}");
        }
    }
}
