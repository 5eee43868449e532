//! `cvx delete`.

use crate::{cvx, failure, stdout, walkers};
use tempfile::tempdir;

#[test]
fn what_is_deleted_is_gone_and_no_more() {
    let dir = tempdir().unwrap();
    walkers(&dir.path().join("d"));
    let delete = |args: &[&str]| {
        let mut command = cvx(dir.path());
        command.args(["delete", "-d", "d", "-f", "csv"]).args(args);
        command
    };
    let points = || stdout(cvx(dir.path()).args(["export", "-d", "d", "-f", "csv"])).lines().count() - 1;
    let (code, said) = failure(&mut delete(&[]));
    assert_eq!(code, 2);
    assert!(said.contains("delete needs a selection"), "{said}");
    let (code, said) = failure(&mut delete(&["--entity", "a"]));
    assert_eq!(code, 2);
    assert!(said.contains("3 points of 1 entity needs a confirmation") && said.contains("--yes"), "{said}");
    assert!(stdout(&mut delete(&["--entity", "a", "-n"])).starts_with("points,entities,commit\n3,1,"));
    assert_eq!(points(), 4);
    let before: u64 =
        stdout(&mut delete(&["--in", "2031", "-y"])).trim().rsplit(',').next().unwrap().parse().unwrap();
    let text = stdout(delete(&["--where", "lang = 'de'", "--entity", "a"]).env("CVX_YES", "1"));
    assert_eq!(text, format!("points,entities,commit\n1,1,{}\n", before + 1));
    assert_eq!(points(), 3);
    // Earlier versions still have it.
    let old =
        stdout(cvx(dir.path()).args(["export", "-d", "d", "-f", "csv", "--read-at", &before.to_string()]));
    assert_eq!(old.lines().count(), 5);
    stdout(&mut delete(&["--all", "-y"]));
    assert_eq!(points(), 0);
    stdout(cvx(dir.path()).args(["verify", "-d", "d", "--level", "deep"]));
}

#[test]
fn a_held_lock_is_told() {
    let dir = tempdir().unwrap();
    let d = dir.path().join("d");
    walkers(&d);
    // Another test's child may hold a copy of the descriptor for the moment before it execs.
    let patient = std::time::Duration::from_secs(10);
    let options = cvx::dataset::Options { lock_timeout: patient, ..Default::default() };
    let _held = cvx::dataset::Writer::open(&d, options).unwrap();
    let (code, said) = failure(cvx(dir.path()).args(["delete", "-d", "d", "--all", "-y"]));
    assert_eq!(code, 11);
    assert!(said.contains("locked by"), "{said}");
    let skip =
        cvx(dir.path()).args(["delete", "-d", "d", "--all", "-y", "--skip-if-locked"]).output().unwrap();
    assert_eq!(skip.status.code(), Some(0));
    assert!(String::from_utf8(skip.stderr).unwrap().starts_with("note: skipped: the dataset is locked"));
    assert!(
        stdout(cvx(dir.path()).args(["info", "-d", "d", "-f", "csv"])).contains(",4,true,"),
        "readers do not wait"
    );
}
