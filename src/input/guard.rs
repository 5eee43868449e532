//! Calls into decoders of other crates, which may panic on bytes made to break them.
//!
//! The Parquet and Arrow decoders check most of what they read and still index into it in
//! places. A panic there is a fact about the file, so it becomes an error of the file; the
//! decoder is thrown away and nothing of it is used again.

use crate::error::{Code, Error, Result};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `decode`; its error or panic becomes an error that names the file. The panic's report
/// on standard error is left out, everyone else's panics are reported as before.
pub(super) fn decode<T, E: std::fmt::Display>(
    path: &Path,
    decode: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !INSIDE.get() {
                before(info);
            }
        }));
    });
    INSIDE.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(decode));
    INSIDE.set(false);
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(broken(path, &e.to_string())),
        Err(_) => Err(broken(path, "its structure contradicts itself")),
    }
}

/// The error of a file that cannot be decoded.
pub(super) fn broken(path: &Path, reason: &str) -> Error {
    let reason = reason.trim();
    let says = |words: &[&str]| words.iter().any(|w| reason.to_ascii_lowercase().contains(w));
    // A whole file of a kind that no reader here knows is not damaged.
    let hint = if says(&["not supported", "unsupported", "not yet", "not implemented", "disabled", "nyi"]) {
        "the file may be sound: write it again in a common encoding, e.g. with pyarrow or DuckDB"
    } else {
        "is it whole, and of the format its name says? write it again, or name --input-format"
    };
    Error::new(Code::BadFile, format!("the file cannot be decoded: {reason}")).file(path).fix(hint)
}

/// The error of a file whose decoding would take more memory than is allowed.
pub(super) fn too_large(path: &Path, reason: &str) -> Error {
    Error::new(Code::BadFile, format!("the file does not fit the memory allowed: {reason}"))
        .file(path)
        .fix("raise --memory, or write the file with smaller pages, batches or rows")
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
