//! The search from inner products alone: the plain dynamic programme, each cost in O(1).
//!
//! Row by row all stretches that end there grow by it. What a stretch must know of the new row
//! are sums of its inner products with the rows before, which one pass over a row of the Gram
//! matrix gives for every stretch at once. So the search takes O(n^2) whatever the dimension and
//! prunes nothing; the matrix is formed once for all models.

use super::local_level::{Model, Schedule};
use super::pelt::Segmentation;
use crate::analytics::gram::Gram;
use pulp::{Arch, Simd, WithSimd};

/// Stretches that grow by a row at a time.
trait Growing {
    /// Takes in row `i`.
    fn grow(&mut self, i: usize);
    /// The costs of the stretches from rows `0, 1, ..` to the row taken in last.
    fn costs(&self) -> &[f64];
}

/// The best segmentation into levels that move as `model` says.
pub(crate) fn levels(gram: &Gram, model: Model, penalty: f64, min_segment: usize) -> Segmentation {
    search(&mut Levels::new(gram, model), gram.len(), penalty, min_segment)
}

/// The best segmentation into straight lines.
pub(crate) fn lines(gram: &Gram, penalty: f64, min_segment: usize) -> Segmentation {
    search(&mut Lines::new(gram), gram.len(), penalty, min_segment)
}

fn search(stretches: &mut impl Growing, n: usize, penalty: f64, min_segment: usize) -> Segmentation {
    let min_segment = min_segment.max(1);
    let (mut f, mut last) = (vec![f64::INFINITY; n + 1], vec![0; n + 1]);
    f[0] = -penalty;
    for t in 1..=n {
        stretches.grow(t - 1);
        let starts = if t < min_segment { 0 } else { t + 1 - min_segment };
        let mut best = f64::INFINITY;
        for (s, (before, cost)) in f[..starts].iter().zip(stretches.costs()).enumerate() {
            if before + cost < best {
                (best, last[t]) = (before + cost, s);
            }
        }
        f[t] = best + penalty;
    }
    Segmentation::trace(&f, &last)
}

/// What does not depend on the series: the weights of a filter by its age, the oldest first.
struct Weights {
    /// Share of a row that is left one row later.
    keep: f64,
    /// Shares of a row that are left after so many rows.
    left: Vec<f64>,
    /// Of the sum that fades away from the first of them, in the level.
    first: Vec<f64>,
    /// Of the sum that fades away from the last.
    last: Vec<f64>,
    /// Of the first row.
    own: Vec<f64>,
    /// The filter's gain.
    gain: Vec<f64>,
    /// One over the variance factor of what it errs.
    trust: Vec<f64>,
}

impl Weights {
    /// For stretches of up to `n` rows. The level after a first row of variance `(1 - phi) / (1 +
    /// phi)` and k more: what the k suggest (`walk`), drawn to the first row.
    fn new(model: Model, n: usize) -> Self {
        let Model { phi, q } = model;
        let schedule = Schedule::new(model, n + 1);
        let angle = 2.0 * (q.sqrt() / 2.0).asinh();
        let keep = (-angle).exp();
        let (mut left, mut first, mut last, mut own) = (vec![1.0], vec![0.0], vec![0.0], vec![1.0]);
        for k in 1..n {
            let far = angle * k as f64;
            let faded = (-far).exp();
            let share = if q > 0.0 { (-angle).exp_m1() / (-2.0 * far).exp_m1() } else { 0.5 / k as f64 };
            let variance = share * (1.0 + faded * faded / keep);
            let spread = (1.0 - phi) / (1.0 + phi) + q + variance;
            let pull = share * (faded / keep) * (1.0 + keep) / spread;
            left.push(faded);
            first.push(share * (faded - pull));
            last.push(share * (1.0 - pull * faded));
            own.push(pull);
        }
        let oldest_first = |mut v: Vec<f64>| {
            v.reverse();
            v
        };
        Weights {
            keep,
            left: oldest_first(left),
            first: oldest_first(first),
            last: oldest_first(last),
            own: oldest_first(own),
            gain: oldest_first(schedule.gain[1..].to_vec()),
            trust: oldest_first(schedule.factor[1..].iter().map(|f| 1.0 / f).collect()),
        }
    }
}

/// A filter a stretch.
struct Levels<'a> {
    gram: &'a Gram,
    phi: f64,
    weights: Weights,
    costs: Vec<f64>,
    /// Squared lengths of the levels.
    lengths: Vec<f64>,
    /// Of the new row with the rows before, their innovations, and the levels.
    with_rows: Vec<f64>,
    with_innovations: Vec<f64>,
    with_levels: Vec<f64>,
}

impl<'a> Levels<'a> {
    fn new(gram: &'a Gram, model: Model) -> Self {
        let n = gram.len();
        let empty = || Vec::with_capacity(n);
        Levels {
            gram,
            phi: model.phi,
            weights: Weights::new(model, n),
            costs: empty(),
            lengths: empty(),
            with_rows: empty(),
            with_innovations: empty(),
            with_levels: vec![0.0; n],
        }
    }

    /// Products of the innovation of row `i` with all rows and innovations before; its square.
    fn multiply(&mut self, i: usize) -> f64 {
        let (now, before, phi) = (self.gram.row(i), self.gram.row(i - 1), self.phi);
        self.with_rows.clear();
        self.with_innovations.clear();
        self.with_rows.extend(now.iter().zip(before).map(|(a, b)| a - phi * b));
        // The first row of all has no innovation; it is only ever a start.
        self.with_innovations.push(self.with_rows[0]);
        let pairs = self.with_rows.windows(2).map(|w| w[1] - phi * w[0]);
        self.with_innovations.extend(pairs);
        now[i] - phi * now[i - 1] - phi * self.with_rows[i - 1]
    }

    /// Products of the new innovation with the levels that every stretch expects of it.
    fn expect(&mut self, i: usize) {
        let w = &self.weights;
        let ages = w.own.len() - i..;
        let (mut first, mut last) = (0.0, 0.0);
        let fixed = 1.0 - self.phi;
        let rows = self.with_rows.iter().zip(&self.with_innovations[..i]);
        let weights = w.first[ages.clone()].iter().zip(&w.last[ages.clone()]);
        let weights = weights.zip(w.own[ages.clone()].iter().zip(&w.left[ages]));
        let all = self.with_levels[..i].iter_mut().zip(rows.zip(weights));
        for (out, ((x, y), ((in_first, in_last), (in_own, left)))) in all.rev() {
            *out = in_first * first + in_last * last + in_own * fixed * x;
            last += left * y;
            first = y + w.keep * first;
        }
    }

    /// Moves every level towards the new innovation, whose squared length is given.
    fn update(&mut self, i: usize, square: f64) {
        let ages = self.weights.gain.len() - i..;
        let (gain, trust) = (&self.weights.gain[ages.clone()], &self.weights.trust[ages]);
        let (costs, lengths, products) = (&mut self.costs, &mut self.lengths, &self.with_levels[..i]);
        Arch::new().dispatch(Update { square, gain, trust, costs, lengths, products });
    }
}

/// One step of many filters.
struct Update<'a> {
    square: f64,
    gain: &'a [f64],
    trust: &'a [f64],
    costs: &'a mut [f64],
    lengths: &'a mut [f64],
    products: &'a [f64],
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let state = self.costs.iter_mut().zip(self.lengths).zip(self.products);
        for (((cost, length), product), (gain, trust)) in state.zip(self.gain.iter().zip(self.trust)) {
            let error = self.square - 2.0 * product + *length;
            *cost += if error > 0.0 { error * trust } else { 0.0 };
            let stay = 1.0 - gain;
            *length = stay * stay * *length + gain * (2.0 * stay * product + gain * self.square);
        }
    }
}

impl Growing for Levels<'_> {
    fn grow(&mut self, i: usize) {
        if i > 0 {
            let square = self.multiply(i);
            self.expect(i);
            self.update(i, square);
        }
        self.costs.push(0.0);
        self.lengths.push((1.0 - self.phi).powi(2) * self.gram.row(i)[i]);
    }

    fn costs(&self) -> &[f64] {
        &self.costs
    }
}

/// Sums over one stretch of rows x at places k = 0, 1, ..
#[derive(Clone, Copy, Default)]
struct Line {
    /// `sum |x|^2`.
    squares: f64,
    /// `|sum x|^2`.
    sum: f64,
    /// `(sum x) . (sum k x)`.
    both: f64,
    /// `|sum k x|^2`.
    moment: f64,
}

struct Lines<'a> {
    gram: &'a Gram,
    lines: Vec<Line>,
    costs: Vec<f64>,
}

impl<'a> Lines<'a> {
    fn new(gram: &'a Gram) -> Self {
        Lines { gram, lines: Vec::with_capacity(gram.len()), costs: Vec::with_capacity(gram.len()) }
    }
}

impl Growing for Lines<'_> {
    fn grow(&mut self, i: usize) {
        let row = self.gram.row(i);
        let square = row[i];
        let (mut sum, mut moment) = (0.0, 0.0);
        for (s, line) in self.lines.iter_mut().enumerate().rev() {
            // Each row of the stretch moves one place further from its start.
            moment += sum;
            sum += row[s];
            let k = (i - s) as f64;
            line.moment += k * (2.0 * moment + k * square);
            line.both += k * sum + moment + k * square;
            line.sum += 2.0 * sum + square;
            line.squares += square;
            let (n, middle) = (k + 1.0, k / 2.0);
            let slope = line.moment - middle * (2.0 * line.both - middle * line.sum);
            let explained = line.sum / n + slope / (n * (n * n - 1.0) / 12.0);
            self.costs[s] = (line.squares - explained).max(0.0);
        }
        self.lines.push(Line { squares: square, sum: square, ..Line::default() });
        self.costs.push(0.0);
    }

    fn costs(&self) -> &[f64] {
        &self.costs
    }
}
