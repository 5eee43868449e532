//! Codes of single components: one byte, or half precision. Nothing is learnt; each row
//! carries its own scale.

use half::f16;

/// Bytes of an sq8 row: least value and step (f32 each), then a byte a component.
pub fn sq8_row(dim: usize) -> usize {
    dim + 8
}

/// Codes one row: `x ≈ least + step * byte`.
pub fn sq8_encode(x: &[f32], out: &mut Vec<u8>) {
    let (least, greatest) =
        x.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), v| (lo.min(*v), hi.max(*v)));
    // In f64: the width of a row may exceed the largest f32.
    let step = ((f64::from(greatest) - f64::from(least)) / 255.0) as f32;
    out.extend_from_slice(&least.to_le_bytes());
    out.extend_from_slice(&step.to_le_bytes());
    let per = if step > 0.0 { 1.0 / f64::from(step) } else { 0.0 };
    out.extend(x.iter().map(|v| ((f64::from(*v) - f64::from(least)) * per).round().min(255.0) as u8));
}

/// Appends one row. `code` has [`sq8_row`] bytes.
pub fn sq8_decode(code: &[u8], out: &mut Vec<f32>) {
    let (head, bytes) = code.split_at(8);
    let (least, step) = (f64::from(float(&head[..4])), f64::from(float(&head[4..])));
    out.extend(bytes.iter().map(|b| (least + step * f64::from(*b)) as f32));
}

/// Bytes of an f16 row: scale (f32, a power of two), then two bytes a component.
pub fn f16_row(dim: usize) -> usize {
    2 * dim + 4
}

/// Codes one row. The scale brings the greatest component near the top of the range, so that
/// nothing overflows, and what was exact in half precision stays exact.
pub fn f16_encode(x: &[f32], out: &mut Vec<u8>) {
    let greatest = x.iter().fold(0.0f64, |m, v| m.max(f64::from(v.abs())));
    let mut exponent = if greatest > 0.0 { greatest.log2().floor() as i32 - 15 } else { 0 };
    exponent = exponent.clamp(-126, 127);
    if greatest / f64::from(exponent).exp2() > f64::from(f16::MAX) {
        exponent += 1;
    }
    let scale = f64::from(exponent).exp2();
    out.extend_from_slice(&(scale as f32).to_le_bytes());
    for v in x {
        out.extend_from_slice(&f16::from_f64(f64::from(*v) / scale).to_le_bytes());
    }
}

/// Appends one row. `code` has [`f16_row`] bytes.
pub fn f16_decode(code: &[u8], out: &mut Vec<f32>) {
    let (scale, values) = code.split_at(4);
    let scale = float(scale);
    let (values, _) = values.as_chunks::<2>();
    out.extend(values.iter().map(|v| f16::from_le_bytes(*v).to_f32() * scale));
}

fn float(bytes: &[u8]) -> f32 {
    let mut b = [0; 4];
    b.copy_from_slice(bytes);
    f32::from_le_bytes(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pq::random::Draws;

    fn sq8(x: &[f32]) -> Vec<f32> {
        let (mut code, mut back) = (Vec::new(), Vec::new());
        sq8_encode(x, &mut code);
        assert_eq!(code.len(), sq8_row(x.len()));
        sq8_decode(&code, &mut back);
        back
    }

    fn half(x: &[f32]) -> Vec<f32> {
        let (mut code, mut back) = (Vec::new(), Vec::new());
        f16_encode(x, &mut code);
        assert_eq!(code.len(), f16_row(x.len()));
        f16_decode(&code, &mut back);
        back
    }

    #[test]
    fn sq8_is_within_half_a_step() {
        let mut d = Draws::new(1, 1);
        let x: Vec<f32> = (0..200).map(|_| d.unit() as f32 * 3.0 - 1.0).collect();
        assert!(sq8(&x).iter().zip(&x).all(|(a, b)| (a - b).abs() <= 3.0 / 255.0 * 0.501));
        assert_eq!(sq8(&[2.5; 4]), [2.5; 4]);
        let wide = sq8(&[-f32::MAX, 0.0, f32::MAX]);
        assert!(wide.iter().all(|v| v.is_finite()), "{wide:?}");
    }

    #[test]
    fn f16_keeps_what_is_exact_in_half_precision_at_any_scale() {
        let exact = [65504.0f32, -1.0, 0.000_061_035_156, 5.960_464_5e-8, 0.0];
        assert_eq!(half(&exact), exact);
        let far = exact.map(|v| v * 100f32.exp2());
        assert_eq!(half(&far), far);
        assert_eq!(half(&[0.0; 3]), [0.0; 3]);
        let mut d = Draws::new(1, 2);
        for scale in [1e-44f32, 1e-38, 1e-20, 1.0, 65519.0, 1e38] {
            let x: Vec<f32> = (0..50).map(|_| (d.unit() as f32 - 0.5) * scale).collect();
            let greatest = x.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            for (a, b) in half(&x).iter().zip(&x) {
                assert!(a.is_finite() && (a - b).abs() <= greatest / 2048.0 + f32::from_bits(1), "{scale}");
            }
        }
    }
}
