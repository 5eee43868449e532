//! Minima of functions of one variable in an interval: a scan, then Brent's method.

/// Brent's method (Brent 1973, "Algorithms for Minimization without Derivatives", chapter 5):
/// parabolas, with golden sections where they fail. Returns the best argument in `(a, b)`;
/// `tolerance` is absolute.
pub fn brent(mut f: impl FnMut(f64) -> f64, mut a: f64, mut b: f64, tolerance: f64) -> f64 {
    let golden = (3.0 - 5f64.sqrt()) / 2.0;
    let mut x = a + golden * (b - a);
    let (mut w, mut v) = (x, x);
    let mut fx = f(x);
    let (mut fw, mut fv) = (fx, fx);
    let (mut step, mut before) = (0.0f64, 0.0f64);
    for _ in 0..100 {
        let middle = (a + b) / 2.0;
        let tol = tolerance + f64::EPSILON.sqrt() * 1e-2 * x.abs();
        if (x - middle).abs() <= 2.0 * tol - (b - a) / 2.0 {
            break;
        }
        let parabola = vertex(x, fx, w, fw, v, fv)
            .filter(|s| before.abs() > tol && s.abs() < (before / 2.0).abs() && x + s > a && x + s < b);
        before = step;
        step = match parabola {
            Some(s) if x + s - a < 2.0 * tol || b - x - s < 2.0 * tol => tol.copysign(middle - x),
            Some(s) => s,
            None => {
                before = if x < middle { b - x } else { a - x };
                golden * before
            }
        };
        let u = if step.abs() >= tol { x + step } else { x + tol.copysign(step) };
        let fu = f(u);
        if fu <= fx {
            *(if u < x { &mut b } else { &mut a }) = x;
            (v, fv, w, fw, x, fx) = (w, fw, x, fx, u, fu);
        } else {
            *(if u < x { &mut a } else { &mut b }) = u;
            if fu <= fw || w == x {
                (v, fv, w, fw) = (w, fw, u, fu);
            } else if fu <= fv || v == x || v == w {
                (v, fv) = (u, fu);
            }
        }
    }
    x
}

/// The step from `x` to the vertex of the parabola through three points, if they have one.
fn vertex(x: f64, fx: f64, w: f64, fw: f64, v: f64, fv: f64) -> Option<f64> {
    let r = (x - w) * (fx - fv);
    let q = (x - v) * (fx - fw);
    let p = (x - v) * q - (x - w) * r;
    let q = 2.0 * (q - r);
    (q != 0.0).then(|| -p / q)
}

/// The least of `points` evenly spaced values, then [`brent`] between its neighbours: finds the
/// global minimum where its basin is wider than the spacing.
pub fn scan_then_brent(mut f: impl FnMut(f64) -> f64, a: f64, b: f64, points: usize, tolerance: f64) -> f64 {
    let at = |i: usize| a + (b - a) * i as f64 / (points - 1) as f64;
    let best = (0..points).map(|i| (i, f(at(i)))).min_by(|l, r| l.1.total_cmp(&r.1)).map_or(0, |(i, _)| i);
    brent(f, at(best.saturating_sub(1)), at((best + 1).min(points - 1)), tolerance)
}

/// The inverse of a symmetric positive matrix, by Gauss and Jordan with pivots on the diagonal; `None`
/// when it is nearly singular.
pub fn inverse(mut m: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    let n = m.len();
    let size: Vec<f64> = (0..n).map(|i| m[i][i]).collect();
    let mut out: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for k in 0..n {
        let pivot = m[k][k];
        // What the others explain to a thousandth says nothing of its own.
        if !(pivot > 1e-3 * size[k] && pivot.is_finite()) {
            return None;
        }
        for row in [&mut m[k], &mut out[k]] {
            row.iter_mut().for_each(|v| *v /= pivot);
        }
        let (lead, lead_out) = (m[k].clone(), out[k].clone());
        for i in (0..n).filter(|&i| i != k) {
            let factor = m[i][k];
            m[i].iter_mut().zip(&lead).for_each(|(v, l)| *v -= factor * l);
            out[i].iter_mut().zip(&lead_out).for_each(|(v, l)| *v -= factor * l);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_minima_inside_and_at_the_ends() {
        let near = |x: f64, y: f64| assert!((x - y).abs() < 1e-6, "{x} {y}");
        near(brent(|x| (x - 2.0).powi(2), 0.0, 5.0, 1e-9), 2.0);
        near(brent(|x| (x - 0.3).abs().powf(1.5), -1.0, 4.0, 1e-9), 0.3);
        near(brent(|x| -x.sin(), 0.0, 3.0, 1e-9), std::f64::consts::FRAC_PI_2);
        near(brent(|x| x, 1.0, 3.0, 1e-9), 1.0);
        near(brent(|x| -x, 1.0, 3.0, 1e-9), 3.0);
    }

    #[test]
    fn a_scan_finds_the_deeper_of_two_valleys() {
        let f = |x: f64| (x * x - 1.0).powi(2) + 0.1 * x;
        let x = scan_then_brent(f, -2.0, 2.0, 16, 1e-9);
        assert!(x < -1.0 && f(x) < f(x - 1e-3) && f(x) < f(x + 1e-3));
    }
}
