//! The choice of a codec, as options and file headers spell it.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// How vectors are coded in a cold block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Product quantisation: `m` parts of the vector, one byte each (256 centroids a part).
    /// Jégou, Douze, Schmid, PAMI 2011.
    Pq {
        /// Number of parts and of bytes.
        m: u16,
    },
    /// Product quantisation of four-bit codes, scanned by table look-up in registers:
    /// `m` parts, half a byte each (16 centroids a part). André, Kermarrec, Le Scouarnec, VLDB 2015.
    Pq4 {
        /// Number of parts, even; half as many bytes.
        m: u16,
    },
    /// Product quantisation after a learnt rotation. Ge, He, Ke, Sun, CVPR 2013.
    Opq {
        /// Number of parts and of bytes.
        m: u16,
    },
    /// RaBitQ: randomly rotated, `bits` bits a component, no training beyond the mean.
    /// Gao, Long, SIGMOD 2024; Gao et al., SIGMOD 2025.
    Rabitq {
        /// 1 to 8.
        bits: u8,
    },
    /// One byte a component between the row's least and greatest.
    Sq8,
    /// IEEE half precision under a power-of-two scale for each row.
    F16,
    /// Lossless: the four bytes of the floats split into streams, then zstd.
    Zstd,
}

impl Codec {
    /// True when decoding gives back every bit.
    pub fn is_lossless(self) -> bool {
        self == Codec::Zstd
    }

    /// True when the codec learns a codebook, which its blocks then name.
    pub fn is_trained(self) -> bool {
        matches!(self, Codec::Pq { .. } | Codec::Pq4 { .. } | Codec::Opq { .. } | Codec::Rabitq { .. })
    }

    /// Checks that vectors of a dimension can be coded so.
    pub fn check_dim(self, dim: usize) -> Result<()> {
        let parts = match self {
            Codec::Pq { m } | Codec::Pq4 { m } | Codec::Opq { m } => usize::from(m),
            _ => return Ok(()),
        };
        if parts <= dim {
            return Ok(());
        }
        Err(Error::usage(format!("codec {self} cuts vectors of dimension {dim} into {parts} parts"))
            .option("codec")
            .fix(format!("give at most {dim} parts")))
    }

    /// Bytes of one coded row of a dimension, about (exactly, but for `zstd`, whose size
    /// depends on the data and of which the plain size is given).
    pub fn row_bytes(self, dim: usize) -> f64 {
        match self {
            Codec::Pq { m } | Codec::Opq { m } => f64::from(m),
            Codec::Pq4 { m } => f64::from(m) / 2.0,
            Codec::Rabitq { bits } => {
                dim.next_multiple_of(8) as f64 * f64::from(bits) / 8.0 + if bits == 1 { 4.0 } else { 8.0 }
            }
            Codec::Sq8 => dim as f64 + 8.0,
            Codec::F16 => dim as f64 * 2.0 + 4.0,
            Codec::Zstd => dim as f64 * 4.0,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Codec::Pq { m } => write!(f, "pq:{m}"),
            Codec::Pq4 { m } => write!(f, "pq:{m}x4"),
            Codec::Opq { m } => write!(f, "opq:{m}"),
            Codec::Rabitq { bits } => write!(f, "rabitq:{bits}"),
            Codec::Sq8 => f.write_str("sq8"),
            Codec::F16 => f.write_str("f16"),
            Codec::Zstd => f.write_str("zstd"),
        }
    }
}

impl FromStr for Codec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Codec> {
        let bad = || {
            Error::usage(format!("\"{text}\" is not a codec"))
                .option("codec")
                .fix("one of pq:M, pq:Mx4, opq:M (M parts, 1 to 4096), rabitq:BITS (1 to 8), sq8, f16, zstd")
        };
        let parts = |t: &str| match t.parse::<u16>() {
            Ok(m) if (1..=4096).contains(&m) && !t.starts_with('+') => Ok(m),
            _ => Err(bad()),
        };
        match text.split_once(':') {
            None => match text {
                "sq8" => Ok(Codec::Sq8),
                "f16" => Ok(Codec::F16),
                "zstd" => Ok(Codec::Zstd),
                _ => Err(bad()),
            },
            Some(("pq", m)) => match m.strip_suffix("x4") {
                None => Ok(Codec::Pq { m: parts(m)? }),
                Some(m) => match parts(m)? {
                    m if m % 2 == 0 => Ok(Codec::Pq4 { m }),
                    _ => Err(bad().fix("the number of four-bit parts must be even")),
                },
            },
            Some(("opq", m)) => Ok(Codec::Opq { m: parts(m)? }),
            Some(("rabitq", bits)) => match bits.as_bytes() {
                [b @ b'1'..=b'8'] => Ok(Codec::Rabitq { bits: b - b'0' }),
                _ => Err(bad()),
            },
            Some(_) => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_both_ways() {
        for text in ["pq:8", "pq:96x4", "opq:64", "rabitq:1", "rabitq:8", "sq8", "f16", "zstd"] {
            assert_eq!(text.parse::<Codec>().unwrap().to_string(), text);
        }
        for text in
            ["", "pq", "pq:0", "pq:+8", "pq:4097", "pq:7x4", "rabitq:0", "rabitq:9", "rabitq:11", "sq4"]
        {
            let e = text.parse::<Codec>().unwrap_err();
            assert!(e.hint().is_some(), "{text}");
        }
    }

    #[test]
    fn more_parts_than_components_are_refused() {
        assert!(Codec::Pq { m: 9 }.check_dim(8).is_err());
        assert!(Codec::Opq { m: 8 }.check_dim(8).is_ok());
        assert!(Codec::Sq8.check_dim(1).is_ok());
    }
}
