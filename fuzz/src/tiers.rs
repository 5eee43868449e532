//! Warm files, cold blocks and their codebooks.

use crate::{expect, nowhere};
use cvx::cold::{ColdBlock, Place, Store};
use cvx::format::container::{Kind, Seal};
use cvx::fsio::Bytes;
use cvx::model::TimeRange;
use cvx::pq::Quantizer;
use cvx::warm::{Columns, WarmFile};
use std::sync::Arc;

/// A codebook.
pub fn codebook(bytes: &[u8]) {
    if let Ok(quantizer) = cvx::cold::read_codebook(nowhere(), bytes, &expect(bytes, Kind::Codebook)) {
        let _ = quantizer.codec();
    }
}

/// A cold block, read as far as a codec without a codebook allows.
pub fn cold(bytes: &[u8]) {
    let store = Arc::new(Store::in_memory().expect("a store in memory"));
    if bytes.is_empty() || store.put("o", bytes.to_vec()).is_err() {
        return;
    }
    let place = Place { store, cache: None, name: "o".into() };
    let Ok(block) = ColdBlock::open(place, &expect(bytes, Kind::ColdBlock)) else { return };
    let (codec, rows) = (block.head().codec, block.rows());
    if rows > 5000 || block.head().dim > 64 {
        return;
    }
    let _ = (block.keys(), block.table(0..rows), block.metas(0..rows));
    let _ = (block.hashes(0..rows), block.seqs(0..rows));
    if let Ok(quantizer) = Quantizer::train(codec, block.head().dim, &[], 0) {
        let mut out = Vec::new();
        let _ = block.decode(&quantizer, 0..rows, &mut out);
        let _ = block.verify(Some(&quantizer));
        let _ = block.read(0..rows, Some(&quantizer));
    }
    let _ = block.verify(None);
}

/// A warm file: of 40 points with 4 components, ids that are numbers.
pub fn warm(bytes: &[u8]) {
    let seal = Seal { len: bytes.len() as u64, root: 0 };
    let expect = cvx::warm::Expect { dataset: [7; 16], id: 3, seal, rows: 40, dim: 4, named: false };
    let Ok(warm) = WarmFile::from_bytes(nowhere(), Bytes::from_vec(bytes), &expect) else { return };
    let _ = warm.check_all();
    let _ = warm.verify();
    let _ = warm.runs();
    let _ = warm.find(1, &TimeRange::ALL);
    let _ = warm.read(&[0..warm.rows().min(500)], Columns::ALL);
}
