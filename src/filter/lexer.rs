//! Text to tokens, each with its place.

use crate::error::{Error, Result};
use serde_json::{Number, Value};

/// The largest expression taken.
const MAX_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A bare word: keyword or field name.
    Word(String),
    /// A field name in double quotes.
    Name(String),
    /// A literal.
    Value(Value),
    /// `( ) , .` and the comparisons.
    Sign(&'static str),
    End,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Word(w) => write!(f, "`{w}`"),
            Token::Name(n) => write!(f, "\"{n}\""),
            Token::Value(Value::String(s)) => write!(f, "'{s}'"),
            Token::Value(v) => write!(f, "{v}"),
            Token::Sign(s) => write!(f, "`{s}`"),
            Token::End => f.write_str("the end"),
        }
    }
}

/// Two-character signs stand before their first characters.
const SIGNS: [&str; 10] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", ",", "."];

/// Signs of other languages, and what they are here.
const FOREIGN: [(&str, &str); 6] =
    [("==", "="), ("<>", "!="), ("&&", "and"), ("||", "or"), ("!", "not"), ("[", "in ('a', 'b')")];

/// Tokens with their byte offsets, the last of them [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>> {
    if text.len() > MAX_BYTES {
        return Err(Error::usage(format!(
            "the expression has {} bytes, at most {MAX_BYTES} are read",
            text.len()
        ))
        .fix("select in several runs, or put the ids in a file for ‹entities-from›"));
    }
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        // Behind a dot comes a name, so that `tags.0.x` holds no number.
        let in_path = matches!(out.last(), Some((_, Token::Sign("."))));
        let (token, len) = if in_path && is_word(c) { word_at(text, at) } else { token(text, at, c)? };
        out.push((at, token));
        at += len;
    }
    out.push((text.len(), Token::End));
    Ok(out)
}

/// The error at a byte offset, which it names as a 1-based character position.
pub(super) fn error(text: &str, at: usize, message: impl std::fmt::Display) -> Error {
    let position = text[..at].chars().count() + 1;
    Error::usage(format!("expression, position {position}: {message}"))
}

fn token(text: &str, at: usize, first: char) -> Result<(Token, usize)> {
    let rest = &text[at..];
    match first {
        '\'' | '"' => {
            let (body, len) = quoted(rest, first)
                .ok_or_else(|| error(text, at, format!("the quote {first} is not closed")))?;
            let token = if first == '"' { Token::Name(body) } else { Token::Value(Value::String(body)) };
            Ok((token, len))
        }
        '0'..='9' | '-' | '+' => number(text, at),
        c if is_word(c) => Ok(match word_at(text, at) {
            (Token::Word(w), len) => (literal(w), len),
            other => other,
        }),
        _ => {
            if let Some((sign, ours)) =
                FOREIGN.iter().find(|(s, _)| rest.starts_with(s) && !rest.starts_with("!="))
            {
                return Err(error(text, at, format!("`{sign}` is not known")).fix(format!("write {ours}")));
            }
            match SIGNS.iter().find(|s| rest.starts_with(**s)) {
                Some(sign) => Ok((Token::Sign(sign), sign.len())),
                None => Err(error(text, at, format!("`{first}` is not known here"))
                    .fix("texts stand in single quotes, unusual names in double quotes")),
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn word_at(text: &str, at: usize) -> (Token, usize) {
    let rest = &text[at..];
    let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    (Token::Word(rest[..len].to_owned()), len)
}

fn literal(word: String) -> Token {
    match word.to_ascii_lowercase().as_str() {
        "true" => Token::Value(Value::Bool(true)),
        "false" => Token::Value(Value::Bool(false)),
        "null" => Token::Value(Value::Null),
        _ => Token::Word(word),
    }
}

/// The text between quotes, a doubled quote standing for one, and the bytes taken.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut body = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((i, c)) = chars.next() {
        if c != quote {
            body.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            body.push(quote);
        } else {
            return Some((body, i + 1));
        }
    }
    None
}

/// A JSON number; a leading `+` and a missing 0 are not taken.
fn number(text: &str, at: usize) -> Result<(Token, usize)> {
    let rest = &text[at..];
    let after_e = |i: usize| i > 0 && matches!(rest.as_bytes()[i - 1], b'e' | b'E');
    let len = rest
        .char_indices()
        .find(|&(i, c)| {
            !(is_word(c) && c != '-' || c == '.' || (matches!(c, '-' | '+') && (i == 0 || after_e(i))))
        })
        .map_or(rest.len(), |(i, _)| i);
    match serde_json::from_str::<Number>(&rest[..len]) {
        Ok(n) => Ok((Token::Value(Value::Number(n)), len)),
        Err(_) => Err(error(text, at, format!("`{}` is not a number", &rest[..len]))
            .fix("texts stand in single quotes: 'abc'")),
    }
}
