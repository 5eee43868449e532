//! The code of src as the compiler of a release sees it: without comments, text and tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One file of src.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path below src, with `/`.
    pub name: String,
    /// Its code. Comments, the insides of literals and items for tests are blanks, so offsets and
    /// lines are those of the file.
    pub code: String,
}

/// Every file of src that a release compiles, in order of names.
pub fn all() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&src, &mut paths);
    let mut tests = BTreeSet::new();
    let mut out = Vec::new();
    for path in paths {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
        let (code, declared) = without_tests(blank(&fs::read_to_string(&path).unwrap()));
        tests.extend(declared.iter().map(|m| format!("{}{m}", below(&name))));
        out.push(Source { name, code });
    }
    out.retain(|s| !is_test(&s.name, &tests));
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

/// Every Rust file below a directory.
pub fn collect(dir: &Path, out: &mut Vec<PathBuf>) {
    for e in fs::read_dir(dir).unwrap() {
        let path = e.unwrap().path();
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|x| x == "rs") {
            out.push(path);
        }
    }
}

/// Where the modules that a file declares lie: `dataset/mod.rs` has them in `dataset/`, as
/// `dataset.rs` would.
fn below(name: &str) -> String {
    let (dir, file) = name.rsplit_once('/').map_or(("", name), |(d, f)| (d, f));
    let dir = if dir.is_empty() { String::new() } else { format!("{dir}/") };
    match file.trim_end_matches(".rs") {
        "mod" | "lib" | "main" => dir,
        stem => format!("{dir}{stem}/"),
    }
}

fn is_test(name: &str, modules: &BTreeSet<String>) -> bool {
    let whole = name.trim_end_matches(".rs").trim_end_matches("/mod");
    let prefixes = whole.match_indices('/').map(|(at, _)| &whole[..at]);
    prefixes.chain([whole]).any(|p| modules.contains(p))
}

/// Blanks comments and what stands inside literals of text and characters.
pub fn blank(text: &str) -> String {
    let b = text.as_bytes();
    let mut out = b.to_vec();
    let mut i = 0;
    while i < b.len() {
        let from = i;
        let (inner, end) = match b[i] {
            b'/' if b.get(i + 1) == Some(&b'/') => {
                let end = text[i..].find('\n').map_or(b.len(), |n| i + n);
                (from..end, end)
            }
            b'/' if b.get(i + 1) == Some(&b'*') => {
                let end = comment_end(b, i);
                (from..end, end)
            }
            b'r' if !is_word(b, i) && raw_hashes(b, i).is_some() => {
                let hashes = raw_hashes(b, i).unwrap();
                let open = i + 2 + hashes;
                let close = format!("\"{}", "#".repeat(hashes));
                let end = text[open..].find(&close).map_or(b.len(), |n| open + n);
                (open..end, (end + close.len()).min(b.len()))
            }
            b'"' => {
                let end = literal_end(b, i, b'"');
                (i + 1..end, (end + 1).min(b.len()))
            }
            // A character and not a lifetime: 'x' or '\…'.
            b'\'' if b.get(i + 1) == Some(&b'\\') || closes(text, i) => {
                let end = literal_end(b, i, b'\'');
                (i + 1..end, (end + 1).min(b.len()))
            }
            _ => (i..i, i + 1),
        };
        for at in inner {
            if out[at] != b'\n' {
                out[at] = b' ';
            }
        }
        i = end;
    }
    String::from_utf8(out).unwrap()
}

/// True when the byte before `i` belongs to the same word.
fn is_word(b: &[u8], i: usize) -> bool {
    i > 0 && (b[i - 1].is_ascii_alphanumeric() && b[i - 1] != b'b' || b[i - 1] == b'_')
}

/// The number of `#` of a raw text that begins at `i`.
fn raw_hashes(b: &[u8], i: usize) -> Option<usize> {
    let hashes = b[i + 1..].iter().take_while(|c| **c == b'#').count();
    (b.get(i + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn comment_end(b: &[u8], from: usize) -> usize {
    let (mut depth, mut i) = (0, from);
    while i < b.len() {
        match (b[i], b.get(i + 1)) {
            (b'/', Some(b'*')) => (depth, i) = (depth + 1, i + 2),
            (b'*', Some(b'/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i.min(b.len())
}

/// The closing quote of a literal that opens at `from`.
fn literal_end(b: &[u8], from: usize, quote: u8) -> usize {
    let mut i = from + 1;
    while i < b.len() && b[i] != quote {
        i += if b[i] == b'\\' { 2 } else { 1 };
    }
    i.min(b.len())
}

/// True when the quote at `i` opens a literal of one character.
fn closes(text: &str, i: usize) -> bool {
    let mut rest = text[i + 1..].chars();
    rest.next().is_some_and(|c| c != '\'') && rest.next() == Some('\'')
}

/// Blanks what `#[cfg(test)]` stands before; the names of the modules among it that have files of
/// their own.
pub fn without_tests(code: String) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.clone().into_bytes();
    let mut modules = Vec::new();
    let mut at = 0;
    while let Some(found) = code[at..].find(MARK) {
        let from = at + found;
        let end = item_end(&code, from + MARK.len());
        let item = code[from..end].trim_end();
        if let Some(name) = item.strip_suffix(';').and_then(|i| i.rsplit_once("mod ")).map(|(_, name)| name) {
            modules.push(name.trim().to_owned());
        }
        for b in &mut out[from..end] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
        at = end;
    }
    (String::from_utf8(out).unwrap(), modules)
}

/// Where an item ends that begins at `from`, its attributes among it.
fn item_end(code: &str, from: usize) -> usize {
    let b = code.as_bytes();
    let is_use = first_word(&code[from..]) == "use";
    let (mut i, mut inside) = (from, 0);
    while i < b.len() {
        match b[i] {
            b'(' | b'[' => inside += 1,
            b')' | b']' => inside -= 1,
            b'{' if inside == 0 && !is_use => return matching(b, i),
            // A field, a variant, an argument, or the end of what holds it.
            b';' | b',' if inside == 0 && !(is_use && b[i] == b',') => return i + 1,
            b'}' if inside == 0 && !is_use => return i,
            _ => {}
        }
        i += 1;
    }
    b.len()
}

/// The word that says what an item is, behind attributes and visibility.
fn first_word(mut item: &str) -> &str {
    loop {
        item = item.trim_start();
        let behind = if item.starts_with("#[") { item.find(']') } else { None };
        let restricted = item.strip_prefix("pub").map(str::trim_start).filter(|i| i.starts_with('('));
        item = match (behind, restricted) {
            (Some(end), _) => &item[end + 1..],
            (None, Some(rest)) => rest.split_once(')').map_or("", |(_, rest)| rest),
            (None, None) => match item.strip_prefix("pub ") {
                Some(rest) => rest,
                None => return item.split_whitespace().next().unwrap_or(""),
            },
        };
    }
}

/// Behind the brace that closes the one at `from`.
pub fn matching(b: &[u8], from: usize) -> usize {
    let mut depth = 0;
    for (i, c) in b.iter().enumerate().skip(from) {
        match c {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return i + 1;
        }
    }
    b.len()
}

#[test]
fn code_is_what_is_left_without_comments_text_and_tests() {
    let text = r##"
use a::b; // crate::no
/* crate::no /* crate::no */ crate::no */
const S: &str = "crate::no \" {"; const C: char = '{'; const R: &str = r#"crate::no " {"#;
fn f<'a>(x: &'a str) -> char { '\'' }
#[cfg(test)]
#[derive(Debug)]
mod tests {
    fn g() { crate::no() }
}
#[cfg(test)]
use no::{one, two};
#[cfg(test)]
mod golden;
fn h() { crate::yes() }
"##;
    let blanked = blank(text);
    assert_eq!(blanked.lines().count(), text.lines().count());
    let (code, modules) = without_tests(blanked);
    assert_eq!(code.len(), text.len());
    assert!(!code.contains("no"), "{code}");
    assert!(code.contains("use a::b;") && code.contains("crate::yes()") && code.contains("fn f<'a>"));
    assert_eq!(modules, ["golden"]);
}
