//! Read-only bytes of a published file: a memory map, or owned memory where a map is unsafe.

use crate::error::{Error, Result};
use crate::fsio;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

/// The bytes of an immutable file. A map where the file system is local; read into memory
/// where another host might cut the file (which would end a mapped process by SIGBUS).
#[derive(Debug)]
pub struct Bytes(Inner);

#[derive(Debug)]
enum Inner {
    Mapped(memmap2::Mmap),
    /// u64s, so that the start is aligned as sections need it.
    Owned(Vec<u64>, usize),
}

/// How the bytes will be read, passed on to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// From front to back.
    Sequential,
    /// Here and there.
    Random,
}

impl Bytes {
    /// Opens the file at `path`, which must be a regular file of exactly `len` bytes.
    pub fn open(path: &Path, len: u64) -> Result<Bytes> {
        let file = fsio::open_read(path, Some(len))?;
        if len == 0 {
            return Ok(Bytes(Inner::Owned(Vec::new(), 0)));
        }
        if fsio::is_network(path) {
            return Bytes::read(&file, path, len);
        }
        map(&file).map(|m| Bytes(Inner::Mapped(m))).map_err(|e| Error::io("map", path, &e))
    }

    fn read(mut file: &File, path: &Path, len: u64) -> Result<Bytes> {
        use std::io::Read;
        let len =
            usize::try_from(len).map_err(|_| Error::damaged(path, "file is too large for this machine"))?;
        let mut words = Vec::new();
        words.try_reserve_exact(len.div_ceil(8)).map_err(|_| {
            Error::new(crate::Code::Failed, format!("not enough memory for {len} bytes")).file(path)
        })?;
        words.resize(len.div_ceil(8), 0u64);
        file.read_exact(&mut bytemuck::cast_slice_mut(&mut words)[..len])
            .map_err(|e| Error::io("read", path, &e))?;
        Ok(Bytes(Inner::Owned(words, len)))
    }

    /// Bytes in memory, e.g. of a file image that was never written.
    pub fn from_vec(bytes: &[u8]) -> Bytes {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Bytes(Inner::Owned(words, bytes.len()))
    }

    /// Tells the kernel how the bytes will be read. A hint: failures are ignored.
    pub fn advise(&self, access: Access) {
        if let Inner::Mapped(m) = &self.0 {
            let advice = match access {
                Access::Sequential => memmap2::Advice::Sequential,
                Access::Random => memmap2::Advice::Random,
            };
            let _ = m.advise(advice);
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Inner::Mapped(m) => m,
            Inner::Owned(words, len) => &bytemuck::cast_slice(words)[..*len],
        }
    }
}

#[expect(unsafe_code, reason = "memory maps have no safe constructor")]
fn map(file: &File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the map is read-only and private to this module as `&[u8]`. cvx never writes to,
    // truncates or reuses a published file (ARCHITECTURE.md, "Durability", rule 1), and network
    // file systems, where another host could, are read instead of mapped.
    unsafe { memmap2::Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_exactly_the_expected_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, b"hello").unwrap();
        assert_eq!(&Bytes::open(&path, 5).unwrap()[..], b"hello");
        let e = Bytes::open(&path, 6).unwrap_err();
        assert_eq!(e.code(), crate::Code::Damaged);
        let file = File::open(&path).unwrap();
        assert_eq!(&Bytes::read(&file, &path, 5).unwrap()[..], b"hello");
    }

    #[test]
    fn refuses_links_and_directories() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&a, b"x").unwrap();
        std::os::unix::fs::symlink(&a, &b).unwrap();
        assert_eq!(Bytes::open(&b, 1).unwrap_err().code(), crate::Code::Damaged);
        assert_eq!(Bytes::open(dir.path(), 1).unwrap_err().code(), crate::Code::Damaged);
    }
}
