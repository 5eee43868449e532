//! Columns that a file does not have as such: a field inside a column, a key of its path, and the time that
//! the user gave.

use super::options::{InputOptions, MetaColumns};
use std::path::Path;

/// The name of the column that `--at` makes.
pub(super) const TIME: &str = "‹at›";

/// A column that is made from something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Derived {
    pub name: String,
    pub from: From,
    /// It is a part of the point, so that its field is left out of the metadata.
    pub taken: bool,
}

/// What a column is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// A field inside the column with this ordinal.
    Field { root: usize, path: Vec<String> },
    /// The same text in every row.
    Text(String),
}

/// The columns that the options name and that `header` lacks, as far as they can be made.
pub(super) fn derive(header: &[String], options: &InputOptions, path: &Path) -> Vec<Derived> {
    let there = |name: &str| header.iter().position(|h| h == name);
    let mut out: Vec<Derived> =
        constants(options, path).into_iter().filter(|d| there(&d.name).is_none()).collect();
    for (name, taken) in wanted(options) {
        if there(name).is_some() || out.iter().any(|d| d.name == name) {
            continue;
        }
        let field = splits(name).find_map(|(root, path)| Some(From::Field { root: there(root)?, path }));
        out.extend(field.map(|from| Derived { name: name.to_owned(), from, taken }));
    }
    out
}

/// The columns with one value for the whole file, as far as the options name them.
pub(super) fn constants(options: &InputOptions, path: &Path) -> Vec<Derived> {
    let mut out = Vec::new();
    if let Some(time) = &options.time {
        out.push(Derived { name: TIME.to_owned(), from: From::Text(time.clone()), taken: true });
    }
    let keys = keys_of(path);
    for (name, taken) in wanted(options) {
        let value = keys.iter().rev().find(|(key, _)| key == name);
        if let Some((_, value)) = value.filter(|_| !out.iter().any(|d: &Derived| d.name == name)) {
            out.push(Derived { name: name.to_owned(), from: From::Text(value.clone()), taken });
        }
    }
    out
}

/// The value that all rows of a file have in the first of the columns `names` that is such a constant.
pub(super) fn constant(options: &InputOptions, path: &Path, names: &[String]) -> Option<String> {
    let all = constants(options, path);
    names.iter().find_map(|name| match &all.iter().find(|d| d.name == *name)?.from {
        From::Text(text) => Some(text.clone()),
        From::Field { .. } => None,
    })
}

/// The names of columns that the options give, and whether each is a part of the point.
fn wanted(options: &InputOptions) -> Vec<(&str, bool)> {
    let mut names: Vec<(&str, bool)> = options.map.columns().into_iter().map(|name| (name, true)).collect();
    if let MetaColumns::List(list) = &options.meta {
        names.extend(list.iter().map(|name| (name.as_str(), false)));
    }
    names
}

/// The ways to read `a.b.c` as a column and a path inside it: the longest column first.
pub(super) fn splits(name: &str) -> impl Iterator<Item = (&str, Vec<String>)> {
    let dots = name.match_indices('.').map(|(at, _)| at).rev();
    dots.map(move |at| (&name[..at], name[at + 1..].split('.').map(str::to_owned).collect()))
}

/// The keys that the directories of a path name, as Hive and Spark write them: `dt=2024-01-01/lang=en/`.
fn keys_of(path: &Path) -> Vec<(String, String)> {
    let Some(parent) = path.parent() else { return Vec::new() };
    let parts = parent.iter().filter_map(|part| part.to_str()?.split_once('='));
    parts.filter(|(key, _)| !key.is_empty()).map(|(key, value)| (unescape(key), unescape(value))).collect()
}

/// A key or value of a path without its escapes: `%` and two hexadecimal digits for a byte. What Hive writes
/// for a missing value becomes an empty text.
fn unescape(text: &str) -> String {
    if text == "__HIVE_DEFAULT_PARTITION__" {
        return String::new();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{IdKind, Mapping};

    #[test]
    fn fields_keys_and_times() {
        let mut options = InputOptions::new(2, IdKind::U64);
        options.map = Mapping::parse("entity=meta.data.term,t=dt,vector=a.b").unwrap();
        options.meta = MetaColumns::List(vec!["model".into(), "x".into()]);
        let header = ["id", "meta", "a.b", "x"].map(str::to_owned);
        let path = Path::new("d/dt=2000-01-01/dt=2024-01-01T00%3A00/model=m%zz/part.csv");
        let got = derive(&header, &options, path);
        let text = |name: &str, text: &str, taken| Derived {
            name: name.into(),
            from: From::Text(text.into()),
            taken,
        };
        let field = From::Field { root: 1, path: vec!["data".into(), "term".into()] };
        let entity = Derived { name: "meta.data.term".into(), from: field, taken: true };
        assert_eq!(got, [text("dt", "2024-01-01T00:00", true), text("model", "m%zz", false), entity]);
        options.time = Some("1990".into());
        assert_eq!(derive(&header, &options, Path::new("part.csv"))[0], text(TIME, "1990", true));
        assert_eq!(keys_of(Path::new("x=__HIVE_DEFAULT_PARTITION__/=1/f"))[0].1, "");
    }
}
