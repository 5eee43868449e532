//! `cvx ingest`: from files to points, and what is said about bad ones.

use crate::{cvx, failure, stdout};
use assert_cmd::Command;
use std::fs;
use tempfile::{TempDir, tempdir};

fn world(dim: &str) -> TempDir {
    let dir = tempdir().unwrap();
    stdout(cvx(dir.path()).args(["init", "d", "--dim", dim]));
    dir
}

fn ingest(dir: &TempDir, args: &[&str]) -> Command {
    let mut command = cvx(dir.path());
    command.args(["ingest", "-d", "d", "-f", "json", "--errors", "text"]).args(args);
    command
}

fn record(text: &str) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(text).unwrap()[0].take()
}

fn export(dir: &TempDir, args: &[&str]) -> String {
    stdout(cvx(dir.path()).args(["export", "-d", "d", "-f", "jsonl"]).args(args))
}

#[test]
fn formats_give_the_same_points_and_exports_come_back() {
    let dir = world("2");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("a.jsonl", "{\"entity_id\":7,\"t\":\"2024-01-01\",\"vector\":[1.5,-2],\"lang\":\"en\"}\n");
    write(
        "b.csv",
        "entity_id,t,vector,lang\n7,2024-01-01,\"[1.5,-2]\",en\n8,2024-01-02,\"[0.25,1e-3]\",de\n",
    );
    write("c.tsv", "entity_id\tt\tx\ty\tlang\n7\t2024-01-01\t1.5\t-2\ten\n");
    let first = record(&stdout(&mut ingest(&dir, &["a.jsonl"])));
    assert_eq!(
        (&first["rows_added"], &first["entities_new"], &first["files"]),
        (&1.into(), &1.into(), &1.into())
    );
    let second = record(&stdout(&mut ingest(&dir, &["b.csv"])));
    assert_eq!((&second["rows_added"], &second["rows_unchanged"]), (&1.into(), &1.into()));
    let third = record(&stdout(&mut ingest(&dir, &["c.tsv", "--vector-cols", "x..y"])));
    assert_eq!(third["rows_unchanged"], 1);

    let all = export(&dir, &[]);
    write("all.jsonl", &all);
    stdout(cvx(dir.path()).args(["init", "e", "--dim", "2"]));
    stdout(cvx(dir.path()).args(["ingest", "-d", "e", "all.jsonl"]));
    let back = stdout(cvx(dir.path()).args(["export", "-d", "e", "-f", "jsonl"]));
    let points = |text: &str| {
        let lines = text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
        lines.map(|mut v| (v["seq"].take(), v).1).collect::<Vec<_>>()
    };
    assert_eq!(points(&back), points(&all));
}

#[test]
fn standard_input_and_commit_lines() {
    let dir = world("1");
    let rows: String = (0..25)
        .map(|i| format!("{{\"entity_id\":{i},\"t\":\"2024-01-01\",\"vector\":[{}]}}\n", i + 1))
        .collect();
    let output = ingest(&dir, &["-", "--batch-rows", "10", "--progress", "json"])
        .write_stdin(rows.clone())
        .output()
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let counts: Vec<u64> = said
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
        .inspect(|l| assert_eq!(l["event"], "commit"))
        .map(|l| l["rows_durable"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [10, 20, 25]);
    let again = ingest(&dir, &["-"]).write_stdin(rows).output().unwrap();
    let again = record(&String::from_utf8(again.stdout).unwrap());
    assert_eq!((&again["rows_added"], &again["rows_unchanged"]), (&0.into(), &25.into()));
    assert_eq!(export(&dir, &[]).lines().count(), 25);
}

#[test]
fn bad_rows_are_named_and_counted() {
    let dir = world("2");
    let text = "{\"entity_id\":1,\"t\":\"2024-01-01\",\"vector\":[1,2]}\n\
                {\"entity_id\":1,\"t\":\"2024-01-02\",\"vector\":[1,2,3]}\n\
                {\"entity_id\":1,\"t\":1700000000,\"vector\":[1,2]}\n\
                {\"entity_id\":1,\"t\":\"2024-01-03\",\"vector\":[5,6]}\n";
    fs::write(dir.path().join("x.jsonl"), text).unwrap();
    let (code, said) = failure(&mut ingest(&dir, &["x.jsonl"]));
    assert_eq!(code, 1);
    assert!(said.contains("x.jsonl, line 2"), "{said}");
    let output =
        ingest(&dir, &["x.jsonl", "--max-errors", "all", "--rejects", "bad.jsonl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: 2 rows were left out, all others are in"), "{said}");
    let r = record(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((&r["rows_rejected"], &r["points_total"]), (&2.into(), &2.into()));
    let bad = fs::read_to_string(dir.path().join("bad.jsonl")).unwrap();
    let codes: Vec<String> = bad
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["code"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(codes, ["dim_mismatch", "bad_time"]);
}

#[test]
fn finished_files_are_skipped() {
    let dir = world("1");
    fs::write(dir.path().join("x.jsonl"), "{\"entity_id\":1,\"t\":\"2024-01-01\",\"vector\":[1]}\n").unwrap();
    stdout(&mut ingest(&dir, &["x.jsonl"]));
    let output = ingest(&dir, &["x.jsonl", "-v"]).output().unwrap();
    assert_eq!(record(&String::from_utf8(output.stdout).unwrap())["files_skipped"], 1);
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("note: skipped x.jsonl"), "no word of it");
    let json = ingest(&dir, &["x.jsonl", "-v", "--log-format", "json"]).output().unwrap();
    let line: serde_json::Value = serde_json::from_slice(&json.stderr).unwrap();
    assert_eq!(line["level"], "note");
    stdout(&mut ingest(&dir, &["x.jsonl", "-v", "-q"]));
}

#[test]
fn conflicts_are_settled_as_asked() {
    let dir = world("1");
    let row = |v: u32| format!("{{\"entity_id\":1,\"t\":\"2024-01-01\",\"vector\":[{v}]}}\n");
    let run =
        |v: u32, how: &str| ingest(&dir, &["-", "--on-conflict", how]).write_stdin(row(v)).output().unwrap();
    assert!(run(1, "error").status.success());
    let refused = run(2, "error");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("(1, 2024-01-01T00:00:00Z) is already stored with another vector"), "{said}");
    assert!(said.contains("--on-conflict replace"), "{said}");
    assert!(run(2, "skip").status.success());
    assert!(export(&dir, &[]).contains("\"vector\":[1.0]"));
    assert!(run(2, "replace").status.success());
    assert!(export(&dir, &[]).contains("\"vector\":[2.0]"));
}

#[test]
fn usage_errors() {
    let dir = world("1");
    for (args, exit, message) in [
        (&[][..], 2, "required arguments were not provided: <SOURCE>"),
        (&["x", "--max-errors", "some"], 2, "expected a number, a share"),
        (&["x.jsonl", "--model", "m", "--map", "model=m"], 2, "both --model and --map model=COL"),
        (&["x", "--batch-bytes", "lots"], 2, "expected a size such as 64MiB"),
        (&["x", "--batch-rows", "0"], 2, "above 0"),
        (&["x", "--vector-cols", "a"], 2, "A..B"),
        (&["x", "--time-unit", "minutes"], 2, "is not a unit of time"),
        (&["x", "--map", "id=a"], 2, "is not a mapping"),
        (&["-", "-"], 2, "can be read once"),
        (&["x.jsonl.gz"], 1, "x.jsonl.gz"),
        (&["x", "-n"], 1, "no such file"),
        (&["no.jsonl"], 1, "no.jsonl"),
    ] {
        let (code, said) = failure(&mut ingest(&dir, args));
        assert_eq!(code, exit, "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
}

/// A signal between two batches: what is durable stays, and the same input again completes it.
#[test]
fn sigint_ends_at_a_batch_and_the_run_can_be_repeated() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command as Process, Stdio};
    let dir = world("1");
    let row = |i: u32| format!("{{\"entity_id\":{i},\"t\":\"2024-01-01\",\"vector\":[{i}]}}\n");
    let mut child = Process::new(assert_cmd::cargo::cargo_bin("cvx"))
        .args(["ingest", "-d", "d", "-", "--batch-rows", "5", "--progress", "json"])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    (0..20).for_each(|i| stdin.write_all(row(i).as_bytes()).unwrap());
    stdin.flush().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("\"rows_durable\":5"), "{line}");
    assert!(Process::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    // The next rows wake the reader; more than fit a pipe would block a command that has ended.
    let _ = (20..40).try_for_each(|i| stdin.write_all(row(i).as_bytes()));
    drop(stdin);
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let rows: String = (0..40).map(row).collect();
    let output = ingest(&dir, &["-"]).write_stdin(rows).output().unwrap();
    assert_eq!(record(&String::from_utf8(output.stdout).unwrap())["points_total"], 40);
    stdout(cvx(dir.path()).args(["verify", "-d", "d", "--level", "deep"]));
}

#[test]
fn a_dry_run_says_what_would_be_read() {
    let dir = world("2");
    let row = |i: u32| format!("{{\"entity_id\":{i},\"t\":\"2024-01-01\",\"vector\":[1,2]}}\n");
    fs::write(dir.path().join("a.jsonl"), row(1)).unwrap();
    fs::write(dir.path().join("b.jsonl"), row(2)).unwrap();
    stdout(&mut ingest(&dir, &["a.jsonl", "b.jsonl"]));
    fs::write(dir.path().join("b.jsonl"), row(2) + &row(3)).unwrap();
    fs::write(dir.path().join("c.jsonl"), row(4)).unwrap();
    let plan = || {
        let text = stdout(
            cvx(dir.path()).args(["ingest", "-d", "d", "-n", "-f", "csv", "a.jsonl", "b.jsonl", "c.jsonl"]),
        );
        let rows = text.lines().skip(1).map(|l| l.split(',').skip(3).collect::<Vec<_>>().join(","));
        let mut rows: Vec<String> = rows.collect();
        rows.sort();
        rows
    };
    assert_eq!(plan(), ["read,0", "resume,1", "skip,"]);
    assert_eq!(plan().len(), 3, "nothing was changed");
}

#[test]
fn conflicts_show_their_line_in_the_rejects() {
    let dir = world("2");
    let text = "{\"entity_id\":1,\"t\":\"2024-01-01\",\"vector\":[1,2]}\n{\"entity_id\":1,\"t\":\"2024-01-01\",\"vector\":[3,4]}\n";
    fs::write(dir.path().join("a.jsonl"), text).unwrap();
    let output =
        ingest(&dir, &["a.jsonl", "--max-errors", "all", "--rejects", "bad.jsonl"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let bad = fs::read_to_string(dir.path().join("bad.jsonl")).unwrap();
    let bad: serde_json::Value = serde_json::from_str(bad.trim()).unwrap();
    assert_eq!((&bad["line"], &bad["raw"]), (&2.into(), &text.lines().nth(1).unwrap().into()));
}

fn exit(command: &mut assert_cmd::Command) -> (i32, serde_json::Value, String) {
    let out = command.output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
    (out.status.code().unwrap(), rows.get(0).cloned().unwrap_or_default(), said)
}

/// What cron relies on: tolerated rows are told once, one bad file does not hold up the others, nothing to
/// read is no failure, and a skipped run can be told from a done one.
#[test]
fn the_contract_with_cron() {
    let dir = world("2");
    let good = |e: u32| format!("{{\"entity_id\":{e},\"t\":\"2024-01-01\",\"vector\":[1,{e}]}}\n");
    let (code, r, _) = exit(&mut ingest(&dir, &["drop*/*.jsonl", "--allow-empty"]));
    assert_eq!((code, &r["files"]), (0, &0.into()));
    let text: String = (0..200).map(good).collect();
    fs::write(dir.path().join("a.jsonl"), format!("{text}{{\"entity_id\":1}}\n")).unwrap();
    let share = ["a.jsonl", "--max-errors", "1%", "--rejects", "bad.rejects"];
    let (code, r, _) = exit(&mut ingest(&dir, &share));
    assert_eq!((code, &r["rows_added"], &r["rows_rejected"]), (3, &200.into(), &1.into()));
    let (code, r, said) = exit(&mut ingest(&dir, &share));
    assert_eq!((code, &r["files_skipped"], said.as_str()), (0, &1.into(), ""), "finished for good");
    // More bad rows than the share allows, a conflict, a file that is none, and a good one behind them.
    fs::write(dir.path().join("b.jsonl"), good(201) + "{}\n{}\n").unwrap();
    fs::write(dir.path().join("c.jsonl"), good(202) + &good(7).replace("[1,7]", "[2,7]")).unwrap();
    fs::write(dir.path().join("d.parquet"), "no Parquet").unwrap();
    fs::write(dir.path().join("e.jsonl"), good(203)).unwrap();
    for max_errors in ["1%", "0"] {
        let all = ["*.jsonl", "d.parquet", "--max-errors", max_errors, "-q"];
        let (code, r, said) = exit(&mut ingest(&dir, &all));
        assert_eq!((code, &r["files_failed"]), (3, &3.into()), "{said}");
        assert!(said.contains("of 5 files were not read to their end") && said.contains("b.jsonl"), "{said}");
    }
    let shown = stdout(cvx(dir.path()).args(["-d", "d", "export", "--entity", "203", "-f", "csv"]));
    assert_eq!(shown.lines().count(), 2, "{shown}");
    // Locked: as the caller wishes.
    let options = cvx::dataset::Options::default();
    let _held = cvx::dataset::Writer::open(&dir.path().join("d"), options).unwrap();
    for (option, want) in [("--skip-if-locked", 0), ("--skip-if-locked=75", 75)] {
        assert_eq!(exit(&mut ingest(&dir, &["e.jsonl", "-q", option])).0, want);
    }
}

/// A model that was forgotten is set by the same files again; another file's name is no reason to replace.
#[test]
fn a_forgotten_model_is_set_later() {
    let dir = world("2");
    let text: String =
        (1..=3).map(|e| format!("{{\"entity_id\":{e},\"t\":\"2024-01-01\",\"vector\":[1,{e}]}}\n")).collect();
    fs::write(dir.path().join("a.jsonl"), &text).unwrap();
    fs::write(dir.path().join("b.jsonl"), &text).unwrap();
    let counts = |args: &[&str]| {
        let (code, r, said) = exit(ingest(&dir, args).arg("-q"));
        assert_eq!(code, 0, "{said}");
        [&r["rows_added"], &r["rows_unchanged"], &r["rows_replaced"]].map(|n| n.as_u64().unwrap())
    };
    let replace = ["a.jsonl", "--model", "e5@2", "--on-conflict", "replace"];
    assert_eq!(counts(&["a.jsonl"]), [3, 0, 0]);
    assert_eq!(counts(&["b.jsonl", "--on-conflict", "replace"]), [0, 3, 0]);
    // In memory and in files; once.
    stdout(cvx(dir.path()).args(["-d", "d", "compact"]));
    assert_eq!(counts(&replace), [0, 0, 3]);
    assert_eq!(counts(&[&["b.jsonl"], &replace[1..]].concat()), [0, 3, 0]);
    let export = || stdout(cvx(dir.path()).args(["-d", "d", "export", "-f", "csv"]));
    assert!(export().lines().skip(1).all(|l| l.contains("e5@2") && l.contains("a.jsonl")), "{}", export());
    // The source counts when it is said, and the model stays.
    assert_eq!(counts(&["b.jsonl", "--source", "feed", "--on-conflict", "replace"]), [0, 0, 3]);
    assert_eq!((export().matches("feed").count(), export().matches("e5@2").count()), (3, 3), "{}", export());
    stdout(cvx(dir.path()).args(["-d", "d", "verify", "--level", "deep"]));
}

#[test]
fn a_bad_row_of_a_binary_file_is_told_with_its_content() {
    let dir = world("2");
    fs::write(
        dir.path().join("a.jsonl"),
        "{\"entity_id\":1,\"t\":\"2024-01-01\",\"vector\":[1,2],\"lang\":\"en\",\"embedder\":\"e5@2\"}\n",
    )
    .unwrap();
    stdout(ingest(&dir, &["a.jsonl", "--map", "model=embedder"]).arg("-q"));
    for name in ["p.parquet", "p.arrow"] {
        stdout(cvx(dir.path()).args(["-d", "d", "export", "-o", name]));
        stdout(cvx(dir.path()).args(["init", "three", "--dim", "3", "--exist-ok"]));
        let mut c = cvx(dir.path());
        c.args(["-d", "three", "ingest", name, "--max-errors", "all", "--rejects", "bad.jsonl"]);
        assert_eq!(exit(&mut c).0, 3);
        let bad: serde_json::Value =
            serde_json::from_str(fs::read_to_string(dir.path().join("bad.jsonl")).unwrap().trim()).unwrap();
        let raw: serde_json::Value = serde_json::from_str(bad["raw"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&raw["entity_id"], &raw["vector"]),
            (&1.into(), &serde_json::json!([1.0, 2.0])),
            "{name}"
        );
        // The mapped column is the model and no metadata.
        assert_eq!(raw["model"], "e5@2");
        assert!(!raw["metadata"].to_string().contains("embedder"), "{raw}");
    }
}

#[test]
fn a_signal_ends_a_run_that_waits_for_input() {
    use std::io::Write;
    use std::process::Stdio;
    let dir = world("2");
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("cvx"));
    command.args(["ingest", "-d", "d", "-"]).current_dir(dir.path());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Held open, so that the run waits for more.
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(b"{\"entity_id\":1,\"t\":\"2024-01-01\",\"vector\":[1,2]}\n").unwrap();
    while !dir.path().join("d/LOCK").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stderr));
    drop(pipe);
    assert_eq!(export(&dir, &[]), "");
    stdout(cvx(dir.path()).args(["verify", "-d", "d", "--level", "full"]));
}

#[test]
fn a_table_cut_inside_its_last_number_heals() {
    for (name, sep) in [("g.csv", ","), ("g.tsv", "\t")] {
        let dir = world("2");
        let path = dir.path().join(name);
        let line = |cells: &[&str]| cells.join(sep);
        let head =
            line(&["entity_id", "t", "v0", "v1"]) + "\n" + &line(&["1", "2024-01-01", "1.5", "2.5"]) + "\n";
        fs::write(&path, head.clone() + &line(&["2", "2024-01-01", "3.5", "4.2"])).unwrap();
        stdout(&mut ingest(&dir, &[name]));
        assert_eq!(record(&stdout(&mut ingest(&dir, &[name])))["files_skipped"], 1);
        let whole = head.clone()
            + &line(&["2", "2024-01-01", "3.5", "4.25"])
            + "\n"
            + &line(&["3", "2024-01-01", "5", "6"])
            + "\n";
        fs::write(&path, whole).unwrap();
        let again = record(&stdout(&mut ingest(&dir, &[name])));
        assert_eq!((&again["rows_added"], &again["points_total"]), (&2.into(), &3.into()));
        assert!(export(&dir, &["--entity", "2"]).contains("[3.5,4.25]"));
        // A file that only lacked its last line end goes on behind it.
        let dir = world("2");
        let path = dir.path().join(name);
        let last = head.clone() + &line(&["2", "2024-01-01", "3.5", "4.2"]);
        fs::write(&path, &last).unwrap();
        stdout(&mut ingest(&dir, &[name]));
        fs::write(&path, last + "\n" + &line(&["3", "2024-01-01", "5", "6"])).unwrap();
        let again = record(&stdout(&mut ingest(&dir, &[name])));
        assert_eq!((&again["rows_read"], &again["rows_added"]), (&1.into(), &1.into()));
        assert!(export(&dir, &["--entity", "2"]).contains("4.2]"));
    }
}

#[test]
fn a_key_cut_inside_its_time_is_taken_back() {
    let dir = world("1");
    let path = dir.path().join("k.csv");
    fs::write(&path, "entity_id,v0,t\n1,1,2024-03-05\n1,2,2024-03").unwrap();
    stdout(&mut ingest(&dir, &["k.csv"]));
    assert!(export(&dir, &[]).contains("2024-03-01"));
    fs::write(&path, "entity_id,v0,t\n1,1,2024-03-05\n1,2,2024-03-17\n").unwrap();
    stdout(&mut ingest(&dir, &["k.csv"]));
    let all = export(&dir, &[]);
    assert!(all.lines().count() == 2 && all.contains("2024-03-17") && !all.contains("2024-03-01T"), "{all}");
}

#[test]
fn what_is_left_out_is_said_and_plans_find_missing_columns() {
    let dir = world("1");
    let root = dir.path().join("in");
    fs::create_dir_all(root.join("blobs")).unwrap();
    fs::create_dir_all(root.join("snap")).unwrap();
    fs::write(root.join("blobs/ab"), "entity_id,t,v0\n1,2024-01-01,1\n").unwrap();
    fs::write(root.join("snap/notes.txt"), "x").unwrap();
    std::os::unix::fs::symlink("../blobs/ab", root.join("snap/train.csv")).unwrap();
    std::os::unix::fs::symlink(".", root.join("snap/loop")).unwrap();
    let out = ingest(&dir, &["in"]).output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success() && said.contains("2 of no known format (ab, notes.txt)"), "{said}");
    assert!(said.contains("1 that are links to directories (loop)"), "{said}");
    assert_eq!(record(&String::from_utf8(out.stdout).unwrap())["rows_added"], 1);
    stdout(&mut ingest(&dir, &["in", "-q"]));
    fs::write(dir.path().join("x.csv"), "id,t,v0\n1,2024-01-01,1\n").unwrap();
    let (code, said) = failure(&mut ingest(&dir, &["-n", "x.csv"]));
    assert!(code == 1 && said.contains("no column"), "{said}");
    let (code, said) = failure(&mut ingest(&dir, &["-n", "x.csv", "--map", "entity=id", "--meta", "lang"]));
    assert!(code == 1 && said.contains("\"lang\""), "{said}");
    stdout(&mut ingest(&dir, &["-n", "x.csv", "--map", "entity=id"]));
    fs::write(dir.path().join("x.jsonl"), "{\"id\":1,\"t\":\"2024-01-01\",\"vector\":[1]}\n").unwrap();
    assert_eq!(failure(&mut ingest(&dir, &["-n", "x.jsonl"])).0, 1);
}

#[test]
fn two_rows_within_a_microsecond_name_each_other() {
    let dir = world("1");
    let row = |t: &str, v: u32| {
        format!("{{\"entity_id\":1,\"t\":\"2024-01-01T00:00:00.000000{t}Z\",\"vector\":[{v}]}}\n")
    };
    fs::write(dir.path().join("x.jsonl"), row("1", 1) + &row("2", 2)).unwrap();
    let (code, said) = failure(&mut ingest(&dir, &["x.jsonl"]));
    assert!(code == 1 && said.contains("stands in line 1 too") && said.contains("microseconds"), "{said}");
}

#[test]
fn packed_files_and_pipes() {
    let dir = world("2");
    let writers = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/writers");
    let gz = writers.join("rows.csv.gz");
    let gz = gz.to_str().unwrap();
    assert_eq!(record(&stdout(&mut ingest(&dir, &[gz])))["rows_added"], 2);
    assert_eq!(record(&stdout(&mut ingest(&dir, &[gz])))["files_skipped"], 1);
    for (name, format) in [
        ("rows.csv.bz2", "csv"),
        ("rows.csv.zst", "csv"),
        ("polars.arrow", "arrow"),
        ("lz4.arrow", "arrow"),
        ("part1.arrows", "arrow"),
        ("brotli.parquet", "parquet"),
    ] {
        let bytes = fs::read(writers.join(name)).unwrap();
        let out = ingest(&dir, &["-", "--input-format", format, "--on-conflict", "replace"])
            .write_stdin(bytes)
            .output()
            .unwrap();
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    }
    let (code, said) = failure(&mut ingest(&dir, &[gz, "--rejects", "-"]));
    assert!(code == 2 && said.contains("/dev/stderr"), "{said}");
    let listed = stdout(cvx(dir.path()).args(["export", "-d", "d", "-f", "csv", "-o", "-"]));
    assert!(listed.starts_with("entity_id,") && !dir.path().join("-").exists());
}

#[test]
fn numbers_become_the_names_of_a_table() {
    let dir = tempdir().unwrap();
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "1", "--ids", "string"]));
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("x.csv", "entity_id,t,v0\n7,2024-01-01,1\n8,2024-01-01,2\n");
    write("y.jsonl", "{\"entity_id\":7,\"t\":\"2024-01-02\",\"vector\":[3]}\n");
    write("names.csv", "id,name\n7,seven\n8,eight\n");
    let out = ingest(&dir, &["x.csv", "-n"]).output().unwrap();
    assert!(out.status.success());
    stdout(&mut ingest(&dir, &["x.csv", "y.jsonl", "--names", "names.csv"]));
    let table =
        stdout(cvx(dir.path()).args(["query", "trajectory", "-d", "d", "--entity", "seven", "-f", "table"]));
    assert!(table.contains("seven") && !table.contains("entity_id"), "{table}");
    assert_eq!(table.matches("seven").count(), 2);
    write("z.csv", "entity_id,t,v0\n9,2024-01-01,1\n");
    let (code, said) = failure(&mut ingest(&dir, &["z.csv", "--names", "names.csv"]));
    assert!(code == 1 && said.contains("id `9` has no name in names.csv"), "{said}");
    let plain = ingest(&dir, &["z.csv"]).output().unwrap();
    assert!(String::from_utf8(plain.stderr).unwrap().contains("each is its own name"));
    let other = world("1");
    fs::copy(dir.path().join("names.csv"), other.path().join("names.csv")).unwrap();
    fs::copy(dir.path().join("z.csv"), other.path().join("z.csv")).unwrap();
    let (code, said) = failure(&mut ingest(&other, &["z.csv", "--names", "names.csv"]));
    assert!(code == 2 && said.contains("--ids string"), "{said}");
}

#[test]
fn files_without_times_take_one_for_all_points() {
    let dir = tempdir().unwrap();
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "2", "--ids", "string"]));
    fs::write(dir.path().join("w2v-1990.vec"), "2 2\nking 1.5 -2\nqueen 0.25 0.5\n").unwrap();
    let (code, err) = failure(&mut ingest(&dir, &["w2v-1990.vec"]));
    assert!(code == 1 && err.contains("--at"), "{code} {err}");
    let done = record(&stdout(&mut ingest(&dir, &["w2v-1990.vec", "--at", "1990-01-01"])));
    assert_eq!(done["rows_added"], 2);
    let points = export(&dir, &[]);
    assert_eq!(points.matches("\"1990-01-01T00:00:00Z\"").count(), 2, "{points}");
}
