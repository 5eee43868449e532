//! How many draws a p-value by simulation takes.

/// A p-value is settled once this many draws have reached what was seen (Besag and Clifford 1991).
const ENOUGH: usize = 20;

/// Largest number of draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draws(pub usize);

/// Counts draws as large as what was seen, until they say enough.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    limit: usize,
    made: usize,
    reached: usize,
}

impl Tail {
    pub fn new(Draws(limit): Draws) -> Tail {
        Tail { limit, made: 0, reached: 0 }
    }

    pub fn is_settled(&self) -> bool {
        self.made >= self.limit || self.reached >= ENOUGH
    }

    pub fn count(&mut self, reached: bool) {
        self.made += 1;
        self.reached += usize::from(reached);
    }

    /// Valid at every level, whenever it was settled.
    pub fn p(&self) -> f64 {
        if self.reached >= ENOUGH {
            self.reached as f64 / self.made as f64
        } else {
            (1 + self.reached) as f64 / (1 + self.made) as f64
        }
    }
}
