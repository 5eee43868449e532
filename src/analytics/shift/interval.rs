//! An interval for the distance of two true means.
//!
//! The squared distance of two noisy means is a quadratic form of nearly normal variables. Its law for
//! a true distance r follows from three cumulants by a power that makes it nearly normal (Jensen and
//! Solomon 1972); the interval holds every r under which the observed distance is not extreme.

use super::super::blocks::trace_of_square;
use super::super::student;
use super::parts::{Moments, Parts};
use std::ops::Range;

/// The lower and upper end, at `level`.
pub(super) fn distance(parts: &Parts, seen: &Moments, level: f64) -> (f64, f64) {
    let Some(law) = Law::of(parts, seen) else {
        return (seen.squared.sqrt(), seen.squared.sqrt());
    };
    let quantile = student::two_sided(level, law.freedom.max(1.0));
    let end = |score: f64| (law.solve(score) * seen.noise).sqrt();
    (end(quantile), end(-quantile))
}

/// The law of the squared distance, in units of the trace of the covariance of the difference.
struct Law {
    squared: f64,
    /// Trace of the square of that covariance.
    square: f64,
    /// Variance of the difference along itself.
    along: f64,
    freedom: f64,
}

impl Law {
    fn of(parts: &Parts, seen: &Moments) -> Option<Law> {
        let c = Contributions::of(parts);
        let trace = seen.noise;
        if trace <= 0.0 {
            return None;
        }
        let [a, b] = parts.own;
        let groups: Vec<Range<usize>> = match parts.both {
            0 => vec![0..a, a..a + b],
            both => std::iter::once(0..a + b + both).collect(),
        };
        let lost = if parts.both > 0 && a + b > 0 { 2 } else { 1 };
        let mut square = 0.0;
        let mut freedom = 0.0;
        let along_of = |group: Range<usize>| c.along[group].iter().map(|v| v * v).sum::<f64>();
        for (g, group) in groups.iter().enumerate() {
            let nu = group.len().saturating_sub(lost).max(1) as f64;
            let own: f64 = group.clone().map(|u| c.product(u, u)).sum();
            square += trace_of_square(own, c.squares(group, group), nu);
            square += groups[..g].iter().map(|other| 2.0 * c.squares(group, other)).sum::<f64>();
            freedom += along_of(group.clone()).powi(2) / nu;
        }
        let along: f64 = groups.iter().map(|g| along_of(g.clone())).sum();
        let freedom = if freedom > 0.0 { along * along / freedom } else { 1.0 };
        let along = if seen.squared > 0.0 { (along / seen.squared / trace).min(1.0) } else { 1.0 };
        let square = (square / trace / trace).max(1.0 / parts.rank()).min(1.0);
        Some(Law { squared: seen.squared / trace, square, along, freedom })
    }

    /// How many standard deviations the observed distance lies above its law for the true `r^2`.
    fn score(&self, r2: f64) -> f64 {
        let first = 1.0 + r2;
        let second = self.square + 2.0 * r2 * self.along;
        let third = self.square * self.square + 3.0 * r2 * self.along * self.along;
        let power = (1.0 - 2.0 * first * third / (3.0 * second * second)).max(0.05);
        let ratio = second / (first * first);
        let (mean, sd) = (1.0 + ratio * power * (power - 1.0), (2.0 * ratio).sqrt() * power);
        ((self.squared / first).powf(power) - mean) / sd
    }

    /// The `r^2` whose score is `wanted`, 0 when there is none: the score falls with r.
    fn solve(&self, wanted: f64) -> f64 {
        if self.score(0.0) <= wanted {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, self.squared.max(1.0));
        while self.score(high) > wanted && high < f64::MAX / 4.0 {
            high *= 2.0;
        }
        for _ in 0..64 {
            let middle = (low + high) / 2.0;
            if self.score(middle) > wanted { low = middle } else { high = middle }
        }
        low
    }
}

/// What each unit adds to the noise: vectors whose squares sum to it, by their inner products.
struct Contributions {
    n: usize,
    products: Vec<f64>,
    /// Their inner products with the difference of the means.
    along: Vec<f64>,
}

impl Contributions {
    fn of(parts: &Parts) -> Contributions {
        let n = parts.len();
        let mut inside = vec![false; n];
        parts.first().iter().for_each(|&i| inside[i] = true);
        let mut period = [Period::default(), Period::default()];
        for i in 0..n {
            let p = &mut period[usize::from(!inside[i])];
            p.weight += parts.weight(i);
            p.squares += parts.weight(i).powi(2);
        }
        let side = |i: usize| usize::from(!inside[i]);
        let factor = |i: usize| {
            let p = &period[side(i)];
            let root = 1.0 / (p.weight * p.weight - p.squares).sqrt();
            if inside[i] { root } else { -root }
        };
        // with[i][k]: part i times the mean of period k.
        let mut with = vec![[0.0; 2]; n];
        let mut means = [[0.0; 2]; 2];
        for i in 0..n {
            for j in 0..n {
                with[i][side(j)] += parts.product(i, j) / period[side(j)].weight;
            }
            for k in 0..2 {
                means[side(i)][k] += with[i][k] / period[side(i)].weight;
            }
        }
        let units = parts.own[0] + parts.own[1] + parts.both;
        let members = |u: usize| -> Vec<usize> {
            match u.checked_sub(parts.own[0] + parts.own[1]) {
                Some(k) => vec![parts.pair(k).0, parts.pair(k).1],
                None => vec![u],
            }
        };
        let members: Vec<Vec<usize>> = (0..units).map(members).collect();
        let product = |i: usize, j: usize| {
            let (wi, wj, si, sj) = (parts.weight(i), parts.weight(j), side(i), side(j));
            let centred = parts.product(i, j) - wj * with[i][sj] - wi * with[j][si] + wi * wj * means[si][sj];
            factor(i) * factor(j) * centred
        };
        let along = |i: usize| {
            let to = |k: usize| with[i][k] - parts.weight(i) * means[side(i)][k];
            factor(i) * (to(0) - to(1))
        };
        let mut products = vec![0.0; units * units];
        for u in 0..units {
            for v in 0..=u {
                let sum: f64 =
                    members[u].iter().flat_map(|&i| members[v].iter().map(move |&j| product(i, j))).sum();
                products[u * units + v] = sum;
                products[v * units + u] = sum;
            }
        }
        let along = members.iter().map(|m| m.iter().map(|&i| along(i)).sum()).collect();
        Contributions { n: units, products, along }
    }

    fn product(&self, u: usize, v: usize) -> f64 {
        self.products[u * self.n + v]
    }

    /// The squares of all inner products between two groups.
    fn squares(&self, a: &Range<usize>, b: &Range<usize>) -> f64 {
        a.clone().map(|u| b.clone().map(|v| self.product(u, v).powi(2)).sum::<f64>()).sum()
    }
}

#[derive(Default)]
struct Period {
    weight: f64,
    squares: f64,
}
