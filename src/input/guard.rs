//! Errors of files that another crate decodes.

use crate::error::{Code, Error, Result};
use crate::format::guard::catch;
use std::path::Path;

/// Runs `decode`; its error or panic becomes an error that names the file.
pub(super) fn decode<T, E: std::fmt::Display>(
    path: &Path,
    decode: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    catch(decode).map_err(|reason| broken(path, &reason))
}

/// The error of a file that cannot be decoded.
pub(super) fn broken(path: &Path, reason: &str) -> Error {
    let reason = reason.trim();
    let says = |words: &[&str]| words.iter().any(|w| reason.to_ascii_lowercase().contains(w));
    // A whole file of a kind that no reader here knows is not damaged.
    let hint = if says(&["not supported", "unsupported", "not yet", "not implemented", "disabled", "nyi"]) {
        "the file may be sound: write it again in a common encoding, e.g. with pyarrow or DuckDB"
    } else {
        "is it whole, and of the format its name says? write it again, or name ‹input-format›"
    };
    Error::new(Code::BadFile, format!("the file cannot be decoded: {reason}")).file(path).fix(hint)
}

/// The error of a file whose decoding would take more memory than is allowed.
pub(super) fn too_large(path: &Path, reason: &str) -> Error {
    Error::new(Code::BadFile, format!("the file does not fit the memory allowed: {reason}"))
        .file(path)
        .fix("raise ‹memory›, or write the file with smaller pages, batches or rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_and_errors_become_errors_of_the_file() {
        let path = Path::new("x");
        assert_eq!(decode(path, || Ok::<_, String>(5)).unwrap(), 5);
        let e = decode(path, || Err::<(), _>("cut")).unwrap_err();
        assert!(e.code() == Code::BadFile && e.message().ends_with("cut"));
        let list: Vec<u8> = Vec::new();
        let e = decode(path, || Ok::<_, String>(list[3])).unwrap_err();
        assert!(e.code() == Code::BadFile && e.message().contains("contradicts"));
    }
}
