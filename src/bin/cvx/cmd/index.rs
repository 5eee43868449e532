//! `cvx index`: make the index, look at it, drop it.

use crate::context::Context;
use crate::progress::Stages;
use crate::rows::{IndexBuiltRow, IndexDroppedRow, IndexRow};
use crate::select::time;
use crate::signals;
use crate::values::Metrics;
use clap::{Subcommand, ValueEnum};
use cvx::dataset::{Select, Snapshot, Writer};
use cvx::error::{Code, Error, Result};
use cvx::index::layout::GraphKind;
use cvx::indexing::{self, Known, Options, PROMISED};
use cvx::model::TimeRange;
use cvx::output::{Json, Time};
use cvx::time::TimeExpr;
use std::time::Instant;

/// Make queries fast: build, inspect or drop the index
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: IndexCommand,
}

#[derive(Subcommand, Debug)]
enum IndexCommand {
    Build(BuildArgs),
    /// A row a part of the index
    #[command(after_long_help = "Examples:\n  cvx index status\n  cvx index status -f csv")]
    Status,
    /// Remove the index; queries scan
    #[command(after_long_help = "Examples:\n  cvx index drop -d news")]
    Drop,
}

/// Work the points that the index lacks into it
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Queries never need an index: points that it lacks are scanned. A build takes the lock only to
publish, so ingest and queries go on beside it; interrupted, it leaves the old index.

A build measures the recall of its own searches: it puts stored points, points halfway between two, and moved points to
each new part, over all times, in windows, at instants, without one entity and for the best point of each entity, and
compares the ten nearest with those by exact distances. Paths that find too few are made deeper or not taken. A part
that cannot reach 0.95 is scanned by queries, and the build says so. `cvx index status` shows the figures.

Examples:
  cvx index build -d news
  cvx index build --check-recall 0.95
  cvx index build --rebuild --metric l2 --lean"
)]
struct BuildArgs {
    /// Structures: a graph where it pays beside the lists, or lists alone
    #[arg(long, value_enum, default_value_t = Kinds::Graph)]
    kind: Kinds,
    /// Distance; without it that of the index there is, else the dataset's
    #[arg(long, value_enum)]
    metric: Option<Metrics>,
    /// Work in only what is new (usual)
    #[arg(long, conflicts_with = "rebuild")]
    incremental: bool,
    /// Build everything anew
    #[arg(long)]
    rebuild: bool,
    /// Only points from this time on
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    from: Option<TimeExpr>,
    /// Only points before this time
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    to: Option<TimeExpr>,
    /// Keep codes of the points only: about a fifth of the size; exact distances are read from the points' own files, and
    /// searches without a window look at more rows
    #[arg(long)]
    lean: bool,
    /// Measure recall@10 afterwards; below this share the index stays and the exit status is 4
    #[arg(long, value_name = "SHARE", num_args = 0..=1, default_missing_value = "0.95")]
    check_recall: Option<f64>,
    /// Stored points that stand in for queries
    #[arg(long, value_name = "N", default_value_t = 1000)]
    recall_sample: usize,
}

/// `--kind`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    /// Lists, and a graph for large parts
    Graph,
    /// Lists alone: smaller and faster to build
    Lists,
}

impl Args {
    /// True for what changes the dataset.
    pub fn writes(&self) -> bool {
        !matches!(self.command, IndexCommand::Status)
    }
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    match args.command {
        IndexCommand::Build(args) => build(context, &args),
        IndexCommand::Status => status(context),
        IndexCommand::Drop => drop_index(context),
    }
}

fn build(context: &Context, args: &BuildArgs) -> Result<()> {
    if args.check_recall.is_some_and(|r| !(0.0..=1.0).contains(&r)) {
        return Err(Error::usage("recall is a share from 0 to 1").what("option --check-recall"));
    }
    let started = Instant::now();
    let dir = context.dataset();
    let options = options(context, args)?;
    if context.run.dry_run {
        return dry_run(context, &options);
    }
    let stages = Stages::new(context);
    let built = indexing::build(&dir, &options, context.writing("index build"), &|stage, done, of| {
        signals::check()?;
        stages.at(stage, done, of);
        Ok(())
    })?;
    drop(stages);
    let seconds = started.elapsed().as_secs_f64();
    let snapshot = Snapshot::open(&dir, None)?;
    let measured = match args.check_recall {
        None => None,
        Some(_) => indexing::recall(&snapshot, args.recall_sample, context.seed())?,
    };
    let parts = snapshot.manifest().index_parts();
    let bytes: u64 = parts.iter().map(|p| p.seal.len).sum();
    let points: u64 = parts.iter().map(|p| p.rows).sum();
    let recall = measured.map(|m| m.recall);
    let known = Known::of_all(&snapshot)?;
    if known.scanned > 0 {
        context.warn(&format!(
            "searches of {} of {} parts of the index do not find {PROMISED} of the neighbours of these points: queries scan them",
            known.scanned,
            parts.len()
        ));
    }
    context.record(&IndexBuiltRow {
        kind: kind_name(args.kind),
        metric: metric_of(&snapshot)?,
        points,
        points_built: built.points,
        parts: parts.len(),
        parts_new: built.parts_new,
        bytes,
        bytes_per_point: (points > 0).then(|| bytes as f64 / points as f64),
        seconds,
        points_per_s: built.points as f64 / seconds,
        recall: known.least,
        recall_by_mode: known.json().map(Json),
        parts_scanned: known.scanned,
        recall_at_10: recall,
        recall_queries: measured.map(|m| m.queries),
        seq: snapshot.next_seq(),
        commit: built.commit,
    })?;
    match (recall, args.check_recall) {
        (Some(found), Some(bound)) if found < bound => {
            let text = format!("recall@10 is {found:.4}, below {bound}");
            Err(Error::new(Code::Finding, text).fix("ask with a larger --ef, or with --exact"))
        }
        _ => Ok(()),
    }
}

fn options(context: &Context, args: &BuildArgs) -> Result<Options> {
    let time = match args.from.is_some() || args.to.is_some() {
        false => None,
        true => {
            let snapshot = context.snapshot()?;
            let now = context.now(&snapshot, &Select::default(), &[args.from, args.to], None)?;
            Some(now.window(args.from.as_ref(), args.to.as_ref())?)
        }
    };
    Ok(Options {
        metric: args.metric.map(Into::into),
        time,
        graph: args.kind == Kinds::Graph,
        exact: !args.lean,
        rebuild: args.rebuild,
        seed: context.seed(),
        memory: context.memory() as u64,
    })
}

fn dry_run(context: &Context, options: &Options) -> Result<()> {
    let snapshot = context.snapshot()?;
    let plan = indexing::plan(&snapshot, options)?;
    context.record(&IndexBuiltRow {
        kind: kind_name(if options.graph { Kinds::Graph } else { Kinds::Lists }),
        metric: plan.metric.to_string(),
        points: plan.kept.iter().map(|p| p.rows).sum::<u64>() + plan.points(),
        points_built: plan.points(),
        parts: plan.kept.len() + plan.new.len(),
        parts_new: plan.new.len(),
        bytes: 0,
        bytes_per_point: None,
        seconds: 0.0,
        points_per_s: 0.0,
        recall: None,
        recall_by_mode: None,
        parts_scanned: 0,
        recall_at_10: None,
        recall_queries: None,
        seq: snapshot.next_seq(),
        commit: snapshot.manifest().commit,
    })
}

fn kind_name(kind: Kinds) -> &'static str {
    match kind {
        Kinds::Graph => "graph",
        Kinds::Lists => "lists",
    }
}

fn metric_of(snapshot: &Snapshot) -> Result<String> {
    match snapshot.manifest().index_parts().first() {
        None => Ok(snapshot.settings().metric.to_string()),
        Some(part) => Ok(snapshot.index_part(part)?.part.metric().to_string()),
    }
}

fn status(context: &Context) -> Result<()> {
    let snapshot = context.snapshot()?;
    let mut out = context.rows_of::<IndexRow>(&snapshot, &[])?;
    for entry in snapshot.manifest().index_parts() {
        signals::check()?;
        let mut row = IndexRow {
            part: entry.path(),
            status: "ok",
            kind: None,
            metric: None,
            rows: entry.rows,
            rows_dead: snapshot.manifest().deletions_of(entry.id).map_or(0, |d| d.rows),
            lists: None,
            seq_from: entry.seq_min,
            seq_to: entry.seq_max + 1,
            from: (entry.time() != TimeRange::ALL).then_some(Time(entry.t_min)),
            to: (entry.time() != TimeRange::ALL).then_some(Time(entry.t_max)),
            bytes: entry.seal.len,
            bytes_per_row: entry.seal.len as f64 / entry.rows.max(1) as f64,
            recall: None,
            recall_by_mode: None,
            sections: None,
        };
        match snapshot.index_part(&entry) {
            Ok(open) => {
                let head = open.part.head();
                if !open.part.is_current() {
                    row.status = "outdated";
                    context.warn("an older cvx built the index, and queries do not use it; `cvx index build` builds it again");
                }
                let sections: serde_json::Map<String, serde_json::Value> =
                    open.part.sections().into_iter().map(|(name, bytes)| (name, bytes.into())).collect();
                row.kind = Some(match (head.graph != GraphKind::None, head.lists) {
                    (true, _) => "graph",
                    (false, 0) => "codes",
                    _ => "lists",
                });
                let known = Known::of(head);
                if open.part.is_current() && known.scanned > 0 {
                    row.status = "scanned";
                }
                (row.recall, row.recall_by_mode) = (known.least, known.json().map(Json));
                row.metric = Some(head.metric.to_string());
                row.lists = Some(head.lists);
                row.sections = Some(Json(serde_json::Value::from(sections).to_string()));
            }
            Err(e) => {
                row.status = "damaged";
                context.warn(&format!("{e}; `cvx index build --rebuild` makes the index anew"));
            }
        }
        out.row(&row)?;
    }
    out.finish()
}

fn drop_index(context: &Context) -> Result<()> {
    let dir = context.dataset();
    if context.run.dry_run {
        let snapshot = context.snapshot()?;
        let parts = snapshot.manifest().index_parts();
        return context.record(&IndexDroppedRow {
            parts: parts.len(),
            bytes: parts.iter().map(|p| p.seal.len).sum(),
            commit: snapshot.manifest().commit,
        });
    }
    let mut writer = Writer::open(&dir, context.writing("index drop"))?;
    let bytes = Snapshot::open(&dir, None)?.manifest().index_parts().iter().map(|p| p.seal.len).sum();
    let parts = writer.drop_index()?;
    let commit = writer.finish()?.0;
    context.record(&IndexDroppedRow { parts, bytes, commit })
}
