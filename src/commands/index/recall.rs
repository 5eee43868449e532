//! How many of the true neighbours the index finds, asked with stored points.

use crate::dataset::{Select, Snapshot};
use crate::error::Result;
use crate::index::layout::Head;
use crate::index::tables::{Mode, Tables};
use crate::index::{Check, WANTED};
use crate::metric::Metric;
use crate::model::TimeRange;
use crate::query::{Found, How, Request, When, neighbours, search};
use crate::watch::Watch;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The recall that parts of an index had when they were built, on questions that are not stored, by exact distances.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// The least of all parts and modes of asking; `None` without a part that is searched.
    pub least: Option<f64>,
    /// The least of all parts for each mode.
    pub by_mode: Vec<(Mode, f64)>,
    /// Parts that searches compare row by row, since their codes do not reach the recall.
    pub scanned: usize,
}

impl Known {
    /// Of a part, by what it says of itself.
    pub fn of(head: &Head) -> Known {
        let tables = &head.tables;
        let searched = head.current && tables.allowed.scan && !tables.measured.is_empty();
        Known {
            least: searched.then(|| f64::from(tables.recall())),
            by_mode: match searched {
                true => tables.measured.iter().map(|m| (m.mode, f64::from(m.recall))).collect(),
                false => Vec::new(),
            },
            scanned: usize::from(head.current && gave_up(tables)),
        }
    }

    /// Of all parts of a dataset's index.
    pub fn of_all(snapshot: &Snapshot) -> Result<Known> {
        let mut all = Known::default();
        for entry in snapshot.manifest().index_parts() {
            let one = Known::of(snapshot.index_part(&entry)?.part.head());
            all.least = all.least.into_iter().chain(one.least).reduce(f64::min);
            all.scanned += one.scanned;
            for (mode, recall) in one.by_mode {
                match all.by_mode.iter_mut().find(|m| m.0 == mode) {
                    Some(known) => known.1 = known.1.min(recall),
                    None => all.by_mode.push((mode, recall)),
                }
            }
        }
        Ok(all)
    }

    /// The modes and their recalls as a JSON object.
    pub fn json(&self) -> Option<String> {
        let object = self.by_mode.iter().map(|(mode, recall)| {
            let rounded = (recall * 1e4).round() / 1e4;
            (mode.as_str().to_owned(), serde_json::Value::from(rounded))
        });
        (!self.by_mode.is_empty()).then(|| serde_json::Value::Object(object.collect()).to_string())
    }
}

/// True for a part whose searches were measured and found too poor; parts of a few rows are compared in any case.
fn gave_up(tables: &Tables) -> bool {
    !tables.allowed.scan && !tables.measured.is_empty()
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recall {
    /// Share of the true neighbours that were found, by distance.
    pub recall: f64,
    /// Questions asked.
    pub queries: usize,
}

/// Asks for the ten nearest points of other entities to `sample` stored points, through the index
/// and exactly. `None` without an index or points in it.
pub fn recall(snapshot: &Snapshot, sample: usize, seed: u64, watch: &dyn Watch) -> Result<Option<Recall>> {
    let mut parts = Vec::new();
    for entry in snapshot.manifest().index_parts() {
        parts.push(snapshot.index_part(&entry)?);
    }
    let Some(metric) = parts.first().map(|p| p.part.metric()) else { return Ok(None) };
    let rows: u64 = parts.iter().map(|p| p.entry.rows).sum();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x7265_6361_6c6c);
    let mut requests = Vec::new();
    // Dead rows are drawn in vain; a part is at most a quarter dead after a build.
    for _ in 0..4 * sample {
        let mut row = rng.random_range(0..rows.max(1));
        for part in &parts {
            if row < part.entry.rows {
                let row = row as u32;
                if requests.len() < sample && !part.dead.contains(row) {
                    let key = part.part.reader(Check::Lazy)?.key(row)?;
                    requests.extend(request(snapshot, key)?);
                }
                break;
            }
            row -= part.entry.rows;
        }
    }
    if requests.is_empty() {
        return Ok(None);
    }
    measure(snapshot, metric, &requests, watch).map(Some)
}

fn request(snapshot: &Snapshot, key: crate::model::Key) -> Result<Option<Request>> {
    use crate::model::VectorSource;
    let Some((part, row)) = snapshot.point(key)? else { return Ok(None) };
    let mut buffer = Vec::new();
    Ok(Some(Request {
        vector: part.vectors(row..row + 1, &mut buffer)?.to_vec(),
        k: WANTED,
        radius: None,
        when: When::window(TimeRange::ALL),
        exclude: Some(key.entity),
        best_per_entity: false,
        time: None,
    }))
}

fn measure(snapshot: &Snapshot, metric: Metric, requests: &[Request], watch: &dyn Watch) -> Result<Recall> {
    let select = Select::default();
    let (found, _) = search(snapshot, &select, metric, requests, How::default(), watch)?;
    let (truth, _) = neighbours(snapshot, &select, metric, requests, watch)?;
    let (mut hits, mut wanted) = (0, 0);
    for (found, truth) in found.iter().zip(&truth) {
        wanted += truth.len();
        let last = truth.last().map_or(f64::NEG_INFINITY, |t| t.hit.distance);
        // By distance, so that ties count.
        let near = |f: &&Found<'_>| f.hit.distance <= last;
        hits += found.iter().filter(near).count().min(truth.len());
    }
    Ok(Recall {
        recall: if wanted == 0 { 1.0 } else { hits as f64 / wanted as f64 },
        queries: requests.len(),
    })
}
