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

/// A name of standard output is not a name that a file can be put under.
#[test]
fn rows_to_the_name_of_standard_output_go_behind_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    crate::walkers(&dir.path().join("d"));
    let log = dir.path().join("log");
    std::fs::write(&log, "before\n").unwrap();
    let out = std::fs::File::options().append(true).open(&log).unwrap();
    let program = assert_cmd::cargo::cargo_bin("cvx");
    let mut command = std::process::Command::new(program);
    let args = ["-d", "d", "info", "-o", "/dev/stdout", "-f", "csv"];
    assert!(command.current_dir(dir.path()).args(args).stdout(out).status().unwrap().success());
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.starts_with("before\ndataset_id,"), "{text}");
}

/// Rows that come slowly are durable soon after they came, whatever the size of a batch.
#[test]
fn rows_that_trickle_in_are_kept_when_the_run_is_killed() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    crate::stdout(crate::cvx(dir.path()).args(["init", "d", "--dim", "2"]));
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("cvx"))
        .current_dir(dir.path())
        .args(["-d", "d", "-q", "ingest", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut given = 0;
    let stored = || {
        let info = crate::stdout(crate::cvx(dir.path()).args(["-d", "d", "info"]));
        serde_json::from_str::<serde_json::Value>(&info).unwrap()["points"].as_u64().unwrap()
    };
    // Each row is seen by others before the next one comes.
    for n in 0..2 {
        let row = format!("{{\"entity_id\":{n},\"timestamp\":\"2024-01-01\",\"vector\":[1,2]}}\n");
        input.write_all(row.as_bytes()).unwrap();
        given += 1;
        for _ in 0..600 {
            if stored() == given {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(stored(), given);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stored(), given);
}
