//! `cvx drift population`: windows that differ and windows that do not.

use crate::{cvx, day, failure};
use cvx::config::Settings;
use cvx::dataset::{OnConflict, Options, Writer, entity_hash, init};
use cvx::model::Key;
use cvx::points::{Origin, Points};
use tempfile::{TempDir, tempdir};

/// 60 entities with a point on each of 20 days; from day 10 on, those of "de" lie elsewhere.
fn world() -> TempDir {
    let dir = tempdir().unwrap();
    let d = dir.path().join("d");
    init(&d, &Settings::new(3), false).unwrap();
    let mut writer = Writer::open(&d, Options::default()).unwrap();
    let mut points = Points::new(3);
    let origin = points.intern(&Origin { source: String::new(), model: "m@1".into() });
    let other = points.intern(&Origin { source: String::new(), model: "other@1".into() });
    let noise = |e: u64, i: i64, d: u64| {
        (entity_hash(e << 32 | (i as u64) << 8 | d) >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    for e in 0..60u64 {
        let german = e % 2 == 0;
        for i in 0..20 {
            let moved = if german && i >= 10 { 0.5 } else { 0.0 };
            let x = [noise(e, i, 0) + moved, noise(e, i, 1), noise(e, i, 2)];
            let meta = if german { "{\"lang\":\"de\"}" } else { "{\"lang\":\"en\"}" };
            points.push(Key { entity: e, t: day(i) }, &x, meta, origin);
        }
        // A year later in another model; some have no language.
        points.push(Key { entity: e, t: day(400) }, &[0.0, 1.0, 0.0], "", other);
    }
    writer.append(&mut points, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
    dir
}

/// Exit code, rows as lists of fields by name, standard error.
fn run(dir: &TempDir, args: &[&str]) -> (i32, Vec<serde_json::Value>, String) {
    let output =
        cvx(dir.path()).args(["-d", "d", "drift", "population", "-f", "jsonl"]).args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (output.status.code().unwrap(), rows, String::from_utf8(output.stderr).unwrap())
}

const WINDOWS: [&str; 4] = ["--ref", "2024-01-01..2024-01-10", "--cur", "2024-01-11..2024-01-20"];

#[test]
fn groups_that_moved_and_groups_that_did_not() {
    let dir = world();
    let (code, rows, said) = run(&dir, &[&WINDOWS[..], &["--by", "lang", "--permutations", "199"]].concat());
    assert_eq!(code, 0);
    assert_eq!(rows.len(), 6);
    for row in &rows {
        let german = row["group"] == "de";
        // A shift within the spread of lengths hardly changes these.
        if row["test"] != "norm" {
            assert_eq!(row["drift"], german, "{row}");
        }
        assert_eq!((&row["n_ref"], &row["n_cur"], &row["status"]), (&300.into(), &300.into(), &"ok".into()));
        assert_eq!(row["ref_to"], "2024-01-11T00:00:00Z");
        let (p, adjusted) = (row["p_value"].as_f64().unwrap(), row["p_adjusted"].as_f64().unwrap());
        assert!(p <= adjusted && adjusted <= 1.0);
    }
    let centroid = rows.iter().find(|r| r["test"] == "centroid" && r["group"] == "de").unwrap();
    assert_eq!(centroid["top_dims"][0]["dim"], 0);
    assert!((centroid["statistic"].as_f64().unwrap() - 0.5).abs() < 0.05);
    assert!(said.contains("see a drift; --fail-on"), "{said}");
    let one = [&WINDOWS[..], &["--by", "lang", "--permutations", "99", "--tests", "mmd"]].concat();
    assert_eq!(run(&dir, &[&one[..], &["--fail-on", "drift = true"]].concat()).0, 4);
    assert_eq!(
        run(&dir, &[&one[..], &["--where", "lang = 'en'", "--fail-on", "drift = true"]].concat()).0,
        0
    );
}

#[test]
fn samples_and_threads_change_nothing_but_the_time() {
    let dir = world();
    let sampled =
        [&WINDOWS[..], &["--permutations", "49", "--max-points", "50", "--tests", "mmd,energy"]].concat();
    let (_, rows, _) = run(&dir, &sampled);
    assert!(rows.iter().all(|r| r["n_ref"] == 50 && r["n_cur"] == 50));
    for threads in ["1", "3"] {
        assert_eq!(run(&dir, &[&sampled[..], &["-j", threads]].concat()).1, rows);
    }
    assert_ne!(run(&dir, &[&sampled[..], &["--seed", "9"]].concat()).1, rows);
}

#[test]
fn cells_against_the_one_before_or_a_reference() {
    let dir = world();
    let quick = ["--tests", "centroid", "--permutations", "99", "--to", "2024-01-21"];
    let (_, rows, _) = run(&dir, &[&["--every", "5d", "--where", "lang = 'de'"][..], &quick].concat());
    // Five-day cells from 1970 on: the first and last are cut short by the data.
    let drifts: Vec<bool> = rows.iter().map(|r| r["drift"].as_bool().unwrap()).collect();
    assert_eq!(rows.len(), 4);
    assert!(drifts.iter().filter(|d| **d).count() >= 1 && !drifts[0], "{rows:?}");
    assert!(rows.windows(2).all(|w| w[0]["cur_from"] == w[1]["ref_from"]));
    let fixed = ["--every", "1w", "--ref", "2024-01-01..2024-01-07", "--where", "lang = 'de'"];
    let (_, rows, _) = run(&dir, &[&fixed[..], &quick].concat());
    assert!(rows.iter().all(|r| r["ref_from"] == "2024-01-01T00:00:00Z"), "{rows:?}");
    assert_eq!(rows.last().unwrap()["drift"], true);
    // An empty cell between two others is a reference without points.
    let (_, rows, _) = run(&dir, &["--every", "1mo", "--tests", "mmd", "--permutations", "9"]);
    assert_eq!((rows.len(), &rows[0]["n_ref"], &rows[0]["status"]), (1, &0.into(), &"few_points".into()));
    // Cells of the reference itself are left out.
    let (_, rows, said) =
        run(&dir, &[&["--every", "5d", "--ref", "2024-01-01..2024-01-10"][..], &quick].concat());
    assert!(rows.iter().all(|r| r["cur_from"].as_str().unwrap() >= "2024-01-11"), "{rows:?}");
    assert!(said.contains("cells of the grid overlap the reference"), "{said}");
}

#[test]
fn baselines_are_kept() {
    let dir = world();
    let quick = ["--permutations", "49", "--by", "lang"];
    let (_, direct, _) = run(&dir, &[&WINDOWS[..], &quick].concat());
    let (code, rows, _) = run(&dir, &[&WINDOWS[..2], &["--baseline", "save", "prod"], &quick].concat());
    assert_eq!((code, &rows[0]["name"], &rows[0]["rows"]), (0, &"prod".into(), &600.into()));
    let (code, used, said) = run(&dir, &[&WINDOWS[2..], &["--baseline", "use", "prod"], &quick].concat());
    assert_eq!(code, 0, "{said}");
    assert_eq!(used, direct);
    let verify = cvx(dir.path()).args(["-d", "d", "verify", "-f", "csv"]).output().unwrap();
    assert!(
        String::from_utf8(verify.stdout).unwrap().contains("result,results/baseline.prod.cvxr,ok,600 rows")
    );
    for (args, exit, message) in [
        (&["--cur", "2024", "--baseline", "use", "prod"][..], 2, "was made with --by lang"),
        (&["--cur", "2024", "--baseline", "use", "none"], 5, "there are: prod"),
        (&["--cur", "2024", "--baseline", "keep", "x"], 2, "save NAME"),
        (&["--cur", "2024", "--baseline", "save", "x"], 2, "sample of --ref"),
        (&["--cur", "2024", "--ref", "2023", "--baseline", "use", "prod"], 2, "takes the place of --ref"),
        (&["--cur", "2024"], 2, "a reference is missing"),
        (&["--ref", "2024"], 2, "a current window is missing"),
        (&["--ref", "previous", "--cur", "2024"], 2, "previous needs --every"),
        (&["--ref", "2025..2024", "--cur", "2024"], 2, "holds no time"),
        (&["--ref", "2023", "--cur", "2024", "--fail-on", "p < 1"], 2, "no field \"p\""),
    ] {
        let (code, said) = failure(cvx(dir.path()).args(["-d", "d", "drift", "population"]).args(args));
        assert_eq!(code, exit, "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
}

#[test]
fn what_cannot_be_compared_says_why() {
    let dir = world();
    let (code, rows, said) = run(&dir, &["--ref", "2024", "--cur", "2025", "--tests", "mmd"]);
    assert_eq!((code, &rows[0]["status"], &rows[0]["p_value"]), (3, &"model_break".into(), &().into()));
    assert!(said.contains("several embedding models"), "{said}");
    let (code, rows, said) = run(&dir, &["--ref", "2020", "--cur", "2021", "--tests", "mmd"]);
    assert!(code == 3 && rows.is_empty() && said.contains("no window holds a point"), "{said}");
    let (code, rows, said) =
        run(&dir, &["--ref", "2024", "--cur", "2025", "--by", "lang", "--permutations", "9"]);
    assert!(code == 3 && rows.iter().all(|r| r["n_cur"] == 0 && r["status"] == "few_points"), "{rows:?}");
    assert!(said.contains("60 points have no \"lang\""), "{said}");
    assert!(said.contains("6 of 6 tests could not be made (status few_points)"), "{said}");
    let off = ["--ref", "2024", "--cur", "2025", "--align", "off", "--tests", "mmd", "--permutations", "9"];
    assert_eq!(run(&dir, &off).1[0]["status"], "ok");
    // A condition that holds goes before what could not be tested.
    let gate = ["--ref", "2024", "--cur", "2025", "--fail-on", "status != 'ok'"];
    assert_eq!(run(&dir, &gate).0, 4);
    let (code, rows, said) = run(&dir, &[&WINDOWS[..], &["--by", "nothing"]].concat());
    assert!(code == 5 && rows.is_empty() && said.contains("no point of the windows has a"), "{said}");
    let one = [&WINDOWS[..], &["--entity", "4", "--tests", "mmd"]].concat();
    let (code, rows, said) = run(&dir, &one);
    assert_eq!((code, &rows[0]["status"]), (3, &"few_entities".into()));
    assert!(said.contains("cvx drift --entity ID"), "{said}");
}

#[test]
fn windows_that_overlap_are_refused_and_cut_ones_reported() {
    let dir = world();
    let overlap = ["--ref", "2024-01-01..2024-01-10", "--cur", "2024-01-10..2024-01-20"];
    let (code, said) = failure(cvx(dir.path()).args(["-d", "d", "drift", "population"]).args(overlap));
    assert!(code == 2 && said.contains("overlap"), "{said}");
    let cut = [&WINDOWS[..], &["--from", "2024-01-06", "--tests", "centroid"]].concat();
    let (_, rows, said) = run(&dir, &cut);
    assert!(said.contains("cut --ref to 2024-01-06T00:00:00Z..2024-01-11"), "{said}");
    assert_eq!((&rows[0]["ref_from"], &rows[0]["n_ref"]), (&"2024-01-06T00:00:00Z".into(), &300.into()));
}

#[test]
fn a_run_of_many_rows_can_find_a_drift_or_says_that_it_cannot() {
    let dir = world();
    let days =
        ["--every", "1d", "--to", "2024-01-21", "--where", "lang = 'de'", "--tests", "mmd,energy,centroid"];
    let gate = ["--fail-on", "drift = true"];
    let (code, rows, _) = run(&dir, &[&days[..], &gate].concat());
    assert_eq!((code, rows.len()), (4, 57));
    for row in &rows {
        assert_eq!(row["drift"], row["cur_from"] == "2024-01-11T00:00:00Z", "{row}");
    }
    let (code, _, said) = run(&dir, &[&days[..], &gate, &["--permutations", "999"]].concat());
    assert!(code == 0 && said.contains("57 of 57 tests cannot reach --alpha 0.05"), "{said}");
    let fdr = ["--permutations", "999", "--adjust", "fdr"];
    assert_eq!(run(&dir, &[&days[..], &gate, &fdr].concat()).0, 4);
}

#[test]
fn a_minority_of_another_model_is_left_out() {
    let dir = world();
    // The current window has 60 of its 660 points from the other model.
    let windows = ["--ref", "2024-01-01..2024-01-09", "--cur", "2024-01-10..2025-12-31", "--tests", "mmd"];
    let (code, rows, said) = run(&dir, &windows);
    assert_eq!((code, &rows[0]["left_out"], &rows[0]["n_cur"]), (0, &60.into(), &660.into()), "{said}");
    assert!(rows[0]["p_value"].is_number() && said.contains("60 points were left out"), "{said}");
}
