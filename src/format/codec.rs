//! Little-endian coding of small structures. A length that was read is a claim: it is
//! checked against what is left before it sizes anything.

/// What is wrong with bytes that should decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Offset in the decoded bytes.
    pub at: usize,
    /// What was expected.
    pub what: String,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// Appends little-endian values to a buffer.
#[derive(Debug, Default)]
pub struct Encoder {
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Encoder {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// One byte.
    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.bytes.push(v);
        self
    }

    /// Two bytes.
    pub fn u16(&mut self, v: u16) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Four bytes.
    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Eight bytes.
    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Eight bytes.
    pub fn i64(&mut self, v: i64) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Sixteen bytes.
    pub fn u128(&mut self, v: u128) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Eight bytes, IEEE 754.
    pub fn f64(&mut self, v: f64) -> &mut Self {
        self.raw(&v.to_le_bytes())
    }

    /// Bytes as they are.
    pub fn raw(&mut self, b: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(b);
        self
    }

    /// A u32 length and that many bytes. Panics in no case: longer texts are cut by the callers' limits.
    pub fn text(&mut self, s: &str) -> &mut Self {
        self.u32(s.len() as u32).raw(s.as_bytes())
    }
}

/// Reads little-endian values; every read is checked.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

macro_rules! number {
    ($($name:ident: $t:ty),+) => {$(
        /// Reads one number.
        pub fn $name(&mut self) -> Result<$t, Malformed> {
            let b = self.raw(size_of::<$t>())?;
            let mut a = [0; size_of::<$t>()];
            a.copy_from_slice(b);
            Ok(<$t>::from_le_bytes(a))
        }
    )+};
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Decoder { bytes, at: 0 }
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// An error at this place.
    pub fn malformed<T>(&self, what: impl Into<String>) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, what: what.into() })
    }

    /// The next `n` bytes.
    pub fn raw(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        if n > self.remaining() {
            return self.malformed(format!("{n} more bytes expected, {} are left", self.remaining()));
        }
        let out = &self.bytes[self.at..self.at + n];
        self.at += n;
        Ok(out)
    }

    number!(u8: u8, u16: u16, u32: u32, u64: u64, i64: i64, u128: u128, f64: f64);

    /// A u32 count of items of at least `min_size` bytes each, checked against what is left.
    pub fn count(&mut self, min_size: usize) -> Result<usize, Malformed> {
        let n = self.u32()? as usize;
        if n > self.remaining() / min_size.max(1) {
            return self.malformed(format!("a count of {n} is more than the bytes left can hold"));
        }
        Ok(n)
    }

    /// A text as [`Encoder::text`] writes it.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        let n = self.count(1)?;
        match std::str::from_utf8(self.raw(n)?) {
            Ok(s) => Ok(s),
            Err(_) => self.malformed("text that is not UTF-8"),
        }
    }

    /// Fails unless everything was read.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.remaining() == 0 {
            Ok(())
        } else {
            self.malformed(format!("{} bytes too many", self.remaining()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_cut_is_refused() {
        let mut e = Encoder::new();
        e.u8(1).u16(2).u32(3).u64(4).i64(-5).u128(6).f64(0.5).text("é");
        let read = |b: &[u8]| -> Result<(), Malformed> {
            let mut d = Decoder::new(b);
            assert_eq!(d.u8()?, 1);
            assert_eq!(d.u16()?, 2);
            assert_eq!(d.u32()?, 3);
            assert_eq!(d.u64()?, 4);
            assert_eq!(d.i64()?, -5);
            assert_eq!(d.u128()?, 6);
            assert_eq!(d.f64()?, 0.5);
            assert_eq!(d.text()?, "é");
            d.end()
        };
        read(&e.bytes).unwrap();
        for n in 0..e.bytes.len() {
            assert!(read(&e.bytes[..n]).is_err());
        }
    }

    #[test]
    fn a_count_is_a_claim() {
        let mut d = Decoder::new(&[0xff, 0xff, 0xff, 0xff, 0, 0]);
        assert!(d.count(1).is_err());
    }
}
