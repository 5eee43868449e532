//! Usage errors: exit 2, what, where, how to fix.

use crate::{cvx, failure};
use tempfile::tempdir;

fn usage(args: &[&str]) -> String {
    let dir = tempdir().unwrap();
    let (code, text) = failure(cvx(dir.path()).args(args));
    assert_eq!(code, 2, "{args:?}");
    text
}

#[test]
fn texts() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "error: a command is missing\n  fix:   `cvx --help` lists the commands\n"),
        (
            &["shema"],
            "error: unrecognized subcommand 'shema'\n  fix:   a similar subcommand exists: 'schema'\n",
        ),
        (
            &["schema", "--form", "csv"],
            "error: unexpected argument '--form' found\n  where: argument --form\n  fix:   a similar argument exists: '--format'\n",
        ),
        (
            &["schema", "--time", "hours"],
            "error: invalid value 'hours' for '--time <FMT>'\n  where: argument --time <FMT>\n  fix:   possible values: rfc3339, us, ms, s, date\n",
        ),
        (
            &["schema", "--digits", "99"],
            "error: invalid value '99' for '--digits <N>': expected a number from 1 to 17, or none for the shortest that reads back\n  where: argument --digits <N>\n  fix:   `--help` after the command shows what it takes\n",
        ),
        (
            &["schema", "config", "shwo"],
            "error: no command \"config shwo\" prints rows\n  fix:   did you mean config show?\n",
        ),
        (
            &["config", "show", "--errors"],
            "error: --errors needs a value\n  fix:   --errors text or --errors json\n",
        ),
        (
            &["query", "knn", "-k", "-1"],
            "error: invalid value '-1' for '-k <N>': expected a number of neighbours, e.g. 10\n  where: argument -k <N>\n  fix:   `--help` after the command shows what it takes\n",
        ),
    ];
    for (args, text) in cases {
        assert_eq!(usage(args), *text, "{args:?}");
    }
}

#[test]
fn errors_as_json() {
    for args in [
        &["--errors", "json", "config", "get", "formt"][..],
        &["config", "get", "formt", "-f", "jsonl"],
        &["-fjson", "config", "get", "formt"],
    ] {
        let text = usage(args);
        assert_eq!(text.lines().count(), 1, "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let error = &value["error"];
        assert_eq!(error["code"], "usage");
        assert_eq!(error["exit"], 2);
        assert_eq!(error["message"], "unknown key \"formt\"");
        assert_eq!(error["hint"], "did you mean format?");
    }
    let text = usage(&["--errors", "text", "config", "get", "formt", "-f", "json"]);
    assert_eq!(text, "error: unknown key \"formt\"\n  fix:   did you mean format?\n");
}

#[test]
fn a_broken_environment_is_a_usage_error() {
    let dir = tempdir().unwrap();
    let (code, text) = failure(cvx(dir.path()).env("CVX_FORMAT", "xml").arg("schema"));
    assert_eq!(code, 2);
    assert!(text.starts_with("error: invalid value 'xml' for '--format <FMT>'"), "{text}");
}

#[test]
fn files_that_are_not_there() {
    let dir = tempdir().unwrap();
    crate::walkers(&dir.path().join("d"));
    for (args, fix) in [
        (&["velocity", "-o", "none/x.csv"][..], "fix:   make it first"),
        (&["query", "knn", "--queries", "none.jsonl"], "fix:   check the name"),
        (&["velocity", "--entities-from", "none.txt"], "fix:   check the name"),
    ] {
        let (code, said) = failure(cvx(dir.path()).args(["-d", "d"]).args(args));
        assert!(code == 1 && said.contains(fix), "{args:?}: {said}");
    }
}

#[test]
fn an_earlier_version_is_only_read() {
    let dir = tempfile::tempdir().unwrap();
    crate::walkers(&dir.path().join("d"));
    let commands: [&[&str]; 5] = [
        &["delete", "--entity", "a", "-y"],
        &["compact"],
        &["index", "build"],
        &["changepoints", "--save", "x"],
        &["tier", "restore", "--all"],
    ];
    for command in commands {
        let (code, said) =
            crate::failure(crate::cvx(dir.path()).args(["-d", "d", "--read-at", "1"]).args(command));
        assert!(code == 2 && said.contains("--read-at"), "{command:?}: {said}");
    }
    crate::stdout(crate::cvx(dir.path()).args(["-d", "d", "--read-at", "1", "info"]));
}
