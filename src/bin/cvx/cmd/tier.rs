//! `cvx tier`: old Parquet into cold blocks, and back.

use super::compact::{PaceArgs, cut, span};
use crate::context::Context;
use crate::rows::{PlanRow, RestoreRow, TierGroupRow, TierRunRow};
use crate::select::SelectArgs;
use crate::signals;
use crate::values::{duration, size};
use clap::{Subcommand, ValueEnum};
use cvx::dataset;
use cvx::error::{Code, Error, Result};
use cvx::fsio::refuse_inside_dataset;
use cvx::maintenance::tier::{self, Policy, Report};
use cvx::output::Time;
use cvx::pq::Codec;
use cvx::time::Duration;

/// Move old points to compact blocks in a directory or an object store, and back
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Status(StatusArgs),
    Plan(PlanArgs),
    Run(RunArgs),
    Restore(Box<RestoreArgs>),
}

/// What lies in each tier, by codec, codebook and target
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx tier status -d news -f table")]
struct StatusArgs {}

/// Which files would go to cold
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx tier plan --older-than 180d --codec rabitq:1")]
struct PlanArgs {
    #[command(flatten)]
    policy: PolicyArgs,
}

/// Send old points to cold, by whole days or weeks
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Points go by whole files, one for each --partition of the dataset. A file with older and
newer points is cut at the start of the week that --older-than falls into (of the day
where partitions are days), and older points that are still hot become warm first. So a
point goes at most a week after it is old enough; points_waiting counts those that are
not cold yet. A run that moves nothing because every file is above --max-error, or not
exact any more, ends with exit code 3.

The error of each block is measured against the exact points before they go. A lossy
codec without --keep-original needs --yes: the exact vectors are lost, and rows that
depend on them say approx.

Examples:
  cvx tier run --older-than 180d --codec zstd
  cvx tier run --older-than 180d --codec rabitq:1 --keep-original
  cvx tier run --older-than 1y --codec opq:96 --max-error 0.5 --yes --skip-if-locked"
)]
struct RunArgs {
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pace: PaceArgs,
}

#[derive(clap::Args, Debug)]
struct PolicyArgs {
    /// The tier they go to
    #[arg(long, value_enum, value_name = "TIER", default_value_t = To::Cold)]
    to: To,
    /// Points that are older than this, by whole days or weeks
    #[arg(long, value_name = "DUR", value_parser = duration)]
    older_than: Duration,
    /// How vectors are coded: pq:M, pq:Mx4, opq:M, rabitq:BITS, sq8, f16, or zstd, which loses nothing
    #[arg(long, value_name = "CODEC", value_parser = codec)]
    codec: Codec,
    /// A directory or s3://BUCKET/PREFIX; without it the dataset's own directory
    #[arg(long, value_name = "DIR|URL")]
    target: Option<String>,
    /// Leave files warm whose 99th percentile of relative errors is larger
    #[arg(long, value_name = "E", value_parser = share)]
    max_error: Option<f64>,
    /// Keep the exact files at the target too: neighbours are ranked by them again
    #[arg(long)]
    keep_original: bool,
    /// Train a new codebook when the old one's squared error has grown by more than this share
    #[arg(long, value_name = "SHARE", default_value = "0.2", value_parser = share)]
    drift_threshold: f64,
}

/// `--to`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// Blocks of codes
    Cold,
}

/// Bring the selected points of cold blocks back to warm
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Points whose originals were kept come back exactly; of others the codes give an
approximation, and rows go on saying approx.

Examples:
  cvx tier restore --entity 42
  cvx tier restore --from 2024-01-01 --to 2024-07-01 --yes
  cvx tier restore --all --dry-run")]
struct RestoreArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// All cold points; without it a selection is needed
    #[arg(long)]
    all: bool,
    /// Size of a warm file, about
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    target_file: usize,
    /// How long versions that nobody reads are kept, with their files
    #[arg(long, value_name = "DUR", default_value = "1h", value_parser = duration)]
    keep_for: Duration,
}

fn codec(text: &str) -> Result<Codec, String> {
    text.parse().map_err(|e| crate::values::words(&e))
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
    number.ok_or_else(|| "expected a number of at least 0".to_string())
}

impl Args {
    /// True for what changes the dataset.
    pub fn writes(&self) -> bool {
        matches!(self.what, What::Run(_) | What::Restore(_))
    }
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    match args.what {
        What::Status(_) => status(context),
        What::Plan(args) => plan(context, &args.policy),
        What::Run(args) if context.run.dry_run => plan(context, &args.policy),
        What::Run(args) => demote(context, &args),
        What::Restore(args) => restore(context, &args),
    }
}

impl PolicyArgs {
    fn policy(&self, context: &Context) -> Result<Policy> {
        let To::Cold = self.to;
        self.codec.check_dim(context.snapshot()?.settings().dim)?;
        Ok(Policy {
            before: cut(context, &self.older_than)?,
            codec: self.codec,
            max_error: self.max_error,
            keep_original: self.keep_original,
            target: self.target.as_deref().map(absolute).transpose()?,
            drift_threshold: self.drift_threshold,
            seed: context.seed(),
        })
    }
}

/// A target as the manifest keeps it: a URL, or a path that means the same from everywhere.
fn absolute(target: &str) -> Result<String> {
    if target.contains("://") {
        return Ok(target.trim_end_matches('/').to_string());
    }
    let path = std::path::Path::new(target);
    refuse_inside_dataset(path, "target").map_err(|e| e.what("option --target"))?;
    let path = std::path::absolute(path).map_err(|e| Error::io("resolve", path, &e))?;
    path.into_os_string()
        .into_string()
        .map_err(|_| Error::usage("a target's path must be UTF-8").what("option --target"))
}

fn status(context: &Context) -> Result<()> {
    let snapshot = context.snapshot()?;
    let dim = snapshot.settings().dim as f64;
    let mut out = context.rows_of::<TierGroupRow>(&snapshot, &[])?;
    for g in tier::status(snapshot.manifest()) {
        let cold = g.tier == "cold";
        let error = |e: f64| cold.then_some(e);
        out.row(&TierGroupRow {
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
    out.finish()
}

fn plan(context: &Context, args: &PolicyArgs) -> Result<()> {
    let snapshot = context.snapshot()?;
    let policy = args.policy(context)?;
    let mut out = context.rows_of::<PlanRow>(&snapshot, &[])?;
    let m = snapshot.manifest();
    let moves = tier::preview(&snapshot, &policy)?;
    for (job, moved) in (1..).zip(&moves) {
        let (codec, file) = (&policy.codec, &moved.file);
        out.row(&PlanRow {
            job,
            action: if moved.cut { format!("cut, {codec}") } else { codec.to_string() },
            path: if file.id == 0 { "wal".into() } else { m.label_of(file) },
            points: moved.points,
            points_dead: m.deletions_of(file.id).map_or(0, |d| d.rows),
            bytes: moved.bytes,
            bytes_after: Some(moved.bytes_after),
        })?;
    }
    warn_larger(context, &policy, &moves);
    out.finish()
}

/// Bytes of growth that are worth a word: what a few blocks take by themselves is not.
const GROWTH: u64 = 16 << 10;

/// Says with the figure when the points would take more room than now.
fn warn_larger(context: &Context, policy: &Policy, moves: &[tier::Move]) {
    let (before, after) = tier::totals(moves);
    if after <= before.saturating_add(GROWTH) {
        return;
    }
    let (codec, percent) = (&policy.codec, 100.0 * (after - before) as f64 / before.max(1) as f64);
    let originals = if policy.keep_original { " and kept originals" } else { "" };
    context.warn(&format!(
        "codec {codec} makes these points larger by about {percent:.0} %: {after} bytes of blocks{originals} for \
         {before} bytes now; `cvx tier plan` compares codecs"
    ));
}

fn demote(context: &Context, args: &RunArgs) -> Result<()> {
    let policy = args.policy.policy(context)?;
    let moves = tier::preview(&context.snapshot()?, &policy)?;
    warn_larger(context, &policy, &moves);
    if !policy.codec.is_lossless() && !policy.keep_original {
        let points: u64 = moves.iter().map(|m| m.points).sum();
        let loss = format!(
            "losing the exact vectors of {1} points in {2} files, of which codec {0} keeps an approximation,",
            policy.codec,
            points,
            moves.len()
        );
        if points > 0 {
            context.confirm(
                &loss,
                "add --yes, keep them with --keep-original, or look first with `cvx tier plan`",
            )?;
        }
    }
    let writing = args.pace.writing(context, "tier run");
    let r = tier::run(&context.dataset(), &writing, &policy, &args.pace.limits(), &signals::check)?;
    if r.partitions == 0 && r.skipped == 0 && r.left == 0 && r.waiting > 0 {
        context.note(&format!(
            "{} points are old enough, but their week is not over yet; they go as a whole",
            r.waiting
        ));
    }
    if r.left > 0 {
        context.note(&format!("{} files are left for the next run", r.left));
    }
    if r.skipped > 0 {
        context.note(&format!(
            "{} files stay warm: their error is above the bound, or they are not exact",
            r.skipped
        ));
    }
    context.record(&run_row(&r, &policy))?;
    match r.lost {
        0 if r.partitions == 0 && r.skipped > 0 => Err(Error::new(
            Code::Partial,
            format!(
                "nothing was moved: {} files are old enough and stay warm, {} points",
                r.skipped, r.waiting
            ),
        )
        .fix("raise --max-error or name another codec; files that are not exact any more take zstd only")),
        0 => Ok(()),
        n => Err(Error::new(Code::Partial, format!("another process changed {n} files meanwhile"))
            .fix("run the command again; everything else is done")),
    }
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

fn restore(context: &Context, args: &RestoreArgs) -> Result<()> {
    if args.select.is_empty() && !args.all {
        return Err(Error::usage("restore needs a selection")
            .fix("select with --entity, --from and --to .., or bring everything back with --all"));
    }
    let dir = context.dataset();
    let selection = args.select.resolve(context, &context.snapshot()?)?;
    let done = match context.run.dry_run {
        true => tier::restore_plan(&dir, &selection.select)?,
        false => {
            let writing =
                dataset::Options { keep_for: span(&args.keep_for), ..context.writing("tier restore") };
            tier::restore(&dir, &writing, &selection.select, args.target_file as u64, &signals::check)?
        }
    };
    if done.points_approx > 0 {
        context.note(&format!(
            "{} points come from a lossy codec whose originals were not kept: they stay approx",
            done.points_approx
        ));
    }
    context.record(&RestoreRow {
        partitions: done.blocks,
        points: done.points,
        points_approx: done.points_approx,
        bytes_before: done.bytes_before,
        bytes_after: done.bytes_after,
        seconds: done.seconds,
        commit: done.commit,
    })?;
    selection.finish()
}
