//! Fields inside JSON objects, by the keys on the way to them.

use super::meta;
use std::borrow::Cow;

/// The value at the end of a path, as JSON; `None` where the path ends before. An object may also stand as
/// the text of one.
pub(super) fn find<'a>(json: &'a str, path: &[String]) -> Option<Cow<'a, str>> {
    let Some((first, rest)) = path.split_first() else { return Some(Cow::Borrowed(json)) };
    if json.trim_start().starts_with('"') {
        let text: String = serde_json::from_str(json).ok()?;
        return find(&text, path).map(|found| Cow::Owned(found.into_owned()));
    }
    let (_, value) = meta::fields(json).ok()?.into_iter().find(|(key, _)| key == first)?;
    find(value.get(), rest)
}

/// The object without the field at the end of a path; `None` where there is no such field.
pub(super) fn without(json: &str, path: &[String]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    if json.trim_start().starts_with('"') {
        let text: String = serde_json::from_str(json).ok()?;
        return without(&text, path);
    }
    let fields = meta::fields(json).ok()?;
    let at = fields.iter().position(|(key, _)| key == first)?;
    let inner = match rest {
        [] => None,
        _ => Some(without(fields.get(at)?.1.get(), rest)?),
    };
    let mut out = String::with_capacity(json.len());
    for (i, (key, value)) in fields.iter().enumerate() {
        let text = match &inner {
            Some(inner) if i == at => inner,
            None if i == at => continue,
            _ => value.get(),
        };
        out.push(if out.is_empty() { '{' } else { ',' });
        meta::write_text(key, &mut out);
        out.push(':');
        out.push_str(text);
    }
    if out.is_empty() {
        out.push('{');
    }
    out.push('}');
    Some(out)
}

/// A value as a cell of a table holds it: a text without its quotes, nothing for null.
pub(super) fn as_cell(json: Cow<'_, str>) -> Cow<'_, str> {
    match json.as_bytes().first() {
        Some(b'"') => Cow::Owned(serde_json::from_str(&json).unwrap_or_default()),
        Some(b'n') => Cow::Borrowed(""),
        _ => json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn fields_are_found_and_left_out() {
        let json = r#" {"a": {"b":[1, 2],"c":"x\"y"}, "d":null} "#;
        assert_eq!(find(json, &path("a.b")).unwrap(), "[1, 2]");
        assert_eq!(as_cell(find(json, &path("a.c")).unwrap()), "x\"y");
        assert_eq!(as_cell(find(json, &path("d")).unwrap()), "");
        assert_eq!(
            (find(json, &path("a.e")), find(json, &path("d.e")), find("[1]", &path("a"))),
            (None, None, None)
        );
        assert_eq!(without(json, &path("a.b")).unwrap(), r#"{"a":{"c":"x\"y"},"d":null}"#);
        assert_eq!(without(json, &path("a")).unwrap(), r#"{"d":null}"#);
        assert_eq!(without(r#"{"a":1}"#, &path("a")).unwrap(), "{}");
        assert_eq!(without(json, &path("a.e")), None);
        let text = serde_json::to_string(json).unwrap();
        assert_eq!(find(&text, &path("a.b")).unwrap(), "[1, 2]");
        assert_eq!(without(&text, &path("a")).unwrap(), r#"{"d":null}"#);
    }
}
