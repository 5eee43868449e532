//! How far reconstructions lie from the originals.

/// Distribution of relative errors.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ErrorStats {
    /// Rows measured.
    pub rows: u64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Greatest.
    pub max: f64,
}

/// `|x - y| / |x|` for each row, in f64; for a zero vector `|y|`.
pub fn relative_errors(x: &[f32], y: &[f32], dim: usize) -> Vec<f64> {
    let one = |(x, y): (&[f32], &[f32])| {
        let (mut d2, mut x2) = (0.0, 0.0);
        for (x, y) in x.iter().zip(y) {
            let (x, y) = (f64::from(*x), f64::from(*y));
            d2 += (x - y) * (x - y);
            x2 += x * x;
        }
        if x2 > 0.0 { (d2 / x2).sqrt() } else { d2.sqrt() }
    };
    x.chunks_exact(dim).zip(y.chunks_exact(dim)).map(one).collect()
}

impl ErrorStats {
    /// Of errors in any order; quantiles are values that occur (nearest rank).
    pub fn of(mut errors: Vec<f64>) -> ErrorStats {
        errors.sort_by(f64::total_cmp);
        let Some(max) = errors.last().copied() else { return ErrorStats::default() };
        let at = |p: f64| errors[((p * errors.len() as f64).ceil() as usize).clamp(1, errors.len()) - 1];
        ErrorStats { rows: errors.len() as u64, p50: at(0.5), p99: at(0.99), max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_to_each_row() {
        let e = relative_errors(&[3.0, 4.0, 0.0, 0.0], &[3.0, 3.0, 0.0, 2.0], 2);
        assert_eq!(e, [0.2, 2.0]);
    }

    #[test]
    fn quantiles_by_nearest_rank() {
        let s = ErrorStats::of((1..=200).rev().map(f64::from).collect());
        assert_eq!(s, ErrorStats { rows: 200, p50: 100.0, p99: 198.0, max: 200.0 });
        assert_eq!(ErrorStats::of(vec![]), ErrorStats::default());
    }
}
