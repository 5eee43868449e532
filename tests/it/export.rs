//! `cvx export`.

use crate::{cvx, failure, stdout, walkers};
use tempfile::tempdir;

#[test]
fn whole_points_in_order() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    let export = |args: &[&str]| stdout(cvx(dir.path()).args(["export", "-d", "d"]).args(args));
    let rows = export(&["-f", "jsonl", "--entity", "a"]);
    let first: serde_json::Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert_eq!(first["entity"], "a");
    assert_eq!(first["timestamp"], "2024-01-01T00:00:00Z");
    assert_eq!(first["vector"], serde_json::json!([1.0, 0.0]));
    assert_eq!(first["metadata"], serde_json::json!({"lang": "en"}));
    assert_eq!((&first["source"], &first["model"]), (&"given".into(), &"m@1".into()));
    assert_eq!(rows.lines().count(), 3);
    let states = export(&["-f", "csv", "--as-of", "2024-01-02", "--vectors", "columns"]);
    assert_eq!(states.lines().count(), 2);
    assert!(states.lines().nth(1).unwrap().contains(",a,2024-01-02T00:00:00Z,2.0,0.0,"), "{states}");
}

#[test]
fn parquet_by_default() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    let output = cvx(dir.path()).args(["export", "-d", "d"]).output().unwrap();
    assert!(output.stdout.starts_with(b"PAR1") && output.stdout.ends_with(b"PAR1"));
    stdout(cvx(dir.path()).args(["export", "-d", "d", "-o", "p.parquet"]));
    let (code, said) = failure(cvx(dir.path()).args(["export", "-d", "d", "-o", "d/p.parquet"]));
    assert_eq!(code, 2);
    assert!(said.contains("inside the dataset"), "{said}");
}

#[test]
fn the_same_bytes_for_any_number_of_threads() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    for command in ["export", "velocity", "drift"] {
        let run =
            |threads: &str| stdout(cvx(dir.path()).args([command, "-d", "d", "-f", "csv", "-j", threads]));
        assert_eq!(run("1"), run("8"), "{command}");
    }
}
