//! `cvx ingest --detect`: changes told while points come in.

use crate::{cvx, failure};
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// JSON lines of `a` and `b`, days `range` of 2024; `a` jumps at day 120.
fn points(range: std::ops::Range<u64>) -> String {
    let noise = |e: u64, i: u64, d: u64| (cvx::dataset::entity_hash(e << 32 | i << 8 | d) >> 40) as f64 / 5e6;
    let mut out = String::new();
    // Backwards, and one entity after the other: within a batch the order does not matter.
    for (e, name) in ["a", "b"].iter().enumerate() {
        for i in range.clone().rev() {
            let jump = if e == 0 && i >= 120 { 9.0 } else { 0.0 };
            let t = 1_704_067_200_000_000 + i * 86_400_000_000;
            let x = [noise(e as u64, i, 0) + jump, noise(e as u64, i, 1)];
            out += &format!("{{\"entity\":\"{name}\",\"t\":{t},\"vector\":[{},{}]}}\n", x[0], x[1]);
        }
    }
    out
}

fn world() -> TempDir {
    let dir = tempdir().unwrap();
    for (name, range) in [("first.jsonl", 0..100), ("second.jsonl", 100..200), ("third.jsonl", 200..240)] {
        std::fs::write(dir.path().join(name), points(range)).unwrap();
    }
    let init = cvx(dir.path()).args(["init", "d", "--dim", "2", "--ids", "string"]).output().unwrap();
    assert!(init.status.success());
    dir
}

/// Standard output and standard error of an ingest that succeeds.
fn ingest(dir: &Path, args: &[&str]) -> (String, String) {
    let output = cvx(dir).args(["-d", "d", "ingest", "--time-unit", "us"]).args(args).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {said}");
    (String::from_utf8(output.stdout).unwrap(), said)
}

fn events(dir: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("events.jsonl")).unwrap_or_default();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

const DETECT: [&str; 4] = ["--detect", "bocpd", "--events", "events.jsonl"];

/// What one run over everything says.
fn whole(dir: &Path) -> Vec<serde_json::Value> {
    let output =
        cvx(dir).args(["-d", "d", "changepoints", "--method", "bocpd", "-f", "jsonl"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn same(events: &[serde_json::Value], rows: &[serde_json::Value]) {
    assert_eq!(events.len(), rows.len(), "{events:?} {rows:?}");
    for (event, row) in events.iter().zip(rows) {
        assert_eq!((&event["event"], &event["method"]), (&"change".into(), &"bocpd".into()));
        for field in ["entity_id", "entity", "t", "detected_at", "kind", "p_recent", "severity"] {
            assert_eq!(event[field], row[field], "{field}");
        }
    }
}

#[test]
fn batches_tell_what_one_run_over_everything_tells() {
    let dir = world();
    let d = dir.path();
    for file in ["first.jsonl", "second.jsonl", "third.jsonl"] {
        let (record, said) = ingest(d, &[&[file], &DETECT[..]].concat());
        assert!(record.contains("\"rows_added\":") && said.is_empty(), "{record} {said}");
    }
    let rows = whole(d);
    let jumps = rows.iter().filter(|r| r["kind"] == "level" && r["t"] == "2024-04-30T00:00:00Z");
    assert_eq!(jumps.count(), 1, "{rows:?}");
    // At the stated rate, 480 points may bring a false alarm.
    assert!(rows.len() <= 2, "{rows:?}");
    same(&events(d), &rows);
    // The same files again say nothing again.
    ingest(d, &[&["first.jsonl", "second.jsonl"], &DETECT[..]].concat());
    assert_eq!(events(d).len(), rows.len());
    // `changepoints --state` can take over.
    let next = cvx(d).args(["-d", "d", "changepoints", "--state", "ingest", "-f", "jsonl"]).output().unwrap();
    assert!(next.status.success() && next.stdout.is_empty());
}

#[test]
fn what_was_stored_without_detection_is_caught_up_with() {
    let dir = world();
    let d = dir.path();
    ingest(d, &["first.jsonl", "second.jsonl"]);
    let (out, said) = ingest(d, &["third.jsonl", "--detect", "bocpd:state=s", "--events", "-"]);
    let told: Vec<serde_json::Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    same(&told, &whole(d));
    assert!(said.contains("80 rows read, 80 added"), "{said}");
}

#[test]
fn late_points_are_told_and_wrong_options_refused() {
    let dir = world();
    let d = dir.path();
    ingest(d, &[&["second.jsonl"], &DETECT[..]].concat());
    let (_, said) = ingest(d, &[&["first.jsonl"], &DETECT[..]].concat());
    assert!(said.contains("200 points came at times that the detectors had passed"), "{said}");
    for (args, message) in [
        (&["first.jsonl", "--detect", "bocpd"][..], "--events"),
        (&["first.jsonl", "--detect", "cusum", "--events", "-"], "expected bocpd"),
        (&["first.jsonl", "--detect", "bocpd:speed=9", "--events", "-"], "speed=9"),
        (&["first.jsonl", "--detect", "bocpd:threshold=0.5", "--events", "-"], "no longer an option"),
        (&["first.jsonl", "--detect", "bocpd:state=a/b", "--events", "-"], "cannot be a name"),
        (&["first.jsonl", "--detect", "bocpd", "--events", "-", "--sync", "end"], "leave out --sync"),
        (&["first.jsonl", "--detect", "bocpd:arl=900", "--events", "-"], "other settings"),
        (&["first.jsonl", "--detect", "bocpd", "--events", "d/x"], "inside the dataset"),
    ] {
        let (code, said) = failure(cvx(d).args(["-d", "d", "ingest", "--time-unit", "us"]).args(args));
        assert_eq!(code, 2, "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
}
