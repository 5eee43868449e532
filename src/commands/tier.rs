//! Old Parquet into cold blocks, and back.

use super::compact::{Pace, cut};
use super::{Level, Outcome, Rows, Selection, Session, Watch};
use crate::dataset;
use crate::error::{Code, Error, Result};
use crate::fsio::refuse_inside_dataset;
use crate::maintenance::tier::{self, Policy, Report};
use crate::output::Time;
use crate::pq::Codec;
use crate::rows::{PlanRow, RestoreRow, TierGroupRow, TierRunRow};
use crate::time::Duration;

/// What goes to cold, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// Points that are older than this, by whole days or weeks.
    pub older_than: Duration,
    /// How vectors are coded.
    pub codec: Codec,
    /// A directory or `s3://BUCKET/PREFIX`; `None` for the dataset's own directory.
    pub target: Option<String>,
    /// Leave files warm whose 99th percentile of relative errors is larger.
    pub max_error: Option<f64>,
    /// Keep the exact files at the target too.
    pub keep_original: bool,
    /// Train a new codebook when the old one's squared error has grown by more than this share.
    pub drift_threshold: f64,
    /// How much is done at once.
    pub pace: Pace,
}

impl Request {
    /// Points of an age, by a codec; everything else by default.
    pub fn new(older_than: Duration, codec: Codec) -> Request {
        Request {
            older_than,
            codec,
            target: None,
            max_error: None,
            keep_original: false,
            drift_threshold: 0.2,
            pace: Pace::default(),
        }
    }

    fn policy(&self, session: &Session) -> Result<Policy> {
        self.codec.check_dim(session.snapshot()?.settings().dim)?;
        Ok(Policy {
            before: cut(session, &self.older_than)?,
            codec: self.codec,
            max_error: self.max_error,
            keep_original: self.keep_original,
            target: self.target.as_deref().map(absolute).transpose()?,
            drift_threshold: self.drift_threshold,
            seed: session.seed(),
        })
    }
}

/// A target as the manifest keeps it: a URL, or a path that means the same from everywhere.
fn absolute(target: &str) -> Result<String> {
    if target.contains("://") {
        return Ok(target.trim_end_matches('/').to_string());
    }
    let path = std::path::Path::new(target);
    refuse_inside_dataset(path, "target").map_err(|e| e.option("target"))?;
    let path = std::path::absolute(path).map_err(|e| Error::io("resolve", path, &e))?;
    path.into_os_string()
        .into_string()
        .map_err(|_| Error::usage("a target's path must be UTF-8").option("target"))
}

/// What lies in each tier, by codec, codebook and target.
///
/// # Errors
/// Fails when the dataset cannot be read or written, when the watch stops the run, and when `out` fails.
pub fn status(session: &Session, out: &mut dyn Rows<TierGroupRow>) -> Result<()> {
    let snapshot = session.snapshot()?;
    let dim = snapshot.settings().dim as f64;
    for g in tier::status(snapshot.manifest()) {
        let cold = g.tier == "cold";
        let error = |e: f64| cold.then_some(e);
        out.row(TierGroupRow {
            tier: g.tier,
            target: g.target,
            codec: cold.then_some(g.codec),
            codebook: (g.codebook != 0).then_some(g.codebook),
            files: g.files,
            points: g.points,
            bytes: g.bytes,
            bytes_original: g.bytes_original,
            ratio: (g.points > 0).then(|| g.bytes as f64 / (g.points as f64 * dim * 4.0)),
            err_p50: error(g.errors[0]),
            err_p99: error(g.errors[1]),
            err_max: error(g.errors[2]),
            t_min: g.times.map(|t| Time(t.0)),
            t_max: g.times.map(|t| Time(t.1)),
        })?;
    }
    out.end()
}

/// Which files would go to cold.
///
/// # Errors
/// Fails when the dataset cannot be read or written, when the watch stops the run, and when `out` fails.
pub fn plan(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<PlanRow>,
) -> Result<()> {
    let snapshot = session.snapshot()?;
    let policy = request.policy(session)?;
    let m = snapshot.manifest();
    let moves = tier::preview(snapshot, &policy)?;
    for (job, moved) in (1..).zip(&moves) {
        let (codec, file) = (&policy.codec, &moved.file);
        out.row(PlanRow {
            job,
            action: if moved.cut { format!("cut, {codec}") } else { codec.to_string() },
            path: if file.id == 0 { "wal".into() } else { m.label_of(file) },
            points: moved.points,
            points_dead: m.deletions_of(file.id).map_or(0, |d| d.rows),
            bytes: moved.bytes,
            bytes_after: Some(moved.bytes_after),
        })?;
    }
    warn_larger(watch, &policy, &moves);
    out.end()
}

/// Bytes of growth that are worth a word: what a few blocks take by themselves is not.
const GROWTH: u64 = 16 << 10;

/// Says with the figure when the points would take more room than now.
fn warn_larger(watch: &dyn Watch, policy: &Policy, moves: &[tier::Move]) {
    let (before, after) = tier::totals(moves);
    if after <= before.saturating_add(GROWTH) {
        return;
    }
    let (codec, percent) = (&policy.codec, 100.0 * (after - before) as f64 / before.max(1) as f64);
    let originals = if policy.keep_original { " and kept originals" } else { "" };
    watch.note(Level::Warning, &format!(
        "codec {codec} makes these points larger by about {percent:.0} %: {after} bytes of blocks{originals} for \
         {before} bytes now; `cvx tier plan` compares codecs"
    ));
}

/// What a run would lose for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Points of whose vectors the codec keeps an approximation.
    pub points: u64,
    /// The files that they lie in.
    pub files: usize,
}

/// Sends old points to cold. `confirm` is asked when exact vectors would be lost, and ends the run with an error.
///
/// # Errors
/// Fails when the codec does not fit the vectors, when the dataset or the target cannot be read or written, when
/// `confirm` does, and when the watch stops the run; what was published stays.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    confirm: &mut dyn FnMut(&Loss) -> Result<()>,
) -> Result<(TierRunRow, Outcome)> {
    let reading = session.reading();
    let policy = request.policy(&reading)?;
    let moves = tier::preview(reading.snapshot()?, &policy)?;
    warn_larger(watch, &policy, &moves);
    let points: u64 = moves.iter().map(|m| m.points).sum();
    if !policy.codec.is_lossless() && !policy.keep_original && points > 0 {
        confirm(&Loss { points, files: moves.len() })?;
    }
    drop((moves, reading));
    let writing = request.pace.writing(session, "tier run");
    let r = tier::run(session.dir(), &writing, &policy, &request.pace.limits, watch)?;
    if r.partitions == 0 && r.skipped == 0 && r.left == 0 && r.waiting > 0 {
        let text = format!(
            "{} points are old enough, but their week is not over yet; they go as a whole",
            r.waiting
        );
        watch.note(Level::Note, &text);
    }
    if r.left > 0 {
        watch.note(Level::Note, &format!("{} files are left for the next run", r.left));
    }
    if r.skipped > 0 {
        let text =
            format!("{} files stay warm: their error is above the bound, or they are not exact", r.skipped);
        watch.note(Level::Note, &text);
    }
    Ok((run_row(&r, &policy), outcome(&r)))
}

fn outcome(r: &Report) -> Outcome {
    let error = match r.lost {
        0 if r.partitions == 0 && r.skipped > 0 => {
            let text = format!(
                "nothing was moved: {} files are old enough and stay warm, {} points",
                r.skipped, r.waiting
            );
            Error::new(Code::Partial, text).fix(
                "raise ‹max-error› or name another codec; files that are not exact any more take zstd only",
            )
        }
        0 => return Outcome::COMPLETE,
        n => Error::new(Code::Partial, format!("another process changed {n} files meanwhile"))
            .fix("run the command again; everything else is done"),
    };
    Outcome::of(Err(error))
}

fn run_row(r: &Report, policy: &Policy) -> TierRunRow {
    let measured = |e: f64| (r.partitions > 0).then_some(e);
    TierRunRow {
        partitions: r.partitions,
        points: r.points,
        bytes_before: r.bytes_before,
        bytes_after: r.bytes_after,
        ratio: (r.bytes_before > 0).then(|| r.bytes_after as f64 / r.bytes_before as f64),
        codec: policy.codec.to_string(),
        err_p50: measured(r.errors[0]),
        err_p99: measured(r.errors[1]),
        err_max: measured(r.errors[2]),
        skipped: r.skipped,
        seconds: r.seconds,
        codebooks: r.codebooks,
        left: r.left,
        commit: r.commit,
        files_cut: r.cut,
        points_waiting: r.waiting,
    }
}

/// What comes back from cold.
#[derive(Debug, Clone)]
pub struct Restore {
    /// Which points; all of them only with `all`.
    pub selection: Selection,
    /// All cold points.
    pub all: bool,
    /// Size of a warm file, in bytes, about.
    pub target_file: usize,
    /// How long versions that nobody reads are kept, with their files.
    pub keep_for: std::time::Duration,
}

impl Default for Restore {
    fn default() -> Self {
        Restore {
            selection: Selection::default(),
            all: false,
            target_file: 256 << 20,
            keep_for: dataset::Options::default().keep_for,
        }
    }
}

/// Brings the selected points of cold blocks back to warm; in a dry run says what would come.
///
/// # Errors
/// Fails when nothing is selected, when the dataset or the target cannot be read or written, and when the watch stops the
/// run.
pub fn restore(session: &Session, request: &Restore, watch: &dyn Watch) -> Result<(RestoreRow, Outcome)> {
    if request.selection.is_all() && !request.all {
        return Err(Error::usage("restore needs a selection")
            .fix("select with ‹entity›, ‹from› and ‹to› .., or bring everything back with ‹all›"));
    }
    let dir = session.dir();
    let reading = session.reading();
    let selected = request.selection.resolve(&reading, watch)?;
    let done = match session.settings().dry_run {
        true => tier::restore_plan(reading.snapshot()?, &selected.select)?,
        false => {
            drop(reading);
            let writing = dataset::Options { keep_for: request.keep_for, ..session.writing("tier restore") };
            tier::restore(dir, &writing, &selected.select, request.target_file as u64, watch)?
        }
    };
    if done.points_approx > 0 {
        let text = format!(
            "{} points come from a lossy codec whose originals were not kept: they stay approx",
            done.points_approx
        );
        watch.note(Level::Note, &text);
    }
    let row = RestoreRow {
        partitions: done.blocks,
        points: done.points,
        points_approx: done.points_approx,
        bytes_before: done.bytes_before,
        bytes_after: done.bytes_after,
        seconds: done.seconds,
        commit: done.commit,
    };
    Ok((row, selected.outcome()))
}
