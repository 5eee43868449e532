//! Taking names and rows of the index out of the files of the next version, for erasure.

use super::Writer;
use crate::error::Result;
use crate::format::checksum::hash64;
use crate::manifest::{FileEntry, FileKind};
use crate::model::{EntityId, Key};
use std::collections::BTreeSet;

/// What [`Writer::forget`] took out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Names.
    pub names: u64,
    /// Names that stay because the id of another name follows from them (a collision of two hashes).
    pub names_kept: u64,
    /// Parts of the index.
    pub index_parts: u64,
}

impl Writer {
    /// Takes the names of `entities` out of the dictionary, and gives up the parts of the index whose files hold rows of
    /// `entities` or of `points`, whether these rows still count or not. Publishes one new version when anything changed.
    ///
    /// # Errors
    /// `io` when a file cannot be written, `damaged` when a dictionary file cannot be read.
    pub fn forget(&mut self, entities: &BTreeSet<EntityId>, points: &[Key]) -> Result<Forgotten> {
        self.seal()?;
        self.change(|w| w.forget_now(entities, points))
    }

    fn forget_now(&mut self, entities: &BTreeSet<EntityId>, points: &[Key]) -> Result<Forgotten> {
        let index_parts = self.drop_index_parts(&|reader| {
            for e in entities {
                if !reader.rows_until(*e, i64::MAX)?.is_empty() {
                    return Ok(true);
                }
            }
            for key in points {
                if reader.row(*key)?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        })?;
        let mut out = Forgotten { index_parts: index_parts as u64, ..Forgotten::default() };
        self.forget_names(entities, &mut out)?;
        if self.unpublished {
            self.publish()?;
        }
        Ok(out)
    }

    fn forget_names(&mut self, gone: &BTreeSet<EntityId>, out: &mut Forgotten) -> Result<()> {
        let files: Vec<FileEntry> = self.manifest.of(FileKind::Dictionary).copied().collect();
        let (mut kept, mut replaced) = (Vec::new(), Vec::new());
        for f in files {
            let names = self.dict.names_of_file(f.id)?;
            if !names.iter().any(|(id, _)| gone.contains(id)) {
                continue;
            }
            replaced.push(f.id);
            for (id, name) in names {
                if !gone.contains(&id) {
                    kept.push((id, name));
                } else if self.another_depends_on(id)? {
                    out.names_kept += 1;
                    kept.push((id, name));
                } else {
                    out.names += 1;
                }
            }
        }
        if replaced.is_empty() { Ok(()) } else { self.replace_names(kept, &replaced) }
    }

    /// A name that found its own id taken has the next one: without the name before it, it would not be found.
    fn another_depends_on(&self, id: EntityId) -> Result<bool> {
        let next = id.wrapping_add(1);
        Ok(self.dict.name(next)?.is_some_and(|name| hash64(name.as_bytes()) != next))
    }
}
