//! Help, version, completions, manual.

use crate::{cvx, stdout};
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::tempdir;

#[test]
fn short_and_long_help_of_every_command() {
    let dir = tempdir().unwrap();
    let help = stdout(cvx(dir.path()).arg("--help"));
    let names = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let names = names.filter(|l| !l.starts_with("   "));
    let names: Vec<&str> = names.filter_map(|l| l.split_whitespace().next()).collect();
    assert!(names.len() > 4, "{help}");
    for name in names.into_iter().filter(|n| *n != "help") {
        let short = stdout(cvx(dir.path()).args([name, "-h"]));
        let long = stdout(cvx(dir.path()).args([name, "--help"]));
        assert!(short.lines().count() < long.lines().count(), "{name}");
        let nested = long.contains("\nCommands:");
        assert!(nested || long.contains("Examples:"), "{name} has no example");
    }
}

#[test]
fn version() {
    let dir = tempdir().unwrap();
    assert_eq!(stdout(cvx(dir.path()).arg("-V")), format!("cvx {}\n", env!("CARGO_PKG_VERSION")));
    let long = stdout(cvx(dir.path()).arg("--version"));
    for word in ["commit:", "features:", "simd:"] {
        assert!(long.contains(word), "{long}");
    }
}

#[test]
fn completions_for_every_shell() {
    let dir = tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(cvx(dir.path()).args(["completions", shell]));
        assert!(script.contains("schema"), "{shell}");
    }
}

fn pages(dir: &Path) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap());
    files
        .map(|f| (f.file_name().into_string().unwrap(), std::fs::read_to_string(f.path()).unwrap()))
        .collect()
}

/// After a change of options: `cargo run -- man man`.
#[test]
fn the_manual_is_current() {
    let dir = tempdir().unwrap();
    stdout(cvx(dir.path()).args(["man", "made"]));
    let made = pages(&dir.path().join("made"));
    let kept = pages(&Path::new(env!("CARGO_MANIFEST_DIR")).join("man"));
    assert_eq!(made.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>());
    for (name, page) in &made {
        assert!(*page == kept[name], "man/{name} is not current: run `cargo run -- man man`");
    }
}
