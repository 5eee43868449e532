//! Quantiles of Student's t for any number of degrees of freedom.

/// The value that `|t|` stays below with probability `level`; `freedom` at least 1.
pub(crate) fn two_sided(level: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while outside(high, freedom) > 1.0 - level && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if outside(middle, freedom) > 1.0 - level { low = middle } else { high = middle }
    }
    high
}

/// `P(|t| > x)`: the regularised incomplete beta function at `f / (f + x^2)` for `f / 2` and 1/2.
fn outside(x: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + x * x))
}

/// The regularised incomplete beta function (continued fraction, Press et al., Numerical Recipes 6.4).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

/// Lentz's evaluation of the continued fraction.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut h = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            change = c * d;
            h *= change;
        }
        if (change - 1.0).abs() < 1e-14 {
            break;
        }
    }
    h
}

/// Logarithm of the gamma function for positive arguments (Lanczos, g = 7, nine terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
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
    let sum = TERMS.iter().zip(1..).fold(0.999_999_999_999_809_9, |s, (c, i)| s + c / (x + f64::from(i)));
    let t = x + 7.5;
    (std::f64::consts::TAU.sqrt() * sum).ln() + (x + 0.5) * t.ln() - t
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_scipy() {
        // scipy.stats.t.ppf(0.5 + level / 2, freedom)
        for (level, freedom, expected) in [
            (0.95, 1.0, 12.706_204_736_432_1),
            (0.95, 2.5, 3.574_654_842_0),
            (0.95, 10.0, 2.228_138_851_964_9),
            (0.99, 7.3, 3.451_031_655_6),
            (0.90, 500.0, 1.647_906_853_9),
            (0.95, 1e6, 1.959_966_356_8),
        ] {
            let found = two_sided(level, freedom);
            assert!((found / expected - 1.0).abs() < 1e-6, "{level} {freedom}: {found} {expected}");
        }
    }
}
