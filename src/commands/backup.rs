//! A copy of one version of a dataset, made while jobs run; the next one copies only what is new.
//!
//! Results are copied first: the ledger then names no rows that the version does not hold, and files given
//! again after a restore bring what is missing. The version is pinned, so its files stay while they are
//! copied. CURRENT is replaced last: a backup that was interrupted is the one before, or none. `cvx.toml` comes first: it
//! says whose copy the directory is, and nothing is removed from a directory without it.

use super::{Level, Session};
use crate::config::{self, Config};
use crate::dataset::{self, DIRS, Snapshot, Writer};
use crate::error::{Code, Error, Result};
use crate::format::container::Seal;
use crate::fsio::{self, Publish, TempFile};
use crate::manifest::{self, FileEntry, HOME, Manifest};
use crate::rows::BackupRow;
use crate::watch::Watch;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bytes copied at a time.
const CHUNK: usize = 1 << 20;
/// Those whose files a version names.
const SWEPT: [&str; 7] = ["wal", "hot", "dict", "index", "warm", "cold", "results"];

/// What a backup did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The version that the copy holds.
    pub commit: u64,
    /// Points in it.
    pub points: u64,
    /// Files that were copied.
    pub files_copied: u64,
    /// Files that were there from an earlier backup.
    pub files_kept: u64,
    /// Files of earlier backups that the version does not name, and that were removed.
    pub files_removed: u64,
    /// Files in other stores, which are not copied.
    pub files_elsewhere: u64,
    /// Bytes copied.
    pub bytes_copied: u64,
    /// Wall time.
    pub seconds: f64,
}

/// Copies the newest version of the dataset in `dir` to the directory `target`, which is empty, is not
/// there, or holds an earlier backup of the same dataset.
///
/// # Errors
/// `usage` for a target that is something else; those of reading and writing. `stop` ends it with its error.
pub fn backup(dir: &Path, target: &Path, writing: &dataset::Options, watch: &dyn Watch) -> Result<Report> {
    let started = Instant::now();
    let config = Config::read(dir)?;
    check_target(dir, target, &config)?;
    make_dir(target)?;
    DIRS.iter().try_for_each(|d| make_dir(&target.join(d)))?;
    let mut run = Run { dir, target, watch, report: Report::default(), named: BTreeSet::new() };
    run.copy(config::FILE, None, true)?;
    // The points of the log go into a file; where another process writes, its log is copied.
    match Writer::open(dir, writing.clone()).and_then(Writer::finish) {
        Err(e) if e.code() != Code::Locked => return Err(e),
        _ => {}
    }
    for name in files_below(dir, "results")? {
        run.copy(&name, None, true)?;
    }
    let snapshot = Snapshot::open(dir, None)?;
    fsio::create_lock(&target.join("LOCK"))?;
    let m = snapshot.manifest();
    for f in &m.files {
        run.file(m, f)?;
    }
    if m.log != 0 {
        run.copy(&format!("wal/{:010}.wal", m.log), None, true)?;
    }
    publish(target, m)?;
    run.sweep(m.commit)?;
    let (commit, points) = (m.commit, snapshot.points());
    Ok(Report { commit, points, seconds: started.elapsed().as_secs_f64(), ..run.report })
}

fn make_dir(path: &Path) -> Result<()> {
    if path.is_dir() { Ok(()) } else { fsio::create_dir(path) }
}

/// Refuses a target that is neither new nor an earlier backup.
fn check_target(dir: &Path, target: &Path, config: &Config) -> Result<()> {
    let other = |text: &str| Err(Error::usage(text).file(target).fix("name a new directory"));
    if target.join(config::FILE).exists() {
        if dir.canonicalize().is_ok_and(|d| target.canonicalize().is_ok_and(|t| d == t)) {
            return other("the target is the dataset itself");
        }
        if Config::read(target)?.id != config.id {
            return other("the target holds another dataset");
        }
        // Without CURRENT it is a first backup that was interrupted. The version of the dataset is pinned while it is
        // read: jobs beside this one collect older versions.
        let is_whole = target.join("CURRENT").exists();
        if is_whole && manifest::load(target)?.0.commit > manifest::pin(dir, None)?.0.commit {
            return other("the target holds a later version of this dataset");
        }
        return Ok(());
    }
    fsio::refuse_inside_dataset(target, "backup")?;
    match target.is_dir() && !is_bare(target)? {
        true => other("the target is not empty and holds no backup"),
        false => Ok(()),
    }
}

/// True for a directory that holds nothing but empty directories of a dataset: a backup may have been interrupted there.
fn is_bare(target: &Path) -> Result<bool> {
    for name in fsio::list_dir(target)? {
        let at = target.join(&name);
        // In `tmp` there may be the first bytes of a file.
        let is_ours = DIRS.contains(&name.as_str()) && fsio::is_own_dir(&at);
        if !is_ours || fsio::list_dir(&at)?.iter().any(|n| name != "tmp" || n != "backup") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a version the newest one of the copy.
fn publish(target: &Path, m: &Manifest) -> Result<()> {
    if target.join("CURRENT").exists() && manifest::load(target)?.0.commit == m.commit {
        return Ok(());
    }
    // Left by a backup that was interrupted before it replaced CURRENT.
    fsio::remove_file(&manifest::manifest_path(target, m.commit))?;
    manifest::publish(target, m).map(|_| ())
}

struct Run<'a> {
    dir: &'a Path,
    target: &'a Path,
    watch: &'a dyn Watch,
    report: Report,
    /// Paths of the copy's files.
    named: BTreeSet<String>,
}

impl Run<'_> {
    /// Copies a file of the version, if it lies in the dataset.
    fn file(&mut self, m: &Manifest, f: &FileEntry) -> Result<()> {
        if m.placement(f.id).is_some_and(|p| p.store != HOME) {
            self.report.files_elsewhere += 1;
            return Ok(());
        }
        self.copy(&m.path_of(f), Some(f.seal), false)
    }

    /// Copies one file. Without `seal` it may have gone meanwhile.
    fn copy(&mut self, name: &str, seal: Option<Seal>, replace: bool) -> Result<()> {
        self.watch.stop()?;
        let (from, to) = (self.dir.join(name), self.target.join(name));
        self.named.insert(name.to_owned());
        if !replace && fsio::regular_len(&to)? == seal.map(|s| s.len) {
            self.report.files_kept += 1;
            return Ok(());
        }
        if seal.is_none() && fsio::regular_len(&from)?.is_none() {
            return Ok(());
        }
        let mut at = self.target.to_path_buf();
        let parents: Vec<&str> = name.split('/').collect();
        for part in &parents[..parents.len() - 1] {
            at.push(part);
            make_dir(&at)?;
        }
        let mut source = fsio::open_read(&from, seal.map(|s| s.len))?;
        let temp = self.target.join("tmp/backup");
        fsio::remove_file(&temp)?;
        let mut out = TempFile::create(temp)?;
        let mut buffer = vec![0; CHUNK];
        loop {
            self.watch.stop()?;
            let n = source.read(&mut buffer).map_err(|e| Error::io("read", &from, &e))?;
            if n == 0 {
                break;
            }
            out.write_all(&buffer[..n])?;
            self.report.bytes_copied += n as u64;
        }
        out.publish(&to, Publish::Replace)?;
        self.report.files_copied += 1;
        Ok(())
    }

    /// Removes what earlier backups held and this one does not.
    fn sweep(&mut self, commit: u64) -> Result<()> {
        let mut old: Vec<PathBuf> = Vec::new();
        for c in manifest::commits(self.target)?.into_iter().filter(|c| *c != commit) {
            old.push(manifest::manifest_path(self.target, c));
        }
        for d in SWEPT {
            let files = files_below(self.target, d)?.into_iter().filter(|f| !self.named.contains(f));
            old.extend(files.map(|f| self.target.join(f)));
        }
        self.report.files_removed = old.len() as u64;
        old.iter().try_for_each(|path| fsio::remove_file(path))
    }
}

/// Files in a directory and those below it, relative to the dataset. Links are left out.
fn files_below(dir: &Path, below: &str) -> Result<Vec<String>> {
    let mut out = Vec::new();
    if !fsio::is_own_dir(&dir.join(below)) {
        return Ok(out);
    }
    for name in fsio::list_dir(&dir.join(below))? {
        let path = format!("{below}/{name}");
        if fsio::is_own_dir(&dir.join(&path)) {
            out.extend(files_below(dir, &path)?);
        } else if !dir.join(&path).is_symlink() {
            out.push(path);
        }
    }
    Ok(out)
}

/// Copies the newest version of the dataset to `target`.
///
/// # Errors
/// As [`backup`].
pub fn run(session: &Session, target: &Path, watch: &dyn Watch) -> Result<BackupRow> {
    let r = backup(session.dir(), target, &session.writing("backup"), watch)?;
    if r.files_elsewhere > 0 {
        let text = format!("{} files lie in other stores and were not copied", r.files_elsewhere);
        watch.note(Level::Note, &text);
    }
    Ok(row(target, &r))
}

fn row(target: &Path, r: &Report) -> BackupRow {
    BackupRow {
        target: target.display().to_string(),
        commit: r.commit,
        points: r.points,
        files_copied: r.files_copied,
        files_kept: r.files_kept,
        files_removed: r.files_removed,
        files_elsewhere: r.files_elsewhere,
        bytes_copied: r.bytes_copied,
        seconds: r.seconds,
    }
}
