//! Metadata as canonical JSON: keys sorted, no spaces, numbers as written.
//!
//! Two texts of the same object give the same bytes, so that "the same row again" is a
//! comparison of bytes. Keys sort by their UTF-8; strings carry only the escapes JSON needs.

use super::rows::Fault;
use crate::error::Code;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Most bytes of a row's metadata, as given and as stored.
pub const MAX_METADATA: usize = 64 << 10;
/// Deepest nesting of metadata; a flat object has depth 1.
pub const MAX_METADATA_DEPTH: usize = 64;

/// A key and its value as JSON text.
pub(super) type Entry<'a> = (Cow<'a, str>, Cow<'a, str>);

fn bad(message: impl Into<String>) -> Fault {
    Fault::new(Code::BadMetadata, message)
}

/// The entries of a JSON object's text; `null` and the empty text have none.
pub(super) fn entries(text: &str) -> Result<Vec<Entry<'_>>, Fault> {
    let text = text.trim();
    if text.is_empty() || text == "null" {
        return Ok(Vec::new());
    }
    if text.len() > MAX_METADATA {
        return Err(too_long(text.len()));
    }
    if !text.starts_with('{') {
        return Err(bad("the metadata is not a JSON object")
            .fix("give an object such as {\"lang\":\"en\"}, or give the column another name"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let list = json.deserialize_map(Entries).and_then(|list| json.end().map(|()| list)).map_err(|e| {
        bad(format!("the metadata is not JSON: {}", reason(&e)))
            .fix("give an object such as {\"lang\":\"en\"}")
    })?;
    Ok(list.into_iter().map(|(k, v)| (k, Cow::Borrowed(v.get()))).collect())
}

/// The fields of a JSON object of any length, in the order of the text.
pub(super) fn fields(text: &str) -> serde_json::Result<Vec<(Cow<'_, str>, &RawValue)>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let list = json.deserialize_map(Entries)?;
    json.end().map(|()| list)
}

/// Writes entries as one canonical object into `out`, replacing it; no entries, no text.
pub(super) fn write(mut entries: Vec<Entry<'_>>, out: &mut String) -> Result<(), Fault> {
    out.clear();
    if entries.is_empty() {
        return Ok(());
    }
    write_object(&mut entries, out, 1)?;
    if out.len() > MAX_METADATA {
        return Err(too_long(out.len()));
    }
    Ok(())
}

/// Canonical text of metadata as the user wrote it: an object, `null` or nothing.
#[cfg(test)]
pub(super) fn canonical(text: &str) -> Result<String, Fault> {
    let mut out = String::new();
    write(entries(text)?, &mut out)?;
    Ok(out)
}

/// A string as JSON.
pub(super) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let c = special.as_bytes()[0];
        match c {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            8 => out.push_str("\\b"),
            12 => out.push_str("\\f"),
            _ => out.push_str(&format!("\\u{c:04x}")),
        }
        rest = &special[1..];
    }
    out.push_str(rest);
    out.push('"');
}

fn too_long(len: usize) -> Fault {
    bad(format!("the metadata has {len} bytes, at most {MAX_METADATA} are kept"))
        .fix("keep less with ‹meta›, or keep large texts elsewhere and their key here")
}

fn write_object(entries: &mut [Entry<'_>], out: &mut String, depth: usize) -> Result<(), Fault> {
    entries.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    if let Some(twice) = entries.windows(2).find(|w| w[0].0 == w[1].0) {
        return Err(bad(format!("the key \"{}\" is given twice", twice[0].0)).fix("keep one of the two"));
    }
    out.push('{');
    for (i, (key, value)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_text(key, out);
        out.push(':');
        write_value(value, out, depth).map_err(|mut fault| {
            if depth == 1 {
                fault.message = format!("the key \"{key}\": {}", fault.message);
            }
            fault
        })?;
    }
    out.push('}');
    Ok(())
}

fn write_value(json: &str, out: &mut String, depth: usize) -> Result<(), Fault> {
    let json = json.trim();
    let broken = |e: serde_json::Error| bad(format!("the metadata is not JSON: {}", reason(&e)));
    let inside = || match depth {
        d if d < MAX_METADATA_DEPTH => Ok(d + 1),
        _ => Err(bad(format!("the metadata is nested deeper than {MAX_METADATA_DEPTH}")).fix("flatten it")),
    };
    match json.as_bytes().first() {
        Some(b'{') => {
            let depth = inside()?;
            let list = serde_json::Deserializer::from_str(json).deserialize_map(Entries).map_err(broken)?;
            let mut list: Vec<Entry<'_>> =
                list.into_iter().map(|(k, v)| (k, Cow::Borrowed(v.get()))).collect();
            write_object(&mut list, out, depth)
        }
        Some(b'[') => {
            let depth = inside()?;
            let items: Vec<&RawValue> = serde_json::from_str(json).map_err(broken)?;
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item.get(), out, depth)?;
            }
            out.push(']');
            Ok(())
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(json).map_err(broken)?;
            write_text(&text, out);
            Ok(())
        }
        _ => {
            out.push_str(json);
            Ok(())
        }
    }
}

/// serde_json's reason without its place, which counts within the value.
pub(super) fn reason(e: &serde_json::Error) -> String {
    let text = e.to_string();
    match text.find(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// An object's entries in the order of the text, repeated keys and all.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out = Vec::new();
        while let Some(key) = map.next_key::<KeyText<'de>>()? {
            out.push((key.0, map.next_value()?));
        }
        Ok(out)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct KeyText<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn one_text_for_one_object() {
        for (given, want) in [
            ("{}", ""),
            ("null", ""),
            ("  ", ""),
            (r#" { "b" : 1 , "a" : [ 1 , {"y":2, "x":1.0} ] } "#, r#"{"a":[1,{"x":1.0,"y":2}],"b":1}"#),
            ("{\"caf\\u00e9\":\"\\u000a\\/\"}", "{\"café\":\"\\n/\"}"),
            (
                r#"{"n":1.50e+3,"big":123456789012345678901234567890}"#,
                r#"{"big":123456789012345678901234567890,"n":1.50e+3}"#,
            ),
            (r#"{"a":null,"b":true}"#, r#"{"a":null,"b":true}"#),
            (r#"{"":{}}"#, r#"{"":{}}"#),
        ] {
            assert_eq!(canonical(given).unwrap(), want, "{given}");
            assert_eq!(canonical(want).unwrap(), want);
        }
    }

    #[test]
    fn refusals() {
        let deep = |n| format!("{}1{}", r#"{"a":"#.repeat(n), "}".repeat(n));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_METADATA));
        for (given, say) in [
            ("[1]", "not a JSON object"),
            ("text", "not a JSON object"),
            ("{not json", "not JSON"),
            (r#"{"a":1} x"#, "not JSON"),
            (r#"{"a":1,"a":2}"#, "\"a\" is given twice"),
            (r#"{"a":1,"\u0061":2}"#, "\"a\" is given twice"),
            (r#"{"b":{"a":1,"a":1}}"#, "given twice"),
            (r#"{"a":"\ud800"}"#, "not JSON"),
            (&deep(65), "deeper than 64"),
            (&long, "at most 65536"),
        ] {
            let fault = canonical(given).expect_err(given);
            assert!(fault.message.contains(say), "{given}: {}", fault.message);
        }
        assert!(canonical(&deep(64)).is_ok());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..5)
                    .prop_map(|m| Value::from(m.into_iter().collect::<serde_json::Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn keeps_the_value_and_is_stable(v in json()) {
            let object = serde_json::json!({ "v": v });
            let text = canonical(&serde_json::to_string_pretty(&object).unwrap()).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &object);
            prop_assert_eq!(&canonical(&text).unwrap(), &text);
            prop_assert!(text == serde_json::to_string(&object).unwrap());
        }
    }
}
