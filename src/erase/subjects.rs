//! Who and what is erased: entities, points one by one, and the labels that tombstones are made of.

use crate::dataset::{Select, Snapshot};
use crate::error::{Code, Error, Result};
use crate::model::{EntityId, Key, VectorSource};
use crate::results::erased::Tombstones;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What to erase.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which points.
    pub select: Select,
    /// Labels of entities that are to be erased as a whole; empty when `select` chooses points by other means. A label
    /// that the dataset no longer holds is allowed when it has a tombstone: the call then completes an earlier one.
    pub labels: Vec<String>,
    /// How long to wait for readers that hold older versions.
    pub wait: Duration,
}

/// What an erasure is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subjects {
    /// True when the entities leave as a whole, whatever their points are.
    pub whole: bool,
    /// The entities that are concerned.
    pub entities: BTreeSet<EntityId>,
    /// Points that count now and are selected, in no order; empty when entities leave as a whole.
    pub points: Vec<Key>,
    /// Number of selected points.
    pub selected: u64,
    /// Name, or id in decimal, by entity.
    labels: BTreeMap<EntityId, String>,
    /// Labels of entities that the dataset no longer holds.
    former: Vec<String>,
    /// True when labels are names.
    named: bool,
}

impl Subjects {
    /// What `request` is about in a version.
    ///
    /// # Errors
    /// `not_found` for a label that neither the dataset nor its tombstones know.
    pub(super) fn find(snapshot: &Snapshot, request: &Request) -> Result<Subjects> {
        let mut out = Subjects { whole: !request.labels.is_empty(), ..Subjects::default() };
        out.named = snapshot.manifest().named;
        let tombstones = Tombstones::read(snapshot.dir(), snapshot.config().id)?;
        for label in &request.labels {
            match snapshot.entity(label) {
                Ok(id) if snapshot.has_entity(id)? || snapshot.entity_name(id)?.is_some() => {
                    out.entities.insert(id);
                    out.labels.insert(id, label.clone());
                }
                Err(e) if e.code() != Code::NotFound => return Err(e),
                _ if tombstones.has_entity(label) => out.former.push(label.clone()),
                _ => {
                    return Err(Error::new(Code::NotFound, format!("entity \"{label}\" not found"))
                        .entity(label.clone()));
                }
            }
        }
        let selected = request.select.resolve(snapshot)?;
        out.selected = selected.points();
        for (part, ranges) in &selected.parts {
            for row in ranges.iter().flat_map(|r| r.clone()) {
                let key = part.key(row as usize);
                out.entities.insert(key.entity);
                if !out.whole {
                    out.points.push(key);
                }
            }
        }
        for id in &out.entities {
            if !out.labels.contains_key(id) {
                out.labels.insert(*id, snapshot.entity_label(*id)?);
            }
        }
        Ok(out)
    }

    /// Adds the tombstones.
    pub(super) fn mark(&self, tombstones: &mut Tombstones) {
        if self.whole {
            self.labels.values().for_each(|label| tombstones.add_entity(label));
        }
        for key in &self.points {
            if let Some(label) = self.labels.get(&key.entity) {
                tombstones.add_point(label, key.t);
            }
        }
    }

    /// The entities that have no point in a version: their names go too.
    pub(super) fn without_points(&self, snapshot: &Snapshot) -> Result<BTreeSet<EntityId>> {
        let mut out = BTreeSet::new();
        for id in &self.entities {
            if !snapshot.has_entity(*id)? {
                out.insert(*id);
            }
        }
        Ok(out)
    }

    /// The names that must not be left anywhere: of entities that leave as a whole, in a dataset with names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.labels.values().chain(&self.former).map(String::as_str);
        names.filter(|_| self.whole && self.named)
    }
}
