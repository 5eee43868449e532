//! Removing what no version needs: old manifests nobody reads, then files no manifest names;
//! and what an interrupted writer left in `tmp/`. Only the writer, under the lock, does this.

use super::NAMED;
use crate::cold::Store;
use crate::error::{Error, Result};
use crate::fsio;
use crate::manifest::{self, Manifest};
use crate::time::clock_us;
use crate::wal;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a collection did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Versions removed.
    pub versions: u64,
    /// Files removed.
    pub files: u64,
    /// Versions that are kept because a reader holds them.
    pub in_use: Vec<u64>,
}

/// Largest file id in any directory; ids are never used twice, not even after a crash.
pub(super) fn largest_id(dir: &Path) -> Result<u64> {
    let mut largest = 0;
    let leading = |name: &str| name.chars().take_while(char::is_ascii_digit).collect::<String>();
    for d in NAMED.into_iter().chain(["tmp"]) {
        for name in fsio::list_dir(&dir.join(d))? {
            largest = largest.max(leading(&name).parse().unwrap_or(0));
        }
    }
    for path in TIERS.iter().map(|d| files_below(dir, d)).collect::<Result<Vec<_>>>()?.concat() {
        // The id stands before the extension: 2026-01.0000000042.parquet.
        let id = path.rsplit(['.', '-']).nth(1).and_then(|id| id.parse().ok());
        largest = largest.max(id.unwrap_or(0));
    }
    Ok(largest)
}

/// Directories whose files lie in directories of buckets.
pub(super) const TIERS: [&str; 2] = ["warm", "cold"];

/// Files in a directory and those below it, relative to the dataset. Links are left out, and nothing is
/// looked for behind them: it is not the dataset's to remove.
pub(super) fn files_below(dir: &Path, below: &str) -> Result<Vec<String>> {
    let mut out = Vec::new();
    if !fsio::is_own_dir(&dir.join(below)) {
        return Ok(out);
    }
    for name in fsio::list_dir(&dir.join(below))? {
        let path = format!("{below}/{name}");
        let full = dir.join(&path);
        if fsio::is_own_dir(&full) {
            out.extend(files_below(dir, &path)?);
        } else if !full.is_symlink() {
            out.push(path);
        }
    }
    Ok(out)
}

/// Where a version's files in local stores lie. A store may lie inside the dataset, where programs
/// before this one let it be: its objects do not have the names of files of the dataset.
pub(super) fn objects_here(m: &Manifest) -> HashSet<PathBuf> {
    let local = |(store, name): (String, String)| {
        let path = Path::new(&store).join(name);
        // The path itself may be a link to the object, which is not the object's name.
        let parent = path.parent()?.canonicalize().ok()?;
        (!store.contains("://")).then(|| parent.join(path.file_name().unwrap_or_default()))
    };
    objects(m).into_iter().filter_map(local).collect()
}

/// Collects garbage. `current` is the newest version; `keep_for` is how long versions that
/// nobody holds are kept for `--read-at`.
pub(super) fn collect(dir: &Path, current: &Manifest, keep_for: Duration) -> Result<Collected> {
    let mut out = Collected::default();
    let mut named: HashSet<String> = paths(current).collect();
    let mut stored = objects_here(current);
    let own = fsio::is_own_dir(&dir.join("manifest"));
    let mut elsewhere: BTreeSet<(String, String)> = BTreeSet::new();
    let commits = manifest::commits(dir)?;
    let mut removed_any = false;
    // From the newest down: each version became old when the one after it was committed.
    let mut superseded_us = current.created_us;
    for commit in commits.iter().rev().copied().filter(|c| *c != current.commit) {
        let path = manifest::manifest_path(dir, commit);
        let old = manifest::read_commit(dir, commit).ok().flatten();
        let aged = clock_us().saturating_sub(superseded_us)
            >= i64::try_from(keep_for.as_micros()).unwrap_or(i64::MAX);
        // A version left behind by a crash was never current; one that names a sealed log
        // would keep its rows twice.
        let removable = match &old {
            _ if !own => false,
            None => true,
            Some(m) => commit > current.commit || aged || (m.log != 0 && m.log != current.log),
        };
        let unused = removable.then(|| fsio::try_exclusive(&path)).transpose()?.flatten();
        if unused.is_some() {
            fsio::remove_file(&path)?;
            removed_any = true;
            out.versions += 1;
            elsewhere.extend(old.iter().flat_map(objects));
        } else {
            if removable {
                out.in_use.push(commit);
            }
            named.extend(old.iter().flat_map(paths));
            old.iter().for_each(|m| stored.extend(objects_here(m)));
        }
        if let Some(m) = old
            && commit < current.commit
        {
            superseded_us = m.created_us;
        }
    }
    if removed_any {
        fsio::sync_dir(&dir.join("manifest"))?;
    }
    out.files = remove_unnamed(dir, &named, &stored)?;
    elsewhere.retain(|(_, name)| !named.contains(name));
    remove_objects(&elsewhere);
    Ok(out)
}

/// Files of a version that lie in other stores: store and name.
fn objects(m: &Manifest) -> Vec<(String, String)> {
    let store = |id| m.stores.get((m.placement(id)?.store as usize).checked_sub(1)?).cloned();
    m.files.iter().filter_map(|f| Some((store(f.id)?, m.path_of(f)))).collect()
}

/// Removes objects that no version names any more. A store that does not answer keeps them: that
/// costs space, and must not fail the command.
fn remove_objects(objects: &BTreeSet<(String, String)>) {
    let mut stores: HashMap<&str, Option<Store>> = HashMap::new();
    for (target, name) in objects {
        let store = stores.entry(target).or_insert_with(|| Store::open(target).ok());
        if let Some(s) = store
            && s.remove(name).is_err()
        {
            *store = None;
        }
    }
}

/// Removes files that no kept version names, and directories of buckets that are left empty. `stored`:
/// files that versions name in stores.
fn remove_unnamed(dir: &Path, named: &HashSet<String>, stored: &HashSet<PathBuf>) -> Result<u64> {
    let mut removed: BTreeSet<PathBuf> = BTreeSet::new();
    let mut files = 0;
    for d in NAMED.iter().chain(&TIERS) {
        for path in files_below(dir, d)?.into_iter().filter(|p| !named.contains(p)) {
            let path = dir.join(path);
            if is_stored(&path, stored) {
                continue;
            }
            fsio::remove_file(&path)?;
            files += 1;
            removed.extend(path.parent().map(Path::to_owned));
        }
    }
    for parent in removed {
        fsio::sync_dir(&parent)?;
        if parent.parent() != Some(dir) {
            fsio::remove_dir(&parent)?;
        }
    }
    Ok(files)
}

/// True when a version names a file in a store.
pub(super) fn is_stored(path: &Path, stored: &HashSet<PathBuf>) -> bool {
    !stored.is_empty() && path.canonicalize().is_ok_and(|p| stored.contains(&p))
}

/// Removes what an interrupted writer left in `tmp/`. Directories there belong to long builds
/// that work without the writer's lock; each holds the lock on the `LOCK` in its own.
pub(super) fn sweep(dir: &Path) -> Result<()> {
    let tmp = own_tmp(dir)?;
    for name in fsio::list_dir(&tmp)? {
        let path = tmp.join(&name);
        let Ok(meta) = path.symlink_metadata() else {
            continue;
        };
        if !meta.is_dir() {
            // The name of a link, and not what it leads to.
            fsio::remove_file(&path)?;
            continue;
        }
        // A build may be about to take a directory without a lock: only who holds the lock clears it.
        let lock = path.join("LOCK");
        let held = if fsio::create_lock(&lock)? { fsio::try_exclusive(&lock)? } else { None };
        if held.is_some() {
            clear(&path)?;
            fsio::remove_dir(&path)?;
        }
    }
    Ok(())
}

/// The directory of unfinished files, made where it is missing. Everything in it is removed sooner or later, so it must not be a
/// link: other files may lie there.
pub(super) fn own_tmp(dir: &Path) -> Result<PathBuf> {
    let tmp = dir.join("tmp");
    match tmp.symlink_metadata() {
        Ok(meta) if !meta.is_dir() => {
            let text = "tmp must be a directory, and not a link to one: what lies in it is removed";
            Err(Error::damaged(&tmp, text).fix("remove the link and make an empty directory of this name"))
        }
        Err(_) => fsio::create_dir(&tmp).map(|()| tmp),
        _ => Ok(tmp),
    }
}

/// Removes the files of a directory below `tmp/`, its lock last.
pub(super) fn clear(path: &Path) -> Result<()> {
    if !fsio::is_own_dir(path) {
        return Ok(());
    }
    let names = fsio::list_dir(path)?.into_iter().filter(|name| !fsio::is_own_dir(&path.join(name)));
    let (lock, files): (Vec<String>, Vec<String>) = names.partition(|name| name == "LOCK");
    files.into_iter().chain(lock).try_for_each(|name| fsio::remove_file(&path.join(name)))
}

/// The files that a version names, relative to the dataset.
pub(super) fn paths(m: &Manifest) -> impl Iterator<Item = String> {
    let log = (m.log != 0).then(|| wal::path(m.log));
    m.files.iter().map(|f| m.path_of(f)).chain(log)
}
