//! Independent columns, each normal with unknown mean and variance: the conjugate
//! Normal-inverse-gamma belief, whose predictions are Student t.

use super::runs::Predictive;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The prior of standardised columns: mean 0 known to a tenth of an observation, variance about 1.
pub(crate) const PRIOR: Column = Column { mu: 0.0, kappa: 0.1, alpha: 1.0, beta: 1.0 };

/// Values of [`gamma_ratio`] that are computed once.
const TABLE: usize = 2048;

/// Belief about one column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub mu: f64,
    pub kappa: f64,
    pub alpha: f64,
    pub beta: f64,
}

impl Column {
    /// Student t with `2 alpha` degrees of freedom around `mu`.
    pub fn log_density(&self, x: f64) -> f64 {
        let nu = 2.0 * self.alpha;
        let scale2 = self.beta * (self.kappa + 1.0) / (self.alpha * self.kappa);
        let z2 = (x - self.mu).powi(2) / scale2;
        gamma_ratio(self.alpha)
            - 0.5 * (nu * std::f64::consts::PI * scale2).ln()
            - (self.alpha + 0.5) * (z2 / nu).ln_1p()
    }

    pub fn update(&mut self, x: f64) {
        self.beta += self.kappa * (x - self.mu).powi(2) / (2.0 * (self.kappa + 1.0));
        self.mu = (self.kappa * self.mu + x) / (self.kappa + 1.0);
        self.kappa += 1.0;
        self.alpha += 0.5;
    }
}

/// Belief about all columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Columns(pub Vec<Column>);

impl Predictive for Columns {
    type Context = ();

    fn start((): &(), x: &[f64]) -> Self {
        let mut out = Columns(vec![PRIOR; x.len()]);
        out.update(&(), x);
        out
    }

    fn log_prior((): &(), x: &[f64]) -> f64 {
        x.iter().map(|&v| PRIOR.log_density(v)).sum()
    }

    fn log_density(&self, (): &(), x: &[f64]) -> f64 {
        self.0.iter().zip(x).map(|(c, &v)| c.log_density(v)).sum()
    }

    fn update(&mut self, (): &(), x: &[f64]) {
        self.0.iter_mut().zip(x).for_each(|(c, &v)| c.update(v));
    }
}

/// `ln Gamma(alpha + 1/2) - ln Gamma(alpha)`. A run adds a half an observation to the prior's 1, so
/// the first values come again and again.
fn gamma_ratio(alpha: f64) -> f64 {
    static FIRST: LazyLock<Vec<f64>> =
        LazyLock::new(|| (0..TABLE).map(|k| compute_ratio(PRIOR.alpha + k as f64 / 2.0)).collect());
    let k = 2.0 * (alpha - PRIOR.alpha);
    match FIRST.get(k as usize) {
        Some(ratio) if k.fract() == 0.0 && k >= 0.0 => *ratio,
        _ => compute_ratio(alpha),
    }
}

fn compute_ratio(alpha: f64) -> f64 {
    ln_gamma(alpha + 0.5) - ln_gamma(alpha)
}

/// `ln Gamma(x)` for x > 0, by Lanczos' approximation (g = 7, n = 9), about 15 digits.
fn ln_gamma(x: f64) -> f64 {
    const C: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = C[0] + C[1..].iter().zip(1..).map(|(c, i)| c / (x + f64::from(i))).sum::<f64>();
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_from_the_table_and_beyond_it() {
        assert!((gamma_ratio(1.0) - (std::f64::consts::PI.sqrt() / 2.0).ln()).abs() < 1e-14);
        for alpha in [1.0, 1.5, 2.0, 2.25, 513.0, 1.0 + TABLE as f64 / 2.0, 1e6] {
            assert_eq!(gamma_ratio(alpha), compute_ratio(alpha), "{alpha}");
            // Wendel's bounds.
            let root = gamma_ratio(alpha).exp();
            assert!(root < alpha.sqrt() && root > alpha / (alpha + 0.5).sqrt() - 1e-6 * alpha, "{alpha}");
        }
    }
}
