//! Would the points of a stretch in any other order show as large a change of mean?

use super::draws::{Draws, Tail};
use crate::analytics::changepoint::series::Series;
use crate::analytics::geometry::dot;
use crate::analytics::rng::Random;

/// The p-value of the largest gain of a split of `x` at `min..=n-min`, against its rows in random
/// order. Exact where rows are exchangeable, whatever their law. `None` where no split is possible.
pub(crate) fn p_value(x: &Series, min: usize, draws: Draws, random: &mut Random) -> Option<f64> {
    let n = x.len();
    if n < 2 * min.max(1) {
        return None;
    }
    let mut order: Vec<usize> = (0..n).collect();
    let splits = Splits::new(x, min.max(1));
    let seen = splits.largest(&order) * (1.0 - ROUNDING);
    let mut tail = Tail::new(draws);
    while !tail.is_settled() {
        random.shuffle(&mut order);
        tail.count(splits.largest(&order) >= seen);
    }
    Some(tail.p())
}

/// Orders that give the same split differ by rounding only.
const ROUNDING: f64 = 1e-9;

/// Gains of splits of a series in any order: from its rows, or from their inner products where
/// these are fewer.
enum Splits {
    Rows { x: Series, min: usize },
    Products { gram: Vec<f64>, n: usize, min: usize },
}

impl Splits {
    fn new(x: &Series, min: usize) -> Splits {
        let mut x = x.clone();
        x.centre();
        let n = x.len();
        if x.dim <= n / 2 {
            return Splits::Rows { x, min };
        }
        let mut gram = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let p = dot(x.row(i), x.row(j));
                (gram[i * n + j], gram[j * n + i]) = (p, p);
            }
        }
        Splits::Products { gram, n, min }
    }

    /// Largest `|sum of the first k|^2 n / (k (n - k))`.
    fn largest(&self, order: &[usize]) -> f64 {
        let n = order.len();
        let mut best = 0.0f64;
        let mut take = |k: usize, min: usize, square: f64| {
            if (min..=n - min).contains(&k) && k < n {
                best = best.max(square * n as f64 / (k * (n - k)) as f64);
            }
        };
        match self {
            Splits::Rows { x, min } => {
                let mut sum = vec![0.0; x.dim];
                for (k, &i) in (1..).zip(order) {
                    let mut square = 0.0;
                    for (s, v) in sum.iter_mut().zip(x.row(i)) {
                        *s += v;
                        square += *s * *s;
                    }
                    take(k, *min, square);
                }
            }
            Splits::Products { gram, n, min } => {
                let mut square = 0.0;
                for (k, &i) in order.iter().enumerate() {
                    let row = &gram[i * n..(i + 1) * n];
                    square += row[i] + 2.0 * order[..k].iter().map(|&j| row[j]).sum::<f64>();
                    take(k + 1, *min, square);
                }
            }
        }
        best
    }
}
