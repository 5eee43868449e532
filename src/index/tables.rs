//! What calibration found, and depths for a search from it.

use super::bounds::Resolution;
use super::effort::{Effort, TARGETS};

/// The place of the target of the usual effort.
pub const USUAL: usize = 2;
/// Standard errors of one-bit estimates that a search for the nearest allows for, where calibration saw no need for more.
pub const ERRORS: f32 = 1.9;

/// The paths that reached their recall on held-out questions. Exact comparison needs no leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Scans of the codes; without them the part is compared exactly, always.
    pub scan: bool,
    /// Lists.
    pub lists: bool,
    /// Lists, for the best row of each entity.
    pub lists_by_entity: bool,
    /// Walks.
    pub graph: bool,
    /// Walks, for the best row of each entity.
    pub graph_by_entity: bool,
}

impl Allowed {
    /// All paths.
    pub const ALL: Allowed =
        Allowed { scan: true, lists: true, lists_by_entity: true, graph: true, graph_by_entity: true };
    /// Exact comparison alone.
    pub const NONE: Allowed =
        Allowed { scan: false, lists: false, lists_by_entity: false, graph: false, graph_by_entity: false };
}

/// Recall that a part's searches had on questions that it was not sized on, with the usual effort.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Which rows counted.
    pub mode: Mode,
    /// Share of the ten nearest found, by exact distance; of kinds of questions the least.
    pub recall: f32,
}

/// Which rows count, when a recall is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// All rows.
    All,
    /// A quarter of the rows, by time.
    Quarter,
    /// A twentieth of the rows, by time.
    Twentieth,
    /// States at an instant.
    AsOf,
    /// Rows of other entities than the question's.
    Others,
    /// The best row of each entity.
    PerEntity,
}

impl Mode {
    /// All modes, by their numbers in files.
    pub const EVERY: [Mode; 6] =
        [Mode::All, Mode::Quarter, Mode::Twentieth, Mode::AsOf, Mode::Others, Mode::PerEntity];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::All => "all",
            Mode::Quarter => "quarter",
            Mode::Twentieth => "twentieth",
            Mode::AsOf => "as_of",
            Mode::Others => "others",
            Mode::PerEntity => "per_entity",
        }
    }
}

/// Depths found by calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables {
    /// Lists to probe, by the number of rows among which the ten nearest are sought; ascending.
    pub lists: Vec<ListDepth>,
    /// Pools of walks over all rows; ends before a target that no pool reached.
    pub graph: Vec<GraphDepth>,
    /// How far 8-bit distances can be off.
    pub resolution: Resolution,
    /// Standard errors of one-bit estimates that a search for the nearest allows for.
    pub errors: f32,
    /// Paths that may be taken.
    pub allowed: Allowed,
    /// Exact distances of the mean search.
    pub ranked: u32,
    /// What was measured; empty for a part of a few rows, which is always compared exactly.
    pub measured: Vec<Measured>,
}

impl Tables {
    /// Of a part that is not calibrated yet.
    pub const fn none() -> Tables {
        Tables {
            lists: Vec::new(),
            graph: Vec::new(),
            resolution: Resolution { rough: 0.0, largest: 0.0, width: super::bounds::WIDTH },
            errors: ERRORS,
            allowed: Allowed::ALL,
            ranked: 10,
            measured: Vec::new(),
        }
    }

    /// The least measured recall.
    pub fn recall(&self) -> f32 {
        self.measured.iter().map(|m| m.recall).fold(1.0, f32::min)
    }
}

/// Lists to probe for each of the targets of recall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListDepth {
    /// Rows of the window.
    pub rows: u32,
    /// Lists.
    pub probes: [u32; TARGETS.len()],
    /// Rows of which one-bit estimates leave it open whether they are among the ten nearest, about.
    pub open: u32,
}

/// A walk for one of the targets of recall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphDepth {
    /// Rows of the pool.
    pub ef: u32,
    /// Rows beyond this times the wanted squared distance are not looked at.
    pub stretch: f32,
    /// Rows that the mean walk looks at.
    pub hops: u32,
    /// Distances that it computes.
    pub distances: u32,
}

impl Tables {
    /// Lists to probe for the `k` nearest among `rows`: as for the ten nearest among `10 rows / k`.
    pub(super) fn probes(&self, effort: Effort, k: usize, rows: usize, lists: usize) -> usize {
        let rows = rows_for_ten(k, rows);
        let probes = match effort {
            Effort::Recall(target) => self.interpolated(rows, |d| d.probes[column(target)]),
            Effort::Beam(ef) => {
                let usual = self.graph.get(column(0.95)).map_or(64.0, |g| f64::from(g.hops));
                self.interpolated(rows, |d| d.probes[column(0.95)]) * ef as f64 / usual
            }
        };
        (probes.ceil() as usize).clamp(1, lists)
    }

    /// Rows left open by estimates for the `k` nearest among `rows`.
    pub(super) fn open(&self, k: usize, rows: usize) -> f64 {
        self.interpolated(rows_for_ten(k, rows), |d| d.open)
    }

    /// Straight lines in the logarithm of the number of rows; below the least, in proportion.
    fn interpolated(&self, rows: f64, of: impl Fn(&ListDepth) -> u32) -> f64 {
        let at = |d: &ListDepth| (f64::from(d.rows), f64::from(of(d)));
        let above = self.lists.partition_point(|d| f64::from(d.rows) < rows);
        match (above.checked_sub(1).map(|i| at(&self.lists[i])), self.lists.get(above).map(at)) {
            (Some((r0, p0)), Some((r1, p1))) => {
                let share = (rows / r0).ln() / (r1 / r0).ln();
                p0 + share * (p1 - p0)
            }
            (None, Some((r1, p1))) => p1 * r1 / rows,
            (Some((_, p0)), None) => p0,
            (None, None) => f64::INFINITY,
        }
    }

    /// The walk for the `k` nearest, if any pool reached the recall.
    pub(super) fn walk(&self, effort: Effort, k: usize) -> Option<Walk> {
        let k = k as f64;
        let of = |found: &GraphDepth| Walk {
            ef: f64::from(found.ef),
            stretch: found.stretch,
            hops: f64::from(found.hops),
            distances: f64::from(found.distances),
        };
        let walk = match effort {
            Effort::Recall(target) => of(self.graph.get(column(target))?),
            Effort::Beam(ef) => {
                let usual = of(self.graph.get(column(0.95)).or(self.graph.first())?);
                let hops = ef as f64;
                let distances = usual.distances * hops / usual.hops.max(1.0);
                Walk { ef: hops, stretch: f32::INFINITY, hops, distances }
            }
        };
        // A pool for ten that must hold k: its surplus grows more slowly than k.
        let factor = (k / 10.0).max(1.0).powf(0.8).max(k * 1.1 / walk.ef);
        Some(Walk {
            ef: walk.ef * factor,
            hops: walk.hops * factor,
            distances: walk.distances * factor,
            ..walk
        })
    }
}

/// See [`GraphDepth`].
pub(super) struct Walk {
    /// Rows of the pool.
    pub ef: f64,
    /// See [`GraphDepth::stretch`].
    pub stretch: f32,
    /// Rows that the mean walk looks at.
    pub hops: f64,
    /// Distances that it computes.
    pub distances: f64,
}

/// The place of the least target that is at least `recall`, or of the last.
fn column(recall: f64) -> usize {
    TARGETS.iter().position(|t| *t >= recall).unwrap_or(TARGETS.len() - 1)
}

/// Among how many rows the ten nearest are as deep as the `k` nearest among `rows`.
fn rows_for_ten(k: usize, rows: usize) -> f64 {
    (rows as f64 * 10.0 / k.max(1) as f64).max(1.0)
}
