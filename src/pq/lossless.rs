//! Every bit kept: the four bytes of the floats in streams of their own, then zstd.

use crate::format::codec::Malformed;

const LEVEL: i32 = 3;

/// Codes a chunk of rows.
pub fn encode(x: &[f32]) -> std::io::Result<Vec<u8>> {
    let mut streams = vec![0u8; x.len() * 4];
    for (i, v) in x.iter().enumerate() {
        for (byte, b) in v.to_le_bytes().into_iter().enumerate() {
            streams[byte * x.len() + i] = b;
        }
    }
    zstd::bulk::compress(&streams, LEVEL)
}

/// The `count` values of a chunk.
pub fn decode(chunk: &[u8], count: usize) -> Result<Vec<f32>, Malformed> {
    let bad = |what: String| Malformed { at: 0, what };
    let streams = zstd::bulk::decompress(chunk, count * 4).map_err(|e| bad(format!("zstd: {e}")))?;
    if streams.len() != count * 4 {
        return Err(bad(format!("{} bytes unpacked, {} are expected", streams.len(), count * 4)));
    }
    let byte = |b: usize, i: usize| streams[b * count + i];
    Ok((0..count).map(|i| f32::from_le_bytes(std::array::from_fn(|b| byte(b, i)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_comes_back_and_wrong_sizes_are_refused() {
        let x: Vec<f32> =
            (0..1000u32).map(|i| f32::from_bits(i.wrapping_mul(0x9e37_79b9) & 0xbf7f_ffff)).collect();
        let chunk = encode(&x).unwrap();
        let back = decode(&chunk, 1000).unwrap();
        assert!(x.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert!(decode(&chunk, 999).is_err() && decode(&chunk, 1001).is_err());
        assert!(decode(&chunk[..chunk.len() / 2], 1000).is_err());
        assert!(decode(b"not zstd", 1).is_err());
    }
}
