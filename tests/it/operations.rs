//! Backups beside running jobs, and what is kept beside the data: listed, shown, dropped.

use crate::{cvx, failure, stdout, walkers};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::tempdir;

/// Ends the jobs of a test, also when it fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn run(dir: &Path, args: &[&str]) -> String {
    stdout(cvx(dir).args(args))
}

fn value(row: &str, key: &str) -> serde_json::Value {
    let row: serde_json::Value = serde_json::from_str(row.trim()).unwrap();
    row[key].clone()
}

/// A backup holds exactly the version that it names, whatever ingest, compact and tier do meanwhile.
#[test]
fn backups_beside_jobs_hold_one_version_each() {
    let dir = tempdir().unwrap();
    let root = dir.path();
    run(root, &["init", "d", "--dim", "4"]);
    let stop = AtomicBool::new(false);
    let line = |i: u32| format!("{{\"entity_id\":{},\"t\":{i},\"vector\":[{i},1,2,3]}}\n", i % 50);
    let job = |args: &[&str]| {
        let out = cvx(root).args(["-q", "-d", "d", "--lock-timeout", "1m"]).args(args).output().unwrap();
        let code = out.status.code();
        assert!(code == Some(0), "{args:?}: {code:?} {}", String::from_utf8_lossy(&out.stderr));
    };
    std::thread::scope(|s| {
        let _ends = Ends(&stop);
        s.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                let text: String = (n * 400..(n + 1) * 400).map(line).collect();
                let name = format!("in.{n}.jsonl");
                std::fs::write(root.join(&name), text).unwrap();
                job(&["ingest", &name, "--time-unit", "s"]);
                n += 1;
            }
        });
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                job(&["compact"]);
                job(&["tier", "run", "--older-than", "1y", "--codec", "zstd"]);
                job(&["tier", "restore", "--all", "--target-file", "1MiB"]);
            }
        });
        for i in 0..6 {
            let made = run(root, &["-d", "d", "backup", "copy"]);
            run(root, &["-d", "copy", "verify", "--level", "full"]);
            let copied = run(root, &["-d", "copy", "export", "-f", "csv"]);
            // What was in the live log when it was copied may be newer than the version, by whole batches.
            let (points, lines) = (value(&made, "points").as_u64().unwrap(), copied.lines().count() - 1);
            assert!(lines as u64 >= points && lines % 400 == 0, "backup {i}: {lines} points, {made}");
        }
    });
    let made = run(root, &["-d", "d", "backup", "copy"]);
    assert_eq!(
        run(root, &["-d", "copy", "export", "-f", "csv"]),
        run(root, &["-d", "d", "export", "-f", "csv"])
    );
    let again = run(root, &["-d", "d", "backup", "copy"]);
    assert_eq!(value(&again, "files_removed"), 0, "{again}");
    assert!(value(&again, "files_kept").as_u64() >= Some(1), "{made} {again}");
    // Restored by a plain copy, it is written to as before, and its ledger knows what it holds.
    let restored = std::process::Command::new("cp").args(["-a", "copy", "back"]).current_dir(root).status();
    assert!(restored.unwrap().success());
    let known = run(root, &["-d", "back", "ingest", "in.0.jsonl", "--time-unit", "s"]);
    assert_eq!(value(&known, "files_skipped"), 1, "{known}");
    std::fs::write(root.join("new.jsonl"), line(9_999_999)).unwrap();
    run(root, &["-d", "back", "ingest", "new.jsonl", "--time-unit", "s"]);
    run(root, &["-d", "back", "verify", "--level", "deep"]);
    // The copy is older than what it was restored to now.
    let (code, said) = failure(cvx(root).args(["-d", "copy", "backup", "back"]));
    assert_eq!((code, said.contains("later version")), (2, true), "{said}");
}

#[test]
fn a_backup_goes_nowhere_else() {
    let dir = tempdir().unwrap();
    let root = dir.path();
    walkers(&root.join("d"));
    run(root, &["init", "other", "--dim", "2"]);
    std::fs::create_dir(root.join("full")).unwrap();
    std::fs::write(root.join("full/x"), "x").unwrap();
    // Names that a dataset has, too, and files of someone else.
    for d in ["mine/manifest", "mine/results"] {
        std::fs::create_dir_all(root.join(d)).unwrap();
    }
    std::fs::write(root.join("mine/results/paper.csv"), "x").unwrap();
    for (target, message) in [
        ("d", "the dataset itself"),
        ("other", "another dataset"),
        ("full", "not empty"),
        ("mine", "not empty"),
        ("d/cold", "inside the dataset"),
    ] {
        let (code, said) = failure(cvx(root).args(["-d", "d", "backup", target]));
        assert!(code == 2 && said.contains(message), "{target}: {said}");
    }
    assert_eq!(std::fs::read_dir(root.join("full")).unwrap().count(), 1);
    assert!(root.join("mine/results/paper.csv").exists());
    let (code, said) = failure(cvx(root).args(["-d", "d", "backup", "no/where"]));
    assert!(code == 1 && said.contains("make the directory above"), "{said}");
    let (code, said) = failure(cvx(root).args(["init", "no/where", "--dim", "2"]));
    assert!(code == 1 && said.contains("make the directory above"), "{said}");
}

#[test]
fn an_interrupted_first_backup_is_taken_up() {
    let dir = tempdir().unwrap();
    let root = dir.path();
    walkers(&root.join("d"));
    let whole = run(root, &["-d", "d", "backup", "whole"]);
    // Killed before the first file was whole, and before the version was named.
    std::fs::create_dir_all(root.join("bare/tmp")).unwrap();
    std::fs::write(root.join("bare/tmp/backup"), "id =").unwrap();
    std::fs::create_dir_all(root.join("half/manifest")).unwrap();
    std::fs::copy(root.join("d/cvx.toml"), root.join("half/cvx.toml")).unwrap();
    for target in ["bare", "half"] {
        let made = run(root, &["-d", "d", "backup", target]);
        assert_eq!(value(&made, "points"), value(&whole, "points"));
        run(root, &["-d", target, "verify", "--level", "deep"]);
    }
}

#[test]
fn results_are_listed_shown_and_dropped() {
    let dir = tempdir().unwrap();
    let root = dir.path();
    walkers(&root.join("d"));
    run(root, &["-d", "d", "changepoints", "--save", "spring", "-q"]);
    let list = run(root, &["-d", "d", "results", "list", "-f", "csv"]);
    assert!(list.lines().nth(1).unwrap().starts_with("changepoints,spring,ok,"), "{list}");
    assert_eq!(
        run(root, &["-d", "d", "results", "list", "--kind", "baseline", "-f", "csv"]).lines().count(),
        1
    );
    let shown = run(root, &["-d", "d", "results", "show", "changepoints", "spring"]);
    assert!(
        value(&shown, "command").to_string().contains("--save spring") && value(&shown, "seq_behind") == 0,
        "{shown}"
    );
    let (code, said) = failure(cvx(root).args(["-d", "d", "results", "show", "changepoints", "sping"]));
    assert_eq!((code, said.contains("there are: spring")), (5, true), "{said}");
    run(root, &["-d", "d", "results", "drop", "changepoints", "spring", "--dry-run"]);
    let dropped = run(root, &["-d", "d", "results", "drop", "changepoints", "spring"]);
    assert_eq!(value(&dropped, "name"), "spring");
    assert_eq!(run(root, &["-d", "d", "results", "list", "-f", "csv"]).lines().count(), 1);
    let (code, _) = failure(cvx(root).args(["-d", "d", "results", "drop", "changepoints", "spring"]));
    assert_eq!(code, 5);
    // One that cannot be read is listed, named, and can be dropped.
    std::fs::write(root.join("d/results/baseline.b.cvxr"), "no container").unwrap();
    let out = cvx(root).args(["-d", "d", "results", "list", "-f", "csv"]).output().unwrap();
    let rows = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.code() == Some(3) && rows.contains("baseline,b,damaged,"), "{rows}");
    run(root, &["-d", "d", "results", "drop", "baseline", "b"]);
}
