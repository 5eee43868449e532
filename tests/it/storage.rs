//! What lies where a dataset's files should: special files, links, other versions; what would be written
//! into a dataset; limits of the system.

use crate::{cvx, failure, stdout, walkers};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

fn run(dir: &Path, args: &[&str]) -> String {
    stdout(cvx(dir).args(["-d", "d"]).args(args))
}

/// Exit status, standard output and standard error of a command that must not hang.
fn outcome(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let out = cvx(dir).args(["-d", "d"]).args(args).timeout(Duration::from_secs(20)).output().unwrap();
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// A dataset with a file of each kind: hot, warm, cold with codebook and original, dictionary, index.
fn full() -> TempDir {
    let dir = tempdir().unwrap();
    let d = dir.path().join("d");
    walkers(&d);
    run(dir.path(), &["compact"]);
    run(dir.path(), &["tier", "run", "--older-than", "0s", "--codec", "pq:2", "--keep-original"]);
    for (name, day) in [("c", 5), ("d", 6)] {
        let line =
            format!("{{\"entity_id\":\"{name}\",\"timestamp\":\"2024-02-0{day}\",\"vector\":[3,{day}]}}\n");
        fs::write(dir.path().join("more.jsonl"), line).unwrap();
        stdout(cvx(dir.path()).args(["-q", "-d", "d", "ingest", "more.jsonl", "-f", "csv"]));
        if name == "c" {
            run(dir.path(), &["compact", "--keep-for", "1h"]);
        }
    }
    run(dir.path(), &["index", "build"]);
    dir
}

/// Files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for e in fs::read_dir(dir).unwrap() {
        let path = e.unwrap().path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out.sort();
    out
}

#[test]
fn nothing_is_written_into_a_dataset() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    walkers(&dir.path().join("e"));
    run(dir.path(), &["compact"]);
    symlink(dir.path().join("d/cold"), dir.path().join("link")).unwrap();
    fs::create_dir(dir.path().join("d/cold")).unwrap();
    fs::create_dir(dir.path().join("out")).unwrap();
    symlink("../d/new", dir.path().join("out/dangles")).unwrap();
    fs::write(dir.path().join("in.jsonl"), "{\"entity_id\":\"a\",\"timestamp\":1,\"vector\":[1]}\n").unwrap();
    let before = files(&dir.path().join("d"));
    for place in ["d/cold", "d/new", "out/../d/x", "link/deep", "out/dangles", "e/hot", "d", "d/results/x"] {
        let commands: [&[&str]; 6] = [
            &["tier", "run", "--older-than", "0s", "--codec", "zstd", "--target", place],
            &["tier", "plan", "--older-than", "0s", "--codec", "zstd", "--target", place],
            &["export", "--npy", place],
            &["export", "-o", place],
            &["ingest", "in.jsonl", "--rejects", place, "--time-unit", "us"],
            &["ingest", "in.jsonl", "--detect", "bocpd", "--events", place, "--time-unit", "us"],
        ];
        for args in commands {
            let (code, _, stderr) = outcome(dir.path(), args);
            assert_eq!(code, Some(2), "{args:?}: {stderr}");
            let inside = stderr.contains("would lie inside the dataset");
            assert!(inside, "{args:?}: {stderr}");
        }
    }
    assert_eq!(files(&dir.path().join("d")), before);
}

/// Programs before this one let a target lie inside the dataset.
#[test]
fn what_a_version_names_is_not_swept_wherever_it_lies() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    run(dir.path(), &["compact"]);
    let all = run(dir.path(), &["export", "-f", "csv"]);
    for inner in ["cold", "warm", "hot", "index", "dict"] {
        let place = dir.path().join("d").join(inner).join("old");
        let target = dir.path().join(format!("target-{inner}"));
        run(
            dir.path(),
            &["tier", "run", "--older-than", "0s", "--codec", "zstd", "--target", target.to_str().unwrap()],
        );
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::rename(&target, &place).unwrap();
        symlink(&place, &target).unwrap();
        run(dir.path(), &["compact", "--purge", "--keep-for", "0s"]);
        assert_eq!(run(dir.path(), &["export", "-f", "csv"]), all, "{inner}");
        let (code, text, _) = outcome(dir.path(), &["verify", "-f", "csv"]);
        assert_eq!(code, Some(0), "{text}");
        run(dir.path(), &["tier", "restore", "--all", "--yes", "--keep-for", "0s"]);
        fs::remove_file(&target).unwrap();
        let _ = fs::remove_dir_all(&place);
    }
}

#[test]
fn special_files_are_damage_at_once() {
    let dir = full();
    let d = dir.path().join("d");
    let aside = dir.path().join("aside");
    for (i, path) in files(&d).into_iter().enumerate() {
        let name = path.strip_prefix(&d).unwrap().to_str().unwrap().to_owned();
        if name.starts_with("tmp") || name.starts_with("results") {
            continue;
        }
        fs::rename(&path, &aside).unwrap();
        match i % 3 {
            0 => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
            1 => fs::create_dir(&path).unwrap(),
            // Names of sockets are short; it moves to its place afterwards.
            _ => {
                let _socket = UnixListener::bind(dir.path().join("s")).unwrap();
                fs::rename(dir.path().join("s"), &path).unwrap();
            }
        }
        let started = Instant::now();
        let (code, text, stderr) = outcome(dir.path(), &["verify", "--level", "full", "-f", "csv"]);
        let want = match name.as_str() {
            "LOCK" => 0,
            // The index is no loss.
            n if n.starts_with("index/") => 4,
            _ => 13,
        };
        // A deletion set belongs to a file of points or of the index.
        let set = name.ends_with(".del") && code == Some(4);
        assert!(code == Some(want) || set, "{name}: {code:?} {text} {stderr}");
        if name == "LOCK" {
            assert_eq!(outcome(dir.path(), &["compact"]).0, Some(13), "{name}");
            assert_eq!(outcome(dir.path(), &["index", "build", "--rebuild"]).0, Some(13), "{name}");
        }
        let (code, _, stderr) = outcome(dir.path(), &["query", "knn", "--vector", "[1,2]", "-k", "9"]);
        assert!(matches!(code, Some(0 | 13)), "{name}: {code:?} {stderr}");
        assert!(started.elapsed() < Duration::from_secs(15), "{name}");
        if i % 3 == 1 {
            fs::remove_dir(&path).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        fs::rename(&aside, &path).unwrap();
    }
    assert_eq!(outcome(dir.path(), &["verify", "--level", "deep", "-f", "csv"]).0, Some(0));
}

#[test]
fn links_out_of_the_dataset_are_not_followed() {
    let dir = full();
    let d = dir.path().join("d");
    let mine = dir.path().join("mine");
    fs::create_dir_all(mine.join("index")).unwrap();
    for name in ["LOCK", "0000000001.seg", "2024-01.0000000001.parquet", "index/LOCK", "index/part-0"] {
        fs::write(mine.join(name), "mine").unwrap();
    }
    let untouched = || {
        assert_eq!(files(&mine).len(), 5);
        files(&mine)
            .iter()
            .for_each(|f| assert_eq!(fs::read_to_string(f).unwrap(), "mine", "{}", f.display()));
    };
    let swap = |name: &str, to: &Path, args: &[&[&str]], codes: &[i32]| {
        let (path, aside) = (d.join(name), dir.path().join("aside"));
        let there = path.exists();
        if there {
            fs::rename(&path, &aside).unwrap();
        }
        symlink(to, &path).unwrap();
        for args in args {
            let (code, _, stderr) = outcome(dir.path(), args);
            assert!(code.is_some_and(|c| codes.contains(&c)), "{name}, {args:?}: {code:?} {stderr}");
            untouched();
        }
        // A sweep may have removed the link itself.
        let _ = fs::remove_file(&path);
        if there {
            fs::rename(&aside, &path).unwrap();
        }
    };
    let writers: [&[&str]; 3] = [
        &["compact", "--purge", "--keep-for", "0s"],
        &["index", "build", "--rebuild"],
        &["ingest", "more.jsonl"],
    ];
    swap("LOCK", &mine.join("LOCK"), &writers, &[13]);
    swap("tmp", &mine, &writers, &[13]);
    swap("tmp/index", &mine.join("index"), &writers[1..2], &[13]);
    swap("tmp/x", &mine, &writers[..1], &[0]);
    swap("warm/bucket=ffff", &mine, &writers[..1], &[0]);
    swap("cold/bucket=ffff", &mine, &writers[..1], &[0]);
    swap("hot", &mine, &writers[..1], &[0, 13]);
    swap("cache", &mine, &writers[..1], &[0]);
    // The directory of the dataset may be a link.
    symlink(&d, dir.path().join("alias")).unwrap();
    stdout(cvx(dir.path()).args(["-d", "alias", "compact"]));
    stdout(cvx(dir.path()).args(["-d", "alias", "verify", "--level", "full"]));
}

#[test]
fn older_versions_are_checked_and_are_what_they_are_called() {
    let dir = full();
    let d = dir.path().join("d");
    let versions = files(&d.join("manifest"));
    assert!(versions.len() > 3, "{versions:?}");
    let number = |p: &Path| p.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let at = |n: u64, args: &[&str]| {
        let n = n.to_string();
        outcome(dir.path(), &[args, &["--read-at", &n]].concat())
    };
    for path in &versions {
        let (code, text, stderr) = at(number(path), &["verify", "--level", "full", "-f", "csv"]);
        assert_eq!(code, Some(0), "{text} {stderr}");
        assert_eq!(at(number(path), &["export", "-f", "csv"]).0, Some(0));
    }
    let (old, other) = (&versions[1], &versions[2]);
    let kept = fs::read(other).unwrap();
    fs::copy(old, other).unwrap();
    let (code, _, stderr) = at(number(other), &["export", "-f", "csv"]);
    assert!(
        code == Some(13) && stderr.contains(other.file_name().unwrap().to_str().unwrap()),
        "{code:?} {stderr}"
    );
    assert_eq!(outcome(dir.path(), &["verify", "-f", "csv"]).0, Some(13));
    fs::write(other, kept).unwrap();
    assert_eq!(at(99_999, &["verify"]).0, Some(5));
    // A file that only an older version needs.
    let newest = run(dir.path(), &["info", "--partitions", "-f", "csv"]);
    let gone = files(&d.join("hot")).into_iter().chain(files(&d.join("warm")));
    let gone = gone.filter(|p| p.extension().is_some_and(|e| e != "del"));
    let gone: Vec<PathBuf> =
        gone.filter(|p| !newest.contains(p.file_name().unwrap().to_str().unwrap())).collect();
    assert!(!gone.is_empty(), "{newest}");
    fs::remove_file(&gone[0]).unwrap();
    let (code, text, _) = outcome(dir.path(), &["verify", "-f", "csv"]);
    let name = gone[0].file_name().unwrap().to_str().unwrap();
    assert!(code == Some(13) && text.contains(name), "{code:?} {text}");
}

#[test]
fn verify_lists_all_that_is_wrong() {
    let dir = full();
    let d = dir.path().join("d");
    let mut broken = Vec::new();
    for path in files(&d.join("cold")).into_iter().chain(files(&d.join("warm"))) {
        fs::remove_file(&path).unwrap();
        if broken.is_empty() {
            fs::create_dir(&path).unwrap();
        }
        broken.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    assert!(broken.len() >= 4, "{broken:?}");
    let (code, text, _) = outcome(dir.path(), &["verify", "--level", "full", "-f", "csv"]);
    assert_eq!(code, Some(13));
    for name in broken {
        assert!(text.lines().any(|l| l.contains(&name) && l.contains(",damaged,")), "{name}: {text}");
    }
}

#[test]
fn the_mend_that_verify_tells_mends() {
    let dir = full();
    let d = dir.path().join("d");
    let part =
        files(&d.join("index")).into_iter().find(|p| p.extension().is_some_and(|e| e == "idx")).unwrap();
    let bytes = fs::read(&part).unwrap();
    fs::write(&part, &bytes[..bytes.len() - 1]).unwrap();
    let (code, _, stderr) = outcome(dir.path(), &["verify"]);
    assert!(code == Some(4) && stderr.contains("index build --rebuild"), "{stderr}");
    assert!(!stderr.contains("writing command"), "{stderr}");
    run(dir.path(), &["index", "build", "--rebuild"]);
    fs::write(d.join("hot/0000000001.seg"), "left").unwrap();
    let (code, _, stderr) = outcome(dir.path(), &["verify"]);
    assert!(code == Some(4) && stderr.contains("writing command"), "{stderr}");
    run(dir.path(), &["compact"]);
    assert_eq!(outcome(dir.path(), &["verify"]).0, Some(0));
}

#[test]
fn lines_without_end_are_refused() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    fs::write(dir.path().join("d/LOCK"), "x".repeat(1 << 20)).unwrap();
    run(dir.path(), &["info"]);
    let quote = std::iter::once("entity\n\"").chain(std::iter::repeat_n("0123456789abcdef", 1 << 19));
    fs::write(dir.path().join("quote.csv"), quote.collect::<String>()).unwrap();
    for args in [
        ["export", "--entities-from", "quote.csv", "-fcsv"],
        ["query", "knn", "--queries", "/dev/zero"],
        ["query", "knn", "--vector", "/dev/zero"],
        ["export", "--entities-from", "/dev/zero", "-fcsv"],
    ] {
        let (code, stderr) =
            failure(cvx(dir.path()).args(["-d", "d"]).args(args).timeout(Duration::from_secs(20)));
        assert!(matches!(code, 1 | 2) && stderr.contains("longer than"), "{args:?}: {code} {stderr}");
    }
}

#[test]
fn the_first_signal_ends_a_command_that_waits() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    for signal in ["-TERM", "-INT"] {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("cvx"));
        command.args(["-d", "d", "ingest", "-"]).current_dir(dir.path());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Until it has the lock, and so waits for its input.
        let started = Instant::now();
        while fs::read(dir.path().join("d/LOCK")).unwrap().is_empty() && started.elapsed().as_secs() < 10 {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{signal}: still there");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(if signal == "-INT" { 130 } else { 143 }));
        stdout(cvx(dir.path()).args(["-d", "d", "compact"]));
    }
}

#[test]
fn limits_of_the_system_are_errors_in_words() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    let rows: String = (0..4000)
        .map(|i| format!("{{\"entity_id\":\"e{i}\",\"timestamp\":{i},\"vector\":[{i},1]}}\n"))
        .collect();
    fs::write(dir.path().join("in.jsonl"), rows).unwrap();
    let cvx_bin = assert_cmd::cargo::cargo_bin("cvx");
    let limited = |limit: &str, args: &str| {
        let script = format!("{limit}; exec '{}' -d d {args}", cvx_bin.display());
        let out = Command::new("bash").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, stderr) = limited("ulimit -f 16", "ingest in.jsonl --time-unit us");
    assert!(
        code == Some(1) && stderr.contains("file too large") && stderr.contains("ulimit -f"),
        "{code:?} {stderr}"
    );
    assert_eq!(outcome(dir.path(), &["compact"]).0, Some(0));
}
