//! What it costs to explain a stretch by one level that walks, in closed form.
//!
//! The filter of a walking level (`level`) minimises a quadratic form,
//! `C(s, t) = min_z sum |y_i - z_i|^2 + sum |z_{i+1} - z_i|^2 / q`, whose matrix `(1 + L/q)`, L the
//! Laplacian of a path, has the inverse of reflected exponentials (the method of images):
//!
//! ```text
//! g / (1 - l^2n) * (l^|i-j| + l^(2n-|i-j|) + l^(i+j+1) + l^(2n-1-i-j)),   i, j = 0 .. n-1
//! ```
//!
//! with `l + 1/l = 2 + q` and `g = (1 - l) / (1 + l)`. So sums that fade with their distance,
//! forwards and backwards, do for it what prefix sums do for the mean: any cost takes O(dim),
//! and where `l^n` has vanished O(1), since both ends are then known by themselves.

use super::cost::{LANES, SegmentCost, chunks};
use super::local_level::Model;
use super::series::Series;
use crate::analytics::geometry::dot;
use crate::simd::double::decay;
use pulp::{Arch, Simd, WithSimd};

/// Below this a share of what came before is nothing beside the last digit.
const VANISHED: f64 = 1e-20;

/// How the influence of a row fades with the distance.
struct Fading {
    /// Share that is left after one step.
    keep: f64,
    /// `(1 - keep) / (1 + keep)`.
    gain: f64,
    /// `keep^n`, and `(1 - keep) / (1 - keep^2n)`, for n = 0, 1, .. until it vanishes.
    table: Vec<(f64, f64)>,
}

impl Fading {
    /// For `q > 0` and up to `n` rows.
    fn new(q: f64, n: usize) -> Self {
        // 2 cosh(angle) = 2 + q.
        let angle = 2.0 * (q.sqrt() / 2.0).asinh();
        let keep = (-angle).exp();
        let table = (0..=n)
            .map(|k| {
                let far = angle * k as f64;
                ((-far).exp(), -(-angle).exp_m1() / -(-2.0 * far).exp_m1())
            })
            .take_while(|&(left, _)| left > VANISHED)
            .collect();
        Fading { keep, gain: (angle / 2.0).tanh(), table }
    }
}

/// Costs of a level that walks with variance `q > 0` under noise that remembers by `phi >= 0`.
pub(crate) struct WalkCost<'a> {
    series: &'a Series,
    model: Model,
    fading: Fading,
    /// `n + 1` rows: what is left of the rows before, then of the rows from here on.
    sums: Vec<f64>,
    /// Sums over the rows before.
    before: Vec<Before>,
    /// Of the sums in a row alone.
    own: Vec<Own>,
}

/// Sums of squares over all rows before one.
#[derive(Clone, Copy)]
struct Before {
    /// Of each row's length.
    squares: f64,
    /// `keep^|i-j| y_i . y_j` over all pairs.
    pairs: f64,
}

/// Products of the fading sums at one row.
#[derive(Clone, Copy)]
struct Own {
    /// Squared length of the sum over the rows before.
    past: f64,
    /// Squared length of the sum over the rows from here on.
    ahead: f64,
    /// Their product.
    both: f64,
    /// Squared distance of a first row here from the level that all rows after it suggest.
    start: f64,
}

impl<'a> WalkCost<'a> {
    /// Expects a centred series.
    pub fn new(series: &'a Series, model: Model) -> Self {
        let (n, dim) = (series.len(), series.dim);
        let fading = Fading::new(model.q, n);
        let mut out = WalkCost {
            series,
            model,
            fading,
            sums: vec![0.0; (n + 1) * 2 * dim],
            before: Vec::with_capacity(n + 1),
            own: Vec::with_capacity(n + 1),
        };
        out.sum_up();
        out
    }

    fn sum_up(&mut self) {
        let (n, dim, keep) = (self.series.len(), self.series.dim, self.fading.keep);
        let width = 2 * dim;
        let mut y = vec![0.0; dim];
        let mut sum = Before { squares: 0.0, pairs: 0.0 };
        self.before.push(sum);
        for i in 0..n {
            self.innovation(i, &mut y);
            let (done, rest) = self.sums.split_at_mut((i + 1) * width);
            let past = &done[i * width..i * width + dim];
            let square = dot(&y, &y);
            sum.squares += square;
            sum.pairs += square + 2.0 * keep * dot(&y, past);
            self.before.push(sum);
            decay(&mut rest[..dim], past, keep, &y);
        }
        self.own.push(self.own(n));
        for i in (0..n).rev() {
            self.innovation(i, &mut y);
            let (before, after) = self.sums.split_at_mut((i + 1) * width);
            decay(&mut before[i * width + dim..], &after[dim..width], keep, &y);
            self.own.push(self.own(i));
        }
        self.own.reverse();
    }

    /// `y_i = x_i - phi x_{i-1}`. With memory the first row of all is only ever a start, and 0 here.
    fn innovation(&self, i: usize, y: &mut [f64]) {
        let (x, phi) = (self.series.row(i), self.model.phi);
        if phi == 0.0 {
            y.copy_from_slice(x);
        } else if i == 0 {
            y.fill(0.0);
        } else {
            decay(y, self.series.row(i - 1), -phi, x);
        }
    }

    fn own(&self, i: usize) -> Own {
        let (past, ahead) = self.row(i).split_at(self.series.dim);
        let start = if self.model.phi > 0.0 && i < self.series.len() {
            let (fixed, level) = (1.0 - self.model.phi, 1.0 - self.fading.keep);
            let after = &self.row(i + 1)[self.series.dim..];
            let pairs = self.series.row(i).iter().zip(after);
            pairs.map(|(x, b)| (fixed * x - level * b).powi(2)).sum()
        } else {
            0.0
        };
        Own { past: dot(past, past), ahead: dot(ahead, ahead), both: dot(past, ahead), start }
    }

    fn row(&self, i: usize) -> &[f64] {
        let width = 2 * self.series.dim;
        &self.sums[i * width..(i + 1) * width]
    }

    fn between(&self, a: usize, b: usize, left: f64) -> Between<'_> {
        Between { from: self.row(a), to: self.row(b), left }
    }

    /// The cost of rows `a..b` of the innovations, at any level.
    fn free(&self, a: usize, b: usize) -> f64 {
        let Fading { keep, gain, ref table } = self.fading;
        let n = b - a;
        // The reflected part, less what pairs with rows before `a` add to `pairs`.
        let reflected = match table.get(n) {
            // gain / (1 - keep^2n), by way of what stands in the table.
            Some(&(left, share)) => share / (1.0 + keep) * Arch::new().dispatch(self.between(a, b, left)),
            None => gain * (self.own[a].ahead + self.own[b].past - 2.0 * self.own[a].both),
        };
        let (from, to) = (self.before[a], self.before[b]);
        let pairs = to.pairs - from.pairs;
        (to.squares - from.squares - gain * pairs - keep * reflected).max(0.0)
    }

    /// What a first row `a` adds to the free cost of the `n > 0` innovations after it, up to `b`.
    fn start(&self, a: usize, b: usize) -> f64 {
        let Model { phi, q } = self.model;
        let (keep, n) = (self.fading.keep, b - a - 1);
        let first = (1.0 - phi) / (1.0 + phi);
        match self.fading.table.get(n) {
            Some(&(left, share)) => {
                let variance = share * (1.0 + left * left / keep);
                let rows = self.between(a + 1, b, left);
                let far = ToLevel { x: self.series.row(a), fixed: 1.0 - phi, rows, share };
                Arch::new().dispatch(far) / (first + q + variance)
            }
            None => self.own[a].start / (first + q + (1.0 - keep)),
        }
    }
}

/// Two rows of `WalkCost::sums`, and what is left of the first at the second.
struct Between<'a> {
    from: &'a [f64],
    to: &'a [f64],
    left: f64,
}

impl Between<'_> {
    /// Calls `f` for each dimension with a lane, the value of `x` and of what was there before,
    /// and the sums over the rows between that fade away from the first and from the last of them.
    #[inline(always)]
    fn each(&self, x: &[f64], mut f: impl FnMut(usize, f64, f64, f64, f64)) {
        let (p0, b0) = self.from.split_at(x.len());
        let (p1, b1) = self.to.split_at(x.len());
        let (x, p0, b0, p1, b1) = (chunks(x), chunks(p0), chunks(b0), chunks(p1), chunks(b1));
        let rows = p0.0.iter().zip(b0.0).zip(p1.0.iter().zip(b1.0));
        for (x, ((p0, b0), (p1, b1))) in x.0.iter().zip(rows) {
            for l in 0..LANES {
                f(l, x[l], p0[l], b0[l] - self.left * b1[l], p1[l] - self.left * p0[l]);
            }
        }
        let rows = p0.1.iter().zip(b0.1).zip(p1.1.iter().zip(b1.1));
        for (l, (x, ((p0, b0), (p1, b1)))) in x.1.iter().zip(rows).enumerate() {
            f(l, *x, *p0, b0 - self.left * b1, p1 - self.left * p0);
        }
    }
}

impl WithSimd for Between<'_> {
    type Output = f64;

    /// With the fading sums f and b over the rows, and p before them:
    /// `|f|^2 + |b|^2 + 2 left f.b - 2 (1 - left^2) b.p`.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let after = &self.to[..self.to.len() / 2];
        let twice = 2.0 * self.left;
        let mut acc = [0.0f64; LANES];
        self.each(
            after,
            #[inline(always)]
            |l, p1, p0, first, last| {
                acc[l] += last * last + first * ((first - 2.0 * p0) + twice * p1);
            },
        );
        acc.iter().sum()
    }
}

/// `|fixed x - level|^2`, the level before some rows as these suggest it.
struct ToLevel<'a> {
    x: &'a [f64],
    fixed: f64,
    rows: Between<'a>,
    share: f64,
}

impl WithSimd for ToLevel<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let ToLevel { x, fixed, ref rows, share } = self;
        let mut acc = [0.0f64; LANES];
        rows.each(
            x,
            #[inline(always)]
            |l, x, _, first, last| {
                let far = fixed * x - share * (first + rows.left * last);
                acc[l] += far * far;
            },
        );
        acc.iter().sum()
    }
}

impl SegmentCost for WalkCost<'_> {
    fn len(&self) -> usize {
        self.series.len()
    }

    fn cost(&self, a: usize, b: usize) -> f64 {
        if self.model.phi == 0.0 {
            self.free(a, b)
        } else if b - a < 2 {
            0.0
        } else {
            self.free(a + 1, b) + self.start(a, b)
        }
    }

    /// Rows `b..c` of a stretch that began before `b`: the best level for them alone.
    fn rest(&self, b: usize, c: usize) -> f64 {
        self.free(b, c)
    }

    /// With memory a stretch that begins at b also pays for its first row, which its own past
    /// predicted: by how much is not bounded.
    fn patience(&self) -> f64 {
        if self.model.phi > 0.0 { f64::INFINITY } else { 0.0 }
    }
}
