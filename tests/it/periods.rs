//! `cvx drift` between two periods, and what ends with 3.

use crate::{cvx, stdout};
use cvx::config::{IdKind, Settings};
use cvx::dataset::{OnConflict, Options, Writer, init};
use cvx::metric::Metric;
use cvx::model::Key;
use cvx::points::{Origin, Points};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// Days of 2024, in microseconds since 1970.
fn day(n: i64) -> i64 {
    crate::day(n)
}

/// Entities 0 to 39 with a point on each of 60 days, of which 0 to 3 move by 3 on day 30; every
/// third day is by the same author. Entity 40 has one point in each period, entity 41 two models.
fn world() -> TempDir {
    let dir = tempdir().unwrap();
    let d = dir.path().join("d");
    let settings = Settings { metric: Metric::L2, ids: IdKind::U64, ..Settings::new(2) };
    init(&d, &settings, false).unwrap();
    let mut writer = Writer::open(&d, Options::default()).unwrap();
    let mut all = Points::new(2);
    let old = all.intern(&Origin { source: String::new(), model: "m@1".into() });
    let new = all.intern(&Origin { source: String::new(), model: "m@2".into() });
    let mut bits = 12_345u64;
    let mut noise = || {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (bits >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    for entity in 0..40 {
        for i in 0..60 {
            let by = if entity < 4 && i >= 30 { 3.0 } else { 0.0 };
            let meta = if i == 7 { String::new() } else { format!("{{\"author\":\"a{}\"}}", i / 3) };
            all.push(Key { entity, t: day(i) }, &[noise() + by, noise()], &meta, old);
        }
    }
    for (t, x) in [(0, 0.5), (40, 1.5)] {
        all.push(Key { entity: 40, t: day(t) }, &[x, 0.0], "", old);
        all.push(Key { entity: 41, t: day(t) }, &[x, 0.0], "", if t == 0 { old } else { new });
    }
    writer.append(&mut all, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
    dir
}

const PERIODS: [&str; 5] = ["drift", "--from", "2024-01-01..2024-01-30", "--to", "2024-01-31..2024-03"];

fn rows(dir: &TempDir, args: &[&str]) -> Vec<Value> {
    let text = stdout(cvx(dir.path()).args(["-d", "d", "-q", "-f", "jsonl"]).args(PERIODS).args(args));
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn what_moved_is_found_among_what_did_not() {
    let dir = world();
    let all = rows(&dir, &["--limit", "41"]);
    assert_eq!(all.len(), 41);
    for row in &all[..40] {
        let moved = row["entity_id"].as_u64().unwrap() < 4;
        let q = row["q_value"].as_f64().unwrap();
        assert_eq!(q < 0.05, moved, "{row}");
        let (low, high) = (row["ci_low"].as_f64().unwrap(), row["ci_high"].as_f64().unwrap());
        assert!(!moved || (low < 3.1 && high > 2.9 && low > 2.0), "{row}");
        assert_eq!((row["n_from"].as_u64(), row["n_to"].as_u64()), (Some(30), Some(30)));
    }
    let one = &all[40];
    assert_eq!((one["l2"].as_f64(), one["status"].as_str()), (Some(1.0), Some("few_points")));
    assert!(one["change"].is_null() && one["p_value"].is_null());
    // By authors: the point without one is left out.
    let authors = rows(&dir, &["--limit", "40", "--cluster", "metadata.author"]);
    assert_eq!(authors[0]["n_from"].as_u64(), Some(29));
    assert_eq!((authors[0]["units_from"].as_u64(), authors[0]["block"].as_u64()), (Some(10), None));
    assert!(authors[0]["p_value"].as_f64().unwrap() < 0.001);
    // Largest change first; --fail-on sees the q-values.
    let top = rows(&dir, &["--limit", "41", "--sort", "change", "--top-rows", "4"]);
    assert!(top.iter().all(|r| r["entity_id"].as_u64().unwrap() < 4), "{top:?}");
    let gate = ["--limit", "41", "--fail-on", "q_value < 0.05"];
    let output = cvx(dir.path()).args(["-d", "d", "-q"]).args(PERIODS).args(gate).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn the_same_bytes_for_any_threads_and_shards() {
    let dir = world();
    let run = |more: &[&str]| {
        let args = ["-d", "d", "-q", "-f", "jsonl"];
        let more = [&["--limit", "41", "--permutations", "999"][..], more].concat();
        stdout(cvx(dir.path()).args(args).args(PERIODS).args(more))
    };
    assert_eq!(run(&["-j", "1"]), run(&["-j", "3"]));
    let whole = run(&["--no-q"]);
    let mut parts: Vec<String> = Vec::new();
    for shard in ["1/2", "2/2"] {
        let args = ["--permutations", "999", "--entity", "0,1,2,3,4,5,6,7,8,9", "--no-q", "--shard", shard];
        let text = stdout(cvx(dir.path()).args(["-d", "d", "-q", "-f", "jsonl"]).args(PERIODS).args(args));
        parts.extend(text.lines().map(str::to_string));
    }
    parts.sort_by_key(|l| serde_json::from_str::<Value>(l).unwrap()["entity_id"].as_u64());
    assert_eq!(parts, whole.lines().take(10).map(str::to_string).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_computed_ends_with_three() {
    let dir = world();
    let end = |args: &[&str]| {
        let output = cvx(dir.path()).args(["-d", "d", "-q"]).args(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.lines().count() <= 3, "{said}");
        (output.status.code().unwrap(), said)
    };
    let (code, said) = end(&PERIODS);
    assert!(code == 3 && said.contains("1 of 42 entities could not be computed: 1 model_break"), "{said}");
    let (code, said) = end(&["drift", "--from", "2024-01-01", "--to", "2024-03-01"]);
    assert!(code == 3 && said.contains("model_break"), "{said}");
    assert_eq!(end(&["drift", "--ok-only"]).0, 3);
    assert_eq!(end(&["drift", "--align", "off"]).0, 0);
    // An entity without a point in a period has no answer; a run without any answer is not well.
    assert_eq!(
        end(&[
            "drift",
            "--from",
            "2024-01-01..2024-01-05",
            "--to",
            "2024-01-31..2024-02-05",
            "--limit",
            "41"
        ])
        .0,
        0
    );
    let (code, said) =
        end(&["drift", "--from", "2024-01-01..2024-01-05", "--to", "2030..2031", "--limit", "41"]);
    assert!(code == 3 && said.contains("41 of 41"), "{said}");
    let (code, said) = end(&[&PERIODS[..], &["--cluster", "autor"]].concat());
    assert!(code == 3 && said.contains("cluster key"), "{said}");
}

#[test]
fn an_untouched_entity_has_not_moved() {
    let dir = world();
    let args =
        ["-d", "d", "drift", "--from", "2024-01-05", "--to", "2024-01-20", "--entity", "40", "-f", "jsonl"];
    let row: Value = serde_json::from_str(&stdout(cvx(dir.path()).args(args))).unwrap();
    assert_eq!((row["l2"].as_f64(), row["status"].as_str()), (Some(0.0), Some("untouched")));
    assert!(row["direction_p"].is_null() && row.get("p_value").is_none());
}

#[test]
fn the_end_of_time_is_a_time() {
    let dir = world();
    let mut writer = Writer::open(&dir.path().join("d"), Options::default()).unwrap();
    let mut all = Points::new(2);
    let origin = all.intern(&Origin { source: String::new(), model: "m@1".into() });
    for t in [i64::MIN, i64::MAX - 1, i64::MAX] {
        all.push(Key { entity: 50, t }, &[t as f32 / 1e18, 0.0], "", origin);
    }
    writer.append(&mut all, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
    let entity = ["--entity", "0,50", "-f", "jsonl", "-q", "-d", "d"];
    for args in [
        &["drift"][..],
        &["drift", "--from", "2024-01-05", "--to", "max"],
        &["drift", "--scale", "1w,1mo", "--scale-by", "mean"],
        &["drift", "--from", "min..2024-01-30", "--to", "2024-01-31..max"],
        &["drift", "--from", "..2024-01-30", "--to", "2024-01-31.."],
        &["velocity"],
        &["velocity", "--at", "max"],
        &["velocity", "--scale", "1mo"],
    ] {
        let text = stdout(cvx(dir.path()).args(args).args(entity));
        let of = |id: &str| text.lines().any(|l| l.contains(&format!("\"entity_id\":{id},")));
        assert!(of("0") && of("50"), "{args:?}: {text}");
    }
}
