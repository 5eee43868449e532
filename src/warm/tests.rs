//! Warm files as a whole: round trips, look-ups, how columns are stored, and damage.

use super::*;
use crate::error::{Code, Result};
use crate::fsio::{Bytes, TempFile};
use crate::model::{Key, TimeRange};
use crate::points::{KeptPoints, Origin, Summary, Texts};
use parquet::basic::{Compression, Encoding};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::path::Path;
use std::slice::from_ref;

const DATASET: [u8; 16] = [3; 16];

/// `per` rows for each of the entities, with uneven values.
fn rows(entities: &[u64], per: usize, dim: usize) -> KeptPoints {
    let mut r = KeptPoints::new(dim);
    let origins = [
        r.points.intern(&Origin { source: "a.csv".into(), model: "m@1".into() }),
        r.points.intern(&Origin { source: "b.csv".into(), model: String::new() }),
    ];
    for (e, entity) in entities.iter().enumerate() {
        for i in 0..per {
            let n = e * per + i;
            let v: Vec<f32> = (0..dim).map(|d| ((n * 31 + d * 17) as f32 * 0.37).sin()).collect();
            let t = i as i64 * 1_000_003 - 5_000_000;
            let meta = if n % 3 == 0 { String::new() } else { format!("{{\"n\":{n},\"é\":\"ü\"}}") };
            r.points.push(Key { entity: *entity, t }, &v, &meta, origins[n % 2]);
            r.seq.push((n * 7919 % 1_000_000) as u64);
            r.original.push((n % 5 == 0).then_some(n as u128 + (7 << 90)));
        }
    }
    r
}

struct Written {
    bytes: Vec<u8>,
    expect: Expect,
    summary: Summary,
}

fn write(all: &KeptPoints, named: bool, batch: usize) -> Written {
    let dir = tempfile::tempdir().unwrap();
    let file = TempFile::create(dir.path().join("f")).unwrap();
    let dim = all.points.dim;
    let mut w = WarmWriter::create(file, DATASET, 7, dim, named).unwrap();
    for start in (0..all.len()).step_by(batch) {
        let end = (start + batch).min(all.len());
        let mut part = KeptPoints::new(dim);
        part.points.origins = all.points.origins.clone();
        let mut names = Texts::new();
        for i in start..end {
            part.points.push(
                all.points.key(i),
                all.points.row(i),
                all.points.meta.get(i),
                all.points.origin[i],
            );
            part.seq.push(all.seq[i]);
            part.original.push(all.original[i]);
            names.push(&format!("entity {}", all.points.entity[i]));
        }
        w.write(&part, named.then_some(&names)).unwrap();
    }
    let (file, seal, summary) = w.finish().unwrap();
    let bytes = std::fs::read(file.path()).unwrap();
    assert_eq!(bytes.len() as u64, seal.len);
    let expect = Expect { dataset: DATASET, id: 7, seal, rows: all.len() as u64, dim, named };
    Written { bytes, expect, summary }
}

fn open(bytes: &[u8], expect: &Expect) -> Result<WarmFile> {
    WarmFile::from_bytes(Path::new("f.parquet"), Bytes::from_vec(bytes), expect)
}

fn same(a: &KeptPoints, b: &KeptPoints) {
    assert_eq!((a.len(), &a.seq, &a.original), (b.len(), &b.seq, &b.original));
    assert_eq!(
        (&a.points.entity, &a.points.t, &a.points.meta),
        (&b.points.entity, &b.points.t, &b.points.meta)
    );
    assert!(a.points.x.iter().map(|v| v.to_bits()).eq(b.points.x.iter().map(|v| v.to_bits())));
    for i in 0..a.len() {
        let origin = |r: &KeptPoints| r.points.origins[r.points.origin[i] as usize].clone();
        assert_eq!(origin(a), origin(b));
    }
}

#[test]
fn rows_come_back_whatever_the_batches() {
    let all = rows(&[0, 3, 4, u64::MAX], 700, 5);
    for named in [false, true] {
        let w = write(&all, named, 333);
        let f = open(&w.bytes, &w.expect).unwrap();
        same(&f.read(from_ref(&(0..f.rows())), Columns::ALL).unwrap(), &all);
        assert_eq!(f.verify().unwrap(), w.summary);
        assert_eq!(w.summary.rows, 2800);
        assert_eq!(w.bytes, write(&all, named, 333).bytes);
    }
}

#[test]
fn an_empty_file_is_a_file() {
    let w = write(&KeptPoints::new(3), false, 1);
    let f = open(&w.bytes, &w.expect).unwrap();
    assert!(f.read(&[], Columns::ALL).unwrap().is_empty());
    assert_eq!(f.verify().unwrap(), Summary::default());
    assert_eq!(f.find(1, &TimeRange::ALL).unwrap(), 0..0);
}

#[test]
fn an_entity_is_found_with_its_times() {
    let entities: Vec<u64> = (0..40).map(|i| i * 10).collect();
    let all = rows(&entities, 130, 4);
    let w = write(&all, false, 5000);
    let f = open(&w.bytes, &w.expect).unwrap();
    for (e, entity) in entities.iter().enumerate() {
        let start = e as u64 * 130;
        assert_eq!(f.find(*entity, &TimeRange::ALL).unwrap(), start..start + 130);
        assert!(f.find(entity + 1, &TimeRange::ALL).unwrap().is_empty());
        let t = all.points.t[e * 130 + 50];
        assert_eq!(f.find(*entity, &TimeRange::half_open(None, Some(t))).unwrap(), start..start + 50);
        assert_eq!(f.find(*entity, &TimeRange::closed(t, t)).unwrap(), start + 50..start + 51);
        assert!(f.find(*entity, &TimeRange::EMPTY).unwrap().is_empty());
    }
    let runs = f.runs().unwrap();
    assert!(runs.iter().enumerate().all(|(i, (e, r))| *e == entities[i] && r.end - r.start == 130));
    assert_eq!(runs.len(), 40);
}

#[test]
fn any_ranges_can_be_read_in_any_batches() {
    let all = rows(&[1, 2], 2500, 3);
    let w = write(&all, false, 1000);
    let f = open(&w.bytes, &w.expect).unwrap();
    for ranges in [vec![0..1, 1..2, 4999..5000], vec![17..17, 100..2100, 2500..2501], vec![]] {
        let mut got = Vec::new();
        for batch in f.scan(&ranges, Columns::VECTORS, 97).unwrap() {
            let batch = batch.unwrap();
            assert!(batch.len() <= 97);
            got.extend(batch.points.x);
        }
        let want = ranges.iter().flat_map(|r| &all.points.x[r.start as usize * 3..r.end as usize * 3]);
        assert!(got.iter().eq(want));
    }
    let keys = f.read(from_ref(&(5..9)), Columns::KEYS).unwrap();
    assert_eq!((keys.points.t.as_slice(), keys.points.x.len()), (&all.points.t[5..9], 0));
    for (a, b) in [(3..4, 2..3), (0..1, 4999..5001), (5..6, 0..1)] {
        assert!(f.scan(&[a, b], Columns::KEYS, 10).is_err());
    }
}

#[test]
fn columns_are_stored_as_meant() {
    let dim = 384;
    let all = rows(&[1, 2, 3], 100, dim);
    let w = write(&all, true, 300);
    let r = SerializedFileReader::new(bytes::Bytes::from(w.bytes.clone())).unwrap();
    let group = r.metadata().row_group(0);
    let column = |name: &str| {
        group.columns().iter().find(|c| c.column_path().string() == name).unwrap_or_else(|| panic!("{name}"))
    };
    let vector = column("vector.list.item");
    assert!(vector.encodings().any(|e| e == Encoding::BYTE_STREAM_SPLIT));
    assert!(!vector.encodings().any(|e| e == Encoding::PLAIN || e == Encoding::RLE_DICTIONARY));
    assert!(vector.statistics().is_none());
    for name in ["entity_id", "timestamp", "seq"] {
        assert!(column(name).encodings().any(|e| e == Encoding::DELTA_BINARY_PACKED), "{name}");
        assert!(column(name).statistics().is_some() && column(name).column_index_offset().is_some());
    }
    assert!(matches!(vector.compression(), Compression::ZSTD(_)));
    assert!(column("entity_id").bloom_filter_offset().is_some());
    assert_eq!(group.sorting_columns().map(|s| s.iter().map(|c| c.column_idx).collect()), Some(vec![0, 2]));
    // 128 KiB a page: 85 rows of 1,536 bytes.
    let f = open(&w.bytes, &w.expect).unwrap();
    assert_eq!(f.vector_pages(0).len(), 300usize.div_ceil(85));
}

#[test]
fn rows_out_of_order_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = TempFile::create(dir.path().join("f")).unwrap();
    let mut w = WarmWriter::create(file, DATASET, 7, 3, false).unwrap();
    let r = rows(&[5], 10, 3);
    w.write(&r, None).unwrap();
    assert_eq!(w.write(&r, None).unwrap_err().code(), Code::Internal);
}

#[test]
fn a_failed_write_names_path_and_operation() {
    use crate::fsio::fault::{Mode, arm};
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let r = rows(&[5], 3000, 64);
    let _armed = arm(&root, 3, Mode::FromThere, false);
    let file = TempFile::create(root.join("f")).unwrap();
    let mut w = WarmWriter::create(file, DATASET, 7, 64, false).unwrap();
    let e = w.write(&r, None).and_then(|()| w.finish().map(|_| ())).unwrap_err();
    assert_eq!(e.code(), Code::Io);
    assert!(e.place().file.is_some(), "{e}");
}

#[test]
fn flipped_and_cut_bytes_are_found() {
    let all = rows(&[1, 2, 3], 60, 40);
    let w = write(&all, true, 100);
    let read_all = |b: &[u8]| -> Result<()> {
        let f = open(b, &w.expect)?;
        f.verify().map(|_| ())
    };
    read_all(&w.bytes).unwrap();
    let mut bad = w.bytes.clone();
    let n = bad.len();
    for i in (0..n).filter(|i| i % 37 == 0 || *i < 8 || i + 60 > n) {
        bad[i] ^= 1 << (i % 8);
        assert_eq!(read_all(&bad).map_err(|e| e.code()), Err(Code::Damaged), "byte {i} of {n}");
        bad[i] = w.bytes[i];
    }
    for cut in (0..n).step_by(41) {
        assert_eq!(open(&w.bytes[..cut], &w.expect).map(|_| ()).map_err(|e| e.code()), Err(Code::Damaged));
    }
}

#[test]
fn another_files_bytes_are_refused() {
    let w = write(&rows(&[1], 20, 3), false, 100);
    let e = w.expect;
    for bad in [
        Expect { id: 8, ..e },
        Expect { dataset: [4; 16], ..e },
        Expect { rows: 21, ..e },
        Expect { dim: 4, ..e },
        Expect { named: true, ..e },
    ] {
        assert_eq!(open(&w.bytes, &bad).map(|_| ()).map_err(|e| e.code()), Err(Code::Damaged), "{bad:?}");
    }
}

/// The file with its checksums made to hold again.
fn sealed_again(bytes: &mut [u8], text: std::ops::Range<usize>, expect: Expect) -> Expect {
    let id = seal::identity(expect.dataset, expect.id);
    let old = std::str::from_utf8(&bytes[text.clone()]).ok().and_then(seal::Blocks::parse).unwrap();
    let end = bytes.len();
    let footer_len = u32::from_le_bytes(*bytes[..end - 4].last_chunk().unwrap()) as usize;
    let footer = end - seal::END_LEN - footer_len;
    let body = old.body_len as usize;
    let sums = bytes[..body].chunks(seal::BLOCK_LEN).enumerate();
    let sums = sums.map(|(i, block)| id.block_sum(i as u64, block)).collect();
    let index_sum = seal::part_sum(&id, seal::INDEXES, &bytes[body..footer]);
    let blocks = seal::Blocks { index_sum, body_len: old.body_len, sums };
    bytes[text].copy_from_slice(blocks.to_text().as_bytes());
    let root = seal::part_sum(&id, seal::FOOTER, &bytes[footer..]);
    Expect { seal: crate::format::container::Seal { root, ..expect.seal }, ..expect }
}

/// Found by fuzzing: the Parquet decoder subtracts below zero on a page that ends early.
#[test]
fn forged_files_whose_checksums_hold_never_panic() {
    let all = rows(&[1, 2, 3], 40, 4);
    let w = write(&all, false, 100);
    let read_all = |b: &[u8], expect: &Expect| open(b, expect)?.verify().map(|_| ());
    let meta = SerializedFileReader::new(bytes::Bytes::from(w.bytes.clone())).unwrap();
    let values = meta.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let text = values.into_iter().find(|kv| kv.key == seal::KEY).unwrap().value.unwrap();
    let at = w.bytes.windows(text.len()).rposition(|b| b == text.as_bytes()).unwrap();
    let place = at..at + text.len();
    let body = seal::Blocks::parse(&text).unwrap().body_len as usize;
    let mut bad = w.bytes.clone();
    assert_eq!(sealed_again(&mut bad, place.clone(), w.expect).seal, w.expect.seal);
    let mut refused = 0;
    for i in 4..body {
        for value in [0, 1, bad[i] ^ 0x80, 0xff] {
            bad[i] = value;
            let expect = sealed_again(&mut bad, place.clone(), w.expect);
            refused += usize::from(read_all(&bad, &expect).is_err());
        }
        bad[i] = w.bytes[i];
    }
    assert!(refused > body, "{refused} of {body} bytes");
}
