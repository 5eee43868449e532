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
            "a,2024-01-01,3,,86400.0,1.0,,,1d,ok",
            "a,2024-01-02,3,86400.0,172800.0,1.0,,90.0,1d,ok",
            "a,2024-01-04,3,172800.0,,2.0,,,1d,ok",
            "b,2024-01-03,1,,,,,,1d,few_points",
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
    assert!(all[0].contains("\"\"dim\"\":1,") && all[0].ends_with(",ok"), "{all:?}");
    assert!(all[1].starts_with("b,") && all[1].ends_with(",few_points"), "{all:?}");
    let early = rows(&dir, &["drift", "--from", "2024-01-01", "--to", "2024-01-02", "--entity", "a"]);
    assert!(early[0].starts_with("a,2024-01-01,2024-01-02,2,1.0,0.0,0.0,2.0,"), "{early:?}");
    let other = rows(&dir, &["drift", "--reference", "a@2024-01-02", "--entity", "b", "--flips", "0"]);
    assert!(other[0].starts_with("b,2024-01-02,2024-01-03,"), "{other:?}");
    let sorted =
        stdout(cvx(dir.path()).args(["drift", "-d", "d", "--sort", "l2", "--top-rows", "1", "-f", "jsonl"]));
    assert_eq!(sorted.lines().count(), 1);
    assert!(sorted.contains("\"entity\":\"a\""), "{sorted}");
}

#[test]
fn errors() {
    let dir = world();
    for (args, exit, message) in [
        (&["drift", "--in", "2024"][..], 2, "two instants"),
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
