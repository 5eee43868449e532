//! Which window each point belongs to, and the relabellings that no drift makes as likely.

use crate::analytics::rng::Random;
use crate::model::EntityId;
use std::collections::BTreeMap;

/// Labellings evaluated side by side.
pub(crate) const BATCH: usize = 16;

/// The points of both windows, the reference first, grouped by entity.
pub(crate) struct Labels {
    n_reference: usize,
    entities: Vec<EntityId>,
    /// Points of entities with points in both windows.
    paired: Vec<Vec<usize>>,
    /// Points of entities with points in one window, and whether that is the reference.
    single: Vec<(Vec<usize>, bool)>,
}

impl Labels {
    pub fn new(reference: &[EntityId], current: &[EntityId]) -> Self {
        let mut points: BTreeMap<EntityId, Vec<usize>> = BTreeMap::new();
        for (i, &e) in reference.iter().chain(current).enumerate() {
            points.entry(e).or_default().push(i);
        }
        let n_reference = reference.len();
        let (mut paired, mut single) = (Vec::new(), Vec::new());
        for rows in points.into_values() {
            let in_reference = rows.iter().filter(|&&i| i < n_reference).count();
            if in_reference > 0 && in_reference < rows.len() {
                paired.push(rows);
            } else {
                single.push((rows, in_reference > 0));
            }
        }
        Labels { n_reference, entities: reference.iter().chain(current).copied().collect(), paired, single }
    }

    /// The entity of each point.
    pub fn entities(&self) -> &[EntityId] {
        &self.entities
    }

    /// True when another labelling exists.
    pub fn can_permute(&self) -> bool {
        let reference = self.single.iter().filter(|(_, r)| *r).count();
        // A single pair only exchanges the windows, which changes nothing.
        self.paired.len() > 1 || (reference > 0 && reference < self.single.len())
    }

    /// The labels as they are, [`BATCH`] times.
    pub fn observed(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.entities.len() * BATCH];
        out[..self.n_reference * BATCH].fill(1.0);
        out
    }

    /// `used` random labellings; the other columns are the labels as they are.
    pub fn permuted(&self, random: &mut Random, used: usize) -> Vec<f64> {
        let mut out = self.observed();
        for b in 0..used {
            for rows in &self.paired {
                if random.bits() >> 63 == 1 {
                    rows.iter().for_each(|&i| out[i * BATCH + b] = 1.0 - out[i * BATCH + b]);
                }
            }
            let mut sides: Vec<bool> = self.single.iter().map(|(_, reference)| *reference).collect();
            random.shuffle(&mut sides);
            for ((rows, _), side) in self.single.iter().zip(sides) {
                rows.iter().for_each(|&i| out[i * BATCH + b] = f64::from(u8::from(side)));
            }
        }
        out
    }
}

/// Points labelled as the reference, by column, and all points.
pub(crate) fn sizes(signs: &[f64]) -> ([f64; BATCH], f64) {
    let mut out = [0.0; BATCH];
    for row in signs.chunks_exact(BATCH) {
        out.iter_mut().zip(row).for_each(|(o, s)| *o += s);
    }
    (out, (signs.len() / BATCH) as f64)
}
