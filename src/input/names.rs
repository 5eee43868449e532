//! Names for ids: a table of both, so that a dataset with names takes rows that know ids only.

use super::rows::{Fault, Row};
use crate::error::Code;
use crate::text::shorten;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names of ids. Equal tables are equal, wherever they were read from.
#[derive(Clone)]
pub struct Names {
    names: Arc<HashMap<String, String>>,
    path: PathBuf,
    hash: u128,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Names({:032x})", self.hash)
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Names) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Names {}

impl Names {
    /// Hash of ids and names.
    pub(crate) fn hash(&self) -> u128 {
        self.hash
    }

    /// Of names by id, from the file `path`; `hash` is of both.
    pub(super) fn new(names: HashMap<String, String>, path: &Path, hash: u128) -> Names {
        Names { names: Arc::new(names), path: path.to_owned(), hash }
    }

    /// Puts the name in the place of the id that a row has.
    pub(super) fn give(&self, row: &mut Row) -> std::result::Result<(), Fault> {
        match self.names.get(&row.name) {
            Some(name) => {
                row.name.clone_from(name);
                Ok(())
            }
            None => {
                let message = format!("id `{}` has no name in {}", shorten(&row.name), self.path.display());
                Err(Fault::new(Code::BadEntity, message).fix("add a line for it there"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;

    fn read(text: &str) -> Result<Names> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names.csv");
        std::fs::write(&path, text).unwrap();
        Names::read(&path)
    }

    #[test]
    fn ids_get_their_names() {
        let names = read("id,name\n7,seven\n8,eight\n7,seven\n").unwrap();
        let mut row = Row { name: "7".into(), ..Row::default() };
        names.give(&mut row).unwrap();
        assert_eq!(row.name, "seven");
        let fault = names.give(&mut Row { name: "9".into(), ..Row::default() }).unwrap_err();
        assert!(fault.code == Code::BadEntity && fault.message.contains("`9` has no name"));
        assert_eq!(read("entity,entity_id\nseven,7\neight,8\nseven,7\n").unwrap(), names);
        for (text, line) in [("id,name\n7,a\n7,b\n", 3), ("id,x\n7,a\n", 2), ("id,name\n7,\n", 2)] {
            assert_eq!(read(text).unwrap_err().place().line, Some(line), "{text}");
        }
    }
}
