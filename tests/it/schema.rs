//! `cvx schema`: the contract, in every format.

use crate::{cvx, failure, stdout};
use cvx::error::Code;
use tempfile::tempdir;

#[test]
fn csv_headers_are_what_schema_says() {
    let dir = tempdir().unwrap();
    for (command, args) in [("schema", &["schema"][..]), ("config show", &["config", "show", "--origin"])] {
        let csv = stdout(cvx(dir.path()).args(["-f", "csv"]).args(args));
        let mut asked = cvx(dir.path());
        asked.args(["schema", "-f", "tsv"]).args(command.split(' '));
        let fields: Vec<String> =
            stdout(&mut asked).lines().skip(1).map(|l| l.split('\t').nth(1).unwrap().to_string()).collect();
        assert_eq!(csv.lines().next().unwrap(), fields.join(","));
    }
}

#[test]
fn fields_that_come_with_an_option_name_it() {
    let dir = tempdir().unwrap();
    let text = stdout(cvx(dir.path()).args(["schema", "-f", "tsv"]));
    let mut seen = 0;
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        // Exports hold vectors unless told otherwise.
        let option = match (cells[0], cells[1], cells[2]) {
            ("export", ..) => continue,
            (_, "meta", _) => "--meta",
            (.., "vector") => "--vectors",
            _ => continue,
        };
        assert!(cells[5].contains(option), "{line}");
        seen += 1;
    }
    assert!(seen > 10, "{text}");
}

#[test]
fn lists_every_error_code() {
    let dir = tempdir().unwrap();
    let text = stdout(cvx(dir.path()).args(["schema", "--errors", "-f", "csv"]));
    for code in Code::ALL {
        let start = format!("\n{},{},", code.as_str(), code.exit());
        assert!(text.contains(&start), "{start}");
    }
    let (code, said) = failure(cvx(dir.path()).args(["schema", "config", "show", "--errors"]));
    assert_eq!(code, 2);
    assert!(said.contains("leave out the command"), "{said}");
}

#[test]
fn the_extension_chooses_the_format() {
    let dir = tempdir().unwrap();
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    for name in ["a.csv", "a.json", "a.parquet", "a.arrow", "a.txt"] {
        stdout(cvx(dir.path()).args(["schema", "-o", name]).env("CVX_FORMAT", "tsv"));
    }
    stdout(cvx(dir.path()).args(["schema", "-f", "jsonl", "-o", "b.csv"]));
    assert!(read("a.csv").starts_with(b"command,field,"));
    assert!(read("a.json").starts_with(b"[\n{"));
    assert!(read("a.parquet").starts_with(b"PAR1"));
    assert!(read("a.arrow").starts_with(b"ARROW1"));
    assert!(read("a.txt").starts_with(b"command  "));
    assert!(read("b.csv").starts_with(b"{\"command\""));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 6, "temporary files were left");
}
