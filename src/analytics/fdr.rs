//! Many tests at once: the expected share of false ones among those that are called.

/// The q-values of p-values (Benjamini and Hochberg 1995): calling every test with `q <= a` keeps the
/// expected share of false calls at `a`, for independent or positively dependent tests. `None` where
/// there was no test; only tests count.
pub fn q_values(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(f64, usize)> = p.iter().enumerate().filter_map(|(i, p)| Some(((*p)?, i))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let tests = order.len() as f64;
    let mut out = vec![None; p.len()];
    let mut least = 1.0f64;
    for (rank, &(p, i)) in order.iter().enumerate().rev() {
        least = least.min(p * tests / (rank + 1) as f64);
        out[i] = Some(least);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_r_p_adjust() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.5, 0.04), "BH") of R.
        let p = [Some(0.01), Some(0.04), None, Some(0.03), Some(0.5), Some(0.04)];
        let expected = [Some(0.05), Some(0.05), None, Some(0.05), Some(0.5), Some(0.05)];
        for (q, e) in q_values(&p).iter().zip(expected) {
            assert_eq!(q.map(|v| (v * 1e9).round()), e.map(|v| (v * 1e9f64).round()));
        }
        assert_eq!(q_values(&[]), []);
    }
}
