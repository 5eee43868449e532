//! Which path answers a query: the one of the least counted work.
//!
//! Costs are constants of the dimension, and depths were found by calibration when the part was
//! built, so a part answers the same way on every machine and every time.

use super::eligible::Eligible;
use super::query::{Effort, Path, Query};
use super::view::View;
use super::walk::Goal;
use crate::simd::bits::BLOCK;

/// The recalls at 10 for which depths are known.
pub const TARGETS: [f64; 4] = [0.90, 0.95, 0.97, 0.99];
/// A walk through a filter has to pass rows that do not count; below this share it is not tried.
const LEAST_SHARE: f64 = 0.1;

/// Depths found by calibration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables {
    /// Lists to probe, by the number of rows among which the ten nearest are sought; ascending.
    pub lists: Vec<ListDepth>,
    /// Pools of walks over all rows; ends before a target that no pool reached.
    pub graph: Vec<GraphDepth>,
    /// The largest scale of an 8-bit code.
    pub largest_scale: f32,
}

/// Lists to probe for each of [`TARGETS`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListDepth {
    /// Rows of the window.
    pub rows: u32,
    /// Lists.
    pub probes: [u32; TARGETS.len()],
    /// Rows of which one-bit estimates leave it open whether they are among the ten nearest, about.
    pub open: u32,
}

/// A walk for one of [`TARGETS`].
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

/// Work of single steps in nanoseconds, in `padded` coordinates: straight lines through what
/// benches/record/index.md measured at 128, 384 and 768 coordinates. Constants rather than clocks, so that an
/// index answers the same way on every machine.
struct Costs {
    /// An 8-bit distance of a row that follows the one before.
    next: f64,
    /// An 8-bit distance of a row anywhere, and offering it.
    random: f64,
    /// A one-bit estimate.
    estimate: f64,
    /// Beginning a list: its first block counts whole.
    list: f64,
    /// Putting all lists into order, a list.
    order: f64,
    /// Looking at the neighbours of a row of the graph.
    hop: f64,
    /// An 8-bit distance of a neighbour.
    neighbour: f64,
    /// Looking at a row whose neighbours have codes.
    step: f64,
}

/// Codes up to this many bytes stay in a processor's cache.
const CACHED: usize = 16 << 20;

impl Costs {
    fn new(view: &View<'_>) -> Costs {
        let d = view.padded as f64;
        let estimate = 1.5 + 0.009 * d;
        Costs {
            next: 1.5 + if view.codes.len() <= CACHED { 0.02 * d } else { 0.1 * d },
            random: 35.0 + 0.2 * d,
            estimate,
            list: 120.0 + BLOCK as f64 * estimate,
            order: 6.0 + 0.04 * d,
            hop: 350.0,
            neighbour: 20.0 + 0.1 * d,
            step: 400.0 + 0.6 * d,
        }
    }
}

/// A path with its depth.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The path.
    pub path: Path,
    /// Lists to probe.
    pub probes: usize,
    /// How far a walk goes.
    pub goal: Goal,
    /// What each possible path would cost.
    pub costs: Vec<(Path, f64)>,
}

/// Rows among which the `k` wanted ones of a query are: with one row of an entity wanted, the
/// others of each entity come along.
pub fn depth(view: &View<'_>, query: &Query<'_>, eligible: &Eligible) -> usize {
    match query.per_entity {
        false => query.k,
        true => query.k * eligible.estimate().div_ceil(view.entities.max(1)).max(1),
    }
}

/// The cheapest path to the nearest `depth` rows.
pub fn choose(
    view: &View<'_>,
    tables: &Tables,
    query: &Query<'_>,
    depth: usize,
    eligible: &Eligible,
) -> Plan {
    let (window, wanted) = (eligible.window(), eligible.estimate());
    let mut plan = Plan { path: Path::Nothing, probes: 0, goal: Goal::pool(0), costs: Vec::new() };
    if window == 0 {
        return plan;
    }
    let costs = Costs::new(view);
    plan.costs = scans(&costs, eligible);
    if !view.lists.is_empty() && !tables.lists.is_empty() {
        plan.probes = tables.probes(query.effort, depth, wanted, view.lists.len());
        let share = (1.3 * plan.probes as f64 / view.lists.len() as f64).min(1.0);
        let ordering = view.lists.len() as f64 * costs.order;
        let met = window as f64 * share;
        let open = tables.open(depth, wanted) * (depth as f64 / 10.0).max(1.0);
        let measured = (wanted as f64 * share).min(open);
        let scanning = met * costs.estimate + measured * costs.random;
        plan.costs.push((Path::Lists, ordering + plan.probes as f64 * costs.list + scanning));
    }
    let share = wanted as f64 / view.rows as f64;
    if !view.links.is_empty()
        && share >= LEAST_SHARE
        && let Some(walk) = tables.walk(query.effort, depth)
    {
        let enough = (wanted == view.rows).then_some(depth);
        plan.goal = Goal { ef: (walk.ef / share).ceil() as usize, stretch: walk.stretch, enough };
        let ordering = view.lists.len() as f64 * costs.order;
        let walking = match view.links.coded() {
            true => walk.hops * costs.step,
            false => walk.hops * costs.hop + walk.distances * costs.neighbour,
        };
        plan.costs.push((Path::Graph, ordering + walking / share));
    }
    plan.decide(query);
    plan
}

/// The cheapest path that meets every row within a radius.
pub fn choose_all(view: &View<'_>, tables: &Tables, query: &Query<'_>, eligible: &Eligible) -> Plan {
    let mut plan =
        Plan { path: Path::Nothing, probes: view.lists.len(), goal: Goal::pool(0), costs: Vec::new() };
    if eligible.window() == 0 {
        return plan;
    }
    let costs = Costs::new(view);
    plan.costs = scans(&costs, eligible);
    if !view.lists.is_empty() && !tables.lists.is_empty() {
        let begin = view.lists.len() as f64 * (costs.order + costs.list);
        plan.costs.push((Path::Lists, begin + eligible.window() as f64 * costs.estimate));
    }
    plan.decide(query);
    plan
}

fn scans(costs: &Costs, eligible: &Eligible) -> Vec<(Path, f64)> {
    let mut all = vec![(Path::Scan, eligible.window() as f64 * costs.next)];
    if let Some(listed) = eligible.list_cost() {
        all.push((Path::Listed, listed as f64 * costs.random));
    }
    all
}

impl Plan {
    fn decide(&mut self, query: &Query<'_>) {
        let forced = query.force.filter(|path| self.costs.iter().any(|(p, _)| p == path));
        let cheapest = self.costs.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(path, _)| *path);
        self.path = forced.or(cheapest).unwrap_or(Path::Nothing);
    }
}

impl Tables {
    /// Lists to probe for the `k` nearest among `rows`: as for the ten nearest among `10 rows / k`.
    fn probes(&self, effort: Effort, k: usize, rows: usize, lists: usize) -> usize {
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
    fn open(&self, k: usize, rows: usize) -> f64 {
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
    fn walk(&self, effort: Effort, k: usize) -> Option<Walk> {
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
struct Walk {
    ef: f64,
    stretch: f32,
    hops: f64,
    distances: f64,
}

/// The place of the least target that is at least `recall`, or of the last.
fn column(recall: f64) -> usize {
    TARGETS.iter().position(|t| *t >= recall).unwrap_or(TARGETS.len() - 1)
}

/// Among how many rows the ten nearest are as deep as the `k` nearest among `rows`.
fn rows_for_ten(k: usize, rows: usize) -> f64 {
    (rows as f64 * 10.0 / k.max(1) as f64).max(1.0)
}
