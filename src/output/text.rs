//! Values as text: the shortest digits that read back, times in the chosen form, base64.

use super::row::Cell;
use super::style::Style;
use crate::time::{TimeFormat, format_time};
use serde_json::{Number, Value};

/// Appends a float: the shortest text that reads back to the same value, or `digits`
/// significant digits.
pub fn push_f64(out: &mut Vec<u8>, v: f64, digits: Option<usize>) {
    let v = digits.map_or(v, |n| round(v, n));
    // Writing to memory cannot fail, and callers have turned away what JSON cannot write.
    let _ = serde_json::to_writer(out, &v);
}

/// As [`push_f64`], with the digits of an f32.
pub fn push_f32(out: &mut Vec<u8>, v: f32, digits: Option<usize>) {
    match digits {
        Some(n) => push_f64(out, f64::from(v), Some(n)),
        None => {
            let _ = serde_json::to_writer(out, &v);
        }
    }
}

/// `v` with `digits` significant decimal digits.
fn round(v: f64, digits: usize) -> f64 {
    let text = format!("{v:.*e}", digits.saturating_sub(1));
    text.parse().unwrap_or(v)
}

/// Appends the text of a JSON value, its floats with `digits` significant digits.
fn push_json(out: &mut Vec<u8>, text: &str, digits: Option<usize>) {
    let made = digits.and_then(|n| Some((n, serde_json::from_str::<Value>(text).ok()?)));
    match made {
        None => out.extend_from_slice(text.as_bytes()),
        Some((digits, mut value)) => {
            round_all(&mut value, digits);
            let _ = serde_json::to_writer(out, &value);
        }
    }
}

fn round_all(value: &mut Value, digits: usize) {
    match value {
        Value::Number(n) if n.is_f64() => {
            if let Some(v) = n.as_f64().and_then(|v| Number::from_f64(round(v, digits))) {
                *n = v;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| round_all(v, digits)),
        Value::Object(members) => members.values_mut().for_each(|v| round_all(v, digits)),
        _ => {}
    }
}

/// Appends a vector as a JSON array.
pub fn push_list(out: &mut Vec<u8>, v: &[f32], digits: Option<usize>) {
    out.push(b'[');
    for (i, x) in v.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_f32(out, *x, digits);
    }
    out.push(b']');
}

/// Appends the little-endian bytes of a vector in base64 (RFC 4648, with padding).
pub fn push_base64(out: &mut Vec<u8>, v: &[f32]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = v.iter().flat_map(|x| x.to_le_bytes()).collect();
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= group.len() { letter } else { b'=' });
        }
    }
}

/// Appends an instant; true when the text is a number, which JSON does not quote.
pub fn push_time(out: &mut Vec<u8>, t: i64, form: TimeFormat) -> bool {
    out.extend_from_slice(format_time(t, form).as_bytes());
    matches!(form, TimeFormat::Us | TimeFormat::Ms | TimeFormat::S)
}

/// Appends a value as bare text, as CSV has it: nothing for null, no quotes.
pub fn push_plain(out: &mut Vec<u8>, cell: Cell<'_>, base64: bool, style: &Style) {
    match cell {
        Cell::Null => {}
        Cell::Id(v) | Cell::U64(v) => out.extend_from_slice(v.to_string().as_bytes()),
        Cell::I64(v) => out.extend_from_slice(v.to_string().as_bytes()),
        Cell::F32(v) => push_f32(out, v, style.digits),
        Cell::F64(v) => push_f64(out, v, style.digits),
        Cell::Bool(v) => out.extend_from_slice(if v { b"true" } else { b"false" }),
        Cell::Json(v) => push_json(out, v, style.digits),
        Cell::Text(v) | Cell::Meta(v) => out.extend_from_slice(v.as_bytes()),
        Cell::Time(t) => {
            push_time(out, t, style.time);
        }
        Cell::Vector(v) if base64 => push_base64(out, v),
        Cell::Vector(v) => push_list(out, v, style.digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_shortest() {
        assert_eq!(text(|o| push_f32(o, 0.1, None)), "0.1");
        assert_eq!(text(|o| push_f64(o, 0.1, None)), "0.1");
        assert_eq!(text(|o| push_f64(o, f64::from(0.1_f32), None)), "0.10000000149011612");
        assert_eq!(text(|o| push_f64(o, 2.0 / 3.0, Some(3))), "0.667");
        assert_eq!(text(|o| push_f64(o, 123_456.0, Some(2))), "120000.0");
    }

    #[test]
    fn digits_reach_into_json_that_the_program_made() {
        let given = r#"[{"delta":-0.0312345,"dim":1234567,"name":"0.12345"}]"#;
        let style = Style { digits: Some(2), ..Style::default() };
        let shown = |cell| text(|o| push_plain(o, cell, false, &style));
        assert_eq!(shown(Cell::Json(given)), r#"[{"delta":-0.031,"dim":1234567,"name":"0.12345"}]"#);
        assert_eq!(shown(Cell::Meta(given)), given);
        assert_eq!(text(|o| push_plain(o, Cell::Json(given), false, &Style::default())), given);
    }

    #[test]
    fn base64_follows_the_rfc() {
        // 1.0f32 is 00 00 80 3f.
        assert_eq!(text(|o| push_base64(o, &[1.0])), "AACAPw==");
        assert_eq!(text(|o| push_base64(o, &[1.0, 1.0])), "AACAPwAAgD8=");
        assert_eq!(text(|o| push_base64(o, &[1.0, 1.0, 1.0])), "AACAPwAAgD8AAIA/");
    }
}
