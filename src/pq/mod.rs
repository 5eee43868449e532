//! Vector codecs of the cold tier: product quantisation with and without a learnt rotation,
//! RaBitQ, scalar codes, and a lossless one. Pure: no file, no clock, no global state.
//!
//! A [`Codec`] is the choice, as the user writes it; a [`Quantizer`] is the codec with what
//! it learnt from a sample (its codebook). Rows are coded in chunks of [`CHUNK_ROWS`]; a
//! chunk decodes, and answers inner products, without its neighbours. The same sample and
//! seed give the same bytes, whatever the number of threads and the instruction set.

mod codec;
mod drift;
mod error;
mod fastscan;
mod hadamard;
mod kmeans;
mod lossless;
mod matrix;
mod nearest;
mod opq;
mod product;
mod quantizer;
mod rabitq;
mod random;
mod scalar;
#[cfg(test)]
mod tests;

pub use codec::Codec;
pub use drift::Drift;
pub use error::{ErrorStats, relative_errors};
pub use fastscan::Piece;
pub use quantizer::{CHUNK_ROWS, Parts, Quantizer, Query};
