//! How one entity's points of a period differ from those of another, whatever files they lie in.

use crate::analytics::Status;
use crate::analytics::shift::{Params, Shift, Units, shift};
use crate::dataset::Rows;
use crate::error::Result;
use crate::filter::lookup;
use crate::model::{EntityId, TimeRange, TimestampUs, Trajectory};
use std::collections::HashMap;
use std::ops::Range;

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The first period.
    pub from: TimeRange,
    /// The second period.
    pub to: TimeRange,
    /// Where a point's metadata says which points belong together, see [`paths_of`]; points without any
    /// of these are left out. Without paths every point counts.
    pub cluster: Vec<Vec<String>>,
    /// How; its units hold where no cluster key is given.
    pub params: Params<'a>,
}

/// The outcome for one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The comparison.
    pub shift: Shift,
    /// Times of the first and last point of each period.
    pub times: [Option<(TimestampUs, TimestampUs)>; 2],
    /// Points of the periods that were compared.
    pub compared: u64,
    /// Points of the periods that have no cluster key.
    pub without_key: u64,
    /// True when a lossy codec changed any of the vectors.
    pub approx: bool,
}

/// The points of one period that count.
struct Side {
    t: Vec<TimestampUs>,
    x: Vec<f32>,
    model: Vec<u32>,
    cluster: Vec<u32>,
}

impl Side {
    fn trajectory(&self, entity: EntityId, dim: usize) -> Trajectory<'_> {
        Trajectory { entity, t: &self.t, x: &self.x, dim, model: &self.model }
    }
}

/// The places in metadata that a key may mean: a name as it is, a path with dots, and either without a
/// leading `metadata.`.
pub fn paths_of(key: &str) -> Vec<Vec<String>> {
    let bare = key.strip_prefix("metadata.").filter(|k| !k.is_empty());
    let mut paths: Vec<Vec<String>> = Vec::new();
    for name in [Some(key), bare].into_iter().flatten() {
        let whole = vec![name.to_string()];
        let parts: Vec<String> = name.split('.').map(str::to_string).collect();
        for path in [whole, parts] {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}

/// How many of an entity's points lie in the two periods: what [`compare`] reads.
pub fn points(rows: &Rows<'_>, q: &Question<'_>) -> usize {
    inside(rows, q.from).len() + inside(rows, q.to).len()
}

/// Compares the two periods of one entity. Only their vectors are read.
pub fn compare(rows: &Rows<'_>, dim: usize, q: &Question<'_>) -> Result<Answer> {
    let models = rows.models();
    let mut numbers = HashMap::new();
    let mut side = |range: TimeRange| read(rows, inside(rows, range), &models, q, &mut numbers, dim);
    let ((a, lost_a, approx_a), (b, lost_b, approx_b)) = (side(q.from)?, side(q.to)?);
    let units = match q.cluster.is_empty() {
        false => Units::Clusters(&a.cluster, &b.cluster),
        true => q.params.units,
    };
    let (first, second) = (a.trajectory(rows.entity, dim), b.trajectory(rows.entity, dim));
    let found = shift(&first, &second, &Params { units, ..q.params });
    let ends = |s: &Side| Some((*s.t.first()?, *s.t.last()?));
    Ok(Answer {
        times: [ends(&a), ends(&b)],
        compared: (a.t.len() + b.t.len()) as u64,
        without_key: lost_a + lost_b,
        approx: (approx_a || approx_b) && found.l2.is_some() && found.status != Status::ModelBreak,
        shift: found,
    })
}

/// An entity's points of a period.
fn inside(rows: &Rows<'_>, range: TimeRange) -> Range<usize> {
    if range.is_empty() {
        return 0..0;
    }
    rows.t.partition_point(|&t| t < range.first())..rows.t.partition_point(|&t| t <= range.last())
}

/// Reads the points that count; also the number without the cluster key, and whether any is approximate.
fn read(
    rows: &Rows<'_>,
    points: Range<usize>,
    models: &[u32],
    q: &Question<'_>,
    numbers: &mut HashMap<String, u32>,
    dim: usize,
) -> Result<(Side, u64, bool)> {
    let mut side = Side { t: Vec::new(), x: Vec::new(), model: Vec::new(), cluster: Vec::new() };
    rows.read(points.clone(), &mut side.x)?;
    let (mut kept, mut approx) = (0, false);
    for i in points.clone() {
        if !q.cluster.is_empty() {
            let text = rows.meta(i)?;
            let value = q.cluster.iter().find_map(|path| lookup(&text, path).filter(|v| !v.is_null()));
            let Some(value) = value else { continue };
            let next = numbers.len() as u32;
            side.cluster.push(*numbers.entry(value.to_string()).or_insert(next));
        }
        let at = i - points.start;
        side.x.copy_within(at * dim..(at + 1) * dim, kept * dim);
        side.t.push(rows.t[i]);
        side.model.extend(models.get(i));
        approx |= rows.is_approx(i);
        kept += 1;
    }
    side.x.truncate(kept * dim);
    Ok((side, (points.len() - kept) as u64, approx))
}
