//! Lengths of time for reading.

/// A length of time in a unit that fits it, `1.5h` or `16y`, to two digits or so.
pub fn span_text(seconds: f64) -> String {
    const YEAR: f64 = 31_556_952.0;
    let (unit, letter) = match seconds {
        s if s >= 2.0 * YEAR => (YEAR, "y"),
        s if s >= 86_400.0 => (86_400.0, "d"),
        s if s >= 3_600.0 => (3_600.0, "h"),
        s if s >= 60.0 => (60.0, "m"),
        s if s >= 1.0 => (1.0, "s"),
        _ => (1e-3, "ms"),
    };
    let value = seconds / unit;
    let digits = if value >= 10.0 { 0 } else { 1 };
    let text = format!("{value:.digits$}");
    format!("{}{letter}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let texts = [0.5, 30.0, 5_400.0, 86_400.0, 31.5e6, 505e6].map(span_text);
        assert_eq!(texts, ["500ms", "30s", "1.5h", "1d", "365d", "16y"]);
    }
}
