//! Log and hot segments into warm partitions; small files together; dead rows out.

mod plan;

pub use plan::{Job, Policy, Why, plan};

use super::Limits;
use super::attempt::{ATTEMPTS, Attempt, patient};
use super::merge::Merge;
use super::period::Periods;
use super::tier;
use crate::dataset::{self, Exchange, Select, Snapshot, Workshop, Writer};
use crate::error::{Error, Result};
use crate::manifest::FileKind;
use std::path::Path;
use std::time::Instant;

/// How to compact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// What.
    pub policy: Policy,
    /// How much.
    pub limits: Limits,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Logs that were sealed.
    pub wal_segments: u64,
    /// Files that were replaced.
    pub files_in: u64,
    /// Files in their place.
    pub files_out: u64,
    /// Points in them.
    pub points: u64,
    /// Bytes of the replaced files.
    pub bytes_before: u64,
    /// Bytes of the new ones.
    pub bytes_after: u64,
    /// Rows that no longer counted and are gone.
    pub points_purged: u64,
    /// Jobs that a limit left for the next run.
    pub jobs_left: u64,
    /// Jobs that were given up because their files were changed meanwhile.
    pub jobs_lost: u64,
    /// Wall time.
    pub seconds: f64,
    /// Rows made durable so far.
    pub seq: u64,
    /// The newest version.
    pub commit: u64,
}

/// What a run would do now. The live log, if any, is sealed first and takes part too.
pub fn preview(dir: &Path, options: &Options) -> Result<(Snapshot, Vec<Job>)> {
    let snapshot = Snapshot::open(dir, None)?;
    let jobs = jobs(&snapshot, options);
    Ok((snapshot, jobs))
}

fn jobs(snapshot: &Snapshot, options: &Options) -> Vec<Job> {
    plan(snapshot.manifest(), &options.policy, &Periods::new(snapshot.settings().partition))
}

/// True when a run would change something.
pub fn is_needed(dir: &Path, options: &Options) -> Result<bool> {
    let (snapshot, jobs) = preview(dir, options)?;
    let m = snapshot.manifest();
    let dead_in_cold = options.policy.purge && m.of(FileKind::Cold).any(|f| m.deletions_of(f.id).is_some());
    Ok(!jobs.is_empty() || snapshot.recent().is_some() || dead_in_cold)
}

/// Compacts the dataset in `dir`. `stop` ends it early with its error; what was published stays.
pub fn compact(
    dir: &Path,
    writing: &dataset::Options,
    options: &Options,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Report> {
    let started = Instant::now();
    let mut report = Report::default();
    let mut writing_first = writing.clone();
    let mut options = *options;
    for _ in 0..ATTEMPTS {
        let before = report.files_in;
        report = pass(dir, &writing_first, &options, started, report, stop)?;
        // What another process changed it has rewritten; what else was asked of these files stays.
        options.policy.rewrite = false;
        // New files may be worth a merge with the files of their periods.
        let small = |job: &Job| job.inputs.iter().all(|(_, why)| *why == Why::Small);
        let more = || {
            let jobs = preview(dir, &options)?.1;
            Ok::<_, Error>(options.policy.cut.is_none() && !jobs.is_empty() && jobs.iter().all(small))
        };
        if report.jobs_left > 0 || (report.jobs_lost == 0 && !(report.files_in > before && more()?)) {
            break;
        }
        writing_first = patient(writing);
    }
    if report.files_in > 0 {
        super::collect(dir, writing)?;
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Plans from the newest version and does the jobs. `report` is that of the passes before.
fn pass(
    dir: &Path,
    writing: &dataset::Options,
    options: &Options,
    started: Instant,
    mut report: Report,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Report> {
    let Attempt { shop, snapshot, commit, sealed } = Attempt::begin(dir, writing)?;
    report.wal_segments += u64::from(sealed);
    report.jobs_lost = 0;
    report.commit = commit;
    report.seq = snapshot.next_seq();
    let jobs = jobs(&snapshot, options);
    let mut run = Run { dir, writing: patient(writing), options, shop, stop, report };
    for (i, job) in jobs.iter().enumerate() {
        if !options.limits.allow(run.report.bytes_before, started) {
            run.report.jobs_left = (jobs.len() - i) as u64;
            break;
        }
        run.job(&snapshot, job)?;
    }
    if options.policy.purge && run.report.jobs_left == 0 {
        run.purge_cold(&snapshot)?;
    }
    Ok(run.report)
}

struct Run<'a> {
    dir: &'a Path,
    writing: dataset::Options,
    options: &'a Options,
    shop: Workshop,
    stop: &'a (dyn Fn() -> Result<()> + Sync),
    report: Report,
}

impl Run<'_> {
    /// Takes dead rows out of cold blocks as well.
    fn purge_cold(&mut self, snapshot: &Snapshot) -> Result<()> {
        let m = snapshot.manifest();
        let dead: u64 = m.of(FileKind::Cold).filter_map(|f| Some(m.deletions_of(f.id)?.rows)).sum();
        if dead == 0 {
            return Ok(());
        }
        let done = tier::purge(self.dir, &self.writing, self.stop)?;
        self.report.points_purged += dead;
        self.report.files_in += done.blocks;
        self.report.commit = self.report.commit.max(done.commit);
        Ok(())
    }

    /// Builds the files of a job and publishes them in one version.
    fn job(&mut self, snapshot: &Snapshot, job: &Job) -> Result<()> {
        let mut parts = Vec::new();
        for (f, _) in &job.inputs {
            parts.extend(snapshot.part_of(f.id)?);
        }
        let dead: u64 = parts.iter().map(|p| p.dead.len()).sum();
        let merge = Merge {
            snapshot,
            shop: &self.shop,
            parts,
            select: Select::default(),
            target_bytes: self.options.policy.target_bytes,
            cut: self.options.policy.cut,
            stop: self.stop,
        };
        let made = merge.run()?;
        (self.stop)()?;
        let (files, points) = (made.len() as u64, made.iter().map(|m| m.entry.rows).sum::<u64>());
        let bytes: u64 = made.iter().map(|m| m.entry.seal.len).sum();
        let replaced = job.inputs.iter().map(|(f, _)| f.id).collect();
        let mut writer = Writer::open(self.dir, self.writing.clone())?;
        let done = writer.exchange(Exchange { replaced, made, ..Exchange::new(snapshot) })?;
        self.report.commit = writer.finish()?.0;
        if done.is_none() {
            self.report.jobs_lost += 1;
            return Ok(());
        }
        self.report.files_in += job.inputs.len() as u64;
        self.report.files_out += files;
        self.report.points += points;
        self.report.bytes_before += job.bytes();
        self.report.bytes_after += bytes;
        self.report.points_purged += dead;
        Ok(())
    }
}
