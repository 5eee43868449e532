//! Choosing entities by a hash of their ids: samples, shards, buckets.

use crate::model::EntityId;

/// A seeded hash sample of entities: whole trajectories.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sample {
    /// This many entities.
    Count(u64),
    /// This share of them, 0 to 1.
    Share(f64),
}

/// The `index`-th (from 1) of `of` equal ranges of the entity hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Shard {
    /// True when the entity lies in the shard. Every entity lies in exactly one of `of`.
    pub fn holds(&self, entity: EntityId) -> bool {
        let at = (u128::from(entity_hash(entity)) * u128::from(self.of)) >> 64;
        at as u32 + 1 == self.index
    }
}

/// Hash of an entity: buckets and shards are ranges of it (SplitMix64's finaliser).
pub fn entity_hash(entity: EntityId) -> u64 {
    let mut z = entity.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
