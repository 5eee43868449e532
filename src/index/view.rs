//! A part as searches see it: typed columns, whether mapped from a file or still being built.

use super::column::{Column, wrong_row};
use super::links::Links;
use super::onebit::Factors;
use super::sq8::Terms;
use crate::error::Result;
use crate::model::TimestampUs;
use crate::simd::bits::{BLOCK, block_bytes};
use std::ops::Range;

/// The columns of a part. Rows are in the order of (timestamp, entity).
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// Number of rows.
    pub rows: usize,
    /// Number of entities.
    pub entities: usize,
    /// Coordinates of the space.
    pub padded: usize,
    /// Timestamp of each row, ascending.
    pub time: Column<'a, TimestampUs>,
    /// Entity ordinal of each row.
    pub entity: Column<'a, u32>,
    /// For each row its entity's next row, or 2^32 - 1.
    pub next: Column<'a, u32>,
    /// Rows by entity.
    pub runs: Runs<'a>,
    /// 8-bit codes, `padded` a row.
    pub codes: Column<'a, i8>,
    /// Scale and norm of each row.
    pub terms: Column<'a, Terms>,
    /// The graph.
    pub links: Links<'a>,
    /// The inverted lists.
    pub lists: Lists<'a>,
    /// The rows valid at some instants.
    pub checkpoints: Checkpoints<'a>,
}

/// The rows of each entity, ascending.
#[derive(Debug, Clone, Copy)]
pub struct Runs<'a> {
    /// Where each entity's rows begin among `rows`; one more than there are entities.
    pub offsets: Column<'a, u32>,
    /// Rows by entity.
    pub rows: Column<'a, u32>,
}

impl<'a> Runs<'a> {
    /// The rows of an entity, by ordinal.
    pub fn of(&self, entity: u32) -> Result<&'a [u32]> {
        let at = entity as usize;
        let (from, to) = (self.offsets.one(at)? as usize, self.offsets.one(at + 1)? as usize);
        self.rows.get(from..to)
    }
}

/// For every so many rows, the rows that were valid then: those before the place whose entity's
/// next row is not before it.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoints<'a> {
    /// Rows from one checkpoint to the next; the first stands before row 0.
    pub every: usize,
    /// Where each checkpoint begins among `rows`; one more than there are checkpoints.
    pub offsets: &'a [u32],
    /// Rows of all checkpoints, ascending in each.
    pub rows: Column<'a, u32>,
}

impl<'a> View<'a> {
    /// Fetches what a walk reads of a row into the cache.
    #[inline]
    pub fn expect(&self, row: u32) {
        self.expect_code(row);
        self.links.expect(row);
    }

    /// Fetches a row's code into the cache: it is asked for soon.
    #[inline]
    pub fn expect_code(&self, row: u32) {
        self.codes.expect(row as usize, self.padded);
        self.terms.expect(row as usize, 1);
    }

    /// Rows valid before row `rank`: the last of each entity among the first `rank` rows, ascending.
    pub fn valid(&self, rank: usize) -> Result<Vec<u32>> {
        let c = &self.checkpoints;
        let number = rank / c.every.max(1);
        let (Some(from), Some(to)) = (c.offsets.get(number), c.offsets.get(number + 1)) else {
            return Err(wrong_row(rank as u32, self.rows));
        };
        let start = number * c.every;
        let old = c.rows.get(*from as usize..*to as usize)?.iter().copied();
        let mut valid = Vec::with_capacity((to - from) as usize + rank - start);
        for row in old.chain(start as u32..rank as u32) {
            if self.next.one(row as usize)? as usize >= rank {
                valid.push(row);
            }
        }
        Ok(valid)
    }

    /// About how many rows are valid before row `rank`, by the checkpoints around it.
    pub fn valid_estimate(&self, rank: usize) -> usize {
        let every = self.checkpoints.every.max(1);
        let offset = |i: usize| self.checkpoints.offsets.get(i).map(|o| *o as usize);
        let size = |i: usize| Some(offset(i + 1)?.saturating_sub(offset(i)?));
        let before = size(rank / every).unwrap_or(0);
        let after = size(rank / every + 1).unwrap_or(before.max(self.entities));
        before + (after.max(before) - before) * (rank % every) / every
    }

    /// About how many rows [`View::valid`] looks at.
    pub fn valid_cost(&self, rank: usize) -> usize {
        let every = self.checkpoints.every.max(1);
        self.valid_estimate(rank / every * every) + rank % every
    }

    /// Number of rows before the first one for which `after` holds; it must hold for all rows
    /// from some time on.
    pub fn rank(&self, after: impl Fn(TimestampUs) -> bool) -> Result<usize> {
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = low + (high - low) / 2;
            if after(self.time.one(middle)?) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }
}

/// Rows by the centre they are nearest to, in time order, with their one-bit codes.
#[derive(Debug, Clone)]
pub struct Lists<'a> {
    /// Codes of the centres.
    pub centres: &'a [i8],
    /// Scale and norm of each centre.
    pub terms: &'a [Terms],
    /// Largest distance of a list's rows to its centre.
    pub radius: &'a [f32],
    /// A row near each centre, where graph walks start; 2^32 - 1 for an empty list.
    pub medoid: &'a [u32],
    /// Where each list begins among `rows`; one more than there are lists.
    pub offsets: &'a [u32],
    /// Where each list begins among the blocks.
    pub first_block: Vec<u32>,
    /// Rows of all lists, ascending in each.
    pub members: Column<'a, u32>,
    /// One-bit codes in blocks of [`BLOCK`], each list beginning a block.
    pub bits: Column<'a, u8>,
    /// What the codes need beside their bits.
    pub factors: Column<'a, Factors>,
}

impl<'a> Lists<'a> {
    /// Number of lists.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// True without lists: a part too small for them.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// First block of each list, and the number of blocks, from the lists' offsets. `None`
    /// unless the offsets ascend from 0 to `rows`.
    pub fn blocks(offsets: &[u32], rows: usize) -> Option<Vec<u32>> {
        let mut first = Vec::with_capacity(offsets.len());
        let mut at = 0u32;
        for pair in offsets.windows(2) {
            first.push(at);
            at += pair[1].checked_sub(pair[0])?.div_ceil(BLOCK as u32);
        }
        first.push(at);
        let whole = offsets.first() == Some(&0) && offsets.last().is_some_and(|n| *n as usize == rows);
        whole.then_some(first)
    }

    /// Where a list's rows stand among the members.
    pub fn span(&self, list: usize) -> Range<usize> {
        self.offsets[list] as usize..self.offsets[list + 1] as usize
    }

    /// The rows of a list.
    pub fn members_of(&self, list: usize) -> Result<&'a [u32]> {
        self.members.get(self.span(list))
    }

    /// Bits and factors of some of a list's blocks.
    pub fn blocks_of(
        &self,
        list: usize,
        blocks: Range<usize>,
        padded: usize,
    ) -> Result<(&'a [u8], &'a [Factors])> {
        let first = self.first_block[list] as usize;
        let (from, to) = (first + blocks.start, first + blocks.end);
        let bytes = block_bytes(padded);
        Ok((self.bits.get(from * bytes..to * bytes)?, self.factors.get(from..to)?))
    }
}
