//! How hard a search looks, and the recalls that depths are calibrated for.

/// The recalls at 10 for which depths are known.
pub const TARGETS: [f64; 4] = [0.90, 0.95, 0.97, 0.99];

/// How hard to look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effort {
    /// The least work for which calibration saw this recall@10.
    Recall(f64),
    /// A pool of this many rows in the graph and lists in proportion; this many rows are ranked exactly. With as many as
    /// the part has rows, all of them.
    Beam(usize),
}

impl Effort {
    /// True when nothing less than all of `rows` rows will do.
    pub fn is_all(self, rows: usize) -> bool {
        match self {
            Effort::Recall(share) => share > TARGETS[TARGETS.len() - 1],
            Effort::Beam(ef) => ef >= rows,
        }
    }
}

impl Default for Effort {
    fn default() -> Self {
        Effort::Recall(0.97)
    }
}
