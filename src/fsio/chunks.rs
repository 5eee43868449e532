//! Reading a file of any length piece by piece, for searches of its bytes.

use super::open_read;
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// Hands the bytes of a file to `take`, at most `chunk + overlap` at a time; each piece begins with the last `overlap` bytes
/// of the one before, so that whatever has `overlap + 1` bytes or fewer lies whole in one piece.
///
/// # Errors
/// `damaged` for what is not a regular file, `io` when it cannot be read.
pub fn read_chunks(path: &Path, chunk: usize, overlap: usize, take: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut file = open_read(path, None)?;
    let mut buffer = vec![0; chunk + overlap];
    let mut held = 0;
    loop {
        let read = match file.read(&mut buffer[held..]) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other.map_err(|e| Error::io("read", path, &e))?,
        };
        if read == 0 {
            return Ok(());
        }
        let filled = held + read;
        take(&buffer[..filled]);
        held = filled.min(overlap);
        buffer.copy_within(filled - held..filled, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_short_enough_lies_whole_in_one_piece() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let bytes: Vec<u8> = (0..=255u8).cycle().take(1000).collect();
        std::fs::write(&path, &bytes).unwrap();
        for at in [0, 5, 7, 63, 64, 255] {
            let needle = &bytes[at..at + 8];
            let mut found = false;
            read_chunks(&path, 64, 7, &mut |piece| found |= memchr::memmem::find(piece, needle).is_some())
                .unwrap();
            assert!(found, "{at}");
        }
    }
}
