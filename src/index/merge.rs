//! Which parts to build anew when rows are added: a logarithmic number of parts, and each row
//! rebuilt a logarithmic number of times.

/// A part is kept as long as it is at least this many times as large as all younger rows together.
const RATIO: usize = 2;

/// A part as the policy sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSize {
    /// Rows of the part.
    pub rows: usize,
    /// Of these, deleted, replaced, or no longer in the dataset.
    pub dead: usize,
}

/// Which of `parts`, oldest first, are built anew together with `added` rows: the returned number
/// of parts at the end of the list. Each kept part is at least twice as large as all rows after
/// it, and at most a quarter dead; a part that is more is rebuilt even when nothing was added.
pub fn rebuilt(parts: &[PartSize], added: usize) -> usize {
    let mut rows = added;
    let mut count = 0;
    for (i, part) in parts.iter().rev().enumerate() {
        let alive = part.rows.saturating_sub(part.dead);
        let rotten = 4 * part.dead > part.rows;
        let crowded = rows > 0 && alive < RATIO.saturating_mul(rows);
        // All parts younger than a rebuilt one are rebuilt with it: their rows are few.
        rows = rows.saturating_add(alive);
        if rotten || crowded {
            count = i + 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(rows: usize) -> PartSize {
        PartSize { rows, dead: 0 }
    }

    #[test]
    fn small_additions_leave_large_parts_alone() {
        assert_eq!(rebuilt(&[], 10), 0);
        assert_eq!(rebuilt(&[size(1_000_000)], 10_000), 0);
        assert_eq!(rebuilt(&[size(1_000_000), size(15_000)], 10_000), 1);
        assert_eq!(rebuilt(&[size(100), size(60)], 40), 2);
        assert_eq!(rebuilt(&[PartSize { rows: 100, dead: 30 }, size(1)], 0), 2);
        assert_eq!(rebuilt(&[size(100), size(10)], 0), 0);
    }

    proptest! {
        #[test]
        fn parts_stay_few_and_rebuilding_cheap(steps in prop::collection::vec(1usize..1000, 1..300)) {
            let (mut parts, mut worked) = (Vec::<PartSize>::new(), 0);
            for added in &steps {
                let keep = parts.len() - rebuilt(&parts, *added);
                let merged: usize = parts.drain(keep..).map(|p| p.rows).sum::<usize>() + added;
                worked += merged;
                parts.push(size(merged));
            }
            let total: usize = steps.iter().sum();
            let log = (total as f64).log2() + 2.0;
            prop_assert_eq!(parts.iter().map(|p| p.rows).sum::<usize>(), total);
            prop_assert!((parts.len() as f64) <= log);
            prop_assert!((worked as f64) <= 3.0 * log * total as f64);
        }
    }
}
