//! `cvx verify`.

use crate::{cvx, stdout, walkers};
use tempfile::tempdir;

#[test]
fn clean_then_damaged() {
    let dir = tempdir().unwrap();
    let d = dir.path().join("d");
    walkers(&d);
    for level in ["quick", "full", "deep"] {
        let text = stdout(cvx(dir.path()).args(["fsck", "-d", "d", "--level", level, "-f", "csv"]));
        assert!(text.starts_with("check,object,status,detail\n") && text.lines().count() > 3, "{text}");
        assert!(text.lines().skip(1).all(|l| l.contains(",ok,")), "{text}");
    }
    let segment = std::fs::read_dir(d.join("hot")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&segment, bytes).unwrap();
    let output =
        cvx(dir.path()).args(["verify", "-d", "d", "--level", "full", "-f", "csv"]).output().unwrap();
    assert_eq!(output.status.code(), Some(13));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(",damaged,"), "{text}");
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(text.lines().any(|l| l.contains(name) && l.contains(",damaged,")), "{text}");
}
