//! `cvx config`: which layer wins, and what a wrong file is told.

use crate::{cvx, failure, stdout};
use std::fs;
use tempfile::{TempDir, tempdir};

/// A directory whose user config holds `text`.
fn with_config(text: &str) -> TempDir {
    let dir = tempdir().unwrap();
    fs::create_dir_all(dir.path().join("xdg/cvx")).unwrap();
    fs::write(dir.path().join("xdg/cvx/config.toml"), text).unwrap();
    dir
}

#[test]
fn option_over_environment_over_file_over_default() {
    let dir = with_config("# mine\ntime = 'ms'\ndigits = 4\nformat = 'tsv'\n");
    let file = |line: u32| format!("{}:{line}", dir.path().join("xdg/cvx/config.toml").display());
    let text = stdout(
        cvx(dir.path())
            .args(["config", "show", "--origin", "-f", "csv"])
            .env("CVX_DIGITS", "none")
            .env("CVX_TIME", "us")
            .args(["--time", "s"]),
    );
    assert_eq!(
        text,
        format!(
            "key,value,origin\ndataset,.,default\nformat,csv,option\ntime,s,option\nvectors,none,default\n\
             digits,none,env CVX_DIGITS\nids-json,number,default\ncolor,auto,default\nprogress,auto,default\nlog-format,text,default\nthreads,0,default\nmemory,50%,default\n\
             lock-timeout,0s,default\nnow,now,default\nseed,0,default\nerrors,text,default\n"
        )
    );
    assert_eq!(stdout(cvx(dir.path()).args(["config", "get", "digits"])), "4\n");
    let shown = stdout(cvx(dir.path()).args(["config", "show", "--origin"]));
    assert!(shown.contains(&format!("time\tms\t{}\n", file(2))), "{shown}");
    // Every layer can be switched off from above.
    assert_eq!(stdout(cvx(dir.path()).args(["--config", "none", "config", "get", "digits"])), "none\n");
}

#[test]
fn a_wrong_file_is_named_with_its_line() {
    let cases = [
        ("\nformt = 'csv'\n", "unknown key \"formt\"", 2, "did you mean format?"),
        ("format = 'xml'\n", "invalid value 'xml' for '--format <FMT>'", 1, "possible values"),
        ("format = [1]\n", "format takes a text or a number", 1, ""),
        ("format = \n", "", 1, ""),
        ("errors = 'list'\n", "--errors needs a value", 0, "--errors text or --errors json"),
    ];
    for (text, message, line, hint) in cases {
        let dir = with_config(text);
        let (code, said) = failure(cvx(dir.path()).args(["config", "show"]));
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(message) && said.contains(hint), "{text}: {said}");
        if line > 0 {
            assert!(said.contains(&format!("config.toml, line {line}")), "{said}");
        }
    }
}

#[test]
fn a_named_file_must_be_there() {
    let dir = tempdir().unwrap();
    let (code, said) = failure(cvx(dir.path()).args(["--config", "no.toml", "config", "show"]));
    assert_eq!(code, 2);
    assert_eq!(said, "error: there is no such config file\n  where: no.toml\n");
}

#[test]
fn set_keeps_the_rest_of_the_file() {
    let dir = with_config("# mine\ntime = 'ms' # for cron\n");
    stdout(cvx(dir.path()).args(["config", "set", "--user", "time", "us"]));
    stdout(cvx(dir.path()).args(["config", "set", "--user", "format", "csv"]));
    let text = fs::read_to_string(dir.path().join("xdg/cvx/config.toml")).unwrap();
    assert_eq!(text, "# mine\ntime = \"us\" # for cron\nformat = \"csv\"\n");
    let (code, said) = failure(cvx(dir.path()).args(["config", "set", "--user", "format", "xml"]));
    assert_eq!(code, 2);
    assert!(said.contains("invalid value 'xml'"), "{said}");
    assert_eq!(fs::read_to_string(dir.path().join("xdg/cvx/config.toml")).unwrap(), text);
}

#[test]
fn set_makes_the_file() {
    let dir = tempdir().unwrap();
    stdout(cvx(dir.path()).args(["config", "set", "--user", "digits", "6"]));
    assert_eq!(stdout(cvx(dir.path()).args(["config", "get", "digits"])), "6\n");
    stdout(
        cvx(dir.path())
            .args(["--config", "own.toml", "config", "set", "digits", "7"])
            .env("CVX_ERRORS", "text"),
    );
    assert_eq!(fs::read_to_string(dir.path().join("own.toml")).unwrap(), "digits = \"7\"\n");
}

#[test]
fn errors_are_json_when_the_file_says_so() {
    let dir = with_config("errors = 'json'\n");
    let (_, said) = failure(cvx(dir.path()).args(["config", "get", "x"]));
    assert!(said.starts_with("{\"error\":{"), "{said}");
}

#[test]
fn a_dataset_has_defaults_of_its_own() {
    let dir = with_config("time = 'ms'\ndigits = 3\n");
    stdout(cvx(dir.path()).args(["init", "d", "--dim", "2"]));
    stdout(cvx(dir.path()).args(["-d", "d", "config", "set", "time", "date"]));
    let get = |key: &str| stdout(cvx(dir.path()).args(["-d", "d", "config", "get", key]));
    assert_eq!((get("time"), get("digits")), ("date\n".into(), "3\n".into()));
    let shown = stdout(cvx(dir.path()).args(["-d", "d", "config", "show", "--origin", "-f", "csv"]));
    assert!(shown.contains("time,date,d/cvx.toml\n"), "{shown}");
    assert_eq!(stdout(cvx(dir.path()).args(["-d", "d", "--time", "us", "config", "get", "time"])), "us\n");

    let (code, said) = failure(cvx(dir.path()).args(["config", "set", "time", "us"]));
    assert_eq!(code, 10, "{said}");
    assert!(said.contains("--user"), "{said}");
    let (code, _) = failure(cvx(dir.path()).args(["-d", "d", "config", "set", "dataset", "x"]));
    assert_eq!(code, 2);
}
