//! `cvx init`.

use crate::{cvx, failure, stdout};
use tempfile::tempdir;

#[test]
fn a_record_of_what_was_made() {
    let dir = tempdir().unwrap();
    let line =
        stdout(cvx(dir.path()).args(["init", "news", "--dim", "384", "--ids", "string", "-f", "jsonl"]));
    assert_eq!(
        line,
        concat!(
            r#"{"dataset":"news","dim":384,"metric":"cosine","ids":"string","format":1,"buckets":"auto","#,
            r#""partition":"month"}"#,
            "\n"
        )
    );
    assert!(dir.path().join("news/CURRENT").exists());
}

#[test]
fn a_dataset_is_not_made_twice() {
    let dir = tempdir().unwrap();
    let init = |more: &[&str]| {
        let mut command = cvx(dir.path());
        command.args(["init", "d", "--dim", "8"]).args(more);
        command
    };
    stdout(&mut init(&[]));
    let (code, said) = failure(&mut init(&[]));
    assert_eq!(code, 1);
    assert!(said.starts_with("error: d holds a dataset already\n  where: d\n  fix:   "), "{said}");
    stdout(&mut init(&["--exist-ok"]));
    let (code, said) = failure(&mut init(&["--exist-ok", "--metric", "l2"]));
    assert_eq!(code, 1);
    assert!(said.contains("other settings: metric is \"cosine\", not \"l2\""), "{said}");
}

#[test]
fn errors() {
    let dir = tempdir().unwrap();
    std::fs::create_dir(dir.path().join("full")).unwrap();
    std::fs::write(dir.path().join("full/x"), "").unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["init", "full", "--dim", "2"], 1, "full is not empty and holds no dataset (1 file)"),
        (&["init", "d"], 2, "required arguments were not provided: --dim <N>"),
        (&["init", "d", "--dim", "0"], 2, "dimension 0 is outside 1 to 4096"),
        (&["init", "d", "--dim", "4097"], 2, "dimension 4097 is outside 1 to 4096"),
        (&["init", "d", "--dim", "2", "--buckets", "3"], 2, "a power of two"),
        (&["init", "d", "--dim", "2", "--delta-tolerance", "7"], 2, "delta tolerance 7 is outside 0 to 0.1"),
        (&["init", "no/such", "--dim", "2"], 1, "no/such"),
    ];
    for (args, exit, message) in cases {
        let (code, said) = failure(cvx(dir.path()).args(*args));
        assert_eq!(code, *exit, "{said}");
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn dry_run_makes_nothing() {
    let dir = tempdir().unwrap();
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "2", "-n"]));
    assert!(!dir.path().join("d").exists());
}
