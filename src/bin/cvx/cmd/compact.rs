//! `cvx compact`: log and hot segments into warm Parquet, small files together.

use crate::context::Context;
use crate::rows::{CompactRow, PlanRow};
use crate::signals;
use crate::values::{duration, size};
use cvx::dataset;
use cvx::error::{Code, Error, Result};
use cvx::maintenance::Limits;
use cvx::maintenance::compact::{self, Options, Policy, Report};
use cvx::time::Duration;

/// Turn log and hot segments into sorted Parquet, merge small files, take out dead rows
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Readers are not disturbed: they keep the version they opened, whose files are
removed when nobody reads it and --keep-for has passed. The files lie in
warm/bucket=HHHH/PERIOD.ID.parquet, any Parquet reader can open them, and
`cvx info --partitions` lists those of the newest version. A file holds points of one
period of the dataset's --partition, so that `cvx tier run` can move it by age; only in
one merge of more than 512 periods do small neighbouring ones share a file.

--purge rewrites warm files and cold blocks without their dead rows. A cold block stays
cold and keeps its codec.

Examples:
  cvx compact -d news
  cvx compact --if-needed --max-time 5m --skip-if-locked
  cvx compact --purge --keep-for 0s
  cvx compact --dry-run -f table")]
pub struct Args {
    #[command(flatten)]
    how: CompactArgs,
    /// Do nothing, without taking the lock, when nothing qualifies
    #[arg(long)]
    if_needed: bool,
}

/// What to compact, and how much.
#[derive(clap::Args, Debug, Clone)]
struct CompactArgs {
    /// Only hot segments all of whose points are older than this
    #[arg(long, value_name = "DUR", default_value = "0s", value_parser = duration)]
    older_than: Duration,
    /// Size of a file, about
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    target_file: usize,
    /// Also rewrite files with rows that were replaced or deleted, those in cold included
    #[arg(long)]
    purge: bool,
    /// Rewrite all files
    #[arg(long)]
    rewrite: bool,
    #[command(flatten)]
    pace: PaceArgs,
}

/// How much of a job is done at once, and how long what it replaces stays.
#[derive(clap::Args, Debug, Clone)]
pub struct PaceArgs {
    /// How long versions that nobody reads are kept, with their files
    #[arg(long, value_name = "DUR", default_value = "1h", value_parser = duration)]
    keep_for: Duration,
    /// Begin nothing more after so many bytes of input; the next run goes on
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_bytes: Option<usize>,
    /// Begin nothing more after this time; the next run goes on
    #[arg(long, value_name = "DUR", value_parser = duration)]
    max_time: Option<Duration>,
}

impl PaceArgs {
    pub fn limits(&self) -> Limits {
        Limits { bytes: self.max_bytes.map(|b| b as u64), time: self.max_time.as_ref().map(span) }
    }

    pub fn writing(&self, context: &Context, command: &str) -> dataset::Options {
        dataset::Options { keep_for: span(&self.keep_for), ..context.writing(command) }
    }
}

/// Smallest target: below it a file is mostly its footer.
const LEAST_TARGET: usize = 64 << 10;
/// Input of a job when the time is limited, so that there is something between which to stop.
const TIMED_JOB_BYTES: u64 = 256 << 20;

impl CompactArgs {
    fn options(&self, context: &Context) -> Result<Options> {
        if self.target_file < LEAST_TARGET {
            return Err(Error::usage("files so small would be mostly overhead")
                .what("option --target-file")
                .fix("give at least 64KiB"));
        }
        let before = match self.older_than.is_zero() {
            true => None,
            false => Some(cut(context, &self.older_than)?),
        };
        let limits = self.pace.limits();
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
pub fn cut(context: &Context, age: &Duration) -> Result<i64> {
    let snapshot = context.snapshot()?;
    let now = context.now(&snapshot, &dataset::Select::default(), &[], None)?;
    age.step(now.now, -1)
}

/// A duration of the clock.
pub fn span(d: &Duration) -> std::time::Duration {
    std::time::Duration::from_micros(u64::try_from(d.mean_us()).unwrap_or(0))
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let dir = context.dataset();
    let options = args.how.options(context)?;
    if context.run.dry_run {
        return preview(context, &options);
    }
    if args.if_needed && !compact::is_needed(&dir, &options)? {
        let snapshot = context.snapshot()?;
        let idle =
            Report { seq: snapshot.next_seq(), commit: snapshot.manifest().commit, ..Report::default() };
        return context.record(&row(&idle));
    }
    let writing = args.how.pace.writing(context, "compact");
    let report = compact::compact(&dir, &writing, &options, &signals::check)?;
    finish(context, &report)
}

/// Compacts with the defaults after another command, whose rows stand alone on standard output.
pub fn afterwards(context: &Context) -> Result<()> {
    let writing = context.writing("ingest --compact");
    let r = compact::compact(&context.dataset(), &writing, &Options::default(), &signals::check)?;
    context.detail(&format!("compacted {} points into {} files", r.points, r.files_out));
    Ok(())
}

/// Prints what was done. Jobs lost to another process make it partial.
fn finish(context: &Context, report: &Report) -> Result<()> {
    if report.jobs_left > 0 {
        context.note(&format!("{} jobs are left for the next run", report.jobs_left));
    }
    context.record(&row(report))?;
    match report.jobs_lost {
        0 => Ok(()),
        n => {
            Err(Error::new(Code::Partial, format!("another process changed the files of {n} jobs meanwhile"))
                .fix("run the command again; everything else is done"))
        }
    }
}

fn preview(context: &Context, options: &Options) -> Result<()> {
    let (snapshot, jobs) = compact::preview(&context.dataset(), options)?;
    let mut out = context.rows_of::<PlanRow>(&snapshot, &[])?;
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
        out.row(&log)?;
    }
    for (job, files) in (1..).zip(&jobs) {
        for (f, why) in &files.inputs {
            let dead = snapshot.manifest().deletions_of(f.id).map_or(0, |d| d.rows);
            out.row(&PlanRow {
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
    out.finish()
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
