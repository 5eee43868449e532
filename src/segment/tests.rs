use super::*;
use crate::error::{Code, Result};
use crate::format::container::{Expect, Finished, Kind};
use crate::model::{Key, VectorSource};
use crate::points::Origin;
use std::path::Path;

const ID: crate::format::DatasetId = [3; 16];

fn spec(dim: usize, tolerance: f64) -> Spec {
    Spec { dataset: ID, id: 7, dim, keyframe_interval: 4, tolerance }
}

/// Entities of different lengths; of each step a tenth of the dimensions move.
fn rows(dim: usize) -> Vec<(Key, Vec<f32>, String, usize)> {
    let mut out = Vec::new();
    for entity in 0..40u64 {
        let mut x: Vec<f32> =
            (0..dim).map(|d| ((entity as usize * 31 + d * 7) % 97) as f32 * 0.01 - 0.4).collect();
        for i in 0..(1 + entity % 13) as i64 {
            if i % 5 == 4 {
                x.iter_mut().for_each(|v| *v = -*v * 1.01);
            } else {
                x.iter_mut().skip(i as usize % 10).step_by(10).for_each(|v| *v += 0.001);
            }
            let meta = if entity % 3 == 0 { String::new() } else { format!("{{\"i\":{i},\"e\":{entity}}}") };
            out.push((Key { entity: entity * 3, t: i * 1000 - 5 }, x.clone(), meta, (entity % 2) as usize));
        }
    }
    out
}

fn write(dim: usize, tolerance: f64) -> (Vec<u8>, Expect) {
    let origins = [
        Origin { source: "a".into(), model: "m@1".into() },
        Origin { source: "b".into(), model: String::new() },
    ];
    let mut w = SegmentWriter::in_memory(spec(dim, tolerance)).unwrap();
    for (i, (key, x, meta, o)) in rows(dim).iter().enumerate() {
        w.push(*key, x, meta, &origins[*o], 100 + i as u64, None).unwrap();
    }
    let (Finished::Memory(bytes), written) = w.finish().unwrap() else { panic!() };
    (bytes, Expect { kind: Kind::Segment, dataset: ID, id: 7, seal: written.seal })
}

fn open(bytes: &[u8], e: &Expect, dim: usize) -> Result<Segment> {
    Segment::from_memory(Path::new("seg"), bytes, e, dim)
}

#[test]
fn every_row_comes_back() {
    for (dim, tolerance) in [(1, 0.0), (3, 0.0), (64, 0.0), (64, 1e-4), (65, 1e-7)] {
        let (bytes, e) = write(dim, tolerance);
        let s = open(&bytes, &e, dim).unwrap();
        s.verify().unwrap();
        let want = rows(dim);
        assert_eq!(s.rows(), want.len());
        let mut buffer = Vec::new();
        for (i, (key, x, meta, o)) in want.iter().enumerate() {
            assert_eq!(s.key(i), *key);
            assert_eq!(s.row_of(*key), Some(i));
            assert_eq!(s.seq(i), 100 + i as u64);
            assert_eq!(s.meta(i).unwrap(), *meta);
            assert_eq!(s.origin(i).source, ["a", "b"][*o]);
            let got = s.vectors(i..i + 1, &mut buffer).unwrap();
            for (a, b) in got.iter().zip(x) {
                assert!((f64::from(*a) - f64::from(*b)).abs() <= tolerance, "{a} {b}");
            }
            let mut scratch = Vec::new();
            assert!(s.same_content(i, x, meta, &mut scratch).unwrap());
            assert!(!s.same_content(i, x, "{\"other\":1}", &mut scratch).unwrap());
            let mut other = x.clone();
            other[dim - 1] += 1e-3;
            assert!(!s.same_content(i, &other, meta, &mut scratch).unwrap());
        }
        // Any run of rows equals the rows one by one.
        let mut all = Vec::new();
        let whole = s.vectors(0..s.rows(), &mut all).unwrap().to_vec();
        for start in 0..s.rows() {
            let end = (start + 9).min(s.rows());
            assert_eq!(s.vectors(start..end, &mut buffer).unwrap(), &whole[start * dim..end * dim]);
        }
        // A hash stands in for an original that is gone, and for no other.
        for (i, (_, x, ..)) in want.iter().enumerate() {
            let stored = s.vectors(i..i + 1, &mut buffer).unwrap();
            let kept = stored.iter().zip(x).all(|(a, b)| a.to_bits() == b.to_bits());
            assert_eq!(s.original_hash(i).unwrap().is_none(), kept);
        }
        assert_eq!(s.row_of(Key { entity: 1, t: -5 }), None);
        assert_eq!(s.row_of(Key { entity: 0, t: 6 }), None);
    }
}

#[test]
fn deltas_make_it_smaller_and_full_change_leaves_a_plain_matrix() {
    let (bytes, e) = write(64, 0.0);
    let s = open(&bytes, &e, 64).unwrap();
    assert!(s.vector_bytes() < s.rows() as u64 * 64 * 4 * 3 / 5, "{}", s.vector_bytes());
    let mut w = SegmentWriter::in_memory(spec(4, 0.0)).unwrap();
    for i in 0..50 {
        let x: Vec<f32> = (0..4).map(|d| ((i * 4 + d) as f32).sin()).collect();
        w.push(Key { entity: 1, t: i64::from(i) }, &x, "", &Origin::default(), u64::MAX - 1, None).unwrap();
    }
    let (Finished::Memory(bytes), written) = w.finish().unwrap() else { panic!() };
    let s = open(&bytes, &Expect { seal: written.seal, ..e }, 4).unwrap();
    assert_eq!(s.vector_bytes(), 50 * 16);
    assert_eq!(s.seq(3), u64::MAX - 1);
}

#[test]
fn rows_out_of_order_are_refused() {
    let mut w = SegmentWriter::in_memory(spec(1, 0.0)).unwrap();
    let mut push = |entity, t| w.push(Key { entity, t }, &[1.0], "", &Origin::default(), 0, None);
    push(1, 5).unwrap();
    assert!(push(1, 5).is_err());
    assert!(push(0, 9).is_err());
    push(1, 6).unwrap();
    push(2, -9).unwrap();
}

#[test]
fn damage_is_named_and_never_served() {
    let (bytes, e) = write(16, 1e-5);
    let mut bad = bytes.clone();
    for i in 0..bytes.len() {
        bad[i] ^= 1 << (i % 8);
        match open(&bad, &e, 16).and_then(|s| s.verify()) {
            Err(e) => assert!(matches!(e.code(), Code::Damaged | Code::Version), "byte {i}: {e}"),
            Ok(()) => panic!("byte {i} was not noticed"),
        }
        bad[i] = bytes[i];
    }
    for n in (0..bytes.len()).step_by(7) {
        assert!(open(&bytes[..n], &e, 16).is_err());
    }
    assert!(open(&bytes, &e, 17).is_err());
}

/// A table of metadata without its first block, which no writer makes: nothing is counted below zero.
#[test]
fn a_table_of_metadata_begins_with_the_first_row() {
    use crate::format::container::{PAGE, Writer};
    let (bytes, e) = write(3, 0.0);
    let whole = open(&bytes, &e, 3).unwrap();
    let sections = [
        (HEAD, 1),
        (ENTITIES, 8),
        (RUNS, 4),
        (TIMES, 8),
        (SEQS, 4),
        (NORMS, 4),
        (ORIGIN, 4),
        (ORIGINS, 1),
        (PLACES, 4),
        (WHOLE, 4),
        (DELTAS, 1),
        (META_TABLE, 24),
        (META_DATA, 1),
    ];
    for cut in [0, 24] {
        let mut w = Writer::in_memory(Kind::Segment, ID, 7).unwrap();
        for (tag, elem) in sections {
            let Some(range) = whole.container().section(tag) else { continue };
            w.section(tag, elem, PAGE).unwrap();
            let from = range.start + if tag == META_TABLE { cut } else { 0 };
            w.write(whole.container().bytes(from..range.end).unwrap()).unwrap();
        }
        let (Finished::Memory(bytes), seal) = w.finish().unwrap() else { panic!() };
        let opened = open(&bytes, &Expect { seal, ..e }, 3);
        match cut {
            0 => assert_eq!(opened.unwrap().meta(30).unwrap(), whole.meta(30).unwrap()),
            _ => assert_eq!(opened.err().map(|e| e.code()), Some(Code::Damaged)),
        }
    }
}
