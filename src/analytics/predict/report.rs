//! The rows of an answer: forecast, radius and what the past says about both.

use super::{Calibration, Method, Settings, forecast, is_constant, rate, rates};
use crate::analytics::Status;
use crate::error::{Error, Result};
use crate::model::{TimestampUs, Trajectory, seconds_between};

/// Who chooses the method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The one that did best in the calibration, per horizon.
    Auto,
    /// The caller.
    Fixed(Method),
}

/// One predicted point.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Target time.
    pub t: TimestampUs,
    /// Seconds from the last point to it.
    pub horizon_s: f64,
    /// The method used.
    pub method: Method,
    /// See [`forecast`].
    pub status: Status,
    /// The predicted vector.
    pub vector: Option<Vec<f64>>,
    /// The truth lies within this Euclidean distance with the stated probability; 0 for a
    /// trajectory that never moved, `None` without (enough) calibration at this horizon.
    pub radius: Option<f64>,
    /// Half-widths of the intervals of the dimensions, when asked for.
    pub half_widths: Option<Vec<f64>>,
    /// Median error of the method at this horizon in the calibration, in vector units.
    pub backtest_error: Option<f64>,
    /// That error over the one of repeating the last value; below 1 is better.
    pub vs_last: Option<f64>,
}

/// What [`predict`] goes by.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Who chooses the method.
    pub choice: Choice,
    /// Methods that may be chosen.
    pub allowed: &'a [Method],
    /// Probability that the truth lies within the radius, in (0, 1).
    pub level: f64,
    /// Also the half-widths of the dimensions' intervals.
    pub half_widths: bool,
    /// Past errors; without them there is no radius, and the choice is the last point.
    pub calibration: Option<&'a Calibration>,
    /// What the methods are told.
    pub settings: Settings<'a>,
}

/// Predicts one entity at some instants, all after its last point (an earlier one is an error of
/// code `usage`). One row per instant, in the order given.
pub fn predict(history: &Trajectory, at: &[TimestampUs], options: &Options) -> Result<Vec<Prediction>> {
    let Some(&t_last) = history.t.last() else {
        return Err(Error::internal("a forecast from no points"));
    };
    if let Some(early) = at.iter().find(|&&t| t <= t_last) {
        return Err(Error::usage(format!(
            "the instant {early} is not after the entity's last point ({t_last})"
        ))
        .entity(history.entity)
        .fix("give a later --at, or --horizon to count from each entity's last point"));
    }
    let scale =
        Scale { rate: rate(history), rates: if options.half_widths { rates(history) } else { Vec::new() } };
    Ok(at.iter().map(|&t| one(history, t, seconds_between(t_last, t), &scale, options)).collect())
}

/// How fast the entity moves.
struct Scale {
    rate: Option<f64>,
    rates: Vec<f64>,
}

fn one(history: &Trajectory, t: TimestampUs, horizon_s: f64, scale: &Scale, options: &Options) -> Prediction {
    let method = method_for(history, horizon_s, options);
    let f = forecast(method, history, &[horizon_s], &options.settings);
    let vector = f.at(0).map(<[f64]>::to_vec);
    let known = options.calibration.filter(|_| vector.is_some());
    let record = known.and_then(|c| c.record(method, horizon_s));
    let radius = || known?.radius(method, horizon_s, options.level, scale.rate?);
    let half_widths = || known?.half_widths(method, horizon_s, options.level, &scale.rates);
    Prediction {
        t,
        horizon_s,
        method,
        status: f.status,
        radius: if is_constant(history) && vector.is_some() { Some(0.0) } else { radius() },
        half_widths: if options.half_widths && !scale.rates.is_empty() { half_widths() } else { None },
        vector,
        backtest_error: record.map(|r| r.error_median),
        vs_last: record.and_then(|r| r.vs_last),
    }
}

/// The caller's method, or the calibration's. `node` is chosen only with a useful model; asked for
/// without a model of this dimension, it is replaced by the best of the others.
fn method_for(history: &Trajectory, horizon_s: f64, options: &Options) -> Method {
    let model = options.settings.model_for(history.dim);
    let auto = |allowed: &[Method]| match options.calibration {
        Some(c) => c.choose(horizon_s, history.len(), allowed),
        None => Method::Last,
    };
    let without_model = || options.allowed.iter().copied().filter(|&m| m != Method::Node).collect::<Vec<_>>();
    match options.choice {
        Choice::Fixed(Method::Node) if model.is_none() => auto(&without_model()),
        Choice::Fixed(method) => method,
        Choice::Auto if model.is_some_and(|m| m.useful()) => auto(options.allowed),
        Choice::Auto => auto(&without_model()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::{rolling, synthetic};
    use crate::error::Code;

    const HOUR: i64 = 3_600_000_000;

    fn options(calibration: Option<&Calibration>) -> Options<'_> {
        Options {
            choice: Choice::Auto,
            allowed: &Method::ALL,
            level: 0.9,
            half_widths: true,
            calibration,
            settings: Settings::default(),
        }
    }

    #[test]
    fn rows_carry_choice_radius_and_backtest() {
        let set = synthetic::trends(60, 24, 6, 2);
        let sample = synthetic::views(&set);
        let cases = rolling::evaluate(&sample, &Method::ALL, 100, 1, &Settings::default());
        let c = Calibration::new(&cases, rolling::median_step_s(&sample).unwrap());
        let tr = sample[3];
        let end = tr.t[tr.len() - 1];
        let rows = predict(&tr, &[end + 4 * HOUR, end + 8 * HOUR], &options(Some(&c))).unwrap();
        assert_eq!((rows[0].method, rows[0].status, rows[0].horizon_s), (Method::Trend, Status::Ok, 14400.0));
        assert!(rows[0].vs_last.unwrap() < 1.0 && rows[0].backtest_error.unwrap() > 0.0);
        assert_ne!(rows[0].vector, rows[1].vector);
        assert!(rows.iter().all(|r| r.radius.unwrap() > 0.0 && r.half_widths.as_ref().unwrap().len() == 6));
        let fixed = Options { choice: Choice::Fixed(Method::Mean), half_widths: false, ..options(Some(&c)) };
        let row = &predict(&tr, &[end + HOUR], &fixed).unwrap()[0];
        assert_eq!((row.method, &row.half_widths), (Method::Mean, &None));
    }

    #[test]
    fn without_calibration_the_last_point_and_no_radius() {
        let set = synthetic::walks(1, 1, 3, 2);
        let tr = synthetic::views(&set)[0];
        let row = &predict(&tr, &[tr.t[0] + 1], &options(None)).unwrap()[0];
        assert_eq!((row.method, row.status, row.radius), (Method::Last, Status::Ok, None));
        let last: Vec<f64> = tr.row(0).iter().map(|&v| f64::from(v)).collect();
        assert_eq!(row.vector.as_ref(), Some(&last));
    }

    #[test]
    fn a_constant_trajectory_has_radius_zero() {
        let tr = Trajectory { entity: 1, t: &[0, 1, 2], x: &[0.5; 6], dim: 2, model: &[] };
        let row = &predict(&tr, &[5], &options(None)).unwrap()[0];
        assert_eq!((row.status, row.radius), (Status::Constant, Some(0.0)));
    }

    #[test]
    fn a_model_answers_when_it_fits_and_is_chosen_when_it_is_useful() {
        use crate::analytics::predict::node::HeldOut;
        use crate::analytics::predict::node::tests::turning;
        let set = synthetic::walks(30, 12, 3, 2);
        let sample = synthetic::views(&set);
        let at = [sample[0].t[11] + HOUR];
        let row = |choice, model: Option<_>, calibration: Option<_>, history: &Trajectory| {
            let settings = Settings { model, ..Settings::default() };
            predict(history, &at, &Options { choice, settings, ..options(calibration) })
                .unwrap()
                .remove(0)
                .method
        };
        let held_out = |model| vec![HeldOut { method: Method::Last, n: 9, baseline: 1.0, model }];
        let (good, bad) = (turning(held_out(0.5)), turning(held_out(1.5)));
        let node = Choice::Fixed(Method::Node);
        assert_eq!(row(node, Some(&bad), None, &sample[0]), Method::Node);
        assert_eq!(row(node, None, None, &sample[0]), Method::Last);
        let flat = Trajectory { entity: 1, t: &[0, 1], x: &[0.0, 1.0], dim: 1, model: &[] };
        assert_eq!(row(node, Some(&good), None, &flat), Method::Last);
        // A calibration in which the model did best.
        let cases = rolling::evaluate(&sample, &[Method::Last], 100, 1, &Settings::default());
        let mut c = Calibration::new(&cases, rolling::median_step_s(&sample).unwrap());
        let better = c.records.clone().into_iter().map(|mut r| {
            r.method = Method::Node;
            r.score_vs_last = 0.5;
            r
        });
        c.records.extend(better);
        assert_eq!(row(Choice::Auto, Some(&good), Some(&c), &sample[0]), Method::Node);
        assert_eq!(row(Choice::Auto, Some(&bad), Some(&c), &sample[0]), Method::Last);
        assert_eq!(row(Choice::Auto, None, Some(&c), &sample[0]), Method::Last);
    }

    #[test]
    fn instants_inside_the_data_are_refused() {
        let tr = Trajectory { entity: 7, t: &[0, 10], x: &[0.0, 1.0], dim: 1, model: &[] };
        let e = predict(&tr, &[11, 10], &options(None)).unwrap_err();
        assert_eq!((e.code(), e.place().entity.as_deref()), (Code::Usage, Some("7")));
    }
}
