//! The real binary, from outside: one module a command or a rule.

mod config;
mod format_doc;
mod help;
mod house;
mod schema;
mod streams;
mod usage;

use assert_cmd::Command;
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
