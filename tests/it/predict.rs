//! `cvx predict` and its subcommands, on trajectories whose future is known.

use crate::{Given, cvx, dataset, day, failure, stdout};
use cvx::analytics::predict::node::Model;
use cvx::commands::predict::kept::models;
use cvx::dataset::{Options, Snapshot};
use cvx::format::codec::Encoder;
use serde_json::Value;
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// Twelve entities on straight lines with a little wobble, a point a day for 20 days.
fn lines(dir: &Path) {
    let mut given: Vec<Given<'_>> = Vec::new();
    for (i, name) in NAMES.iter().enumerate() {
        for n in 0..20 {
            let wobble = [0.3, -0.2, 0.1, -0.4, 0.2][(i + n) % 5];
            let slope = 1.0 + i as f32 / 4.0;
            given.push((name, n as i64, [slope * n as f32 + wobble, 3.0 - wobble], ""));
        }
    }
    dataset(dir, &given);
}

fn world(make: impl Fn(&Path)) -> TempDir {
    let dir = tempdir().unwrap();
    make(&dir.path().join("d"));
    dir
}

/// Runs `cvx -d d -f jsonl predict ARGS`, which must succeed with the given exit code.
fn run(dir: &TempDir, exit: i32, args: &[&str]) -> Output {
    let out = cvx(dir.path()).args(["-d", "d", "-f", "jsonl", "predict"]).args(args).output().unwrap();
    assert_eq!(out.status.code(), Some(exit), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    out
}

fn rows(dir: &TempDir, args: &[&str]) -> Vec<Value> {
    let out = run(dir, 0, args);
    String::from_utf8(out.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn said(dir: &TempDir, args: &[&str]) -> String {
    String::from_utf8(run(dir, 0, args).stderr).unwrap()
}

fn number(row: &Value, field: &str) -> f64 {
    row[field].as_f64().unwrap_or_else(|| panic!("{field}: {row}"))
}

#[test]
fn a_line_goes_on_and_the_radius_holds_it() {
    let dir = world(lines);
    let rows = rows(&dir, &["--to", "2024-01-15", "--horizon", "4d", "--vectors", "list"]);
    assert_eq!(rows.len(), 12);
    let mut inside = 0;
    for row in &rows {
        assert_eq!((&row["method"], &row["status"]), (&"trend".into(), &"ok".into()), "{row}");
        assert_eq!((number(row, "n"), number(row, "horizon_s")), (14.0, 4.0 * 86_400.0));
        assert_eq!(
            (&row["t_last"], &row["t"]),
            (&"2024-01-14T00:00:00Z".into(), &"2024-01-18T00:00:00Z".into())
        );
        assert!(number(row, "vs_last") < 0.5 && number(row, "backtest_error") < 1.0, "{row}");
        let i = NAMES.iter().position(|n| row["entity"] == *n).unwrap();
        let wobble = [0.3, -0.2, 0.1, -0.4, 0.2][(i + 17) % 5];
        let truth = [(1.0 + i as f64 / 4.0) * 17.0 + wobble, 3.0 - wobble];
        let value = |field: &str, d: usize| row[field][d].as_f64().unwrap();
        let off = (0..2).map(|d| (value("vector", d) - truth[d]).powi(2)).sum::<f64>().sqrt();
        inside += usize::from(off <= number(row, "radius"));
        assert!(
            (0..2).all(|d| value("lower", d) < value("vector", d) && value("vector", d) < value("upper", d))
        );
    }
    assert!(inside >= 9, "{inside} of 12 inside the radius of 0.9");
    run(&dir, 4, &["--horizon", "4d", "--fail-on", "radius > 0.01"]);
    run(&dir, 0, &["--horizon", "4d", "--fail-on", "radius > 1000"]);
}

#[test]
fn instants_and_horizons_are_repeatable_and_ordered() {
    let dir = world(lines);
    let args = ["--entity", "a", "--method", "last", "--calibrate", "0"];
    let two =
        rows(&dir, &[&args[..], &["--at", "2024-03-01", "--horizon", "2d", "--horizon", "1mo"]].concat());
    let times: Vec<&str> = two.iter().map(|r| r["t"].as_str().unwrap()).collect();
    assert_eq!(times, ["2024-01-22T00:00:00Z", "2024-02-20T00:00:00Z", "2024-03-01T00:00:00Z"]);
    assert!(two.iter().all(|r| r["radius"].is_null() && r["backtest_error"].is_null() && r["level"] == 0.9));
}

#[test]
fn the_choice_is_told_and_the_calibration_kept() {
    let dir = world(lines);
    let stored = || {
        let all = std::fs::read_dir(dir.path().join("d/results")).unwrap().map(|f| f.unwrap().path());
        all.filter(|p| p.to_string_lossy().contains("calibration.")).collect::<Vec<_>>()
    };
    let kept = || stored().len();
    let args = ["--horizon", "2d", "-v"];
    let first = said(&dir, &args);
    assert!(first.contains("auto, about 2d ahead: trend for 12") && first.contains("12 entities"), "{first}");
    assert!(first.contains("calibrated on 12 entities") && kept() == 1, "{first}");
    let second = said(&dir, &args);
    assert!(second.contains("calibration of commit"), "{second}");
    assert!(said(&dir, &[&args[..], &["--recalibrate"]].concat()).contains("calibrated on"));
    // One entity alone asks the same question; another window another one.
    assert!(said(&dir, &[&args[..], &["--entity", "b"]].concat()).contains("calibration of commit"));
    assert!(said(&dir, &[&args[..], &["--window", "5"]].concat()).contains("calibrated on"));
    assert_eq!(kept(), 2);
    // A damaged one is made again.
    for file in stored() {
        std::fs::write(file, "nothing").unwrap();
    }
    let again = said(&dir, &args);
    assert!(again.contains("a new calibration is made") && again.contains("calibrated on"), "{again}");
    assert!(said(&dir, &args).contains("calibration of commit"));
}

#[test]
fn a_calibration_serves_until_a_tenth_has_changed() {
    let dir = world(lines);
    let args = ["--horizon", "2d", "-v"];
    said(&dir, &args);
    let ingest = |name: &str, points: i64| {
        let line =
            |n| format!("{{\"entity\":\"{name}\",\"timestamp\":{},\"vector\":[1.5,{n}]}}\n", day(40 + n));
        std::fs::write(dir.path().join(name), (0..points).map(line).collect::<String>()).unwrap();
        let mut ingest = cvx(dir.path());
        ingest.args(["-d", "d", "ingest", "--input-format", "jsonl", "--time-unit", "us", name]);
        assert!(ingest.output().unwrap().status.success());
    };
    ingest("m", 10);
    assert!(said(&dir, &args).contains("calibration of commit"));
    ingest("n", 30);
    assert!(said(&dir, &args).contains("calibrated on"));
}

#[test]
fn few_points_one_entity_constant_and_empty() {
    let dir = world(|d| {
        let mut given: Vec<Given<'_>> = vec![("one", 0, [1.0, 2.0], "")];
        given.extend((0..3).map(|n| ("three", n, [n as f32, 1.0], "")));
        given.extend((0..12).map(|n| ("still", n, [0.5, 0.5], "")));
        dataset(d, &given);
    });
    let status = |method: &str| {
        let mut found: Vec<_> = rows(&dir, &["--horizon", "1d", "--method", method])
            .iter()
            .map(|r| format!("{}:{}", r["entity"].as_str().unwrap(), r["status"].as_str().unwrap()))
            .collect();
        found.sort();
        found.join(" ")
    };
    // Three entities are too few to say how far off a prediction is.
    assert_eq!(status("auto"), "one:uncalibrated still:constant three:uncalibrated");
    assert_eq!(status("holt"), "one:few_points still:constant three:uncalibrated");
    assert_eq!(status("ou"), "one:few_points still:constant three:few_points");
    let still = &rows(&dir, &["--horizon", "1d", "--entity", "still", "--vectors", "list"])[0];
    assert_eq!((&still["radius"], &still["vector"]), (&Value::Null, &serde_json::json!([0.5, 0.5])));
    assert_eq!(rows(&dir, &["--horizon", "1d", "--ok-only", "--calibrate", "0"]).len(), 2);
    assert_eq!(rows(&dir, &["--horizon", "1d", "--ok-only"]).len(), 0);
    assert_eq!(rows(&dir, &["--horizon", "1d", "--limit", "0"]).len(), 0);
    assert_eq!(rows(&dir, &["--horizon", "1d", "--min-points", "4"]).len(), 1);
    rows(&dir, &["eval"]);

    let empty = world(|d| dataset(d, &[]));
    assert!(run(&empty, 3, &["--horizon", "1d"]).stdout.is_empty());
    assert!(said(&empty, &["eval"]).contains("no entity has a past"));
    assert!(rows(&empty, &["models"]).is_empty());
}

#[test]
fn one_entity_without_a_future_does_not_fail_the_others() {
    let dir = world(lines);
    let late = format!("{{\"entity\":\"late\",\"timestamp\":{},\"vector\":[5.0,5.0]}}\n", i64::MAX);
    std::fs::write(dir.path().join("late.jsonl"), late).unwrap();
    stdout(cvx(dir.path()).args(["-d", "d", "ingest", "late.jsonl", "--time-unit", "us"]));
    for (when, status) in [(["--horizon", "1d"], "out_of_range"), (["--at", "2030-01-01"], "not_future")] {
        let found = rows(&dir, &when);
        assert_eq!(found.len(), 13);
        for row in found {
            let late = row["entity"] == "late";
            // Six years lie beyond what twenty days of the past can calibrate.
            let other = if when[0] == "--at" { "uncalibrated" } else { "ok" };
            assert_eq!(row["status"], if late { status } else { other }, "{row}");
            assert_eq!(row["t"].is_null(), late && status == "out_of_range", "{row}");
        }
    }
    assert!(said(&dir, &["--at", "2030-01-01"]).contains("predict from the past with --to"));
}

#[test]
fn a_prediction_beyond_single_precision_has_a_status() {
    let dir = world(|d| dataset(d, &[("big", 0, [0.0, 0.0], ""), ("big", 1, [3e38, 1.0], "")]));
    let args = ["--horizon", "2d", "--method", "linear", "--vectors", "list"];
    let row = &rows(&dir, &args)[0];
    assert_eq!((&row["status"], &row["vector"]), (&"out_of_range".into(), &Value::Null), "{row}");
}

#[test]
fn gaps_and_embedding_models_end_a_history() {
    let dir = world(lines);
    let cut = &rows(&dir, &["--entity", "a", "--horizon", "1d", "--max-gap", "12h"])[0];
    assert_eq!((number(cut, "n"), &cut["method"]), (1.0, &"last".into()));
    std::fs::write(
        dir.path().join("more.jsonl"),
        format!("{{\"entity\":\"a\",\"timestamp\":{},\"vector\":[5.0,5.0]}}\n", day(21)),
    )
    .unwrap();
    stdout(cvx(dir.path()).args(["-d", "d", "ingest", "more.jsonl", "--time-unit", "us", "--model", "m@2"]));
    let status = |exit: i32, more: &[&str]| {
        let out = run(&dir, exit, &[&["--entity", "a", "--horizon", "1d"], more].concat());
        let row: Value = serde_json::from_slice(&out.stdout).unwrap();
        format!("{} {}", row["status"].as_str().unwrap(), row["n"])
    };
    assert_eq!(status(3, &[]), "model_break 21");
    let told = String::from_utf8(run(&dir, 3, &["--entity", "a", "--horizon", "1d"]).stderr).unwrap();
    assert!(told.contains("1 entity spans several") && told.contains("--embedding-model NAME"), "{told}");
    assert_eq!(status(0, &["--align", "off"]), "ok 21");
    assert_eq!(status(0, &["--embedding-model", "m@1"]), "ok 20");
}

#[test]
fn states_near_a_prediction() {
    let dir = world(lines);
    let args = ["--entity", "a", "--horizon", "1d", "--method", "last", "--rank-like", "2"];
    let row = &rows(&dir, &args)[0];
    let near = row["nearest"].as_array().unwrap();
    assert_eq!(near.len(), 2);
    assert!(near.iter().all(|n| n["entity"] != "a" && n["distance"].as_f64().unwrap() >= 0.0), "{near:?}");
    assert!(near[0]["distance"].as_f64() <= near[1]["distance"].as_f64());
    // The same as asking for the neighbours of the last point among the states.
    let asked = stdout(
        cvx(dir.path())
            .args(["-d", "d", "-f", "jsonl", "query", "asof", "--at", "max", "--like", "a", "-k", "2"]),
    );
    let expected: Vec<Value> = asked.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    for (n, e) in near.iter().zip(&expected) {
        assert_eq!((&n["entity"], &n["distance"], &n["t"]), (&e["entity"], &e["distance"], &e["t"]));
    }
}

#[test]
fn evaluation_compares_with_last_and_measures_coverage() {
    let dir = world(lines);
    let rows_ = rows(&dir, &["eval", "--level", "0.5", "--level", "0.9"]);
    let of = |method: &str, horizon: f64, level: f64| {
        let here = |r: &&Value| {
            r["method"] == method && number(r, "horizon_s") == horizon && number(r, "level") == level
        };
        rows_.iter().find(here).unwrap_or_else(|| panic!("{method} {horizon} {level}")).clone()
    };
    let four = 4.0 * 86_400.0;
    assert_eq!(number(&of("last", four, 0.5), "vs_last"), 1.0);
    assert!(number(&of("trend", four, 0.9), "vs_last") < 0.5);
    assert!(number(&of("auto", four, 0.9), "vs_last") < 0.5);
    assert!(number(&of("trend", four, 0.9), "coverage") > number(&of("trend", four, 0.5), "coverage"));
    assert!(
        number(&of("trend", four, 0.9), "radius_median") > number(&of("trend", four, 0.5), "radius_median")
    );
    let two = rows(&dir, &["eval", "--method", "auto", "--method", "trend"]);
    assert!(two.iter().all(|r| r["method"] == "trend" || r["method"] == "auto"));
    let table = |lang: &str| {
        let args = ["-d", "d", "-f", "table", "predict", "eval", "--method", "last"];
        stdout(cvx(dir.path()).env("LANG", lang).args(args))
    };
    assert!(table("C").is_ascii());
    let bars = table("C.UTF-8");
    assert!(bars.contains('▂') && bars.contains('▆') && bars.contains("by_horizon"), "{bars}");
}

#[test]
fn a_case_shows_the_prediction_beside_what_happened() {
    let dir = world(lines);
    let cases = rows(&dir, &["eval", "--cases", "--entity", "c", "--method", "trend", "--vectors", "list"]);
    assert!(!cases.is_empty());
    for c in &cases {
        assert_eq!((&c["entity"], &c["method"]), (&"c".into(), &"trend".into()));
        let value = |field: &str, d: usize| c[field][d].as_f64().unwrap();
        let off = (0..2).map(|d| (value("vector", d) - value("truth", d)).powi(2)).sum::<f64>().sqrt();
        assert!((off - number(c, "error")).abs() < 1e-5, "{c}");
        // The longest horizons have too few stretches that do not overlap.
        let inside = c["radius"].as_f64().map(|r| number(c, "error") <= r);
        assert_eq!(c["inside"], serde_json::json!(inside));
        assert!(inside.is_some() || number(c, "horizon_s") > 4.0 * 86_400.0, "{c}");
        assert!((number(c, "vs_last") - number(c, "error") / number(c, "moved")).abs() < 1e-12);
    }
    // What the other entities' cases are must not change how one entity is judged.
    let all = rows(&dir, &["eval", "--cases", "--method", "trend", "--vectors", "list"]);
    let of_c: Vec<&Value> = all.iter().filter(|r| r["entity"] == "c").collect();
    assert_eq!(of_c.len(), cases.len());
    assert!(of_c.iter().zip(&cases).all(|(a, b)| a["error"] == b["error"] && a["radius"] == b["radius"]));
}

/// A model written by the tables of FORMAT.md: a field that turns the plane once in 20 days.
fn turning(useful: bool) -> Model {
    fn floats(e: &mut Encoder, values: &[f32]) {
        e.u32(values.len() as u32);
        values.iter().for_each(|v| _ = e.u32(v.to_bits()));
    }
    let turn = (std::f64::consts::TAU / 20.0 * 1024.0) as f32;
    let small = 1.0 / 1024.0;
    let mut e = Encoder::new();
    e.u32(1);
    floats(&mut e, &[0.0, 0.0]);
    e.u32(2).f64(1.0).f64(1.0);
    floats(&mut e, &[1.0, 0.0, 0.0, 1.0]);
    e.f64(1.0).f64(86_400.0).u8(0);
    e.u32(1).u32(2);
    floats(&mut e, &[small, 0.0, 0.0, small, 0.0, 0.0, 0.0, turn, -turn, 0.0, 0.0, 0.0]);
    e.u64(3).u64(12).u64(240).i64(day(0)).i64(day(19)).u64(5);
    // No entity was trained on.
    e.u8(0).u64(5).f64(1.0).u32(30).u32(20).f64(0.125).u32(1);
    e.text("last").u32(90).f64(1.0).f64(if useful { 0.25 } else { 1.25 });
    Model::decode(&e.bytes).unwrap()
}

/// Twelve entities on circles, a turn in 20 days.
fn circles(dir: &Path) {
    let mut given: Vec<Given<'_>> = Vec::new();
    for (i, name) in NAMES.iter().enumerate() {
        for n in 0..20 {
            let angle = i as f32 / 2.0 + std::f32::consts::TAU / 20.0 * n as f32;
            given.push((name, n as i64, [angle.cos(), angle.sin()], ""));
        }
    }
    dataset(dir, &given);
}

fn save(dir: &TempDir, name: &str, useful: bool, trained_us: i64) {
    let snapshot = Snapshot::open(&dir.path().join("d"), None).unwrap();
    // A child process of another test may hold a copy of the lock until it starts.
    let options = Options { lock_timeout: Duration::from_secs(5), ..Options::default() };
    models::save(&snapshot, name, &turning(useful), trained_us, &options).unwrap();
}

#[test]
fn a_useful_model_predicts_in_every_build() {
    let dir = world(circles);
    save(&dir, "turn", true, 7);
    let row =
        &rows(&dir, &["--entity", "a", "--to", "2024-01-11", "--horizon", "5d", "--vectors", "list"])[0];
    assert_eq!((&row["method"], &row["fallback"]), (&"node".into(), &Value::Null), "{row}");
    // From angle 9/20 a quarter turn on: 14/20.
    let angle = std::f64::consts::TAU * 14.0 / 20.0;
    let at = |d: usize| row["vector"][d].as_f64().unwrap();
    assert!((at(0) - angle.cos()).abs() < 1e-3 && (at(1) - angle.sin()).abs() < 1e-3, "{row}");
    assert!(number(row, "vs_last") < 0.1, "{row}");
    let eval = rows(&dir, &["eval", "--method", "node", "--method", "last"]);
    assert!(eval.iter().filter(|r| r["method"] == "node").all(|r| number(r, "vs_last") < 0.1));
}

#[test]
fn a_model_that_is_not_useful_is_only_used_by_name() {
    let dir = world(circles);
    save(&dir, "turn", false, 7);
    let method = |more: &[&str]| {
        rows(&dir, &[&["--entity", "a", "--horizon", "5d"], more].concat())[0]["method"].clone()
    };
    assert_ne!(method(&[]), "node");
    assert_ne!(method(&["--model", "turn"]), "node");
    assert_eq!(method(&["--method", "node"]), "node");
    assert_eq!(method(&["--method", "node", "--model", "turn@1"]), "node");
}

#[test]
fn models_are_versioned_listed_and_checked() {
    let dir = world(circles);
    save(&dir, "turn", true, 7);
    save(&dir, "turn", false, 9);
    save(&dir, "other", true, 8);
    let listed = rows(&dir, &["models"]);
    let labels: Vec<String> = listed
        .iter()
        .map(|r| format!("{}@{} {}", r["name"].as_str().unwrap(), r["version"], r["useful"]))
        .collect();
    assert_eq!(labels, ["other@1 true", "turn@1 true", "turn@2 false"]);
    assert_eq!((number(&listed[0], "vs_last"), number(&listed[0], "held_out")), (0.25, 90.0));
    assert_eq!((&listed[0]["status"], &listed[0]["hidden"]), (&"ok".into(), &serde_json::json!([2])));

    let path = dir.path().join("d/results/model.turn@2.cvxr");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[150] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let out = run(&dir, 3, &["models"]);
    assert!(String::from_utf8_lossy(&out.stdout).contains("\"damaged\""));
    assert!(String::from_utf8_lossy(&out.stderr).contains("turn@2"));
}

#[test]
fn a_model_that_cannot_be_used_gives_way_and_the_row_says_so() {
    let dir = world(circles);
    save(&dir, "turn", true, 7);
    std::fs::write(dir.path().join("d/results/model.turn@1.cvxr"), "short").unwrap();
    for (args, why) in [
        (&["--method", "node", "--model", "turn"][..], "model turn@1 cannot be read"),
        (&["--model", "turn"], "model turn@1 cannot be read"),
        (&["--method", "node", "--model", "none"], "model none is missing"),
        (&["--method", "node"], "no model is trained"),
    ] {
        let args = [&["--entity", "a", "--horizon", "5d"], args].concat();
        let row = &rows(&dir, &args)[0];
        assert!(row["fallback"].as_str().unwrap().contains(why), "{row}");
        assert!(row["method"] != "node" && row["status"] == "ok", "{row}");
        let said = said(&dir, &args);
        assert!(said.contains("warning") && said.contains(why), "{said}");
    }
    // Nobody asked for a model: no word about it.
    assert!(!said(&dir, &["--entity", "a", "--horizon", "5d"]).contains("warning"));
}

#[test]
fn the_same_bytes_for_any_number_of_threads_and_shard() {
    let dir = world(lines);
    let csv = |more: &[&str]| {
        let mut c = cvx(dir.path());
        c.args(["-q", "-d", "d", "-f", "csv", "--vectors", "columns", "predict", "--horizon", "3d"])
            .args(more);
        stdout(&mut c)
    };
    let one = csv(&["-j", "1", "--recalibrate"]);
    assert_eq!(one, csv(&["-j", "4", "--recalibrate"]));
    let mut parts: Vec<String> = ["1/2", "2/2"]
        .iter()
        .flat_map(|s| {
            csv(&["--shard", s, "--recalibrate"]).lines().skip(1).map(str::to_string).collect::<Vec<_>>()
        })
        .collect();
    let mut whole: Vec<String> = one.lines().skip(1).map(str::to_string).collect();
    parts.sort();
    whole.sort();
    assert_eq!(parts, whole);
    let header = one.lines().next().unwrap();
    assert!(header.ends_with(",v0,v1,lower0,lower1,upper0,upper1,fallback,approx"), "{header}");
}

#[test]
fn errors() {
    let dir = world(lines);
    for (args, exit, message) in [
        (&["predict"][..], 2, "nothing says when"),
        (&["predict", "--horizon", "0s"], 2, "no time"),
        (&["predict", "--horizon", "5"], 2, "unit"),
        (&["predict", "--at", "2024-01-05"], 2, "is not in the future"),
        (&["predict", "--horizon", "1d", "--level", "1"], 2, "between 0 and 1"),
        (&["predict", "--horizon", "1d", "--method", "prophet"], 2, "invalid value"),
        (&["predict", "--horizon", "1d", "--method", "last", "--model", "x"], 2, "--method node or auto"),
        (&["predict", "--horizon", "1d", "--model", "../x"], 2, "not the name of a model"),
        (&["predict", "--horizon", "1d", "--calibrate", "99999999"], 2, "more than a calibration needs"),
        (&["predict", "--horizon", "1d", "--entity", "zebra"], 5, "entity \"zebra\" not found"),
        (&["predict", "--horizon", "1d", "eval"], 2, "belong to cvx predict itself"),
        (&["predict", "--horizon", "1d", "--fail-on", "radis > 1"], 2, "radius"),
        (&["predict", "train", "--name", "x", "--hidden", "0x0"], 2, "layers"),
        (&["predict", "train", "--name", "x", "--dims", "umap:2"], 2, "pca:N"),
    ] {
        let (code, said) = failure(cvx(dir.path()).args(["-d", "d"]).args(args));
        assert_eq!(code, exit, "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
}

#[cfg(not(feature = "neural"))]
#[test]
fn a_build_without_training_says_so() {
    let dir = world(lines);
    let (code, said) = failure(cvx(dir.path()).args(["-d", "d", "predict", "train", "--name", "x"]));
    assert_eq!(code, 1);
    assert!(said.contains("without training") && said.contains("--features neural"), "{said}");
}

#[cfg(feature = "neural")]
mod training {
    use super::*;

    const QUICK: [&str; 10] = [
        "train",
        "--dims",
        "pca:2",
        "--hidden",
        "16x2",
        "--epochs",
        "12",
        "--checkpoint-every",
        "2",
        "--name",
    ];

    #[test]
    fn trains_keeps_and_repeats() {
        let dir = world(circles);
        let train = |name: &str| rows(&dir, &[&QUICK[..], &[name]].concat()).remove(0);
        let (a, b) = (train("a"), train("b"));
        assert_eq!((&a["name"], &a["version"], &a["entities"]), (&"a".into(), &1.into(), &12.into()));
        for field in ["validation_loss", "best_epoch", "vs_last", "vs_trend"] {
            assert_eq!(a[field], b[field], "{field}");
        }
        assert_eq!(train("a")["version"], 2);
        assert_eq!(rows(&dir, &["models"]).len(), 3);
        let row = &rows(&dir, &["--entity", "a", "--horizon", "2d", "--method", "node", "--model", "a@1"])[0];
        assert_eq!((&row["method"], &row["status"]), (&"node".into(), &"ok".into()));
    }

    #[test]
    fn ctrl_c_leaves_a_checkpoint_that_goes_on() {
        let dir = world(circles);
        let args =
            [&QUICK[..3], &["--hidden", "4x1", "--epochs", "60", "--patience", "60", "--name"]].concat();
        let whole = rows(&dir, &[&args[..], &["whole"]].concat()).remove(0);
        let checkpoint = dir.path().join("d/results/checkpoint.cut.cvxr");
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_cvx"))
            .args(["-q", "-d", "d", "predict"])
            .args(&args)
            .args(["cut", "--checkpoint-every", "1"])
            .current_dir(dir.path())
            .spawn()
            .unwrap();
        while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(checkpoint.exists());
        assert_eq!(rows(&dir, &["models"]).len(), 1);
        // Other options are refused; the same ones end as if nothing had happened.
        let other = [&args[..], &["cut", "--resume", "--seed", "9"]].concat();
        assert!(String::from_utf8_lossy(&run(&dir, 2, &other).stderr).contains("other training options"));
        let rest = rows(&dir, &[&args[..], &["cut", "--resume"]].concat()).remove(0);
        for field in ["epochs", "validation_loss", "vs_last"] {
            assert_eq!(rest[field], whole[field], "{field}");
        }
        assert!(!checkpoint.exists());
    }

    #[test]
    fn nothing_to_learn_and_a_dry_run() {
        let empty = world(|d| dataset(d, &[]));
        let (code, error) = failure(cvx(empty.path()).args(["-d", "d", "predict"]).args(QUICK).arg("x"));
        assert_eq!(code, 1);
        assert!(error.contains("nothing to learn"), "{error}");
        let dir = world(circles);
        assert!(said_of_dry_run(&dir).contains("12 entities with 240 points"));
        assert!(rows(&dir, &["models"]).is_empty());
        let note = said(&dir, &[&QUICK[..], &["x", "--resume"]].concat());
        assert!(note.contains("there is no checkpoint"), "{note}");
        assert!(!dir.path().join("d/results/checkpoint.x.cvxr").exists());
    }

    fn said_of_dry_run(dir: &TempDir) -> String {
        said(dir, &[&QUICK[..], &["x", "-n"]].concat())
    }
}
