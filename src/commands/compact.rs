//! Log and hot segments into warm Parquet, small files together, dead rows out.

use super::{Level, Outcome, Rows, Session, Watch};
use crate::dataset;
use crate::error::{Code, Error, Result};
use crate::maintenance::Limits;
use crate::maintenance::compact::{self, Options, Policy, Report};
use crate::rows::{CompactRow, PlanRow};
use crate::time::Duration;

/// Smallest size of a file, in bytes: below it a file is mostly its footer.
const LEAST_TARGET: usize = 64 << 10;
/// Input of a job when the time is limited, in bytes, so that there is something between which to stop.
const TIMED_JOB_BYTES: u64 = 256 << 20;

/// What to compact, and how much.
#[derive(Debug, Clone)]
pub struct Request {
    /// Only hot segments all of whose points are older than this.
    pub older_than: Duration,
    /// Size of a file, in bytes, about.
    pub target_file: usize,
    /// Also rewrite files with rows that were replaced or deleted, those in cold included.
    pub purge: bool,
    /// Rewrite all files.
    pub rewrite: bool,
    /// Do nothing, without taking the lock, when nothing qualifies.
    pub if_needed: bool,
    /// How much is done at once, and how long what it replaces stays.
    pub pace: Pace,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            older_than: Duration::Fixed(0),
            target_file: 256 << 20,
            purge: false,
            rewrite: false,
            if_needed: false,
            pace: Pace::default(),
        }
    }
}

/// How much of a job is done at once, and how long what it replaces stays.
#[derive(Debug, Clone)]
pub struct Pace {
    /// How long versions that nobody reads are kept, with their files.
    pub keep_for: std::time::Duration,
    /// Begin nothing more after so many bytes of input, or so long; the next run goes on.
    pub limits: Limits,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { keep_for: dataset::Options::default().keep_for, limits: Limits::default() }
    }
}

impl Pace {
    /// How a command with this pace opens the dataset for writing.
    pub(super) fn writing(&self, session: &Session, command: &str) -> dataset::Options {
        dataset::Options { keep_for: self.keep_for, ..session.writing(command) }
    }
}

impl Request {
    fn options(&self, session: &Session) -> Result<Options> {
        if self.target_file < LEAST_TARGET {
            return Err(Error::usage("files so small would be mostly overhead")
                .option("target-file")
                .fix("give at least 64KiB"));
        }
        let before = match self.older_than.is_zero() {
            true => None,
            false => Some(cut(session, &self.older_than)?),
        };
        let limits = self.pace.limits;
        let job_bytes = limits.bytes.or(limits.time.is_some().then_some(TIMED_JOB_BYTES)).unwrap_or(0);
        Ok(Options {
            policy: Policy {
                before,
                target_bytes: self.target_file as u64,
                purge: self.purge,
                rewrite: self.rewrite,
                job_bytes,
                cut: None,
            },
            limits,
        })
    }
}

/// The instant that lies a duration before now.
pub(super) fn cut(session: &Session, age: &Duration) -> Result<i64> {
    let now = session.now(&dataset::Select::default(), &[], None)?;
    age.step(now.now, -1)
}

/// Compacts, and says what was done. Jobs lost to another process make the outcome incomplete.
///
/// # Errors
/// Fails when the dataset cannot be read or written, and when the watch stops the run; what was published stays.
pub fn run(session: &Session, request: &Request, watch: &dyn Watch) -> Result<(CompactRow, Outcome)> {
    let reading = session.reading();
    let options = request.options(&reading)?;
    if request.if_needed {
        let snapshot = reading.snapshot()?;
        if !compact::is_needed(snapshot, &options) {
            let (seq, commit) = (snapshot.next_seq(), snapshot.manifest().commit);
            return Ok((row(&Report { seq, commit, ..Report::default() }), Outcome::COMPLETE));
        }
    }
    drop(reading);
    let writing = request.pace.writing(session, "compact");
    let report = compact::compact(session.dir(), &writing, &options, watch)?;
    if report.jobs_left > 0 {
        watch.note(Level::Note, &format!("{} jobs are left for the next run", report.jobs_left));
    }
    let outcome = match report.jobs_lost {
        0 => Outcome::COMPLETE,
        n => Outcome::of(Err(Error::new(
            Code::Partial,
            format!("another process changed the files of {n} jobs meanwhile"),
        )
        .fix("run the command again; everything else is done"))),
    };
    Ok((row(&report), outcome))
}

/// Compacts with the defaults after another command.
///
/// # Errors
/// As [`run`].
pub fn afterwards(session: &Session, watch: &dyn Watch) -> Result<()> {
    let writing = session.writing("ingest, then compact");
    let r = compact::compact(session.dir(), &writing, &Options::default(), watch)?;
    watch.note(Level::Detail, &format!("compacted {} points into {} files", r.points, r.files_out));
    Ok(())
}

/// What a run would do, file by file.
///
/// # Errors
/// Fails when the dataset cannot be read or written, when the watch stops the run, and when `out` fails.
pub fn plan(session: &Session, request: &Request, out: &mut dyn Rows<PlanRow>) -> Result<()> {
    let options = request.options(session)?;
    let snapshot = session.snapshot()?;
    let jobs = compact::jobs(snapshot, &options);
    if snapshot.manifest().log != 0 {
        let (bytes, _) = snapshot.log_bytes();
        let points = snapshot.recent().map_or(0, |p| p.live());
        let log = PlanRow {
            job: 0,
            action: "seal".into(),
            path: "wal".into(),
            points,
            points_dead: 0,
            bytes,
            bytes_after: None,
        };
        out.row(log)?;
    }
    for (job, files) in (1..).zip(&jobs) {
        for (f, why) in &files.inputs {
            let dead = snapshot.manifest().deletions_of(f.id).map_or(0, |d| d.rows);
            out.row(PlanRow {
                job,
                action: why.as_str().into(),
                path: snapshot.manifest().label_of(f),
                points: f.rows - dead,
                points_dead: dead,
                bytes: f.seal.len,
                bytes_after: None,
            })?;
        }
    }
    out.end()
}

fn row(r: &Report) -> CompactRow {
    CompactRow {
        wal_segments: r.wal_segments,
        files_in: r.files_in,
        files_out: r.files_out,
        points: r.points,
        bytes_before: r.bytes_before,
        bytes_after: r.bytes_after,
        points_purged: r.points_purged,
        seconds: r.seconds,
        seq: r.seq,
        commit: r.commit,
        jobs_left: r.jobs_left,
    }
}
