//! What is left of an erasure: reads every kind of file and says where it finds anything of the subjects.
//!
//! The check is independent of the steps before it: it opens the dataset again, looks through all rows of all files of
//! points, dead ones included, and searches every file of the dataset for the bytes of the names.

use super::{Subjects, results};
use crate::cold::Store;
use crate::dataset::{Part, Snapshot};
use crate::error::{Error, Result};
use crate::fsio;
use crate::index::Check;
use crate::manifest;
use crate::results::stored::{self, What};
use std::collections::BTreeSet;
use std::path::Path;

/// Names with fewer bytes occur by chance in files of numbers.
const MIN_NAME: usize = 6;
/// Bytes of a file that are searched at a time.
const CHUNK: usize = 1 << 20;

/// An object in a store outside the dataset.
pub type Object = (String, String);

/// All objects in other stores that any kept version names.
pub fn objects(dir: &Path) -> Result<BTreeSet<Object>> {
    let mut out = BTreeSet::new();
    for commit in manifest::commits(dir)? {
        let Some(m) = manifest::read_commit(dir, commit)? else { continue };
        for f in &m.files {
            let store = m.placement(f.id).and_then(|p| (p.store as usize).checked_sub(1));
            if let Some(target) = store.and_then(|i| m.stores.get(i)) {
                out.insert((target.clone(), m.path_of(f)));
            }
        }
    }
    Ok(out)
}

/// The newest version, and where anything of the subjects is left. `before` are the objects in other stores from when the
/// erasure began.
pub fn left(dir: &Path, subjects: &Subjects, before: &BTreeSet<Object>) -> Result<(u64, Vec<String>)> {
    let snapshot = Snapshot::open(dir, None)?;
    let mut out = Vec::new();
    for part in snapshot.parts()? {
        if holds_points(part, subjects) {
            out.push(format!("{}: rows", part.path().display()));
        }
    }
    let gone = subjects.without_points(&snapshot)?;
    for entry in snapshot.manifest().index_parts() {
        let open = snapshot.index_part(&entry)?;
        let reader = open.part.reader(Check::Lazy)?;
        for e in &gone {
            if !reader.rows_until(*e, i64::MAX)?.is_empty() {
                out.push(format!("{}: rows", entry.path()));
                break;
            }
        }
    }
    if subjects.whole {
        for id in &gone {
            if snapshot.entity_name(*id)?.is_some() {
                out.push("dict: a name".into());
            }
        }
    }
    let id = snapshot.config().id;
    for what in What::ALL {
        for name in stored::names(dir, what)? {
            if results::holds(dir, id, what, &name, subjects)? {
                out.push(format!("results: {} {name}", what.as_str()));
            }
        }
    }
    let named = objects(dir)?;
    for (target, name) in before.difference(&named) {
        match Store::open(target).and_then(|s| s.len(name)) {
            Ok(None) => {}
            Ok(Some(_)) => out.push(format!("{target}: {name}")),
            Err(e) => out.push(format!("{target}: {name} cannot be checked: {e}")),
        }
    }
    names_in_files(dir, subjects, &mut out)?;
    Ok((snapshot.manifest().commit, out))
}

/// True when a file of points has a row of the subjects, alive or dead.
fn holds_points(part: &Part, subjects: &Subjects) -> bool {
    match subjects.whole {
        true => subjects.entities.iter().any(|e| part.find(*e).is_some()),
        false => subjects.points.iter().any(|key| part.row_of(*key).is_some()),
    }
}

fn names_in_files(dir: &Path, subjects: &Subjects, out: &mut Vec<String>) -> Result<()> {
    let names: Vec<&[u8]> = subjects.names().filter(|n| n.len() >= MIN_NAME).map(str::as_bytes).collect();
    let longest = names.iter().map(|n| n.len()).max().unwrap_or(0);
    if longest == 0 {
        return Ok(());
    }
    for file in walkdir::WalkDir::new(dir).follow_links(false) {
        let file =
            file.map_err(|e| Error::internal(format!("the files of the dataset cannot be listed: {e}")))?;
        if !file.file_type().is_file() {
            continue;
        }
        let mut found = false;
        fsio::read_chunks(file.path(), CHUNK, longest - 1, &mut |bytes| {
            found |= names.iter().any(|n| memchr::memmem::find(bytes, n).is_some());
        })?;
        if found {
            let path = file.path().strip_prefix(dir).unwrap_or(file.path());
            out.push(format!("{}: a name", path.display()));
        }
    }
    Ok(())
}
