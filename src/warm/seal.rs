//! The checksums of a warm file.
//!
//! ```text
//! body     [0, body_len): magic and row groups, as Parquet lays them out
//! indexes  [body_len, footer): column and offset indexes
//! footer   Parquet's metadata, its length, magic; among its key-values `cvx.blocks`
//! ```
//!
//! `cvx.blocks` is hexadecimal text: XXH3-128 of the indexes (32 digits), body length (16),
//! and an XXH3-64 for each 64 KiB block of the body (16 each). The manifest's root is the
//! XXH3-128 of the footer. Dataset and file id are part of every sum. So the root covers the
//! footer, the footer covers indexes and blocks, and nothing is read unchecked.

use crate::format::DatasetId;
use crate::format::checksum::{Hasher128, Identity};

/// Stands for warm files in checksums, where containers have their kind.
const KIND: u16 = 0x5051;
/// Key of the checksums among the footer's key-values.
pub const KEY: &str = "cvx.blocks";
/// Bytes covered by one checksum.
pub const BLOCK_LEN: usize = 64 * 1024;
/// Footer length and magic at the end of every Parquet file.
pub const END_LEN: usize = 8;
const INDEX_SUM_DIGITS: usize = 32;
const NUMBER_DIGITS: usize = 16;

/// The identity of a warm file.
pub fn identity(dataset: DatasetId, file: u64) -> Identity {
    Identity { dataset, kind: KIND, file }
}

/// XXH3-128 of a part of the file that is checked whole; `part` sets the parts apart.
pub fn part_sum(id: &Identity, part: u64, bytes: &[u8]) -> u128 {
    let mut h = Hasher128::new();
    h.update(&id.block_seed(u64::MAX - part).to_le_bytes());
    h.update(bytes);
    h.finish()
}

/// The part that ends the file.
pub const FOOTER: u64 = 0;
/// The part between body and footer.
pub const INDEXES: u64 = 1;

/// The checksums in a footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// XXH3-128 of the indexes.
    pub index_sum: u128,
    /// Length of the body.
    pub body_len: u64,
    /// Sum of each block of the body.
    pub sums: Vec<u64>,
}

impl Blocks {
    /// The text of the footer's key.
    pub fn to_text(&self) -> String {
        let mut text = format!("{:032x}{:016x}", self.index_sum, self.body_len);
        self.sums.iter().for_each(|s| text.push_str(&format!("{s:016x}")));
        text
    }

    /// Reads the text. `None` when it is not as written.
    pub fn parse(text: &str) -> Option<Blocks> {
        if !text.bytes().all(|b| b.is_ascii_hexdigit()) || text.len() < INDEX_SUM_DIGITS + NUMBER_DIGITS {
            return None;
        }
        let (index, rest) = text.split_at(INDEX_SUM_DIGITS);
        let (body, rest) = rest.split_at(NUMBER_DIGITS);
        let body_len = u64::from_str_radix(body, 16).ok()?;
        let blocks = body_len.div_ceil(BLOCK_LEN as u64);
        if rest.len() as u64 != blocks.checked_mul(NUMBER_DIGITS as u64)? {
            return None;
        }
        let (digits, _) = rest.as_bytes().as_chunks::<NUMBER_DIGITS>();
        let sums = digits.iter().map(|d| u64::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok());
        Some(Blocks {
            index_sum: u128::from_str_radix(index, 16).ok()?,
            body_len,
            sums: sums.collect::<Option<Vec<u64>>>()?,
        })
    }

    /// Where, in a text as written, the sum of the indexes stands.
    pub fn index_sum_digits() -> std::ops::Range<usize> {
        0..INDEX_SUM_DIGITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_goes_both_ways_and_wrong_ones_are_refused() {
        let b =
            Blocks { index_sum: 7 << 100, body_len: 2 * BLOCK_LEN as u64 + 1, sums: vec![1, u64::MAX, 3] };
        let text = b.to_text();
        assert_eq!(Blocks::parse(&text), Some(b));
        for n in 0..text.len() {
            assert_eq!(Blocks::parse(&text[..n]), None);
        }
        assert_eq!(Blocks::parse(&text.replace('7', "é")), None);
        assert_eq!(Blocks::parse(&format!("{:032x}{:016x}", 0, u64::MAX)), None);
    }
}
