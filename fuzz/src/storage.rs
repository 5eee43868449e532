//! Manifest, log, segment, dictionary and index part.

use crate::{dataset_at, dir, expect, file, nowhere, u64_at};
use cvx::format::container::{Container, Kind};
use cvx::fsio::Bytes;
use cvx::index::{Check, Filter, Part, Query, Stats};
use cvx::model::TimeRange;

/// Rows of a file that are looked at one by one.
const ROWS: usize = 64;

/// A manifest; what decodes must encode to the same bytes.
pub fn manifest(bytes: &[u8]) {
    let Ok((manifest, _)) = cvx::manifest::Manifest::decode(bytes) else { return };
    if manifest.check().is_err() {
        return;
    }
    for file in &manifest.files {
        let _ = manifest.path_of(file);
        let _ = manifest.label_of(file);
    }
    let (again, _) = manifest.encode();
    let body = |b: &[u8]| b[6..b.len() - 16].to_vec();
    // The version is that of the encoder, the checksum that of the bytes.
    assert!(body(&again) == body(bytes), "decoding and encoding gives other bytes");
}

/// A log file.
pub fn log(bytes: &[u8]) {
    file("wal/0000000007.wal", bytes);
    let (dataset, first_seq) = (dataset_at(bytes, 16), u64_at(bytes, 40));
    let id = cvx::wal::LogId { dataset, file: 7, dim: 4, first_seq };
    if let Ok(log) = cvx::wal::read(dir(), &id) {
        let _ = log.rows();
    }
}

/// The rows of one frame of a log.
pub fn batch(bytes: &[u8]) {
    if let Ok(batch) = cvx::wal::Batch::decode(bytes, 4) {
        let _ = batch.encode();
    }
}

/// A hot segment.
pub fn segment(bytes: &[u8]) {
    let expect = expect(bytes, Kind::Segment);
    let Ok(segment) = cvx::segment::Segment::from_memory(nowhere(), bytes, &expect, 4) else { return };
    let _ = segment.check_written();
    let sound = segment.verify().is_ok();
    for i in 0..segment.rows().min(ROWS) {
        let _ = segment.meta(i);
        let _ = segment.original_hash(i);
        if sound {
            let _ = segment.seq(i);
            let _ = segment.origin(i);
            let _ = segment.run_of(i);
        }
    }
}

/// A dictionary of names.
pub fn dictionary(bytes: &[u8]) {
    let path = file("names.dict", bytes);
    let Ok(names) = cvx::dict::DictFile::open(&path, &expect(bytes, Kind::Dictionary)) else { return };
    let _ = names.verify();
    let _ = names.all();
    let _ = names.names().map(Iterator::count);
    let _ = names.name(1);
}

/// A part of an index: opened, checked and searched.
pub fn index(bytes: &[u8]) {
    let expect = expect(bytes, Kind::Index);
    let container = Container::from_bytes(nowhere(), Bytes::from_vec(bytes), &expect);
    let Ok(part) = container.and_then(Part::from_container) else { return };
    let _ = part.verify();
    for check in [Check::Lazy, Check::Whole] {
        let Ok(mut reader) = part.reader(check) else { continue };
        for as_of in [None, Some(i64::MAX / 2)] {
            let filter = Filter { range: TimeRange::ALL, as_of, ..Filter::default() };
            if let Ok(eligible) = reader.prepare(&filter) {
                let question = vec![0.5f32; part.dim()];
                let _ = reader.search(&Query::nearest(&question, 3), &eligible, None, &mut Stats::default());
            }
        }
        let _ = reader.states(5);
        let _ = reader.key(0);
        let _ = reader.vector(0);
    }
}
