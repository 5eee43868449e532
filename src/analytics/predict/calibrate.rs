//! From the errors of the past to radii for the future: split conformal prediction.
//!
//! The score of a past forecast is its error over `s sqrt(h)`, `s` the history's own rate of
//! diffusion. Scores are pooled over entities within a horizon class; the radius of a new
//! forecast is `s sqrt(h)` times the `ceil((m + 1) level)`-th smallest of the class's m scores
//! (Papadopoulos et al. 2002; Lei et al. 2018), which covers the truth with probability `level`
//! when the new case is exchangeable with the old ones. Cases of one entity are not independent,
//! so [`super::table`] measures coverage with whole entities held out.

use super::Method;
use super::rolling::{Case, class_of, median};
use crate::format::codec::{Decoder, Encoder, Malformed};
use std::collections::{BTreeMap, BTreeSet};

/// Version of the encoding.
const VERSION: u32 = 1;
/// Order statistics of a class's dimension scores that are kept.
const DIM_SCORES_KEPT: usize = 1024;
/// A method that answered less than this share of a class's cases is not chosen for it.
const MIN_ANSWERED: f64 = 0.8;
/// A class with fewer scores leaves the choice to its neighbours: a few cases choose by chance.
const MIN_CASES: usize = 20;

/// What is known of one method in one horizon class.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Horizon class, see [`class_of`].
    pub class: i32,
    /// The method.
    pub method: Method,
    /// Median horizon of the cases, in seconds.
    pub horizon_s: f64,
    /// Share of the cases in which the method was asked and gave a forecast.
    pub answered: f64,
    /// Median Euclidean error.
    pub error_median: f64,
    /// Median error over that of `last` in the same cases; `None` when `last` was never off.
    pub vs_last: Option<f64>,
    /// Median score over that of `last` in the same cases: what the choice goes by.
    pub score_vs_last: f64,
    /// Scores, ascending.
    pub scores: Vec<f64>,
    /// Scores of single dimensions, pooled; ascending, thinned.
    pub dim_scores: Vec<f32>,
}

/// The stored outcome of a rolling-origin evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Unit of the horizon classes: the sample's median step, in seconds.
    pub unit_s: f64,
    /// Entities that had a case.
    pub entities: u32,
    /// By class, then method.
    pub records: Vec<Record>,
}

impl Calibration {
    /// Summarises cases (see [`super::rolling::evaluate`]); `unit_s` is the unit of their classes.
    pub fn new(cases: &[Case], unit_s: f64) -> Self {
        let entities: BTreeSet<_> = cases.iter().map(|c| c.entity).collect();
        let records = by_class(cases)
            .values()
            .flat_map(|cases| Method::ALL.into_iter().filter_map(move |m| Record::new(m, cases)))
            .collect();
        Calibration { unit_s, entities: entities.len() as u32, records }
    }

    /// The records of a method from the horizon's class upwards.
    fn at_least(&self, method: Method, horizon_s: f64) -> impl Iterator<Item = &Record> {
        let class = class_of(horizon_s, self.unit_s);
        self.records.iter().filter(move |r| r.method == method && r.class >= class)
    }

    /// The record for a method at a horizon: that of its class, or of the next longer one that
    /// has any; `None` beyond the longest.
    pub fn record(&self, method: Method, horizon_s: f64) -> Option<&Record> {
        self.at_least(method, horizon_s).next()
    }

    /// The first record with enough scores for the level, the rank to read, and what the square
    /// root of time makes of the horizon. In a longer class than its own the horizon counts as
    /// the shortest of that class.
    fn conformal(&self, method: Method, horizon_s: f64, level: f64) -> Option<(&Record, usize, f64)> {
        let (record, rank) =
            self.at_least(method, horizon_s).find_map(|r| Some((r, rank(r.scores.len(), level)?)))?;
        let shortest = self.unit_s * (f64::from(record.class) - 0.5).exp2();
        Some((record, rank, horizon_s.max(shortest).sqrt()))
    }

    /// The distance within which the truth lies with probability `level`, for a history with the
    /// given rate (per square root of a second). Where the horizon's class has fewer than
    /// `level / (1 - level)` scores, it is that of the next longer class that has enough, which
    /// holds the truth at least as often where errors grow with the horizon; `None` beyond.
    pub fn radius(&self, method: Method, horizon_s: f64, level: f64, rate: f64) -> Option<f64> {
        let (record, rank, root) = self.conformal(method, horizon_s, level)?;
        Some(rate * root * record.scores[rank - 1])
    }

    /// Half-widths of the intervals that hold each dimension with probability `level`, on average
    /// over the dimensions; `rates` as [`super::rates`] gives them.
    pub fn half_widths(&self, method: Method, horizon_s: f64, level: f64, rates: &[f64]) -> Option<Vec<f64>> {
        let (record, rank, root) = self.conformal(method, horizon_s, level)?;
        let share = rank as f64 / record.scores.len() as f64;
        let at = ((share * record.dim_scores.len() as f64).ceil() as usize).max(1) - 1;
        let factor = f64::from(*record.dim_scores.get(at)?) * root;
        Some(rates.iter().map(|s| s * factor).collect())
    }

    /// The method with the least median score against that of `last`, in the horizon's class or the
    /// nearest with enough cases, among `allowed` ones that can work from `points` points; `last`
    /// when no class has enough.
    pub fn choose(&self, horizon_s: f64, points: usize, allowed: &[Method]) -> Method {
        let wanted = class_of(horizon_s, self.unit_s);
        let enough = |r: &&Record| r.scores.len() >= MIN_CASES;
        let Some(near) = self.records.iter().filter(enough).min_by_key(|r| r.class.abs_diff(wanted)) else {
            return Method::Last;
        };
        let fit = |r: &&Record| {
            r.class == near.class
                && r.answered >= MIN_ANSWERED
                && r.method.min_points() <= points
                && allowed.contains(&r.method)
        };
        let best = self.records.iter().filter(fit).min_by(|a, b| a.score_vs_last.total_cmp(&b.score_vs_last));
        best.map_or(Method::Last, |r| r.method)
    }

    /// Little-endian bytes, see [`Calibration::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        e.u32(VERSION).f64(self.unit_s).u32(self.entities).u32(self.records.len() as u32);
        for r in &self.records {
            e.u32(r.class as u32).text(r.method.as_str()).f64(r.horizon_s).f64(r.answered);
            e.f64(r.error_median).f64(r.vs_last.unwrap_or(f64::NAN)).f64(r.score_vs_last);
            e.u32(r.scores.len() as u32);
            r.scores.iter().for_each(|&s| _ = e.f64(s));
            e.u32(r.dim_scores.len() as u32);
            r.dim_scores.iter().for_each(|&s| _ = e.u32(s.to_bits()));
        }
        e.bytes
    }

    /// Reads what [`Calibration::encode`] wrote; refuses lengths, orders and numbers that it
    /// could not have written.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut d = Decoder::new(bytes);
        if d.u32()? != VERSION {
            return d.malformed("another version of the calibration");
        }
        let unit_s = d.f64()?;
        if !(unit_s.is_finite() && unit_s > 0.0) {
            return d.malformed("a unit of time that is not positive");
        }
        let entities = d.u32()?;
        let records = (0..d.count(48)?).map(|_| Record::decode(&mut d)).collect::<Result<_, _>>()?;
        d.end()?;
        Ok(Calibration { unit_s, entities, records })
    }
}

impl Record {
    /// `None` when the method answered in no case.
    fn new(method: Method, cases: &[&Case]) -> Option<Self> {
        let answers = || cases.iter().filter_map(|c| Some((c, c.error(method)?)));
        let error_median = median(answers().map(|(_, e)| e.distance))?;
        let mut scores: Vec<f64> = answers().map(|(c, e)| e.distance / c.reach).collect();
        scores.sort_by(f64::total_cmp);
        let mut dim_scores: Vec<f32> = answers().flat_map(|(_, e)| e.dim_scores.iter().copied()).collect();
        dim_scores.sort_by(f32::total_cmp);
        Some(Record {
            class: cases[0].class,
            method,
            horizon_s: median(answers().map(|(c, _)| c.horizon_s))?,
            answered: scores.len() as f64 / cases.iter().filter(|c| c.tried(method)).count() as f64,
            error_median,
            vs_last: against_last(method, cases, |_, distance| distance),
            score_vs_last: against_last(method, cases, |c, distance| distance / c.reach)
                .unwrap_or(if method == Method::Last { 0.0 } else { f64::INFINITY }),
            scores,
            dim_scores: thin(&dim_scores),
        })
    }

    fn decode(d: &mut Decoder) -> Result<Self, Malformed> {
        let class = d.u32()? as i32;
        let Some(method) = Method::from_name(d.text()?) else { return d.malformed("an unknown method") };
        let (horizon_s, answered, error_median) = (d.f64()?, d.f64()?, d.f64()?);
        let vs_last = Some(d.f64()?).filter(|v| !v.is_nan());
        let score_vs_last = d.f64()?;
        let scores = (0..d.count(8)?).map(|_| d.f64()).collect::<Result<Vec<_>, _>>()?;
        let dim_scores =
            (0..d.count(4)?).map(|_| Ok(f32::from_bits(d.u32()?))).collect::<Result<Vec<_>, _>>()?;
        if scores.is_empty() || !scores.is_sorted() || !dim_scores.is_sorted() {
            return d.malformed("scores that are not ascending");
        }
        Ok(Record {
            class,
            method,
            horizon_s,
            answered,
            error_median,
            vs_last,
            score_vs_last,
            scores,
            dim_scores,
        })
    }
}

/// Which order statistic of `m` scores covers with probability `level`, from 1; `None` when `m`
/// is too small.
fn rank(m: usize, level: f64) -> Option<usize> {
    // The product is exact or a hair above: 0.9 * 10 must be 9.
    let k = ((m + 1) as f64 * level - 1e-9).ceil().max(1.0) as usize;
    (k <= m).then_some(k)
}

/// Evenly spaced order statistics, the last included.
fn thin(sorted: &[f32]) -> Vec<f32> {
    let n = sorted.len();
    if n <= DIM_SCORES_KEPT {
        return sorted.to_vec();
    }
    (1..=DIM_SCORES_KEPT).map(|k| sorted[(k * n).div_ceil(DIM_SCORES_KEPT) - 1]).collect()
}

fn by_class(cases: &[Case]) -> BTreeMap<i32, Vec<&Case>> {
    let mut out: BTreeMap<i32, Vec<&Case>> = BTreeMap::new();
    cases.iter().for_each(|c| out.entry(c.class).or_default().push(c));
    out
}

/// Median of a measure of the error over that of `last`, in the cases that both answered; `None`
/// when there are none, or `last` was exact.
fn against_last(method: Method, cases: &[&Case], measure: fn(&Case, f64) -> f64) -> Option<f64> {
    let pair = |c: &&Case| {
        let of = |m: Method| c.error(m).map(|e| measure(c, e.distance));
        Some((of(method)?, of(Method::Last)?))
    };
    let (own, last): (Vec<f64>, Vec<f64>) = cases.iter().filter_map(pair).unzip();
    let last = median(last.into_iter()).filter(|&v| v > 0.0)?;
    Some(median(own.into_iter())? / last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::rolling::{evaluate, median_step_s};
    use crate::analytics::predict::{Settings, synthetic};

    fn calibrated(set: &[synthetic::Owned], per_class: usize) -> Calibration {
        let sample = synthetic::views(set);
        let cases = evaluate(&sample, &Method::ALL, per_class, 5, &Settings::default());
        Calibration::new(&cases, median_step_s(&sample).unwrap())
    }

    #[test]
    fn the_radius_is_the_stated_order_statistic() {
        assert_eq!(rank(9, 0.9), Some(9));
        assert_eq!(rank(8, 0.9), None);
        assert_eq!(rank(19, 0.5), Some(10));
        assert_eq!(rank(0, 0.5), None);
        let record = Record {
            class: 0,
            method: Method::Last,
            horizon_s: 1.0,
            answered: 1.0,
            error_median: 1.0,
            vs_last: None,
            score_vs_last: 1.0,
            scores: (1..=10).map(f64::from).collect(),
            dim_scores: vec![1.0, 2.0],
        };
        let c = Calibration { unit_s: 1.0, entities: 10, records: vec![record] };
        let radius = |level| c.radius(Method::Last, 1.0, level, 1.0);
        assert_eq!([0.5, 0.9, 0.95].map(radius), [Some(6.0), Some(10.0), None]);
        assert_eq!(c.half_widths(Method::Last, 1.0, 0.5, &[3.0]), Some(vec![6.0]));
    }

    #[test]
    fn last_is_chosen_on_walks_and_a_line_on_trends() {
        let walks = calibrated(&synthetic::walks(60, 30, 16, 1), 120);
        assert!(matches!(walks.choose(3600.0, 30, &Method::ALL), Method::Last | Method::Ou | Method::Holt));
        let trends = calibrated(&synthetic::trends(60, 30, 16, 1), 120);
        assert_eq!(trends.choose(4.0 * 3600.0, 30, &Method::ALL), Method::Trend);
        assert_eq!(trends.choose(4.0 * 3600.0, 30, &[Method::Last]), Method::Last);
        assert_eq!(trends.choose(4.0 * 3600.0, 1, &Method::ALL), Method::Last);
        let r = trends.record(Method::Trend, 4.0 * 3600.0).unwrap();
        assert!(r.vs_last.unwrap() < 0.9, "{r:?}");
    }

    #[test]
    fn radii_grow_with_level_and_rate_and_end_with_the_data() {
        let c = calibrated(&synthetic::walks(60, 20, 4, 1), 100);
        let r = |h, level| c.radius(Method::Last, h, level, 0.02);
        assert!(r(3600.0, 0.5) < r(3600.0, 0.9) && r(3600.0, 0.9) < r(3600.0, 0.95));
        assert_eq!(c.radius(Method::Last, 3600.0, 0.9, 0.04).unwrap(), 2.0 * r(3600.0, 0.9).unwrap());
        assert_eq!(c.radius(Method::Last, 3600.0, 0.9, 0.0), Some(0.0));
        assert_eq!(r(3600.0, 0.9999), None);
        assert_eq!(r(1e9, 0.9), None);
        // Below the shortest class the radius stands still.
        assert!(r(1e-9, 0.9) > Some(0.0));
        assert_eq!(r(1e-9, 0.9), r(1e-6, 0.9));
        let widths = c.half_widths(Method::Last, 3600.0, 0.9, &[0.01, 0.0]).unwrap();
        assert!(widths[0] > 0.0 && widths[1] == 0.0);
        assert_eq!(c.half_widths(Method::Last, 3600.0, 0.9999, &[0.01]), None);
    }

    #[test]
    fn dimension_intervals_cover_as_stated() {
        let (fit, new) = (synthetic::walks(200, 20, 8, 1), synthetic::walks(200, 20, 8, 2));
        let c = calibrated(&fit, 200);
        let (mut inside, mut all) = (0, 0);
        for tr in synthetic::views(&new) {
            let history = crate::analytics::predict::prefix(&tr, 19);
            let h = crate::model::seconds_between(tr.t[18], tr.t[19]);
            let rates = crate::analytics::predict::rates(&history);
            let Some(widths) = c.half_widths(Method::Last, h, 0.8, &rates) else { continue };
            let off = tr.row(19).iter().zip(tr.row(18)).map(|(a, b)| f64::from((a - b).abs()));
            inside += off.zip(&widths).filter(|(o, w)| o <= w).count();
            all += 8;
        }
        let share = inside as f64 / f64::from(all);
        assert!(all > 1000 && (0.75..0.86).contains(&share), "{share} of {all}");
    }

    #[test]
    fn encoding_is_lossless_and_every_cut_is_refused() {
        let c = calibrated(&synthetic::walks(6, 12, 2, 1), 10);
        let bytes = c.encode();
        assert_eq!(Calibration::decode(&bytes).unwrap(), c);
        for n in (0..bytes.len()).step_by(7) {
            assert!(Calibration::decode(&bytes[..n]).is_err(), "{n}");
        }
        let mut other = bytes.clone();
        other[0] = 9;
        assert!(Calibration::decode(&other).unwrap_err().what.contains("version"));
    }

    #[test]
    fn a_few_cases_choose_nothing() {
        let c = calibrated(&synthetic::trends(3, 8, 4, 1), 5);
        assert!(c.records.iter().any(|r| r.method == Method::Trend && r.score_vs_last < 1.0), "{c:?}");
        assert_eq!(c.choose(4.0 * 3600.0, 8, &Method::ALL), Method::Last);
    }

    #[test]
    fn without_cases_last_without_radius() {
        let c = Calibration::new(&[], 1.0);
        assert_eq!(c.choose(1.0, 30, &Method::ALL), Method::Last);
        assert_eq!(c.radius(Method::Last, 1.0, 0.5, 1.0), None);
    }
}
