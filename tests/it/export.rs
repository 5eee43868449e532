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

/// `entity day x y` of all points, from the table that both kinds of dataset can show.
fn points(dir: &std::path::Path, dataset: &str) -> String {
    let all = ["-f", "csv", "--vectors", "columns", "--time", "date"];
    let text = stdout(cvx(dir).args(["export", "-d", dataset]).args(all));
    let rows = text.lines().skip(1).map(|l| l.split(',').skip(1).take(4).collect::<Vec<_>>().join(" "));
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn arrays_and_base64_come_back() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    walkers(&path.join("d"));
    let want = points(path, "d");
    assert_eq!(want.lines().count(), 4);

    stdout(cvx(path).args(["export", "-d", "d", "--npy", "out"]));
    let ids = std::fs::read_to_string(path.join("out/ids.csv")).unwrap();
    assert!(ids.starts_with("entity_id,entity,timestamp\n") && ids.lines().count() == 5, "{ids}");
    stdout(cvx(path).args(["init", "e", "--dim", "2", "--ids", "string"]));
    let beside = ["--ids-file", "out/ids.csv", "--times-file", "out/ids.csv"];
    stdout(cvx(path).args(["ingest", "-d", "e", "out/vectors.npy"]).args(beside));
    assert_eq!(points(path, "e"), want);

    for file in ["p.jsonl", "p.csv", "p.parquet"] {
        let name = file.replace('.', "_");
        stdout(cvx(path).args(["export", "-d", "d", "--vectors", "base64", "-o", file]));
        stdout(cvx(path).args(["init", &name, "--dim", "2", "--ids", "string"]));
        stdout(cvx(path).args(["ingest", "-d", &name, file]));
        assert_eq!(points(path, &name), want, "{file}");
    }
}

#[test]
fn a_view_over_exactly_the_live_files() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    walkers(&path.join("d"));
    let (code, said) = failure(cvx(path).args(["export", "-d", "d", "--duckdb"]));
    assert!(code == 5 && said.contains("cvx compact"), "{said}");
    stdout(cvx(path).args(["compact", "-d", "d"]));
    let sql = stdout(cvx(path).args(["export", "-d", "d", "--duckdb"]));
    let listed: Vec<&str> =
        sql.lines().filter_map(|l| l.trim().strip_prefix('\'')?.split('\'').next()).collect();
    assert!(!listed.is_empty() && listed.iter().all(|f| std::path::Path::new(f).is_file()), "{sql}");
    assert!(!sql.contains("are not in Parquet") && !sql.contains("rows in these files"), "{sql}");
    stdout(cvx(path).args(["delete", "-d", "d", "--entity", "b", "--yes"]));
    let sql = stdout(cvx(path).args(["export", "-d", "d", "--duckdb"]));
    assert!(sql.contains("1 rows in these files were replaced or deleted"), "{sql}");
    let (code, _) = failure(cvx(path).args(["export", "-d", "d", "--duckdb", "--entity", "a"]));
    assert_eq!(code, 2);
}
