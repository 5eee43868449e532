//! The states of online detectors: `results/states.NAME.cvxr`, a compressed text an entity.
//!
//! A run reads one file and writes the next one beside it, entity by entity in the order of ids;
//! what it does not touch is carried over.

use super::stored::{Creator, Head, Stored, What};
use crate::error::{Code, Error, Result};
use crate::format::DatasetId;
use crate::model::EntityId;
use std::path::Path;

const LEVEL: i32 = 3;
/// Largest state of one entity, uncompressed.
const MAX_STATE: usize = 1 << 30;

/// States as they were stored.
#[derive(Debug)]
pub struct States {
    stored: Stored,
}

impl States {
    /// Opens the states of this name; `None` when there are none.
    pub fn open(dir: &Path, dataset: DatasetId, name: &str) -> Result<Option<States>> {
        States::read(dir, dataset, name).map_err(|e| match e.code() {
            Code::Damaged => e.fix("remove this file: the next run makes it anew from all points"),
            _ => e,
        })
    }

    fn read(dir: &Path, dataset: DatasetId, name: &str) -> Result<Option<States>> {
        let Some(stored) = Stored::open(dir, dataset, What::States, name)? else { return Ok(None) };
        let states = States { stored };
        let ends = states.ends()?;
        let len = states.data()?.len() as u64;
        let sorted = states.entities()?.windows(2).all(|w| w[0] < w[1]);
        let within = ends.windows(2).all(|w| w[0] <= w[1]) && ends.last().is_none_or(|e| *e <= len);
        if ends.len() != states.entities()?.len() || !sorted || !within {
            return Err(states.stored.container.damaged("the table of states is not in order"));
        }
        Ok(Some(states))
    }

    /// What the file says of itself.
    pub fn head(&self) -> &Head {
        &self.stored.head
    }

    /// The entities, ascending.
    pub fn entities(&self) -> Result<&[EntityId]> {
        self.stored.container.all(*b"ENTS")
    }

    /// Reads every byte, for verify.
    pub fn check(&self) -> Result<()> {
        self.stored.container.check_all()
    }

    fn ends(&self) -> Result<&[u64]> {
        self.stored.container.all(*b"ENDS")
    }

    fn data(&self) -> Result<std::ops::Range<usize>> {
        self.stored.container.require::<u8>(*b"DATA")
    }

    /// The compressed state at a position among the entities.
    fn packed(&self, i: usize) -> Result<&[u8]> {
        let (ends, data) = (self.ends()?, self.data()?);
        let out = || self.stored.container.damaged("a state lies outside the file");
        let end = *ends.get(i).ok_or_else(out)? as usize;
        let start = if i == 0 { 0 } else { *ends.get(i - 1).ok_or_else(out)? as usize };
        self.stored.container.bytes(data.start + start..data.start + end)
    }

    /// An entity's state.
    pub fn get(&self, entity: EntityId) -> Result<Option<Vec<u8>>> {
        let Ok(i) = self.entities()?.binary_search(&entity) else { return Ok(None) };
        let unpacked = zstd::bulk::decompress(self.packed(i)?, MAX_STATE);
        unpacked.map(Some).map_err(|e| self.stored.container.damaged(format!("a state cannot be read: {e}")))
    }
}

/// Compresses a state, on the thread that made it.
pub fn pack(state: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::compress(state, LEVEL).map_err(|e| Error::internal(format!("a state: {e}")))
}

/// The next states, entity by entity.
#[derive(Debug)]
pub struct NextStates {
    creator: Creator,
    before: Option<States>,
    /// Position in `before`.
    at: usize,
    entities: Vec<EntityId>,
    ends: Vec<u64>,
}

impl NextStates {
    /// Starts a file that takes the place of `before`; the caller holds the writer's lock.
    pub fn create(dir: &Path, dataset: DatasetId, name: &str, before: Option<States>) -> Result<NextStates> {
        let mut creator = Creator::create(dir, dataset, What::States, name)?;
        creator.writer.section(*b"DATA", 1, crate::format::container::ALIGN)?;
        Ok(NextStates { creator, before, at: 0, entities: Vec::new(), ends: Vec::new() })
    }

    /// Writes an entity's state, packed by [`pack`]; entities come in ascending order.
    pub fn put(&mut self, entity: EntityId, packed: &[u8]) -> Result<()> {
        self.carry(Some(entity))?;
        self.write(entity, packed)
    }

    /// Leaves an entity's old state out; entities come in ascending order, with those of [`NextStates::put`].
    pub fn leave_out(&mut self, entity: EntityId) -> Result<()> {
        self.carry(Some(entity))
    }

    fn write(&mut self, entity: EntityId, packed: &[u8]) -> Result<()> {
        self.creator.writer.write(packed)?;
        self.entities.push(entity);
        self.ends.push(self.ends.last().unwrap_or(&0) + packed.len() as u64);
        Ok(())
    }

    /// Carries over what lies before `entity`, and passes over its own old state.
    fn carry(&mut self, until: Option<EntityId>) -> Result<()> {
        let Some(before) = self.before.take() else { return Ok(()) };
        while let Some(&entity) = before.entities()?.get(self.at) {
            if until.is_some_and(|u| entity > u) {
                break;
            }
            if until != Some(entity) {
                self.write(entity, before.packed(self.at)?)?;
            }
            self.at += 1;
        }
        self.before = Some(before);
        Ok(())
    }

    /// Carries over the rest and gives the file its name. `head.rows` becomes the number of states.
    pub fn finish(mut self, head: Head) -> Result<()> {
        self.carry(None)?;
        self.creator.writer.write_section(*b"ENTS", &self.entities)?;
        self.creator.writer.write_section(*b"ENDS", &self.ends)?;
        self.creator.finish(&Head { rows: self.entities.len() as u64, ..head })
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::tests::{dataset_dir, head};
    use super::*;

    fn write(dir: &Path, states: &[(u64, &str)]) {
        let before = States::open(dir, [1; 16], "s").unwrap();
        let mut next = NextStates::create(dir, [1; 16], "s", before).unwrap();
        for (entity, text) in states {
            next.put(*entity, &pack(text.as_bytes()).unwrap()).unwrap();
        }
        next.finish(head(What::States, "s")).unwrap();
    }

    fn read(dir: &Path) -> Vec<(u64, String)> {
        let states = States::open(dir, [1; 16], "s").unwrap().unwrap();
        states.check().unwrap();
        let text = |e: u64| String::from_utf8(states.get(e).unwrap().unwrap()).unwrap();
        let entities = states.entities().unwrap();
        assert_eq!(states.head().rows, entities.len() as u64);
        entities.iter().map(|e| (*e, text(*e))).collect()
    }

    #[test]
    fn states_are_replaced_and_carried_over() {
        let dir = dataset_dir();
        let dir = dir.path();
        assert!(States::open(dir, [1; 16], "s").unwrap().is_none());
        write(dir, &[(3, "three"), (9, "nine")]);
        assert_eq!(read(dir), [(3, "three".into()), (9, "nine".into())]);
        write(dir, &[(1, "one"), (9, "NINE")]);
        assert_eq!(read(dir), [(1, "one".into()), (3, "three".into()), (9, "NINE".into())]);
        write(dir, &[]);
        assert_eq!(read(dir).len(), 3);
        let mut next =
            NextStates::create(dir, [1; 16], "s", States::open(dir, [1; 16], "s").unwrap()).unwrap();
        next.leave_out(2).unwrap();
        next.leave_out(3).unwrap();
        next.finish(head(What::States, "s")).unwrap();
        assert_eq!(read(dir), [(1, "one".into()), (9, "NINE".into())]);
        write(dir, &[(3, "three")]);
        assert!(States::open(dir, [1; 16], "s").unwrap().unwrap().get(2).unwrap().is_none());
    }
}
