//! Time in the ranking: `distance = alpha n(d_vec) + (1 - alpha) d_time`.

use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::model::{TimestampUs, seconds_between};
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;
use std::fmt;
use std::str::FromStr;

/// How the weight of a point falls with its age. All give 0 at age 0 and 1/2 at the half-life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// `1 - 2^(-a/h)`.
    Exp,
    /// `1 - 2^(-(a/h)^2)`.
    Gauss,
    /// `min(1, a / 2h)`.
    Linear,
}

impl Decay {
    /// Every decay.
    pub const ALL: [Decay; 3] = [Decay::Exp, Decay::Gauss, Decay::Linear];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Decay::Exp => "exp",
            Decay::Gauss => "gauss",
            Decay::Linear => "linear",
        }
    }

    /// The time distance in [0, 1] at `age` half-lives.
    fn at(self, age: f64) -> f64 {
        match self {
            Decay::Exp => -(-LN_2 * age).exp_m1(),
            Decay::Gauss => -(-LN_2 * age * age).exp_m1(),
            Decay::Linear => (age / 2.0).min(1.0),
        }
    }
}

impl fmt::Display for Decay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Decay {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        Decay::ALL
            .into_iter()
            .find(|d| d.as_str() == s)
            .ok_or_else(|| Error::usage(format!("unknown decay \"{s}\"")).fix("use exp, gauss or linear"))
    }
}

/// The composite distance around an instant.
///
/// The vector distance is brought into [0, 1] by a monotone map `n`, so that `alpha = 1` ranks as
/// the plain distance does: cosine `d/2`; L2 `d/(d+S)`; dot `1/(1 + exp(-d/S))`, where `d` is
/// the negated product, so that a product of 0 counts one half. `S` comes from the user, never
/// from the data: adding a point changes no other point's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Composite {
    metric: Metric,
    alpha: f64,
    at: TimestampUs,
    half_life_s: f64,
    decay: Decay,
    scale: f64,
}

impl Composite {
    /// Checks the parameters: `alpha` in [0, 1], a positive half-life in seconds, and for L2 and dot
    /// with `alpha < 1` a positive `scale`.
    pub fn new(
        metric: Metric,
        alpha: f64,
        at: TimestampUs,
        half_life_s: f64,
        decay: Decay,
        scale: Option<f64>,
    ) -> Result<Self> {
        if !(0.0..=1.0).contains(&alpha) {
            return Err(Error::usage(format!("‹alpha {alpha}› is outside 0 to 1")));
        }
        if !(half_life_s > 0.0 && half_life_s.is_finite()) {
            return Err(Error::usage("the half-life is not a positive duration"));
        }
        if scale.is_some_and(|s| !(s > 0.0 && s.is_finite())) {
            return Err(Error::usage("‹scale› is not a positive number"));
        }
        if scale.is_none() && alpha < 1.0 && metric != Metric::Cosine {
            return Err(Error::usage(format!("‹alpha {alpha}› with the metric {metric} needs ‹scale›"))
                .fix("give the distance that counts as one half, e.g. ‹scale 10›"));
        }
        Ok(Composite { metric, alpha, at, half_life_s, decay, scale: scale.unwrap_or(1.0) })
    }

    /// False when `alpha` is 1: the distance is then the plain one.
    pub fn uses_time(&self) -> bool {
        self.alpha < 1.0
    }

    /// Weight of the vectors' distance.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The instant from which time is counted.
    pub fn at(&self) -> TimestampUs {
        self.at
    }

    /// The vector distance in [0, 1].
    pub fn normalised(&self, d_vec: f64) -> f64 {
        match self.metric {
            Metric::Cosine => d_vec / 2.0,
            // Not d / (d + S), which is NaN at infinity and not monotone in its last bit.
            Metric::L2 => 1.0 / (1.0 + self.scale / d_vec),
            Metric::Dot => 1.0 / (1.0 + (-d_vec / self.scale).exp()),
        }
    }

    /// The distance in time of `t`, in [0, 1].
    pub fn d_time(&self, t: TimestampUs) -> f64 {
        self.decay.at(seconds_between(self.at, t).abs() / self.half_life_s)
    }

    /// The composite distance; `d_vec` itself when `alpha` is 1.
    pub fn distance(&self, d_vec: f64, t: TimestampUs) -> f64 {
        if self.uses_time() {
            self.alpha * self.normalised(d_vec) + (1.0 - self.alpha) * self.d_time(t)
        } else {
            d_vec
        }
    }

    /// A vector distance beyond which no point, however near in time, has a composite distance
    /// of at most `limit`; a little above the least such.
    pub(super) fn reach(&self, limit: f64) -> f64 {
        if !self.uses_time() {
            return limit;
        }
        if self.alpha == 0.0 {
            return f64::INFINITY;
        }
        let n = limit / self.alpha + SLACK;
        let d = match self.metric {
            Metric::Cosine => 2.0 * n,
            _ if n >= 1.0 => f64::INFINITY,
            Metric::L2 => self.scale * n / (1.0 - n),
            Metric::Dot => self.scale * (n / (1.0 - n)).ln(),
        };
        d + SLACK * d.abs()
    }

    /// True when `lower`, a lower bound on the vector distance, already puts a point at `t`
    /// beyond `limit`.
    pub(super) fn excludes(&self, lower: f64, t: TimestampUs, limit: f64) -> bool {
        self.distance(lower, t) > limit + SLACK
    }
}

/// More than the rounding of the formulas above, whose results lie in [0, 1].
const SLACK: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_US: i64 = 86_400_000_000;

    fn composite(metric: Metric, alpha: f64, decay: Decay) -> Composite {
        Composite::new(metric, alpha, 0, 86_400.0, decay, Some(3.0)).unwrap()
    }

    #[test]
    fn time_counts_nothing_now_and_one_half_at_the_half_life() {
        for decay in Decay::ALL {
            let c = composite(Metric::Cosine, 0.5, decay);
            assert_eq!(c.d_time(0), 0.0);
            assert!((c.d_time(DAY_US) - 0.5).abs() < 1e-15);
            assert_eq!(c.d_time(DAY_US), c.d_time(-DAY_US));
            assert!(c.d_time(DAY_US) < c.d_time(DAY_US + 1));
            assert_eq!(c.d_time(i64::MIN), 1.0);
        }
        let c = composite(Metric::Cosine, 0.5, Decay::Linear);
        assert_eq!(c.d_time(2 * DAY_US), 1.0);
        assert_eq!(composite(Metric::Cosine, 0.5, Decay::Exp).d_time(2 * DAY_US), 0.75);
        assert_eq!(composite(Metric::Cosine, 0.5, Decay::Gauss).d_time(2 * DAY_US), 0.9375);
    }

    #[test]
    fn the_scale_counts_one_half() {
        assert_eq!(composite(Metric::Cosine, 0.5, Decay::Exp).normalised(1.0), 0.5);
        assert_eq!(composite(Metric::L2, 0.5, Decay::Exp).normalised(3.0), 0.5);
        assert_eq!(composite(Metric::L2, 0.5, Decay::Exp).normalised(0.0), 0.0);
        assert_eq!(composite(Metric::Dot, 0.5, Decay::Exp).normalised(0.0), 0.5);
        assert!(composite(Metric::Dot, 0.5, Decay::Exp).normalised(-9.0) < 0.05);
    }

    #[test]
    fn alpha_mixes_and_one_is_plain() {
        let c = composite(Metric::Cosine, 0.25, Decay::Exp);
        assert!((c.distance(0.8, DAY_US) - (0.25 * 0.4 + 0.75 * 0.5)).abs() < 1e-15);
        let plain = composite(Metric::L2, 1.0, Decay::Exp);
        assert_eq!(plain.distance(0.123, DAY_US), 0.123);
        assert_eq!(plain.reach(7.0), 7.0);
    }

    #[test]
    fn reach_contains_all_that_can_enter() {
        for metric in Metric::ALL {
            for alpha in [1e-3, 0.3, 0.999] {
                let c = composite(metric, alpha, Decay::Exp);
                for d in [1e-12, 1e-3, 0.7, 1.9, 30.0, 1e6, 1e12] {
                    let d = if metric == Metric::Dot { 15.0 - d } else { d };
                    assert!(c.reach(c.distance(d, 0)) >= d, "{metric} {alpha} {d}");
                }
            }
        }
        assert_eq!(composite(Metric::L2, 0.0, Decay::Exp).reach(0.0), f64::INFINITY);
    }

    #[test]
    fn parameters_are_checked() {
        let new = |metric, alpha, half_life, scale| {
            Composite::new(metric, alpha, 0, half_life, Decay::Exp, scale).is_ok()
        };
        assert!(new(Metric::Cosine, 0.5, 1.0, None));
        assert!(!new(Metric::L2, 0.5, 1.0, None) && new(Metric::L2, 1.0, 1.0, None));
        assert!(!new(Metric::Cosine, 1.5, 1.0, None) && !new(Metric::Cosine, f64::NAN, 1.0, None));
        assert!(!new(Metric::Cosine, 0.5, 0.0, None) && !new(Metric::Dot, 0.5, 1.0, Some(-1.0)));
        assert_eq!("gauss".parse::<Decay>().unwrap(), Decay::Gauss);
        assert!("step".parse::<Decay>().is_err());
    }
}
