//! The rolling-origin table: how well each method would have done, and whether the radii hold.

use super::calibrate::Calibration;
use super::outlook::{Outlooks, Scale};
use super::rolling::{Case, class_of, median};
use super::{Method, Settings};
use crate::analytics::rng::Random;
use std::collections::BTreeMap;

/// Up to this many median steps ahead each has a row of its own.
const STEPS: f64 = 16.5;
/// Groups of entities that take turns in being held out.
const FOLDS: u64 = 5;

/// The horizons that a row gathers: one median step each up to sixteen of them, then half octaves.
/// Below half a step, octaves (negative).
pub fn bin_of(horizon_s: f64, unit_s: f64) -> i32 {
    match horizon_s / unit_s {
        steps if steps < 0.5 => class_of(horizon_s, unit_s).min(-1),
        steps if steps <= STEPS => steps.round() as i32,
        steps => STEPS as i32 + (2.0 * (steps / STEPS).log2()).ceil() as i32,
    }
}

/// One row of the rolling-origin table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// See [`bin_of`].
    pub bin: i32,
    /// The method; `None` is the automatic choice.
    pub method: Option<Method>,
    /// Median horizon in seconds.
    pub horizon_s: f64,
    /// Cases.
    pub n: usize,
    /// Median Euclidean error.
    pub error_median: f64,
    /// Median error over that of `last` in the same cases.
    pub vs_last: Option<f64>,
    /// What the radii of each level did.
    pub levels: Vec<AtLevel>,
}

/// The radii of one level.
#[derive(Debug, Clone, PartialEq)]
pub struct AtLevel {
    /// Cases that had a radius.
    pub n: usize,
    /// Share of them within it; `None` where there are none.
    pub coverage: Option<f64>,
    /// Median radius.
    pub radius_median: Option<f64>,
}

/// One case under one method: its error, that of `last`, and a radius for each level.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The method: given, or chosen.
    pub method: Method,
    /// Seconds from the last point of history to the target.
    pub horizon_s: f64,
    /// Euclidean distance between forecast and truth.
    pub distance: f64,
    /// The same for `last`.
    pub last: Option<f64>,
    /// Per level.
    pub radii: Vec<Option<f64>>,
}

/// Judges cases by the past of other entities only: entities are dealt into five groups (by a
/// seeded hash), and each group gets its choice and its radii from a calibration on the rest.
/// Cases of histories that stand still are left out.
pub struct Judge<'a> {
    cases: &'a [Case],
    folds: Vec<u64>,
    outlooks: Vec<Outlooks>,
    levels: usize,
    unit_s: f64,
}

impl<'a> Judge<'a> {
    /// `unit_s` is the sample's median step; radii are made for each of `levels`.
    pub fn new(cases: &'a [Case], unit_s: f64, levels: &[f64], settings: &Settings, seed: u64) -> Judge<'a> {
        let fold = |c: &Case| Random::new(seed, "predict folds", c.entity).bits() % FOLDS;
        let folds: Vec<u64> = cases.iter().map(fold).collect();
        let others = |k: u64| {
            let rest = cases.iter().zip(&folds).filter(|(_, f)| **f != k).map(|(c, _)| c.clone()).collect();
            Outlooks::new(Calibration::new(rest, unit_s), levels, settings.window)
        };
        Judge { cases, outlooks: (0..FOLDS).map(others).collect(), folds, levels: levels.len(), unit_s }
    }

    /// The `i`-th case under a method, or under the choice among `choosable`; `None` without a
    /// forecast.
    pub fn case(&self, i: usize, method: Option<Method>, choosable: &[Method]) -> Option<Judged> {
        let c = self.cases.get(i).filter(|c| !c.still())?;
        let outlook = self.outlooks[self.folds[i] as usize].at(c.horizon_s);
        let method = method.unwrap_or_else(|| outlook.choose(c.history, choosable));
        let distance = c.error(method)?.distance;
        let last = c.error(Method::Last).map(|e| e.distance);
        let scale = Scale::of_case(c);
        let radii = (0..self.levels).map(|k| outlook.radius(method, &scale, c.horizon_s, k)).collect();
        Some(Judged { method, horizon_s: c.horizon_s, distance, last, radii })
    }

    /// The rolling-origin table over the cases that `counted` admits: for every bin of horizons
    /// each of `methods`, where `None` is the choice among `choosable`.
    pub fn table(
        &self,
        methods: &[Option<Method>],
        choosable: &[Method],
        counted: impl Fn(&Case) -> bool,
    ) -> Vec<Row> {
        let mut bins: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (i, c) in self.cases.iter().enumerate().filter(|(_, c)| counted(c)) {
            bins.entry(bin_of(c.horizon_s, self.unit_s)).or_default().push(i);
        }
        let mut rows = Vec::new();
        for (bin, members) in bins {
            for &method in methods {
                let judged: Vec<Judged> =
                    members.iter().filter_map(|&i| self.case(i, method, choosable)).collect();
                rows.extend(Row::new(bin, method, &judged, self.levels));
            }
        }
        rows
    }
}

impl Row {
    fn new(bin: i32, method: Option<Method>, judged: &[Judged], levels: usize) -> Option<Self> {
        let error_median = median(judged.iter().map(|j| j.distance))?;
        let last = median(judged.iter().filter_map(|j| j.last)).filter(|&v| v > 0.0);
        Some(Row {
            bin,
            method,
            horizon_s: median(judged.iter().map(|j| j.horizon_s))?,
            n: judged.len(),
            error_median,
            vs_last: last.map(|l| error_median / l),
            levels: (0..levels).map(|k| AtLevel::new(judged, k)).collect(),
        })
    }
}

impl AtLevel {
    fn new(judged: &[Judged], k: usize) -> Self {
        let with_radius = || judged.iter().filter_map(move |j| Some((j.distance, j.radii[k]?)));
        let n = with_radius().count();
        let inside = with_radius().filter(|(d, r)| d <= r).count();
        AtLevel {
            n,
            coverage: (n > 0).then(|| inside as f64 / n as f64),
            radius_median: median(with_radius().map(|(_, r)| r)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::rolling::{evaluate, median_step_s};
    use crate::analytics::predict::synthetic::{self, Kind};

    const LEVELS: [f64; 3] = [0.5, 0.9, 0.95];

    fn rows(set: &[synthetic::Owned]) -> Vec<Row> {
        let sample = synthetic::views(set);
        let cases = evaluate(&sample, &Method::ALL, 300, 5, &Settings::default());
        let judge = Judge::new(&cases, median_step_s(&sample).unwrap(), &LEVELS, &Settings::default(), 1);
        judge.table(&all(), &Method::ALL, |_| true)
    }

    fn all() -> Vec<Option<Method>> {
        Method::ALL.into_iter().map(Some).chain([None]).collect()
    }

    #[test]
    fn coverage_is_as_stated_at_each_horizon_on_entities_held_out() {
        for (kind, irregular) in [(Kind::Walk, true), (Kind::Noise, false), (Kind::Trend, false)] {
            let rows = rows(&synthetic::of(kind, irregular, 150, 24, 8, 3));
            let counted = rows.iter().filter(|r| r.n >= 100 && (1..=8).contains(&r.bin));
            let mut seen = 0;
            for row in counted {
                for (level, at) in LEVELS.iter().zip(&row.levels) {
                    let error = 4.0 * (level * (1.0 - level) / row.n as f64).sqrt();
                    assert!((at.coverage.unwrap() - level).abs() < error.max(0.06), "{kind:?} {row:?}");
                    seen += 1;
                }
            }
            assert!(seen >= 100, "{kind:?} {seen}");
        }
    }

    #[test]
    fn all_methods_and_the_choice_are_compared_with_last() {
        let rows = rows(&synthetic::trends(60, 24, 8, 2));
        let at = |m: Option<Method>| rows.iter().find(|r| r.bin == 4 && r.method == m).unwrap();
        assert_eq!(at(Some(Method::Last)).vs_last, Some(1.0));
        assert!(at(Some(Method::Trend)).vs_last.unwrap() < 0.9);
        assert!(at(None).vs_last.unwrap() < 0.95, "{:?}", at(None));
        assert!(at(Some(Method::Linear)).vs_last.unwrap() > 1.0);
    }

    #[test]
    fn one_entity_is_judged_without_radii() {
        let rows = rows(&synthetic::walks(1, 30, 3, 1));
        assert!(rows.iter().any(|r| r.method == Some(Method::Trend) && r.error_median > 0.0));
        assert!(rows.iter().all(|r| r.levels.iter().all(|l| l.coverage.is_none() && l.n == 0)));
        let judge = Judge::new(&[], 1.0, &LEVELS, &Settings::default(), 1);
        assert!(judge.table(&all(), &Method::ALL, |_| true).is_empty());
    }

    #[test]
    fn bins_are_steps_and_then_half_octaves() {
        let bins = [0.2, 0.4, 0.6, 1.4, 1.5, 16.4, 16.6, 23.0, 24.0, 33.5].map(|h| bin_of(h, 1.0));
        assert_eq!(bins, [-2, -1, 1, 1, 2, 16, 17, 17, 18, 19]);
    }
}
