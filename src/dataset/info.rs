//! What a dataset holds, from its manifest; and a row an entity or model, from its keys.

use super::select::Selected;
use super::snapshot::Snapshot;
use super::trajectories::Trajectories;
use crate::error::Result;
use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::model::{EntityId, TimestampUs, seconds_between};
use std::collections::BTreeMap;

/// A dataset in numbers, without opening a file of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// Points that count.
    pub points: u64,
    /// False when superseded rows may still be counted.
    pub points_exact: bool,
    /// Earliest timestamp; `None` without points.
    pub t_min: Option<TimestampUs>,
    /// Latest timestamp.
    pub t_max: Option<TimestampUs>,
    /// Bytes of the live log.
    pub bytes_wal: u64,
    /// Bytes of hot segments and of the deletion sets of points.
    pub bytes_hot: u64,
    /// Bytes of warm files.
    pub bytes_warm: u64,
    /// Bytes of cold blocks, their codebooks and kept originals.
    pub bytes_cold: u64,
    /// Bytes of the dictionary.
    pub bytes_dict: u64,
    /// Bytes of the index and its deletion sets.
    pub bytes_index: u64,
    /// Share of the points that the index covers; `None` without points.
    pub index_fresh: Option<f64>,
    /// Sequence number behind the newest row.
    pub seq: u64,
    /// The newest version.
    pub commit: u64,
    /// When it was committed.
    pub committed_us: TimestampUs,
    /// Live files.
    pub files: u64,
    /// Entities with names, where entities have names.
    pub names: u64,
}

/// One tier in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierInfo {
    /// `wal`, `hot`, `warm` or `cold`.
    pub tier: &'static str,
    /// Files of points.
    pub files: u64,
    /// Points that count.
    pub points: u64,
    /// Bytes, with what belongs to the files.
    pub bytes: u64,
}

impl TierInfo {
    /// The tiers of a snapshot, from log to cold.
    pub fn of(s: &Snapshot) -> [TierInfo; 4] {
        let (m, info) = (s.manifest(), Info::of(s));
        let tier = |tier, kind, bytes| TierInfo {
            tier,
            files: m.of(kind).count() as u64,
            points: s.points_of(kind),
            bytes,
        };
        let recent = s.recent().map_or(0, |p| p.rows() as u64);
        let log = u64::from(m.log != 0);
        [
            TierInfo { tier: "wal", files: log, points: recent, bytes: info.bytes_wal },
            tier("hot", FileKind::Segment, info.bytes_hot),
            tier("warm", FileKind::Warm, info.bytes_warm),
            tier("cold", FileKind::Cold, info.bytes_cold),
        ]
    }
}

/// One entity in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityInfo {
    /// The entity.
    pub entity: EntityId,
    /// Its points.
    pub points: u64,
    /// First seen.
    pub t_min: TimestampUs,
    /// Last seen.
    pub t_max: TimestampUs,
    /// Models of its points, sorted; empty texts left out.
    pub models: Vec<String>,
    /// Longest step in seconds; `None` for a single point.
    pub gap_max_s: Option<f64>,
}

/// One source and model in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// The model, empty for none.
    pub model: String,
    /// The source.
    pub source: String,
    /// Points.
    pub points: u64,
}

impl Info {
    /// Reads the numbers of a snapshot.
    pub fn of(s: &Snapshot) -> Info {
        let m = s.manifest();
        let sizes = |kind| m.of(kind).map(|f| f.seal.len).sum::<u64>();
        let mut t: Option<(i64, i64)> = None;
        let mut widen = |a: i64, b: i64| t = Some(t.map_or((a, b), |(c, d)| (a.min(c), b.max(d))));
        m.point_files().filter(|f| f.rows > 0).for_each(|f| widen(f.t_min, f.t_max));
        if let Some(recent) = s.recent() {
            let times = recent.times();
            if let (Some(a), Some(b)) = (times.iter().min(), times.iter().max()) {
                widen(*a, *b);
            }
        }
        if s.points() == 0 {
            t = None;
        }
        Info {
            points: s.points(),
            points_exact: true,
            t_min: t.map(|t| t.0),
            t_max: t.map(|t| t.1),
            bytes_wal: s.log_bytes().0,
            bytes_hot: sizes(FileKind::Segment) + sizes(FileKind::Deletions) - deletions_of_index(m).1,
            bytes_warm: sizes(FileKind::Warm),
            bytes_cold: sizes(FileKind::Cold) + sizes(FileKind::Codebook) + sizes(FileKind::Original),
            bytes_dict: sizes(FileKind::Dictionary),
            bytes_index: sizes(FileKind::Index) + deletions_of_index(m).1,
            index_fresh: (s.points() > 0).then(|| (indexed(m) as f64 / s.points() as f64).min(1.0)),
            seq: s.next_seq(),
            commit: m.commit,
            committed_us: m.created_us,
            files: m.files.len() as u64,
            names: s.dict().len() as u64,
        }
    }

    /// Points by source and model, sorted. Reads the provenance of every file.
    pub fn models(s: &Snapshot) -> Result<Vec<ModelInfo>> {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for part in s.parts()? {
            let mut here = vec![0u64; part.origins().len()];
            for row in (0..part.rows()).filter(|r| part.is_live(*r)) {
                here[part.origin_ordinal(row)] += 1;
            }
            for (o, n) in part.origins().iter().zip(here).filter(|(_, n)| *n > 0) {
                *counts.entry((o.model.clone(), o.source.clone())).or_insert(0) += n;
            }
        }
        Ok(counts.into_iter().map(|((model, source), points)| ModelInfo { model, source, points }).collect())
    }
}

/// Rows and bytes of the deletion sets of index parts.
fn deletions_of_index(m: &Manifest) -> (u64, u64) {
    let of_index = |f: &&FileEntry| m.find(FileKind::Index, f.target).is_some();
    m.of(FileKind::Deletions).filter(of_index).fold((0, 0), |n, f| (n.0 + f.rows, n.1 + f.seal.len))
}

/// Live points in the index.
fn indexed(m: &Manifest) -> u64 {
    let rows: u64 = m.of(FileKind::Index).map(|f| f.rows).sum();
    rows.saturating_sub(deletions_of_index(m).0)
}

impl EntityInfo {
    /// A row for each selected entity, by id.
    pub fn rows(selected: Selected<'_>) -> impl Iterator<Item = EntityInfo> {
        Trajectories::new(selected).map(|rows| {
            let mut models: Vec<String> = (0..rows.len()).map(|i| rows.origin(i).model.as_str()).fold(
                Vec::new(),
                |mut seen: Vec<String>, m| {
                    if !m.is_empty() && seen.last().is_none_or(|l| l != m) && !seen.iter().any(|s| s == m) {
                        seen.push(m.to_owned());
                    }
                    seen
                },
            );
            models.sort();
            let gap = rows.t.windows(2).map(|w| seconds_between(w[0], w[1])).max_by(f64::total_cmp);
            EntityInfo {
                entity: rows.entity,
                points: rows.len() as u64,
                t_min: rows.t.first().copied().unwrap_or(0),
                t_max: rows.t.last().copied().unwrap_or(0),
                models,
                gap_max_s: gap,
            }
        })
    }
}
