//! `cvx info`: what a dataset holds.

use crate::context::Context;
use crate::rows::{EntityRow, InfoRow, ModelRow, PartRow, TierRow};
use crate::select::SelectArgs;
use crate::signals;
use cvx::config::FORMAT;
use cvx::dataset::{EntityInfo, Info, Snapshot, TierInfo};
use cvx::error::{Error, Result};
use cvx::manifest::FileKind;
use cvx::output::{Id, Json, Time};

/// Show what the dataset holds: one record, or a row an entity, file, tier or model
#[derive(clap::Args, Debug)]
#[command(
    visible_alias = "stats",
    after_long_help = "Without a switch only the manifest is read, whatever the size of the dataset.

Examples:
  cvx info -d news
  cvx info --entities --min-points 100 -f csv
  cvx info --models"
)]
pub struct Args {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    select: SelectArgs,
}

#[derive(clap::Args, Debug)]
#[group(multiple = false)]
struct What {
    /// A row an entity, with its count, times, models and longest gap; the selection applies
    #[arg(long)]
    entities: bool,
    /// A row a live file
    #[arg(long)]
    partitions: bool,
    /// A row a tier
    #[arg(long)]
    tiers: bool,
    /// A row a model and source
    #[arg(long)]
    models: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let snapshot = context.snapshot()?;
    if !args.what.entities && !args.select.is_empty() {
        return Err(Error::usage("a selection applies to --entities only")
            .fix("add --entities, or leave the selection out"));
    }
    match &args.what {
        What { entities: true, .. } => entities(context, &snapshot, &args.select),
        What { partitions: true, .. } => partitions(context, &snapshot),
        What { tiers: true, .. } => tiers(context, &snapshot),
        What { models: true, .. } => models(context, &snapshot),
        _ => record(context, &snapshot),
    }
}

fn record(context: &Context, snapshot: &Snapshot) -> Result<()> {
    let info = Info::of(snapshot);
    let settings = snapshot.settings();
    let mut out = context.rows_of::<InfoRow>(snapshot, &[])?;
    out.row(&InfoRow {
        dataset_id: cvx::format::hex(&snapshot.manifest().dataset),
        format: FORMAT,
        dim: settings.dim,
        metric: settings.metric.to_string(),
        points: info.points,
        points_exact: info.points_exact,
        t_min: info.t_min.map(Time),
        t_max: info.t_max.map(Time),
        bytes_wal: info.bytes_wal,
        bytes_hot: info.bytes_hot,
        bytes_dict: info.bytes_dict,
        files: info.files,
        seq: info.seq,
        commit: info.commit,
        last_commit: Time(info.committed_us),
        bytes_warm: info.bytes_warm,
        bytes_cold: info.bytes_cold,
        bytes_index: info.bytes_index,
        index_fresh: info.index_fresh,
        locked_by: cvx::fsio::holder(&snapshot.dir().join("LOCK")),
    })?;
    out.finish()
}

fn entities(context: &Context, snapshot: &Snapshot, select: &SelectArgs) -> Result<()> {
    let selection = select.resolve(context, snapshot)?;
    let mut out = context.rows_of::<EntityRow>(snapshot, &[])?;
    for e in EntityInfo::rows(selection.select.resolve(snapshot)?) {
        signals::check()?;
        out.row(&EntityRow {
            entity_id: Id(e.entity),
            entity: snapshot.entity_name(e.entity)?,
            points: e.points,
            t_min: Time(e.t_min),
            t_max: Time(e.t_max),
            models: Json(serde_json::Value::from(e.models).to_string()),
            gap_max_s: e.gap_max_s,
        })?;
    }
    out.finish()?;
    selection.finish()
}

fn partitions(context: &Context, snapshot: &Snapshot) -> Result<()> {
    let mut out = context.rows_of::<PartRow>(snapshot, &[])?;
    for f in &snapshot.manifest().files {
        let points = f.kind.holds_points() && f.rows > 0;
        let dead = snapshot.manifest().deletions_of(f.id).map_or(0, |d| d.rows);
        out.row(&PartRow {
            path: snapshot.manifest().label_of(f),
            kind: kind(f.kind),
            rows: f.rows,
            rows_dead: dead,
            bytes: f.seal.len,
            t_min: points.then_some(Time(f.t_min)),
            t_max: points.then_some(Time(f.t_max)),
            entity_min: points.then_some(Id(f.entity_min)),
            entity_max: points.then_some(Id(f.entity_max)),
        })?;
    }
    out.finish()
}

fn kind(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Segment => "segment",
        FileKind::Dictionary => "dictionary",
        FileKind::Deletions => "deletions",
        FileKind::Warm => "warm",
        FileKind::Cold => "cold",
        FileKind::Codebook => "codebook",
        FileKind::Original => "original",
        FileKind::Index => "index",
    }
}

fn tiers(context: &Context, snapshot: &Snapshot) -> Result<()> {
    let mut out = context.rows_of::<TierRow>(snapshot, &[])?;
    for t in TierInfo::of(snapshot) {
        out.row(&TierRow { tier: t.tier, files: t.files, points: t.points, bytes: t.bytes })?;
    }
    out.finish()
}

fn models(context: &Context, snapshot: &Snapshot) -> Result<()> {
    let mut out = context.rows_of::<ModelRow>(snapshot, &[])?;
    let known = |text: String| (!text.is_empty()).then_some(text);
    for m in Info::models(snapshot)? {
        out.row(&ModelRow { model: known(m.model), source: known(m.source), points: m.points })?;
    }
    out.finish()
}
