//! Patterns of file names, as a shell expands them: `*`, `?`, `[a-z]`, `[!a]`, and `**` for any
//! depth of directories.
//!
//! Names are bytes: one that is not UTF-8 matches as well. As in a shell, a name that begins with
//! a dot is matched only by a pattern that begins with one. `**` follows no links, so that a link
//! to a directory above cannot make it walk without end, and passes over directories that
//! [`is_private`] names; a single `*` follows them.

use crate::error::{Error, Result};
use crate::watch::Watch;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// True when a name can only be meant as a pattern.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|b| b"*?[".contains(b))
}

/// True for names that programs keep for themselves: hidden ones, and those with a leading
/// underscore that is no key of a partition (`_temporary`, `_delta_log`, `_SUCCESS`), as Spark and
/// Arrow have it.
pub(super) fn is_private(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".") || (name.starts_with(b"_") && !name.contains(&b'='))
}

/// The paths that a pattern names, sorted by their bytes.
pub(super) fn expand(pattern: &Path, watch: &dyn Watch) -> Result<Vec<PathBuf>> {
    let parts: Vec<Component<'_>> = pattern.components().collect();
    let mut found = vec![PathBuf::new()];
    for (i, part) in parts.iter().enumerate() {
        let last = i + 1 == parts.len();
        let name = part.as_os_str();
        found = match part {
            Component::Normal(name) if *name == "**" => below(found, last, watch)?,
            Component::Normal(name) if is_pattern(Path::new(name)) => {
                let pattern = letters(name);
                let mut next = Vec::new();
                for base in &found {
                    watch.stop()?;
                    matching(base, &pattern, last, &mut next)?;
                }
                next
            }
            _ => found.into_iter().map(|base| base.join(name)).filter(|p| exists(p)).collect(),
        };
        found.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
        found.dedup();
    }
    Ok(found)
}

fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// The entries of a directory: names and whether they are directories themselves, not by a link.
fn entries(dir: &Path) -> Result<Vec<(std::ffi::OsString, bool)>> {
    let shown = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let read = match std::fs::read_dir(shown) {
        Ok(read) => read,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(Error::io("read the directory", shown, &e)),
    };
    let mut list = Vec::new();
    for entry in read {
        let entry = entry.map_err(|e| Error::io("read the directory", shown, &e))?;
        list.push((entry.file_name(), entry.file_type().is_ok_and(|t| t.is_dir())));
    }
    Ok(list)
}

fn matching(base: &Path, pattern: &[u32], last: bool, out: &mut Vec<PathBuf>) -> Result<()> {
    for (name, _) in entries(base)? {
        let letters = letters(&name);
        let hidden = letters.first() == Some(&DOT) && pattern.first() != Some(&DOT);
        if hidden || !fits(pattern, &letters) {
            continue;
        }
        let path = base.join(&name);
        if last || std::fs::metadata(&path).is_ok_and(|m| m.is_dir()) {
            out.push(path);
        }
    }
    Ok(())
}

/// All directories at and below those given; at the end of a pattern their files too.
fn below(bases: Vec<PathBuf>, last: bool, watch: &dyn Watch) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let mut open = bases;
    while let Some(dir) = open.pop() {
        watch.stop()?;
        for (name, is_dir) in entries(&dir)? {
            if is_private(&name) {
                continue;
            }
            if is_dir {
                open.push(dir.join(&name));
            } else if last {
                out.push(dir.join(&name));
            }
        }
        if !last {
            out.push(dir);
        }
    }
    Ok(out)
}

const DOT: u32 = '.' as u32;
const STAR: u32 = '*' as u32;

/// The letters of a name; a byte that is no UTF-8 is a letter beyond all others.
fn letters(name: &OsStr) -> Vec<u32> {
    let mut out = Vec::new();
    for chunk in name.as_bytes().utf8_chunks() {
        out.extend(chunk.valid().chars().map(u32::from));
        out.extend(chunk.invalid().iter().map(|b| 0x11_0000 + u32::from(*b)));
    }
    out
}

/// True when the pattern matches the whole name. After a mismatch the last star takes one letter
/// more, so that the time is at most the product of both lengths.
fn fits(pattern: &[u32], name: &[u32]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&STAR) {
            star = Some((p, n));
            p += 1;
        } else if let Some(len) = one(&pattern[p..], name[n]) {
            p += len;
            n += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (p, n) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == STAR)
}

/// Letters of the pattern that match one letter of the name; `None` when they do not.
fn one(pattern: &[u32], letter: u32) -> Option<usize> {
    let first = *pattern.first()?;
    if first == u32::from('?') {
        return Some(1);
    }
    if first == u32::from('[')
        && let Some((len, inside)) = class(pattern, letter)
    {
        return inside.then_some(len);
    }
    (first == letter).then_some(1)
}

/// Length of the class at the front and whether it holds the letter; `None` when it is not closed.
fn class(pattern: &[u32], letter: u32) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1).copied().and_then(char::from_u32), Some('!' | '^'));
    let start = 1 + usize::from(negated);
    let close = (start + 1..pattern.len()).find(|i| pattern[*i] == u32::from(']'))?;
    let (mut at, mut inside) = (start, false);
    while at < close {
        let range = at + 2 < close && pattern[at + 1] == u32::from('-');
        let end = if range { at + 2 } else { at };
        inside |= (pattern[at]..=pattern[end]).contains(&letter);
        at = end + 1;
    }
    Some((close + 1, inside != negated))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::symlink;

    #[test]
    fn letters_stars_and_classes() {
        let fits = |p: &str, n: &str| super::fits(&letters(OsStr::new(p)), &letters(OsStr::new(n)));
        for (pattern, name) in [
            ("*.csv", "a.csv"),
            ("*", ""),
            ("a*b*c", "aXbYbZc"),
            ("?.csv", "é.csv"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[^a]x", "bx"),
            ("[]]x", "]x"),
            ("[a-]x", "-x"),
            ("a[b", "a[b"),
            ("2024-0[1-3]-*.parquet", "2024-02-29.parquet"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.csv", "a.csv.gz"), ("?", ""), ("?", "ab"), ("[!a]", "a"), ("a*b", "ac")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
        let long = "a".repeat(2000);
        assert!(!fits(&"*a".repeat(20).replace("aa", "ab"), &(long + "c")));
    }

    #[test]
    fn hidden_private_foreign_and_looping_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("p/_temporary/0")).unwrap();
        fs::create_dir_all(root.join("p/day=1")).unwrap();
        fs::create_dir_all(root.join("p/_k=1")).unwrap();
        let odd = OsString::from_vec(b"caf\xe9.csv".to_vec());
        for name in ["p/a.csv", "p/.b.csv", "p/day=1/c.csv", "p/_k=1/d.csv", "p/_temporary/0/e.csv"] {
            fs::write(root.join(name), "x").unwrap();
        }
        fs::write(root.join("p").join(&odd), "x").unwrap();
        symlink(".", root.join("p/loop")).unwrap();
        symlink("day=1", root.join("p/link")).unwrap();
        let names = |pattern: &str| -> Vec<PathBuf> {
            let found = expand(&root.join(pattern), &|| Ok(())).unwrap();
            found.into_iter().map(|p| p.strip_prefix(root).unwrap().to_owned()).collect()
        };
        assert_eq!(names("p/*.csv"), [Path::new("p/a.csv"), &Path::new("p").join(&odd)]);
        assert_eq!(names("p/.*.csv"), [Path::new("p/.b.csv")]);
        let deep = names("p/**/*.csv");
        assert_eq!(deep.len(), 4, "{deep:?}");
        assert_eq!(deep[0], Path::new("p/_k=1/d.csv"));
        assert_eq!(names("p/**").len(), 4 + 2, "links are named, not followed");
        assert_eq!(names("p/*/c.csv"), [Path::new("p/day=1/c.csv"), Path::new("p/link/c.csv")]);
        assert_eq!(names("q/*.csv"), Vec::<PathBuf>::new());
        let e = expand(&root.join("**"), &|| Err(Error::usage("stop"))).unwrap_err();
        assert_eq!(e.message(), "stop");
    }
}
