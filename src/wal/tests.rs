use super::frame::{encode_frame, encode_header};
use super::reader::parse;
use super::*;
use crate::error::Code;
use crate::model::Key;
use crate::points::{Origin, Points};
use std::path::Path;

const ID: LogId = LogId { dataset: [5; 16], file: 12, dim: 3, first_seq: 40 };

fn batch(n: usize, salt: u64) -> Batch {
    let mut points = Points::new(3);
    let origin = points.intern(&Origin { source: "s".into(), model: String::new() });
    for i in 0..n as u64 {
        let v = (i + salt) as f32;
        points.push(
            Key { entity: i * salt, t: -(i as i64) },
            &[v, -v, 0.5],
            if i % 2 == 0 { "" } else { "{}" },
            origin,
        );
    }
    let names = vec![NewName { id: salt, name: format!("name {salt}") }];
    Batch { names, replaces: (0..n).map(|i| i % 3 == 0).collect(), points }
}

/// A log of three frames, with the offset of each frame's end.
fn sample() -> (Vec<u8>, Vec<usize>, Vec<Batch>) {
    let mut bytes = encode_header(&ID);
    let (mut ends, mut seq) = (vec![bytes.len()], ID.first_seq);
    let batches: Vec<Batch> = (1..4).map(|i| batch(i * 2, i as u64)).collect();
    for b in &batches {
        let rows = b.points.len() as u32;
        let frame = encode_frame(&ID, bytes.len() as u64, seq, rows, &b.encode());
        bytes.extend_from_slice(&frame);
        ends.push(bytes.len());
        seq += u64::from(rows);
    }
    (bytes, ends, batches)
}

fn read_back(bytes: &[u8]) -> crate::Result<Log> {
    parse(Path::new("wal"), bytes, &ID)
}

#[test]
fn written_batches_are_read_back() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("wal")).unwrap();
    let mut w = LogWriter::create(dir.path(), ID).unwrap();
    assert!(w.is_empty());
    let batches = [batch(4, 1), batch(1, 2)];
    for b in &batches {
        w.append(b).unwrap();
    }
    assert_eq!(w.next_seq(), 45);
    let log = read(dir.path(), &ID).unwrap();
    assert_eq!(log.torn, 0);
    assert_eq!(log.batches, vec![(40, batches[0].clone()), (44, batches[1].clone())]);
}

#[test]
fn cut_at_every_byte_leaves_the_whole_frames() {
    let (bytes, ends, batches) = sample();
    for n in HEADER_LEN..=bytes.len() {
        let log = read_back(&bytes[..n]).unwrap();
        let whole = ends.iter().filter(|e| **e <= n).count() - 1;
        assert_eq!(log.batches.len(), whole, "cut at {n}");
        assert!(log.batches.iter().map(|(_, b)| b).eq(&batches[..whole]));
        assert_eq!(log.torn as usize, n - ends[whole]);
    }
    for n in 0..HEADER_LEN {
        // The header is durable before a manifest names the log.
        assert_eq!(read_back(&bytes[..n]).unwrap_err().code(), Code::Damaged);
    }
}

#[test]
fn zeros_behind_the_last_frame_are_a_torn_write() {
    let (mut bytes, _, batches) = sample();
    bytes.resize(bytes.len() + 1000, 0);
    let log = read_back(&bytes).unwrap();
    assert_eq!((log.batches.len(), log.torn), (batches.len(), 1000));
}

#[test]
fn a_flip_is_damage_unless_it_is_in_the_last_frame() {
    let (bytes, ends, _) = sample();
    let mut bad = bytes.clone();
    for i in 0..bytes.len() {
        bad[i] ^= 1 << (i % 8);
        match read_back(&bad) {
            Err(e) => assert!(matches!(e.code(), Code::Damaged | Code::Version), "byte {i}"),
            // Only a crash leaves rows in the log, and then a torn last frame looks the same.
            Ok(log) => assert!(i >= ends[2] && log.batches.len() == 2 && log.torn > 0, "byte {i}"),
        }
        bad[i] = bytes[i];
    }
}

#[test]
fn a_missing_frame_and_a_foreign_one_are_damage() {
    let (bytes, ends, _) = sample();
    let mut gap = bytes[..ends[0]].to_vec();
    gap.extend_from_slice(&encode_frame(&ID, ends[0] as u64, 41, 2, &batch(2, 1).encode()));
    assert_eq!(read_back(&gap).unwrap_err().code(), Code::Damaged);
    let mut foreign = bytes[..ends[0]].to_vec();
    foreign.extend_from_slice(&encode_frame(&ID, 9999, 40, 2, &batch(2, 1).encode()));
    assert_eq!(read_back(&foreign).unwrap().batches.len(), 0, "a frame of another place is not taken");
    let lie = encode_frame(&ID, ends[0] as u64, 40, 3, &batch(2, 1).encode());
    assert_eq!(read_back(&[&bytes[..ends[0]], &lie].concat()).unwrap_err().code(), Code::Damaged);
    let other = LogId { first_seq: 41, ..ID };
    assert_eq!(parse(Path::new("wal"), &bytes, &other).unwrap_err().code(), Code::Damaged);
}

/// Bytes put into the log, or taken out of it, are damage as long as a whole frame follows: rows that were
/// acknowledged must not pass for a torn write.
#[test]
fn frames_that_moved_are_not_a_torn_end() {
    let (bytes, ends, _) = sample();
    for at in 0..=ends[2] {
        for n in [1, 3, 7, 8, 24, 64] {
            let mut longer = bytes.clone();
            longer.splice(at..at, vec![0xa5u8; n]);
            assert_eq!(read_back(&longer).unwrap_err().code(), Code::Damaged, "{n} bytes at {at}");
            let end = (at + n).min(ends[2] - 1);
            if at < end {
                let mut shorter = bytes.clone();
                shorter.drain(at..end);
                assert_eq!(read_back(&shorter).unwrap_err().code(), Code::Damaged, "without {at}..{end}");
            }
        }
    }
}
