//! Vectors as the base64 text of their little-endian f32 bytes (RFC 4648, with padding), as
//! `--vectors base64` writes them.

use super::rows::{Fault, check_count, infinite};
use crate::error::Code;

/// True when `text` can only be meant as base64: one unbroken word of whole groups that is no
/// number.
pub(super) fn looks_like(text: &[u8]) -> bool {
    text.len() >= 8
        && text.len().is_multiple_of(4)
        && text.iter().all(|b| value(*b).is_some() || *b == b'=')
        && std::str::from_utf8(text).is_ok_and(|t| t.parse::<f64>().is_err())
}

/// Reads a vector of `dim` values into `out`, replacing it.
pub(super) fn vector(text: &[u8], dim: usize, out: &mut Vec<f32>) -> Result<(), Fault> {
    out.clear();
    let bytes = bytes(text).filter(|b| b.len().is_multiple_of(4)).ok_or_else(|| {
        Fault::new(Code::BadRow, "the vector is neither a list of numbers nor f32 values in base64")
            .fix("write [0.1, -2], or the little-endian f32 bytes in base64")
    })?;
    float_bytes(&bytes, dim, out)
}

/// Reads the little-endian f32 values of a vector into `out`, replacing it.
pub(super) fn float_bytes(bytes: &[u8], dim: usize, out: &mut Vec<f32>) -> Result<(), Fault> {
    out.clear();
    if !bytes.len().is_multiple_of(4) {
        let message = format!("the vector has {} bytes, 32-bit floats have 4 each", bytes.len());
        return Err(Fault::new(Code::BadRow, message).fix("write the bytes of an array of float32"));
    }
    check_count(bytes.len() / 4, dim)?;
    for (i, b) in bytes.as_chunks().0.iter().enumerate() {
        let v = f32::from_le_bytes(*b);
        if !v.is_finite() {
            return Err(infinite(v, i + 1));
        }
        out.push(v + 0.0);
    }
    Ok(())
}

/// The bytes, or `None` where the text is no base64.
fn bytes(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|b| **b == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for group in text[..text.len() - padding].chunks(4) {
        let mut bits = 0;
        for b in group {
            bits = bits << 6 | value(*b)?;
        }
        // Two letters carry one byte, three two, four three.
        bits <<= 6 * (4 - group.len());
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(out)
}

fn value(letter: u8) -> Option<u32> {
    let v = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_the_rfc_and_their_faults() {
        // RFC 4648, section 10.
        for (plain, text) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(bytes(text.as_bytes()).unwrap(), plain.as_bytes());
        }
        let mut v = Vec::new();
        vector(b"AACAPwAAgD8AAIA/", 3, &mut v).unwrap();
        assert_eq!(v, [1.0; 3]);
        let fault = |text: &str, dim| vector(text.as_bytes(), dim, &mut Vec::new()).unwrap_err().code;
        assert_eq!(fault("AACAPwAAgD8AAIA/", 2), Code::DimMismatch);
        assert_eq!(fault("AADAfw==", 1), Code::NotFinite, "NaN");
        for bad in ["AACAPw=", "AACAP===", "AAC*Pw==", "Zm9v", "AA=APw=="] {
            assert_eq!(fault(bad, 1), Code::BadRow, "{bad}");
        }
        assert!(looks_like(b"AACAPw==") && !looks_like(b"12345678") && !looks_like(b"1,2,3,45"));
    }
}
