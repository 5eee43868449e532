//! `cvx changepoints`: planted jumps, states, saved rows, and what must give none.

use crate::{cvx, day, failure, stdout};
use cvx::config::Settings;
use cvx::dataset::{OnConflict, Options, Writer, init};
use cvx::model::Key;
use cvx::points::{Origin, Points};
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// Noise that is the same on every machine: uniform, variance 1, from a hash of its place.
fn noise(entity: u64, i: usize, d: usize) -> f32 {
    let h = cvx::dataset::entity_hash(entity << 40 | (i as u64) << 12 | d as u64);
    ((h >> 11) as f64 / (1u64 << 53) as f64 - 0.5) as f32 * 12f32.sqrt()
}

/// Appends points `range` of entities 1 to `entities`, a day apart; entity 1 jumps at 150, by 6
/// and at least one and a half noise radii.
fn append(dir: &Path, dim: usize, entities: u64, range: std::ops::Range<usize>, model: &str) {
    let mut writer = Writer::open(dir, Options::default()).unwrap();
    let mut points = Points::new(dim);
    let origin = points.intern(&Origin { source: "given".into(), model: model.into() });
    for e in 1..=entities {
        for i in range.clone() {
            let jump = if e == 1 && i >= 150 { 6.0f32.max(1.5 * (dim as f32).sqrt()) } else { 0.0 };
            let x: Vec<f32> = (0..dim).map(|d| noise(e, i, d) + if d == 0 { jump } else { 0.0 }).collect();
            points.push(Key { entity: e, t: day(i as i64) }, &x, "", origin);
        }
    }
    writer.append(&mut points, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
}

fn world(dim: usize, entities: u64, n: usize) -> TempDir {
    let dir = tempdir().unwrap();
    init(&dir.path().join("d"), &Settings::new(dim), false).unwrap();
    append(&dir.path().join("d"), dim, entities, 0..n, "m@1");
    dir
}

/// Standard output of a run that succeeds, as csv with dates; notes are expected.
fn csv(dir: &TempDir, args: &[&str]) -> String {
    let run = cvx(dir.path()).args(["-d", "d", "-f", "csv", "--time", "date"]).args(args).output().unwrap();
    assert!(run.status.success(), "{args:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

fn said(dir: &TempDir, args: &[&str]) -> (i32, String) {
    let run = cvx(dir.path()).args(["-d", "d", "-f", "csv"]).args(args).output().unwrap();
    (run.status.code().unwrap(), String::from_utf8(run.stderr).unwrap())
}

#[test]
fn a_planted_jump_and_nothing_else() {
    for dim in [1, 3, 16] {
        let dir = world(dim, 4, 240);
        let rows = csv(&dir, &["changepoints"]);
        let lines: Vec<&str> = rows.lines().collect();
        assert_eq!(lines.len(), 2, "{dim}: {rows}");
        // 2024-05-30 is day 150; the day before is the last of the old level.
        assert!(lines[1].starts_with("1,2024-05-30,150,2024-05-29,pelt,"), "{dim}: {rows}");
        assert!(lines[1].contains("\"\"dim\"\":0,"), "{rows}");
        let summary = csv(&dir, &["changepoints", "--summary"]);
        let counts: Vec<&str> = summary.lines().skip(1).map(|l| l.split(',').nth(2).unwrap()).collect();
        assert_eq!(counts, ["1", "0", "0", "0"], "{summary}");
        let segments = csv(&dir, &["changepoints", "--segments", "--entity", "1"]);
        assert_eq!(segments.lines().count(), 3, "{segments}");
        assert!(segments.contains("\n1,0,2024-01-01,2024-05-29,0,150,"), "{segments}");
    }
}

#[test]
fn findings_are_told_and_can_decide() {
    let dir = world(3, 2, 240);
    let (code, text) = said(&dir, &["changepoints"]);
    assert_eq!(code, 0);
    assert!(text.contains("1 change in 1 of 2 entities; --fail-on"), "{text}");
    let (code, text) = said(&dir, &["changepoints", "--fail-on", "severity > 2"]);
    assert_eq!(code, 4, "{text}");
    assert_eq!(said(&dir, &["changepoints", "--fail-on", "count(severity > 0) > 1"]), (0, String::new()));
    assert_eq!(said(&dir, &["changepoints", "--entity", "2"]), (0, String::new()));
    assert_eq!(said(&dir, &["-q", "changepoints"]), (0, String::new()));
}

#[test]
fn a_random_walk_is_warned_of() {
    let dir = tempdir().unwrap();
    init(&dir.path().join("d"), &Settings::new(1), false).unwrap();
    let mut writer = Writer::open(&dir.path().join("d"), Options::default()).unwrap();
    let mut points = Points::new(1);
    let origin = points.intern(&Origin::default());
    let mut at = 0.0;
    for i in 0..300 {
        at += noise(5, i, 0);
        points.push(Key { entity: 5, t: day(i as i64) }, &[at], "", origin);
    }
    writer.append(&mut points, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
    let (code, text) = said(&dir, &["changepoints"]);
    assert_eq!(code, 0);
    assert!(text.contains("warning: 5: residuals are strongly autocorrelated (lag 1: 0."), "{text}");
    assert!(text.contains("Try --signal increment"), "{text}");
    assert!(csv(&dir, &["changepoints", "--summary"]).contains("strongly autocorrelated"));
}

#[test]
fn online_finds_it_within_ten_points() {
    for dim in [2, 16] {
        let dir = world(dim, 3, 240);
        let rows = csv(&dir, &["changepoints", "--method", "bocpd"]);
        let lines: Vec<&str> = rows.lines().collect();
        assert_eq!(lines.len(), 2, "{rows}");
        let fields: Vec<&str> = lines[1].split(',').collect();
        assert_eq!((fields[0], fields[4]), ("1", "bocpd"), "{rows}");
        let index: i64 = fields[2].parse().unwrap();
        assert!((148..=152).contains(&index), "{rows}");
        // 2024-06-09 is ten days after the jump.
        let (detected, n_after) = (fields[fields.len() - 2], fields[9].parse::<i64>().unwrap());
        // Both stretches, as they were known then.
        assert_eq!(fields[8].parse::<i64>().unwrap(), index, "{rows}");
        assert!((1..=10).contains(&n_after), "{rows}");
        let (l2, cosine): (f64, f64) = (fields[10].parse().unwrap(), fields[11].parse().unwrap());
        assert!((4.0..12.0).contains(&l2) && (0.0..=2.0).contains(&cosine), "{rows}");
        assert!(("2024-05-30"..="2024-06-09").contains(&detected), "{rows}");
        let summary = csv(&dir, &["changepoints", "--method", "bocpd", "--summary", "--warmup", "250"]);
        assert_eq!(summary.matches(",few_points").count(), 3, "{summary}");
    }
}

#[test]
fn a_state_goes_on_and_reads_only_new_points() {
    let dim = 64;
    let dir = world(dim, 3, 140);
    let d = dir.path().join("d");
    let bocpd = ["changepoints", "--method", "bocpd"];
    let state = ["changepoints", "--state", "daily"];
    assert_eq!(csv(&dir, &state).lines().count(), 1);
    append(&d, dim, 3, 140..155, "m@1");
    let second = csv(&dir, &state);
    append(&d, dim, 4, 155..200, "m@1");
    let third = csv(&dir, &state);
    // Together they say what one run over everything says.
    let rows = |text: &str| text.lines().skip(1).map(str::to_string).collect::<Vec<_>>();
    let resumed: Vec<String> = [rows(&second), rows(&third)].concat();
    assert_eq!(resumed, rows(&csv(&dir, &bocpd)));
    assert_eq!(resumed.len(), 1);
    assert!(csv(&dir, &state).lines().count() == 1, "nothing is new");
    let summary = csv(&dir, &["changepoints", "--state", "daily", "--summary"]);
    assert!(summary.starts_with("entity_id,n,") && summary.contains("\n1,200,0,"), "{summary}");

    // The old points are not even looked at: damage to their vectors goes unnoticed.
    let mut segments: Vec<_> = std::fs::read_dir(d.join("hot")).unwrap().map(|e| e.unwrap().path()).collect();
    segments.sort();
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    let middle = bytes.len() / 2;
    assert!(middle > 40_000, "the segment is too small for this test");
    bytes[middle] ^= 1;
    std::fs::write(&segments[0], bytes).unwrap();
    append(&d, dim, 3, 200..205, "m@1");
    csv(&dir, &state);
    assert_eq!(said(&dir, &bocpd).0, 13);
}

#[test]
fn states_refuse_what_would_change_them() {
    let dir = world(2, 2, 100);
    csv(&dir, &["changepoints", "--state", "s"]);
    let (code, text) = said(&dir, &["changepoints", "--state", "s", "--arl", "500"]);
    assert_eq!(code, 2);
    assert!(text.contains("other settings") && text.contains("arl 2000 points"), "{text}");
    let (code, text) = said(&dir, &["changepoints", "--state", "s", "--model", "m"]);
    assert!(code == 2 && text.contains("of all points; here") && text.contains("--model"), "{text}");
    // Points at times that were passed are told, and change nothing.
    append(&dir.path().join("d"), 2, 3, 100..101, "m@1");
    csv(&dir, &["changepoints", "--state", "s"]);
    let mut writer = Writer::open(&dir.path().join("d"), Options::default()).unwrap();
    let mut points = Points::new(2);
    let origin = points.intern(&Origin { source: String::new(), model: "m@1".into() });
    points.push(Key { entity: 1, t: day(3) + 5 }, &[0.0, 0.0], "", origin);
    writer.append(&mut points, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
    let (code, text) = said(&dir, &["changepoints", "--state", "s"]);
    assert!(code == 0 && text.contains("1 points came late"), "{text}");
    // Another embedding model breaks a stream.
    append(&dir.path().join("d"), 2, 1, 101..102, "other@1");
    for args in [&["changepoints", "--state", "s", "--summary"][..], &["changepoints", "--summary"]] {
        let run = cvx(dir.path()).args(["-d", "d", "-f", "csv"]).args(args).output().unwrap();
        let summary = String::from_utf8(run.stdout).unwrap();
        assert_eq!(run.status.code(), Some(3), "{args:?}");
        assert!(summary.lines().nth(1).unwrap().ends_with(",model_break"), "{summary}");
    }
    let (code, text) = said(&dir, &["changepoints"]);
    assert!(code == 3 && text.contains("1 entity spans several embedding models"), "{text}");
    assert!(!csv(&dir, &["changepoints", "--summary", "--align", "off"]).contains("model_break"));
    // Nothing is stored by a dry run.
    assert_eq!(said(&dir, &["changepoints", "--state", "dry", "--dry-run"]).0, 3);
    assert!(!dir.path().join("d/results/states.dry.cvxr").exists());
}

#[test]
fn saved_rows_come_back() {
    let dir = world(3, 3, 240);
    let found = csv(&dir, &["changepoints", "--save", "spring"]);
    assert_eq!(csv(&dir, &["changepoints", "--saved", "spring"]), found);
    assert_eq!(csv(&dir, &["changepoints", "--saved", "spring", "--entity", "2"]).lines().count(), 1);
    assert_eq!(csv(&dir, &["changepoints", "--saved", "spring", "--to", "2024-05-30"]).lines().count(), 1);
    let list = csv(&dir, &["changepoints", "--saved"]);
    assert!(list.starts_with("name,rows,commit,created,command\nspring,1,"), "{list}");
    assert!(list.ends_with(",cvx -d d -f csv --time date changepoints --save spring\n"), "{list}");
    // It outlives later writers, and verify looks at it.
    append(&dir.path().join("d"), 3, 1, 240..250, "m@1");
    assert_eq!(csv(&dir, &["changepoints", "--saved", "spring"]), found);
    assert!(csv(&dir, &["verify"]).contains("result,results/changepoints.spring.cvxr,ok,"));
    let path = dir.path().join("d/results/changepoints.spring.cvxr");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(said(&dir, &["changepoints", "--saved", "spring"]).0, 13);
    assert_eq!(said(&dir, &["verify", "--level", "full"]).0, 4);
    let (code, text) = failure(cvx(dir.path()).args(["-d", "d", "changepoints", "--saved", "autumn"]));
    assert_eq!(code, 5);
    assert!(text.contains("there are: spring"), "{text}");
}

#[test]
fn scales_confirm_one_another() {
    let dir = world(2, 1, 300);
    let rows = csv(&dir, &["changepoints", "--scale", "1d,1w,1mo"]);
    assert!(rows.contains(",1d,") && rows.contains(",1w,"), "{rows}");
    assert!(rows.matches("[\"\"1d\"\",\"\"1w\"\"").count() >= 2, "{rows}");
}

#[test]
fn edges_and_errors() {
    let dir = world(2, 1, 1);
    let summary = csv(&dir, &["changepoints", "--summary"]);
    assert!(summary.contains("\n1,1,0,") && summary.contains(",few_points"), "{summary}");
    append(&dir.path().join("d"), 2, 2, 1..6, "m@1");
    assert!(csv(&dir, &["changepoints", "--summary", "--max-gap", "1h"]).contains(",gap"));
    assert_eq!(csv(&dir, &["changepoints", "--limit", "0"]).lines().count(), 1);
    for (args, exit, message) in [
        (&["changepoints", "--warmup", "70"][..], 2, "belongs to --method bocpd"),
        (&["changepoints", "--state", "s", "--threshold", "0.9"], 2, "--arl N|DUR"),
        (&["changepoints", "--state", "s", "--arl", "1"], 2, "fewer than 50 points"),
        (&["changepoints", "--method", "bocpd", "--cost", "mean"], 2, "belongs to --method pelt"),
        (&["changepoints", "--state", "s", "--scale", "1d"], 2, "leave one of the two out"),
        (&["changepoints", "--state", "a/b"], 2, "cannot be a name"),
        (&["changepoints", "--entity", "77"], 5, "not found"),
        (&["changepoints", "--penalty", "big"], 2, "expected auto, bic, aic"),
        (&["changepoints", "--saved", "x", "--min-points", "3"], 2, "points are not looked at"),
    ] {
        let (code, said) = failure(cvx(dir.path()).args(["-d", "d"]).args(args));
        assert_eq!(code, exit, "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
    // While one job writes, another one with a state ends with 11; readers go on.
    let held = Writer::open(&dir.path().join("d"), Options::default()).unwrap();
    assert_eq!(said(&dir, &["changepoints", "--state", "s"]).0, 11);
    assert_eq!(said(&dir, &["changepoints"]).0, 0);
    drop(held);
    let empty = tempdir().unwrap();
    init(&empty.path().join("d"), &Settings::new(2), false).unwrap();
    let nothing = cvx(empty.path()).args(["-d", "d", "changepoints", "-f", "table"]).output().unwrap();
    assert!(nothing.status.code() == Some(3) && nothing.stdout.starts_with(b"entity_id"), "{nothing:?}");
}

#[test]
fn every_change_says_what_it_is_worth() {
    let dir = world(3, 3, 240);
    let row = |args: &[&str]| -> Vec<serde_json::Value> {
        let mut all = vec!["-d", "d", "-q", "-f", "jsonl", "--time", "date", "changepoints"];
        all.extend(args);
        let out = stdout(cvx(dir.path()).args(&all));
        out.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    };
    let found = row(&[]);
    assert_eq!(found.len(), 1);
    let change = &found[0];
    assert!(
        change["t_low"].as_str().unwrap() <= "2024-05-30"
            && change["t_high"].as_str().unwrap() >= "2024-05-30"
    );
    assert_eq!(
        (change["p_any_order"].as_f64(), change["p_wander"].as_f64()),
        (Some(0.01), Some(0.01)),
        "{change}"
    );
    assert_eq!((change["kind"].as_str(), change["status"].as_str()), (Some("change"), Some("ok")));
    assert!(change["warning"].is_null());
    let best = row(&["--best", "2"]);
    assert_eq!(best.len(), 6);
    assert_eq!(best.iter().filter(|r| r["kind"] == "change").count(), 1);
    assert!(best.iter().all(|r| r["p_wander"].as_f64().is_some()));
    let none = row(&["--permutations", "0"]);
    assert!(none[0]["p_wander"].is_null() && none[0]["t_low"] == change["t_low"]);
    // An entity without a split has a row that says why.
    append(&dir.path().join("d"), 3, 4, 240..242, "m@1");
    let short: Vec<_> = row(&["--best", "1"]).into_iter().filter(|r| r["entity_id"] == 4).collect();
    assert_eq!((short.len(), short[0]["status"].as_str()), (1, Some("few_points")));
    for args in [&["--best", "2", "--summary"][..], &["--best", "0"], &["--outliers", "--method", "bocpd"]] {
        assert_eq!(failure(cvx(dir.path()).args(["-d", "d", "changepoints"]).args(args)).0, 2, "{args:?}");
    }
}

#[test]
fn outliers_are_rows_of_their_own() {
    let dir = world(2, 1, 60);
    let mut writer = Writer::open(&dir.path().join("d"), Options::default()).unwrap();
    let mut points = Points::new(2);
    let origin = points.intern(&Origin { source: "given".into(), model: "m@1".into() });
    for i in 60..120 {
        let far = if i == 80 { 30.0 } else { 0.0 };
        points.push(Key { entity: 1, t: day(i as i64) }, &[noise(1, i, 0) + far, noise(1, i, 1)], "", origin);
    }
    writer.append(&mut points, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
    assert_eq!(csv(&dir, &["changepoints"]).lines().count(), 1);
    let rows = csv(&dir, &["changepoints", "--outliers"]);
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert!(rows.contains("1,2024-03-21,80,2024-03-20,pelt,") && rows.contains(",outlier,"), "{rows}");
}
