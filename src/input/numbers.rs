//! Vectors as text to f32: exact, and fast for the numbers that embeddings are made of.
//!
//! A number of up to 19 digits and a small exponent is one f64 multiplication or division,
//! which is correctly rounded (Clinger 1990); rounding that to f32 is exact too unless it
//! falls on the middle between two f32, and then, as for all other numbers, the standard
//! library decides. Every result equals `str::parse::<f32>`.

use super::base64;
use super::rows::{Fault, check_count, infinite};
use crate::error::Code;

/// Powers of ten that f64 holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The JSON number at the front of `text` and the bytes it takes; `None` when there is none.
pub(super) fn number(text: &[u8]) -> Option<(f32, usize)> {
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let (mut mantissa, mut at) = (0u64, start);
    at = digits(text, at, &mut mantissa);
    let whole = at - start;
    if whole == 0 || (whole > 1 && text[start] == b'0') {
        return None;
    }
    let mut exponent = 0i64;
    let mut count = whole;
    if text.get(at) == Some(&b'.') {
        let end = digits(text, at + 1, &mut mantissa);
        let places = end - at - 1;
        if places == 0 {
            return None;
        }
        count += places;
        exponent = -(places as i64);
        at = end;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let (power, end) = power(text, at + 1)?;
        exponent = exponent.saturating_add(power);
        at = end;
    }
    let fast = if count <= 19 { scale(mantissa, exponent) } else { None };
    let value = match fast {
        Some(v) if negative => -v,
        Some(v) => v,
        None => std::str::from_utf8(&text[..at]).ok()?.parse().ok()?,
    };
    // One zero only: -0.0 would make equal points differ in their bits.
    Some((if value == 0.0 { 0.0 } else { value }, at))
}

/// Reads the run of digits at `at` into `mantissa` (which may wrap), returns its end.
fn digits(text: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(eight) = text.get(at..at + 8).and_then(eight_digits) {
        *mantissa = mantissa.wrapping_mul(100_000_000).wrapping_add(eight);
        at += 8;
    }
    while let Some(d) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(d));
        at += 1;
    }
    at
}

/// The value of eight digits, all of them at once: pairs, then fours, then the eight.
fn eight_digits(text: &[u8]) -> Option<u64> {
    let v = u64::from_le_bytes(text.try_into().ok()?);
    let high = v & 0xf0f0_f0f0_f0f0_f0f0;
    let above_nine = v.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0;
    if high != 0x3030_3030_3030_3030 || above_nine != 0x3030_3030_3030_3030 {
        return None;
    }
    let v = v - 0x3030_3030_3030_3030;
    let pairs = v.wrapping_mul(10).wrapping_add(v >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

/// The signed exponent at `at` and its end.
fn power(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let negative = text.get(at) == Some(&b'-');
    let start = at + usize::from(matches!(text.get(at), Some(b'+' | b'-')));
    let mut n = 0i64;
    let mut end = start;
    while let Some(d) = text.get(end).filter(|b| b.is_ascii_digit()) {
        n = n.saturating_mul(10).saturating_add(i64::from(d - b'0'));
        end += 1;
    }
    (end > start).then_some((if negative { -n } else { n }, end))
}

/// `mantissa * 10^exponent` where that is certain to be the nearest f32.
fn scale(mantissa: u64, exponent: i64) -> Option<f32> {
    if mantissa >= 1 << 53 || !(-22..=22).contains(&exponent) {
        return None;
    }
    let ten = TENS[exponent.unsigned_abs() as usize];
    let wide = if exponent < 0 { mantissa as f64 / ten } else { mantissa as f64 * ten };
    let on_the_middle = wide.to_bits() & 0x1fff_ffff == 0x1000_0000;
    let normal = wide == 0.0 || (1.2e-38..=3.4e38).contains(&wide);
    (normal && !on_the_middle).then_some(wide as f32)
}

/// Reads a JSON array of numbers into `out`, replacing it; `text` begins with `[`. Returns the
/// bytes taken. At most `dim` values are kept, the count is checked by [`check_count`].
pub(super) fn json_array(text: &[u8], dim: usize, out: &mut Vec<f32>) -> Result<usize, Fault> {
    out.clear();
    let mut at = skip_space(text, 1);
    let mut count = 0;
    if text.get(at) == Some(&b']') {
        check_count(0, dim)?;
        return Ok(at + 1);
    }
    loop {
        count += 1;
        let Some((value, len)) = number(&text[at..]) else {
            return Err(not_a_number(text, at, count));
        };
        if !value.is_finite() {
            return Err(not_finite(text, at, count));
        }
        if count <= dim {
            out.push(value);
        }
        let begin = at;
        at = skip_space(text, at + len);
        match text.get(at) {
            Some(b',') => at = skip_space(text, at + 1),
            Some(b']') => break,
            Some(_) => return Err(not_a_number(text, begin, count)),
            None => return Err(not_a_number(text, at, count)),
        }
    }
    check_count(count, dim)?;
    Ok(at + 1)
}

/// Reads a list as CSV cells hold it: brackets or none, values apart by a comma, a semicolon
/// or spaces, in any form that `str::parse` takes; or base64.
pub(super) fn list(text: &[u8], dim: usize, out: &mut Vec<f32>) -> Result<(), Fault> {
    out.clear();
    let trimmed = text.trim_ascii();
    if base64::looks_like(trimmed) {
        return base64::vector(trimmed, dim, out);
    }
    let inner = match trimmed {
        [b'[', inner @ .., b']'] | [b'{', inner @ .., b'}'] => inner,
        [b'[' | b'{', ..] | [.., b']' | b'}'] => {
            return Err(Fault::new(Code::BadRow, "the vector's brackets are not closed")
                .fix("is the value cut? write it as [0.1, -2]"));
        }
        other => other,
    };
    let base = inner.as_ptr() as usize - text.as_ptr() as usize;
    let mut at = skip_space(inner, 0);
    let mut count = 0;
    while at < inner.len() {
        count += 1;
        let rest = &inner[at..];
        let (value, len) = match number(rest) {
            Some((v, len)) if rest.get(len).is_none_or(|b| ends_value(*b)) => (v, len),
            _ => lenient(rest).ok_or_else(|| not_a_number(text, base + at, count))?,
        };
        if !value.is_finite() {
            return Err(not_finite(text, base + at, count));
        }
        if count <= dim {
            out.push(value);
        }
        at = skip_space(inner, at + len);
        if matches!(inner.get(at), Some(b',' | b';')) {
            at = skip_space(inner, at + 1);
            if at == inner.len() {
                return Err(not_a_number(text, base + at, count + 1));
            }
        }
    }
    check_count(count, dim)
}

/// How many values a list has, as far as commas, semicolons and blanks tell; of base64, as many as
/// its bytes make. `None` for an empty one.
pub(super) fn count(text: &[u8]) -> Option<usize> {
    let text = text.trim_ascii();
    if base64::looks_like(text) {
        let padding = text.iter().rev().take_while(|b| **b == b'=').count();
        return Some((text.len() / 4 * 3 - padding) / 4);
    }
    let separates = |b: &u8| b.is_ascii_whitespace() || b",;[]{}".contains(b);
    Some(text.split(separates).filter(|v| !v.is_empty()).count()).filter(|n| *n > 0)
}

/// One component in a cell of its own.
pub(super) fn cell(text: &[u8], ordinal: usize) -> Result<f32, Fault> {
    let trimmed = text.trim_ascii();
    let value = match number(trimmed) {
        Some((v, len)) if len == trimmed.len() => v,
        _ => match lenient(trimmed) {
            Some((v, len)) if len == trimmed.len() => v,
            _ => return Err(not_a_number(text, 0, ordinal)),
        },
    };
    if value.is_finite() { Ok(value) } else { Err(not_finite(text, 0, ordinal)) }
}

/// `+1`, `.5`, `5.`, `nan`, `inf`: what Rust reads beyond JSON.
fn lenient(text: &[u8]) -> Option<(f32, usize)> {
    let len = text.iter().position(|b| ends_value(*b)).unwrap_or(text.len());
    let value: f32 = std::str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    Some((if value == 0.0 { 0.0 } else { value }, len))
}

fn ends_value(b: u8) -> bool {
    b.is_ascii_whitespace() || b == b',' || b == b';'
}

fn skip_space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn not_finite(text: &[u8], at: usize, ordinal: usize) -> Fault {
    infinite(token(text, at), ordinal).at(at)
}

/// The fault of something else where a number should stand.
fn not_a_number(text: &[u8], at: usize, ordinal: usize) -> Fault {
    let word = token(text, at);
    if word.is_empty() && at >= text.len() {
        return Fault::new(Code::BadRow, format!("the text ends inside the vector, at value {ordinal}"))
            .fix("the line seems to be cut off")
            .at(at);
    }
    let bare = word.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if matches!(bare.as_str(), "nan" | "inf" | "infinity") {
        return infinite(word, ordinal).at(at);
    }
    let hint = if word.starts_with("tensor(") || word.starts_with("array(") {
        "this is a printed object: write the values with .tolist()"
    } else if word.contains("...") || word.contains('\u{2026}') {
        "this is a printed array that was shortened, its values are lost: write them with .tolist()"
    } else {
        "every value must be a finite 32-bit float"
    };
    Fault::new(Code::BadRow, format!("value {ordinal} of the vector is `{word}`, not a number"))
        .fix(hint)
        .at(at)
}

/// What stands at `at`, for a message.
fn token(text: &[u8], at: usize) -> String {
    let rest = text.get(at..).unwrap_or_default();
    let len = rest.iter().position(|b| ends_value(*b) || *b == b']').unwrap_or(rest.len());
    String::from_utf8_lossy(&rest[..len.min(40)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(text: &str) {
        let want: f32 = text.parse().unwrap();
        let (got, len) = number(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
        let want = if want == 0.0 { 0.0 } else { want };
        assert_eq!((got.to_bits(), len), (want.to_bits(), text.len()), "{text}");
    }

    #[test]
    fn hard_numbers() {
        for text in [
            "0",
            "-0",
            "-0.0",
            "1",
            "0.1",
            "1e999",
            "-1e999",
            "1e-999",
            "1e-42",
            "1.1754944e-38",
            "3.4028235e38",
            "3.4028236e38",
            "340282356779733661637539395458142568447",
            "16777217",
            "16777217.0",
            "33554435",
            "1.00000005960464477539062500000001",
            "1.000000059604644775390625",
            "7.0064923216240853546186479164495e-46",
            "0.0000000000000000000000000000000000000000000001",
            "123456789012345678901234567890e-30",
            "12345678.12345678",
            "9007199254740993",
            "1e22",
            "1e23",
            "0e99999999999999999999",
            "8589973000",
            "1.5E+3",
        ] {
            same(text);
        }
    }

    #[test]
    fn what_is_no_json_number() {
        for text in ["", "-", ".5", "5.", "+1", "01", "1.e5", "1e", "1e+", "nan", "Infinity", "x", "--1"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
        assert_eq!(number(b"1]"), Some((1.0, 1)));
    }

    fn array(text: &str) -> Result<Vec<f32>, Fault> {
        let mut out = Vec::new();
        json_array(text.as_bytes(), 3, &mut out).map(|_| out)
    }

    fn cells(text: &str) -> Result<Vec<f32>, Fault> {
        let mut out = Vec::new();
        list(text.as_bytes(), 3, &mut out).map(|()| out)
    }

    #[test]
    fn arrays_and_lists() {
        assert_eq!(array("[1, 2.5,\t-3e0 ]").unwrap(), [1.0, 2.5, -3.0]);
        for text in ["[1,2,3]", "1,2,3", "{1,2,3}", " [ 1 2  3 ] ", "1;2;3", "[1, 2., +3]", "1\t2\t3"] {
            assert_eq!(cells(text).unwrap(), [1.0, 2.0, 3.0], "{text}");
        }
    }

    #[test]
    fn faults_name_the_value() {
        for (text, code, say) in [
            ("[]", Code::DimMismatch, "has 0 values"),
            ("[1,2]", Code::DimMismatch, "has 2 values"),
            ("[1,2,3,4,5]", Code::DimMismatch, "has 5 values"),
            ("[1,NaN,3]", Code::NotFinite, "NaN at value 2"),
            ("[1,2,-Infinity]", Code::NotFinite, "-Infinity at value 3"),
            ("[1e39,2,3]", Code::NotFinite, "1e39 at value 1"),
            ("[1,null,3]", Code::BadRow, "value 2 of the vector is `null`"),
            ("[1,\"2\",3]", Code::BadRow, "value 2 of the vector is `\"2\"`"),
            ("[1,2,]", Code::BadRow, "value 3 of the vector is ``"),
            ("[1,2", Code::BadRow, "ends inside the vector"),
            ("[1,[2],3]", Code::BadRow, "value 2"),
            ("[1 2 3]", Code::BadRow, "value 1"),
        ] {
            let fault = array(text).expect_err(text);
            assert_eq!(fault.code, code, "{text}");
            assert!(fault.message.contains(say), "{text}: {}", fault.message);
        }
        for text in ["[1,2,3", "1,2,3]", "1,,3", "1,2,3,", "a b c", "[1,inf,2]", "1 2", "", "1,2,nan"] {
            assert!(cells(text).is_err(), "{text}");
        }
        assert_eq!(cell(b" 1.5 ", 1).unwrap(), 1.5);
        assert!(cell(b"1.5x", 1).is_err() && cell(b"", 1).is_err() && cell(b"inf", 1).is_err());
    }

    proptest! {
        #[test]
        fn equals_the_standard_library(bits in any::<u32>(), wide in any::<f64>(), m in any::<u64>(), e in -60i32..60) {
            let narrow = f32::from_bits(bits);
            if narrow.is_finite() {
                same(&format!("{narrow}"));
                same(&format!("{narrow:e}"));
            }
            if wide.is_finite() {
                same(&format!("{wide:e}"));
            }
            same(&format!("{m}e{e}"));
            same(&format!("{}.{m}", m % 1000));
        }

        #[test]
        fn middles_between_floats(bits in 0u32..0x7f00_0000, digits in 9usize..40) {
            let (a, b) = (f64::from(f32::from_bits(bits)), f64::from(f32::from_bits(bits + 1)));
            let middle = (a + b) / 2.0;
            same(&format!("{middle:.digits$e}"));
        }

        #[test]
        fn any_bytes_are_a_vector_or_a_fault(text in "[\\[\\]0-9.,e+ -]{0,30}") {
            let _ = array(&format!("[{text}"));
            let _ = cells(&text);
        }
    }
}
