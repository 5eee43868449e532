//! Expressions over a point's metadata, without building the whole JSON tree.

use super::ast::Expr;
use crate::error::Result;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// `--where`: an expression over metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    expr: Expr,
    text: String,
}

impl Filter {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Filter> {
        Ok(Filter { expr: Expr::parse(text)?, text: text.to_owned() })
    }

    /// The paths that it looks at, each once.
    pub fn paths(&self) -> Vec<&[String]> {
        let mut paths = Vec::new();
        self.expr.paths(&mut |path| paths.push(path));
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// True when metadata satisfies it: a JSON object as stored, the empty text for none.
    pub fn matches(&self, metadata: &str) -> bool {
        self.expr.matches(&|path| lookup(metadata, path))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The value at a path of metadata, skipping everything else. Text that is no JSON has none.
pub fn lookup(text: &str, path: &[String]) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    let mut json = serde_json::Deserializer::from_str(text);
    Seek(path).deserialize(&mut json).ok().flatten()
}

/// Walks to the value at a path.
struct Seek<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Value>, D::Error> {
        if self.0.is_empty() {
            return serde::Deserialize::deserialize(json).map(Some);
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Value>, A::Error> {
        let Some((name, rest)) = self.0.split_first() else { return Ok(None) };
        let mut found = None;
        while let Some(hit) = map.next_key_seed(IsName(name))? {
            if hit {
                found = map.next_value_seed(Seek(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<Value>, A::Error> {
        let Some((name, rest)) = self.0.split_first() else { return Ok(None) };
        let mut left: Option<usize> = name.parse().ok();
        let mut found = None;
        loop {
            match left {
                Some(0) => match seq.next_element_seed(Seek(rest))? {
                    Some(value) => found = value,
                    None => return Ok(found),
                },
                _ => {
                    if seq.next_element::<IgnoredAny>()?.is_none() {
                        return Ok(found);
                    }
                }
            }
            left = left.and_then(|n| n.checked_sub(1));
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }
}

/// Compares an object's key without keeping it.
struct IsName<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const META: &str = r#"{"and":1,"big":9007199254740993,"draft":false,"lang":"en","model":{"name":"a","sizes":[3,5]},"n":null,"score":0.75,"tags":["news","it's"]}"#;

    fn hit(expr: &str) -> bool {
        Filter::parse(expr).unwrap().matches(META)
    }

    #[test]
    fn expressions_that_hold() {
        for expr in [
            "lang = 'en' and score >= 0.5 and tags has 'news' and model.name in ('a','b') and not exists(x)",
            "lang != 'fr'",
            "lang < 'f' AND lang > 'd'",
            "score = 0.75 or nothing = 1",
            "score = 7.5e-1",
            "draft = false",
            "draft = FALSE AND draft != True",
            "tags has 'it''s'",
            "tags.0 = 'news'",
            "model.sizes has 5",
            "model.sizes.1 >= 5",
            "exists(model.sizes.0) and not exists(model.sizes.2)",
            "\"and\" = 1",
            "\"lang\" = 'en'",
            "big = 9007199254740993 and big != 9007199254740992",
            "lang not in ('fr', 'de')",
            "not (lang = 'fr' or score > 1)",
            "not not lang = 'en'",
            "not n = 1",
            "lang = 'fr' and score > 1 or draft = false",
            "score != 'text'",
        ] {
            assert!(hit(expr), "{expr}");
        }
    }

    #[test]
    fn expressions_that_do_not() {
        for expr in [
            "n = 1",
            "n != 1",
            "n not in (1)",
            "n < 1",
            "exists(n)",
            "exists(x)",
            "x != 1",
            "x.y.z = 1",
            "lang.sub = 'en'",
            "lang has 'en'",
            "score = '0.75'",
            "score < 'text'",
            "tags = 'news'",
            "big = 9007199254740992",
            "tags.7 = 'news'",
            "tags.x = 'news'",
            "exists(lang.x)",
            "lang = 'fr' and (score > 1 or draft = false)",
        ] {
            assert!(!hit(expr), "{expr}");
        }
        let filter = Filter::parse("not exists(x)").unwrap();
        assert!(filter.matches("") && filter.matches("{}") && !filter.matches(r#"{"x":0}"#));
    }

    #[test]
    fn errors_name_the_position_and_what_was_expected() {
        let deep = format!("{}a = 1{}", "(".repeat(70), ")".repeat(70));
        for (expr, at, say) in [
            ("", 1, "a field's name expected, found the end"),
            ("lang", 5, "a comparison, `in` or `has` expected"),
            ("lang = ", 8, "a value expected, found the end"),
            ("lang = en", 8, "a value expected, found `en`"),
            ("lang = \"en\"", 8, "a value expected"),
            ("'lang' = 'en'", 1, "a field's name expected"),
            ("lang == 'en'", 6, "`==` is not known"),
            ("lang <> 'en'", 6, "`<>` is not known"),
            ("lang = 'en", 8, "the quote ' is not closed"),
            ("a = 1 b = 2", 7, "`and`, `or` or the end expected, found `b`"),
            ("a in 1", 6, "`(` expected"),
            ("a in (1", 8, "`)` expected"),
            ("a in ()", 7, "a value expected, found `)`"),
            ("a not 1", 7, "`in` expected"),
            ("(a = 1", 7, "`)` expected"),
            ("a = 1)", 6, "found `)`"),
            ("a = null", 5, "null satisfies no comparison"),
            ("a = NULL", 5, "null satisfies no comparison"),
            ("a = 1.2.3", 5, "`1.2.3` is not a number"),
            ("é = 1 $", 7, "`$` is not known"),
            ("and = 1", 1, "a field's name expected"),
            ("exists(1.5)", 8, "a field's name expected"),
            (&deep, 65, "nested deeper than 64"),
        ] {
            let e = Filter::parse(expr).expect_err(expr);
            assert_eq!(e.exit_code(), 2);
            let start = format!("expression, position {at}: ");
            assert!(e.message().starts_with(&start) && e.message().contains(say), "{expr}: {}", e.message());
        }
        assert!(Filter::parse(&"a = 1 or ".repeat(10_000)).unwrap_err().message().contains("at most"));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_fails(text in "[a-c0-9 .,()<>=!'\"é-]{0,40}|((not|and|or|in|has|exists|a|'x'|1|=|\\(|\\)) ){0,12}") {
            if let Ok(filter) = Filter::parse(&text) {
                filter.matches(META);
            }
        }

        #[test]
        fn numbers_compare_as_numbers(a in -1e6f64..1e6, b in -1e6f64..1e6) {
            let meta = format!("{{\"v\":{}}}", serde_json::to_string(&a).unwrap());
            for (op, want) in [("<", a < b), ("<=", a <= b), (">", a > b), (">=", a >= b), ("=", a == b), ("!=", a != b)] {
                let filter = Filter::parse(&format!("v {op} {}", serde_json::to_string(&b).unwrap())).unwrap();
                prop_assert_eq!(filter.matches(&meta), want, "{} {} {}", a, op, b);
            }
        }
    }
}
