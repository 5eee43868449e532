//! Dormand-Prince 5(4): an adaptive explicit Runge-Kutta solver for `dy/dt = f(t, y)`.
//!
//! The pair of Dormand and Prince (1980), "A family of embedded Runge-Kutta formulae", with
//! local extrapolation; step control, first step and the fourth-order interpolant as in
//! Hairer, Nørsett and Wanner, "Solving Ordinary Differential Equations I", II.4 to II.6.
//! Steps are kept while the root mean square of the scaled error is below 1.

use std::fmt;

/// Stages of one step; the last is the first of the next.
const STAGES: usize = 7;
const C: [f64; STAGES] = [0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
const A: [&[f64]; STAGES] = [
    &[],
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// Fifth-order minus fourth-order weights.
const E: [f64; STAGES] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339_200.0, 22.0 / 525.0, -1.0 / 40.0];
/// Weights of the interpolant's highest term.
const DENSE: [f64; STAGES] = [
    -12_715_105_075.0 / 11_282_082_432.0,
    0.0,
    87_487_479_700.0 / 32_700_410_799.0,
    -10_690_763_975.0 / 1_880_347_072.0,
    701_980_252_875.0 / 199_316_789_632.0,
    -1_453_857_185.0 / 822_651_844.0,
    69_997_945.0 / 29_380_423.0,
];

const SAFETY: f64 = 0.9;
const MIN_FACTOR: f64 = 0.2;
const MAX_FACTOR: f64 = 10.0;

/// How exact, and how long at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Control {
    /// Error allowed in a step, relative to the state.
    pub rtol: f64,
    /// Error allowed in a step, absolute.
    pub atol: f64,
    /// Longest step, in the unit of time.
    pub max_step: f64,
    /// Most steps tried, rejected ones included.
    pub max_steps: usize,
}

impl Default for Control {
    fn default() -> Self {
        Control { rtol: 1e-5, atol: 1e-6, max_step: f64::INFINITY, max_steps: 10_000 }
    }
}

/// Why no solution was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// `max_steps` were tried.
    StepLimit,
    /// The step that the tolerance asks for is below the resolution of time.
    StepTooSmall,
    /// The field or the state is not finite.
    NotFinite,
}

/// The integration ended before the last time asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NotConverged {
    /// Where it stood, in the unit of time.
    pub t: f64,
    /// Why it ended.
    pub cause: Cause,
}

impl fmt::Display for NotConverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.cause {
            Cause::StepLimit => "the step limit was reached",
            Cause::StepTooSmall => "the step became too small",
            Cause::NotFinite => "the state is no longer finite",
        };
        write!(f, "the integration ended at t = {}: {why}", self.t)
    }
}

/// States at the times asked for, and what they cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// Row-major, one row of `y0.len()` values per time.
    pub y: Vec<f64>,
    /// Steps kept.
    pub accepted: usize,
    /// Steps tried again with a shorter length.
    pub rejected: usize,
}

/// Solves `dy/dt = f(t, y)`, `y(t0) = y0`, and gives the state at each of `times`, which must be
/// ascending and not before `t0`. The last one ends the last step; those before it come from the
/// interpolant of the step they fall into, whose error is of the order of the tolerance.
///
/// `f(t, y, dy)` fills `dy`.
pub fn solve(
    mut f: impl FnMut(f64, &[f64], &mut [f64]),
    t0: f64,
    y0: &[f64],
    times: &[f64],
    control: &Control,
) -> Result<Solution, NotConverged> {
    debug_assert!(times.first().is_none_or(|&t| t >= t0) && times.is_sorted());
    let mut out = Solution { y: Vec::with_capacity(times.len() * y0.len()), accepted: 0, rejected: 0 };
    let at_start = times.partition_point(|&t| t <= t0);
    (0..at_start).for_each(|_| out.y.extend_from_slice(y0));
    let mut wanted = &times[at_start..];
    let Some(&end) = wanted.last() else { return Ok(out) };

    let mut step = Step::new(y0.len());
    step.y.copy_from_slice(y0);
    f(t0, y0, &mut step.k[0]);
    let mut t = t0;
    let mut h = first_step(&mut f, t0, &mut step, end - t0, control);
    let mut shrunk = false;
    while !wanted.is_empty() {
        let fail = |cause| Err(NotConverged { t, cause });
        if out.accepted + out.rejected >= control.max_steps {
            return fail(Cause::StepLimit);
        }
        let min_step = 10.0 * (t.next_up() - t);
        if h.is_nan() || h < min_step {
            return fail(if h < min_step { Cause::StepTooSmall } else { Cause::NotFinite });
        }
        let t_new = (t + h.min(control.max_step)).min(end);
        h = t_new - t;
        let error = step.attempt(&mut f, t, h, control);
        if !error.is_finite() {
            // Beyond the field's domain: come nearer before giving up.
            out.rejected += 1;
            shrunk = true;
            h *= MIN_FACTOR;
            if h < min_step {
                return fail(Cause::NotFinite);
            }
            continue;
        }
        let factor = SAFETY * error.powf(-0.2);
        if error >= 1.0 {
            out.rejected += 1;
            shrunk = true;
            h *= factor.max(MIN_FACTOR);
            continue;
        }
        let (inside, rest) = wanted.split_at(wanted.partition_point(|&w| w <= t_new));
        inside
            .iter()
            .for_each(|&w| step.interpolate(if w == t_new { 1.0 } else { (w - t) / h }, h, &mut out.y));
        wanted = rest;
        step.advance();
        t = t_new;
        h *= factor.min(if shrunk { 1.0 } else { MAX_FACTOR });
        shrunk = false;
        out.accepted += 1;
    }
    Ok(out)
}

/// The buffers of a step from `y` to `y_new`.
struct Step {
    y: Vec<f64>,
    y_new: Vec<f64>,
    k: Vec<Vec<f64>>,
}

impl Step {
    fn new(n: usize) -> Self {
        Step { y: vec![0.0; n], y_new: vec![0.0; n], k: vec![vec![0.0; n]; STAGES] }
    }

    /// Fills the stages and `y_new`; returns the scaled error.
    fn attempt(
        &mut self,
        f: &mut impl FnMut(f64, &[f64], &mut [f64]),
        t: f64,
        h: f64,
        control: &Control,
    ) -> f64 {
        for s in 1..STAGES {
            let (done, rest) = self.k.split_at_mut(s);
            for (d, out) in self.y_new.iter_mut().enumerate() {
                *out = self.y[d] + h * weighted(A[s], done, d);
            }
            f(t + C[s] * h, &self.y_new, &mut rest[0]);
        }
        let scaled = |d: usize| {
            let scale = control.atol + control.rtol * self.y[d].abs().max(self.y_new[d].abs());
            h * weighted(&E, &self.k, d) / scale
        };
        root_mean_square((0..self.y.len()).map(scaled))
    }

    /// Appends the state at the fraction `u` of the step.
    fn interpolate(&self, u: f64, h: f64, out: &mut Vec<f64>) {
        if u == 1.0 {
            out.extend_from_slice(&self.y_new);
            return;
        }
        let v = 1.0 - u;
        for (d, (&y, &y_new)) in self.y.iter().zip(&self.y_new).enumerate() {
            let diff = y_new - y;
            let bend = h * self.k[0][d] - diff;
            let skew = diff - h * self.k[STAGES - 1][d] - bend;
            let top = h * weighted(&DENSE, &self.k, d);
            out.push(y + u * (diff + v * (bend + u * (skew + v * top))));
        }
    }

    /// Makes the end of the step the start of the next.
    fn advance(&mut self) {
        std::mem::swap(&mut self.y, &mut self.y_new);
        self.k.swap(0, STAGES - 1);
    }
}

/// `sum_s weights[s] * k[s][d]`.
fn weighted(weights: &[f64], k: &[Vec<f64>], d: usize) -> f64 {
    weights.iter().zip(k).map(|(w, k)| w * k[d]).sum()
}

fn root_mean_square(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len().max(1) as f64;
    (values.map(|v| v * v).sum::<f64>() / n).sqrt()
}

/// A first step from the sizes of the state, its slope and an estimate of its curvature.
fn first_step(
    f: &mut impl FnMut(f64, &[f64], &mut [f64]),
    t0: f64,
    step: &mut Step,
    span: f64,
    control: &Control,
) -> f64 {
    let n = step.y.len();
    let Step { y, y_new, k } = step;
    let scale = |d: usize| control.atol + control.rtol * y[d].abs();
    let size = root_mean_square((0..n).map(|d| y[d] / scale(d)));
    let slope = root_mean_square((0..n).map(|d| k[0][d] / scale(d)));
    let h0 = if size < 1e-5 || slope < 1e-5 { 1e-6 } else { 0.01 * size / slope };
    let h0 = h0.min(span);
    (0..n).for_each(|d| y_new[d] = y[d] + h0 * k[0][d]);
    let (first, rest) = k.split_at_mut(1);
    f(t0 + h0, y_new, &mut rest[0]);
    let bend = root_mean_square((0..n).map(|d| (rest[0][d] - first[0][d]) / scale(d))) / h0;
    let h1 = if slope <= 1e-15 && bend <= 1e-15 {
        (h0 * 1e-3).max(1e-6)
    } else {
        (0.01 / slope.max(bend)).powf(0.2)
    };
    (100.0 * h0).min(h1).min(span).min(control.max_step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::golden;

    fn tight() -> Control {
        Control { rtol: 1e-9, atol: 1e-12, ..Control::default() }
    }

    fn pendulum(_: f64, y: &[f64], dy: &mut [f64]) {
        dy[0] = y[1];
        dy[1] = -y[0].sin();
    }

    fn harmonic(_: f64, y: &[f64], dy: &mut [f64]) {
        dy[0] = y[1];
        dy[1] = -y[0];
    }

    #[test]
    fn exponential_and_harmonic_oscillator_follow_their_closed_forms() {
        let times: Vec<f64> = (0..=50).map(|i| f64::from(i) * 0.2).collect();
        let grow = solve(|_, y, dy| dy[0] = -0.7 * y[0], 0.0, &[2.0], &times, &Control::default()).unwrap();
        for (&t, &y) in times.iter().zip(&grow.y) {
            assert!((y - 2.0 * (-0.7 * t).exp()).abs() < 2e-5, "t {t}: {y}");
        }
        let swing = solve(harmonic, 0.0, &[1.0, 0.0], &times, &tight()).unwrap();
        for (&t, y) in times.iter().zip(swing.y.chunks(2)) {
            assert!((y[0] - t.cos()).abs() < 1e-7 && (y[1] + t.sin()).abs() < 1e-7, "t {t}: {y:?}");
        }
    }

    #[test]
    fn pendulum_of_small_angle_swings_by_its_closed_form() {
        let angle = 1e-3;
        let end = 20.0;
        let s = solve(pendulum, 0.0, &[angle, 0.0], &[end], &tight()).unwrap();
        // Period 2 pi (1 + a^2/16): the correction is below 1e-7 of the period here.
        assert!((s.y[0] - angle * end.cos()).abs() < 1e-5 * angle, "{:?}", s.y);
    }

    #[test]
    fn agrees_with_scipy() {
        let golden = golden::load();
        for case in golden["ode"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let field: fn(f64, &[f64], &mut [f64]) = match name {
                "pendulum" => pendulum,
                "van_der_pol" => |_, y, dy| {
                    dy[0] = y[1];
                    dy[1] = 2.0 * (1.0 - y[0] * y[0]) * y[1] - y[0];
                },
                "lotka_volterra" => |_, y, dy| {
                    dy[0] = 1.5 * y[0] - y[0] * y[1];
                    dy[1] = -3.0 * y[1] + y[0] * y[1];
                },
                "forced" => |t, y, dy| dy[0] = -2.0 * y[0] + t.sin(),
                other => panic!("no field {other}"),
            };
            let control = Control {
                rtol: case["rtol"].as_f64().unwrap(),
                atol: case["atol"].as_f64().unwrap(),
                ..Control::default()
            };
            let times = golden::numbers(&case["t"]);
            let s = solve(field, 0.0, &golden::numbers(&case["y0"]), &times, &control).unwrap();
            golden::assert_close(name, &s.y, &golden::numbers(&case["rk45"]), 1e-8);
            let truth = golden::numbers(&case["truth"]);
            for (a, b) in s.y.iter().zip(&truth) {
                assert!((a - b).abs() <= 1000.0 * (control.atol + control.rtol * b.abs()), "{name}: {a} {b}");
            }
        }
    }

    /// With tolerances that accept everything the step is `max_step`.
    fn fixed_step_error(h: f64) -> f64 {
        let control = Control { rtol: 0.0, atol: 1e30, max_step: h, max_steps: 1_000_000 };
        let end = 8.0;
        let s = solve(harmonic, 0.0, &[1.0, 0.0], &[end], &control).unwrap();
        (s.y[0] - end.cos()).hypot(s.y[1] + end.sin())
    }

    #[test]
    fn order_is_five() {
        for h in [0.5, 0.25, 0.125] {
            let order = (fixed_step_error(h) / fixed_step_error(h / 2.0)).log2();
            assert!((4.8..5.3).contains(&order), "order {order} at {h}");
        }
    }

    #[test]
    fn interpolated_states_are_as_good_as_exact_ends() {
        let times: Vec<f64> = (1..=100).map(|i| f64::from(i) * 0.1).collect();
        let dense = solve(pendulum, 0.0, &[2.0, 0.0], &times, &tight()).unwrap();
        for (&t, y) in times.iter().zip(dense.y.chunks(2)) {
            let exact = solve(pendulum, 0.0, &[2.0, 0.0], &[t], &tight()).unwrap();
            assert!((y[0] - exact.y[0]).abs() < 1e-7, "{t}");
        }
    }

    #[test]
    fn times_at_the_start_and_none_at_all() {
        let s = solve(harmonic, 1.0, &[1.0, 0.5], &[1.0, 1.0, 1.5], &Control::default()).unwrap();
        assert_eq!(&s.y[..4], &[1.0, 0.5, 1.0, 0.5]);
        assert!((s.y[4] - (0.5f64.cos() + 0.5 * 0.5f64.sin())).abs() < 1e-5);
        assert!(solve(harmonic, 0.0, &[1.0, 0.0], &[], &Control::default()).unwrap().y.is_empty());
        let still = solve(|_, _, dy| dy.fill(0.0), 0.0, &[3.0], &[1e9], &Control::default()).unwrap();
        assert_eq!(still.y, [3.0]);
    }

    #[test]
    fn failures_say_why() {
        let few = Control { max_steps: 5, ..tight() };
        let e = solve(harmonic, 0.0, &[1.0, 0.0], &[100.0], &few).unwrap_err();
        assert_eq!(e.cause, Cause::StepLimit);
        assert!(e.t > 0.0 && e.t < 100.0 && e.to_string().contains("step limit"));
        // y' = y^2 leaves for infinity at t = 1.
        let e = solve(|_, y, dy| dy[0] = y[0] * y[0], 0.0, &[1.0], &[2.0], &Control::default()).unwrap_err();
        assert!(matches!(e.cause, Cause::StepTooSmall | Cause::NotFinite), "{e:?}");
        assert!((e.t - 1.0).abs() < 1e-3, "{e:?}");
        let e = solve(|_, _, dy| dy[0] = f64::NAN, 0.0, &[1.0], &[2.0], &Control::default()).unwrap_err();
        assert_eq!(e.cause, Cause::NotFinite);
    }
}
