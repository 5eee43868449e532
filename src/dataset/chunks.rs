//! Decoded pieces of warm and cold files, kept for the next reader, bounded in bytes.

use crate::error::Result;
use crate::points::Texts;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Bytes kept, about.
const LIMIT_BYTES: usize = 64 << 20;

/// What a piece holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    Vectors,
    Texts,
}

/// Names a piece: file, what of it, first row.
pub(super) type Name = (u64, What, usize);

/// A decoded run of rows.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Its first row in the file.
    pub(super) first: usize,
    /// Vectors, row-major; empty when it holds texts.
    pub(super) x: Vec<f32>,
    /// `1 / |x|` of each vector.
    pub(super) inverse_norms: Vec<f32>,
    /// Metadata texts.
    pub(super) texts: Texts,
}

impl Chunk {
    fn size_bytes(&self) -> usize {
        4 * (self.x.len() + self.inverse_norms.len()) + self.texts.size_bytes() + 8 * self.texts.len() + 64
    }
}

/// The pieces of all parts of a version. When full, those not used since the last clearing go.
#[derive(Debug, Default)]
pub(super) struct Chunks(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// Each with the round of its last use.
    chunks: HashMap<Name, (Arc<Chunk>, u64)>,
    bytes: usize,
    round: u64,
}

impl Chunks {
    /// A piece, decoded by `decode` when it is not here.
    pub(super) fn get(&self, name: Name, decode: impl FnOnce() -> Result<Chunk>) -> Result<Arc<Chunk>> {
        let lock = || self.0.lock().unwrap_or_else(|e| e.into_inner());
        {
            let held = &mut *lock();
            held.round += 1;
            if let Some((chunk, used)) = held.chunks.get_mut(&name) {
                *used = held.round;
                return Ok(chunk.clone());
            }
        }
        // Two threads may decode the same piece; the lock is not held meanwhile.
        let chunk = Arc::new(decode()?);
        let held = &mut *lock();
        held.bytes += chunk.size_bytes();
        if let Some((old, _)) = held.chunks.insert(name, (chunk.clone(), held.round)) {
            held.bytes -= old.size_bytes();
        }
        if held.bytes > LIMIT_BYTES {
            held.shrink();
        }
        Ok(chunk)
    }
}

impl Held {
    /// Lets the least recently used go until half of the room is free.
    fn shrink(&mut self) {
        let mut by_use: Vec<(u64, Name)> = self.chunks.iter().map(|(n, (_, used))| (*used, *n)).collect();
        by_use.sort_unstable_by_key(|(used, _)| *used);
        for (_, name) in by_use {
            if self.bytes <= LIMIT_BYTES / 2 {
                break;
            }
            if let Some((chunk, _)) = self.chunks.remove(&name) {
                self.bytes -= chunk.size_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let chunks = Chunks::default();
        let make = |v: usize| Ok(Chunk { first: v, x: vec![v as f32; 1 << 18], ..Chunk::default() });
        for i in 0..200 {
            assert_eq!(chunks.get((1, What::Vectors, i), || make(i)).unwrap().first, i);
            // Piece 0 is asked for all the time, so it is decoded once.
            let first = chunks.get((1, What::Vectors, 0), || panic!("decoded again")).unwrap();
            assert_eq!(first.x[0], 0.0);
            assert!(chunks.0.lock().unwrap().bytes <= LIMIT_BYTES);
        }
        assert!(chunks.get((1, What::Texts, 0), || make(7)).unwrap().first == 7);
    }
}
