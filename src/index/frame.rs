//! Finding a part's frame: its centre, its radius, and the few rows that lie far outside.
//!
//! One row that is a thousand times as long as the others would, as the largest norm or the radius, leave all others
//! in one point. Such rows get no place: every search compares them exactly.

use super::input::Input;
use super::space::{Frame, coordinates};
use crate::error::Result;
use crate::metric::Metric;
use crate::simd::wide;
use rayon::prelude::*;

/// Rows read at a time.
const STRIP: usize = 1024;
/// Rows that the centre is taken from.
const SAMPLE: usize = 4096;
/// Of these, those whose medians say where most rows lie.
const MEDIANS: usize = 513;
/// A row this many times further out than the `n / 1024`-th furthest is an outlier.
const OUTSIDE: f64 = 8.0;
/// Outliers at most: each costs every search an exact distance.
const MOST: usize = 64;

/// The frame of `input`'s rows, and the rows that lie outside of it.
pub fn find(input: &dyn Input, metric: Metric) -> Result<(Frame, Vec<u32>)> {
    let mut frame = Frame { max_norm: 1.0, centre: vec![0.0; coordinates(metric, input.dim())], radius: 1.0 };
    let mut outliers = Vec::new();
    if metric == Metric::Dot {
        let norms = each(input, wide::norm)?;
        (frame.max_norm, outliers) = cut(&norms);
        if frame.max_norm == 0.0 {
            frame.max_norm = 1.0;
        }
    }
    let sample = sample(input, metric, &frame)?;
    frame.centre = centre(&sample, frame.centre.len());
    let radius = match metric {
        Metric::L2 => {
            let lengths = each(input, |x| {
                x.iter().zip(&frame.centre).map(|(x, c)| (f64::from(*x) - c).powi(2)).sum::<f64>().sqrt()
            })?;
            let (radius, outside) = cut(&lengths);
            outliers = outside;
            radius
        }
        _ => sample.iter().map(|x| apart(x, &frame.centre)).fold(0.0, f64::max),
    };
    if radius > 0.0 && radius.is_finite() {
        frame.radius = radius;
    }
    Ok((frame, outliers))
}

/// A number of each row.
fn each(input: &dyn Input, of: impl Fn(&[f32]) -> f64 + Sync) -> Result<Vec<f64>> {
    let mut buffer = Vec::new();
    let mut out = Vec::with_capacity(input.rows());
    for start in (0..input.rows()).step_by(STRIP) {
        let x = input.vectors(start..(start + STRIP).min(input.rows()), &mut buffer)?;
        out.par_extend(x.par_chunks(input.dim()).map(&of));
    }
    Ok(out)
}

/// The largest length but for a few that lie far beyond, and the rows of these.
fn cut(lengths: &[f64]) -> (f64, Vec<u32>) {
    let largest = lengths.iter().copied().fold(0.0, f64::max);
    let few = (lengths.len() / 1024).clamp(1, MOST);
    if lengths.len() <= 64 {
        return (largest, Vec::new());
    }
    let mut sorted = lengths.to_vec();
    let (_, usual, _) = sorted.select_nth_unstable_by(few, |a, b| b.total_cmp(a));
    let limit = OUTSIDE * *usual;
    if largest <= limit {
        return (largest, Vec::new());
    }
    let outside = (0..lengths.len() as u32).filter(|row| lengths[*row as usize] > limit).collect();
    (lengths.iter().copied().filter(|l| *l <= limit).fold(0.0, f64::max), outside)
}

/// Places of rows spread over the part.
fn sample(input: &dyn Input, metric: Metric, frame: &Frame) -> Result<Vec<Vec<f64>>> {
    let (n, mut buffer, mut out) = (input.rows(), Vec::new(), Vec::new());
    let count = n.min(SAMPLE);
    for i in 0..count {
        let row = i * n / count;
        let mut place = Vec::new();
        if frame.lift(metric, input.vectors(row..row + 1, &mut buffer)?, &mut place) {
            out.push(place);
        }
    }
    Ok(out)
}

/// The mean of the places that do not lie far from most.
fn centre(places: &[Vec<f64>], coordinates: usize) -> Vec<f64> {
    if places.is_empty() {
        return vec![0.0; coordinates];
    }
    let few: Vec<&Vec<f64>> = places.iter().step_by(places.len().div_ceil(MEDIANS)).collect();
    let medians: Vec<f64> =
        (0..coordinates).into_par_iter().map(|i| median(few.iter().map(|x| x[i]).collect())).collect();
    let lengths: Vec<f64> = places.iter().map(|x| apart(x, &medians)).collect();
    let usual = 4.0 * median(lengths.clone());
    let near: Vec<&Vec<f64>> =
        places.iter().zip(&lengths).filter(|(_, l)| **l <= usual).map(|(x, _)| x).collect();
    (0..coordinates).into_par_iter().map(|i| near.iter().map(|x| x[i] / near.len() as f64).sum()).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_that_lie_far_beyond_are_cut_off() {
        let mut lengths: Vec<f64> = (0..5000).map(|i| 1.0 + f64::from(i % 7)).collect();
        assert_eq!(cut(&lengths), (7.0, vec![]));
        (lengths[17], lengths[3000]) = (1000.0, 60.0);
        assert_eq!(cut(&lengths), (7.0, vec![17, 3000]));
        // More than a few are no outliers.
        lengths[..100].fill(1000.0);
        assert_eq!(cut(&lengths), (1000.0, vec![]));
        assert_eq!(cut(&[0.0; 100]), (0.0, vec![]));
        assert_eq!(cut(&[]), (0.0, vec![]));
    }

    #[test]
    fn the_centre_is_that_of_most() {
        let mut places: Vec<Vec<f64>> = (0..1000).map(|i| vec![5.0 + f64::from(i % 3 - 1), -1.0]).collect();
        places.extend((0..10).map(|_| vec![1e12, 0.0]));
        let centre = centre(&places, 2);
        assert!((centre[0] - 5.0).abs() < 0.01 && (centre[1] + 1.0).abs() < 1e-9, "{centre:?}");
    }
}
