//! Several tests in one run: adjusted p-values, and whether a run can find anything at all.

use crate::analytics::fdr::q_values;

/// How the p-values of a run are adjusted for their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adjust {
    /// The chance of any false alarm in the run is at most alpha (Holm 1979).
    #[default]
    Holm,
    /// The expected share of false alarms among the alarms is at most alpha, for independent or
    /// positively dependent tests (Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001).
    Fdr,
    /// Each test by itself.
    None,
}

/// The adjusted p-values in their order; rows without a p-value stay without and do not count.
pub fn adjust(how: Adjust, p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(f64, usize)> =
        p_values.iter().enumerate().filter_map(|(i, p)| p.map(|p| (p, i))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out = vec![None; p_values.len()];
    let m = order.len();
    match how {
        Adjust::Holm => {
            let mut least = 0.0f64;
            for (rank, &(p, i)) in order.iter().enumerate() {
                least = least.max(p * (m - rank) as f64).min(1.0);
                out[i] = Some(least);
            }
        }
        Adjust::Fdr => return q_values(p_values),
        Adjust::None => order.iter().for_each(|&(p, i)| out[i] = Some(p)),
    }
    out
}

/// How many rows cannot be called a drift at `alpha`, whatever their data: `least` holds the least
/// p-value of each row. With [`Adjust::Holm`] a row counts that could not be called alone.
pub fn unreachable(how: Adjust, least: &[Option<f64>], alpha: f64) -> usize {
    let m = least.iter().flatten().count() as f64;
    match how {
        Adjust::Holm => least.iter().flatten().filter(|p| **p * m > alpha).count(),
        _ => adjust(how, least).into_iter().flatten().filter(|p| *p > alpha).count(),
    }
}

/// Relabellings with which one of `rows` tests can be called a drift at `alpha`, four times over.
pub fn enough(how: Adjust, rows: usize, alpha: f64) -> usize {
    let rows = if how == Adjust::None { 1 } else { rows };
    let needed = 4.0 * rows as f64 / alpha.max(1e-9);
    (needed.min(1e8).ceil() as usize).max(999)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(how: Adjust, p: &[Option<f64>]) -> Vec<Option<f64>> {
        adjust(how, p).into_iter().map(|p| p.map(|p| (p * 1e6).round() / 1e6)).collect()
    }

    #[test]
    fn adjusted_values_equal_those_of_statsmodels() {
        // statsmodels.stats.multitest.multipletests, methods holm and fdr_bh.
        let p = [Some(0.01), None, Some(0.04), Some(0.03), Some(0.005)];
        assert_eq!(rounded(Adjust::Holm, &p), [Some(0.03), None, Some(0.06), Some(0.06), Some(0.02)]);
        assert_eq!(rounded(Adjust::Fdr, &p), [Some(0.02), None, Some(0.04), Some(0.04), Some(0.02)]);
        assert_eq!(rounded(Adjust::None, &p), p);
        assert_eq!(adjust(Adjust::Holm, &[Some(0.9), Some(0.8)]), [Some(1.0), Some(1.0)]);
    }

    #[test]
    fn what_a_run_cannot_reach_is_counted() {
        let least = vec![Some(0.001); 51];
        assert_eq!(unreachable(Adjust::Holm, &least, 0.05), 51);
        assert_eq!(unreachable(Adjust::Fdr, &least, 0.05), 0);
        assert_eq!(unreachable(Adjust::None, &[Some(0.0625), None], 0.05), 1);
        for rows in [1usize, 50, 150, 3000] {
            let least = vec![Some(1.0 / (enough(Adjust::Holm, rows, 0.05) + 1) as f64); rows];
            assert_eq!(unreachable(Adjust::Holm, &least, 0.05), 0, "{rows}");
        }
    }
}
