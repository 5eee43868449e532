//! Units of two periods, and the moments of their means for any labelling.

use super::super::blocks::Layout;
use super::super::geometry::dot;
use super::super::gram::gram;
use super::side::Side;
use std::collections::BTreeMap;
use std::ops::Range;

/// Blocks of one period at most; of more, evenly spaced ones are used.
const MAX_BLOCKS: usize = 512;
/// Clusters of one kind (one period, the other, both) at most; of more, neighbours become one.
const MAX_CLUSTERS: usize = 256;

/// What units add to the two sums. Parts of the smaller period's own units come first, then those of
/// the other's own, then of the units that lie in both: their parts in the first, then in the second.
pub(super) struct Parts {
    /// Inner products of the parts' sums, n x n.
    gram: Vec<f64>,
    /// Points of each part.
    weight: Vec<f64>,
    /// Own units of the first period, of the second, and units that lie in both.
    pub own: [usize; 2],
    pub both: usize,
    /// True when the first period here is the later one.
    swapped: bool,
    /// Of each part, with all parts together: `sum_i s_v . s_i`, and weighted.
    row: Vec<f64>,
    weighted_row: Vec<f64>,
    totals: Totals,
    /// For the corrected cosine: sums of each period's parts.
    sums: [Vec<f64>; 2],
}

/// Sums over all parts.
#[derive(Default)]
struct Totals {
    gram: f64,
    weighted: f64,
    weighted_diagonal: f64,
    diagonal: f64,
    weight: f64,
    weight_squares: f64,
}

/// Moments of a labelling.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    /// Squared distance of the means.
    pub squared: f64,
    /// What noise adds to it in the mean.
    pub noise: f64,
}

/// One part before it is stored.
struct Part {
    sum: Vec<f64>,
    weight: f64,
}

impl Parts {
    /// Blocks of consecutive points.
    pub fn of_blocks(sides: &[Side; 2], layout: Layout) -> Parts {
        let of = |side: &Side| -> Vec<Part> {
            let blocks = layout.blocks(side.len());
            let n = blocks.len();
            let chosen = (0..n.min(MAX_BLOCKS))
                .map(|k| if n > MAX_BLOCKS { k * (n - 1) / (MAX_BLOCKS - 1) } else { k });
            chosen.map(|k| side.sum(blocks[k].clone())).collect()
        };
        Parts::new(sides, [of(&sides[0]), of(&sides[1])], [Vec::new(), Vec::new()])
    }

    /// Points with the same number are one unit.
    pub fn of_clusters(sides: &[Side; 2], clusters: [&[u32]; 2]) -> Parts {
        let mut found: BTreeMap<u32, [Option<Part>; 2]> = BTreeMap::new();
        let mut order: Vec<u32> = Vec::new();
        for (k, (side, numbers)) in sides.iter().zip(clusters).enumerate() {
            for (i, &number) in numbers.iter().enumerate() {
                let slot = found.entry(number).or_insert_with(|| {
                    order.push(number);
                    [None, None]
                });
                let point = side.sum(i..i + 1);
                match &mut slot[k] {
                    Some(part) => part.add(&point),
                    empty => *empty = Some(point),
                }
            }
        }
        let (mut own, mut both) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for number in order {
            match found.remove(&number) {
                Some([Some(a), Some(b)]) => {
                    both[0].push(a);
                    both[1].push(b);
                }
                Some([Some(a), None]) => own[0].push(a),
                Some([None, Some(b)]) => own[1].push(b),
                _ => {}
            }
        }
        Parts::new(sides, own.map(merged), both.map(merged))
    }

    fn new(sides: &[Side; 2], own: [Vec<Part>; 2], both: [Vec<Part>; 2]) -> Parts {
        let swapped = own[1].len() < own[0].len();
        let ordered = |[a, b]: [Vec<Part>; 2]| if swapped { [b, a] } else { [a, b] };
        let (mut own, mut both) = (ordered(own), ordered(both));
        let (first, second) = if swapped { (&sides[1], &sides[0]) } else { (&sides[0], &sides[1]) };
        // Sums are of residuals: put the periods' distance back, half on either side.
        let half: Vec<f64> = first.mean.iter().zip(&second.mean).map(|(a, b)| (a - b) / 2.0).collect();
        for (k, sign) in [(0, 1.0), (1, -1.0)] {
            for part in own[k].iter_mut().chain(&mut both[k]) {
                part.sum.iter_mut().zip(&half).for_each(|(s, h)| *s += sign * part.weight * h);
            }
        }
        let (counts, shared) = ([own[0].len(), own[1].len()], both[0].len());
        let dim = half.len();
        let sum_of = |parts: [&Vec<Part>; 2]| {
            let mut sum = vec![0.0; dim];
            for part in parts.into_iter().flatten() {
                sum.iter_mut().zip(&part.sum).for_each(|(s, v)| *s += v);
            }
            sum
        };
        let sums = [sum_of([&own[0], &both[0]]), sum_of([&own[1], &both[1]])];
        let [own_a, own_b] = own;
        let [both_a, both_b] = both;
        let all: Vec<Part> = own_a.into_iter().chain(own_b).chain(both_a).chain(both_b).collect();
        let rows: Vec<f64> = all.iter().flat_map(|p| p.sum.iter().copied()).collect();
        let weight: Vec<f64> = all.iter().map(|p| p.weight).collect();
        Parts::with_totals(gram(&rows, dim), weight, counts, shared, swapped, sums)
    }

    fn with_totals(
        gram: Vec<f64>,
        weight: Vec<f64>,
        own: [usize; 2],
        both: usize,
        swapped: bool,
        sums: [Vec<f64>; 2],
    ) -> Parts {
        let n = weight.len();
        let mut parts = Parts {
            gram,
            weight,
            own,
            both,
            swapped,
            row: vec![0.0; n],
            weighted_row: vec![0.0; n],
            totals: Totals::default(),
            sums,
        };
        for i in 0..n {
            let (products, w) = (&parts.gram[i * n..(i + 1) * n], parts.weight[i]);
            parts.row[i] = products.iter().sum();
            parts.weighted_row[i] = dot(products, &parts.weight);
            let t = &mut parts.totals;
            t.gram += parts.row[i];
            t.weighted += w * parts.row[i];
            t.diagonal += products[i];
            t.weight += w;
            t.weight_squares += w * w;
            t.weighted_diagonal += w * products[i];
        }
        parts
    }

    /// Number of parts.
    pub fn len(&self) -> usize {
        self.weight.len()
    }

    /// Units that have points in the earlier period, and in the later.
    pub fn units(&self) -> (usize, usize) {
        let (a, b) = (self.own[0] + self.both, self.own[1] + self.both);
        if self.swapped { (b, a) } else { (a, b) }
    }

    /// Dimensions: the most that the covariance of the means can have.
    pub fn rank(&self) -> f64 {
        self.sums[0].len() as f64
    }

    /// The inner product of two parts.
    pub fn product(&self, i: usize, j: usize) -> f64 {
        self.gram[i * self.len() + j]
    }

    /// Points of a part.
    pub fn weight(&self, i: usize) -> f64 {
        self.weight[i]
    }

    /// The two parts of the `k`-th unit that lies in both periods.
    pub fn pair(&self, k: usize) -> (usize, usize) {
        let first = self.own[0] + self.own[1] + k;
        (first, first + self.both)
    }

    /// The parts of the first period as they were observed.
    pub fn first(&self) -> Vec<usize> {
        (0..self.own[0]).chain((0..self.both).map(|k| self.pair(k).0)).collect()
    }

    /// Moments as they were observed.
    pub fn observed(&self) -> Moments {
        let pairs: Vec<(usize, usize)> = (0..self.both).map(|k| self.pair(k)).collect();
        self.moments(&self.first(), &pairs)
    }

    /// Moments when the parts `inside` make the first period and all others the second; `pairs` holds
    /// the two parts of each unit in both, the one inside first. O(inside (inside + pairs)).
    pub fn moments(&self, inside: &[usize], pairs: &[(usize, usize)]) -> Moments {
        let n = self.len();
        let with_inside = |i: usize| -> f64 {
            let row = &self.gram[i * n..(i + 1) * n];
            inside.iter().map(|&v| row[v]).sum()
        };
        let (mut w, mut w2, mut own, mut weighted, mut diagonal) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let (mut rows, mut weighted_rows, mut w_rows) = (0.0, 0.0, 0.0);
        for &i in inside {
            let (h, weight) = (with_inside(i), self.weight[i]);
            w += weight;
            w2 += weight * weight;
            own += h;
            weighted += weight * h;
            diagonal += self.gram[i * n + i];
            rows += self.row[i];
            weighted_rows += self.weighted_row[i];
            w_rows += weight * self.row[i];
        }
        let t = &self.totals;
        let cross = rows - own;
        let a = Sums { w, w2, own, weighted, diagonal };
        let b = Sums {
            w: t.weight - w,
            w2: t.weight_squares - w2,
            own: t.gram - 2.0 * rows + own,
            weighted: (t.weighted - w_rows) - (weighted_rows - weighted),
            diagonal: t.diagonal - diagonal,
        };
        let squared = a.own / (a.w * a.w) + b.own / (b.w * b.w) - 2.0 * cross / (a.w * b.w);
        let mut noise = a.noise() + b.noise();
        if !pairs.is_empty() {
            let shared = pairs.iter().map(|&(i, j)| {
                let (wi, wj) = (self.weight[i], self.weight[j]);
                let with_b = self.row[i] - with_inside(i);
                self.gram[i * n + j] - wj * with_b / b.w - wi * with_inside(j) / a.w
                    + wi * wj * cross / (a.w * b.w)
            });
            noise -= 2.0 * (a.factor() * b.factor()).sqrt() * shared.sum::<f64>();
        }
        Moments { squared: squared.max(0.0), noise: noise.max(0.0) }
    }

    /// The cosine distance of the true means; `None` when the squared length of either is not above
    /// its noise.
    pub fn cosine(&self, sides: &[Side; 2]) -> Option<f64> {
        let centre: Vec<f64> = sides[0].mean.iter().zip(&sides[1].mean).map(|(a, b)| (a + b) / 2.0).collect();
        let first = self.first();
        let inside: Vec<bool> = {
            let mut inside = vec![false; self.len()];
            first.iter().for_each(|&i| inside[i] = true);
            inside
        };
        let mean = |k: usize| -> (Vec<f64>, f64) {
            let of: Vec<usize> = (0..self.len()).filter(|&i| inside[i] == (k == 0)).collect();
            let w: f64 = of.iter().map(|&i| self.weight[i]).sum();
            let mean = self.sums[k].iter().zip(&centre).map(|(s, c)| s / w + c).collect();
            (mean, self.noise_of(&of))
        };
        let ((a, noise_a), (b, noise_b)) = (mean(0), mean(1));
        let (length_a, length_b) = (dot(&a, &a) - noise_a, dot(&b, &b) - noise_b);
        if length_a <= noise_a || length_b <= noise_b {
            return None;
        }
        // 1 - cos as half the chord of the unit vectors, less the noise in it, keeps its digits.
        let (la, lb) = (length_a.sqrt(), length_b.sqrt());
        let chord: f64 = a.iter().zip(&b).map(|(x, y)| (x / la - y / lb).powi(2)).sum();
        Some((chord - noise_a / length_a - noise_b / length_b) / 2.0)
    }

    /// The noise of the mean of some parts.
    fn noise_of(&self, parts: &[usize]) -> f64 {
        let mut sums = Sums::default();
        for &i in parts {
            let (h, w): (f64, f64) = (parts.iter().map(|&v| self.product(i, v)).sum(), self.weight[i]);
            sums.w += w;
            sums.w2 += w * w;
            sums.own += h;
            sums.weighted += w * h;
            sums.diagonal += self.product(i, i);
        }
        sums.noise().max(0.0)
    }
}

/// Sums over the parts of one period.
#[derive(Default)]
struct Sums {
    w: f64,
    w2: f64,
    own: f64,
    weighted: f64,
    diagonal: f64,
}

impl Sums {
    /// `1 / (w^2 - sum w_u^2)`: unbiased for independent points in units of any sizes.
    fn factor(&self) -> f64 {
        1.0 / (self.w * self.w - self.w2)
    }

    /// `sum_u |s_u - w_u m|^2` times that.
    fn noise(&self) -> f64 {
        let squares = self.diagonal - 2.0 * self.weighted / self.w + self.own * self.w2 / (self.w * self.w);
        squares * self.factor()
    }
}

impl Part {
    fn add(&mut self, other: &Part) {
        self.sum.iter_mut().zip(&other.sum).for_each(|(s, v)| *s += v);
        self.weight += other.weight;
    }
}

impl Side {
    fn sum(&self, points: Range<usize>) -> Part {
        let mut sum = vec![0.0; self.dim];
        let weight = points.len() as f64;
        for row in self.rows[points.start * self.dim..points.end * self.dim].chunks_exact(self.dim) {
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
        Part { sum, weight }
    }
}

/// Neighbours added up, until there are few enough.
fn merged(parts: Vec<Part>) -> Vec<Part> {
    let step = parts.len().div_ceil(MAX_CLUSTERS).max(1);
    let mut out: Vec<Part> = Vec::new();
    for (i, part) in parts.into_iter().enumerate() {
        match out.last_mut().filter(|_| i % step != 0) {
            Some(last) => last.add(&part),
            None => out.push(part),
        }
    }
    out
}
