//! The sizes in a Parquet page's header, read before the page is.
//!
//! The Parquet crate allocates what a header claims before it looks at the page. A header is a
//! Thrift struct in the compact protocol (parquet-format, `PageHeader`); here only its sizes and
//! counts are read, everything else is passed over.

/// What a page claims.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Bytes of the header itself.
    pub len: usize,
    /// 0 data, 1 index, 2 dictionary, 3 data of version 2.
    pub kind: i64,
    /// Bytes after decompression.
    pub unpacked: i64,
    /// Bytes in the file.
    pub packed: i64,
    /// Values, nulls included.
    pub values: i64,
}

/// Why there is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It goes on behind the bytes given.
    Short,
    /// It is no such struct.
    Broken,
}

/// Structs inside structs that a header has reason to hold.
const MAX_DEPTH: usize = 16;

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let b = *self.bytes.get(self.at).ok_or(Fault::Short)?;
        self.at += 1;
        Ok(b)
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            value |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::Broken)
    }

    /// A signed number, zigzag coded.
    fn number(&mut self) -> Result<i64, Fault> {
        let n = self.varint()?;
        Ok((n >> 1).cast_signed() ^ -(n & 1).cast_signed())
    }

    fn pass(&mut self, bytes: u64) -> Result<(), Fault> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(bytes) {
            Ok(n) if n <= left => {
                self.at += n;
                Ok(())
            }
            _ => Err(Fault::Short),
        }
    }

    /// The next field of a struct: its number and type; `None` at the struct's end.
    fn field(&mut self, before: i64) -> Result<Option<(i64, u8)>, Fault> {
        let b = self.byte()?;
        match (b >> 4, b & 15) {
            (_, 0) => Ok(None),
            (0, kind) => Ok(Some((self.number()?, kind))),
            (step, kind) => Ok(Some((before + i64::from(step), kind))),
        }
    }

    /// Passes over a value that is no field's flag.
    fn skip(&mut self, kind: u8, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Broken);
        }
        match kind {
            1 | 2 => Ok(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.pass(8),
            8 => {
                let n = self.varint()?;
                self.pass(n)
            }
            9 | 10 => {
                let b = self.byte()?;
                let n = if b >> 4 == 15 { self.varint()? } else { u64::from(b >> 4) };
                self.skip_items(n, b & 15, depth)
            }
            11 => {
                let n = self.varint()?;
                if n == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                for _ in 0..n {
                    self.skip_items(1, kinds >> 4, depth)?;
                    self.skip_items(1, kinds & 15, depth)?;
                }
                Ok(())
            }
            12 => {
                let mut number = 0;
                while let Some((n, kind)) = self.field(number)? {
                    self.skip(kind, depth + 1)?;
                    number = n;
                }
                Ok(())
            }
            13 => self.pass(16),
            _ => Err(Fault::Broken),
        }
    }

    /// Passes over members of a list; flags take a byte each there.
    fn skip_items(&mut self, n: u64, kind: u8, depth: usize) -> Result<(), Fault> {
        for _ in 0..n {
            match kind {
                1 | 2 => self.pass(1)?,
                kind => self.skip(kind, depth + 1)?,
            }
        }
        Ok(())
    }

    /// The first field of a struct, which counts its values; the rest is passed over.
    fn count(&mut self) -> Result<i64, Fault> {
        let (mut number, mut count) = (0, 0);
        while let Some((n, kind)) = self.field(number)? {
            match (n, kind) {
                (1, 4..=6) => count = self.number()?,
                (_, kind) => self.skip(kind, 1)?,
            }
            number = n;
        }
        Ok(count)
    }
}

/// Reads the header at the front of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Result<PageHeader, Fault> {
    let mut c = Cursor { bytes, at: 0 };
    let mut header = PageHeader::default();
    let mut number = 0;
    while let Some((n, kind)) = c.field(number)? {
        match (n, kind) {
            (1, 4..=6) => header.kind = c.number()?,
            (2, 4..=6) => header.unpacked = c.number()?,
            (3, 4..=6) => header.packed = c.number()?,
            (5 | 7 | 8, 12) => header.values = c.count()?,
            (_, kind) => c.skip(kind, 0)?,
        }
        number = n;
    }
    header.len = c.at;
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data page of 1000 values: 300 bytes, 70 in the file, with a checksum and statistics.
    const DATA: [u8; 25] = [
        0x15, 0, 0x15, 0xd8, 0x04, 0x15, 0x8c, 0x01, 0x15, 0x0a, 0x1c, 0x15, 0xd0, 0x0f, 0x15, 0, 0x15, 0x06,
        0x15, 0x06, 0x1c, 0x28, 0x01, b'x', 0,
    ];

    #[test]
    fn sizes_and_counts() {
        let whole: Vec<u8> = DATA.iter().copied().chain([0, 0]).chain([7, 7]).collect();
        let header = parse(&whole).unwrap();
        assert_eq!(header, PageHeader { len: 27, kind: 0, unpacked: 300, packed: 70, values: 1000 });
        for cut in 0..27 {
            assert_eq!(parse(&whole[..cut]), Err(Fault::Short), "{cut}");
        }
        assert_eq!(parse(&[0xff; 40]), Err(Fault::Broken));
        let nested: Vec<u8> = std::iter::repeat_n(0x9c, 64).collect();
        assert_eq!(parse(&nested), Err(Fault::Broken));
    }
}
