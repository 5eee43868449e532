//! The relabellings that no drift makes as likely as the labels that were observed.

use super::design::{Design, NO_ITEM, class};
use crate::analytics::rng::Random;

/// Labellings evaluated side by side.
pub(crate) const BATCH: usize = 16;

/// How many ways there are to label the items of a design, and draws of them.
///
/// A labelling is a number an item: for a paired entity +1, or -1 where its sides are swapped; for
/// an entity of one window 1 for the reference and 0 for the current window.
pub(crate) struct Labels<'a> {
    design: &'a Design,
}

impl<'a> Labels<'a> {
    pub fn new(design: &'a Design) -> Self {
        Labels { design }
    }

    /// The labels as they are, [`BATCH`] times.
    pub fn observed(&self) -> Vec<f64> {
        let d = self.design;
        let paired = std::iter::repeat_n(1.0, d.paired);
        let single = d.reference_items.iter().map(|&r| f64::from(u8::from(r)));
        paired.chain(single).flat_map(|v| [v; BATCH]).collect()
    }

    /// `used` random labellings; the other columns are the labels as they are.
    pub fn permuted(&self, random: &mut Random, used: usize) -> Vec<f64> {
        let mut out = self.observed();
        let (paired, single) = out.split_at_mut(self.design.paired * BATCH);
        for b in 0..used {
            let mut bits = 0;
            for (i, signs) in paired.chunks_exact_mut(BATCH).enumerate() {
                if i % 64 == 0 {
                    bits = random.bits();
                }
                if (bits >> (i % 64)) & 1 == 1 {
                    signs[b] = -1.0;
                }
            }
            let mut sides = self.design.reference_items.clone();
            random.shuffle(&mut sides);
            for (labels, side) in single.chunks_exact_mut(BATCH).zip(sides) {
                labels[b] = f64::from(u8::from(side));
            }
        }
        out
    }

    /// The least p-value that any data of this design can have: labellings as extreme as the most
    /// extreme one, over all of them. The mirror image of a labelling counts as much.
    pub fn least_p(&self) -> f64 {
        let d = self.design;
        let references = d.reference_items.iter().filter(|r| **r).count();
        let currents = d.reference_items.len() - references;
        let mut log2 = d.paired as f64;
        for i in 0..references.min(currents) {
            log2 += ((d.reference_items.len() - i) as f64 / (i + 1) as f64).log2();
        }
        if references == currents {
            log2 -= 1.0;
        }
        (-log2).exp2().min(1.0)
    }

    /// For each point whether column `b` of `signs` puts it into the current window; `None` for
    /// points that are not relabelled.
    pub fn points(&self, signs: &[f64], b: usize) -> Vec<Option<bool>> {
        let d = self.design;
        let one = |(&item, &class): (&u32, &usize)| {
            let sign = *signs.get((item != NO_ITEM).then_some(item as usize)? * BATCH + b)?;
            Some(match class {
                class::PAIRED_CUR => sign > 0.0,
                class::PAIRED_REF => sign < 0.0,
                _ => sign == 0.0,
            })
        };
        d.item.iter().zip(&d.class).map(one).collect()
    }
}
