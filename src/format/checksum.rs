//! Checksums that cover what the bytes are, not only their values.
//!
//! XXH3 for blocks and whole files, CRC-32C for log frames. They find accidents; there is
//! no promise against someone who can write the files.

use super::DatasetId;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed, xxh3_128};

/// What a file is: mixed into the checksum of each of its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The dataset it belongs to.
    pub dataset: DatasetId,
    /// The kind of file (`container::Kind` as a number).
    pub kind: u16,
    /// Its id, unique among all files ever written for the dataset.
    pub file: u64,
}

impl Identity {
    /// Seed for the block with this number.
    pub fn block_seed(&self, block: u64) -> u64 {
        let mut b = [0u8; 26];
        b[..16].copy_from_slice(&self.dataset);
        b[16..18].copy_from_slice(&self.kind.to_le_bytes());
        b[18..].copy_from_slice(&self.file.to_le_bytes());
        xxh3_64(&b).wrapping_add(block.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Checksum of block `block`.
    pub fn block_sum(&self, block: u64, bytes: &[u8]) -> u64 {
        xxh3_64_with_seed(bytes, self.block_seed(block))
    }
}

/// True when a checksum that was computed is the one that was stored. Builds for fuzzing take every
/// stored one: a fuzzer cannot guess a checksum, and would never get past the first.
pub fn holds<T: PartialEq>(computed: T, stored: T) -> bool {
    cfg!(fuzzing) || computed == stored
}

/// XXH3-64 of bytes, e.g. of an entity's name.
pub fn hash64(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// XXH3-128 of bytes.
pub fn hash128(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

/// XXH3-128 of a stream.
#[derive(Default, Clone)]
pub struct Hasher128(Xxh3);

impl std::fmt::Debug for Hasher128 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher128")
    }
}

impl Hasher128 {
    /// An empty stream.
    pub fn new() -> Self {
        Hasher128(Xxh3::new())
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum of all bytes so far.
    pub fn finish(&self) -> u128 {
        self.0.digest128()
    }
}

/// CRC-32C (Castagnoli) over several pieces in order.
pub fn crc32c(pieces: &[&[u8]]) -> u32 {
    let mut d = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    for p in pieces {
        d.update(p);
    }
    d.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(crc32c(&[b"1234", b"56789"]), 0xe306_9283);
        assert_eq!(hash64(b""), 0x2d06_8005_38d3_94c2);
    }

    #[test]
    fn a_block_elsewhere_has_another_sum() {
        let id = Identity { dataset: [1; 16], kind: 2, file: 3 };
        let other = Identity { file: 4, ..id };
        assert_ne!(id.block_sum(0, b"x"), id.block_sum(1, b"x"));
        assert_ne!(id.block_sum(0, b"x"), other.block_sum(0, b"x"));
    }
}
