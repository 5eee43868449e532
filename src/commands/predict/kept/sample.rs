//! Trajectories held in memory: what methods are tried on and models are trained on.

use crate::analytics::Cuts;
use crate::dataset::{Select, Snapshot, Trajectories};
use crate::error::Result;
use crate::model::{EntityId, TimestampUs, Trajectory};
use std::collections::BTreeSet;

/// Trajectories of some entities.
#[derive(Debug, Default)]
pub struct Sample {
    dim: usize,
    owned: Vec<Owned>,
}

#[derive(Debug)]
struct Owned {
    entity: EntityId,
    t: Vec<TimestampUs>,
    x: Vec<f32>,
    models: Vec<u32>,
}

impl Owned {
    fn view(&self, dim: usize) -> Trajectory<'_> {
        Trajectory { entity: self.entity, t: &self.t, x: &self.x, dim, model: &self.models }
    }
}

impl Sample {
    /// Reads what `select` selects, by entity; of trajectories too long for `max_values` vector
    /// values in all, the newest points.
    pub fn read(snapshot: &Snapshot, select: &Select, max_values: usize) -> Result<Sample> {
        let dim = snapshot.settings().dim;
        let rows: Vec<_> = Trajectories::new(select.resolve(snapshot)?).collect();
        let lengths: Vec<usize> = rows.iter().map(|r| r.len()).collect();
        let most = longest(&lengths, max_values / dim.max(1));
        let mut owned = Vec::with_capacity(rows.len());
        for r in rows {
            let from = r.len() - r.len().min(most);
            let mut x = Vec::new();
            r.read(from..r.len(), &mut x)?;
            let models = r.models().get(from..).map(<[u32]>::to_vec).unwrap_or_default();
            owned.push(Owned { entity: r.entity, t: r.t[from..].to_vec(), x, models });
        }
        Ok(Sample { dim, owned })
    }

    /// The trajectories between the cuts, by entity and time.
    pub fn views(&self, cuts: &Cuts) -> Vec<Trajectory<'_>> {
        self.owned.iter().flat_map(|o| cuts.pieces_of(&o.view(self.dim))).collect()
    }

    /// Both, by entity; where an entity is in both, as it is here.
    pub fn join(mut self, other: Sample) -> Sample {
        let known: BTreeSet<EntityId> = self.owned.iter().map(|o| o.entity).collect();
        self.owned.extend(other.owned.into_iter().filter(|o| !known.contains(&o.entity)));
        self.owned.sort_by_key(|o| o.entity);
        self
    }

    /// Their entities, ascending.
    pub fn ids(&self) -> impl Iterator<Item = EntityId> {
        self.owned.iter().map(|o| o.entity)
    }

    /// Points in all.
    pub fn points(&self) -> usize {
        self.owned.iter().map(|o| o.t.len()).sum()
    }

    /// Number of entities.
    pub fn entities(&self) -> usize {
        self.owned.len()
    }
}

/// The largest length such that trajectories cut to it have at most `room` points; at least 3,
/// the fewest that a method can be tried on.
fn longest(lengths: &[usize], room: usize) -> usize {
    let fits = |most: usize| lengths.iter().map(|&n| n.min(most)).sum::<usize>() <= room;
    let (mut low, mut high) = (3, lengths.iter().copied().max().unwrap_or(0).max(3));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_trajectories_are_shortened_and_short_ones_kept() {
        assert_eq!(longest(&[10, 20, 30], 60), 30);
        assert_eq!(longest(&[10, 20, 30], 59), 29);
        assert_eq!(longest(&[10, 20, 30], 30), 10);
        assert_eq!(longest(&[10, 20, 30], 1), 3);
        assert_eq!(longest(&[], 1), 3);
    }
}
