//! What all binary files share: little-endian coding, checksums, and the sectioned container.
//!
//! FORMAT.md is the same in words; `tests/it/format_doc.rs` holds the two together.

pub mod checksum;
pub mod codec;
pub mod container;
pub mod guard;

/// 16 random bytes that name a dataset; part of every checksum, so that a file of another
/// dataset is never taken for one of this.
pub type DatasetId = [u8; 16];

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes of a hexadecimal text of exactly `2 N` digits.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut out = [0; N];
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(out)
}

#[cfg(target_endian = "big")]
compile_error!("cvx maps little-endian files as they are; big-endian machines are not supported");
