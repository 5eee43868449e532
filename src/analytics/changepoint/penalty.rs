//! What a change has to be worth.

use super::noise::Shape;

/// Chance of a false change in a series without one.
pub(crate) const DEFAULT_ALPHA: f64 = 0.05;

/// How the penalty for a change is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Penalty {
    /// From the noise: what a false change gains at most, but with probability `alpha`.
    #[default]
    Auto,
    /// Bayesian information criterion: `ln n` noise variances a fitted number.
    Bic,
    /// Akaike information criterion: two noise variances a fitted number.
    Aic,
    /// A given number, in squared vector units.
    Value(f64),
}

/// The penalty of one search, once the noise is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rule {
    pub penalty: Penalty,
    /// Chance of a false change in a series without one, for [`Penalty::Auto`].
    pub alpha: f64,
    /// Pay for all places of a change, but not for all pairs of a start and a change.
    pub sensitive: bool,
    /// Numbers that a segment fits a dimension: 1 for a mean, 2 for a line.
    pub parameters: usize,
}

impl Rule {
    /// `x` such that chance gives a false change, over all places it could be at, with a probability
    /// of about `exp(-x)` times their number.
    pub fn evidence(&self, n: usize) -> f64 {
        let ln_n = (n.max(2) as f64).ln();
        if self.sensitive { ln_n + 3.0 } else { 2.0 * ln_n - self.alpha.ln() }
    }

    /// What [`Self::alpha`] and [`Self::sensitive`] make of a price that was set for their defaults.
    pub fn price(&self, n: usize) -> f64 {
        let usual = Rule { alpha: DEFAULT_ALPHA, sensitive: false, ..*self };
        self.evidence(n) / usual.evidence(n)
    }

    /// In squared vector units, for `n` rows of `dim` values with noise of the given trace.
    pub fn value(&self, trace: f64, shape: &Shape, dim: usize, n: usize) -> f64 {
        let ln_n = (n.max(2) as f64).ln();
        let k = self.parameters as f64;
        let each = k + 1.0 / dim as f64;
        match self.penalty {
            Penalty::Auto => {
                let x = self.evidence(n);
                // k independent fits of the same noise: k times the trace and the trace of the square.
                trace * (k + 2.0 * (k * x / shape.d_eff).sqrt() + 2.0 * shape.top * x)
            }
            Penalty::Bic => trace * each * ln_n,
            Penalty::Aic => trace * each * 2.0,
            Penalty::Value(v) => v,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { d_eff: 25.0, top: 0.1, spread: 1.0 };

    fn rule(penalty: Penalty) -> Rule {
        Rule { penalty, alpha: 0.05, sensitive: false, parameters: 1 }
    }

    #[test]
    fn each_rule_is_its_formula() {
        let ln_n = 100f64.ln();
        let value = |r: Rule| r.value(3.0, &SHAPE, 50, 100);
        let x = 2.0 * ln_n + 20f64.ln();
        let auto = 3.0 * (1.0 + 2.0 * (x / 25.0).sqrt() + 0.2 * x);
        assert!((value(rule(Penalty::Auto)) - auto).abs() < 1e-12);
        assert!((value(rule(Penalty::Bic)) - 3.0 * 1.02 * ln_n).abs() < 1e-12);
        assert!((value(rule(Penalty::Aic)) - 3.0 * 1.02 * 2.0).abs() < 1e-12);
        assert_eq!(value(rule(Penalty::Value(7.0))), 7.0);
        let sensitive = value(Rule { sensitive: true, ..rule(Penalty::Auto) });
        assert!(sensitive < auto && sensitive > 3.0);
        assert!(value(Rule { parameters: 2, ..rule(Penalty::Auto) }) > auto);
    }
}
