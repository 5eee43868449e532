//! Building the inverted lists: each row with the centre it is nearest to, in time order, as a
//! one-bit code relative to that centre.

use super::centres::{Centres, Codes};
use super::column::Column;
use super::onebit::{self, Factors};
use super::prune::NONE;
use super::sq8::{self, Terms};
use super::view::Lists;
use crate::simd::bits::{BLOCK, block_bytes};
use rayon::prelude::*;

/// Lists in memory.
#[derive(Debug, Default)]
pub struct BuiltLists {
    /// Codes of the centres.
    pub centres: Vec<i8>,
    /// Scale and norm of each centre.
    pub terms: Vec<Terms>,
    /// Largest distance of a list's rows to its centre.
    pub radius: Vec<f32>,
    /// The row nearest to each centre.
    pub medoid: Vec<u32>,
    /// Where each list begins among the members.
    pub offsets: Vec<u32>,
    /// Rows, ascending in each list.
    pub members: Vec<u32>,
    /// One-bit codes.
    pub bits: Vec<u8>,
    /// Factors of each block.
    pub factors: Vec<Factors>,
}

/// One list, encoded.
struct Encoded {
    radius: f32,
    medoid: u32,
    bits: Vec<u8>,
    factors: Vec<Factors>,
}

impl BuiltLists {
    /// Lists of the rows for which `nearest` names a list.
    pub fn new(codes: Codes<'_>, centres: Centres, rows: &[u32], nearest: &[[u32; 3]]) -> BuiltLists {
        let mut members = vec![Vec::new(); centres.len()];
        for row in rows {
            members[nearest[*row as usize][0] as usize].push(*row);
        }
        let encoded: Vec<Encoded> = members
            .par_iter()
            .enumerate()
            .map(|(list, rows)| encode(codes, centres.codes(), list, rows))
            .collect();
        let mut built = BuiltLists { offsets: vec![0], ..BuiltLists::default() };
        for (rows, list) in members.into_iter().zip(encoded) {
            built.members.extend(rows);
            built.offsets.push(built.members.len() as u32);
            built.radius.push(list.radius);
            built.medoid.push(list.medoid);
            built.bits.extend(list.bits);
            built.factors.extend(list.factors);
        }
        (built.centres, built.terms) = (centres.values, centres.terms);
        built
    }

    /// The lists as searches see them.
    pub fn view(&self) -> Lists<'_> {
        Lists {
            centres: &self.centres,
            terms: &self.terms,
            radius: &self.radius,
            medoid: &self.medoid,
            offsets: &self.offsets,
            first_block: Lists::blocks(&self.offsets, self.members.len()).unwrap_or_default(),
            members: Column::Whole(&self.members),
            bits: Column::Whole(&self.bits),
            factors: Column::Whole(&self.factors),
        }
    }
}

fn encode(codes: Codes<'_>, centres: Codes<'_>, list: usize, rows: &[u32]) -> Encoded {
    let padded = codes.padded;
    let blocks = rows.len().div_ceil(BLOCK);
    let mut out = Encoded {
        radius: 0.0,
        medoid: NONE,
        bits: vec![0; blocks * block_bytes(padded)],
        factors: vec![Factors::default(); blocks],
    };
    let (mut centre, mut x) = (vec![0.0; padded], vec![0.0; padded]);
    sq8::decode(centres.row(list), centres.terms[list], &mut centre);
    let mut nearest = f32::INFINITY;
    let chunks = out.bits.chunks_exact_mut(block_bytes(padded)).zip(&mut out.factors);
    for ((bits, factors), rows) in chunks.zip(rows.chunks(BLOCK)) {
        for (slot, row) in rows.iter().enumerate() {
            let (code, terms) = (codes.row(*row as usize), codes.terms[*row as usize]);
            let off = sq8::error(code, terms);
            sq8::decode(code, terms, &mut x);
            onebit::encode(&x, &centre, slot, bits, factors);
            factors.correct(slot, off, 0.0, padded);
            let distance = x.iter().zip(&centre).map(|(x, c)| (x - c) * (x - c)).sum::<f32>().sqrt();
            // The row itself lies no further than this.
            out.radius = out.radius.max(distance + off);
            if distance < nearest {
                (nearest, out.medoid) = (distance, *row);
            }
        }
    }
    out
}
