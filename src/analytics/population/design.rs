//! Which points carry the comparison: entities with points in both windows and entities with
//! points in one, the weight of each point, and the points whose labels a symmetry may change.

use crate::analytics::rng::Random;
use crate::model::EntityId;
use std::collections::BTreeMap;

/// What a point is to the comparison.
pub(crate) mod class {
    /// Reference side of an entity that has points in both windows, and its current side.
    pub const PAIRED_REF: usize = 0;
    pub const PAIRED_CUR: usize = 1;
    /// A point of an entity with points in the reference window only, or the current one only.
    pub const SINGLE_REF: usize = 2;
    pub const SINGLE_CUR: usize = 3;
    /// Left out: its kind of entity is too rare to be compared.
    pub const NONE: usize = 4;
}

/// Index of points that do not take part in relabelling.
pub(crate) const NO_ITEM: u32 = u32::MAX;

/// Points of one window: any number an entity, in any order.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// The entity of each point.
    pub entity: &'a [EntityId],
    /// Vectors, row-major.
    pub x: &'a [f32],
    /// Dimension.
    pub dim: usize,
}

impl Window<'_> {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.entity.len()
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.entity.is_empty()
    }
}

/// The points of both windows, the reference first.
pub(crate) struct Design {
    /// The entity of each point.
    pub entity: Vec<EntityId>,
    /// A constant of [`class`] for each point.
    pub class: Vec<usize>,
    /// One over the number of points of the entity in the window, for each point.
    pub weight: Vec<f64>,
    /// What is relabelled as one: an entity, the paired ones first. For each point.
    pub item: Vec<u32>,
    /// The point's part in its item's feature: `+1/k` or, on a pair's reference side, `-1/k`.
    pub part: Vec<f64>,
    /// Number of paired entities.
    pub paired: usize,
    /// Entities of one window that are compared: of the reference and of the current window.
    pub single: (usize, usize),
    /// Of the items behind the paired ones: does it lie in the reference window?
    pub reference_items: Vec<bool>,
}

type Sides = (Vec<usize>, Vec<usize>);

impl Design {
    /// `random` chooses the points that are relabelled.
    pub fn new(reference: &Window<'_>, current: &Window<'_>, random: &mut Random) -> Self {
        let n_reference = reference.len();
        let entity: Vec<EntityId> = reference.entity.iter().chain(current.entity).copied().collect();
        let mut sides: BTreeMap<EntityId, Sides> = BTreeMap::new();
        for (i, e) in entity.iter().enumerate() {
            let s = sides.entry(*e).or_default();
            if i < n_reference { s.0.push(i) } else { s.1.push(i) }
        }
        let is_paired = |s: &&Sides| !s.0.is_empty() && !s.1.is_empty();
        let mut paired: Vec<&Sides> = sides.values().filter(is_paired).collect();
        let mut single: Vec<&Sides> = sides.values().filter(|s| !is_paired(s)).collect();
        // A mean over pairs of different entities needs two of a kind.
        if paired.len() < 2 {
            paired.clear();
        }
        let references = single.iter().filter(|s| s.1.is_empty()).count();
        let mut counts = (references, single.len() - references);
        if counts.0 < 2 || counts.1 < 2 {
            single.clear();
            counts = (0, 0);
        }
        let n = entity.len();
        let mut design = Design {
            entity,
            class: vec![class::NONE; n],
            weight: vec![0.0; n],
            item: vec![NO_ITEM; n],
            part: vec![0.0; n],
            paired: paired.len(),
            single: counts,
            reference_items: Vec::new(),
        };
        for (item, (r, c)) in paired.iter().enumerate() {
            let k = r.len().min(c.len());
            design.add(r, class::PAIRED_REF, item, -1.0, k, random);
            design.add(c, class::PAIRED_CUR, item, 1.0, k, random);
        }
        let k = common_size(&single);
        for (r, c) in single {
            let (points, class) = if c.is_empty() { (r, class::SINGLE_REF) } else { (c, class::SINGLE_CUR) };
            let item = design.paired + design.reference_items.len();
            let kept = if points.len() < k { 0 } else { k };
            design.add(points, class, item, 1.0, kept, random);
            if kept > 0 {
                design.reference_items.push(c.is_empty());
            }
        }
        design
    }

    /// Enters the points of one side of an entity; `k` of them are relabelled.
    fn add(&mut self, points: &[usize], class: usize, item: usize, sign: f64, k: usize, random: &mut Random) {
        for &i in points {
            self.class[i] = class;
            self.weight[i] = 1.0 / points.len() as f64;
        }
        let mut chosen = points.to_vec();
        // The first k of a random order; all of them need no order.
        for at in 0..if k < points.len() { k } else { 0 } {
            let other = at + random.below(chosen.len() - at);
            chosen.swap(at, other);
        }
        for &i in &chosen[..k] {
            self.item[i] = item as u32;
            self.part[i] = sign / k as f64;
        }
    }

    /// Points of both windows.
    pub fn len(&self) -> usize {
        self.entity.len()
    }

    /// Entities that are compared.
    pub fn entities(&self) -> usize {
        self.paired + self.single.0 + self.single.1
    }

    /// What is relabelled: entities, of which some of one window may have too few points.
    pub fn items(&self) -> usize {
        self.paired + self.reference_items.len()
    }

    /// Entities of the reference window and of the current one.
    pub fn sides(&self) -> (f64, f64) {
        ((self.paired + self.single.0) as f64, (self.paired + self.single.1) as f64)
    }

    /// The share of the paired entities in the estimate where their difference has the variance
    /// `paired` and that of the others the variance `single`.
    pub fn share(&self, paired: f64, single: f64) -> f64 {
        match (self.paired > 0, self.single.0 > 0) {
            (true, false) => 1.0,
            (false, _) => 0.0,
            _ if paired + single > 0.0 => single / (paired + single),
            _ => 0.5,
        }
    }
}

/// How many points of each one-window entity are relabelled: exchanging entities is a symmetry
/// only among sets of as many points. Entities with fewer are left out of it; the size that
/// keeps most information wins, a point of an entity with k of them counting `2 / (k + 1)`.
fn common_size(single: &[&Sides]) -> usize {
    let size = |s: &Sides| s.0.len() + s.1.len();
    let mut sizes: Vec<usize> = single.iter().map(|s| size(s)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let (mut best, mut most) = (sizes.first().copied().unwrap_or(0), 0.0);
    for k in sizes {
        let kept = || single.iter().filter(|s| size(s) >= k);
        let references = kept().filter(|s| s.1.is_empty()).count() as f64;
        let currents = kept().count() as f64 - references;
        if references < 2.0 || currents < 2.0 {
            break;
        }
        let k_points = k as f64;
        let kept = references * currents / (references + currents) * 2.0 * k_points / (k_points + 1.0);
        if kept > most {
            (best, most) = (k, kept);
        }
    }
    best
}
