//! The code against ARCHITECTURE.md: modules know only what stands in their row of the table.

mod imports;
mod source;

use imports::{Crates, circles};
use source::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Module to the modules it may use, from the table in ARCHITECTURE.md.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut inside = false;
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells.as_slice() {
            ["", "module", _, "may use", ""] => inside = true,
            ["", module, _, uses, ""] if inside && !module.starts_with('-') => {
                let mut allowed = BTreeSet::new();
                let (all, except) = match uses.strip_prefix("all above") {
                    Some(rest) => (true, rest.strip_prefix(" but").unwrap_or("")),
                    None => (false, ""),
                };
                if all {
                    allowed.extend(out.keys().cloned());
                    for e in except.split(',') {
                        allowed.remove(e.trim());
                    }
                } else {
                    for u in uses.split(',').map(str::trim).filter(|u| !u.is_empty()) {
                        // A module brings what it may use itself.
                        allowed.extend(out.get(u).into_iter().flatten().cloned());
                        allowed.insert(u.to_owned());
                    }
                }
                out.insert((*module).to_owned(), allowed);
            }
            _ => inside = inside && line.starts_with('|'),
        }
    }
    assert!(out.len() > 10, "the table of modules was not found");
    out
}

/// The module of the library that a file belongs to; `None` for the program.
fn module(name: &str) -> Option<&str> {
    let first = name.split(['/', '.']).next().unwrap();
    (first != "bin").then_some(first)
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let table = table();
    let mut wrong = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (name, paths) in Crates::new(&source::all()).paths() {
        let Some(module) = module(&name).filter(|m| *m != "lib") else { continue };
        seen.insert(module.to_owned());
        let Some(allowed) = table.get(module) else {
            wrong.insert(format!("{module} is not in the table"));
            continue;
        };
        for used in paths.iter().filter_map(|p| p.get(1)) {
            if used != module && table.contains_key(used) && !allowed.contains(used) {
                wrong.insert(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for module in table.keys() {
        assert!(seen.contains(module), "{module} stands in the table and not in src");
    }
}

/// Where files still use each other in a circle. The list only ever gets shorter.
const CIRCLES_LEFT: &[&str] = &["commands/"];

/// Two files that use each other can only be read, tested and changed together. A `mod.rs` that declares and
/// hands on its children does not use them; one that names them in its own code does.
#[test]
fn files_do_not_use_each_other_in_circles() {
    let uses = Crates::new(&source::all()).uses();
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 1000, "too few uses were found");
    let mut wrong = Vec::new();
    let mut left = BTreeSet::new();
    for circle in circles(&uses) {
        match CIRCLES_LEFT.iter().find(|place| circle.iter().all(|file| file.starts_with(*place))) {
            Some(place) => _ = left.insert(*place),
            None => wrong.extend(circle.iter().flat_map(|file| {
                let inside = uses[file].intersection(&circle);
                inside.map(move |used| format!("{file} uses {used}"))
            })),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for place in CIRCLES_LEFT {
        assert!(left.contains(place), "{place} has no circle any more: take it off the list");
    }
}

#[test]
fn unsafe_code_stays_in_its_boxes() {
    let mut files = Vec::new();
    source::collect(&root().join("src"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let blocks =
            text.lines().filter(|l| !l.trim_start().starts_with("//") && l.contains("unsafe {")).count();
        let reasons = text.matches("SAFETY:").count();
        assert!(blocks <= reasons, "{}: {blocks} unsafe blocks, {reasons} reasons", file.display());
        assert!(blocks == 0 || text.contains("#[cfg(test)]"), "{} has no test", file.display());
    }
}

/// Modules that read and write the files of a dataset. Each file is opened by `fsio`, which refuses links
/// and whatever else is not a regular file.
const OF_DATASETS: [&str; 16] = [
    "cold",
    "commands",
    "config",
    "dataset",
    "dict",
    "format",
    "index",
    "maintenance",
    "manifest",
    "points",
    "pq",
    "query",
    "results",
    "segment",
    "wal",
    "warm",
];

#[test]
fn files_of_a_dataset_are_opened_in_one_place() {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for Source { name, code } in source::all() {
        // The files that ingest opens are those that it reads.
        let reads_inputs = name.starts_with("commands/ingest/");
        if reads_inputs || !module(&name).is_some_and(|m| OF_DATASETS.contains(&m)) {
            continue;
        }
        looked_at += 1;
        for line in code.lines() {
            let opens = [
                "fs::File::",
                "fs::OpenOptions",
                "fs::read(",
                "fs::read_to_string(",
                "fs::write(",
                "fs::read_dir(",
                "fs::create_dir",
                "fs::rename(",
                "fs::remove_",
                "fs::copy(",
                "fs::hard_link(",
            ];
            if opens.iter().any(|o| line.contains(o)) || line.trim_start().starts_with("use std::fs") {
                wrong.push(format!("{name}: {}", line.trim()));
            }
        }
    }
    assert!(looked_at > 60, "{looked_at} files");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Commands answer typed requests with typed rows, whoever asks: what belongs to one front only stays out of them.
#[test]
fn commands_know_of_no_command_line_terminal_environment_or_stream() {
    let words = [
        "clap::",
        "crate::cli",
        "std::env::",
        "io::stdout",
        "io::stderr",
        "io::stdin",
        "println!",
        "eprintln!",
        "print!",
        "indicatif",
        "signal_hook",
        "IsTerminal",
    ];
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for Source { name, code } in source::all() {
        if !name.starts_with("commands/") && !name.starts_with("rows/") {
            continue;
        }
        looked_at += 1;
        let found = |line: &&str| words.iter().any(|w| line.contains(w));
        wrong.extend(code.lines().filter(found).map(|line| format!("{name}: {}", line.trim())));
    }
    assert!(looked_at > 50, "{looked_at} files");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Lines of the files of the library, without those of tests and comments.
fn lines_of_the_library() -> Vec<(String, String)> {
    let mut out = Vec::new();
    for Source { name, code } in source::all() {
        let text = fs::read_to_string(root().join("src").join(&name)).unwrap();
        let is_code =
            |(line, code): &(&str, &str)| !code.trim().is_empty() && !line.trim_start().starts_with("//");
        let lines = text.lines().zip(code.lines()).filter(is_code);
        out.extend(lines.map(|(line, _)| (name.clone(), line.trim().to_owned())));
    }
    out
}

/// Files whose texts with options are names of tables, or commands for a shell.
const SPELLS_OPTIONS: &[&str] = &["rows/mod.rs", "commands/export.rs"];

/// The library says what is wrong, and names parameters in marks; each front writes them in its own way.
#[test]
fn no_message_of_the_library_spells_an_option() {
    let spells = |line: &str| {
        let other = ["mlr --", "cargo build", "--features"].iter().any(|o| line.contains(o));
        let option = |at: usize| line[at + 2..].starts_with(|c: char| c.is_ascii_lowercase());
        !other && line.match_indices("--").any(|(at, _)| line[..at].contains('"') && option(at))
    };
    let mut wrong = Vec::new();
    for (name, line) in lines_of_the_library() {
        let front = name.starts_with("cli/") || name.starts_with("bin/");
        if !front && !SPELLS_OPTIONS.contains(&name.as_str()) && spells(&line) {
            wrong.push(format!("{name}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn options(command: &clap::Command, out: &mut BTreeSet<String>) {
    out.extend(command.get_arguments().filter_map(|a| a.get_long()).map(str::to_owned));
    command.get_subcommands().for_each(|c| options(c, out));
}

/// What stands in marks is a parameter of some command, so a mend never names one that does not exist.
#[test]
fn marks_name_parameters_that_there_are() {
    use clap::CommandFactory;
    let mut known = BTreeSet::new();
    options(&cvx::cli::Cli::command(), &mut known);
    let (mut wrong, mut found) = (Vec::new(), 0);
    for (name, line) in lines_of_the_library() {
        for marked in line.split('‹').skip(1).filter_map(|rest| rest.split_once('›')).map(|(m, _)| m) {
            let parameter = marked.split(' ').next().unwrap();
            found += 1;
            if !known.contains(parameter) && !parameter.starts_with('{') {
                wrong.push(format!("{name}: ‹{marked}›"));
            }
        }
    }
    assert!(found > 150, "{found} marks");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
