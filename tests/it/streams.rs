//! Pipes, full disks, closed streams, colour.

use crate::{cvx, failure, stdout};
use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use tempfile::tempdir;

/// The shell's view: what `cvx ... | head -1` leaves behind.
#[test]
fn a_reader_that_leaves_ends_the_writer_without_a_word() {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("cvx"));
    let mut child =
        command.args(["man", "--help"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty());

    let mut command = Command::new(assert_cmd::cargo::cargo_bin("cvx"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.args(["schema", "-f", "jsonl"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.signal(), Some(13), "should die by SIGPIPE: {output:?}");
    assert!(output.stderr.is_empty());
}

#[test]
fn a_full_disk_is_an_error() {
    let dir = tempdir().unwrap();
    for args in [&["schema"][..], &["completions", "bash"], &["config", "get", "format"], &["--help"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("cvx"));
        let output = command.args(args).stdout(full).current_dir(dir.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("error: cannot write: no space left on device"), "{args:?}: {text}");
    }
}

#[test]
fn closed_streams_are_no_panic() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let mut shell = Command::new("sh");
        let binary = assert_cmd::cargo::cargo_bin("cvx");
        let status = shell.args(["-c", &format!("exec \"$0\" schema {closed}")]).arg(binary);
        let status = status.stdout(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{closed}");
    }
}

#[test]
fn an_output_that_cannot_be_made_fails_first() {
    let dir = tempdir().unwrap();
    let (code, said) = failure(cvx(dir.path()).args(["schema", "-o", "no/such/file.csv"]));
    assert_eq!(code, 1);
    assert!(said.contains("no/such"), "{said}");
    let (code, said) = failure(cvx(dir.path()).args(["schema", "-o", "."]));
    assert_eq!(code, 2, "{said}");
    File::create(dir.path().join("cvx.toml")).unwrap();
    File::create(dir.path().join("CURRENT")).unwrap();
    let (code, said) = failure(cvx(dir.path()).args(["schema", "-o", "rows.csv"]));
    assert_eq!(code, 2);
    assert!(said.contains("inside the dataset"), "{said}");
}

#[test]
fn colour_and_lines_follow_the_terminal_the_user_has() {
    let dir = tempdir().unwrap();
    let table = |set: &[(&str, &str)], more: &[&str]| {
        let mut command = cvx(dir.path());
        command.args(["config", "show", "-f", "table"]).args(more).envs(set.iter().copied());
        stdout(&mut command)
    };
    assert!(!table(&[], &[]).contains('\x1b'));
    assert!(table(&[("CLICOLOR_FORCE", "1")], &[]).contains('\x1b'));
    assert!(!table(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]).contains('\x1b'));
    assert!(table(&[("NO_COLOR", "1")], &["--color", "always"]).contains('\x1b'));
    assert!(!table(&[("CLICOLOR_FORCE", "1")], &["--color", "never"]).contains('\x1b'));
    assert!(table(&[], &[]).contains('─'));
    assert!(table(&[("LC_ALL", "C")], &[]).is_ascii());
}
