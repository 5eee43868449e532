//! Holding a dataset's files against what must be true of them.

mod index;

use super::shelf::Shelf;
use super::snapshot::{Snapshot, open_dictionary};
use super::{NAMED, gc};
use crate::config::{Config, IdKind};
use crate::error::{Code, Error, Result};
use crate::fsio;
use crate::manifest::{self, FileEntry, FileKind, Manifest};
use crate::results::{ledger::Ledger, stored};
use crate::wal;
use roaring::RoaringBitmap;
use std::collections::HashSet;
use std::path::Path;

/// The check of a directory of cold blocks that is away.
pub const STORE: &str = "store";

/// How much to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Manifests, lengths, the checksums of headers and tables.
    Quick,
    /// Every byte against its checksum, key order, no key twice, dictionary both ways.
    Full,
    /// Also decodes every vector and metadata text and holds them against what is stored of them.
    Deep,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Something the next writing command mends.
    Repairable,
    /// Lost or changed data.
    Damaged,
}

impl Status {
    /// `ok`, `repairable` or `damaged`.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Repairable => "repairable",
            Status::Damaged => "damaged",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// Which file, relative to the dataset.
    pub object: String,
    /// The outcome.
    pub status: Status,
    /// What was found.
    pub detail: String,
}

/// Hands the report on line by line; the consumer's error ends it.
struct Report<'a> {
    out: &'a mut dyn FnMut(Finding) -> Result<()>,
    fail_fast: bool,
    worst: Status,
}

impl Report<'_> {
    fn add(&mut self, check: &'static str, object: &str, status: Status, detail: String) -> Result<()> {
        self.worst = self.worst.max(status);
        (self.out)(Finding { check, object: object.to_owned(), status, detail })
    }

    /// Reports the outcome of a check; only damage and newer versions are findings, other
    /// errors end the run.
    fn check<T>(
        &mut self,
        check: &'static str,
        object: &str,
        r: Result<T>,
        ok: impl Fn(&T) -> String,
    ) -> Result<Option<T>> {
        match r {
            Ok(v) => {
                self.add(check, object, Status::Ok, ok(&v))?;
                Ok(Some(v))
            }
            Err(e) if is_finding(&e) => {
                let mut place = e.place().byte.map(|b| format!(" at byte {b}")).unwrap_or_default();
                // What a file needs may lie in another one.
                if let Some(file) = e.place().file.as_deref().filter(|f| !f.ends_with(object)) {
                    place += &format!(", {}", file.display());
                }
                self.add(check, object, Status::Damaged, format!("{}{place}", e.message()))?;
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Damage to the index is no loss: queries scan instead, and it can be built again.
    fn index(&mut self, object: &str, found: Result<String>) -> Result<()> {
        match found {
            Ok(detail) => self.add("index", object, Status::Ok, detail),
            Err(e) if is_finding(&e) => {
                let detail = format!("{}; `cvx index build --rebuild` makes it anew", e.message());
                self.add("index", object, Status::Repairable, detail)
            }
            Err(e) => Err(e),
        }
    }

    /// The files to look at next are damaged and one finding is enough.
    fn stop(&self) -> bool {
        self.fail_fast && self.worst == Status::Damaged
    }
}

/// True for what is wrong with a file, and for files that cannot be read: the others are looked at all
/// the same.
fn is_finding(e: &Error) -> bool {
    matches!(e.code(), Code::Damaged | Code::Version | Code::Io | Code::Failed | Code::NotFound)
}

/// Verifies the dataset in `dir`, its newest version or `commit`, and hands each finding to `out`.
/// Returns the worst status. Reads only; needs no lock.
pub fn verify(
    dir: &Path,
    commit: Option<u64>,
    level: Level,
    fail_fast: bool,
    out: &mut dyn FnMut(Finding) -> Result<()>,
) -> Result<Status> {
    let mut report = Report { out, fail_fast, worst: Status::Ok };
    let Some(config) = report.check("settings", "cvx.toml", Config::read(dir), |c| {
        format!("dimension {}, metric {}", c.settings.dim, c.settings.metric)
    })?
    else {
        return Ok(report.worst);
    };
    let pinned = match manifest::pin(dir, commit) {
        Err(e) if e.code() == Code::NotFound => return Err(e),
        pinned => pinned,
    };
    let object = commit.map_or_else(|| "CURRENT".to_owned(), version_name);
    let Some((m, _pin)) = report.check("manifest", &object, pinned, |(m, _)| {
        format!("commit {}, {} files", m.commit, m.files.len())
    })?
    else {
        return Ok(report.worst);
    };
    report.check("manifest", "cvx.toml", config.check_against(&m, dir), |()| {
        "agrees with the manifest".into()
    })?;
    let away = check_stores(&m, &mut report)?;
    check_files(dir, &config, &m, level, &mut report, &|f| !away.contains(&f.id))?;
    if commit.is_none() {
        check_versions(dir, &config, &m, level, &mut report)?;
    }
    if report.stop() {
        return Ok(report.worst);
    }
    check_points(dir, commit, &config, &m, level, &mut report)?;
    check_beside(dir, &config, &m, level, &mut report)?;
    Ok(report.worst)
}

/// The log, and what all files together must be. Files that are damaged are reported already, so that
/// only the log is looked at then.
fn check_points(
    dir: &Path,
    commit: Option<u64>,
    config: &Config,
    m: &Manifest,
    level: Level,
    report: &mut Report<'_>,
) -> Result<()> {
    if report.worst == Status::Damaged {
        if m.log != 0 {
            let log = wal::read(dir, &super::live_log(config, m));
            report.check("log", &log_name(m), log, |log| format!("{} rows", log.rows()))?;
        }
        return Ok(());
    }
    let snapshot = Snapshot::open(dir, commit);
    if let Some(s) = report.check("log", &log_name(m), snapshot, |s| format!("{} bytes", s.log_bytes().0))? {
        if s.log_bytes().1 > 0 {
            let detail = format!(
                "{} bytes behind the last whole batch: a torn write, which was never acknowledged, or damage to \
                 the last batch of an ingest that did not end, which looks the same",
                s.log_bytes().1
            );
            report.add("log", &log_name(m), Status::Repairable, detail)?;
        }
        if level >= Level::Full && !report.stop() {
            check_keys(&s, config, report)?;
        }
        index::check(&s, level >= Level::Full, &mut |entry, found| {
            report.index(&s.manifest().label_of(entry), found)
        })?;
    }
    Ok(())
}

/// What is kept beside the points, and what nothing names.
fn check_beside(
    dir: &Path,
    config: &Config,
    m: &Manifest,
    level: Level,
    report: &mut Report<'_>,
) -> Result<()> {
    if let Err(e) = Ledger::read(dir) {
        let detail = format!("{}; the next ingest reads its files again and writes a new one", e.message());
        report.add("ledger", "results/ledger", Status::Repairable, detail)?;
    }
    check_results(dir, config, level, report)?;
    check_leftovers(dir, m, report)
}

fn version_name(commit: u64) -> String {
    format!("manifest/{commit:010}.cvxm")
}

fn log_name(m: &Manifest) -> String {
    if m.log == 0 { "wal".into() } else { wal::path(m.log) }
}

/// The versions beside the newest one: those that a crash left behind, and those that are still kept, with
/// the files that only they name. Each is pinned while it is looked at, so that no writer collects it.
fn check_versions(
    dir: &Path,
    config: &Config,
    newest: &Manifest,
    level: Level,
    report: &mut Report<'_>,
) -> Result<()> {
    let known = |m: &Manifest| m.files.iter().map(|f| (f.kind, f.id)).collect::<HashSet<_>>();
    let mut seen = known(newest);
    for commit in manifest::commits(dir)?.into_iter().rev().filter(|c| *c != newest.commit) {
        let object = version_name(commit);
        match manifest::pin(dir, Some(commit)) {
            Ok((m, _pin)) => {
                let looked = report.check("version", &object, config.check_against(&m, dir), |()| {
                    format!("kept, {} files", m.files.len())
                })?;
                if looked.is_some() {
                    check_files(dir, config, &m, level, report, &|f| !seen.contains(&(f.kind, f.id)))?;
                    seen.extend(known(&m));
                }
            }
            // Collected meanwhile, or never published.
            Err(e) if e.code() == Code::NotFound => {
                if dir.join(&object).exists() {
                    let detail = "left behind by an interrupted commit".to_owned();
                    report.add("manifest", &object, Status::Repairable, detail)?;
                }
            }
            Err(e) => drop(report.check::<()>("version", &object, Err(e), |()| String::new())?),
        }
        if report.stop() {
            return Ok(());
        }
    }
    Ok(())
}

/// Stores in directories that are not there, or hold none of their files: each is one finding, whatever it
/// holds. Returns the ids of the files that lie in them.
fn check_stores(m: &Manifest, report: &mut Report<'_>) -> Result<HashSet<u64>> {
    let mut away = HashSet::new();
    for (at, target) in (1..).zip(&m.stores).filter(|(_, target)| !target.contains("://")) {
        let root = Path::new(target);
        let files: Vec<_> =
            m.files.iter().filter(|f| m.placement(f.id).is_some_and(|p| p.store == at)).collect();
        let why = match root.is_dir() {
            _ if files.is_empty() => continue,
            false => "the directory of cold blocks is not there",
            true if files.iter().all(|f| !root.join(m.path_of(f)).exists()) => {
                "the directory of cold blocks holds none of them"
            }
            true => continue,
        };
        let detail = format!("{why}, {} files: mount it, or move it back to this path", files.len());
        report.add(STORE, target, Status::Damaged, detail)?;
        away.extend(files.iter().map(|f| f.id));
    }
    Ok(away)
}

fn check_files(
    dir: &Path,
    config: &Config,
    m: &Manifest,
    level: Level,
    report: &mut Report<'_>,
    wanted: &dyn Fn(&FileEntry) -> bool,
) -> Result<()> {
    let shelf = Shelf::new(dir, config);
    for f in m.of(FileKind::Codebook).filter(|f| wanted(f)) {
        let codec = m.placement(f.id).map(|p| p.codec.clone()).unwrap_or_default();
        let look = || {
            shelf.check_len(m, f)?;
            shelf.quantizer(m, &codec, f.id)
        };
        report.check("codebook", &m.label_of(f), look(), |q| format!("codec {}", q.codec()))?;
    }
    for f in m.of(FileKind::Original).filter(|f| wanted(f)) {
        let look = || {
            shelf.check_len(m, f)?;
            let original = shelf.original(m, f)?;
            match level {
                Level::Quick => {}
                Level::Full => original.check_all()?,
                Level::Deep => original.verify()?,
            }
            Ok(original)
        };
        report.check("original", &m.label_of(f), look(), |o| format!("{} rows", o.times().len()))?;
    }
    for f in m.point_files().filter(|f| wanted(f)) {
        if report.stop() {
            return Ok(());
        }
        let look = || {
            let part = shelf.part(m, f, &RoaringBitmap::new())?;
            match level {
                Level::Quick => {}
                Level::Full => part.check_written()?,
                Level::Deep => part.verify()?,
            }
            if level > Level::Quick {
                check_bounds(&part, f)?;
            }
            Ok(part)
        };
        let check = match f.kind {
            FileKind::Warm => "warm",
            FileKind::Cold => "cold",
            _ => "segment",
        };
        report.check(check, &m.label_of(f), look(), |p| {
            format!("{} rows, {} superseded", p.rows(), p.dead.len())
        })?;
    }
    let dict = || {
        let d = open_dictionary(dir, config, m)?;
        if level > Level::Quick { d.verify() } else { Ok(()) }
    };
    if config.settings.ids == IdKind::String && m.of(FileKind::Dictionary).any(&wanted) {
        report.check("dictionary", "dict", dict(), |()| "names and ids agree".into())?;
    }
    Ok(())
}

fn check_bounds(part: &super::part::Part, f: &manifest::FileEntry) -> Result<()> {
    let times = part.times();
    let bounds = (
        part.entities().first().copied(),
        part.entities().last().copied(),
        times.iter().min().copied(),
        times.iter().max().copied(),
    );
    let seqs = (0..part.rows()).map(|r| part.seq(r));
    let wrong = f.rows > 0
        && (bounds != (Some(f.entity_min), Some(f.entity_max), Some(f.t_min), Some(f.t_max))
            || seqs.clone().min() != Some(f.seq_min)
            || seqs.max() != Some(f.seq_max));
    if wrong { Err(part.damaged("the bounds in the manifest are not those of the file")) } else { Ok(()) }
}

/// No key lives in two files, sequence numbers are below the manifest's, every entity has a name.
fn check_keys(s: &Snapshot, config: &Config, report: &mut Report<'_>) -> Result<()> {
    let walk = || -> Result<u64> {
        let mut points = 0;
        for rows in super::Trajectories::new(super::Select::default().resolve(s)?) {
            points += rows.len() as u64;
            if let Some(i) = rows.t.windows(2).position(|w| w[0] >= w[1]) {
                let t = crate::time::format_time(rows.t[i], crate::time::TimeFormat::Rfc3339);
                return Err(Error::new(
                    Code::Damaged,
                    format!("entity {} has two points at {t}", rows.entity),
                ));
            }
            if config.settings.ids == IdKind::String && s.entity_name(rows.entity)?.is_none() {
                return Err(Error::new(Code::Damaged, format!("entity {} has no name", rows.entity)));
            }
        }
        if points != s.points() {
            return Err(Error::new(
                Code::Damaged,
                format!("{points} points, the manifest counts {}", s.points()),
            ));
        }
        Ok(points)
    };
    report.check("keys", "points", walk(), |n| format!("{n} points, each key once"))?;
    Ok(())
}

/// Stored results: damage loses no data, but the command that made one has to make it again.
fn check_results(dir: &Path, config: &Config, level: Level, report: &mut Report<'_>) -> Result<()> {
    for what in stored::What::ALL {
        for name in stored::names(dir, what)? {
            let object = format!("results/{}.{name}.cvxr", what.as_str());
            let look = || match stored::Stored::open(dir, config.id, what, &name)? {
                Some(s) if level > Level::Quick => s.container.check_all().map(|()| s.head.rows),
                Some(s) => Ok(s.head.rows),
                None => Ok(0),
            };
            let (status, detail) = match look() {
                Ok(rows) => (Status::Ok, format!("{rows} rows")),
                Err(e) if is_finding(&e) => (
                    Status::Repairable,
                    format!("{}; the command that stored it stores it anew", e.message()),
                ),
                Err(e) => return Err(e),
            };
            report.add("result", &object, status, detail)?;
        }
    }
    Ok(())
}

/// Files that no version names: harmless, removed by the next writing command.
fn check_leftovers(dir: &Path, m: &Manifest, report: &mut Report<'_>) -> Result<()> {
    let mut named: HashSet<String> = HashSet::new();
    for commit in manifest::commits(dir)? {
        if let Ok(Some(m)) = manifest::read_commit(dir, commit) {
            named.extend(gc::paths(&m));
        }
    }
    named.extend(gc::paths(m));
    let stored = gc::objects_here(m);
    let mut found: Vec<String> =
        fsio::list_dir(&dir.join("tmp"))?.iter().map(|n| format!("tmp/{n}")).collect();
    for d in NAMED.iter().chain(&gc::TIERS) {
        found.extend(gc::files_below(dir, d)?);
    }
    for object in found.into_iter().filter(|o| !named.contains(o)) {
        // A directory in tmp belongs to a build that is under way, if someone holds its lock.
        let lock = dir.join(&object).join("LOCK");
        if lock.exists() && fsio::try_exclusive(&lock)?.is_none()
            || gc::is_stored(&dir.join(&object), &stored)
        {
            continue;
        }
        report.add(
            "leftover",
            &object,
            Status::Repairable,
            "no version names it; the next writing command removes it".into(),
        )?;
    }
    Ok(())
}
