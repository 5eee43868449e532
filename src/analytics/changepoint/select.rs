//! Change points in more than a few dimensions: how the series itself moves is found first.
//!
//! Drift, autocorrelation and heavy tails all look like changes to a search for constant means.
//! So the variogram proposes a few models of a wandering level under noise with memory, each is
//! searched with a penalty that bounds the gain of a false change, and the one that explains
//! the series best with fewest changes is kept.

use super::cost::LineCost;
use super::level::{self, Search};
use super::local_level::{Model, PURE_WALK};
use super::noise::{MAX_PHI, Memory, Shape, median, variogram};
use super::params::by_inner_products;
use super::penalty::{Penalty, Rule};
use super::series::Series;
use super::verify::Judge;
use super::{pelt, scan};
use crate::analytics::geometry::squared_distance;
use crate::analytics::gram::Gram;
use rayon::prelude::*;

/// Shares of the fitted walk that are tried.
const WALK_SHARES: [f64; 3] = [0.1, 0.3, 1.0];
/// Least length of a straight line.
const MIN_LINE: usize = 5;

/// A segmentation with what it was judged by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Explained {
    /// True when jumps can hardly be told from how the series moves by itself.
    pub wanders: bool,
    /// The penalty a change paid, in the units of the series squared.
    pub penalty: f64,
    pub changes: Vec<usize>,
    criterion: f64,
}

/// The explanation with the least criterion. `None` when the series does not vary enough to tell.
pub(crate) fn explain(series: &Series, rule: Rule, min_segment: usize) -> Option<Explained> {
    let shape = Shape::of(series)?;
    let limit = (series.len().max(2) as f64).ln() + 2.0;
    let calm = if shape.heavy_tails() { pull_in_outliers(series, &shape, limit) } else { None };
    let given = series;
    let series = calm.as_ref().unwrap_or(series);
    let variogram = variogram(series, &shape);
    let inflation = if calm.is_some() { mean_over_median(series, &variogram) } else { 1.0 };
    let gram = by_inner_products(series.len(), series.dim).then(|| Gram::of(&series.x, series.dim));
    let task = Task {
        series,
        gram: gram.as_ref(),
        variogram: &variogram,
        shape: &shape,
        inflation,
        rule,
        min_segment,
    };
    let models = candidates(&Memory::fit(&variogram));
    // In the order of the models, the lines last, whichever is ready first.
    let explained: Vec<Explained> = (0..=models.len())
        .into_par_iter()
        .map(|i| models.get(i).map_or_else(|| task.lines(), |model| task.levels(*model)))
        .collect();
    let mut best =
        explained.into_iter().reduce(|best, new| if new.criterion < best.criterion { new } else { best })?;
    if rule.penalty == Penalty::Auto {
        let x = rule.evidence(series.len());
        // Rows that were pulled towards their neighbours share with them what they did not.
        Judge { series: given, shape: &shape, x }.keep_jumps(&mut best.changes);
    }
    Some(best)
}

/// What every explanation starts from.
struct Task<'a> {
    series: &'a Series,
    gram: Option<&'a Gram>,
    variogram: &'a [(f64, f64)],
    shape: &'a Shape,
    /// What noise with heavy tails has beyond the variance that medians see.
    inflation: f64,
    rule: Rule,
    min_segment: usize,
}

impl Task<'_> {
    /// Segments whose level moves as `model` says.
    fn levels(&self, model: Model) -> Explained {
        let penalty = self.penalty(scale_from_variogram(self.variogram, model), self.rule);
        let search = Search { series: self.series, gram: self.gram };
        let found = level::search(&search, model, penalty, self.min_segment);
        let criterion = self.criterion(found.cost, found.changes.len(), 1, found.log_factors);
        Explained { wanders: model.wanders(), penalty, changes: found.changes, criterion }
    }

    /// Segments that are straight lines under white noise.
    fn lines(&self) -> Explained {
        let white = Model { phi: 0.0, q: 0.0 };
        let rule = Rule { parameters: 2, ..self.rule };
        let penalty = self.penalty(scale_from_variogram(self.variogram, white), rule);
        let min_segment = self.min_segment.max(MIN_LINE);
        let found = match self.gram {
            Some(gram) => scan::lines(gram, penalty, min_segment),
            None => pelt::search(&LineCost::new(self.series), penalty, min_segment),
        };
        let edges = edges(&found.changes, self.series.len());
        // Per segment and dimension: ln of the information on the mean and on the slope.
        let logs: f64 = edges.windows(2).map(|w| 2.0 * ((w[1] - w[0]) as f64).ln()).sum();
        let left = found.objective - penalty * found.changes.len() as f64;
        // Short lines follow any walk: each further one pays the whole price of the search.
        let paid =
            found.changes.len() as f64 * rule.value(1.0, self.shape, self.series.dim, self.series.len());
        let criterion = self.criterion(left, found.changes.len(), 2, logs + paid);
        Explained { wanders: false, penalty, changes: found.changes, criterion }
    }

    fn penalty(&self, scale: f64, rule: Rule) -> f64 {
        rule.value(scale * self.inflation, self.shape, self.series.dim, self.series.len())
    }

    /// Twice the negative log likelihood, with `2 ln n` for the place of each change: `cost` is the
    /// sum of squares left, `logs` the log determinants, a dimension.
    fn criterion(&self, cost: f64, changes: usize, parameters: usize, logs: f64) -> f64 {
        let n = self.series.len();
        let spare = n.saturating_sub(parameters * (changes + 1)).max(1) as f64;
        let sigma2 = (cost / spare).max(f64::MIN_POSITIVE);
        let fit = n as f64 + n as f64 * sigma2.ln() + logs;
        self.shape.d_eff * fit + 2.0 * changes as f64 * (n as f64).ln()
    }
}

/// 0, the changes, and `n`.
fn edges(changes: &[usize], n: usize) -> Vec<usize> {
    std::iter::once(0).chain(changes.iter().copied()).chain(std::iter::once(n)).collect()
}

/// The series without spikes, for few dimensions: each row that lies farther from the most central
/// of its five neighbours (itself among them) than noise does but with probability exp(-1.5) is
/// pulled towards it, which leaves Gaussian noise nearly as it is. The first and the last
/// row have neighbours on one side only, and are pulled only where they lie farther than any row of nineteen
/// in twenty series of noise. `None` when too short for that.
pub(crate) fn without_spikes(series: &Series) -> Option<Series> {
    let n = series.len();
    let shape = Shape::of(series).filter(|_| n >= 5)?;
    let noise = variogram(series, &shape).first()?.1;
    let mut out = series.clone();
    for (i, row) in out.x.chunks_exact_mut(series.dim).enumerate() {
        // The same number on both sides: at the end of a trend the middle lies behind.
        let reach = i.min(n - 1 - i).min(2);
        let (near, limit) = if reach == 0 {
            let first = i.min(n - 3);
            (first..first + 3, noise * shape.tail((20.0 * n as f64).ln()))
        } else {
            (i - reach..i + reach + 1, noise * shape.tail(1.5))
        };
        let far = |j: usize| -> f64 {
            near.clone().map(|k| squared_distance(series.row(j), series.row(k)).sqrt()).sum()
        };
        let middle = near.clone().min_by(|a, b| far(*a).total_cmp(&far(*b))).unwrap_or(i);
        pull(row, series.row(middle), limit);
    }
    Some(out)
}

/// Moves `row` towards `middle` until its squared distance is `limit`.
fn pull(row: &mut [f64], middle: &[f64], limit: f64) {
    let far = squared_distance(row, middle);
    if far > limit {
        let keep = (limit / far).sqrt();
        row.iter_mut().zip(middle).for_each(|(v, m)| *v = m + keep * (*v - m));
    }
}

/// The series with each row that lies farther from the medians of its five neighbours (itself
/// among them) than noise does but with probability exp(-x) pulled towards these; `None` when too
/// short for that.
fn pull_in_outliers(series: &Series, shape: &Shape, x: f64) -> Option<Series> {
    let n = series.len();
    if n < 5 {
        return None;
    }
    let noise = variogram(series, shape).first()?.1;
    let limit = noise * shape.tail(x);
    let mut out = series.clone();
    for (i, row) in out.x.chunks_exact_mut(series.dim).enumerate() {
        let first = i.saturating_sub(2).min(n - 5);
        let middle: Vec<f64> =
            (0..series.dim).map(|d| median(&mut [0, 1, 2, 3, 4].map(|j| series.row(first + j)[d]))).collect();
        pull(row, &middle, limit);
    }
    Some(out)
}

/// Mean over median of the squared steps; at least 1.
fn mean_over_median(series: &Series, variogram: &[(f64, f64)]) -> f64 {
    let steps = series.len().saturating_sub(1).max(1) as f64;
    let mean: f64 =
        (1..series.len()).map(|i| squared_distance(series.row(i), series.row(i - 1)) / 2.0 / steps).sum();
    variogram.first().map_or(1.0, |&(_, v)| (mean / v).max(1.0))
}

/// The models that the variogram suggests, the simplest first.
fn candidates(memory: &Memory) -> Vec<Model> {
    let mut out = vec![Model { phi: 0.0, q: 0.0 }];
    if memory.phi > 0.0 {
        out.push(Model { phi: memory.phi, q: 0.0 });
    }
    if memory.w > 0.0 && memory.s > 0.0 {
        // At the end of the grid the noise itself is a walk, and nothing is left to tell apart.
        let remembers = memory.phi > 0.0 && memory.phi < MAX_PHI;
        let phis: &[f64] = if remembers { &[0.0, memory.phi] } else { &[0.0] };
        for &phi in phis {
            // In y = x - phi before(x) a step of the level shows whole once, as noise, and stays
            // with 1 - phi of itself.
            let noise = memory.s * (1.0 - phi * phi) + memory.w * phi * phi;
            let q = memory.w * (1.0 - phi) * (1.0 - phi) / noise;
            out.extend(WALK_SHARES.iter().map(|f| Model { phi, q: f * q }));
        }
    }
    out.push(Model { phi: 0.0, q: PURE_WALK });
    out
}

/// The trace of the innovations' covariance that fits the variogram best under a model, in
/// logarithms: what a model that is wrong at some lags takes for noise.
fn scale_from_variogram(variogram: &[(f64, f64)], model: Model) -> f64 {
    let walk = model.q / (1.0 - model.phi).powi(2);
    let noise = (1.0 - model.phi * model.phi * walk).max(0.0) / (1.0 - model.phi * model.phi);
    let ratio = |&(k, v): &(f64, f64)| (v / (noise * (1.0 - model.phi.powf(k)) + walk * k / 2.0)).ln();
    let mean = variogram.iter().map(ratio).sum::<f64>() / variogram.len() as f64;
    mean.max(ratio(&variogram[0])).exp()
}
