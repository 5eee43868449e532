//! The rolling-origin table: how well each method would have done, and whether the radii hold.

use super::Method;
use super::calibrate::Calibration;
use super::rolling::{Case, median};
use crate::analytics::rng::Random;
use std::collections::BTreeMap;

/// Groups of entities that take turns in being held out.
const FOLDS: u64 = 5;

/// One row of the rolling-origin table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Horizon class.
    pub class: i32,
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
    /// Per level: share of the cases within the radius; `None` where no case had one.
    pub coverage: Vec<Option<f64>>,
    /// Per level: median radius.
    pub radius_median: Vec<Option<f64>>,
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
pub struct Judge<'a> {
    cases: &'a [Case],
    folds: Vec<u64>,
    calibrations: Vec<Calibration>,
}

impl<'a> Judge<'a> {
    /// `unit_s` is the unit of the cases' classes.
    pub fn new(cases: &'a [Case], unit_s: f64, seed: u64) -> Judge<'a> {
        let fold = |c: &Case| Random::new(seed, "predict folds", c.entity).bits() % FOLDS;
        let folds: Vec<u64> = cases.iter().map(fold).collect();
        let others = |k: u64| {
            let rest: Vec<Case> =
                cases.iter().zip(&folds).filter(|(_, f)| **f != k).map(|(c, _)| c.clone()).collect();
            Calibration::new(&rest, unit_s)
        };
        Judge { cases, calibrations: (0..FOLDS).map(others).collect(), folds }
    }

    /// The `i`-th case under a method, or under the choice among `choosable`; `None` without a
    /// forecast.
    pub fn case(
        &self,
        i: usize,
        method: Option<Method>,
        choosable: &[Method],
        levels: &[f64],
    ) -> Option<Judged> {
        let c = &self.cases[i];
        let calibration = &self.calibrations[self.folds[i] as usize];
        let method = method.unwrap_or_else(|| calibration.choose(c.horizon_s, c.history, choosable));
        let distance = c.error(method)?.distance;
        let last = c.error(Method::Last).map(|e| e.distance);
        let rate = c.reach / c.horizon_s.sqrt();
        let radii = levels.iter().map(|&l| calibration.radius(method, c.horizon_s, l, rate)).collect();
        Some(Judged { method, horizon_s: c.horizon_s, distance, last, radii })
    }

    /// The rolling-origin table over the cases that `counted` admits: for every horizon class
    /// each of `methods`, where `None` is the choice among `choosable`.
    pub fn table(
        &self,
        methods: &[Option<Method>],
        choosable: &[Method],
        levels: &[f64],
        counted: impl Fn(&Case) -> bool,
    ) -> Vec<Row> {
        let mut classes: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (i, c) in self.cases.iter().enumerate().filter(|(_, c)| counted(c)) {
            classes.entry(c.class).or_default().push(i);
        }
        let mut rows = Vec::new();
        for (class, members) in classes {
            for &method in methods {
                let judged: Vec<Judged> =
                    members.iter().filter_map(|&i| self.case(i, method, choosable, levels)).collect();
                rows.extend(Row::new(class, method, &judged, levels.len()));
            }
        }
        rows
    }
}

impl Row {
    fn new(class: i32, method: Option<Method>, judged: &[Judged], levels: usize) -> Option<Self> {
        let error_median = median(judged.iter().map(|j| j.distance))?;
        let last = median(judged.iter().filter_map(|j| j.last)).filter(|&v| v > 0.0);
        let with_radius = |k: usize| judged.iter().filter_map(move |j| Some((j.distance, j.radii[k]?)));
        let coverage = |k: usize| {
            let (inside, all) =
                with_radius(k).fold((0, 0), |(i, n), (d, r)| (i + usize::from(d <= r), n + 1));
            (all > 0).then(|| inside as f64 / all as f64)
        };
        Some(Row {
            class,
            method,
            horizon_s: median(judged.iter().map(|j| j.horizon_s))?,
            n: judged.len(),
            error_median,
            vs_last: last.map(|l| error_median / l),
            coverage: (0..levels).map(coverage).collect(),
            radius_median: (0..levels).map(|k| median(with_radius(k).map(|(_, r)| r))).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::rolling::{evaluate, median_step_s};
    use crate::analytics::predict::{Settings, synthetic};

    const LEVELS: [f64; 3] = [0.5, 0.9, 0.95];

    fn rows(set: &[synthetic::Owned]) -> Vec<Row> {
        let sample = synthetic::views(set);
        let cases = evaluate(&sample, &Method::ALL, 300, 5, &Settings::default());
        let judge = Judge::new(&cases, median_step_s(&sample).unwrap(), 1);
        judge.table(&all(), &Method::ALL, &LEVELS, |_| true)
    }

    fn all() -> Vec<Option<Method>> {
        Method::ALL.into_iter().map(Some).chain([None]).collect()
    }

    #[test]
    fn coverage_is_as_stated_on_entities_held_out() {
        for set in [synthetic::walks(150, 20, 8, 3), synthetic::trends(150, 20, 8, 4)] {
            for row in rows(&set).iter().filter(|r| r.n >= 250 && r.class >= 0) {
                for (k, level) in LEVELS.iter().enumerate() {
                    let seen = row.coverage[k].unwrap();
                    assert!((seen - level).abs() < 0.1, "{row:?}");
                }
            }
        }
    }

    #[test]
    fn all_methods_and_the_choice_are_compared_with_last() {
        let rows = rows(&synthetic::trends(60, 24, 8, 2));
        let at = |m: Option<Method>| rows.iter().find(|r| r.class == 2 && r.method == m).unwrap();
        assert_eq!(at(Some(Method::Last)).vs_last, Some(1.0));
        assert!(at(Some(Method::Trend)).vs_last.unwrap() < 0.9);
        assert!(at(None).vs_last.unwrap() < 0.95, "{:?}", at(None));
        assert!(at(Some(Method::Linear)).vs_last.unwrap() > 1.0);
    }

    #[test]
    fn one_entity_is_judged_without_radii() {
        let rows = rows(&synthetic::walks(1, 30, 3, 1));
        assert!(rows.iter().any(|r| r.method == Some(Method::Trend) && r.error_median > 0.0));
        assert!(rows.iter().all(|r| r.coverage.iter().all(Option::is_none)));
        assert!(Judge::new(&[], 1.0, 1).table(&all(), &Method::ALL, &LEVELS, |_| true).is_empty());
    }
}
