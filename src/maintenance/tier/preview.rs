//! What a run would move, cut and leave, counted in the files themselves.

use super::estimate::Estimate;
use super::{Move, Policy, plan};
use crate::config::Partition;
use crate::dataset::{Part, Select, Snapshot};
use crate::error::Result;
use crate::maintenance::compact;
use crate::maintenance::period::Periods;
use crate::manifest::{FileEntry, FileKind};
use crate::model::{TimeRange, TimestampUs};

/// The start of the week of `before`, or of the day where partitions are days. Files that span it
/// are cut there, so a point goes at most a week after it is old enough, and a file is not
/// rewritten by every run.
pub fn boundary(partition: Partition, before: TimestampUs) -> TimestampUs {
    let unit = match partition {
        Partition::Day => Partition::Day,
        _ => Partition::Week,
    };
    Periods::new(unit).of(before).0
}

/// The compaction that comes first: it makes old hot points warm, and parts files at the boundary.
pub(super) fn cutting(s: &Snapshot, policy: &Policy) -> compact::Policy {
    compact::Policy {
        before: Some(policy.before),
        cut: Some(boundary(s.settings().partition, policy.before)),
        ..compact::Policy::default()
    }
}

/// The files that a run would move, oldest first, with measured sizes; after them those that it
/// would cut first, with the part that goes on to cold.
pub fn preview(s: &Snapshot, policy: &Policy) -> Result<Vec<Move>> {
    let mut moves = plan(s.manifest(), policy);
    let cutting = cutting(s, policy);
    let cut = cutting.cut.unwrap_or(policy.before);
    let periods = Periods::new(s.settings().partition);
    for (file, _) in compact::plan(s.manifest(), &cutting, &periods).iter().flat_map(|j| &j.inputs) {
        let before = if file.t_max < policy.before { policy.before } else { cut };
        let points = s.part_of(file.id)?.map_or(Ok(0), |part| points_before(part, before))?;
        moves.push(Move { file: *file, points, bytes: 0, bytes_after: 0, cut: true });
    }
    if let Some(recent) = s.recent() {
        let points = points_before(recent, cut)?;
        let file = FileEntry {
            rows: recent.live(),
            seal: log_seal(s),
            ..FileEntry::bare(FileKind::Segment, 0, log_seal(s))
        };
        if points > 0 {
            moves.push(Move { file, points, bytes: 0, bytes_after: 0, cut: true });
        }
    }
    Estimate::measure(s, policy, &moves)?.fill(policy, &mut moves);
    Ok(moves)
}

fn log_seal(s: &Snapshot) -> crate::format::container::Seal {
    crate::format::container::Seal { len: s.log_bytes().0, root: 0 }
}

/// Points older than `before` that are not cold.
pub fn waiting(s: &Snapshot, before: TimestampUs) -> Result<u64> {
    let mut out = 0;
    for f in s.manifest().point_files().filter(|f| f.kind != FileKind::Cold && f.t_min < before) {
        out += match s.part_of(f.id)? {
            Some(part) => points_before(part, before)?,
            None => 0,
        };
    }
    out += s.recent().map_or(Ok(0), |part| points_before(part, before))?;
    Ok(out)
}

fn points_before(part: &Part, before: TimestampUs) -> Result<u64> {
    let Some(last) = before.checked_sub(1) else { return Ok(0) };
    let select = Select { time: TimeRange::closed(i64::MIN, last), ..Select::default() };
    Ok(select.resolve_in(vec![part])?.points())
}
