//! The rows of an answer: forecast, radius and what the past says about both.

use super::outlook::{Outlook, Scale};
use super::{Method, Outlooks, Settings, forecast};
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
    /// Target time; `None` beyond the last time there is.
    pub t: Option<TimestampUs>,
    /// Seconds from the last point to it.
    pub horizon_s: Option<f64>,
    /// The method used; `None` where nothing was chosen because there is nothing to predict.
    pub method: Option<Method>,
    /// See [`forecast`]. Also `out_of_range` when the instant lies beyond the last time there is or
    /// a value beyond single precision, `not_future` when the instant is not after the last point
    /// (none of them comes with a vector), and `uncalibrated` when a calibration was given from
    /// which no radius follows.
    pub status: Status,
    /// The predicted vector; all values fit in single precision.
    pub vector: Option<Vec<f64>>,
    /// The truth lies within this Euclidean distance with the stated probability; `None` without
    /// (enough) calibration at this horizon.
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
    /// Also the half-widths of the dimensions' intervals.
    pub half_widths: bool,
    /// Past errors, with the level of the radius as their first; without them there is no radius,
    /// and the choice is the last point.
    pub outlooks: Option<&'a Outlooks>,
    /// What the methods are told.
    pub settings: Settings<'a>,
}

/// Predicts one entity at some instants; `None` stands for one beyond the last time there is. One
/// row per instant, in the order given.
pub fn predict(
    history: &Trajectory,
    at: &[Option<TimestampUs>],
    options: &Options,
) -> Result<Vec<Prediction>> {
    let Some(&t_last) = history.t.last() else {
        return Err(Error::internal("a forecast from no points"));
    };
    let scale = Scale::of(history, options.half_widths);
    let one = |&t: &Option<TimestampUs>| match t {
        Some(t) if t > t_last => ahead(history, t, seconds_between(t_last, t), scale.as_ref(), options),
        Some(_) => nothing(t, Status::NotFuture, options),
        None => nothing(t, Status::OutOfRange, options),
    };
    Ok(at.iter().map(one).collect())
}

/// A row that says why there is no prediction.
fn nothing(t: Option<TimestampUs>, status: Status, options: &Options) -> Prediction {
    Prediction {
        t,
        horizon_s: None,
        method: match options.choice {
            Choice::Fixed(method) => Some(method),
            Choice::Auto => None,
        },
        status,
        vector: None,
        radius: None,
        half_widths: None,
        backtest_error: None,
        vs_last: None,
    }
}

fn ahead(
    history: &Trajectory,
    t: TimestampUs,
    horizon_s: f64,
    scale: Option<&Scale>,
    options: &Options,
) -> Prediction {
    let outlook = options.outlooks.map(|o| o.at(horizon_s));
    let method = method_for(history, outlook.as_deref(), options);
    let f = forecast(method, history, &[horizon_s], &options.settings);
    let fits = |v: &&[f64]| v.iter().all(|x| x.abs() <= f64::from(f32::MAX));
    let vector = f.at(0).filter(fits).map(<[f64]>::to_vec);
    let known = outlook.as_deref().filter(|_| vector.is_some());
    let view = known.and_then(|o| o.view(method));
    let radius = known.and_then(|o| o.radius(method, scale?, horizon_s, 0));
    let half_widths =
        known.filter(|_| options.half_widths).and_then(|o| o.half_widths(method, scale?, horizon_s, 0));
    let status = match f.status {
        _ if vector.is_none() && f.at(0).is_some() => Status::OutOfRange,
        Status::Ok if known.is_some() && radius.is_none() => Status::Uncalibrated,
        other => other,
    };
    Prediction {
        t: Some(t),
        horizon_s: Some(horizon_s),
        method: Some(method),
        status,
        vector,
        radius,
        half_widths,
        backtest_error: view.map(|v| v.error_median),
        vs_last: view.and_then(|v| v.vs_last),
    }
}

/// The caller's method, or the calibration's. `node` is chosen only with a useful model; asked for
/// without a model of this dimension, it is replaced by the best of the others.
fn method_for(history: &Trajectory, outlook: Option<&Outlook>, options: &Options) -> Method {
    let model = options.settings.model_for(history.dim);
    let auto = |allowed: &[Method]| match outlook {
        Some(o) => o.choose(history.len(), allowed),
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
    use crate::analytics::predict::{Calibration, rolling, synthetic};

    const HOUR: i64 = 3_600_000_000;

    fn options<'a>(outlooks: Option<&'a Outlooks>) -> Options<'a> {
        Options {
            choice: Choice::Auto,
            allowed: &Method::ALL,
            half_widths: true,
            outlooks,
            settings: Settings::default(),
        }
    }

    fn calibrated(sample: &[Trajectory], methods: &[Method]) -> Calibration {
        let cases = rolling::evaluate(sample, methods, 100, 1, &Settings::default());
        Calibration::new(cases, rolling::median_step_s(sample).unwrap())
    }

    #[test]
    fn rows_carry_choice_radius_and_backtest() {
        let set = synthetic::trends(60, 24, 6, 2);
        let sample = synthetic::views(&set);
        let c = calibrated(&sample, &Method::ALL);
        let outlooks = Outlooks::new(c, &[0.9], 20);
        let tr = sample[3];
        let end = tr.t[tr.len() - 1];
        let rows = predict(&tr, &[4, 8].map(|h| Some(end + h * HOUR)), &options(Some(&outlooks))).unwrap();
        assert_eq!((rows[0].method, rows[0].status), (Some(Method::Trend), Status::Ok));
        assert_eq!(rows[0].horizon_s, Some(14400.0));
        assert!(rows[0].vs_last.unwrap() < 1.0 && rows[0].backtest_error.unwrap() > 0.0);
        assert_ne!(rows[0].vector, rows[1].vector);
        assert!(rows.iter().all(|r| r.radius.unwrap() > 0.0 && r.half_widths.as_ref().unwrap().len() == 6));
        let fixed =
            Options { choice: Choice::Fixed(Method::Mean), half_widths: false, ..options(Some(&outlooks)) };
        let row = &predict(&tr, &[Some(end + HOUR)], &fixed).unwrap()[0];
        assert_eq!((row.method, &row.half_widths), (Some(Method::Mean), &None));
    }

    #[test]
    fn without_calibration_the_last_point_and_no_radius() {
        let set = synthetic::walks(1, 1, 3, 2);
        let tr = synthetic::views(&set)[0];
        let row = &predict(&tr, &[Some(tr.t[0] + 1)], &options(None)).unwrap()[0];
        assert_eq!((row.method, row.status, row.radius), (Some(Method::Last), Status::Ok, None));
        let last: Vec<f64> = tr.row(0).iter().map(|&v| f64::from(v)).collect();
        assert_eq!(row.vector.as_ref(), Some(&last));
        // With one that knows too little, the row says so.
        let c = Calibration::new(Vec::new(), 1.0);
        let outlooks = Outlooks::new(c, &[0.9], 20);
        let row = &predict(&tr, &[Some(tr.t[0] + 1)], &options(Some(&outlooks))).unwrap()[0];
        assert_eq!((row.status, row.radius, row.vector.as_ref()), (Status::Uncalibrated, None, Some(&last)));
    }

    #[test]
    fn what_does_not_move_is_known_by_its_like_only() {
        let tr = Trajectory { entity: 1, t: &[0, 1, 2], x: &[0.5; 6], dim: 2, model: &[] };
        let row = &predict(&tr, &[Some(5)], &options(None)).unwrap()[0];
        assert_eq!((row.status, row.radius), (Status::Constant, None));
        let mut set = synthetic::regular(40, 12, |_, _| 0.0, 1);
        set.iter_mut().for_each(|o| o.x.fill(1.0));
        let sample = synthetic::views(&set);
        let c = calibrated(&sample, &[Method::Last]);
        let outlooks = Outlooks::new(c, &[0.9], 20);
        let row = &predict(&sample[0], &[Some(13 * HOUR)], &options(Some(&outlooks))).unwrap()[0];
        assert_eq!((row.status, row.radius), (Status::Constant, Some(0.0)));
    }

    #[test]
    fn a_model_answers_when_it_fits_and_is_chosen_when_it_is_useful() {
        use crate::analytics::predict::node::HeldOut;
        use crate::analytics::predict::node::tests::turning;
        let set = synthetic::walks(30, 12, 3, 2);
        let sample = synthetic::views(&set);
        let at = [Some(sample[0].t[11] + HOUR)];
        let row = |choice, model: Option<_>, outlooks: Option<_>, history: &Trajectory| {
            let settings = Settings { model, ..Settings::default() };
            predict(history, &at, &Options { choice, settings, ..options(outlooks) })
                .unwrap()
                .remove(0)
                .method
                .unwrap()
        };
        let held_out = |model| vec![HeldOut { method: Method::Last, n: 9, baseline: 1.0, model }];
        let (good, bad) = (turning(held_out(0.5)), turning(held_out(1.5)));
        let node = Choice::Fixed(Method::Node);
        assert_eq!(row(node, Some(&bad), None, &sample[0]), Method::Node);
        assert_eq!(row(node, None, None, &sample[0]), Method::Last);
        let flat = Trajectory { entity: 1, t: &[0, 1], x: &[0.0, 1.0], dim: 1, model: &[] };
        assert_eq!(row(node, Some(&good), None, &flat), Method::Last);
        // A calibration in which the model did best.
        let mut cases = rolling::evaluate(&sample, &[Method::Last], 100, 1, &Settings::default());
        cases.iter_mut().for_each(|c| c.pretend(Method::Node, 0.5));
        let c = Calibration::new(cases, rolling::median_step_s(&sample).unwrap());
        let outlooks = Outlooks::new(c, &[0.9], 20);
        assert_eq!(row(Choice::Auto, Some(&good), Some(&outlooks), &sample[0]), Method::Node);
        assert_eq!(row(Choice::Auto, Some(&bad), Some(&outlooks), &sample[0]), Method::Last);
        assert_eq!(row(Choice::Auto, None, Some(&outlooks), &sample[0]), Method::Last);
    }

    #[test]
    fn instants_that_cannot_be_predicted_say_why() {
        let tr = Trajectory { entity: 7, t: &[0, 10], x: &[0.0, 1.0], dim: 1, model: &[] };
        let rows = predict(&tr, &[Some(11), Some(10), None], &options(None)).unwrap();
        let seen: Vec<_> = rows.iter().map(|r| (r.t, r.status, r.vector.is_some())).collect();
        assert_eq!(
            seen,
            [
                (Some(11), Status::Ok, true),
                (Some(10), Status::NotFuture, false),
                (None, Status::OutOfRange, false)
            ]
        );
    }

    #[test]
    fn a_forecast_beyond_single_precision_is_out_of_range() {
        let tr = Trajectory { entity: 7, t: &[0, 10], x: &[0.0, 3e38], dim: 1, model: &[] };
        let line = Options { choice: Choice::Fixed(Method::Linear), ..options(None) };
        let rows = predict(&tr, &[Some(11), Some(30)], &line).unwrap();
        assert_eq!((rows[0].status, rows[0].vector.is_some()), (Status::Ok, true));
        assert_eq!((rows[1].status, &rows[1].vector, rows[1].radius), (Status::OutOfRange, &None, None));
    }
}
