//! The real binary, from outside: one module a command or a rule.

mod analytics;
mod changepoints;
mod config;
mod delete;
mod detect;
mod erase;
mod export;
mod faults;
mod format_doc;
mod gaps;
mod help;
mod house;
mod index;
mod info;
mod ingest;
mod init;
mod merge;
mod operations;
mod periods;
mod population;
mod predict;
mod query;
mod schema;
mod storage;
mod streams;
mod tiers;
mod usage;
mod verify;

use assert_cmd::Command;
use cvx::config::{IdKind, Settings};
use cvx::dataset::{OnConflict, Options, Writer, init};
use cvx::model::Key;
use cvx::points::{Origin, Points, Texts};
use std::path::Path;

/// `cvx` in a directory of its own, with nothing of the caller's environment that it reads.
pub fn cvx(dir: &Path) -> Command {
    let mut command = Command::cargo_bin("cvx").unwrap();
    for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("CVX_")) {
        command.env_remove(name);
    }
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LC_ALL", "LC_CTYPE"] {
        command.env_remove(name);
    }
    command.env("LANG", "C.UTF-8").env("XDG_CONFIG_HOME", dir.join("xdg")).current_dir(dir);
    command
}

/// What a command printed, once it has succeeded.
pub fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    assert_eq!(stderr, "", "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that must fail says: exit code and standard error. Nothing goes to stdout.
pub fn failure(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{command:?}");
    let code = output.status.code().unwrap_or_else(|| panic!("{command:?} died by a signal"));
    assert_ne!(code, 0, "{command:?}");
    (code, String::from_utf8(output.stderr).unwrap())
}

/// One point of a test dataset: entity, day of 2024 from 0, vector, metadata.
pub type Given<'a> = (&'a str, i64, [f32; 2], &'a str);

/// Microseconds of midnight, the given day of 2024.
pub fn day(n: i64) -> i64 {
    1_704_067_200_000_000 + n * 86_400_000_000
}

/// A dataset of named entities in `dir`.
pub fn dataset(dir: &Path, given: &[Given<'_>]) {
    let settings = Settings { ids: IdKind::String, ..Settings::new(2) };
    init(dir, &settings, false).unwrap();
    let mut writer = Writer::open(dir, Options::default()).unwrap();
    let mut points = Points::new(2);
    let mut names = Texts::new();
    for (name, n, vector, meta) in given {
        let origin = points.intern(&Origin { source: "given".into(), model: "m@1".into() });
        points.push(Key { entity: 0, t: day(*n) }, vector, meta, origin);
        names.push(name);
    }
    writer.append(&mut points, Some(&names), OnConflict::Error, &mut |_| unreachable!()).unwrap();
    writer.finish().unwrap();
}

/// Two entities: `a` walks east, then turns north; `b` has one point.
pub fn walkers(dir: &Path) {
    let points = [
        ("a", 0, [1.0, 0.0], "{\"lang\":\"en\"}"),
        ("a", 1, [2.0, 0.0], "{\"lang\":\"de\"}"),
        ("a", 3, [2.0, 4.0], ""),
        ("b", 2, [0.5, 0.25], "{\"lang\":\"en\"}"),
    ];
    dataset(dir, &points);
}
