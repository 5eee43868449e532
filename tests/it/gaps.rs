//! `cvx gaps`: long steps, and the exit code that watches for them.

use crate::{cvx, failure, stdout};
use tempfile::tempdir;

#[test]
fn long_steps_are_listed_and_can_fail_a_job() {
    let dir = tempdir().unwrap();
    let d = dir.path();
    let day = 86_400;
    let mut rows = String::new();
    for i in [0, 1, 2, 3, 13, 14, 15] {
        rows += &format!("{{\"entity_id\":1,\"timestamp\":{},\"vector\":[1,2]}}\n", i * day);
        rows += &format!("{{\"entity_id\":2,\"timestamp\":{},\"vector\":[1,2]}}\n", i.min(9) * day + i);
    }
    std::fs::write(d.join("p.jsonl"), rows).unwrap();
    stdout(cvx(d).args(["init", "d", "--dim", "2"]));
    stdout(cvx(d).args(["-d", "d", "-q", "ingest", "p.jsonl", "--time-unit", "s"]));
    let run = |args: &[&str]| stdout(cvx(d).args(["-d", "d", "-f", "csv", "gaps"]).args(args));
    assert_eq!(
        run(&["--entity", "1"]),
        "entity_id,t_before,t,index,gap_s,median_s,times\n\
         1,1970-01-04T00:00:00Z,1970-01-14T00:00:00Z,4,864000.0,86400.0,10.0\n"
    );
    assert_eq!(run(&["--longer-than", "10d"]).lines().count(), 1);
    assert_eq!(run(&["--times", "2", "--longer-than", "1d", "--entity", "1"]).lines().count(), 2);
    // Before a window of one point there is no step.
    assert_eq!(run(&["--to", "1970-01-02", "--entity", "1"]).lines().count(), 1);
    let fails = ["-d", "d", "-q", "gaps", "--longer-than", "5d", "--fail-on", "count(gap_s > 0) > 0"];
    let output = cvx(d).args(fails).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(output.stdout.iter().filter(|b| **b == b'\n').count(), 2, "the rows are printed all the same");
    assert_eq!(failure(cvx(d).args(["-d", "d", "gaps", "--times", "x"])).0, 2);
}
