//! Who is held out of training, for validation and for the test.

use crate::analytics::rng::Random;
use crate::model::{EntityId, TimestampUs, Trajectory};

/// Fewest entities at which whole entities are held out; below, it is the end of the time.
const MIN_ENTITIES: usize = 10;

/// What a point is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Gradients.
    Train,
    /// When to stop.
    Validate,
    /// The scores that decide whether the model is useful.
    Test,
}

/// Who is held out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Split {
    /// Entities, by a seeded hash: `share` of them for validation, as many for the test.
    Entities {
        /// Of the hash.
        seed: u64,
        /// In (0, 0.5).
        share: f64,
    },
    /// With few entities: points from these instants on.
    Time {
        /// First instant of validation.
        validate_from: TimestampUs,
        /// First instant of the test.
        test_from: TimestampUs,
    },
}

impl Split {
    /// Holds out entities where there are ten or more, else the last two shares of the points.
    pub fn new(sample: &[Trajectory], seed: u64, share: f64) -> Split {
        if sample.len() >= MIN_ENTITIES {
            return Split::Entities { seed, share };
        }
        let mut times: Vec<TimestampUs> = sample.iter().flat_map(|tr| tr.t).copied().collect();
        times.sort_unstable();
        let after = |part: f64| {
            let at = (times.len() as f64 * part) as usize;
            times.get(at).copied().unwrap_or(TimestampUs::MAX)
        };
        Split::Time { validate_from: after(1.0 - 2.0 * share), test_from: after(1.0 - share) }
    }

    /// The role of an entity's point at `t`.
    pub fn role(&self, entity: EntityId, t: TimestampUs) -> Role {
        match *self {
            Split::Entities { seed, share } => match Random::new(seed, "node split", entity).unit() {
                u if u < share => Role::Test,
                u if u < 2.0 * share => Role::Validate,
                _ => Role::Train,
            },
            Split::Time { test_from, .. } if t >= test_from => Role::Test,
            Split::Time { validate_from, .. } if t >= validate_from => Role::Validate,
            Split::Time { .. } => Role::Train,
        }
    }
}
