//! `cvx compact` and `cvx tier`: from the command line, beside other jobs, and as cron and make run them.

use crate::{cvx, failure, stdout, walkers};
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

fn run(dir: &Path, args: &[&str]) -> String {
    stdout(cvx(dir).args(["-d", "d"]).args(args))
}

/// All points as csv.
fn points(dir: &Path) -> String {
    run(dir, &["-q", "export", "-f", "csv"])
}

fn tiers(dir: &Path) -> String {
    let rows = run(dir, &["info", "--tiers", "-f", "csv"]);
    rows.lines().skip(1).map(|l| l.split(',').nth(2).unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn compact_moves_everything_and_changes_no_answer() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    let queries: [&[&str]; 5] = [
        &["query", "knn", "--like", "a", "-k", "3", "--vectors", "list"],
        &["query", "asof", "--at", "2024-01-03", "--vectors", "list", "--meta"],
        &["query", "trajectory", "--entity", "a", "--meta"],
        &["velocity", "-f", "csv"],
        &["drift", "-f", "csv"],
    ];
    let answers = |dir: &Path| -> Vec<String> { queries.iter().map(|q| run(dir, q)).collect() };
    let (before, all) = (answers(dir.path()), points(dir.path()));
    let plan = run(dir.path(), &["compact", "--dry-run", "-f", "csv"]);
    assert!(plan.starts_with("job,action,path,points,points_dead,bytes,bytes_after\n1,hot,hot/"), "{plan}");
    assert_eq!(tiers(dir.path()), "0 4 0 0");
    let done = run(dir.path(), &["compact", "-f", "csv"]);
    assert!(done.starts_with("wal_segments,files_in,files_out,points,"), "{done}");
    assert!(done.lines().nth(1).unwrap().starts_with("0,1,1,4,"), "{done}");
    assert_eq!(tiers(dir.path()), "0 0 4 0");
    assert_eq!((answers(dir.path()), points(dir.path())), (before, all));
    let idle = run(dir.path(), &["compact", "--if-needed", "-f", "csv"]);
    assert!(idle.lines().nth(1).unwrap().starts_with("0,0,0,0,0,0,0,"), "{idle}");
    let files = run(dir.path(), &["info", "--partitions", "-f", "csv"]);
    assert!(files.contains("warm/bucket=0000/2024-01.") && files.contains(".parquet,warm,4,0,"), "{files}");
    run(dir.path(), &["verify", "--level", "deep"]);
}

#[test]
fn lossy_blocks_need_a_word_and_say_approx() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    run(dir.path(), &["compact"]);
    let all = points(dir.path());
    let tier = |args: &[&str]| {
        let mut c = cvx(dir.path());
        c.args(["-d", "d", "tier", "run", "--older-than", "0s", "--codec"]).args(args);
        c
    };
    let (code, said) = failure(&mut tier(&["sq8"]));
    assert_eq!(code, 2);
    assert!(
        said.contains("exact vectors of 4 points in 1 files") && said.contains("--keep-original"),
        "{said}"
    );
    let (code, said) = failure(&mut tier(&["pq:3", "--yes"]));
    assert_eq!((code, said.contains("dimension 2 into 3 parts")), (2, true), "{said}");
    let (code, said) = failure(&mut tier(&["mp3"]));
    assert_eq!((code, said.contains("is not a codec")), (2, true), "{said}");
    let (code, said) = failure(&mut tier(&["zstd", "--target", "ftp://x"]));
    assert_eq!((code, said.contains("no cold storage speaks ftp://")), (2, true), "{said}");
    assert_eq!(tiers(dir.path()), "0 0 4 0");
    let plan = run(dir.path(), &["tier", "plan", "--older-than", "0s", "--codec", "sq8", "-f", "csv"]);
    assert!(plan.lines().nth(1).unwrap().starts_with("1,sq8,warm/bucket=0000/2024-01."), "{plan}");
    // Kept originals: nothing is lost, neighbours and exports are exact, the rest says approx.
    let kept = stdout(tier(&["sq8", "--keep-original"]).args(["-f", "csv"]));
    assert!(kept.starts_with("partitions,points,bytes_before,bytes_after,ratio,codec,err_p50,"), "{kept}");
    assert_eq!(tiers(dir.path()), "0 0 0 4");
    assert_eq!(points(dir.path()), all);
    let near = run(dir.path(), &["query", "knn", "--like", "a", "-k", "3", "--include-self"]);
    assert!(near.lines().count() == 3 && near.lines().all(|l| l.contains("\"approx\":false")), "{near}");
    let status = run(dir.path(), &["tier", "status", "-f", "csv"]);
    assert!(status.lines().nth(1).unwrap().starts_with("cold,cold,sq8,,1,4,"), "{status}");
    run(dir.path(), &["verify", "--level", "deep"]);
    let (code, said) = failure(cvx(dir.path()).args(["-d", "d", "tier", "restore"]));
    assert_eq!((code, said.contains("restore needs a selection")), (2, true), "{said}");
    let back = run(dir.path(), &["tier", "restore", "--all", "-f", "csv"]);
    assert!(back.lines().nth(1).unwrap().starts_with("1,4,0,"), "{back}");
    assert_eq!(points(dir.path()), all);
    // Without originals.
    stdout(&mut tier(&["sq8", "--yes"]));
    assert!(points(dir.path()).lines().skip(1).all(|l| l.ends_with(",true")));
    let out = cvx(dir.path()).args(["-d", "d", "export", "-f", "csv"]).output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.contains("4 points each have a vector that a lossy codec made"), "{said}");
    let found = run(dir.path(), &["query", "asof", "--entity", "b", "--at", "2024-02-01"]);
    assert!(found.contains("\"approx\":true") && found.contains("2024-01-03"), "{found}");
    let moved = run(dir.path(), &["query", "trajectory", "--entity", "a"]);
    assert!(moved.lines().all(|l| l.contains("\"approx\":true")), "{moved}");
    run(dir.path(), &["verify", "--level", "deep"]);
}

#[test]
fn a_dataset_of_nothing_and_one_that_is_not_there() {
    let dir = tempdir().unwrap();
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "2"]));
    assert!(run(dir.path(), &["compact", "-f", "csv"]).lines().nth(1).unwrap().starts_with("0,0,0,0,"));
    assert_eq!(run(dir.path(), &["tier", "status", "-f", "csv"]).lines().count(), 1);
    assert_eq!(run(dir.path(), &["compact", "-n", "-f", "csv"]).lines().count(), 1);
    let none =
        run(dir.path(), &["tier", "run", "--older-than", "1d", "--codec", "pq:1", "--yes", "-f", "csv"]);
    assert!(none.lines().nth(1).unwrap().starts_with("0,0,0,0,,pq:1,"), "{none}");
    for args in [&["compact"][..], &["tier", "status"], &["tier", "restore", "--all"]] {
        let (code, _) = failure(cvx(dir.path()).args(["-d", "nowhere"]).args(args));
        assert_eq!(code, 10, "{args:?}");
    }
    let (code, said) = failure(cvx(dir.path()).args(["-d", "d", "compact", "--target-file", "1KiB"]));
    assert_eq!((code, said.contains("--target-file")), (2, true), "{said}");
}

#[test]
fn two_jobs_at_once() {
    let dir = tempdir().unwrap();
    let d = dir.path().join("d");
    walkers(&d);
    let patient = std::time::Duration::from_secs(10);
    let options = cvx::dataset::Options { lock_timeout: patient, ..Default::default() };
    let held = cvx::dataset::Writer::open(&d, options).unwrap();
    let (code, said) = failure(cvx(dir.path()).args(["-d", "d", "compact"]));
    assert_eq!((code, said.contains("locked by")), (11, true), "{said}");
    let skip = cvx(dir.path()).args(["-d", "d", "compact", "--skip-if-locked"]).output().unwrap();
    assert_eq!(skip.status.code(), Some(0));
    assert!(String::from_utf8(skip.stderr).unwrap().starts_with("note: skipped: the dataset is locked"));
    drop(held);
    run(dir.path(), &["compact", "--skip-if-locked"]);
    assert_eq!(tiers(dir.path()), "0 0 4 0");
    // Nothing to do needs no lock.
    let _held =
        cvx::dataset::Writer::open(&d, cvx::dataset::Options { lock_timeout: patient, ..Default::default() })
            .unwrap();
    run(dir.path(), &["compact", "--if-needed"]);
}

#[test]
fn ingest_compacts_afterwards() {
    let dir = tempdir().unwrap();
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "2"]));
    std::fs::write(
        dir.path().join("p.jsonl"),
        "{\"entity_id\":1,\"timestamp\":\"2024-01-01\",\"vector\":[1,2]}\n",
    )
    .unwrap();
    run(dir.path(), &["ingest", "p.jsonl", "--compact"]);
    assert_eq!(tiers(dir.path()), "0 0 1 0");
}

/// A command of the crontab with the paths of a test.
fn placed(dir: &Path, command: &str) -> String {
    let dir = dir.display();
    command.replace("/drop/", &format!("{dir}/drop/")).replace("/var/tmp/", &format!("{dir}/"))
}

/// The example crontab over sixty days of a stream: late and corrupt rows, a new model half way, an erased user.
#[test]
fn the_crontab_keeps_a_stream_of_sixty_days_in_order() {
    const DAY: i64 = 86_400_000_000;
    const USERS: i64 = 25;
    const ERASED: i64 = 7;
    let dir = tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = assert_cmd::cargo::cargo_bin("cvx");
    let bin = program.parent().unwrap().to_str().unwrap().to_owned();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "64", "--partition", "week"]));
    std::fs::create_dir(dir.path().join("drop")).unwrap();
    let crontab = std::fs::read_to_string(root.join("scripts/crontab.example")).unwrap();
    let jobs: Vec<String> = crontab.lines().filter(|l| l.contains("cvx -q")).map(str::to_owned).collect();
    let day = |d: i64| cvx::time::format_time(19_723 * DAY + d * DAY, cvx::time::TimeFormat::Date);
    let shell = |now: &str, command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &placed(dir.path(), command)]).env("PATH", &path).env("CVX_DATASET", "d");
        shell.env("CVX_NOW", now).env("XDG_CONFIG_HOME", dir.path()).current_dir(dir.path());
        let out = shell.output().unwrap();
        (out.status.code().unwrap(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let row = |e: i64, t: &str, model: &str, d: i64| {
        let x: Vec<String> = (0..64).map(|i| format!("{}", (e * 64 + i + d * 7) % 101)).collect();
        format!("{{\"entity_id\":{e},\"t\":\"{t}\",\"model\":\"{model}\",\"vector\":[{}]}}\n", x.join(","))
    };
    let ingest = |now: &str| {
        let job = jobs[0].split_whitespace().skip(5).collect::<Vec<_>>().join(" ");
        let job = job.replace("--allow-empty", "--allow-empty --map model=model");
        shell(now, job.split("; ").next().unwrap())
    };
    assert_eq!(ingest("2024-01-01"), (0, String::new()), "nothing was dropped yet");
    let mut points = 0;
    for d in 0..60i64 {
        let model = if d < 30 { "e5@1" } else { "e5@2" };
        let mut text = String::new();
        for e in 0..USERS {
            for hour in ["00", "06", "12", "18"] {
                text += &row(e, &format!("{}T{hour}:00:00Z", day(d)), model, d);
            }
        }
        // A late row of the last model but one, and a row that is cut off.
        let late = d == 0 || d > 5;
        if late {
            text += &row(1, &format!("{}T01:00:00Z", day((d - 5).max(0))), "e5@1", d + 1000);
        }
        text += "{\"entity_id\":3,\"t\":\"20\n";
        points += 4 * USERS + i64::from(late);
        std::fs::write(dir.path().join(format!("drop/{}.jsonl", day(d))), text).unwrap();
        let now = format!("{}T23:00:00Z", day(d));
        for (i, job) in jobs.iter().enumerate() {
            if i == 2 && d % 7 != 6 {
                continue;
            }
            // Five words of time, then the command.
            let command = job.split_whitespace().skip(5).collect::<Vec<_>>().join(" ");
            let command = command.replace("--allow-empty", "--allow-empty --map model=model");
            for (part, command) in command.split("; ").enumerate() {
                let (code, said) = shell(&now, command);
                let want = if (i, part) == (0, 0) { 3 } else { 0 };
                assert_eq!(code, want, "day {d}, {command}: {said}");
            }
            if i == 0 {
                let again = command.split("; ").next().unwrap();
                assert_eq!(shell(&now, again), (0, String::new()), "told once: {again}");
            }
        }
        if d == 20 {
            // A file of which half is broken: told by every run until it is taken away; the others are read.
            let broken = dir.path().join("drop/2023-broken.jsonl");
            std::fs::write(&broken, "{}\n".repeat(9) + &row(1, &day(d), model, d)).unwrap();
            for _ in 0..2 {
                let (code, said) = ingest(&now);
                assert!(code == 3 && said.contains("2023-broken.jsonl"), "{said}");
            }
            std::fs::remove_file(broken).unwrap();
            assert_eq!(ingest(&now), (0, String::new()));
        }
        if d % 7 == 6 {
            let input: Vec<String> = (0..=d).map(|d| format!("drop/{}.jsonl", day(d))).collect();
            let mut make = Command::new("make");
            make.args(["-f", root.join("scripts/Makefile.example").to_str().unwrap(), "drift.csv", "DATA=d"]);
            make.arg(format!("INPUT={}", input.join(" "))).args(["DRIFT=--model latest", "SINCE=max-3d"]);
            make.arg("INGEST=--max-errors 1% --map model=model").env("PATH", &path);
            let out = make.env("XDG_CONFIG_HOME", dir.path()).current_dir(dir.path()).output().unwrap();
            assert!(out.status.success(), "day {d}: {}", String::from_utf8_lossy(&out.stderr));
            let rows = std::fs::read_to_string(dir.path().join("drift.csv")).unwrap();
            assert_eq!(rows.lines().count() as i64, 1 + USERS - i64::from(d > 40), "day {d}: {rows}");
        }
        if d == 40 {
            let (code, said) = shell(&now, &format!("cvx -q erase --entity {ERASED} --yes"));
            assert_eq!(code, 0, "{said}");
        }
    }
    let all = points_of_tiers(dir.path());
    let gone = run(dir.path(), &["-q", "export", "-f", "csv"]);
    assert!(!gone.lines().any(|l| l.starts_with(&format!("{ERASED},"))), "the erased user is back");
    assert_eq!(all.iter().sum::<i64>(), points - 60 * 4);
    // Of the 29 whole days before the last 30, those before the Monday of their week are cold.
    let rows = run(dir.path(), &["tier", "status", "-f", "csv"]);
    let tier = |name: &str| rows.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    assert!(tier("cold").contains("2024-01-01") && tier("cold").contains("sq8"), "{rows}");
    assert!(all[3] >= 28 * 4 * (USERS - 1) && tier("warm").contains("2024-01-29"), "{all:?} {rows}");
    let weeks = run(dir.path(), &["info", "--partitions", "-f", "csv"]);
    assert!(weeks.contains("2024-W05") && weeks.contains("2024-W09"), "{weeks}");
    run(dir.path(), &["verify", "--level", "deep"]);
}

fn points_of_tiers(dir: &Path) -> Vec<i64> {
    tiers(dir).split(' ').map(|n| n.parse().unwrap()).collect()
}

/// The example jobs, with the program and the paths of the test.
#[test]
fn the_crontab_and_the_makefile_work() {
    let dir = tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = assert_cmd::cargo::cargo_bin("cvx");
    let bin = program.parent().unwrap().to_str().unwrap().to_owned();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "2"]));
    std::fs::create_dir(dir.path().join("drop")).unwrap();
    let point = |e: u32, t: &str| format!("{{\"entity_id\":{e},\"timestamp\":\"{t}\",\"vector\":[{e},2]}}\n");
    let text: String = (1..30).map(|e| point(e, "2020-01-01") + &point(e, "2020-02-01")).collect();
    std::fs::write(dir.path().join("drop/a.jsonl"), text).unwrap();
    let crontab = std::fs::read_to_string(root.join("scripts/crontab.example")).unwrap();
    let jobs: Vec<&str> = crontab.lines().filter(|l| l.contains("cvx -q")).collect();
    assert_eq!(jobs.len(), 3);
    for job in jobs.iter().chain(&jobs) {
        // Five words of time, then the command.
        let command = job.split_whitespace().skip(5).collect::<Vec<_>>().join(" ");
        let command = placed(dir.path(), &command);
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("PATH", &path).env("CVX_DATASET", "d");
        let out = shell.env("XDG_CONFIG_HOME", dir.path()).current_dir(dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && said.is_empty(), "{command}: {said}");
    }
    assert_eq!(tiers(dir.path()), "0 0 0 58");
    let make = |target: &str| {
        let mut c = Command::new("make");
        c.args(["-f", root.join("scripts/Makefile.example").to_str().unwrap(), target]);
        c.args(["DATA=d", "INPUT=drop/a.jsonl"]).env("PATH", &path).env("XDG_CONFIG_HOME", dir.path());
        c.current_dir(dir.path()).output().unwrap()
    };
    let out = make("drift.csv");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let rows = std::fs::read_to_string(dir.path().join("drift.csv")).unwrap();
    assert_eq!(rows.lines().count(), 30, "{rows}");
    assert!(String::from_utf8_lossy(&make("drift.csv").stdout).contains("up to date"));
}

#[test]
fn verify_looks_at_originals_and_codebooks_and_nothing_is_made_by_looking() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    run(dir.path(), &["compact"]);
    let store = dir.path().join("archive");
    let target = store.to_str().unwrap();
    let tier =
        ["tier", "run", "--older-than", "0s", "--codec", "pq:2", "--keep-original", "--target", target];
    run(dir.path(), &tier);
    let checks = |level: &str| {
        let out =
            cvx(dir.path()).args(["-d", "d", "verify", "--level", level, "-f", "csv"]).output().unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap())
    };
    let (code, said) = checks("quick");
    assert!(code == 0 && said.contains("\ncodebook,") && said.contains("\noriginal,"), "{said}");
    for ending in ["parquet", "pqcb"] {
        let found = walkdir::WalkDir::new(&store).into_iter().flatten();
        let file = found.map(|e| e.into_path()).find(|p| p.extension().is_some_and(|e| e == ending)).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let longer = [&bytes[..], b"x"].concat();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        for (bad, level) in
            [(&longer[..], "quick"), (&flipped, "full"), (&[], "quick"), (&bytes[..9], "quick")]
        {
            std::fs::write(&file, bad).unwrap();
            let (code, said) = checks(level);
            assert_eq!(code, 13, "{ending} of {} bytes: {said}", bad.len());
            assert!(said.lines().any(|l| l.contains("damaged") && l.contains(ending)), "{said}");
        }
        std::fs::write(&file, &bytes).unwrap();
        assert_eq!(checks("deep").0, 0, "{ending}");
    }
    // A target that is away is told, and not made anew where it is mounted.
    std::fs::rename(&store, dir.path().join("away")).unwrap();
    let (code, said) = failure(cvx(dir.path()).args(["-d", "d", "query", "trajectory", "--entity", "a"]));
    assert!(code == 13 && said.contains("is not there") && said.contains("mount"), "{said}");
    assert!(!store.exists());
    // As on a mount point: nothing there, and an empty directory.
    for made in [false, true] {
        if made {
            std::fs::create_dir(&store).unwrap();
        }
        let (code, rows) = checks("full");
        assert!(code == 13 && rows.matches("\nstore,").count() == 1 && rows.contains("mount it"), "{rows}");
        assert!(!rows.contains("\ncold,"), "{rows}");
        let said = cvx(dir.path()).args(["-d", "d", "verify"]).output().unwrap().stderr;
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("is away") && said.contains("mount it") && !said.contains("restore"), "{said}");
    }
    std::fs::remove_dir(&store).unwrap();
    std::fs::rename(dir.path().join("away"), &store).unwrap();
    assert_eq!(checks("deep").0, 0);
}
