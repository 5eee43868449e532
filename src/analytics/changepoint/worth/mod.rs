//! What a change is worth: the interval of its date, and a p-value against each null that its
//! reader may hold.

pub(crate) mod best;
mod draws;
mod interval;
mod order;
pub(crate) mod outlier;
mod season;
mod wander;

use super::cost::MeanCost;
use super::noise::Shape;
use super::params::{FEW_DIMENSIONS, PROJECT_ABOVE, PROJECTED};
use super::series::Series;
use crate::analytics::rng::Random;
use best::Split;
use draws::Draws;
use std::borrow::Cow;

/// Probability that the interval of the date holds it.
const LEVEL: f64 = 0.9;
/// Longer stretches are averaged over blocks of neighbouring rows before they are permuted.
const MAX_ROWS: usize = 512;
/// And these before a wandering level is fitted, which takes more time.
const MAX_WANDER_ROWS: usize = 256;
/// Random directions in which a wandering level is fitted.
const MAX_DIRECTIONS: usize = 32;
/// Names the random draws.
const SEED: u64 = 0;

/// What a split of a stretch is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Worth {
    /// First and last row at which the new stretch may begin, with a probability of 90 %.
    pub low: usize,
    pub high: usize,
    pub p_any_order: Option<f64>,
    pub p_wander: Option<f64>,
}

/// Judges splits of one series.
pub(crate) struct Bench<'a> {
    /// In coordinates in which distances mean the same along every direction, in few dimensions; in
    /// few directions where it is long.
    series: Cow<'a, Series>,
    /// As it was given.
    given: &'a Series,
    d_eff: f64,
    draws: Draws,
    entity: u64,
}

impl<'a> Bench<'a> {
    /// For a centred series that is not constant; `draws` is the largest number a p-value takes, and
    /// 0 leaves them out.
    pub fn new(series: &'a Series, draws: usize, entity: u64) -> Bench<'a> {
        let given = series;
        let few = series.dim <= FEW_DIMENSIONS;
        let series = if few {
            Cow::Owned(series.whitened())
        } else if series.len() > PROJECT_ABOVE && series.dim > PROJECTED {
            Cow::Owned(series.project(PROJECTED))
        } else {
            Cow::Borrowed(series)
        };
        let dim = series.dim as f64;
        let d_eff = if few { dim } else { Shape::of(&series).map_or(dim, |s| s.d_eff) };
        Bench { series, given, d_eff, draws: Draws(draws), entity }
    }

    /// Up to `count` best splits, in their order in time.
    pub fn best(&self, min: usize, count: usize) -> Vec<Split> {
        let mut series = self.series.clone().into_owned();
        series.centre();
        best::splits(&MeanCost::new(&series), min, count)
    }

    /// What a split is worth, where stretches have at least `min` rows. P-values of one of several
    /// stretches that could be split are multiplied by their number (Bonferroni).
    pub fn worth(&self, split: Split, min: usize, line: bool) -> Worth {
        let Split { start, at, end, choices } = split;
        let stretch = self.series.part(start..end);
        let (low, high) = interval::splits(&stretch, at - start, min.max(1), line, self.d_eff, LEVEL);
        let corrected = |p: f64| (p * choices as f64).min(1.0);
        let mut out = Worth { low: low + start, high: high + start, p_any_order: None, p_wander: None };
        if self.draws.0 > 0 {
            let mut random = Random::new(SEED, "worth of a change", self.entity ^ (at as u64) << 32);
            // The noise that neighbours show depends on the order, which this test changes: in few dimensions rows are
            // scaled by what all of them show.
            let (rows, block) = match self.given.dim <= FEW_DIMENSIONS {
                true => {
                    let (rows, block) = averaged(&self.given.part(start..end), MAX_ROWS);
                    (rows.standardised(), block)
                }
                false => averaged(&stretch, MAX_ROWS),
            };
            let least = min.div_ceil(block).max(1);
            out.p_any_order = order::p_value(&rows, least, self.draws, &mut random).map(corrected);
            let (rows, block) = averaged(&stretch, MAX_WANDER_ROWS);
            let rows = if rows.dim > MAX_DIRECTIONS { rows.project(MAX_DIRECTIONS) } else { rows };
            let least = min.div_ceil(block).max(1);
            out.p_wander = wander::p_value(&rows, least, self.draws, &mut random).map(corrected);
        }
        out
    }
}

/// Means of blocks of equally many neighbouring rows, at most `limit` of them, and rows a block; rows
/// that fill no block are left out. Blocks of exchangeable rows are exchangeable.
fn averaged(x: &Series, limit: usize) -> (Series, usize) {
    let block = x.len().div_ceil(limit);
    if block <= 1 {
        return (x.clone(), 1);
    }
    let means = (0..x.len() / block).flat_map(|i| x.mean(i * block, (i + 1) * block)).collect();
    (Series::new(means, x.dim), block)
}

#[cfg(test)]
mod tests;
