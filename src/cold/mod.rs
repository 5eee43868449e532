//! Cold blocks: old points as compact codes, in a local directory or an object store.
//!
//! Owns `bucket=HHHH/PERIOD.ID.pqvec` and `codebook-ID.pqcb` below a cold target. Both are
//! containers (`format::container`). A block holds codes in chunks of
//! [`pq::CHUNK_ROWS`](crate::pq::CHUNK_ROWS) rows, then the columns of the keys, so that one
//! read near the end gives all that a look-up needs without the codes; it names codec and
//! codebook. See `block` for the sections.
//!
//! A [`Store`] is where objects lie; reads go by ranges of whole checksummed blocks, through
//! a bounded [`Cache`] on the local disk where the store is remote.

mod block;
mod cache;
mod codebook;
mod head;
mod knn;
mod remote;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use block::{ColdBlock, Keys};
pub use cache::Cache;
pub use codebook::{read_codebook, write_codebook};
pub use head::Head;
pub use knn::{Candidate, Search};
pub use remote::Place;
pub use store::Store;
pub use writer::{BlockWriter, Written};
