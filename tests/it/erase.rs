//! `cvx erase`: afterwards no file of the dataset or its stores has the bytes.

use crate::{cvx, failure, stdout};
use std::fmt::Write;
use std::path::Path;
use tempfile::{TempDir, tempdir};

const DIM: usize = 8;
const NAMES: [&str; 4] = ["aleksandra", "bartholomew", "constantine", "dragomirova"];

/// A vector that no compression hides: the same bytes wherever it is stored as it is.
fn vector(entity: usize, day: usize) -> Vec<f32> {
    let mut state = (entity as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) + day as u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32) / 16_777_216.0
    };
    (0..DIM).map(|_| next() + if day >= 20 { 3.0 } else { 0.0 }).collect()
}

fn rows(days: std::ops::Range<usize>) -> String {
    let mut text = String::new();
    for day in days {
        for (entity, name) in NAMES.iter().enumerate() {
            let t = 1_704_067_200 + day as i64 * 86_400;
            let x: Vec<String> = vector(entity, day).iter().map(f32::to_string).collect();
            writeln!(
                text,
                "{{\"entity_id\":\"{name}\",\"timestamp\":{t},\"vector\":[{}],\"lang\":\"{}\"}}",
                x.join(","),
                if entity < 2 { "en" } else { "de" }
            )
            .unwrap();
        }
    }
    text
}

fn run(dir: &Path, args: &[&str]) -> String {
    let out = cvx(dir).args(["-d", "d", "-q", "-f", "csv"]).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(matches!(out.status.code(), Some(0 | 3)), "{args:?}: {said}");
    String::from_utf8(out.stdout).unwrap()
}

/// A dataset whose points lie in every kind of file: kept originals, lossless and lossy blocks in another directory, warm
/// files, a hot segment, the index, a baseline, a detector's states, saved changes and a calibration.
fn everywhere(files: &[&str]) -> TempDir {
    let dir = tempdir().unwrap();
    let d = dir.path();
    stdout(cvx(d).args([
        "init",
        "d",
        "-q",
        "--dim",
        "8",
        "--ids",
        "string",
        "--metric",
        "l2",
        "--partition",
        "month",
    ]));
    for (i, days) in [0..30, 30..60, 60..90, 90..100].into_iter().enumerate() {
        let file = format!("{}.jsonl", files[i]);
        std::fs::write(d.join(&file), rows(days)).unwrap();
        run(d, &["ingest", &file, "--time-unit", "s"]);
        if i < 3 {
            run(d, &["compact"]);
        }
        let tier = |args: &[&str]| {
            run(d, &[&["tier", "run", "--older-than", "0s", "--yes", "--target", "away"], args].concat())
        };
        match i {
            0 => drop(tier(&["--codec", "rabitq:1", "--keep-original"])),
            1 => drop(tier(&["--codec", "zstd"])),
            _ => {}
        }
    }
    run(d, &["index", "build"]);
    run(d, &["drift", "population", "--ref", "2024-02", "--cur", "2024-03", "--baseline", "save", "b"]);
    run(d, &["changepoints", "--state", "s"]);
    run(d, &["changepoints", "--save", "c", "--cost", "mean", "--sensitive"]);
    // No rows, but the command that made it names an entity.
    run(d, &["changepoints", "--entity", NAMES[1], "--in", "2024-01-01..2024-01-03", "--save", "one"]);
    run(d, &["predict", "--horizon", "1d"]);
    dir
}

/// Files below `dir` that hold the name of an entity, or the bytes of one of its vectors.
fn found(dir: &Path, entity: usize) -> Vec<String> {
    let mut needles: Vec<Vec<u8>> = vec![NAMES[entity].as_bytes().to_vec()];
    needles.extend((0..100).map(|day| vector(entity, day).iter().flat_map(|v| v.to_le_bytes()).collect()));
    let mut out = Vec::new();
    for file in walkdir::WalkDir::new(dir).into_iter().map(Result::unwrap).filter(|f| f.file_type().is_file())
    {
        let bytes = std::fs::read(file.path()).unwrap();
        if needles.iter().any(|n| memchr::memmem::find(&bytes, n).is_some()) {
            out.push(file.path().display().to_string());
        }
    }
    out
}

#[test]
fn nothing_of_an_erased_entity_is_left_and_nothing_comes_back() {
    let dir = everywhere(&["one", "two", "three", "four"]);
    let d = dir.path();
    let before = found(&d.join("d"), 1);
    for part in ["dict/", "index/", "results/"] {
        assert!(
            before.iter().any(|f| f.contains(part)),
            "the test must have something to find: {part} {before:?}"
        );
    }
    // Rows that come back from kept originals are exact again, so their vectors may differ from those of the codes.
    let others = |name: &str| -> Vec<String> {
        let rows = run(d, &["export", "--entity", name, "--vectors", "none"]);
        rows.lines().map(|l| l.split(',').take(3).collect::<Vec<_>>().join(",")).collect()
    };
    let kept = others(NAMES[0]);
    let (code, said) = failure(cvx(d).args(["-d", "d", "erase", "--entity", NAMES[1]]));
    assert!(code == 2 && said.contains("erasing 100 points of 1 entities"), "{said}");
    let row = run(d, &["erase", "--entity", NAMES[1], "--yes"]);
    assert!(row.contains(",true,,"), "{row}");
    assert_eq!(found(&d.join("d"), 1), Vec::<String>::new());
    assert_eq!(found(&d.join("away"), 1), Vec::<String>::new());
    assert_eq!(others(NAMES[0]), kept);
    stdout(cvx(d).args(["verify", "-d", "d", "--level", "deep"]));
    // Given again, in the same files and in a new one, it stays out; the others are there already.
    for file in ["one.jsonl", "four.jsonl"] {
        run(d, &["ingest", file, "--time-unit", "s"]);
    }
    std::fs::write(d.join("again.jsonl"), rows(0..100)).unwrap();
    let report = run(d, &["ingest", "again.jsonl", "--time-unit", "s"]);
    let (head, values) = report.split_once('\n').unwrap();
    let column = |name: &str| {
        let i = head.split(',').position(|c| c == name).unwrap();
        values.trim().split(',').nth(i).unwrap().to_owned()
    };
    assert_eq!((column("rows_added"), column("rows_erased")), ("0".into(), "100".into()));
    assert_eq!(found(&d.join("d"), 1), Vec::<String>::new());
    let (code, _) = failure(cvx(d).args(["-d", "d", "query", "trajectory", "--entity", NAMES[1]]));
    assert_eq!(code, 5);
    // The same erasure again finds nothing to do and says that all is clean.
    assert!(run(d, &["erase", "--entity", NAMES[1], "--yes"]).contains(",true,,"));
    let (code, _) = failure(cvx(d).args(["-d", "d", "erase", "--entity", "nobody", "--yes"]));
    assert_eq!(code, 5);
    // Taken back, it is an entity like any other.
    let report = run(d, &["ingest", "again.jsonl", "--time-unit", "s", "--allow-erased"]);
    assert!(report.contains("\n1,400,100,300,"), "{report}");
    std::fs::write(d.join("more.jsonl"), rows(100..101)).unwrap();
    assert!(run(d, &["ingest", "more.jsonl", "--time-unit", "s"]).contains("\n1,4,4,0,"));
}

#[test]
fn points_are_erased_by_what_they_are() {
    let dir = everywhere(&["one", "two", "three", "four"]);
    let d = dir.path();
    let row = run(d, &["erase", "--where", "lang = 'de'", "--to", "2024-03-01", "--yes"]);
    assert!(row.contains(",true,,"), "{row}");
    // Days 0 to 59 of two entities.
    assert!(row.contains("\n120,2,"), "{row}");
    let report = run(d, &["ingest", "one.jsonl", "two.jsonl", "three.jsonl", "--time-unit", "s"]);
    assert!(!report.contains(",120,"), "finished files stay finished: {report}");
    std::fs::write(d.join("again.jsonl"), rows(0..100)).unwrap();
    let out = cvx(d).args(["-d", "d", "ingest", "again.jsonl", "--time-unit", "s"]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("120 rows belong to entities or points that were erased"), "{said}");
    let count = run(d, &["export", "--vectors", "none"]).lines().count() - 1;
    assert_eq!(count, 400 - 120);
}

#[test]
fn a_reader_of_an_older_version_is_named() {
    let dir = tempdir().unwrap();
    let d = dir.path();
    crate::walkers(&d.join("d"));
    let held = cvx::dataset::Snapshot::open(&d.join("d"), None).unwrap();
    let commit = held.manifest().commit;
    let erase = ["-d", "d", "erase", "--entity", "a", "--yes", "--wait", "0s"];
    let out = cvx(d).args(erase).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("version {commit}: a reader holds it")), "{said}");
    drop(held);
    let out = cvx(d).args(erase).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
}
