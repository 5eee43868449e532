//! Compressed input, known by its first bytes: gzip, zstd and bzip2, of one or several members.

use std::io::{Chain, Cursor, Read, Result};

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
    Bzip2,
}

/// Bytes that tell a packing.
const HEAD: usize = 10;

/// Endings of names of packed files.
const ENDINGS: [&str; 5] = [".gz", ".gzip", ".zst", ".zstd", ".bz2"];

/// A file's name without the ending that says that it is packed.
pub(super) fn unpacked_name(name: &str) -> &str {
    let lower = name.to_ascii_lowercase();
    let ending = ENDINGS.iter().find(|e| lower.ends_with(**e));
    ending.map_or(name, |e| &name[..name.len() - e.len()])
}

/// The packing of a source that begins with `head`.
pub(super) fn packing(head: &[u8]) -> Option<Packing> {
    match head {
        [0x1f, 0x8b, 8, ..] => Some(Packing::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Packing::Zstd),
        // Three letters could begin a text as well; what follows them cannot.
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59] => Some(Packing::Bzip2),
        _ => None,
    }
}

/// Reads the first bytes of a source, as far as there are that many.
pub(super) fn head(source: &mut dyn Read) -> Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    source.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// A source whose first bytes were read.
pub(super) type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// The source with its packing undone.
pub(super) fn unpack<R: Read + Send + 'static>(
    packing: Packing,
    source: Whole<R>,
) -> Result<Box<dyn Read + Send>> {
    Ok(match packing {
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(source)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(source)?),
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(source)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut source = Cursor::new(bytes);
        let start = head(&mut source)?;
        let packing = packing(&start).unwrap();
        let mut out = Vec::new();
        unpack(packing, Cursor::new(start).chain(source))?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn members_one_after_the_other_and_cut_ones() {
        let gzip = |text: &[u8]| {
            let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            w.write_all(text).unwrap();
            w.finish().unwrap()
        };
        let bzip = |text: &[u8]| {
            let mut w = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
            w.write_all(text).unwrap();
            w.finish().unwrap()
        };
        let zstd = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
        for pack in [&gzip as &dyn Fn(&[u8]) -> Vec<u8>, &bzip, &zstd] {
            let both = [pack(b"one\n"), pack(b"two\n")].concat();
            assert_eq!(read(both.clone()).unwrap(), b"one\ntwo\n");
            assert!(read(both[..both.len() - 5].to_vec()).is_err(), "cut");
        }
    }

    #[test]
    fn names_and_texts_that_are_not_packed() {
        assert_eq!(unpacked_name("a.csv.GZ"), "a.csv");
        assert_eq!(unpacked_name("a.csv"), "a.csv");
        assert_eq!(packing(b"BZh1,a,b,c"), None);
        assert_eq!(packing(b"{\"a\":1}"), None);
        assert_eq!(packing(b""), None);
    }
}
