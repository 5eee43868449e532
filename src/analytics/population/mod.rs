//! Has a population moved? Tests between two windows of points, by relabelling.
//!
//! The points of an entity depend on one another, so what is exchanged are entities. Two
//! symmetries hold when nothing has moved, whatever the entities are like:
//!
//! - the two sides of an entity with points in both windows may be swapped, if they have as many
//!   points; `min(n_ref, n_cur)` of each are drawn for that;
//! - entities with points in one window only may change windows, if they have as many points.
//!
//! Statistics come from pairs of points of different entities, each entity with the same weight,
//! so that they have the mean zero without a drift also where the points of an entity follow one
//! another. `docs/population.md` has the reasons, the sources and what was measured.

mod adjust;
mod classifier;
mod design;
mod labels;
mod lengths;
mod pairs;
mod permute;

pub use adjust::{Adjust, adjust, enough, unreachable};
pub use design::Window;

use super::Status;
use super::geometry::{self, DimShare, cosine_distance, dot, norm};
use super::rng::Random;
use classifier::Classifier;
use design::{Design, class};
use labels::Labels;
use lengths::Lengths;
use pairs::{Pairs, Similarity};
use permute::{Outcome, Plan};
use rayon::prelude::*;
use std::sync::OnceLock;

/// Squared distances below this part of the largest squared length are rounding of f32.
const ROUNDING: f64 = 1e-12;

/// What is compared. A mean over points gives each entity of the window the same weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    /// Unbiased squared maximum mean discrepancy with the kernel `exp(-|a - b|^2 / s)`, s the median
    /// squared distance of points of different entities (Gretton et al. 2012). Sees any change;
    /// may be negative.
    Mmd,
    /// Squared energy distance `2 E|X - Y| - E|X - X'| - E|Y - Y'|` without bias (Szekely and
    /// Rizzo 2013); may be negative.
    Energy,
    /// Distance of the two means; the test uses its square without bias.
    Centroid,
    /// Relative change of the mean and the standard deviation of the lengths, as one distance; the
    /// test uses the moves of the standardised length and of its square.
    Norm,
    /// Area under the ROC curve of a held-out logistic classifier of the window.
    Classifier,
}

impl Test {
    /// The stable word that rows print.
    pub fn as_str(self) -> &'static str {
        match self {
            Test::Mmd => "mmd",
            Test::Energy => "energy",
            Test::Centroid => "centroid",
            Test::Norm => "norm",
            Test::Classifier => "classifier",
        }
    }
}

/// Parameters of [`compare`].
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// The tests, in the order of the rows.
    pub tests: Vec<Test>,
    /// Random relabellings at most; 0 for statistics alone. Fewer are drawn where the p-value is
    /// large and settled (Besag and Clifford 1991).
    pub permutations: usize,
    /// Bound the work of a test: where `permutations` would take too long, the p-value of a clear
    /// drift is an upper bound from the tail of fewer draws.
    pub tail: bool,
    /// Seed of the relabellings.
    pub seed: u64,
    /// How many dimensions to name for [`Test::Centroid`].
    pub top: usize,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            tests: vec![Test::Mmd, Test::Centroid, Test::Norm],
            permutations: 999,
            tail: false,
            seed: 0,
            top: 10,
        }
    }
}

/// One test between two windows.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The test.
    pub test: Test,
    /// Its statistic.
    pub statistic: Option<f64>,
    /// How often relabelled windows differ as much.
    pub p_value: Option<f64>,
    /// The least p-value that any data of these entities could have had.
    pub least_p: Option<f64>,
    /// Relabellings that were drawn.
    pub permutations: usize,
    /// Entities that were compared.
    pub entities: usize,
    /// How far points of different windows lie apart beyond points of the same one, as a share:
    /// `2 E d(X, Y) / (E d(X, X') + E d(Y, Y')) - 1`, d the test's (squared) distance of points of
    /// different entities. For [`Test::Classifier`] twice the area beyond its mean under
    /// relabelling. Zero in the mean without a drift; does not grow with the number of points.
    pub effect: Option<f64>,
    /// Cosine distance of the two means, for [`Test::Centroid`].
    pub cosine: Option<f64>,
    /// The dimensions in which the means moved most, for [`Test::Centroid`].
    pub top_dims: Vec<DimShare>,
    /// Why something is missing.
    pub status: Status,
}

impl Row {
    /// A row without numbers, and why.
    pub fn empty(test: Test, status: Status) -> Self {
        Row {
            test,
            statistic: None,
            p_value: None,
            least_p: None,
            permutations: 0,
            entities: 0,
            effect: None,
            cosine: None,
            top_dims: Vec::new(),
            status,
        }
    }
}

/// Compares two windows of the same dimension; `group` names the comparison in the random draws.
/// Needs two points a window, and two entities that have points in both windows or two entities
/// of each window.
pub fn compare(reference: &Window<'_>, current: &Window<'_>, group: u64, params: &Params) -> Vec<Row> {
    let none = |status| params.tests.iter().map(|&test| Row::empty(test, status)).collect();
    if reference.len() < 2 || current.len() < 2 {
        return none(Status::FewPoints);
    }
    let mut choice = Random::new(params.seed, "population points", group);
    let design = Design::new(reference, current, &mut choice);
    if design.items() == 0 {
        return none(Status::FewEntities);
    }
    let rows: Vec<f64> = reference.x.iter().chain(current.x).map(|&v| f64::from(v)).collect();
    let (dim, squared) = (reference.dim, OnceLock::new());
    let case = Case { design: &design, rows: &rows, dim, group, params, squared: &squared };
    params.tests.par_iter().map(|&test| case.row(test)).collect()
}

/// One comparison, and what its tests share.
struct Case<'a> {
    design: &'a Design,
    rows: &'a [f64],
    dim: usize,
    group: u64,
    params: &'a Params,
    /// Squared distances of all pairs of points.
    squared: &'a OnceLock<Vec<f64>>,
}

impl Case<'_> {
    fn row(&self, test: Test) -> Row {
        let mut row = Row { entities: self.design.entities(), ..Row::empty(test, Status::Ok) };
        match test {
            Test::Mmd => {
                self.pairs(&mut row, |squared| Similarity::gauss(squared, self.design));
            }
            Test::Energy => {
                self.pairs(&mut row, |_| Similarity::Distance);
            }
            Test::Centroid => {
                let share = self.pairs(&mut row, |_| Similarity::Square);
                self.means(&mut row, share);
            }
            Test::Norm => self.lengths(&mut row),
            Test::Classifier => self.classifier(&mut row),
        }
        row
    }

    fn squared(&self) -> &[f64] {
        self.squared.get_or_init(|| pairs::squared_distances(self.rows, self.dim))
    }

    /// Fills in a test of pairs and returns the share of the paired entities in its estimate.
    fn pairs(&self, row: &mut Row, similarity: impl Fn(&[f64]) -> Similarity) -> f64 {
        let squared = self.squared();
        let longest = self.rows.chunks_exact(self.dim).map(|r| dot(r, r)).fold(0.0, f64::max);
        let farthest = squared.iter().copied().fold(0.0, f64::max);
        let pairs = Pairs::new(squared, similarity(squared), self.design);
        row.statistic = Some(pairs.statistic);
        if farthest <= ROUNDING * longest {
            row.status = Status::Constant;
        } else {
            row.effect = pairs.effect;
            self.relabelled(row, &pairs);
        }
        pairs.share()
    }

    fn relabelled(&self, row: &mut Row, pairs: &Pairs) {
        let observed = |labels: &Labels<'_>| pairs.values(&labels.observed())[0];
        self.p_value(row, observed, pairs.tie(), pairs.cost(), |signs, _| pairs.values(signs));
    }

    /// Draws labellings and enters the p-value; returns what came out, if any were drawn.
    fn p_value(
        &self,
        row: &mut Row,
        observed: impl Fn(&Labels<'_>) -> f64,
        tie: f64,
        cost: usize,
        values: impl Fn(&[f64], &Labels<'_>) -> [f64; labels::BATCH],
    ) -> Option<Outcome> {
        let Params { permutations: most, tail, seed, .. } = *self.params;
        if most == 0 {
            return None;
        }
        let labels = Labels::new(self.design);
        let mut random = Random::new(seed, "population labels", self.group);
        let plan = Plan { most, tail, cost };
        let observed = observed(&labels);
        let found =
            permute::p_value(observed, tie, &labels, &mut random, plan, |signs| values(signs, &labels));
        row.p_value = Some(found.p_value);
        row.least_p = Some(found.least_p);
        row.permutations = found.drawn;
        Some(found)
    }

    /// The distance of the means, their cosine, and the dimensions that moved.
    fn means(&self, row: &mut Row, share: f64) {
        let dim = self.dim;
        let mut sums = vec![vec![0.0; dim]; 4];
        for (i, x) in self.rows.chunks_exact(dim).enumerate() {
            if let Some(sum) = sums.get_mut(self.design.class[i]) {
                let w = self.design.weight[i];
                sum.iter_mut().zip(x).for_each(|(s, v)| *s += w * v);
            }
        }
        let d = self.design;
        let (paired, references, currents) =
            (d.paired.max(1) as f64, d.single.0.max(1) as f64, d.single.1.max(1) as f64);
        let [pair_ref, pair_cur, only_ref, only_cur] =
            [class::PAIRED_REF, class::PAIRED_CUR, class::SINGLE_REF, class::SINGLE_CUR].map(|c| &sums[c]);
        let move_of = |k: usize| {
            share * (pair_cur[k] - pair_ref[k]) / paired
                + (1.0 - share) * (only_cur[k] / currents - only_ref[k] / references)
        };
        let delta: Vec<f64> = (0..dim).map(move_of).collect();
        let (n_ref, n_cur) = d.sides();
        let mean = |a: &[f64], b: &[f64], n: f64| -> Vec<f64> {
            a.iter().zip(b).map(|(a, b)| (a + b) / n).collect()
        };
        row.statistic = Some(norm(&delta));
        row.cosine = cosine_distance(&mean(pair_ref, only_ref, n_ref), &mean(pair_cur, only_cur, n_cur));
        row.top_dims = geometry::attribute(&delta, self.params.top).0;
    }

    fn lengths(&self, row: &mut Row) {
        let lengths = Lengths::new(self.rows, self.dim);
        row.statistic = lengths.change(self.design);
        if lengths.are_equal() {
            row.status = Status::Constant;
            return;
        }
        let squared = pairs::squared_distances(&lengths.features(self.design), 2);
        let pairs = Pairs::new(&squared, Similarity::Square, self.design);
        row.effect = pairs.effect;
        self.relabelled(row, &pairs);
    }

    fn classifier(&self, row: &mut Row) {
        let classifier = Classifier::new(self.rows, self.dim, self.design);
        let labels = Labels::new(self.design);
        let observed = classifier.values(&labels.observed(), &labels)[0];
        if !observed.is_finite() {
            row.status = Status::Constant;
            return;
        }
        row.statistic = Some(observed);
        if classifier.is_blind() {
            row.status = Status::Constant;
            return;
        }
        let values = |signs: &[f64], labels: &Labels<'_>| classifier.values(signs, labels);
        if let Some(found) = self.p_value(row, |_| observed, 1e-12, classifier.cost(), values) {
            row.effect = Some(2.0 * (observed - found.centre));
        }
    }
}

/// A seeded sample of `limit` of `0..n` in ascending order; all of them when there are no more.
pub fn sample(n: usize, limit: usize, seed: u64, group: u64) -> Vec<usize> {
    if n <= limit {
        return (0..n).collect();
    }
    let mut random = Random::new(seed, "population sample", group);
    let mut chosen = std::collections::BTreeSet::new();
    // Floyd's algorithm: one draw a member.
    for top in n - limit..n {
        let pick = random.below(top + 1);
        if !chosen.insert(pick) {
            chosen.insert(top);
        }
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests;
