//! Which path answers a query: the one of the least counted work.
//!
//! Costs are constants of the dimension, and depths were found by calibration when the part was
//! built, so a part answers the same way on every machine and every time.

use super::effort::Effort;
use super::eligible::Eligible;
use super::query::{Path, Query};
use super::tables::{GraphDepth, Tables};
use super::view::View;
use super::walk::Goal;
use crate::simd::bits::BLOCK;

/// A walk through a filter has to pass rows that do not count; below this share it is not tried.
pub const LEAST_SHARE: f64 = 0.1;

/// A where clause may leave out just the rows around a question, and no depth that was calibrated on stored rows holds for what
/// is left: walks and a few lists are for filters that leave this share, others get the one-bit codes of all lists.
pub const LEAST_MASKED: f64 = 0.9;
/// Rows that count are expected in the probed lists in this proportion to what their number tells.
const MET: f64 = 0.5;

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
    /// An exact distance of a row that follows the one before.
    exact: f64,
    /// An exact distance of a row anywhere.
    rank: f64,
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
            exact: 20.0 + 0.3 * d,
            rank: 40.0 + 0.5 * d,
        }
    }

    /// Probing lists that hold `met` rows in the window, of which `measured` have their 8-bit distance computed.
    fn probing(&self, view: &View<'_>, probes: usize, met: f64, measured: f64) -> f64 {
        let ordering = view.lists.len() as f64 * self.order;
        ordering + probes as f64 * self.list + met * self.estimate + measured * self.random
    }

    /// A walk over all rows.
    fn walking(&self, view: &View<'_>, hops: f64, distances: f64) -> f64 {
        match view.links.coded() {
            true => hops * self.step,
            false => hops * self.hop + distances * self.neighbour,
        }
    }
}

/// A walk that costs more than this many searches of the lists is not measured: no window or filter makes it the
/// cheaper one.
const FAR_DEARER: f64 = 4.0;

/// True when comparing all codes is cheaper than this walk: no deeper walk is ever taken either, and filters make
/// walks dearer and scans cheaper.
pub fn is_scan_cheaper(view: &View<'_>, walk: GraphDepth) -> bool {
    let costs = Costs::new(view);
    costs.walking(view, f64::from(walk.hops), f64::from(walk.distances)) > view.rows as f64 * costs.next
}

/// True when searches of the lists with the usual effort are far cheaper than this walk.
pub fn are_lists_far_cheaper(view: &View<'_>, tables: &Tables, walk: GraphDepth) -> bool {
    let (costs, all) = (Costs::new(view), view.rows as f64);
    let probes = tables.probes(Effort::default(), 10, view.rows, view.lists.len());
    let met = all * share_of(probes, view);
    let probing = costs.probing(view, probes, met, met.min(tables.open(10, view.rows)));
    costs.walking(view, f64::from(walk.hops), f64::from(walk.distances)) > FAR_DEARER * probing
}

/// The share of the rows that so many lists hold: the nearest are larger than others.
fn share_of(probes: usize, view: &View<'_>) -> f64 {
    (1.3 * probes as f64 / view.lists.len() as f64).min(1.0)
}

/// Depth of a search of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probes {
    /// The nearest lists.
    pub lists: usize,
    /// More of them until about this many rows that count were met: where the question's own surroundings are
    /// filtered out, the nearest that are left lie in lists further away.
    pub met: usize,
}

/// A path with its depth.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The path.
    pub path: Path,
    /// Lists to probe.
    pub probes: usize,
    /// Rows that count which so many lists hold, were they spread over the lists as the part's rows are.
    pub met: usize,
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

/// What comparing every row that counts costs.
pub fn exact_cost(view: &View<'_>, eligible: &Eligible) -> f64 {
    let costs = Costs::new(view);
    let listed = eligible.list_cost().map_or(f64::INFINITY, |rows| rows as f64 * costs.rank);
    listed.min(eligible.window() as f64 * costs.exact)
}

/// True when comparing every row that counts is cheaper than any search: codes that tell few rows apart leave most
/// of them open.
pub fn is_exact(
    view: &View<'_>,
    tables: &Tables,
    query: &Query<'_>,
    depth: usize,
    eligible: &Eligible,
) -> bool {
    if query.force.is_some() || eligible.window() == 0 {
        return false;
    }
    let exact = exact_cost(view, eligible);
    let least =
        choose(view, tables, query, depth, eligible).costs.iter().map(|c| c.1).fold(f64::INFINITY, f64::min);
    exact < least
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
    let mut plan = Plan { path: Path::Nothing, probes: 0, met: 0, goal: Goal::pool(0), costs: Vec::new() };
    if window == 0 {
        return plan;
    }
    let costs = Costs::new(view);
    let (by_lists, by_graph) = match query.per_entity {
        true => (tables.allowed.lists_by_entity, tables.allowed.graph_by_entity),
        false => (tables.allowed.lists, tables.allowed.graph),
    };
    let forced = |path| query.force == Some(path);
    plan.costs = scans(&costs, eligible);
    if !view.lists.is_empty() && !tables.lists.is_empty() && (by_lists || by_graph || query.force.is_some()) {
        plan.probes = tables.probes(query.effort, depth, wanted, view.lists.len());
        if eligible.masked() < LEAST_MASKED {
            plan.probes = view.lists.len();
        }
        plan.met = (MET * wanted as f64 * plan.probes as f64 / view.lists.len() as f64) as usize;
    }
    if plan.probes > 0 && (by_lists || forced(Path::Lists)) {
        let share = share_of(plan.probes, view);
        let open = tables.open(depth, wanted) * (depth as f64 / 10.0).max(1.0);
        let measured = (wanted as f64 * share).min(open);
        plan.costs.push((Path::Lists, costs.probing(view, plan.probes, window as f64 * share, measured)));
    }
    let share = wanted as f64 / view.rows as f64;
    if !view.links.is_empty()
        && (by_graph || forced(Path::Graph))
        && (share >= LEAST_SHARE && eligible.masked() >= LEAST_MASKED || forced(Path::Graph))
        && let Some(walk) = tables.walk(query.effort, depth)
    {
        let enough = (wanted == view.rows).then_some(depth);
        let share = share.max(LEAST_SHARE);
        plan.goal = Goal { ef: (walk.ef / share).ceil() as usize, stretch: walk.stretch, enough };
        let ordering = view.lists.len() as f64 * costs.order;
        plan.costs.push((Path::Graph, ordering + costs.walking(view, walk.hops, walk.distances) / share));
    }
    let least = match query.effort {
        Effort::Beam(ef) => ef,
        Effort::Recall(_) => 0,
    };
    let ranking = (tables.ranked as usize).max(depth).max(least).min(wanted) as f64 * costs.rank;
    plan.costs.iter_mut().for_each(|(_, cost)| *cost += ranking);
    plan.decide(query);
    plan
}

/// The cheapest path that meets every row within a radius.
pub fn choose_all(view: &View<'_>, tables: &Tables, query: &Query<'_>, eligible: &Eligible) -> Plan {
    let mut plan = Plan {
        path: Path::Nothing,
        probes: view.lists.len(),
        met: 0,
        goal: Goal::pool(0),
        costs: Vec::new(),
    };
    if eligible.window() == 0 {
        return plan;
    }
    let costs = Costs::new(view);
    plan.costs = scans(&costs, eligible);
    let by_lists = tables.allowed.lists || query.force == Some(Path::Lists);
    if !view.lists.is_empty() && !tables.lists.is_empty() && by_lists {
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
    /// How many lists are probed, at least.
    pub fn depth(&self) -> Probes {
        Probes { lists: self.probes, met: self.met }
    }

    fn decide(&mut self, query: &Query<'_>) {
        let forced = query.force.filter(|path| self.costs.iter().any(|(p, _)| p == path));
        let cheapest = self.costs.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(path, _)| *path);
        self.path = forced.or(cheapest).unwrap_or(Path::Nothing);
    }
}
