//! Names of entities. An id is the first 64 bits of a stable hash of the name; a collision
//! takes the next free value, in the order in which names were recorded.
//!
//! Owns `dict/NNNNNNNNNN.dict`, a container of kind `Dictionary`: names sorted by id. Each
//! sealed batch of new names is one file; a look-up asks the few files in turn.

mod file;

pub use file::{DictFile, Spec, Written, write};

use crate::error::{Error, Result};
use crate::format::checksum::hash64;
use crate::model::EntityId;
use crate::suggest::nearest;
use std::collections::HashMap;
use std::sync::Arc;

/// Longest name in bytes.
pub const MAX_NAME: usize = 1024;

/// All names of one version: those in files, and those still in the log or newer.
#[derive(Debug, Default, Clone)]
pub struct Dictionary {
    files: Vec<Arc<DictFile>>,
    recent: HashMap<EntityId, String>,
}

impl Dictionary {
    /// The dictionary of a dataset with these files.
    pub fn new(files: Vec<Arc<DictFile>>) -> Self {
        Dictionary { files, recent: HashMap::new() }
    }

    /// Adds a name that has its id already, from the log.
    pub fn record(&mut self, id: EntityId, name: &str) {
        self.recent.insert(id, name.to_owned());
    }

    /// Takes back a name that [`Dictionary::id_or_new`] gave an id to, and that nothing stands for.
    pub fn forget_new(&mut self, id: EntityId) {
        self.recent.remove(&id);
    }

    /// The name of an id.
    pub fn name(&self, id: EntityId) -> Result<Option<String>> {
        if let Some(n) = self.recent.get(&id) {
            return Ok(Some(n.clone()));
        }
        for f in &self.files {
            if let Some(n) = f.name(id)? {
                return Ok(Some(n.to_owned()));
            }
        }
        Ok(None)
    }

    /// The id of a name.
    pub fn id(&self, name: &str) -> Result<Option<EntityId>> {
        Ok(match self.probe(name)? {
            Probe::Known(id) => Some(id),
            Probe::Free(_) => None,
        })
    }

    /// The id of a name, which is recorded when new; the flag says so.
    pub fn id_or_new(&mut self, name: &str) -> Result<(EntityId, bool)> {
        match self.probe(name)? {
            Probe::Known(id) => Ok((id, false)),
            Probe::Free(id) => {
                self.record(id, name);
                Ok((id, true))
            }
        }
    }

    fn probe(&self, name: &str) -> Result<Probe> {
        let mut id = hash64(name.as_bytes());
        loop {
            match self.name(id)? {
                None => return Ok(Probe::Free(id)),
                Some(n) if n == name => return Ok(Probe::Known(id)),
                Some(_) => id = id.wrapping_add(1),
            }
        }
    }

    /// Checks every byte of the files, and that each name leads back to its id.
    pub fn verify(&self) -> Result<()> {
        for f in &self.files {
            f.verify()?;
            for (id, name) in f.all()? {
                if self.id(&name)? != Some(id) {
                    return Err(f.damaged(format!("the name \"{name}\" does not lead to its id")));
                }
            }
        }
        Ok(())
    }

    /// All names of the file with this id.
    pub fn names_of_file(&self, id: u64) -> Result<Vec<(EntityId, String)>> {
        match self.files.iter().find(|f| f.id() == id) {
            Some(f) => f.all(),
            None => Err(Error::internal("a dictionary file that is not open")),
        }
    }

    /// Names in files and beyond.
    pub fn len(&self) -> usize {
        self.files.iter().map(|f| f.len()).sum::<usize>() + self.recent.len()
    }

    /// True without names.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names that are most like `name`, nearest first, for a message. Looks at all names, so
    /// it is for the moment before a command fails.
    pub fn similar(&self, name: &str, most: usize) -> Result<Vec<String>> {
        let mut near: Vec<&str> = nearest(name, self.recent.values().map(String::as_str), most);
        for f in &self.files {
            near.extend(nearest(name, f.names()?, most));
        }
        Ok(nearest(name, near, most).into_iter().map(str::to_owned).collect())
    }
}

enum Probe {
    Known(EntityId),
    Free(EntityId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collisions_take_the_next_id_in_recorded_order() {
        let mut d = Dictionary::default();
        let h = hash64(b"apple");
        d.record(h, "squatter");
        assert_eq!(d.id("apple").unwrap(), None);
        assert_eq!(d.id_or_new("apple").unwrap(), (h.wrapping_add(1), true));
        assert_eq!(d.id_or_new("apple").unwrap(), (h.wrapping_add(1), false));
        assert_eq!(d.name(h.wrapping_add(1)).unwrap().as_deref(), Some("apple"));
    }

    #[test]
    fn similar_names() {
        let mut d = Dictionary::default();
        for n in ["apple", "ample", "maple", "zebra"] {
            d.id_or_new(n).unwrap();
        }
        assert_eq!(d.similar("aple", 3).unwrap(), ["ample", "apple", "maple"]);
    }
}
