//! The code against ARCHITECTURE.md: modules know only what stands in their row of the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

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

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for e in fs::read_dir(dir).unwrap() {
        let path = e.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|x| x == "rs") {
            out.push(path);
        }
    }
}

/// The `crate::X` paths of a file, without its tests and comments.
fn used(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let mut out = BTreeSet::new();
    for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + 7..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group.split([',', '}']).map(str::trim).collect(),
                None => vec![rest],
            };
            for n in names {
                let word: String = n.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if word.starts_with(|c: char| c.is_lowercase()) {
                    out.insert(word);
                }
            }
        }
    }
    out
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let table = table();
    let src = root().join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        let name = relative.display().to_string();
        if ["bin", "lib"].contains(&module) || name.contains("test") || name.contains("golden") {
            continue;
        }
        seen.insert(module.to_owned());
        let Some(allowed) = table.get(module) else {
            wrong.push(format!("{module} is not in the table"));
            continue;
        };
        for u in used(&fs::read_to_string(&file).unwrap()) {
            if u != module && table.contains_key(&u) && !allowed.contains(&u) {
                wrong.push(format!("{name} uses {u}"));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for module in table.keys() {
        assert!(seen.contains(module), "{module} stands in the table and not in src");
    }
}

#[test]
fn unsafe_code_stays_in_its_boxes() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
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
const OF_DATASETS: [&str; 22] = [
    "backup",
    "batch",
    "cold",
    "config",
    "dataset",
    "delete",
    "dict",
    "erase",
    "forecast",
    "format",
    "index",
    "indexing",
    "maintenance",
    "manifest",
    "online",
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
    let src = root().join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for file in files {
        let name = file.strip_prefix(&src).unwrap().display().to_string();
        let module = name.split(['/', '.']).next().unwrap();
        if !OF_DATASETS.contains(&module) || name.contains("test") || name.ends_with("powercut.rs") {
            continue;
        }
        looked_at += 1;
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
            let opens = [
                "fs::File::",
                "fs::OpenOptions",
                "fs::read(",
                "fs::read_to_string(",
                "fs::write(",
                "fs::read_dir(",
            ];
            if opens.iter().any(|o| line.contains(o)) || line.trim_start().starts_with("use std::fs") {
                wrong.push(format!("{name}: {}", line.trim()));
            }
        }
    }
    assert!(looked_at > 60, "{looked_at} files");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
