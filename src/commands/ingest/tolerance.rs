//! How many bad rows a run leaves out before a file counts as bad.

/// Rows of a file that are read before its share of bad rows is judged.
const FIRST: u64 = 1000;

/// Bad rows tolerated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// This many in the run.
    Count(u64),
    /// This share of the rows of each file, judged at its end, and at any time after its first
    /// thousand rows.
    Share(f64),
    /// Any number.
    All,
}

/// The rows of one file so far, and the bad ones of the run before it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Bad rows of the run.
    pub(super) refused: u64,
    /// Rows of the file, bad ones included.
    pub(super) rows: u64,
    /// Bad rows of the file.
    pub(super) bad: u64,
}

impl Tolerance {
    /// True when one more bad row after `seen` is one too many.
    pub(super) fn is_exceeded(self, seen: Seen) -> bool {
        match self {
            Tolerance::Count(most) => seen.refused >= most,
            Tolerance::Share(share) => {
                seen.rows >= FIRST && (seen.bad + 1) as f64 > share * (seen.rows + 1) as f64
            }
            Tolerance::All => false,
        }
    }

    /// True when the bad rows of a file that was read to its end are too many.
    pub(super) fn is_exceeded_at_end(self, seen: Seen) -> bool {
        matches!(self, Tolerance::Share(share) if seen.bad as f64 > share * seen.rows as f64)
    }

    /// Bad rows that are still tolerated as far as a count says; `None` for any number.
    pub(super) fn room(self, refused: u64) -> Option<u64> {
        match self {
            Tolerance::Count(most) => Some(most.saturating_sub(refused)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_judged_at_the_end_and_after_a_thousand_rows() {
        let one = Tolerance::Share(0.01);
        let seen = |rows, bad| Seen { refused: 0, rows, bad };
        assert!(!one.is_exceeded(seen(999, 900)) && one.is_exceeded(seen(1000, 11)));
        assert!(!one.is_exceeded(seen(1999, 18)) && one.is_exceeded(seen(1999, 20)));
        assert!(!one.is_exceeded_at_end(seen(100, 1)) && one.is_exceeded_at_end(seen(99, 1)));
        assert!(!Tolerance::All.is_exceeded(seen(0, 9)) && !Tolerance::Count(1).is_exceeded(seen(0, 0)));
        assert!(Tolerance::Count(0).is_exceeded(seen(5, 0)));
    }
}
