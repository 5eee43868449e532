//! The graph's records: a row's neighbours and, beside their numbers, their one-bit codes relative to the row.
//!
//! A walk that comes to a row estimates the distances of all its neighbours from the row's own record, one run of
//! memory, instead of fetching an 8-bit code from anywhere for each of them (SymphonyQG, Gou et al., SIGMOD 2025).

use super::centres::Codes;
use super::column::{Column, wrong_row};
use super::onebit::{self, Factors};
use super::prune::{DEGREE, Edges, NONE};
use super::sq8;
use crate::error::Result;
use crate::simd::bits::BLOCK;
use rayon::prelude::*;
use std::sync::OnceLock;

const _: () = assert!(DEGREE == BLOCK);
/// Words of a record before the codes: neighbours, and two factors of each.
const BEFORE: usize = 3 * DEGREE;

/// Words of 32 bits of a record in `padded` coordinates: [`DEGREE`] neighbours; with codes then
/// `add` and `scale` of [`Factors`] as f32, and a block of [`crate::simd::bits`].
pub fn words(padded: usize, coded: bool) -> usize {
    if coded { BEFORE + padded } else { DEGREE }
}

/// The records of all rows.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    records: Records<'a>,
    words: usize,
    rows: usize,
}

#[derive(Debug, Clone, Copy)]
enum Records<'a> {
    Stored(Column<'a, u32>),
    Made(&'a Maker<'a>),
}

/// A row's neighbours with their one-bit codes, relative to the row.
#[derive(Debug, Clone, Copy)]
pub struct Coded<'a> {
    /// Rows, not checked to be rows of the part, then [`NONE`] with an infinite `add`.
    pub rows: &'a [u32; BLOCK],
    /// As in [`Factors`].
    pub add: &'a [f32; BLOCK],
    /// As in [`Factors`].
    pub scale: &'a [f32; BLOCK],
    /// A block of [`crate::simd::bits`].
    pub bits: &'a [u8],
}

impl<'a> Links<'a> {
    /// No graph.
    pub fn none() -> Links<'a> {
        Links { records: Records::Stored(Column::Whole(&[])), words: DEGREE, rows: 0 }
    }

    /// Neighbours without codes.
    pub fn plain(edges: &'a Edges) -> Links<'a> {
        Links {
            records: Records::Stored(Column::Whole(&edges.0)),
            words: DEGREE,
            rows: edges.0.len() / DEGREE,
        }
    }

    /// Records of [`words`] words each.
    pub fn stored(column: Column<'a, u32>, words: usize) -> Links<'a> {
        Links { records: Records::Stored(column), words, rows: column.len() / words }
    }

    /// Records that are made when they are looked at.
    pub fn made(maker: &'a Maker<'a>) -> Links<'a> {
        Links { records: Records::Made(maker), words: maker.words(), rows: maker.made.len() }
    }

    /// True without a graph.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// True when neighbours have codes.
    pub fn coded(&self) -> bool {
        self.words > DEGREE
    }

    /// A row's neighbours, which are rows.
    #[inline]
    pub fn of(&self, row: u32) -> Result<&'a [u32]> {
        let slots = &self.record(row)?[..DEGREE];
        let used = slots.iter().position(|v| *v == NONE).unwrap_or(DEGREE);
        match slots[..used].iter().find(|v| **v as usize >= self.rows) {
            None => Ok(&slots[..used]),
            Some(v) => Err(wrong_row(*v, self.rows)),
        }
    }

    /// A row's neighbours with their codes, if the graph has codes.
    #[inline]
    pub fn coded_of(&self, row: u32) -> Result<Option<Coded<'a>>> {
        let Some((rows, words)) = self.record(row)?.split_first_chunk() else { return Ok(None) };
        let Some((factors, bits)) = words.split_at_checked(2 * BLOCK) else { return Ok(None) };
        let [add, scale] = bytemuck::cast_slice::<u32, f32>(factors).as_chunks().0 else { return Ok(None) };
        Ok(Some(Coded { rows, add, scale, bits: bytemuck::cast_slice(bits) }))
    }

    #[inline]
    fn record(&self, row: u32) -> Result<&'a [u32]> {
        match self.records {
            Records::Stored(column) => column.row(row as usize, self.words),
            Records::Made(maker) => Ok(maker.record(row as usize)),
        }
    }

    /// Fetches a row's record into the cache: it is asked for soon.
    #[inline]
    pub fn expect(&self, row: u32) {
        if let Records::Stored(column) = self.records {
            column.expect(row as usize, self.words);
        }
    }
}

/// Makes records with codes.
#[derive(Debug)]
pub struct Maker<'a> {
    edges: &'a Edges,
    codes: Codes<'a>,
    made: Vec<OnceLock<Box<[u32]>>>,
}

impl<'a> Maker<'a> {
    /// Of a graph over rows with these codes.
    pub fn new(edges: &'a Edges, codes: Codes<'a>) -> Maker<'a> {
        let rows = edges.0.len() / DEGREE;
        Maker { edges, codes, made: std::iter::repeat_with(OnceLock::new).take(rows).collect() }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.made.len()
    }

    fn words(&self) -> usize {
        words(self.codes.padded, true)
    }

    fn record(&self, row: usize) -> &[u32] {
        self.made[row].get_or_init(|| {
            let mut words = vec![0; self.words()];
            self.make(row, &mut Work::default(), &mut words);
            words.into_boxed_slice()
        })
    }

    /// The records of a run of rows, into `out`.
    pub fn make_all(&self, rows: std::ops::Range<usize>, out: &mut Vec<u32>) {
        out.clear();
        out.resize(rows.len() * self.words(), 0);
        out.par_chunks_mut(self.words())
            .zip(rows)
            .for_each_init(Work::default, |work, (words, row)| self.make(row, work, words));
    }

    fn make(&self, row: usize, work: &mut Work, words: &mut [u32]) {
        let (slots, rest) = words.split_at_mut(DEGREE);
        slots.copy_from_slice(&self.edges.0[row * DEGREE..(row + 1) * DEGREE]);
        let (factors, bits) = rest.split_at_mut(2 * BLOCK);
        let bits: &mut [u8] = bytemuck::cast_slice_mut(bits);
        let mut of = Factors::default();
        let centre_off = self.decode(row, &mut work.centre);
        for (slot, neighbour) in self.edges.of(row).iter().enumerate() {
            let off = self.decode(*neighbour as usize, &mut work.x);
            onebit::encode(&work.x, &work.centre, slot, bits, &mut of);
            of.correct(slot, off, centre_off, self.codes.padded);
        }
        let (add, scale) = factors.split_at_mut(BLOCK);
        add.copy_from_slice(bytemuck::cast_slice(&of.add));
        scale.copy_from_slice(bytemuck::cast_slice(&of.scale));
    }

    /// The point that a row's code stands for, and how far it lies from the row.
    fn decode(&self, row: usize, out: &mut Vec<f32>) -> f32 {
        out.resize(self.codes.padded, 0.0);
        sq8::decode(self.codes.row(row), self.codes.terms[row], out);
        sq8::error(self.codes.row(row), self.codes.terms[row])
    }
}

/// Memory that is used again and again.
#[derive(Debug, Default)]
struct Work {
    centre: Vec<f32>,
    x: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::onebit::Table;
    use crate::index::sq8::Terms;
    use crate::simd::bits::Lookup;
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Estimates are off by a part of the product of both residuals, not of the vectors' lengths.
    #[test]
    fn neighbours_are_estimated_from_the_row() {
        let (padded, rows) = (128, 12);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
        let mut place = || -> Vec<f32> { (0..padded).map(|_| rng.random_range(-0.1f32..0.1)).collect() };
        let (mut values, mut terms) = (vec![0i8; rows * padded], vec![Terms::default(); rows]);
        for (code, terms) in values.chunks_exact_mut(padded).zip(&mut terms) {
            *terms = sq8::encode(&place(), code);
        }
        let codes = Codes { values: &values, terms: &terms, padded };
        let mut edges = Edges(vec![NONE; rows * DEGREE]);
        edges.0[..rows - 1].copy_from_slice(&(1..rows as u32).collect::<Vec<_>>());
        let maker = Maker::new(&edges, codes);
        let mut strip = Vec::new();
        maker.make_all(0..rows, &mut strip);
        let query = place();
        let mut table = Table::default();
        table.set(&query);
        let squared = |row: usize| -> f32 {
            let mut x = vec![0.0; padded];
            sq8::decode(codes.row(row), codes.terms[row], &mut x);
            x.iter().zip(&query).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        for links in [Links::made(&maker), Links::stored(Column::Whole(&strip), maker.words())] {
            assert!(links.coded());
            assert_eq!(links.of(0).unwrap(), &(1..rows as u32).collect::<Vec<_>>());
            let near = links.coded_of(0).unwrap().unwrap();
            let mut estimates = [0.0; BLOCK];
            table.estimates(Lookup::detect(), near.bits, (near.add, near.scale), squared(0), &mut estimates);
            for (slot, estimate) in estimates.iter().enumerate() {
                match slot < rows - 1 {
                    true => {
                        assert!((estimate - squared(slot + 1)).abs() < 0.25 * squared(slot + 1), "{slot}")
                    }
                    false => assert_eq!(*estimate, f32::INFINITY),
                }
            }
        }
    }

    #[test]
    fn a_neighbour_that_is_no_row_is_refused() {
        let mut edges = Edges(vec![NONE; 2 * DEGREE]);
        edges.0[0] = 2;
        let links = Links::plain(&edges);
        assert!(links.of(0).is_err());
        assert!(links.of(1).unwrap().is_empty());
        assert!(links.coded_of(1).unwrap().is_none());
    }
}
