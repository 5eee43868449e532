//! `cvx index`, and queries through it against scans.

use crate::{cvx, day, failure, stdout};
use cvx::config::Settings;
use cvx::dataset::{OnConflict, Options, Staging, Writer, init};
use cvx::model::Key;
use cvx::points::{Origin, Points};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

const DIM: usize = 16;
const ENTITIES: u64 = 300;

/// Clustered trajectories: each entity drifts around one of twelve centres.
struct World {
    rng: Xoshiro256PlusPlus,
    places: Vec<[f32; DIM]>,
}

impl World {
    fn new() -> World {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut normal = |scale: f32| -> [f32; DIM] {
            std::array::from_fn(|_| scale * (0..6).map(|_| rng.random_range(-1.0f32..1.0)).sum::<f32>())
        };
        let centres: Vec<[f32; DIM]> = (0..12).map(|_| normal(1.0)).collect();
        let places = (0..ENTITIES as usize)
            .map(|e| {
                let offset = normal(0.5);
                std::array::from_fn(|i| centres[e % 12][i] + offset[i])
            })
            .collect();
        World { rng, places }
    }

    /// The next version of an entity.
    fn step(&mut self, entity: u64) -> [f32; DIM] {
        let place = &mut self.places[entity as usize];
        place.iter_mut().for_each(|x| *x += self.rng.random_range(-0.1f32..0.1));
        *place
    }

    /// One point of every entity at each of some days, a few hours apart.
    fn ingest(&mut self, dir: &Path, days: impl Iterator<Item = i64>) {
        let mut points = Points::new(DIM);
        for n in days {
            for entity in 0..ENTITIES {
                let t = day(n) + entity as i64 * 60_000_000;
                let x = self.step(entity);
                let lang = if (entity + n as u64) % 3 == 0 { "en" } else { "de" };
                put(&mut points, entity, t, &x, &format!("{{\"lang\":\"{lang}\"}}"));
            }
        }
        append(dir, points);
    }
}

fn put(points: &mut Points, entity: u64, t: i64, x: &[f32], meta: &str) {
    let origin = points.intern(&Origin { source: "given".into(), model: "m@1".into() });
    points.push(Key { entity, t }, x, meta, origin);
}

fn append(dir: &Path, mut points: Points) {
    let mut writer =
        Writer::open(dir, Options { lock_timeout: Duration::from_secs(10), ..Options::default() }).unwrap();
    writer.append(&mut points, None, OnConflict::Replace, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
}

/// 20 days of 300 entities, and a file of queries.
fn world() -> (TempDir, World) {
    let dir = tempdir().unwrap();
    let d = dir.path().join("d");
    init(&d, &Settings::new(DIM), false).unwrap();
    let mut world = World::new();
    world.ingest(&d, (0..40).step_by(2));
    let lines: String =
        (0..30).map(|i| format!("{{\"vector\":{:?}}}\n", world.places[i * 7].map(|x| x + 0.05))).collect();
    std::fs::write(dir.path().join("q.jsonl"), lines).unwrap();
    (dir, world)
}

fn build(dir: &TempDir, more: &[&str]) -> serde_json::Value {
    let text = stdout(cvx(dir.path()).args(["index", "build", "-d", "d", "-f", "json"]).args(more));
    serde_json::from_str::<serde_json::Value>(&text).unwrap()[0].clone()
}

/// Answers as (query, entity, time, distance), in their order.
fn ask(dir: &TempDir, args: &[&str]) -> Vec<(String, String, String, f64)> {
    let mut command = cvx(dir.path());
    command.args(["query"]).args(args).args(["--queries", "q.jsonl", "-d", "d", "-f", "csv", "--time", "us"]);
    let text = stdout(&mut command);
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let (query, entity, t, distance) = (at("query"), at("entity_id"), at("t"), at("distance"));
    let of = |line: &str| {
        let c: Vec<&str> = line.split(',').collect();
        (c[query].to_owned(), c[entity].to_owned(), c[t].to_owned(), c[distance].parse().unwrap())
    };
    text.lines().skip(1).map(of).collect()
}

/// Share of the answers of a scan that come through the index; distances must be the scan's own,
/// and the order (distance, entity, time).
fn recall(dir: &TempDir, args: &[&str]) -> f64 {
    let found = ask(dir, args);
    let truth = ask(dir, &[args, &["--exact"]].concat());
    assert!(!truth.is_empty(), "{args:?}");
    let all: BTreeSet<String> = truth.iter().map(|x| format!("{x:?}")).collect();
    let hits = found.iter().filter(|x| all.contains(&format!("{x:?}"))).count();
    assert_eq!(found.len(), truth.len(), "{args:?}");
    let sorted = found.windows(2).all(|w| w[0].0 != w[1].0 || w[0].3 <= w[1].3);
    assert!(sorted, "{args:?}");
    hits as f64 / truth.len() as f64
}

const MODES: [&[&str]; 9] = [
    &["knn", "-k", "10"],
    &["knn", "-k", "60"],
    &["knn", "--in", "2024-01-10..2024-01-14"],
    &["range", "--from", "2024-01-20", "--radius", "0.1"],
    &["asof", "--at", "2024-01-15", "-k", "10"],
    &["asof", "--at", "2024-01-30", "-k", "10", "--max-age", "1d"],
    &["knn", "--per-entity", "best", "-k", "10"],
    &["knn", "--where", "lang = 'en'", "-k", "10", "--from", "2024-01-02"],
    &["knn", "--alpha", "0.6", "--at", "2024-01-20", "--half-life", "5d", "-k", "10"],
];

fn check_modes(dir: &TempDir) {
    for mode in MODES {
        let r = recall(dir, mode);
        assert!(r >= 0.95, "{mode:?}: {r}");
    }
}

#[test]
fn answers_are_those_of_a_scan() {
    let (dir, _) = world();
    let built = build(&dir, &["--check-recall", "0.95", "--recall-sample", "100"]);
    assert_eq!((built["points"].as_u64(), built["parts_new"].as_u64()), (Some(6000), Some(1)));
    assert!(built["recall_at_10"].as_f64().unwrap() >= 0.95);
    check_modes(&dir);
    assert!(recall(&dir, &["knn", "--ef", "500"]) >= 0.99);
    assert_eq!(recall(&dir, &["knn", "--metric", "l2"]), 1.0);
    let stats = |more: &[&str]| {
        let mut command = cvx(dir.path());
        command.args(["query", "knn", "--like", "5", "-d", "d", "--stats"]).args(more);
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert!(stats(&[]).contains("note: index: "), "{}", stats(&[]));
    assert!(stats(&["--exact"]).contains("scanned: asked for"));
    assert!(stats(&["--metric", "l2"]).contains("the index is for another metric"));
    // The vectors and the metadata of what the index found are the points' own.
    let shown = |more: &[&str]| {
        let args = ["query", "knn", "--like", "5", "-d", "d", "--meta", "--vectors", "list", "-f", "jsonl"];
        stdout(cvx(dir.path()).args(args).args(more))
    };
    assert_eq!(shown(&[]), shown(&["--exact"]));
    assert_eq!(build(&dir, &[])["parts_new"].as_u64(), Some(0), "nothing is new");
    let verify = ["verify", "-d", "d", "--level", "deep", "--recall-sample", "50", "-f", "csv"];
    let checks = stdout(cvx(dir.path()).args(verify));
    assert!(checks.lines().any(|l| l.starts_with("recall,index,ok,recall@10 ")), "{checks}");
}

#[test]
fn a_small_memory_makes_several_parts() {
    let (dir, mut world) = world();
    world.ingest(&dir.path().join("d"), 40..58);
    let built = build(&dir, &["--memory", "1MiB"]);
    assert_eq!((built["points"].as_u64(), built["parts_new"].as_u64()), (Some(11_400), Some(2)));
    let r = recall(&dir, MODES[0]);
    assert!(r >= 0.95, "{r}");
    let whole = build(&dir, &["--rebuild"]);
    assert_eq!(whole["parts_new"].as_u64(), Some(1), "the memory there is holds all");
}

#[test]
fn without_its_own_vectors() {
    let (dir, _) = world();
    let whole = build(&dir, &[])["bytes"].as_u64().unwrap();
    let lean = build(&dir, &["--lean"]);
    assert_eq!(lean["parts_new"].as_u64(), Some(1), "another kind of part is built anew");
    assert!(lean["bytes"].as_u64().unwrap() + 6000 * 4 * DIM as u64 <= whole);
    check_modes(&dir);
}

#[test]
fn late_new_replaced_and_deleted_points() {
    let (dir, mut world) = world();
    let d = dir.path().join("d");
    build(&dir, &[]);
    // New days for all, a late point for every tenth entity, other content for some points.
    world.ingest(&d, 50..51);
    let mut points = Points::new(DIM);
    for entity in (0..ENTITIES).step_by(10) {
        let x = world.step(entity);
        put(&mut points, entity, day(13) + 5, &x, "{\"lang\":\"en\"}");
        put(&mut points, entity, day(14) + entity as i64 * 60_000_000, &x, "{\"lang\":\"en\"}");
    }
    append(&d, points);
    let (states, replaced) =
        (["asof", "--at", "2024-01-14T12:00:00Z", "-k", "300"], ["asof", "--at", "2024-01-16", "-k", "300"]);
    let all = |dir: &TempDir| {
        check_modes(dir);
        // All states, so that each has to be the right one.
        for states in [&states, &replaced, &["asof", "--at", "max", "-k", "300"]] {
            assert!(recall(dir, states) >= 0.99, "{states:?}");
        }
    };
    all(&dir);
    // The point that is the state at some instant goes, and an entity goes whole.
    stdout(cvx(dir.path()).args(["delete", "-d", "d", "--entity", "1,2,3,4", "--in", "2024-01-15", "-y"]));
    stdout(cvx(dir.path()).args(["delete", "-d", "d", "--entity", "9", "-y"]));
    all(&dir);
    assert!(ask(&dir, &replaced).iter().all(|a| a.1 != "9"));
    assert!(ask(&dir, &replaced).iter().any(|a| a.1 == "1"), "the state before counts again");
    stdout(cvx(dir.path()).args(["verify", "-d", "d", "--level", "full"]));
    build(&dir, &[]);
    all(&dir);
    stdout(cvx(dir.path()).args(["verify", "-d", "d", "--level", "full"]));
}

#[test]
fn growing_by_steps_keeps_few_parts_and_the_recall() {
    let dir = tempdir().unwrap();
    let d = dir.path().join("d");
    init(&d, &Settings::new(DIM), false).unwrap();
    let mut world = World::new();
    let mut worked = 0;
    for n in 0..20 {
        world.ingest(&d, 2 * n..2 * n + 1);
        worked += build(&dir, &[])["points_built"].as_u64().unwrap();
    }
    let lines: String =
        (0..30).map(|i| format!("{{\"vector\":{:?}}}\n", world.places[i * 7].map(|x| x + 0.05))).collect();
    std::fs::write(dir.path().join("q.jsonl"), lines).unwrap();
    let parts = stdout(cvx(dir.path()).args(["index", "status", "-d", "d", "-f", "csv"])).lines().count() - 1;
    assert!(parts <= 6, "{parts} parts");
    assert!(worked <= 6 * 20 * ENTITIES, "{worked} points were worked in");
    let grown: Vec<f64> = MODES.iter().map(|mode| recall(&dir, mode)).collect();
    let built = build(&dir, &["--rebuild"]);
    assert_eq!((built["parts"].as_u64(), built["points"].as_u64()), (Some(1), Some(20 * ENTITIES)));
    for (mode, grown) in MODES.iter().zip(grown) {
        let once = recall(&dir, mode);
        assert!(grown >= 0.95 && grown >= once - 0.01, "{mode:?}: {grown} grown, {once} built at once");
    }
}

#[test]
fn a_part_of_the_time() {
    let (dir, _) = world();
    let built = build(&dir, &["--from", "2024-01-10", "--to", "2024-01-25"]);
    assert!(built["points"].as_u64().unwrap() < 3000);
    check_modes(&dir);
    assert_eq!(build(&dir, &[])["parts_new"].as_u64(), Some(0), "the times stay");
}

#[test]
fn damage_is_told_and_answers_come_from_scans() {
    let (dir, _) = world();
    build(&dir, &[]);
    let file = std::fs::read_dir(dir.path().join("d/index")).unwrap().next().unwrap().unwrap().path();
    let good = std::fs::read(&file).unwrap();
    let args = ["query", "knn", "--queries", "q.jsonl", "-d", "d", "-f", "csv"];
    let truth = stdout(cvx(dir.path()).args(args).arg("--exact"));
    let mut bytes = good.clone();
    bytes.iter_mut().step_by(50_000).for_each(|b| *b ^= 4);
    for bad in [bytes, good[..good.len() / 2].to_vec(), Vec::new()] {
        std::fs::write(&file, bad).unwrap();
        let out = cvx(dir.path()).args(args).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(0));
        assert!(said.starts_with("warning: ") && said.contains(".idx"), "{said}");
        assert_eq!(String::from_utf8(out.stdout).unwrap(), truth);
        let verify = cvx(dir.path()).args(["verify", "-d", "d", "--level", "full"]).output().unwrap();
        assert_eq!(verify.status.code(), Some(4));
    }
    // Points can be deleted beside it; what cannot be read is given up.
    std::fs::remove_file(&file).unwrap();
    stdout(cvx(dir.path()).args(["delete", "-d", "d", "--entity", "3", "-y"]));
    assert_eq!(build(&dir, &[])["points"].as_u64(), Some(6000 - 20));
    check_modes(&dir);
    stdout(cvx(dir.path()).args(["verify", "-d", "d", "--level", "full"]));
}

#[test]
fn builds_one_at_a_time_and_leftovers() {
    let (dir, mut world) = world();
    let d = dir.path().join("d");
    let command = |what: &[&str]| {
        let mut command = cvx(dir.path());
        command.args(["index"]).args(what).args(["-d", "d"]);
        command
    };
    build(&dir, &[]);
    world.ingest(&d, 60..61);
    let held = Staging::open(&d, "index", "index build", Duration::ZERO).unwrap();
    let (code, said) = failure(&mut command(&["build"]));
    assert_eq!(code, 11, "{said}");
    assert_eq!(command(&["build", "--skip-if-locked"]).output().unwrap().status.code(), Some(0));
    stdout(cvx(dir.path()).args(["verify", "-d", "d"]));
    drop(held);
    // A writer at work: what was built waits for it.
    let options = Options { lock_timeout: Duration::from_secs(10), ..Options::default() };
    let writer = Writer::open(&d, options).unwrap();
    std::thread::scope(|s| {
        s.spawn(|| {
            std::thread::sleep(Duration::from_millis(1500));
            writer.finish().unwrap();
        });
        stdout(&mut command(&["build", "--rebuild"]));
    });
    check_modes(&dir);
    // What a killed build leaves is reported, and swept by the next writer.
    std::fs::create_dir(d.join("tmp/index")).unwrap();
    std::fs::write(d.join("tmp/index/LOCK"), b"").unwrap();
    std::fs::write(d.join("tmp/index/part-0"), b"half").unwrap();
    assert_eq!(cvx(dir.path()).args(["verify", "-d", "d"]).output().unwrap().status.code(), Some(4));
    world.ingest(&d, 61..62);
    assert!(!d.join("tmp/index").exists());
    // A build that is killed at any moment leaves an index that answers.
    for wait in [5, 20, 60, 150] {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("cvx"))
            .args(["index", "build", "--rebuild", "-d"])
            .arg(&d)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(recall(&dir, MODES[0]) >= 0.95);
    }
    build(&dir, &["--rebuild"]);
    stdout(cvx(dir.path()).args(["verify", "-d", "d", "--level", "full"]));
}

#[test]
fn drop_and_empty_datasets() {
    let (dir, _) = world();
    build(&dir, &[]);
    let status = || stdout(cvx(dir.path()).args(["index", "status", "-d", "d", "-f", "csv"]));
    assert_eq!(status().lines().count(), 2);
    let info = stdout(cvx(dir.path()).args(["info", "-d", "d", "-f", "json"]));
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info[0]["index_fresh"].as_f64(), Some(1.0));
    assert!(info[0]["bytes_index"].as_u64().unwrap() > 0);
    stdout(cvx(dir.path()).args(["index", "drop", "-d", "d", "-n"]));
    assert_eq!(status().lines().count(), 2);
    assert!(stdout(cvx(dir.path()).args(["index", "drop", "-d", "d", "-f", "csv"])).contains("\n1,"));
    assert_eq!(status().lines().count(), 1);
    assert!(stdout(cvx(dir.path()).args(["index", "drop", "-d", "d", "-f", "csv"])).contains("\n0,"));
    init(&dir.path().join("e"), &Settings::new(DIM), false).unwrap();
    let built = stdout(cvx(dir.path()).args(["index", "build", "-d", "e", "-f", "csv", "--check-recall"]));
    assert!(built.contains("\ngraph,cosine,0,0,0,0,0,"), "{built}");
    assert_eq!(failure(cvx(dir.path()).args(["index", "build", "-d", "nowhere"])).0, 10);
    let wrong = failure(cvx(dir.path()).args(["index", "build", "-d", "d", "--check-recall", "2"]));
    assert_eq!(wrong.0, 2);
}

/// Copies a directory of files and directories.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A part that an older program wrote is never searched, which is said, and the next build replaces it.
#[test]
fn parts_of_older_programs_are_told_and_built_again() {
    let dir = tempdir().unwrap();
    copy(Path::new("testdata/older/dataset"), &dir.path().join("d"));
    let ask = |exact: &[&str]| {
        let like = ["-d", "d", "-f", "csv", "query", "knn", "--like", "5@max", "-k", "7"];
        let output = cvx(dir.path()).args(like).args(exact).output().unwrap();
        assert!(output.status.success());
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (exact, quiet) = ask(&["--exact"]);
    assert_eq!((exact.lines().count(), quiet.as_str()), (8, ""));
    let (old, warning) = ask(&[]);
    assert_eq!(old, exact);
    assert!(warning.contains("older cvx") && warning.contains("cvx index build"), "{warning}");
    let status = || {
        let output = cvx(dir.path()).args(["-d", "d", "-f", "csv", "index", "status"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(status().contains("outdated"));
    let checks = stdout(cvx(dir.path()).args(["-d", "d", "-f", "csv", "verify"]));
    assert!(checks.contains("built by an older program"), "{checks}");
    build(&dir, &[]);
    assert!(!status().contains("outdated"));
    let (new, quiet) = ask(&[]);
    assert_eq!((new, quiet.as_str()), (exact, ""));
}

/// Many ways of copying leave empty directories out; the fixture of an older program has none, either.
#[test]
fn a_copy_without_empty_directories_is_written_as_any_other() {
    let commands: [&[&str]; 8] = [
        &["ingest", "-d", "d", "a.jsonl"],
        &["index", "build", "-d", "d"],
        &["compact", "-d", "d"],
        &["delete", "-d", "d", "--entity", "5", "--yes"],
        &["erase", "-d", "d", "--entity", "5", "--yes"],
        &["tier", "run", "-d", "d", "--older-than", "0s", "--codec", "zstd", "--yes"],
        &["changepoints", "-d", "d", "--save", "x"],
        &["config", "set", "-d", "d", "digits", "3"],
    ];
    for args in commands {
        let dir = tempdir().unwrap();
        copy(Path::new("testdata/older/dataset"), &dir.path().join("d"));
        for name in ["wal", "tmp", "dict", "results"] {
            assert!(!dir.path().join("d").join(name).exists());
        }
        let row = r#"{"entity_id":3,"t":"2024-02-01","vector":[1,2,3,4]}"#;
        std::fs::write(dir.path().join("a.jsonl"), row).unwrap();
        cvx(dir.path()).args(args).assert().success();
        cvx(dir.path()).args(["verify", "-d", "d"]).assert().success();
    }
}
