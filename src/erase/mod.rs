//! Erasure: points, and whole entities with their names, leave every file of a dataset and of its stores.
//!
//! Deleting marks rows as dead; their bytes stay until a file is rewritten, and copies of them lie in other files. [`erase`]
//! goes through all of them, in an order in which a kill at any point leaves a state that the same call completes:
//!
//! 1. tombstones ([`crate::results::erased`]), so that nothing is brought back from now on;
//! 2. the points are deleted (no answer shows them from here on);
//! 3. parts of the index that hold them, and names;
//! 4. results: samples, detector states and saved rows of the entities; calibrations as a whole;
//! 5. files of points with dead rows are rewritten, in every tier and store;
//! 6. older versions and cached pieces go, as soon as no reader holds them;
//! 7. `proof` reads what is there now and lists where anything is left.

mod proof;
mod results;
mod subjects;

pub use subjects::{Request, Subjects};

use crate::cold::Store;
use crate::dataset::{self, Forgotten, Snapshot, Writer, publish};
use crate::delete;
use crate::error::{Code, Result};
use crate::fsio;
use crate::maintenance::compact::{self, Policy};
use crate::results::erased::Tombstones;
use std::path::Path;
use std::time::{Duration, Instant};

/// A compaction that lost files to another process is begun again this often.
const ATTEMPTS: usize = 5;
/// How often readers of old versions are looked for while waiting.
const POLL: Duration = Duration::from_millis(200);

/// What an erasure did, and what is left.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Points that no longer count.
    pub points: u64,
    /// Entities that had them.
    pub entities: u64,
    /// Tombstones of the dataset.
    pub tombstones: u64,
    /// Names taken out of the dictionary.
    pub names: u64,
    /// Parts of the index that were dropped.
    pub index_parts: u64,
    /// Results that were rewritten without the entities.
    pub results_rewritten: u64,
    /// Results that were dropped.
    pub results_dropped: u64,
    /// Files of points that were rewritten.
    pub files_rewritten: u64,
    /// Dead rows in them that are gone, those of other entities included.
    pub points_purged: u64,
    /// Where something is left, in words; empty when nothing is.
    pub left: Vec<String>,
    /// Trained models of entities that include the erased ones. They hold no points.
    pub models: Vec<String>,
    /// The newest version.
    pub commit: u64,
}

/// Erases what `request` selects from the dataset in `dir`. `confirm` sees the numbers first and ends the call with an
/// error; `stop` ends it early with its error. The same call again completes what an earlier one began.
///
/// # Errors
/// Those of writing; [`Code::Locked`] when another process writes. Something that is left is no error: see [`Report::left`].
pub fn erase(
    dir: &Path,
    writing: &dataset::Options,
    request: &Request,
    confirm: impl FnOnce(&Subjects) -> Result<()>,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Report> {
    let snapshot = Snapshot::open(dir, None)?;
    let subjects = Subjects::find(&snapshot, request)?;
    let id = snapshot.config().id;
    drop(snapshot);
    confirm(&subjects)?;
    let writing = dataset::Options { keep_for: Duration::ZERO, ..writing.clone() };
    let tombstones = publish(dir, &writing, || {
        let mut tombstones = Tombstones::read(dir, id)?;
        subjects.mark(&mut tombstones);
        tombstones.write(dir)?;
        Ok(tombstones.len() as u64)
    })?;
    let mut report = Report { tombstones, entities: subjects.entities.len() as u64, ..Report::default() };
    report.points = delete::delete_for_good(dir, writing.clone(), &request.select)?.points;
    let before = proof::objects(dir)?;
    let Forgotten { names, names_kept, index_parts } = forget(dir, &writing, &subjects)?;
    (report.names, report.index_parts) = (names, index_parts);
    if names_kept > 0 {
        report.left.push(format!("dict: {names_kept} names on which the ids of other names depend"));
    }
    let results = publish(dir, &writing, || results::rewrite(dir, id, &subjects))?;
    (report.results_rewritten, report.results_dropped) = (results.rewritten, results.dropped);
    report.models = results.models;
    rewrite(dir, &writing, &mut report, stop)?;
    clear_cache(dir)?;
    let in_use = wait_for_readers(dir, &writing, request.wait, stop)?;
    report.left.extend(in_use.iter().map(|c| format!("version {c}: a reader holds it")));
    let (commit, left) = proof::left(dir, &subjects, &before)?;
    report.commit = commit;
    report.left.extend(left);
    Ok(report)
}

/// What `request` would erase. Changes nothing.
///
/// # Errors
/// Those of reading the dataset; `not_found` for an unknown label.
pub fn plan(dir: &Path, request: &Request) -> Result<Subjects> {
    Subjects::find(&Snapshot::open(dir, None)?, request)
}

fn forget(dir: &Path, writing: &dataset::Options, subjects: &Subjects) -> Result<Forgotten> {
    let mut writer = Writer::open(dir, writing.clone())?;
    let gone = subjects.without_points(&Snapshot::open(dir, None)?)?;
    let out = writer.forget(&gone, &subjects.points)?;
    writer.finish()?;
    Ok(out)
}

/// Rewrites every file of points that has dead rows, the log and hot segments included.
fn rewrite(
    dir: &Path,
    writing: &dataset::Options,
    report: &mut Report,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<()> {
    let options =
        compact::Options { policy: Policy { purge: true, ..Policy::default() }, ..Default::default() };
    for _ in 0..ATTEMPTS {
        let done = compact::compact(dir, writing, &options, stop)?;
        report.files_rewritten += done.files_in;
        report.points_purged += done.points_purged;
        if done.jobs_lost == 0 {
            return Ok(());
        }
    }
    report.left.push("other processes keep changing the files of points".into());
    Ok(())
}

/// Removes copies of pieces of remote files.
fn clear_cache(dir: &Path) -> Result<()> {
    let cache = dir.join("cache");
    fsio::list_dir(&cache)?.iter().try_for_each(|name| fsio::remove_file(&cache.join(name)))
}

/// Collects older versions until none is left or the time is over; returns those that readers hold.
fn wait_for_readers(
    dir: &Path,
    writing: &dataset::Options,
    wait: Duration,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Vec<u64>> {
    let started = Instant::now();
    loop {
        let in_use = match Writer::open(dir, writing.clone()).and_then(Writer::finish) {
            Ok((_, collected)) => collected.in_use,
            Err(e) if e.code() == Code::Locked && started.elapsed() < wait => Vec::new(),
            Err(e) => return Err(e),
        };
        if in_use.is_empty() || started.elapsed() >= wait {
            return Ok(in_use);
        }
        stop()?;
        std::thread::sleep(POLL);
    }
}

/// Fails unless a store of cold blocks answers: an erasure that cannot reach one would not be whole.
pub fn check_stores(snapshot: &Snapshot) -> Result<()> {
    for target in &snapshot.manifest().stores {
        Store::open(target).map_err(|e| e.what(format!("the store {target}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
