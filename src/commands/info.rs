//! What a dataset holds.

use super::{Outcome, Rows, Selection, Session, Watch};
use crate::config::FORMAT;
use crate::dataset::{EntityInfo, Info, TierInfo};
use crate::error::Result;
use crate::manifest::FileKind;
use crate::output::{Id, Json, Time};
use crate::rows::{EntityRow, InfoRow, ModelRow, PartRow, TierRow};

/// The dataset as a whole, from its manifest alone.
///
/// # Errors
/// Fails when the dataset cannot be read.
pub fn run(session: &Session) -> Result<InfoRow> {
    let snapshot = session.snapshot()?;
    let info = Info::of(snapshot);
    let settings = snapshot.settings();
    Ok(InfoRow {
        dataset_id: crate::format::hex(&snapshot.manifest().dataset),
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
        locked_by: crate::fsio::holder(&snapshot.dir().join("LOCK")),
    })
}

/// A row for each selected entity.
///
/// # Errors
/// Fails when the dataset cannot be read or written, when the watch stops the run, and when `out` fails.
pub fn entities(
    session: &Session,
    selection: &Selection,
    watch: &dyn Watch,
    out: &mut dyn Rows<EntityRow>,
) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let selection = selection.resolve(session, watch)?;
    for e in EntityInfo::rows(selection.select.resolve(snapshot)?) {
        watch.stop()?;
        out.row(EntityRow {
            entity_id: Id(e.entity),
            entity: snapshot.entity_name(e.entity)?,
            points: e.points,
            t_min: Time(e.t_min),
            t_max: Time(e.t_max),
            models: Json(serde_json::Value::from(e.models).to_string()),
            gap_max_s: e.gap_max_s,
        })?;
    }
    out.end()?;
    Ok(selection.outcome())
}

/// A row for each live file.
///
/// # Errors
/// Fails when the dataset cannot be read or written, when the watch stops the run, and when `out` fails.
pub fn partitions(session: &Session, out: &mut dyn Rows<PartRow>) -> Result<()> {
    let snapshot = session.snapshot()?;
    for f in &snapshot.manifest().files {
        let points = f.kind.holds_points() && f.rows > 0;
        let dead = snapshot.manifest().deletions_of(f.id).map_or(0, |d| d.rows);
        out.row(PartRow {
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
    out.end()
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

/// A row for each tier.
///
/// # Errors
/// Fails when the dataset cannot be read or written, when the watch stops the run, and when `out` fails.
pub fn tiers(session: &Session, out: &mut dyn Rows<TierRow>) -> Result<()> {
    let snapshot = session.snapshot()?;
    for t in TierInfo::of(snapshot) {
        out.row(TierRow { tier: t.tier, files: t.files, points: t.points, bytes: t.bytes })?;
    }
    out.end()
}

/// A row for each embedding model and source.
///
/// # Errors
/// Fails when the dataset cannot be read or written, when the watch stops the run, and when `out` fails.
pub fn models(session: &Session, out: &mut dyn Rows<ModelRow>) -> Result<()> {
    let snapshot = session.snapshot()?;
    let known = |text: String| (!text.is_empty()).then_some(text);
    for m in Info::models(snapshot)? {
        out.row(ModelRow { model: known(m.model), source: known(m.source), points: m.points })?;
    }
    out.end()
}
