//! `cvx query`: answers known by hand.

use crate::{cvx, dataset, failure, stdout};
use tempfile::{TempDir, tempdir};

/// Two dimensions, three entities: `east` and `north` stay, `turn` goes from one to the other.
fn world() -> TempDir {
    let dir = tempdir().unwrap();
    let points = [
        ("east", 0, [2.0, 0.0], "{\"lang\":\"en\"}"),
        ("north", 0, [0.0, 1.0], "{\"lang\":\"de\"}"),
        ("turn", 1, [1.0, 0.0], "{\"lang\":\"en\"}"),
        ("turn", 5, [1.0, 1.0], ""),
        ("turn", 9, [0.0, 3.0], "{\"lang\":\"en\"}"),
    ];
    dataset(&dir.path().join("d"), &points);
    dir
}

/// `entity date distance` of the rows, in their order.
fn hits(dir: &TempDir, args: &[&str]) -> Vec<String> {
    let text = stdout(
        cvx(dir.path())
            .args(["query"])
            .args(args)
            .args(["-d", "d", "-f", "csv", "--time", "date", "--digits", "4"]),
    );
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|h| *h == name).unwrap();
    let (entity, t, distance) = (at("entity"), at("t"), at("distance"));
    lines
        .map(|l| l.split(',').collect::<Vec<_>>())
        .map(|c| format!("{} {} {}", c[entity], c[t], c[distance]))
        .collect()
}

#[test]
fn knn() {
    let dir = world();
    let nearest = hits(&dir, &["knn", "--vector", "[1,0]", "-k", "3"]);
    assert_eq!(nearest.len(), 3);
    let mut ties = nearest[..2].to_vec();
    ties.sort();
    assert_eq!(ties, ["east 2024-01-01 0.0", "turn 2024-01-02 0.0"]);
    assert_eq!(nearest[2], "turn 2024-01-06 0.2929");
    assert_eq!(hits(&dir, &["knn", "--vector", "-1,0", "-k", "1", "--metric", "dot"]).len(), 1);
    assert_eq!(
        hits(&dir, &["knn", "--vector", "[0,0.5]", "-k", "1", "--metric", "l2"]),
        ["north 2024-01-01 0.5"]
    );
    let best = hits(&dir, &["knn", "--vector", "[1,0]", "--per-entity", "best"]);
    assert_eq!(best.len(), 3);
    assert_eq!(hits(&dir, &["knn", "--vector", "[1,0]", "--where", "lang = 'de'"]), ["north 2024-01-01 1.0"]);
    assert_eq!(hits(&dir, &["knn", "--vector", "[1,0]", "--in", "2023"]).len(), 0);
    assert_eq!(hits(&dir, &["knn", "--vector", "[1,0]", "-k", "0"]).len(), 0);
}

#[test]
fn like_an_entity_without_itself() {
    let dir = world();
    assert_eq!(hits(&dir, &["knn", "--like", "turn@2024-01-03", "-k", "1"]), ["east 2024-01-01 0.0"]);
    assert_eq!(hits(&dir, &["knn", "--like", "turn", "-k", "1"]), ["north 2024-01-01 0.0"]);
    let own = hits(&dir, &["knn", "--like", "turn", "-k", "9", "--include-self"]);
    assert_eq!(own.len(), 5);
}

#[test]
fn range() {
    let dir = world();
    let found = hits(&dir, &["range", "--vector", "[0,1]", "--in", "2024-01", "--radius", "0.3"]);
    assert_eq!(found.len(), 3);
    assert_eq!(found[2], "turn 2024-01-06 0.2929");
    let window = hits(&dir, &["range", "--vector", "[0,1]", "--from", "2024-01-02", "--to", "2024-01-06"]);
    assert_eq!(window, ["turn 2024-01-02 1.0"]);
}

#[test]
fn asof() {
    let dir = world();
    let near = |at: &str| hits(&dir, &["asof", "--at", at, "--vector", "[0,1]", "-k", "2"]);
    assert_eq!(near("2024-01-07"), ["north 2024-01-01 0.0", "turn 2024-01-06 0.2929"]);
    assert_eq!(near("2024-01-01"), ["north 2024-01-01 0.0", "east 2024-01-01 1.0"]);
    let states = |args: &[&str]| {
        stdout(cvx(dir.path()).args(["query", "snapshot", "-d", "d", "-f", "csv"]).args(args)).lines().count()
            - 1
    };
    assert_eq!(states(&["--at", "2024-01-07"]), 3);
    assert_eq!(states(&["--at", "2024-01-07", "--max-age", "2d"]), 1);
    assert_eq!(states(&["--at", "2023-01-07"]), 0);
    assert_eq!(states(&["--at", "max"]), 3);
}

#[test]
fn trajectory() {
    let dir = world();
    let text = stdout(cvx(dir.path()).args([
        "query",
        "trajectory",
        "-d",
        "d",
        "--entity",
        "turn",
        "-f",
        "csv",
        "--time",
        "date",
        "--digits",
        "4",
        "--meta",
    ]));
    let rows: Vec<&str> = text.lines().skip(1).map(|l| l.split_once(',').unwrap().1).collect();
    assert_eq!(
        rows,
        [
            "turn,2024-01-02,0,1.0,,,,m@1,false,\"{\"\"lang\"\":\"\"en\"\"}\"",
            "turn,2024-01-06,1,1.414,1.0,0.2929,345600.0,m@1,false,",
            "turn,2024-01-10,2,3.0,2.236,0.2929,345600.0,m@1,false,\"{\"\"lang\"\":\"\"en\"\"}\"",
        ]
    );
}

#[test]
fn trajectory_on_a_grid() {
    let dir = world();
    let rows = |how: &str| {
        let args =
            ["query", "trajectory", "-d", "d", "--entity", "turn", "--every", "3d", "--interpolate", how];
        let text =
            stdout(cvx(dir.path()).args(args).args(["-f", "csv", "--time", "date", "--vectors", "columns"]));
        let tail = |l: &str| l.split(',').rev().take(2).collect::<Vec<_>>().join(" ");
        text.lines()
            .skip(1)
            .map(|l| format!("{} {}", l.split(',').nth(2).unwrap(), tail(l)))
            .collect::<Vec<_>>()
    };
    // Three-day cells count from 1970: they begin on the 3rd, 6th and 9th of January 2024.
    assert_eq!(rows("none"), ["2024-01-02 0.0 1.0", "2024-01-06 1.0 1.0", "2024-01-10 3.0 0.0"]);
    assert_eq!(rows("locf"), ["2024-01-03 0.0 1.0", "2024-01-06 1.0 1.0", "2024-01-09 1.0 1.0"]);
    assert_eq!(rows("linear"), ["2024-01-03 0.25 1.0", "2024-01-06 1.0 1.0", "2024-01-09 2.5 0.25"]);
}

#[test]
fn the_state_before_a_window_is_known_in_it() {
    let dir = world();
    let rows = |args: &[&str]| -> Vec<String> {
        let grid = ["query", "trajectory", "-d", "d", "--every", "1d", "--interpolate", "locf"];
        let form = ["-f", "csv", "--time", "date", "--vectors", "columns"];
        let text = stdout(cvx(dir.path()).args(grid).args(args).args(form));
        let cell = |l: &str| format!("{} {}", l.split(',').nth(2).unwrap(), l.rsplit(',').next().unwrap());
        text.lines().skip(1).map(cell).collect()
    };
    // The point of the 2nd stands until that of the 6th comes.
    let window = ["--entity", "turn", "--from", "2024-01-05", "--to", "2024-01-08"];
    assert_eq!(rows(&window), ["2024-01-05 0.0", "2024-01-06 1.0"]);
    // Where it is not selected it is not known; entities without a point in the window stay out.
    assert_eq!(rows(&[&window[..], &["--where", "not exists(lang)"]].concat()), ["2024-01-06 1.0"]);
    assert_eq!(rows(&["--from", "2024-01-05", "--to", "2024-01-06"]).len(), 0);
    assert_eq!(rows(&["--from", "2024-01-08", "--min-points", "1"]).len(), 3);
}

#[test]
fn names_that_no_point_has_are_told() {
    let dir = world();
    let said = |args: &[&str]| {
        let out = cvx(dir.path()).args(["velocity", "-d", "d"]).args(args).output().unwrap();
        assert_eq!((out.status.code(), out.stdout.len()), (Some(3), 0), "{args:?}");
        let text = String::from_utf8(out.stderr).unwrap();
        text.split_once("error: ").map(|(note, _)| note.to_owned()).unwrap()
    };
    assert_eq!(
        said(&["--where", "lnag = 'en' and exists(lang)"]),
        "note: no point has the metadata key \"lnag\"; did you mean lang?\n"
    );
    assert_eq!(said(&["--model", "n@2"]), "note: no point is of the model \"n@2\"; there are: m@1\n");
    assert_eq!(said(&["--source", "x"]), "note: no point is of the source \"x\"; there are: given\n");
    assert_eq!(said(&["--where", "lang = 'fr'"]), "");
    assert_eq!(said(&["--model", "m", "--in", "2020"]), "");
    let (code, text) = failure(cvx(dir.path()).args(["velocity", "-d", "d", "--entity", "east, far"]));
    assert!(code == 5 && text.contains("a name that holds a comma goes into"), "{text}");
}

#[test]
fn many_queries_from_a_file() {
    let dir = world();
    let lines = "{\"vector\":[1,0],\"k\":1}\n\
                 {\"query\":\"mine\",\"entity\":\"turn\",\"at\":\"2024-01-03\"}\n\
                 {\"vector\":[0,1],\"from\":\"2024-01-05\",\"to\":\"2024-01-10\",\"k\":5}\n";
    std::fs::write(dir.path().join("q.jsonl"), lines).unwrap();
    let text = stdout(cvx(dir.path()).args([
        "query",
        "knn",
        "-d",
        "d",
        "--queries",
        "q.jsonl",
        "-k",
        "2",
        "-f",
        "jsonl",
    ]));
    let rows: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let labels: Vec<String> = rows.iter().map(|r| r["query"].to_string()).collect();
    assert_eq!(labels, ["0", "\"mine\"", "\"mine\"", "2"]);
    assert_eq!(rows[1]["entity"], "east");
    assert_eq!(rows[3]["t"], "2024-01-06T00:00:00Z");
    // The same through standard input and into Parquet, whose label column is text.
    let output = cvx(dir.path())
        .args(["query", "knn", "-d", "d", "--queries", "-", "-f", "parquet"])
        .write_stdin(lines)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"PAR1"));
}

#[test]
fn time_in_the_ranking() {
    let dir = world();
    let near = |at: &str| {
        hits(
            &dir,
            &["knn", "--vector", "[1,0]", "-k", "1", "--alpha", "0.5", "--half-life", "1d", "--at", at],
        )
    };
    assert_eq!(near("2024-01-02"), ["turn 2024-01-02 0.0"]);
    assert!(near("2024-01-10")[0].starts_with("turn 2024-01-10"), "the newest point should win");
}

#[test]
fn the_same_bytes_for_any_number_of_threads() {
    let dir = world();
    let run = |threads: &str| {
        let args = ["query", "knn", "-d", "d", "--vector", "[1,2]", "-f", "csv", "-j", threads];
        stdout(cvx(dir.path()).args(args))
    };
    assert_eq!(run("1"), run("8"));
}

#[test]
fn stats_go_to_standard_error() {
    let dir = world();
    let output =
        cvx(dir.path()).args(["query", "knn", "-d", "d", "--vector", "[1,0]", "--stats"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("note: every selected point was scanned: there is no index\n"), "{said}");
    assert!(said.contains("note: 5 points scanned, 40 bytes; 0 of 1 parts pruned"), "{said}");
}

#[test]
fn errors() {
    let dir = world();
    std::fs::write(dir.path().join("bad.jsonl"), "{\"vector\":[1,0]}\n{\"vektor\":[1]}\n").unwrap();
    for (args, exit, message) in [
        (&["knn"][..], 2, "what is asked for is missing"),
        (&["knn", "--vector", "[1,2,3]"], 2, "query vector has 3 values, the dataset has dimension 2"),
        (&["knn", "--vector", "[1,1e39]"], 2, "beyond f32"),
        (&["knn", "--vector", "nowhere"], 2, "neither a vector nor a file"),
        (&["knn", "--like", "tunr"], 5, "one name is close: turn"),
        (&["knn", "--like", "turn@2020"], 5, "has no point at or before 2020-01-01T00:00:00Z"),
        (&["knn", "--vector", "[1,0]", "--alpha", "0.5"], 2, "--alpha 0.5 needs --half-life"),
        (&["knn", "--vector", "[1,0]", "--alpha", "7", "--half-life", "1d"], 2, "outside 0 to 1"),
        (
            &["knn", "--vector", "[1,0]", "--alpha", "0.5", "--half-life", "1d", "--metric", "l2"],
            2,
            "needs --scale",
        ),
        (&["knn", "--vector", "[1,0]", "--like", "turn"], 2, "cannot be used with"),
        (&["knn", "--queries", "bad.jsonl"], 2, "bad.jsonl, line 2"),
        (&["range", "--vector", "[1,0]"], 2, "needs a window of time"),
        (&["asof", "--vector", "[1,0]"], 2, "--at"),
        (&["trajectory"], 2, "whose trajectory?"),
        (&["trajectory", "--entity", "nobody"], 5, "entity \"nobody\" not found"),
    ] {
        let (code, said) = failure(cvx(dir.path()).args(["query", "-d", "d"]).args(args));
        assert_eq!(code, exit, "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
}

#[test]
fn many_queries_from_parquet_and_npy() {
    let dir = world();
    let path = dir.path();
    // An export has the columns of a queries file but for their names.
    std::fs::write(path.join("q.jsonl"), "{\"vector\":[1,0],\"k\":1}\n{\"entity\":\"turn@2024-01-06\"}\n")
        .unwrap();
    let from_lines = hits(&dir, &["knn", "--queries", "q.jsonl", "-k", "2"]);
    assert_eq!(from_lines.len(), 3);
    assert_eq!(from_lines[1], "east 2024-01-01 0.2929", "the state of turn on the sixth, without itself");
    stdout(cvx(path).args(["export", "-d", "d", "--entity", "turn", "--npy", "out"]));
    let from_array = hits(&dir, &["knn", "--queries", "out/vectors.npy", "-k", "1", "--entity", "north"]);
    assert_eq!(from_array, ["north 2024-01-01 1.0", "north 2024-01-01 0.2929", "north 2024-01-01 0.0"]);
    stdout(cvx(path).args(["drift", "-d", "d", "--vectors", "none", "-o", "rows.parquet"]));
    let (code, said) = failure(cvx(path).args(["query", "knn", "-d", "d", "--queries", "rows.parquet"]));
    assert!(code == 2 && said.contains("rows.parquet, row 1") && said.contains("vector or entity"), "{said}");
    let listed = hits(&dir, &["knn", "--vector", "[1,0]", "--entities-from", "rows.parquet"]);
    assert_eq!(listed.len(), 5);
}

#[test]
fn lists_and_queries_name_their_bad_lines() {
    let dir = world();
    let path = dir.path();
    let ask = |text: &str| {
        std::fs::write(path.join("q.jsonl"), text).unwrap();
        failure(cvx(path).args(["query", "range", "-d", "d", "--queries", "q.jsonl"]))
    };
    let empty = "{\"vector\":[1,0],\"from\":\"2024-01-02\",\"to\":\"2024-01-02\"}";
    let (code, said) = ask(&format!("\u{feff}{{\"vector\":[1,0]}}\n\n{empty}\n"));
    assert!(code == 2 && said.contains("q.jsonl, line 3") && said.contains("empty"), "{said}");
    let (code, said) = ask("{\"vector\":[1,0]}\n{\"vectr\":[1,0]}\n");
    assert!(code == 2 && said.contains("line 2") && said.contains("vectr"), "{said}");
    let (code, said) = ask("{\"vector\":[1,0]}\n{\"vector\":[1,0,0]}\n");
    assert!(code == 1 && said.contains("line 2") && said.contains("has 3 values"), "{said}");
    for (text, mend) in [("2012", "\\\"2012\\\""), ("1325376000000", "@1325376000000ms")] {
        for field in ["at", "from", "to"] {
            let (code, said) = ask(&format!("{{\"vector\":[1,0],\"{field}\":{text}}}\n"));
            assert!(code == 2 && said.contains("line 1") && said.contains("which unit"), "{said}");
            assert!(
                said.contains(field) && said.replace('\\', "").contains(&mend.replace('\\', "")),
                "{said}"
            );
        }
    }
    let like = cvx(path).args(["query", "knn", "-d", "d", "--like", "turn@1709164800"]).output().unwrap();
    let said = String::from_utf8_lossy(&like.stderr).into_owned();
    assert!(like.status.code() == Some(2) && said.contains("which unit"), "{said}");
    std::fs::write(path.join("list.csv"), "\u{feff}entity\neast\n").unwrap();
    assert_eq!(hits(&dir, &["knn", "--vector", "[1,0]", "--entities-from", "list.csv"]).len(), 1);
    std::fs::write(path.join("list.txt"), "\u{feff}east\n\nnorth\n").unwrap();
    assert_eq!(hits(&dir, &["knn", "--vector", "[1,0]", "--entities-from", "list.txt"]).len(), 2);
    let (code, said) = failure(
        cvx(path).args(["query", "range", "-d", "d", "--vector", "[1,0]", "--in", "2024", "--radius", "-1"]),
    );
    assert!(code == 2 && said.contains("--radius"), "{said}");
    let (code, said) =
        failure(cvx(path).args(["query", "knn", "-d", "d", "--vector", "[1,0]", "-o", "rows.foo"]));
    assert!(code == 2 && said.contains(".foo"), "{said}");
}

#[test]
fn queries_without_a_state_have_a_row() {
    let dir = world();
    let path = dir.path();
    let lines = "{\"query\":\"a\",\"entity\":\"turn@2024-01-01\"}\n{\"query\":\"b\",\"vector\":[1,0]}\n{\"entity\":\"nobody\"}\n";
    std::fs::write(path.join("q.jsonl"), lines).unwrap();
    let out =
        cvx(path).args(["query", "knn", "-d", "d", "-k", "1", "--queries", "q.jsonl"]).output().unwrap();
    assert_eq!(out.status.code(), Some(3));
    let rows: Vec<serde_json::Value> =
        String::from_utf8(out.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let shown: Vec<String> =
        rows.iter().map(|r| format!("{} {} {}", r["query"], r["rank"], r["status"])).collect();
    assert_eq!(shown, ["\"a\" null \"no_state\"", "\"b\" 1 \"ok\"", "2 null \"not_found\""]);
    for format in ["csv", "parquet", "table"] {
        let out = cvx(path)
            .args(["query", "knn", "-d", "d", "--queries", "q.jsonl", "-f", format, "--vectors", "list"])
            .output();
        assert_eq!(out.unwrap().status.code(), Some(3), "{format}");
    }
}

#[test]
fn an_export_is_a_file_of_queries() {
    let dir = world();
    let path = dir.path();
    for (name, vectors) in [
        ("q.parquet", "list"),
        ("q.csv", "columns"),
        ("q.jsonl", "base64"),
        ("q.arrow", "list"),
        ("q.tsv", "list"),
    ] {
        stdout(cvx(path).args(["export", "-d", "d", "-o", name, "--vectors", vectors]));
        let n = stdout(cvx(path).args(["export", "-d", "d", "-f", "jsonl"])).lines().count();
        let found = hits(&dir, &["knn", "--queries", name, "-k", "1"]);
        assert_eq!(found.len(), n, "{name}");
        assert!(found.iter().all(|f| f.ends_with(" 0.0")), "{name}: {found:?}");
    }
}

/// The newest point is inside `--to max`, as in `A..max`; a window may begin with a minus.
#[test]
fn the_newest_point_is_up_to_max() {
    let dir = world();
    let all = hits(&dir, &["knn", "--vector", "[0,1]"]);
    assert_eq!(hits(&dir, &["range", "--vector", "[0,1]", "--from", "min", "--to", "max", "-k", "99"]), all);
    let late = ["--now", "2024-01-10T12:00:00", "range", "--vector", "[0,1]"];
    let from = hits(&dir, &[&late[..], &["--from", "-5d", "-k", "9"]].concat());
    assert!(!from.is_empty());
    assert_eq!(hits(&dir, &[&late[..], &["--in", "-5d..", "-k", "9"]].concat()), from);
}

/// The bounds come from the manifest where whole files are selected, and from the rows where some died.
#[test]
fn min_and_max_are_those_of_live_points() {
    let dir = world();
    let turns = |args: &[&str]| hits(&dir, &[&["knn", "--vector", "[0,1]", "--from", "max"], args].concat());
    assert_eq!(turns(&[]), ["turn 2024-01-10 0.0"]);
    assert_eq!(turns(&["--where", "lang = 'de'"]), ["north 2024-01-01 0.0"]);
    stdout(cvx(dir.path()).args(["delete", "-d", "d", "--entity", "turn", "--from", "2024-01-09", "-y"]));
    assert_eq!(turns(&[]), ["turn 2024-01-06 0.2929"]);
}
