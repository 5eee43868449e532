//! Shards and threads: the same bytes, however the work was divided.

use crate::{cvx, day, failure};
use cvx::config::Settings;
use cvx::dataset::{OnConflict, Options, Writer, entity_hash, init};
use cvx::model::Key;
use cvx::points::{Origin, Points};
use std::path::Path;
use tempfile::{TempDir, tempdir};

fn append(dir: &Path, points: std::ops::Range<i64>) {
    let mut writer = Writer::open(dir, Options::default()).unwrap();
    let mut all = Points::new(3);
    let origin = all.intern(&Origin { source: "given, twice".into(), model: "m@1".into() });
    for e in 0..50u64 {
        for i in points.clone() {
            let noise = |d: u64| (entity_hash(e << 32 | (i as u64) << 8 | d) >> 40) as f32 / 1e7;
            let jump = if e % 3 == 0 && i > 20 { 9.0 } else { 0.0 };
            all.push(
                Key { entity: e * e * 77, t: day(i) },
                &[noise(0) + jump, noise(1), noise(2)],
                "",
                origin,
            );
        }
    }
    writer.append(&mut all, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
}

fn world() -> TempDir {
    let dir = tempdir().unwrap();
    init(&dir.path().join("d"), &Settings::new(3), false).unwrap();
    append(&dir.path().join("d"), 0..40);
    dir
}

fn run(dir: &TempDir, args: &[&str]) {
    let output = cvx(dir.path()).args(["-q", "-d", "d"]).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn bytes(dir: &TempDir, name: &str) -> Vec<u8> {
    std::fs::read(dir.path().join(name)).unwrap()
}

const COMMANDS: [&[&str]; 5] = [
    &["velocity", "--order", "2", "--vectors", "list"],
    &["drift", "--flips", "50", "--scale", "1d,1w"],
    &["changepoints"],
    &["changepoints", "--summary"],
    &["export"],
];

#[test]
fn merged_shards_are_the_bytes_of_one_run() {
    let dir = world();
    for format in ["csv", "tsv", "json", "jsonl", "parquet", "arrow"] {
        for command in COMMANDS {
            let whole = format!("whole.{format}");
            run(&dir, &[command, &["-o", &whole, "-j", "1"]].concat());
            run(&dir, &[command, &["-o", &format!("two.{format}"), "--threads=2"]].concat());
            assert_eq!(bytes(&dir, &whole), bytes(&dir, &format!("two.{format}")), "{command:?} {format}");
            let shards: Vec<String> = (1..=4).map(|i| format!("shard{i}.{format}")).collect();
            for (i, shard) in (1..).zip(&shards) {
                run(&dir, &[command, &["--shard", &format!("{i}/4"), "-o", shard]].concat());
            }
            let merged = format!("merged.{format}");
            let files: Vec<&str> = shards.iter().rev().map(String::as_str).collect();
            run(&dir, &[&["merge"], &files[..], &["-o", &merged]].concat());
            assert_eq!(bytes(&dir, &whole), bytes(&dir, &merged), "{command:?} {format}");
        }
    }
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let dir = world();
    for format in ["csv", "parquet"] {
        let name = |n: &str| format!("{n}.{format}");
        let shard = |i: &str, name: &str, args: &[&str]| {
            run(&dir, &[&["drift", "--flips", "9"], args, &["--shard", i, "-o", name]].concat());
        };
        shard("1/2", &name("a"), &[]);
        shard("2/2", &name("b"), &[]);
        shard("2/2", &name("seed"), &["--seed", "3"]);
        shard("2/2", &name("command"), &["--per", "1w"]);
        shard("2/3", &name("three"), &[]);
        run(&dir, &["drift", "-o", &name("whole")]);
        run(&dir, &["drift", "--flips", "9", "--sort", "l2", "--shard", "1/1", "-o", &name("sorted")]);
        let refused = |files: &[&str], message: &str| {
            let files: Vec<String> = files.iter().map(|f| name(f)).collect();
            let (code, said) = failure(cvx(dir.path()).arg("merge").args(&files).args(["-o", &name("out")]));
            assert_eq!(code, 1, "{said}");
            assert!(said.contains(message), "{said}");
            assert!(!dir.path().join(name("out")).exists());
        };
        refused(&["a"], "shards are missing: 2/2");
        refused(&["a", "b", "a"], "shard 1/2 is there twice");
        refused(&["a", "seed"], "--seed 3, not");
        refused(&["a", "command"], "command is cvx");
        refused(&["a", "three"], "one of 3, the others of 2");
        refused(&["a", "whole"], "does not say which shard");
        refused(&["sorted"], "not in the order of entities");
        append(&dir.path().join("d"), if format == "csv" { 40..41 } else { 41..42 });
        shard("2/2", &name("later"), &[]);
        refused(&["a", "later"], "commit is ");
        // An older version can still be read.
        let commit = if format == "csv" { "3" } else { "5" };
        shard("2/2", &name("same"), &["--read-at", commit]);
        run(&dir, &["merge", &name("a"), &name("same"), "-o", &name("out")]);
    }
    for (args, message) in [
        (&["merge", "a.csv", "b.parquet", "-o", "x.csv"][..], "different formats"),
        (&["merge", "a.csv", "b.csv", "-o", "x.json"], "another format"),
        (&["merge", "a.csv", "b.csv", "-o", "a.csv"], "one of the shards"),
        (&["merge", "a.txt"], "no format that can be merged"),
    ] {
        let (code, said) = failure(cvx(dir.path()).args(args));
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(message), "{said}");
    }
}
