//! Calls into decoders of other crates, which may panic on bytes made to break them.
//!
//! The Parquet and Arrow decoders check most of what they read and still index into it in
//! places. A panic there is a fact about the file, so it becomes an error of the file; the
//! decoder is thrown away and nothing of it is used again.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `decode`; its error or panic becomes a text. The panic's report on standard error is left out,
/// everyone else's panics are reported as before.
///
/// # Errors
/// What `decode` gives, in words.
pub fn catch<T, E: std::fmt::Display>(decode: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !INSIDE.get() {
                before(info);
            }
        }));
    });
    let outer = INSIDE.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(decode));
    INSIDE.set(outer);
    match outcome {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("its structure contradicts itself".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_panics_become_texts() {
        assert_eq!(catch(|| Ok::<_, String>(5)), Ok(5));
        assert_eq!(catch(|| Err::<(), _>("cut")), Err("cut".to_owned()));
        let list: Vec<u8> = Vec::new();
        // One call inside another leaves the outer one guarded.
        let nested = catch(|| {
            let _ = catch(|| Ok::<_, String>(1));
            Ok::<_, String>(list[3])
        });
        assert!(nested.unwrap_err().contains("contradicts"));
        assert!(!INSIDE.get());
    }
}
