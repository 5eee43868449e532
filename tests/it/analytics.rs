//! `cvx velocity` and `cvx drift`, on trajectories whose answers are known by hand.

use crate::{cvx, failure, stdout, walkers};
use tempfile::{TempDir, tempdir};

fn world() -> TempDir {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    dir
}

/// Rows by the name of their entity, without the id, in the order of their times.
fn rows(dir: &TempDir, args: &[&str]) -> Vec<String> {
    let text = stdout(cvx(dir.path()).args(["-d", "d", "-f", "csv", "--time", "date"]).args(args));
    let mut rows: Vec<String> =
        text.lines().skip(1).map(|l| l.split_once(',').unwrap().1.to_string()).collect();
    rows.sort();
    rows
}

#[test]
fn velocity() {
    let dir = world();
    // Two-point speeds: one a day east, then four in two days north, a right angle.
    assert_eq!(
        rows(&dir, &["velocity", "--scheme", "two-point"]),
        [
            "a,2024-01-01,3,,86400.0,1.0,,,1d,false,ok",
            "a,2024-01-02,3,86400.0,172800.0,1.0,,90.0,1d,false,ok",
            "a,2024-01-04,3,172800.0,,2.0,,,1d,false,ok",
            "b,2024-01-03,1,,,,,,1d,false,few_points",
        ]
    );
    assert_eq!(
        rows(&dir, &["velocity", "--ok-only", "--at", "2024-01-02", "--scheme", "two-point", "--per", "2d"])
            .len(),
        1
    );
    let vectors = rows(&dir, &["velocity", "--entity", "a", "--scheme", "two-point", "--vectors", "columns"]);
    assert!(vectors[2].ends_with(",ok,0.0,2.0,,"), "{vectors:?}");
    let gaps = rows(&dir, &["velocity", "--entity", "a", "--max-gap", "1d"]);
    assert!(gaps[1].ends_with(",gap") && gaps[2].ends_with(",gap"), "{gaps:?}");
}

#[test]
fn drift() {
    let dir = world();
    let all = rows(&dir, &["drift", "--flips", "0", "--digits", "6"]);
    // From (1, 0) to (2, 4): sqrt 17; path 1 + 4.
    assert!(
        all[0].starts_with(
            "a,2024-01-01,2024-01-04,3,4.12311,0.552786,63.4349,4.47214,1d,1.37437,5.0,0.824621,"
        ),
        "{all:?}"
    );
    assert!(all[0].contains("\"\"dim\"\":1,") && all[0].ends_with(",ok,"), "{all:?}");
    assert!(all[1].starts_with("b,") && all[1].ends_with(",few_points,"), "{all:?}");
    let early = rows(&dir, &["drift", "--from", "2024-01-01", "--to", "2024-01-02", "--entity", "a"]);
    assert!(early[0].starts_with("a,2024-01-01,2024-01-02,2,1.0,0.0,0.0,2.0,"), "{early:?}");
    let other = rows(&dir, &["drift", "--reference", "a@2024-01-02", "--entity", "b", "--flips", "0"]);
    assert!(other[0].starts_with("b,2024-01-02,2024-01-03,"), "{other:?}");
    let sorted =
        stdout(cvx(dir.path()).args(["drift", "-d", "d", "--sort", "l2", "--top-rows", "1", "-f", "jsonl"]));
    assert_eq!(sorted.lines().count(), 1);
    assert!(sorted.contains("\"entity\":\"a\""), "{sorted}");
}

/// Exit code and standard error; standard output is not looked at.
fn outcome(dir: &TempDir, args: &[&str]) -> (i32, String) {
    let output = cvx(dir.path()).args(["-d", "d", "-f", "csv"]).args(args).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn conditions_end_with_four() {
    let dir = world();
    for (condition, exit) in [
        ("l2 > 4", 4),
        ("l2 > 5", 0),
        ("status = 'few_points'", 4),
        ("count(exists(l2)) >= 2", 0),
        ("share(not exists(l2)) = 0.5", 4),
        ("top_dims.0.dim = 1", 4),
        ("t1 >= '2024-01-02'", 0),
    ] {
        let (code, said) = outcome(&dir, &["drift", "--fail-on", condition]);
        assert_eq!(code, exit, "{condition}: {said}");
        assert_eq!(said.contains("--fail-on held"), exit == 4, "{said}");
    }
    // Rows that are left out decide nothing; neither does the order or number of those shown.
    assert_eq!(outcome(&dir, &["drift", "--ok-only", "--fail-on", "status = 'few_points'"]).0, 0);
    assert_eq!(outcome(&dir, &["drift", "--top-rows", "0", "--fail-on", "l2 > 4"]).0, 4);
    let (code, said) = failure(cvx(dir.path()).args(["-d", "d", "drift", "--fail-on", "cosin > 1"]));
    assert_eq!(code, 2);
    assert!(said.contains("no field \"cosin\"") && said.contains("did you mean cosine"), "{said}");
}

#[test]
fn scales_resample_first() {
    let dir = world();
    let scaled = rows(&dir, &["drift", "--flips", "0", "--entity", "a", "--scale", "1d,1w", "--digits", "4"]);
    // A week begins on Monday, so all points share its cell.
    assert!(scaled[0].starts_with("a,,,1,") && scaled[0].contains(",few_points,1w,"), "{scaled:?}");
    assert!(scaled[1].starts_with("a,2024-01-01,2024-01-04,3,4.123,") && scaled[1].ends_with(",ok,1d,,"));
    // The mean of the week is one point again; a day's mean is its only point.
    let means =
        ["drift", "--flips", "0", "--entity", "a", "--scale", "1d", "--scale-by", "mean", "--digits", "4"];
    assert_eq!(rows(&dir, &means)[0], scaled[1]);
    let text = stdout(cvx(dir.path()).args(["-d", "d", "velocity", "--scale", "1d", "-f", "csv"]));
    assert!(text.starts_with("entity_id,entity,t,") && text.lines().next().unwrap().ends_with(",scale"));
    assert!(!rows(&dir, &["drift"])[0].contains("1w"));
}

#[test]
fn unordered_rows_are_the_same_rows() {
    let dir = world();
    let sorted = |args: &[&str]| rows(&dir, args);
    assert_eq!(sorted(&["velocity", "--unordered"]), sorted(&["velocity"]));
}

#[test]
fn tables_draw_the_path() {
    let dir = world();
    let table = stdout(cvx(dir.path()).args(["-d", "d", "drift", "-f", "table"]));
    let row = table.lines().find(|l| l.starts_with("a  ")).unwrap_or_else(|| panic!("{table}"));
    assert!(row.trim_end().ends_with("▁▃█"), "{table}");
    let ascii = cvx(dir.path()).env("LANG", "C").args(["-d", "d", "drift", "-f", "table"]).output().unwrap();
    assert!(ascii.stdout.is_ascii());
}

#[test]
fn errors() {
    let dir = world();
    for (args, exit, message) in [
        (&["drift", "--in", "2024"][..], 2, "drift population --ref"),
        (&["drift", "--from", "2023..2023"], 2, "option --to"),
        (&["drift", "--from", "2023..2023", "--to", "2024"], 2, "1990..1990"),
        (&["drift", "--from", "2023..2024", "--to", "2024..2025"], 2, "overlap"),
        (&["drift", "--from", "2025..2025", "--to", "2024..2024"], 2, "exchange"),
        (&["drift", "--from", "2023..2023", "--to", "2024..2024", "--shard", "1/2"], 2, "--no-q"),
        (&["drift", "--from", "2023..2023", "--to", "2024..2024", "--flips", "9"], 2, "--permutations"),
        (&["drift", "--from", "2023", "--block", "3"], 2, "two periods"),
        (&["drift", "--sort", "change"], 2, "two periods"),
        (&["velocity", "--from", "2023..2024"], 2, "--in 2023..2024"),
        (&["query", "trajectory", "--entity", "a", "--to", "2023..2024"], 2, "--in 2023..2024"),
        (&["drift", "--from", "2025", "--to", "2024"], 2, "--from lies after --to"),
        (&["drift", "--reference", "last"], 2, "not a reference"),
        (&["drift", "--reference", "zebra@2024"], 5, "entity \"zebra\" not found"),
        (&["drift", "--reference", "a@2020"], 5, "no point at or before"),
        (&["velocity", "--per", "0s"], 2, "no meaning"),
        (&["velocity", "--order", "3"], 2, "1..=2"),
    ] {
        let (code, said) = failure(cvx(dir.path()).args(["-d", "d"]).args(args));
        assert_eq!(code, exit, "{said}");
        assert!(said.contains(message), "{said}");
    }
}

/// `(entity, day, vector, model)` in a dataset of numbered entities.
fn given(dir: &TempDir, dim: usize, points: &[(u64, i64, Vec<f32>, &str)]) {
    cvx::dataset::init(&dir.path().join("d"), &cvx::config::Settings::new(dim), false).unwrap();
    append(dir, dim, points);
}

fn append(dir: &TempDir, dim: usize, points: &[(u64, i64, Vec<f32>, &str)]) {
    use cvx::dataset::{OnConflict, Options, Writer};
    let mut writer = Writer::open(&dir.path().join("d"), Options::default()).unwrap();
    let mut all = cvx::points::Points::new(dim);
    for (entity, t, x, model) in points {
        let model = (*model).to_string();
        let origin = all.intern(&cvx::points::Origin { source: String::new(), model });
        all.push(cvx::model::Key { entity: *entity, t: *t }, x, "", origin);
    }
    writer.append(&mut all, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
}

#[test]
fn every_status_that_these_commands_can_give() {
    let dir = tempdir().unwrap();
    let day = crate::day;
    let mut points = vec![(1, day(0), vec![1.0, 0.0], "m@1")];
    for i in 0..12 {
        points.push((2, day(i), vec![3.0, 4.0], "m@1"));
        points.push((3, day(i), vec![0.0, 0.0], "m@1"));
        points.push((4, day(i), vec![1.0, i as f32], if i < 6 { "m@1" } else { "m@2" }));
        points.push((5, day(i + if i < 6 { 0 } else { 90 }), vec![1.0, (i * i % 7) as f32], "m@1"));
        // Before 1970, ten years a step.
        points.push((6, -day(0) - i * 315_576_000_000_000, vec![1.0, (i * i % 7) as f32], "m@1"));
    }
    given(&dir, 2, &points);
    let statuses = |args: &[&str]| -> Vec<String> {
        let output = cvx(dir.path()).args(["-d", "d", "-q", "-f", "jsonl"]).args(args).output().unwrap();
        // Entity 4 cannot be computed: drift and velocity say so by their exit status, also with -q.
        let partial = ["drift", "velocity"].contains(&args[0]);
        let said = String::from_utf8(output.stderr).unwrap();
        if partial {
            assert_eq!(output.status.code(), Some(3), "{said}");
            assert!(said.contains("1 model_break") && said.contains("--align off"), "{said}");
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let row = |l: &str| serde_json::from_str::<serde_json::Value>(l).unwrap();
        let rows = text.lines().map(row);
        let mut all: Vec<String> =
            rows.map(|r| format!("{} {}", r["entity_id"], r["status"].as_str().unwrap())).collect();
        all.dedup();
        all
    };
    let drift = statuses(&["drift", "--max-gap", "4000d"]);
    assert_eq!(drift, ["1 few_points", "2 constant", "3 zero_norm", "4 model_break", "5 ok", "6 ok"]);
    let summary = statuses(&["changepoints", "--summary", "--max-gap", "30d"]);
    assert_eq!(summary, ["1 few_points", "2 constant", "3 constant", "4 model_break", "5 gap", "6 gap"]);
    let velocity = statuses(&["velocity", "--max-gap", "30d"]);
    for wanted in ["1 few_points", "2 ok", "4 model_break", "5 ok", "5 gap", "6 gap"] {
        assert!(velocity.contains(&wanted.to_string()), "{wanted}: {velocity:?}");
    }
    let online = statuses(&["changepoints", "--method", "bocpd", "--summary", "--warmup", "50"]);
    let short = |e| format!("{e} few_points");
    assert_eq!(online, [short(1), short(2), short(3), "4 model_break".into(), short(5), short(6)]);
    let (code, said) =
        failure(cvx(dir.path()).args(["-d", "d", "changepoints", "--state", "s", "--warmup", "49"]));
    assert!(code == 2 && said.contains("at least 50"), "{said}");
}

#[test]
fn one_and_four_thousand_dimensions() {
    for dim in [1, 4096] {
        let dir = tempdir().unwrap();
        let point = |i: i64| {
            let x: Vec<f32> = (0..dim).map(|d| (1 + (i * 31 + d as i64 * 17) % 13) as f32).collect();
            (7, crate::day(i), x, "m@1")
        };
        given(&dir, dim, &(0..30).map(point).collect::<Vec<_>>());
        for command in [&["velocity"][..], &["drift"], &["changepoints", "--summary"]] {
            let text = stdout(cvx(dir.path()).args(["-d", "d", "-q", "-f", "csv"]).args(command));
            assert!(text.lines().skip(1).all(|l| l.starts_with("7,") && l.contains(",ok")), "{dim}: {text}");
        }
    }
}

#[test]
fn rows_say_when_they_rest_on_vectors_that_were_changed() {
    let dir = tempdir().unwrap();
    let point = |e: u64, i: i64| (e, crate::day(i), vec![(i as f32).sin(), (i * i) as f32 / 7.0], "m@1");
    // Entity 1: three lossy points, then exact ones; entity 2: exact ones alone.
    given(&dir, 2, &(0..3).map(|i| point(1, i)).collect::<Vec<_>>());
    stdout(cvx(dir.path()).args(["-d", "d", "compact"]));
    stdout(cvx(dir.path()).args(["-d", "d", "tier", "run", "--older-than", "0s", "--codec", "sq8", "--yes"]));
    let late = (3..20).flat_map(|i| [point(1, i), point(2, i)]).collect::<Vec<_>>();
    append(&dir, 2, &late);
    let approx = |args: &[&str]| -> Vec<bool> {
        let text = stdout(cvx(dir.path()).args(["-d", "d", "-q", "-f", "jsonl"]).args(args));
        let row = |l: &str| serde_json::from_str::<serde_json::Value>(l).unwrap();
        text.lines().map(|l| row(l)["approx"].as_bool().unwrap()).collect()
    };
    // The parabola of day 3 has a lossy neighbour, that of day 4 none.
    let speeds = approx(&["velocity", "--entity", "1"]);
    assert_eq!((&speeds[..5], speeds.contains(&true)), (&[true, true, true, true, false][..], true));
    assert_eq!(speeds.iter().filter(|a| **a).count(), 4);
    assert_eq!(
        approx(&["velocity", "--entity", "1", "--scheme", "two-point", "--at", "2024-01-03T12:00"]),
        [true]
    );
    assert_eq!(
        approx(&["velocity", "--entity", "1", "--scheme", "two-point", "--at", "2024-01-04T12:00"]),
        [false]
    );
    assert_eq!(approx(&["drift"]), [true, false]);
    assert_eq!(approx(&["drift", "--from", "2024-01-04"]), [false, false]);
    assert_eq!(approx(&["drift", "--reference", "1@2024-01-02", "--entity", "2"]), [true]);
    assert_eq!(approx(&["changepoints", "--summary"]), [true, false]);
    assert_eq!(approx(&["changepoints", "--segments", "--from", "2024-01-04"]), [false, false]);
    // Four days a cell: the first one ends on day 3, whose vector is exact.
    assert_eq!(approx(&["changepoints", "--summary", "--scale", "4d", "--entity", "1"]).len(), 1);
    // A window of exact points, against itself and against one with lossy points; a stored sample says so too.
    let exact = ["--ref", "2024-01-04..2024-01-10", "--cur", "2024-01-11..2024-01-20"];
    let lossy = ["--ref", "2024-01-01..2024-01-10", "--cur", "2024-01-11..2024-01-20"];
    let population = |args: &[&str]| {
        let rest = ["--permutations", "9", "--tests", "centroid"];
        approx(&[&["drift", "population"][..], args, &rest].concat())
    };
    assert_eq!(population(&exact), [false]);
    assert_eq!(population(&lossy), [true]);
    population(&[&lossy[..], &["--baseline", "save", "b"]].concat());
    assert_eq!(population(&[&lossy[2..], &["--baseline", "use", "b"]].concat()), [true]);
    for method in [&["--method", "bocpd"][..], &["--state", "s"]] {
        let args = [&["changepoints", "--summary", "--warmup", "50"][..], method].concat();
        assert_eq!(approx(&args), [true, false], "{method:?}");
    }
    assert_eq!(approx(&["predict", "--horizon", "1d", "--method", "last"]), [true, false]);
}

#[test]
fn a_signal_in_the_middle_leaves_no_half_written_output() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};
    let dir = tempdir().unwrap();
    let points =
        (0..60u64).flat_map(|e| (0..200).map(move |i| (e, crate::day(i), vec![(i % 7) as f32], "m@1")));
    given(&dir, 1, &points.collect::<Vec<_>>());
    let start = |args: &[&str]| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("cvx"));
        command.args(["velocity", "-d", "d", "-f", "csv"]).args(args).current_dir(dir.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let interrupt = |id: u32| {
        assert!(Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap().success());
    };
    // More rows than a pipe holds: nobody reads on, so the run is in the middle of them.
    let mut child = start(&[]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    interrupt(child.id());
    out.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(text.lines().count() < 60 * 200, "the run had ended before");
    // A file appears only when it is whole. The list of entities keeps the run waiting.
    let fifo = dir.path().join("list");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut child = start(&["-o", "out.csv", "--entities-from", "list"]);
    let list = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    interrupt(child.id());
    std::io::Write::write_all(&mut &list, b"3\n4\n").unwrap();
    drop(list);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["d", "list"]);
}

#[test]
fn a_trajectory_larger_than_the_memory_is_refused() {
    let dir = tempdir().unwrap();
    let points = (0..4000).map(|i| (9u64, crate::day(0) + i, vec![i as f32; 64], "m@1"));
    given(&dir, 64, &points.collect::<Vec<_>>());
    let command = |memory: &str| -> Vec<String> {
        ["-d", "d", "--memory", memory, "changepoints", "--summary"].map(str::to_string).to_vec()
    };
    let (code, said) = failure(cvx(dir.path()).args(command("1MiB")));
    assert_eq!(code, 1);
    assert!(said.contains("4000 points of one entity") && said.contains("--memory"), "{said}");
    cvx(dir.path()).args(command("64MiB")).assert().success();
}

/// Points of several models: an answer that mixes them says so, and what was not tested is exit 3.
#[test]
fn several_models_are_told() {
    let dir = tempfile::tempdir().unwrap();
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "2"]));
    let line = |e: i64, d: i64, model: &str| {
        let t =
            cvx::time::format_time(19_723 * 86_400_000_000 + d * 86_400_000_000, cvx::time::TimeFormat::Date);
        format!("{{\"entity_id\":{e},\"t\":\"{t}\",\"m\":\"{model}\",\"vector\":[{e},{}]}}\n", d % 7)
    };
    let text: String = (0..60).map(|d| line(1, d, if d < 30 { "a@1" } else { "a@2" })).collect();
    let text = text + &(0..25).map(|d| line(2, d, "a@1")).collect::<String>();
    let text = text + &(30..60).map(|d| line(3, d, "a@2")).collect::<String>();
    std::fs::write(dir.path().join("x.jsonl"), text).unwrap();
    stdout(cvx(dir.path()).args(["-d", "d", "ingest", "x.jsonl", "--map", "model=m"]));
    let said = |args: &[&str]| {
        let out = cvx(dir.path()).args(["-d", "d"]).args(args).output().unwrap();
        let rows = String::from_utf8(out.stdout).unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stderr).unwrap(), rows)
    };
    for query in [
        &["query", "asof", "--at", "2024-12-01"][..],
        &["query", "knn", "--like", "1", "-k", "60"],
        &["query", "knn", "--like", "1", "-k", "3", "--model", "a@1"],
        &["query", "knn", "--vector", "1,2", "-k", "99"],
    ] {
        let (code, text, _) = said(query);
        assert!(code == 0 && text.contains("2 embedding models (a@1, a@2)"), "{query:?}: {text}");
        if query.contains(&"--model") {
            continue;
        }
        let (code, text, rows) = said(&[query, &["--model", "latest"]].concat());
        assert!(code == 0 && !text.contains("embedding models") && !rows.is_empty(), "{query:?}: {text}");
    }
    let (_, _, rows) = said(&["query", "asof", "--at", "2024-12-01", "--model", "latest"]);
    assert!(rows.lines().count() == 2 && !rows.contains("a@1"), "{rows}");
    for args in [&["changepoints"][..], &["changepoints", "--method", "bocpd"]] {
        let (code, text, _) = said(args);
        assert!(code == 3 && text.contains("1 model_break"), "{args:?}: {code} {text}");
        assert_eq!(said(&[args, &["--model", "a@1"]].concat()).0, 0, "{args:?}");
    }
    let (code, text, _) = said(&["predict", "--horizon", "1d"]);
    assert!(code == 3 && text.contains("1 model_break") && text.contains("--embedding-model"), "{text}");
    // A window without points is no green light; one shard of several may have none.
    let empty = [
        &["changepoints"][..],
        &["changepoints", "--summary"],
        &["changepoints", "--state", "s"],
        &["velocity"],
        &["predict", "--horizon", "1d"],
    ];
    for args in empty {
        let (code, text, rows) = said(&[args, &["--in", "2030"]].concat());
        assert!(code == 3 && text.contains("nothing was computed") && rows.is_empty(), "{args:?}: {text}");
    }
    assert_eq!(said(&["velocity", "--in", "2030", "--shard", "1/2"]).0, 0);
}
