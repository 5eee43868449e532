//! The rows of the live log in memory: what is durable but not yet in a segment.

use crate::config::Config;
use crate::error::Result;
use crate::format::container::{Expect, Finished, Kind};
use crate::model::{EntityId, Key};
use crate::points::Points;
use crate::segment::{Segment, SegmentWriter, Spec};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Rows in the order of the log, and where each key's newest one is.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) points: Points,
    pub(super) seqs: Vec<u64>,
    /// For each row, whether it replaces a row outside the log.
    pub(super) replaces: Vec<bool>,
    newest: HashMap<Key, u32>,
    entities: HashSet<EntityId>,
}

impl Memory {
    pub(super) fn new(dim: usize) -> Self {
        Memory { points: Points::new(dim), ..Memory::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Rows that count.
    pub(super) fn len(&self) -> usize {
        self.newest.len()
    }

    /// The newest row with a key.
    pub(super) fn find(&self, key: Key) -> Option<usize> {
        self.newest.get(&key).map(|i| *i as usize)
    }

    /// True when an entity has a row.
    pub(super) fn has_entity(&self, entity: EntityId) -> bool {
        self.entities.contains(&entity)
    }

    /// Appends the rows of a batch.
    pub(super) fn extend(&mut self, batch: Points, replaces: &[bool], first_seq: u64) {
        let first = self.points.len();
        if first == 0 {
            self.points = batch;
        } else {
            let origins: Vec<u32> = batch.origins.iter().map(|o| self.points.intern(o)).collect();
            for i in 0..batch.len() {
                self.points.push(
                    batch.key(i),
                    batch.row(i),
                    batch.meta.get(i),
                    origins[batch.origin[i] as usize],
                );
            }
        }
        for (i, replaces) in replaces.iter().enumerate() {
            let row = (first + i) as u32;
            let key = self.points.key(first + i);
            self.entities.insert(key.entity);
            self.seqs.push(first_seq + i as u64);
            // A row that replaces one of the log inherits what that one replaced.
            let before = self.newest.insert(key, row);
            self.replaces.push(match before {
                Some(b) => self.replaces[b as usize],
                None => *replaces,
            });
        }
    }

    /// The rows that count, in key order.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = self.newest.values().copied().collect();
        rows.sort_unstable_by_key(|r| self.points.key(*r as usize));
        rows
    }

    /// Keys of rows that replace one outside the log.
    pub(super) fn replaced_keys(&self) -> impl Iterator<Item = Key> {
        self.newest.iter().filter(|(_, r)| self.replaces[**r as usize]).map(|(k, _)| *k)
    }

    /// Hands the rows that count to a segment writer, in key order.
    pub(super) fn write(&self, out: &mut SegmentWriter) -> Result<()> {
        let p = &self.points;
        for r in self.sorted() {
            let r = r as usize;
            out.push(
                p.key(r),
                p.row(r),
                p.meta.get(r),
                &p.origins[p.origin[r] as usize],
                self.seqs[r],
                None,
            )?;
        }
        Ok(())
    }

    /// The rows as a segment in memory, coded as the sealed one will be, so that sealing the log
    /// changes no answer.
    pub(super) fn segment(&self, config: &Config) -> Result<Segment> {
        let s = &config.settings;
        let spec = Spec {
            dataset: config.id,
            id: 0,
            dim: s.dim,
            keyframe_interval: s.keyframe_interval,
            tolerance: s.delta_tolerance,
        };
        let mut w = SegmentWriter::in_memory(spec)?;
        self.write(&mut w)?;
        let (finished, written) = w.finish()?;
        let Finished::Memory(bytes) = finished else {
            return Err(crate::Error::internal("a segment in memory went to a file"));
        };
        let expect = Expect { kind: Kind::Segment, dataset: config.id, id: 0, seal: written.seal };
        Segment::from_memory(Path::new("(log)"), &bytes, &expect, s.dim)
    }
}
