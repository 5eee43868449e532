//! One file of names, sorted by id.

use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::format::container::{ALIGN, Container, Expect, Finished, Kind, Seal, Tag, Writer};
use crate::fsio::TempFile;
use crate::model::EntityId;
use std::ops::Range;
use std::path::Path;

/// u64 a name: ids, ascending.
const IDS: Tag = *b"IDS8";
/// u64 a name: where its text ends.
const ENDS: Tag = *b"ENDS";
/// The texts.
const TEXTS: Tag = *b"TEXT";

/// What a dictionary file is.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The dataset.
    pub dataset: DatasetId,
    /// The file's id.
    pub id: u64,
}

/// What was written: for the manifest.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Length and checksum.
    pub seal: Seal,
    /// Names.
    pub names: u64,
    /// Least and largest id.
    pub entities: (EntityId, EntityId),
}

/// Writes names, sorted by id, into a temporary file.
pub fn write(file: TempFile, spec: Spec, names: &[(EntityId, String)]) -> Result<(Finished, Written)> {
    let mut w = Writer::create(file, Kind::Dictionary, spec.dataset, spec.id)?;
    let ids: Vec<u64> = names.iter().map(|(id, _)| *id).collect();
    let mut end = 0u64;
    let ends: Vec<u64> = names
        .iter()
        .map(|(_, n)| {
            end += n.len() as u64;
            end
        })
        .collect();
    w.write_section(IDS, &ids)?;
    w.write_section(ENDS, &ends)?;
    w.section(TEXTS, 1, ALIGN)?;
    for (_, n) in names {
        w.write(n.as_bytes())?;
    }
    let (finished, seal) = w.finish()?;
    let entities = (ids.first().copied().unwrap_or(0), ids.last().copied().unwrap_or(0));
    Ok((finished, Written { seal, names: ids.len() as u64, entities }))
}

/// An open dictionary file; ids and ends were checked on open, texts as they are read.
#[derive(Debug)]
pub struct DictFile {
    c: Container,
    id: u64,
    ids: Range<usize>,
    ends: Range<usize>,
    texts: Range<usize>,
}

impl DictFile {
    /// Maps the file and checks ids and ends.
    pub fn open(path: &Path, expect: &Expect) -> Result<DictFile> {
        let c = Container::open(path, expect)?;
        let (ids_at, ends_at, texts) =
            (c.require::<u64>(IDS)?, c.require::<u64>(ENDS)?, c.require::<u8>(TEXTS)?);
        let ids = c.slice::<u64>(ids_at.clone())?;
        let ends = c.slice::<u64>(ends_at.clone())?;
        if ids.len() != ends.len()
            || !ids.windows(2).all(|w| w[0] < w[1])
            || !ends.windows(2).all(|w| w[0] <= w[1])
            || ends.last().copied().unwrap_or(0) != texts.len() as u64
        {
            return Err(c.damaged("the dictionary's ids or lengths are not in order"));
        }
        Ok(DictFile { id: expect.id, ids: ids_at, ends: ends_at, texts, c })
    }

    /// Its id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Number of names.
    pub fn len(&self) -> usize {
        self.ids.len() / 8
    }

    /// True without names.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn text(&self, i: usize) -> Result<&str> {
        let ends: &[u64] = self.c.trusted(self.ends.clone());
        let start = if i == 0 { 0 } else { ends[i - 1] as usize };
        let bytes = self.c.bytes(self.texts.start + start..self.texts.start + ends[i] as usize)?;
        std::str::from_utf8(bytes).map_err(|_| self.c.damaged("a name is not UTF-8"))
    }

    /// The name of an id.
    pub fn name(&self, id: EntityId) -> Result<Option<&str>> {
        let ids: &[u64] = self.c.trusted(self.ids.clone());
        ids.binary_search(&id).ok().map(|i| self.text(i)).transpose()
    }

    /// All names.
    pub fn names(&self) -> Result<impl Iterator<Item = &str>> {
        self.c.check_all()?;
        Ok((0..self.len()).filter_map(|i| self.text(i).ok()))
    }

    /// All ids and names, by id.
    pub fn all(&self) -> Result<Vec<(EntityId, String)>> {
        let ids: &[u64] = self.c.trusted(self.ids.clone());
        ids.iter().enumerate().map(|(i, id)| Ok((*id, self.text(i)?.to_owned()))).collect()
    }

    /// An error that names this file.
    pub fn damaged(&self, what: String) -> Error {
        self.c.damaged(what)
    }

    /// Checks every byte and every name.
    pub fn verify(&self) -> Result<()> {
        self.c.check_all()?;
        (0..self.len()).try_for_each(|i| self.text(i).map(|_| ()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_both_ways() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<(u64, String)> = (0..500).map(|i| (i * 7, format!("näme {i}"))).collect();
        let t = TempFile::create(dir.path().join("t")).unwrap();
        let (Finished::File(t), w) = write(t, Spec { dataset: [1; 16], id: 4 }, &names).unwrap() else {
            panic!()
        };
        let path = dir.path().join("d");
        t.publish(&path, crate::fsio::Publish::New).unwrap();
        let f =
            DictFile::open(&path, &Expect { kind: Kind::Dictionary, dataset: [1; 16], id: 4, seal: w.seal })
                .unwrap();
        f.verify().unwrap();
        assert_eq!(f.name(49).unwrap(), Some("näme 7"));
        assert_eq!(f.name(50).unwrap(), None);
        let mut d = super::super::Dictionary::new(vec![std::sync::Arc::new(f)]);
        assert_eq!(d.len(), 500);
        assert!(d.id_or_new("näme 7").unwrap().1, "ids here are not hashes, so the name is new");
    }
}
