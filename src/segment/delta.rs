//! A vector as its difference from the one before it in the same trajectory.
//!
//! Encodings, chosen by size: whole; the changed values (with their dimensions as a list or a
//! bitmap), which is lossless; all differences on a grid of the tolerance in 4, 8 or 16 bits,
//! which is used only with a tolerance and only when every reconstructed value is within it.
//! The encoder works against the decoder's own reconstruction, so errors do not accumulate.

/// How a vector is stored; the number goes into the top bits of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Coding {
    /// All values, in the section of whole vectors.
    Whole = 0,
    /// u16 count, that many u16 dimensions, zeros to 4 bytes, then the new f32 values.
    List = 1,
    /// A bit a dimension, zeros to 4 bytes, then the new f32 values.
    Bitmap = 2,
    /// A signed nibble a dimension: multiples of the tolerance.
    Grid4 = 3,
    /// A signed byte a dimension.
    Grid8 = 4,
    /// A signed 16-bit number a dimension.
    Grid16 = 5,
}

const CODINGS: [Coding; 6] =
    [Coding::Whole, Coding::List, Coding::Bitmap, Coding::Grid4, Coding::Grid8, Coding::Grid16];
const PLACE_BITS: u32 = 29;

/// Encoding and position (a row of the whole vectors, or a delta's offset / 4) in one number.
pub(super) fn pack(coding: Coding, at: usize) -> Option<u32> {
    let at = u32::try_from(at).ok().filter(|a| a >> PLACE_BITS == 0)?;
    Some((coding as u32) << PLACE_BITS | at)
}

/// The parts of a packed place; `None` for an encoding that does not exist.
pub(super) fn unpack(place: u32) -> Option<(Coding, usize)> {
    let coding = CODINGS.get((place >> PLACE_BITS) as usize)?;
    Some((*coding, (place & ((1 << PLACE_BITS) - 1)) as usize))
}

/// Bytes of a bit a dimension, to a multiple of 4.
fn bitmap_len(dim: usize) -> usize {
    dim.div_ceil(32) * 4
}

fn list_head_len(count: usize) -> usize {
    (2 + 2 * count).next_multiple_of(4)
}

/// Reused buffers of the encoder.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    changed: Vec<u16>,
    grid: Vec<i32>,
    /// The decoder's view of the vector that was encoded last.
    pub(super) rebuilt: Vec<f32>,
}

/// Appends the delta from `before` (as decoded) to `x` when it is worth it, and leaves the
/// decoder's reconstruction in `scratch.rebuilt`. `Whole` appends nothing.
pub(super) fn encode(
    before: &[f32],
    x: &[f32],
    tolerance: f64,
    s: &mut Scratch,
    out: &mut Vec<u8>,
) -> Coding {
    let dim = x.len();
    s.changed.clear();
    s.changed.extend(
        before
            .iter()
            .zip(x)
            .enumerate()
            .filter(|(_, (a, b))| a.to_bits() != b.to_bits())
            .map(|(i, _)| i as u16),
    );
    let n = s.changed.len();
    let list = list_head_len(n) + 4 * n;
    let bitmap = bitmap_len(dim) + 4 * n;
    let (mut best, mut size) = if list <= bitmap { (Coding::List, list) } else { (Coding::Bitmap, bitmap) };
    if tolerance > 0.0
        && let Some(width) = grid(before, x, tolerance, s)
        && (dim * width / 8).next_multiple_of(4) < size
    {
        size = (dim * width / 8).next_multiple_of(4);
        best = match width {
            4 => Coding::Grid4,
            8 => Coding::Grid8,
            _ => Coding::Grid16,
        };
    }
    // A delta that saves less than a quarter is not worth decoding.
    if size > dim * 3 {
        best = Coding::Whole;
    }
    match best {
        Coding::Whole => {}
        Coding::List | Coding::Bitmap => write_changed(best, x, &s.changed, out),
        Coding::Grid4 | Coding::Grid8 | Coding::Grid16 => write_grid(best, &s.grid, out),
    }
    if matches!(best, Coding::Whole | Coding::List | Coding::Bitmap) {
        s.rebuilt.clear();
        s.rebuilt.extend_from_slice(x);
    }
    best
}

/// Puts `x - before` on the grid. The width in bits when every value comes back within the
/// tolerance, with the reconstruction in `rebuilt`.
fn grid(before: &[f32], x: &[f32], tolerance: f64, s: &mut Scratch) -> Option<usize> {
    s.grid.clear();
    s.rebuilt.clear();
    let mut largest = 0i32;
    for (a, b) in before.iter().zip(x) {
        let steps = ((f64::from(*b) - f64::from(*a)) / tolerance).round();
        if steps.abs() > 32_767.0 {
            return None;
        }
        let q = steps as i32;
        let back = on_grid(*a, q, tolerance);
        if (f64::from(back) - f64::from(*b)).abs() > tolerance {
            return None;
        }
        largest = largest.max(if q < 0 { -q - 1 } else { q });
        s.grid.push(q);
        s.rebuilt.push(back);
    }
    Some(match largest {
        0..8 => 4,
        8..128 => 8,
        _ => 16,
    })
}

#[inline(always)]
fn on_grid(before: f32, steps: i32, tolerance: f64) -> f32 {
    (f64::from(before) + f64::from(steps) * tolerance) as f32
}

fn write_changed(coding: Coding, x: &[f32], changed: &[u16], out: &mut Vec<u8>) {
    let start = out.len();
    if coding == Coding::List {
        out.extend_from_slice(&(changed.len() as u16).to_le_bytes());
        for i in changed {
            out.extend_from_slice(&i.to_le_bytes());
        }
        out.resize(start + list_head_len(changed.len()), 0);
    } else {
        out.resize(start + bitmap_len(x.len()), 0);
        for i in changed {
            out[start + usize::from(*i) / 8] |= 1 << (i % 8);
        }
    }
    for i in changed {
        out.extend_from_slice(&x[usize::from(*i)].to_le_bytes());
    }
}

fn write_grid(coding: Coding, grid: &[i32], out: &mut Vec<u8>) {
    let start = out.len();
    match coding {
        Coding::Grid4 => {
            for pair in grid.chunks(2) {
                let high = pair.get(1).copied().unwrap_or(0);
                out.push((pair[0] & 15) as u8 | ((high & 15) << 4) as u8);
            }
        }
        Coding::Grid8 => out.extend(grid.iter().map(|q| *q as i8 as u8)),
        _ => out.extend(grid.iter().flat_map(|q| (*q as i16).to_le_bytes())),
    }
    let len = (out.len() - start).next_multiple_of(4);
    out.resize(start + len, 0);
}

/// Turns the vector before into this one. `bytes` starts at the delta and may go on beyond it.
/// `None` when the bytes are not a delta.
pub(super) fn apply(coding: Coding, bytes: &[u8], tolerance: f64, x: &mut [f32]) -> Option<()> {
    let dim = x.len();
    match coding {
        Coding::Whole => None,
        Coding::List => {
            let count = usize::from(u16::from_le_bytes([*bytes.first()?, *bytes.get(1)?]));
            let values_at = list_head_len(count);
            let dims = bytes.get(2..2 + 2 * count)?;
            let values = bytes.get(values_at..values_at + 4 * count)?;
            for (d, v) in dims.chunks_exact(2).zip(values.chunks_exact(4)) {
                *x.get_mut(usize::from(u16::from_le_bytes([d[0], d[1]])))? =
                    f32::from_le_bytes([v[0], v[1], v[2], v[3]]);
            }
            Some(())
        }
        Coding::Bitmap => {
            let (bits, values) = bytes.split_at_checked(bitmap_len(dim))?;
            apply_bitmap(bits, values, x)
        }
        Coding::Grid4 => {
            let packed = bytes.get(..dim.div_ceil(2))?;
            for (pair, byte) in x.chunks_mut(2).zip(packed) {
                pair[0] = on_grid(pair[0], i32::from((byte << 4) as i8 >> 4), tolerance);
                if let Some(second) = pair.get_mut(1) {
                    *second = on_grid(*second, i32::from(*byte as i8 >> 4), tolerance);
                }
            }
            Some(())
        }
        Coding::Grid8 => {
            for (v, q) in x.iter_mut().zip(bytes.get(..dim)?) {
                *v = on_grid(*v, i32::from(*q as i8), tolerance);
            }
            Some(())
        }
        Coding::Grid16 => {
            for (v, q) in x.iter_mut().zip(bytes.get(..2 * dim)?.chunks_exact(2)) {
                *v = on_grid(*v, i32::from(i16::from_le_bytes([q[0], q[1]])), tolerance);
            }
            Some(())
        }
    }
}

fn apply_bitmap(bits: &[u8], values: &[u8], x: &mut [f32]) -> Option<()> {
    let mut values = values.chunks_exact(4);
    for (word_at, word) in bits.chunks_exact(4).enumerate() {
        let mut word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        while word != 0 {
            let v = values.next()?;
            *x.get_mut(word_at * 32 + word.trailing_zeros() as usize)? =
                f32::from_le_bytes([v[0], v[1], v[2], v[3]]);
            word &= word - 1;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both(before: &[f32], x: &[f32], tolerance: f64) -> (Coding, Vec<u8>, Vec<f32>) {
        let (mut s, mut out) = (Scratch::default(), Vec::new());
        let coding = encode(before, x, tolerance, &mut s, &mut out);
        let mut back = before.to_vec();
        if coding != Coding::Whole {
            apply(coding, &out, tolerance, &mut back).unwrap();
            assert_eq!(back, s.rebuilt);
            for n in 0..out.len().saturating_sub(4) {
                let mut cut = before.to_vec();
                let _ = apply(coding, &out[..n], tolerance, &mut cut);
            }
        } else {
            back.copy_from_slice(x);
        }
        (coding, out, back)
    }

    #[test]
    fn each_encoding_is_chosen_where_it_is_smallest() {
        let before: Vec<f32> = (0..100).map(|i| i as f32 * 0.01).collect();
        let moved = |n: usize, by: f32| {
            let mut x = before.clone();
            x.iter_mut().take(n).for_each(|v| *v += by);
            x
        };
        let coding = |x: &[f32], tol| both(&before, x, tol).0;
        assert_eq!(coding(&before, 0.0), Coding::List);
        assert_eq!(coding(&moved(3, 1.0), 0.0), Coding::List);
        assert_eq!(coding(&moved(40, 1.0), 0.0), Coding::Bitmap);
        assert_eq!(coding(&moved(100, 1.0), 0.0), Coding::Whole);
        assert_eq!(coding(&moved(100, 1.0), 1e-7), Coding::Whole);
        assert_eq!(coding(&moved(100, 5e-7), 1e-7), Coding::Grid4);
        assert_eq!(coding(&moved(100, 5e-6), 1e-7), Coding::Grid8);
        assert_eq!(coding(&moved(100, 5e-4), 1e-7), Coding::Grid16);
    }

    proptest! {
        #[test]
        fn lossless_without_tolerance(
            before in prop::collection::vec(-2.0f32..2.0, 1..80),
            change in prop::collection::vec(prop::option::weighted(0.2, -2.0f32..2.0), 80),
        ) {
            let x: Vec<f32> = before.iter().zip(&change).map(|(b, c)| c.unwrap_or(*b)).collect();
            let (_, _, back) = both(&before, &x, 0.0);
            prop_assert_eq!(back, x);
        }

        #[test]
        fn within_the_tolerance(
            before in prop::collection::vec(-2.0f32..2.0, 1..80),
            scale in 0.0f32..1e-4,
            tolerance in 1e-8f64..1e-3,
        ) {
            let x: Vec<f32> = before.iter().enumerate().map(|(i, b)| b + scale * ((i % 7) as f32 - 3.0)).collect();
            let (_, _, back) = both(&before, &x, tolerance);
            for (a, b) in back.iter().zip(&x) {
                prop_assert!((f64::from(*a) - f64::from(*b)).abs() <= tolerance);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(coding in 1usize..6, bytes in prop::collection::vec(any::<u8>(), 0..200), dim in 1usize..70) {
            let mut x = vec![0.5; dim];
            let _ = apply(CODINGS[coding], &bytes, 1e-7, &mut x);
        }
    }
}
