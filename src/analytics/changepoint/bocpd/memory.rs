//! What noise remembers: an autoregression that is fitted as points come.

use serde::{Deserialize, Serialize};

/// Highest order.
pub(super) const LAGS: usize = 6;
/// Points that it is fitted to: older ones fade.
pub(super) const MEMORY: f64 = 1000.0;
/// Fewer points give no fit.
const LEAST: f64 = 16.0;

/// Running autocovariances and the autoregression that they give.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    cov: Vec<f64>,
    pub weight: f64,
    phi: Vec<f64>,
}

impl Memory {
    /// The coefficients, the nearest point first.
    pub fn phi(&self) -> &[f64] {
        &self.phi
    }

    /// Takes in the products of the newest deviation with itself and those before it; `unit` is how
    /// many independent values a point is worth.
    pub fn observe(&mut self, products: &[f64], unit: f64) {
        self.cov.resize(LAGS + 1, 0.0);
        self.weight = (self.weight + 1.0).min(MEMORY);
        for (cov, product) in self.cov.iter_mut().zip(products) {
            *cov += (product - *cov) / self.weight;
        }
        if self.weight >= LEAST {
            self.phi = levinson(&self.cov, self.weight * unit);
        }
    }
}

/// The autoregression of these autocovariances (Levinson and Durbin), of the order that
/// Schwarz's criterion prefers for `n` values.
fn levinson(cov: &[f64], n: f64) -> Vec<f64> {
    let (mut best, mut least) = (Vec::new(), 0.0);
    if cov[0] <= 0.0 {
        return best;
    }
    let (mut phi, mut left): (Vec<f64>, f64) = (Vec::new(), cov[0]);
    for p in 1..cov.len() {
        let explained: f64 = phi.iter().enumerate().map(|(j, c)| c * cov[p - 1 - j]).sum();
        let k = (cov[p] - explained) / left;
        if !k.is_finite() {
            break;
        }
        let k = k.clamp(-0.999, 0.999);
        let before = phi.clone();
        phi.iter_mut().zip(before.iter().rev()).for_each(|(c, b)| *c -= k * b);
        phi.push(k);
        left *= 1.0 - k * k;
        let score = n * (left / cov[0]).max(f64::MIN_POSITIVE).ln() + p as f64 * n.max(2.0).ln();
        if score < least {
            (least, best) = (score, phi.clone());
        }
        if left <= 1e-12 * cov[0] {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn autocovariances_of_known_processes_give_their_coefficients() {
        let close = |found: &[f64], wanted: &[f64]| {
            assert_eq!(found.len(), wanted.len(), "{found:?}");
            found.iter().zip(wanted).for_each(|(f, w)| assert!((f - w).abs() < 1e-9, "{found:?}"));
        };
        // AR(1), .8; AR(2), (.5, .3): rho_1 = .5 / .7, rho_k = .5 rho_(k-1) + .3 rho_(k-2).
        close(&levinson(&(0..7).map(|k| 0.8f64.powi(k)).collect::<Vec<_>>(), 500.0), &[0.8]);
        let mut rho = vec![1.0, 0.5 / 0.7];
        (2..7).for_each(|k| rho.push(0.5 * rho[k - 1] + 0.3 * rho[k - 2]));
        close(&levinson(&rho, 500.0), &[0.5, 0.3]);
        close(&levinson(&[1.0, 0.02, -0.03, 0.01, 0.0, 0.0, 0.0], 500.0), &[]);
        close(&levinson(&[0.0; 7], 500.0), &[]);
    }
}
